#!/usr/bin/env bash
#
# The manual page and the completions say what --help says, all of it and nothing else; words that are mistyped:
# tests/cli/test_manual.sh EKUBENCH
# exit status: 0 passed, 1 failed

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_manual.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"
PATH=$(dirname -- "$bin"):$PATH

"$bin" manual >"$dir/page"
commands=$("$bin" --help | sed -n 's/^  \([a-z]*\)  *.*/\1/p')
[[ $(wc -w <<<"$commands") -ge 13 ]] || fail "commands: $commands"

# in_manual COMMAND: the page's part about it.
in_manual() {
    awk -v wanted="$1" '/^\.S[SH]/ { inside = ($0 == ".SS " wanted) } inside' "$dir/page"
}

# The long options of a command, each where it is described.
options_of_help() {
    "$bin" "$1" --help | sed '/^Examples:$/,$d' | sed -n 's/^  \(-[A-Za-z?], \|    \)--\([a-z][a-z0-9-]*\).*/\2/p' |
        sed '/^help$/d; /^usage$/d' | sort
}
options_of_manual() {
    in_manual "$1" | sed -n 's/\\-/-/g; s/^\\fB-[a-z].*, \\fB--\([a-z0-9-]*\)\\fR.*/\1/p; s/^\\fB--\([a-z0-9-]*\)\\fR.*/\1/p' |
        sort
}
options_of_bash() {
    sed -n "s/^    $1) options='--help --usage *\([^']*\)'.*/\1/p" "$dir/bash" | tr ' ' '\n' | sed 's/^--//' |
        sed '/^$/d' | sort
}

"$bin" completion bash >"$dir/bash"
"$bin" completion zsh >"$dir/zsh"
total=0
for command in $commands; do
    options_of_help "$command" >"$dir/help"
    options_of_manual "$command" >"$dir/manual"
    options_of_bash "$command" >"$dir/completed"
    total=$((total + $(wc -l <"$dir/help")))
    diff "$dir/help" "$dir/manual" >"$dir/diff" || fail "$command: --help and the manual: $(cat -- "$dir/diff")"
    diff "$dir/help" "$dir/completed" >"$dir/diff" || fail "$command: --help and bash: $(cat -- "$dir/diff")"
    while read -r option; do
        grep -qF -- "--$option" <(sed -n "/^    $command)/,/^        ;;/p" "$dir/zsh") ||
            fail "$command: zsh does not complete --$option"
    done <"$dir/help"
done
((total > 100)) || fail "only $total options were compared"

# The page is one that roff reads without a complaint.
if command -v groff >/dev/null; then
    groff -man -Tascii -ww "$dir/page" >"$dir/out" 2>"$dir/err"
    [[ ! -s $dir/err ]] || fail "groff: $(head -n 3 -- "$dir/err")"
    grep -q -- 'ekubench capacity' "$dir/out" || fail 'the page does not tell of capacity'
fi
"$bin" --version | grep -q 'BoringSSL .*liburing .*HdrHistogram_c .*jansson .*zlib' || fail '--version'

# Examples are as wide as a terminal, whole or continued by a backslash: they can be pasted.
num_continued=0
for command in $commands; do
    "$bin" "$command" --help | sed '1,/^Examples:$/d' >"$dir/examples"
    grep -v '^  ' "$dir/examples" >"$dir/out" && fail "$command: an example goes on as \"$(cat -- "$dir/out")\""
    awk 'length > 78' "$dir/examples" >"$dir/out"
    [[ ! -s $dir/out ]] || fail "$command: too long an example: $(cat -- "$dir/out")"
    num_continued=$((num_continued + $(grep -c ' \\$' "$dir/examples" || true)))
    # The page has the same lines.
    in_manual "$command" | sed 's/\\-/-/g; s/\\e$/\\/' >"$dir/out"
    while IFS= read -r line; do
        grep -qxF -- "$line" "$dir/out" || fail "$command: the manual has no \"$line\""
    done <"$dir/examples"
done
((num_continued >= 3)) || fail "only $num_continued examples go on"

# Narrow help, if that is what COLUMNS says, terminal or not; nonsense is not obeyed.
COLUMNS=60 "$bin" measure --help | sed '/^Examples:$/,$d' >"$dir/out"
(($(wc -L <"$dir/out") <= 60)) || fail "COLUMNS=60: $(wc -L <"$dir/out") wide"
COLUMNS=-60 "$bin" measure --help >"$dir/out"
cmp <(env -u COLUMNS "$bin" measure --help) "$dir/out" || fail 'COLUMNS=-60 changes the help'

# Where a result goes is said alike.
for command in measure capacity load merge; do
    "$bin" "$command" --help | tr -s ' \n' ' ' | grep -q 'into DIR, which is made if need be; an earlier result there is replaced' ||
        fail "$command: --output"
done

# complete_bash WORD...: what bash offers for the last word.
complete_bash() {
    # shellcheck disable=SC2016 # For that shell.
    bash -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ekubench; echo "${COMPREPLY[*]}"' \
        complete "$dir/bash" "$@"
}
offers() {
    local wanted=$1
    shift
    [[ $(complete_bash "$@") == "$wanted" ]] || fail "$*: bash offers \"$(complete_bash "$@")\", not \"$wanted\""
}
offers 'capacity' ekubench cap
offers '--scenario' ekubench measure --sce
offers 'accept reject' ekubench load --expect ''
offers 'reject' ekubench load --expect r
offers '1.2 1.3' ekubench measure --tls ''
offers '1.2 1.3 any' ekubench load --tls ''
offers 'X15.4 X15.5' ekubench audit --release X15
offers 'list show run' ekubench scenario ''
offers 'condition-2.1' ekubench scenario run condition-2
offers 'condition-4' ekubench measure --scenario = condition-4
offers 'quick' ekubench measure --plan q
offers 'quick' ekubench measure -p q
offers 'quick' ekubench measure --plan = q
offers 'html hgrm hlog' ekubench report result --format h
offers 'html hgrm hlog' ekubench report -f = h
offers 'first byte ticket close http none' ekubench load --confirm ''
offers 'client server none' ekubench verify --purpose ''
offers 'client server none' ekubench verify -p =
offers 'connect_ns client_cpu_ns' ekubench report --metric c
offers 'round-robin uniform zipf' ekubench capacity --pick ''
offers 'eku= depth= key=' ekubench capacity --vary ''
offers 'hybrid' ekubench capacity --groups h
offers 'measure merge' ekubench help me
offers 'server client' ekubench store upload ''
offers 'new show discard' ekubench store csr ''
# What nobody knows: no files. Here there is one.
mkdir -- "$dir/place"
touch -- "$dir/place/here"
cd -- "$dir/place"
for words in 'measure --depth' 'doctor --seed' 'capacity --target' 'load -n' 'load --rate' 'capacity --vary eku =' \
    'load --groups X25519 :' 'report --arm' 'pki --dns'; do
    # shellcheck disable=SC2086 # Words.
    offers '' ekubench $words ''
done
offers 'here' ekubench load --store he
offers 'here' ekubench measure --plan he
# The words are those that the commands know.
refused() {
    "$bin" "$@" 2>&1 | sed -n '1s/.*: //; 1s/one of //; 1s/ is wanted.*//; 1s/, / /g; 1s/ or / /; 1p'
}
offers "$(refused report --format nonsense x)" ekubench report --format ''
offers "$(refused load --confirm nonsense x)" ekubench load --confirm ''
offers "$(refused verify --purpose nonsense)" ekubench verify --purpose ''
offers "$("$bin" measure --plan nonsense 2>&1 | sed 's/.*the plans are //; s/ (.*//; s/, / /g; s/ and / /') here" ekubench measure --plan ''
cd -- "$root"

# press LINE...: what becomes of each line in a zsh of its own when TAB is pressed behind it.
mkdir -- "$dir/functions"
cp -- "$dir/zsh" "$dir/functions/_ekubench"
cat >"$dir/press" <<'ZSH'
zmodload zsh/zpty
await() {
    heard=
    repeat 200; do
        zpty -r -t shell line && heard+=$line
        [[ $heard == *$~1* ]] && return
        sleep 0.05
    done
}
where=$1
shift
for pressed in "$@"; do
    zpty -b shell env TERM=dumb zsh -f -i
    zpty -w shell "PS1=; fpath=($where \$fpath); autoload -Uz compinit; compinit -u -D; setopt no_beep"
    zpty -w shell 'show() { print -r -- "<<$BUFFER>>" }; zle -N show; bindkey "^X" show; print RE""ADY'
    await READY
    zpty -w -n shell $pressed$'\t\x18'
    await '<<*>>'
    print -r -- ${${heard##*'<<'}%%'>>'*}
    zpty -d shell
done
ZSH
if command -v zsh >/dev/null; then
    PATH=$(dirname -- "$bin"):$PATH timeout --foreground 60 zsh -f "$dir/press" "$dir/functions" \
        'ekubench cap' 'ekubench measure --sce' 'ekubench load --expect r' 'ekubench scenario run condition-2' \
        'ekubench measure --plan qui' 'ekubench report -f ht' 'ekubench capacity --vary ek' 'ekubench measure --tls 1.' \
        'ekubench measure --depth ' 'ekubench help mer' 'ekubench store upload s' >"$dir/out"
    diff - "$dir/out" >"$dir/diff" <<'LINES' || fail "zsh: $(cat -- "$dir/diff")"
ekubench capacity 
ekubench measure --scenario=
ekubench load --expect reject 
ekubench scenario run condition-2.1 
ekubench measure --plan quick 
ekubench report -f html 
ekubench capacity --vary eku=
ekubench measure --tls 1.
ekubench measure --depth 
ekubench help merge 
ekubench store upload server 
LINES
fi

# Mistyped words.
run ekubench mesure
expect 'a command' 2
says 'a command' 'did you mean measure?'
run ekubench measure --plna quick
expect 'an option' 2
says 'an option' 'did you mean --plan?'
run ekubench frobnicate
expect 'no command' 2
grep -q 'did you mean' "$dir/err" && fail 'something was suggested for frobnicate'
run ekubench help audit
expect 'help' 0
says 'help' 'Usage: ekubench audit'
run ekubench help adit
expect 'help of a mistyped one' 2
says 'help of a mistyped one' 'did you mean audit?'

finish
