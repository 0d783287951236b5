#!/usr/bin/env bash
#
# Where output goes: devices, FIFOs, links, files that are inputs, and output that cannot be written;
# and that messages have no escape sequences: tests/cli/test_outputs.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_outputs.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

golden=$root/tests/report/golden
cp -- "$golden/load.json" "$dir/load.json"
cd -- "$dir"
run ekubench report load.json
expect 'a report' 0
cp -- out load.txt

# What is no file is written to, and stays.
mkfifo fifo
timeout 10 cat fifo >through &
reader=$!
run timeout 10 "$bin" report load.json -o fifo
expect 'a FIFO' 0
wait "$reader" || fail 'a FIFO: nobody wrote'
cmp -- load.txt through >&2 || fail 'a FIFO: something else came through'
[[ -p fifo ]] || fail 'the FIFO is gone'
# shellcheck disable=SC2094 # It is written by the program.
"$bin" report load.json -o >(cat >substituted) >out 2>err || fail 'a process substitution'
await 'a process substitution' cmp -s load.txt substituted || true
for name in /dev/stdout /dev/fd/1; do
    { echo before; "$bin" report load.json -o "$name"; } >all || fail "$name: status $?"
    { echo before; cat load.txt; } | cmp - all >&2 || fail "$name: something else was written"
done
run ekubench merge load.json load.json -o fifo.json
expect 'no result' 2

# Links are followed.
: >target
chmod 640 target
ln -s target link
ln -s made dangling
for name in link dangling; do
    run ekubench report load.json -o "$name"
    expect "$name" 0
    [[ -L $name ]] || fail "$name is no link any more"
    cmp -- load.txt "$name" >&2 || fail "$name does not have the report"
done
[[ -f made ]] || fail 'what a link points to was not made'
[[ $(stat -c %a target) == 640 ]] || fail "target: mode $(stat -c %a target)"
(umask 027 && "$bin" report load.json -o private)
[[ $(stat -c %a private) == 640 ]] || fail "the umask is not respected: $(stat -c %a private)"

# Names that are none, and directories.
run ekubench report load.json -o ''
expect 'no name' 2
says 'no name' '-o: the name of a file is wanted'
run ekubench merge load.json load.json -o ''
expect 'no name to merge into' 2
says 'no name to merge into' '-o: the name of a file is wanted'
mkdir directory
for name in directory directory/; do
    run ekubench report load.json -o "$name"
    expect "$name" 2
    says "$name" "$name is a directory"
done
[[ -z $(ls -A directory) ]] || fail 'something is in the directory'

# A report does not replace its result.
mkdir stored
cp -- load.json stored/result.json
ln -s load.json same.json
for words in 'load.json -o load.json' 'load.json -o ./same.json' 'stored -o stored/result.json' \
    'load.json stored --format csv -o stored/result.json'; do
    # shellcheck disable=SC2086 # Several words.
    run ekubench report $words
    expect "$words" 2
    says "$words" 'that is the result itself'
    cmp -- "$golden/load.json" load.json >&2 || fail "$words: the result is gone"
    cmp -- "$golden/load.json" stored/result.json >&2 || fail "$words: the result is gone"
done
run ekubench report load.json --json -o load.json
expect 'the same result again' 0
cmp -- "$golden/load.json" load.json >&2 || fail 'the result is not the same again'

# Output that gets nowhere.
if mknod full c 1 7 2>/dev/null && head -c 1 full >/dev/null 2>&1; then # Where devices are allowed.
    for words in '--help' 'help report' 'report --help' 'report --usage' 'report -?' 'report load.json' '--version'; do
        status=0
        # shellcheck disable=SC2086 # Several words.
        "$bin" $words >full 2>err || status=$?
        : >out
        expect "$words to a full device" 3
        says "$words to a full device" 'standard output: No space left on device'
    done
    run ekubench report load.json -o full
    expect 'a full device' 3
    [[ -c full ]] || fail 'the device is gone'
fi
for words in 'report --help' 'report --usage' 'report load.json'; do
    status=0
    # shellcheck disable=SC2086 # Several words.
    "$bin" $words >&- 2>err || status=$?
    expect "$words without an output" 3
    says "$words without an output" 'standard output: Bad file descriptor'
done
run ekubench report --help
expect 'help' 0
[[ ! -s err ]] || fail "help: $(cat err)"

# Escape sequences do not get to the terminal, letters of all scripts do.
red=$'\e[31m'
printf '{"schema": "ekubench.result/\\u001b[31m"}' >red.json
quiet() {
    local name=$1
    shift
    run ekubench "$@"
    expect "$name" 2
    ! grep -q $'[\x01-\x08\x0b-\x1f\x7f]' err || fail "$name: $(cat -v err)"
}
quiet 'a schema' report red.json
quiet 'a file' report "$red.json"
quiet 'a file to merge' merge "$red.json" "$red"
quiet 'a command' "$red"
quiet 'a long option' report "--$red"
quiet 'a short option' report "-$red"
quiet 'a value' report --format "$red" load.json
printf 'plan = %s\n' quick >"$red.ini"
quiet 'a plan file' measure --plan "./$red.ini" --eku "$red"
printf 'nonsense = 1\n' >"$red.ini"
quiet 'a line of a plan file' measure --plan "./$red.ini"
run ekubench report 'gr'$'\xc3\xbc''n.json'
expect 'another script' 2
says 'another script' 'gr'$'\xc3\xbc''n.json cannot be found'

finish
