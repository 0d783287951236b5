#!/usr/bin/env bash
#
# bench/bars.sh, with a program in ekubench's place whose answers are known: which of them meet the
# bars: tests/cli/test_bars.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here
#
# What is in single quotes is expanded in the programs.
# shellcheck disable=SC2016

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_bars.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3

mkdir -p "$dir/tree/bench" "$dir/tree/build/release"
cp -- "$root/bench/bars.sh" "$dir/tree/bench/"

# bars STATUS NAME LINES WHAT...: the status of `bars.sh WHAT...` with a program of these lines, in
# which $n counts its runs from 1.
bars() {
    local expected=$1 name=$2 lines=$3
    shift 3
    cat >"$dir/tree/build/release/ekubench" <<BASH
#!/usr/bin/env bash
n=\$((\$(cat "$dir/runs" 2>/dev/null || echo 0) + 1))
echo "\$n" >"$dir/runs"
# self CONTROL FIVE REASONS: what a self-test prints.
self() {
    echo '{"effects": [{"injected_ns": 0, "found": '"\$1"'}, {"injected_ns": 5000, "found": '"\$2"'}],
           "reasons": ['"\$3"']}'
}
$lines
BASH
    chmod +x "$dir/tree/build/release/ekubench"
    rm -f -- "$dir/runs"
    run "$dir/tree/bench/bars.sh" "$@"
    ((status == expected)) || fail "$name: status $status, not $expected: $(cat -- "$dir/out" "$dir/err")"
}

bars 0 'all found' 'self false true' self-test 20
bars 0 'one missed' '((n == 3)) && self false false || self false true' self-test 20
bars 1 'two missed' '((n < 3)) && self false false || self false true' self-test 20
bars 0 'one disturbed' '((n == 3)) && self false true "\"steal\"" || self false true' self-test 20
bars 1 'two disturbed' '((n < 3)) && self false true "\"steal\"" || self false true' self-test 20
bars 1 'two that say nothing' '((n < 3)) || self false true' self-test 20
bars 0 'one A/A found' '((n == 3)) && self true true || self false true' self-test 20
bars 1 'two A/A found' '((n < 3)) && self true true || self false true' self-test 20

# A measurement that meets all bars.
measured='mkdir -p "$3"; cat >"$3/result.json" <<JSON
{"effects": [
  {"metric": "server_cpu_ns", "contrast": "on-d2 - none-d2", "question": "What does the EKU", "ci95": [0, 2], "estimate": 1},
  {"metric": "purpose_check_ns", "contrast": "purpose check, per certificate: timer - empty timer",
   "question": "What do", "ci95": [0, 2], "estimate": 1},
  {"metric": "server_cpu_ns", "contrast": "EKU on: per certificate, depth 1 to 5", "question": "What does each",
   "ci95": [99, 101], "estimate": 100}],
 "floors": {"engine_tax_percent_server": 1, "engine_tax_percent_client": 1},
 "validity": {"clean": CLEAN, "reasons": ["steal"]}}
JSON'
bars 0 'precision' "${measured/CLEAN/true}" precision
bars 1 'precision, not clean' "${measured/CLEAN/false}" precision

verdict() { printf 'echo "{\\"verdict\\": \\"%s\\"}"' "$1"; }
bars 0 'one of twenty differs' "((n == 3)) && $(verdict slower) || $(verdict equivalent)" same 20
bars 1 'two of twenty differ' "((n < 3)) && $(verdict faster) || $(verdict equivalent)" same 20
bars 1 'two are withheld' "((n < 3)) && $(verdict withheld) || $(verdict equivalent)" same 20
bars 1 'two fail' "((n < 3)) && exit 2 || $(verdict equivalent)" same 20
bars 0 'three are void' "((n < 4)) && exit 3 || $(verdict equivalent)" same 20
bars 1 'all are void' 'exit 3' same 20

finish
