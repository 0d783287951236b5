#!/usr/bin/env bash
#
# `ekubench compare --run` of programs that only look like ekubench: what it makes of their results, of
# their statuses, and of those that do not end: tests/cli/test_compare_runs.sh EKUBENCH [SANITIZERS]
# exit status: 0 passed, 1 failed, 77 cannot be tested here
#
# What is in single quotes is expanded in the programs.
# shellcheck disable=SC2016

set -euo pipefail

if (($# < 1 || $# > 2)); then
    echo 'usage: tests/cli/test_compare_runs.sh EKUBENCH [SANITIZERS]' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"
sanitizers=${2-}

needs /usr/bin/python3

# program NAME [LINE...]: a program that counts its runs in $n, which begin with 1, and then runs the
# lines; `result NS [CLEAN]` in them writes a result into $d.
program() {
    local file=$dir/$1
    shift
    {
        cat <<'BASH'
#!/usr/bin/env bash
d=${*: -1}
mkdir -p "$d"
n=$(($(cat "$0.runs" 2>/dev/null || echo 0) + 1))
echo "$n" >"$0.runs"
result() {
    echo '{"validity":{"clean":'"${2:-true}"'},"cpu":{"server":{"stages":[{"per_handshake_ns":'"$1"'}]},
    "client":{"stages":[{"per_handshake_ns":'"$1"'}]}},"throughput":[{"accepted_per_s":3000}]}' >"$d/result.json"
}
BASH
        printf '%s\n' "$@"
    } >"$file"
    chmod +x "$file"
}

# compare BASE NEW OPTION...
compare() {
    local base=$1 now=$2
    shift 2
    rm -f -- "$dir"/*.runs
    run ekubench compare --run "$dir/$base" "$dir/$now" --no-instructions "$@"
}

program same 'result 300000'
program slow 'result 330000'

# A result is that of its own run.
program silent ':'
program disturbed 'exit 3'
program broken 'echo "{" >"$d/result.json"'
compare same silent
expect 'no result' 2
says 'no result' "$dir/silent measure --plan compare succeeds, but writes no result.json"
compare same disturbed
expect 'status 3 without a result' 3
program failing 'result 300000' 'exit 1'
compare same failing
expect 'status 1' 2
says 'status 1' "$dir/failing measure --plan compare does not work"
compare same broken
expect 'a broken result' 2
says 'a broken result' "$dir/broken"

# Quadruples: ten, unless told; one with a disturbed run does not count.
compare same slow --json
expect 'slower, advice' 0
got=$(json "$dir/out" '[(round(row["change_percent"], 9), row["outcome"]) for row in r["rows"]]')
[[ $got == "[(10.0, 'failed'), (10.0, 'failed'), (0.0, 'passed')]" ]] || fail "slower: $got"
got=$(($(cat -- "$dir/same.runs") + $(cat -- "$dir/slow.runs")))
((got == 40)) || fail "$got runs of ten quadruples"
compare same slow --gate-time
expect 'slower, gate' 1

# Two of ten are not too many, three are.
program twice '((n == 1 || n == 7)) && result 300000 false || result 300000'
compare same twice
expect 'two of ten' 0
says 'two of ten' '2 of 10 quadruples of runs were disturbed and left out'
program thrice '((n == 1 || n == 7 || n == 11)) && result 300000 false || result 300000'
compare same thrice
expect 'three of ten' 3
says 'three of ten' '3 of 10 quadruples of runs were disturbed'
[[ ! -s $dir/out ]] || fail "three of ten: $(cat -- "$dir/out")"

# Seven are too few for the A/A control: then nothing is said.
program once '((n == 1)) && result 330000 false || result 330000'
for gate in '' --gate-time; do
    compare same once --quadruples 8 --json ${gate:+"$gate"}
    expect "seven $gate" 4
    got=$(json "$dir/out" '[(row["verdict"][:9], row["outcome"], row["change_percent"], row["ci95"][0]) for row in r["rows"]]')
    row="('withheld:', 'inconclusive', None, None)"
    [[ $got == "[$row, $row, $row]" ]] || fail "seven: $got"
    says 'seven' '7 quadruples of runs could be used, and 8 are needed'
done
compare same once --quadruples 8
expect 'seven, as text' 4

# Nor is anything said if the A/A control differs. Which of the base's two runs in a quadruple is the
# twin is drawn by lot, with the same seed always: in these it is the first.
program twins 'first=0111000101' 'q=$(((n - 1) / 2))' '((${first:q:1} == n % 2)) && result 330000 || result 300000'
compare twins same --gate-time
expect 'the A/A control' 4
says 'the A/A control' 'server CPU per handshake, kernel included: withheld: the A/A control shows a difference where there is none'

# A control that differs by less than the limit can be about is no reason: the change, with that much
# on either side, is still within it.
program nearly 'first=0111000101' 'q=$(((n - 1) / 2))' '((${first:q:1} == n % 2)) && result 303000 || result 300000'
compare nearly same --gate-time
expect 'a control of 1 %' 0
says 'a control of 1 %' 'server CPU per handshake, kernel included: equivalent within 5 %'
compare nearly same --gate-time --time-threshold 1%
expect 'a control of 1 %, with a limit of 1 %' 4

# Counts, as valgrind would give them: those of a program are in a file beside it.
mkdir "$dir/bin"
cat >"$dir/bin/valgrind" <<'BASH'
#!/usr/bin/env bash
for word in "$@"; do
    case $word in
    --callgrind-out-file=*) file=${word#*=} ;;
    /*) program=$word ;;
    tls1*) scenario=$word ;;
    esac
done
number=$(cat "$program.$scenario.${*: -1}" 2>/dev/null || cat "$program.count")
printf 'version: 1\ntotals: %s\n' "$number" >"$file"
BASH
chmod +x "$dir/bin/valgrind"

# count BASE NEW OPTION...: the instructions of two programs.
count() {
    local base=$1 now=$2
    shift 2
    run env PATH="$dir/bin:$PATH" "$mark" "$bin" compare --run "$dir/$base" "$dir/$now" "$@"
}
test_counts() {
    echo 192000000 >"$dir/same.count"
    echo 192960000 >"$dir/slow.count"
    count same slow --no-times
    expect 'counts' 1
    says 'counts' 'instructions tls1.3-on-d1 server: slower by 0.50 %'
    mkdir "$dir/history"
    echo '{"schema": "ekubench.instructions/1", "instructions": []}' >"$dir/history/1.json"
    count same slow --no-times --history "$dir/history"
    expect 'counts, short history' 0
    says 'counts, short history' 'Note: the history has 0 of 10 results: the limit is 1 %.'
    echo 0 >"$dir/slow.tls1.3-on-d1.verify"
    count same slow --no-times --instructions-threshold 1
    expect 'a count of nothing' 2
    says 'a count of nothing' '"instructions tls1.3-on-d1 verify" is in'
    count same slow --no-times --instructions-threshold 1 --force
    expect 'a count of nothing, forced' 0
    rm -- "$dir/slow.tls1.3-on-d1.verify"

    # Counts are true though the machine be disturbed, but that is no pass.
    cp -- "$dir/same.count" "$dir/disturbed.count"
    count same disturbed --quadruples 8
    expect 'counts beside disturbed times' 3
    says 'counts beside disturbed times' 'there is no valid answer on times: 8 of 8 quadruples of runs were disturbed'
    cp -- "$dir/slow.count" "$dir/disturbed.count"
    count same disturbed --quadruples 8
    expect 'more instructions beside disturbed times' 1
}
# The library that is preloaded into what is counted is sanitized too, and no shell runs with that.
if [[ -z $sanitizers ]]; then
    test_counts
fi

# A program that does not end when it is told to is killed, with all that it started.
program stubborn 'trap "" TERM' 'sleep 1000 &' 'touch "$0.started"' 'while :; do sleep 1000; done'
env -- "$mark" "$bin" compare --run "$dir/stubborn" "$dir/same" --no-instructions >"$dir/out" 2>"$dir/err" &
pid=$!
await 'the program starts' test -e "$dir/stubborn.started"
kill -INT "$pid"
end_of "$pid"
expect 'stopped' 3
expect_nothing_left 'stopped'

finish
