#!/usr/bin/env bash
#
# Plan files: what is printed makes the same plan again, the command line goes before the file, errors
# name the line, and two plans are compared:
# tests/cli/test_plan_file.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_plan_file.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3

# plan FILE LINE...
plan() {
    local file=$1
    shift
    printf '%s\n' "$@" >"$file"
}

# What is printed is a plan.
for options in '--plan quick' '--plan standard --tls 1.2 --in-flight 5000 --seed 7 --key rsa2048' \
    '--plan load --server-workers 2 --client-workers 3 --shared-listener --pin 0,0,0,0,0' \
    '--plan load --eku off --pin off' \
    '--plan rejects --tls 1.2 --in-flight 8' \
    '--plan quick --tls 1.2 --groups P-384:P-256 --ciphers ECDHE-ECDSA-AES256-GCM-SHA384' \
    '--plan compare --eku none --depth 3 --in-flight 10'; do
    # shellcheck disable=SC2086 # Several words.
    run ekubench measure $options --print-plan
    expect "$options" 0
    cp -- "$dir/out" "$dir/printed.ini"
    run ekubench measure --plan "$dir/printed.ini" --print-plan
    expect "$options, from the file" 0
    cmp -s -- "$dir/out" "$dir/printed.ini" || fail "$options: printed again it is another plan"
done
grep -qx 'eku = none' "$dir/printed.ini" || fail "no EKU mode in $(cat -- "$dir/printed.ini")"
grep -qx 'depth = 3' "$dir/printed.ini" || fail "no depth in $(cat -- "$dir/printed.ini")"

# The command line goes before the file, wherever it stands.
run ekubench measure --depth 2 --plan "$dir/printed.ini" --eku off --print-plan
expect 'overridden' 0
says 'overridden' 'depth = 2'
says 'overridden' 'eku = off'
says 'overridden' 'in-flight = 10'

# Comments, sections, spaces, nothing at all.
plan "$dir/spaces.ini" '; a comment' '# another' '' '[measure]' '  plan   =   quick  ; the short one' 'tls:1.2'
run ekubench measure --plan "$dir/spaces.ini" --print-plan
expect 'spaces' 0
says 'spaces' 'plan = quick'
says 'spaces' 'tls = 1.2'
plan "$dir/empty.ini"
run ekubench measure --plan "$dir/empty.ini" --print-plan
expect 'empty' 0
says 'empty' 'plan = standard'
: >"$dir/nothing.ini"
run ekubench measure --plan "$dir/nothing.ini" --print-plan
expect 'no bytes' 0

# Errors name the file and the line.
# refuses_line LINE TEXT LINES...
refuses_line() {
    local line=$1 text=$2
    shift 2
    plan "$dir/bad.ini" "$@"
    run ekubench measure --plan "$dir/bad.ini" --print-plan
    expect "$*" 2
    says "$*" "$dir/bad.ini:$line: "
    says "$*" "$text"
    [[ ! -s $dir/out ]] || fail "$*: $(cat -- "$dir/out")"
}
refuses_line 2 'in-flight' 'plan = quick' 'in-flight = many'
refuses_line 3 'in-flght' '; one' '' 'in-flght = 5'
refuses_line 1 '[serve]' '[serve]' 'plan = quick'
refuses_line 2 '[serve]' '[measure]' '[serve]' # With nothing in it.
refuses_line 1 '[serve]' '  [serve]' 'plan = quick'
refuses_line 3 '[load]: the only section is [measure]' '[measure]' 'plan = quick' '[load]'
refuses_line 1 '[]' '[]' 'plan = quick'
refuses_line 1 'help: "ekubench measure" has no such option' 'help = yes'
! grep -q 'did you mean help' "$dir/err" || fail 'help is no key of a plan file'
refuses_line 2 'plan = nonsense: there is no such plan; the plans are quick' 'tls = 1.2' 'plan = nonsense'
refuses_line 1 'plan = ./nested.ini: there is no such plan' 'plan = ./nested.ini'
run ekubench measure --hel
expect 'an abbreviation' 2
says 'an abbreviation' 'did you mean --help?'
refuses_line 1 'tls' 'tls = 1.1'
refuses_line 1 'key = value' 'what is this'
refuses_line 2 'key = value' '' '[measure'
refuses_line 1 'longer than' "plan = $(printf 'x%.0s' {1..300})"
refuses_line 1 'yes or no' 'json = maybe'

plan "$dir/depth.ini" 'plan = quick' 'depth = 3'
run ekubench measure --plan "$dir/depth.ini" --print-plan
expect 'depth in quick' 2
says 'depth in quick' 'in the plans compare and load only'
plan "$dir/suite.ini" 'plan = quick' 'ciphers = ECDHE-ECDSA-AES256-GCM-SHA384'
run ekubench measure --plan "$dir/suite.ini" --print-plan
expect 'a suite in TLS 1.3' 2
says 'a suite in TLS 1.3' '--ciphers is of TLS 1.2'
run ekubench measure --plan "$dir/suite.ini" --tls 1.2 --print-plan
expect 'a suite in TLS 1.2' 0
run ekubench measure --plan quick --tls 1.2 --groups X25519 --print-plan
expect 'groups without the curve' 2
says 'groups without the curve' 'P-256'
plan "$dir/nested.ini" 'plan = ./nested.ini'
run ekubench measure --plan "$dir/nested.ini" --print-plan
expect 'a file that names a file' 2
for file in "$dir/absent.ini" "$dir"; do
    run ekubench measure --plan "$file/" --print-plan
    expect "$file/" 2
done
printf 'plan = quick\nseed = 5\0garbage\n' >"$dir/zero.ini"
run ekubench measure --plan "$dir/zero.ini" --print-plan
expect 'a zero byte' 2
says 'a zero byte' 'no text'
refuses_line 3 'line 1 already' 'seed = 1' 'plan = quick' 'seed = 2'
refuses_line 2 'line 1 already' 'seed = 1' '  tls = 1.2'

# A file that is called like none.
plan "$dir/mm" 'plan = quick'
run env -C "$dir" -- "$bin" measure --plan mm
expect 'a file without an end' 2
says 'a file without an end' '(a file has a / in its name, or ends in .ini)'

# A plan that could not be read back is not printed.
for name in $'a\xff' $'a\e[31m' $'a\xc2\x85'; do
    mkdir "$dir/$name"
    run ekubench load 127.0.0.1:1 --store "$dir/$name" --print-plan
    expect 'a name that a plan cannot have' 2
    says 'a name that a plan cannot have' '--store: its value cannot stand in a plan file'
    [[ ! -s $dir/out ]] || fail "a name that a plan cannot have: $(cat -v -- "$dir/out")"
done

# Two plans.
plan "$dir/short.ini" 'plan = compare' 'depth = 1'
plan "$dir/long.ini" 'plan = compare' 'depth = 5'
run ekubench compare --plans "$dir/short.ini" "$dir/depth.ini"
expect 'no plan' 2
plan "$dir/standard.ini" 'plan = standard'
run ekubench compare --plans "$dir/short.ini" "$dir/standard.ini"
expect 'a long plan' 2
says 'a long plan' 'write plan = compare'
run ekubench compare --plans "$dir/short.ini" "$dir/absent.ini"
expect 'no such plan' 2
says 'no such plan' "$dir/absent.ini"

# They are measured in turn, for as long as one lets them; what is found of them is the business of
# cli.compare_runs, and whether that is right of bench/bars.sh.
run timeout --preserve-status -s INT 6 env -- "$mark" "$bin" compare --plans "$dir/short.ini" "$dir/long.ini"
expect 'two plans, interrupted' 3
says 'two plans, interrupted' 'stopped on request'

finish
