#!/usr/bin/env bash
#
# `ekubench compare`: verdicts, thresholds, refusals and statuses of stored results, and what it does
# with programs that cannot be compared: tests/cli/test_compare.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_compare.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3

# counts FILE SERVER CLIENT [BUILD_TYPE]: a file of counts.
counts() {
    cat >"$1" <<JSON
{"schema": "ekubench.instructions/1",
 "build": {"version": "0.1.0", "git": "$2", "compiler": "GNU 12.2.0", "build_type": "${4:-Release}",
           "boringssl": "32b5130"},
 "frozen": true, "handshakes": 64,
 "instructions": [
  {"scenario": "tls1.3-on-d1", "part": "server", "per_handshake": $2},
  {"scenario": "tls1.3-on-d1", "part": "client", "per_handshake": $3},
  {"scenario": "tls1.3-one-way", "part": "verify", "per_handshake": 0}]}
JSON
}

# result FILE SERVER_NS HALF CPU_MODEL [CLEAN]: a result of a measurement.
result() {
    cat >"$1" <<JSON
{"schema": "ekubench.result/1", "kind": "measure",
 "build": {"compiler": "GNU 12.2.0", "flags": "-O2", "build_type": "Release", "boringssl": {"revision": "x"}},
 "host": {"cpu_model": "$4", "cpus": 2, "kernel": "Linux 6.1"},
 "plan": {"name": "standard", "tls": "1.3", "key": "p256", "cipher": "c", "groups": "g", "confirm": "byte",
          "stages": [{"name": "cost", "in_flight": 4}]},
 "arms": [{"name": "on-d1", "stage": "cost",
           "server_cpu_mean_ns": {"estimate": $2, "ci95": [$(($2 - $3)), $(($2 + $3))], "n": 100},
           "client_cpu_mean_ns": null}],
 "throughput": [], "validity": {"clean": ${5:-true}, "reasons": []}}
JSON
}

counts "$dir/base.json" 3000000 3100000
counts "$dir/same.json" 3005900 3100000
counts "$dir/slow.json" 3006100 3100000
counts "$dir/fast.json" 2900000 3100000
counts "$dir/debug.json" 3000000 3100000 Debug

run ekubench compare "$dir/base.json" "$dir/same.json"
expect 'within 0.2 %' 0
says 'within 0.2 %' '+0.197 %'
run ekubench compare "$dir/base.json" "$dir/slow.json"
expect 'beyond 0.2 %' 1
says 'beyond 0.2 %' 'instructions tls1.3-on-d1 server: slower by 0.20 %'
says 'beyond 0.2 %' 'FAILED'
run ekubench compare "$dir/base.json" "$dir/slow.json" --instructions-threshold 1%
expect 'threshold' 0
run ekubench compare "$dir/base.json" "$dir/fast.json"
expect 'faster' 0

# JSON and Markdown.
run ekubench compare "$dir/base.json" "$dir/slow.json" --json
expect 'JSON' 1
got=$(json "$dir/out" '[r["status"], len(r["rows"]), r["rows"][0]["outcome"], r["rows"][0]["exact"]]')
[[ $got == "[1, 2, 'failed', True]" ]] || fail "JSON: $got"
run ekubench compare "$dir/base.json" "$dir/slow.json" --markdown
expect 'Markdown' 1
says 'Markdown' '| instructions tls1.3-on-d1 server | 3,000,000 | 3,006,100 | +0.203 % |'
[[ $(head -n 1 -- "$dir/out") == '**FAILED**: 1 of 2 gates, largest change +0.20 %' ]] ||
    fail "Markdown: $(head -n 1 -- "$dir/out")"
says 'Markdown' "| | base: $dir/base.json | new: $dir/slow.json | change | limit | verdict | gate |"
run ekubench compare "$dir/base.json" "$dir/fast.json" --markdown
[[ $(head -n 1 -- "$dir/out") == '**passed**: 2 gates, largest change -3.33 %' ]] ||
    fail "Markdown: $(head -n 1 -- "$dir/out")"
counts "$dir/client.json" 3000000 3200000
run ekubench compare "$dir/base.json" "$dir/client.json" --markdown
[[ $(sed -n '5s/ |.*//p' "$dir/out") == '| instructions tls1.3-on-d1 client' ]] ||
    fail "Markdown: what failed is not first in $(cat -- "$dir/out")"
run ekubench compare "$dir/base.json" "$dir/base.json" --json
grep -qx ' *"threshold_percent": 0.2,' "$dir/out" || fail "JSON: $(grep threshold "$dir/out")"

# Sides that do not compare.
run ekubench compare "$dir/base.json" "$dir/debug.json"
expect 'another build' 2
says 'another build' 'build.build_type is Release'
run ekubench compare "$dir/base.json" "$dir/debug.json" --force
expect 'another build, forced' 0
says 'another build, forced' 'Note: build.build_type differs: Release, Debug.'

# Times: advice, unless asked.
result "$dir/t1.json" 240000 1000 'AMD EPYC'
result "$dir/t2.json" 264000 1000 'AMD EPYC'
result "$dir/t3.json" 246000 14000 'AMD EPYC'
result "$dir/t4.json" 240000 1000 'Intel Xeon'
result "$dir/t5.json" 240000 1000 'AMD EPYC' false
# A difference that matters to nobody is told, and called equivalent.
result "$dir/small.json" 244000 1000 'AMD EPYC'
run ekubench compare "$dir/t1.json" "$dir/small.json" --gate-time
expect 'a small difference' 0
says 'a small difference' 'equivalent within 5 %; slower by 1.7 %'
run ekubench compare "$dir/t1.json" "$dir/small.json" --gate-time --time-threshold 1%
expect 'a smaller limit' 1
says 'a smaller limit' 'server CPU: slower by 1.7 %'
run ekubench compare "$dir/t1.json" "$dir/t2.json"
expect 'time, advice' 0
says 'time, advice' 'worse'
run ekubench compare "$dir/t1.json" "$dir/t2.json" --gate-time
expect 'time, gate' 1
run ekubench compare "$dir/t1.json" "$dir/t2.json" --gate-time --time-threshold 20
expect 'time, threshold' 0
run ekubench compare "$dir/t1.json" "$dir/t3.json"
expect 'time, wide' 4
says 'time, wide' 'no detectable difference; smallest detectable'
run ekubench compare "$dir/t1.json" "$dir/t3.json" --gate-time --markdown
expect 'time, wide, gate' 4
says 'time, wide, gate' '**inconclusive**: 1 of 1 gate, largest change +2.50 %'
run ekubench compare "$dir/t1.json" "$dir/t2.json" --markdown
says 'time, advice, Markdown' '**passed**: 0 gates; the others are advice'
run ekubench compare "$dir/t1.json" "$dir/t4.json"
expect 'another host' 2
says 'another host' 'host.cpu_model is AMD EPYC'
run ekubench compare "$dir/t1.json" "$dir/t5.json"
expect 'not clean' 3
run ekubench compare "$dir/t1.json" "$dir/base.json" --force
expect 'nothing in common' 2

# A directory has both.
mkdir "$dir/a" "$dir/b" "$dir/empty"
cp -- "$dir/t1.json" "$dir/a/result.json"
cp -- "$dir/base.json" "$dir/a/instructions.json"
cp -- "$dir/t1.json" "$dir/b/result.json"
cp -- "$dir/slow.json" "$dir/b/instructions.json"
run ekubench compare "$dir/a" "$dir/b"
expect 'directories' 1
says 'directories' 'cost/on-d1 server CPU'
run ekubench compare "$dir/a" "$dir/empty"
expect 'empty directory' 2

# A history of numbers that change by 0.5 % all the time lets 0.203 % pass; a short one wants 1 %.
mkdir "$dir/history"
for i in {10..21}; do
    counts "$dir/history/$i.json" $((3000000 + (i % 2) * 15000)) 3100000
done
run ekubench compare "$dir/base.json" "$dir/slow.json" --history "$dir/history"
expect 'history' 0
says 'history' '0.51 %'
rm -- "$dir/history"/1[5-9].json
run ekubench compare "$dir/base.json" "$dir/slow.json" --history "$dir/history"
expect 'short history' 0
says 'short history' 'Note: the history has 7 of 10 results: the limit is 1 %.'
(($(grep -c 'Note: the history' "$dir/out") == 1)) || fail "short history: $(cat -- "$dir/out")"
for i in {10..21}; do
    counts "$dir/history/$i.json" $((3000000 + (i % 2) * 1500000)) 3100000
done
run ekubench compare "$dir/base.json" "$dir/slow.json" --history "$dir/history"
expect 'wild history' 0
says 'wild history' '"instructions tls1.3-on-d1 server" varies too much in the history: the limit is 5 % at most'

# change FILE NEW PYTHON: NEW is FILE after the statement about the result `r`.
change() {
    /usr/bin/python3 -c 'import json, sys
r = json.load(open(sys.argv[1], encoding="utf-8"))
exec(sys.argv[3])
json.dump(r, open(sys.argv[2], "w", encoding="utf-8"))' "$@"
}

# refuses NAME FILE STATEMENT STATUS TEXT: a result after the statement, compared with what it was.
refuses() {
    change "$2" "$dir/changed.json" "$3"
    run ekubench compare "$2" "$dir/changed.json"
    expect "$1" "$4"
    says "$1" "$5"
    [[ ! -s $dir/out ]] || fail "$1: $(cat -- "$dir/out")"
}

# forced NAME FILE STATEMENT TEXT: the same with --force, as base and as new.
forced() {
    change "$2" "$dir/changed.json" "$3"
    run ekubench compare "$2" "$dir/changed.json" --force
    expect "$1, forced" 0
    says "$1, forced" "$4"
    run ekubench compare "$dir/changed.json" "$2" --force
    expect "$1, forced, the other way round" 0
    says "$1, forced, the other way round" "$4"
}

# Counts that one side alone has; a 0 on both sides is none.
row='r["instructions"][0]'
lost='instructions tls1.3-on-d1 server'
for statement in 'del r["instructions"][0]' "${row}['per_handshake'] = 0"; do
    refuses "$statement" "$dir/base.json" "$statement" 2 "\"$lost\" is in"
    run ekubench compare "$dir/changed.json" "$dir/base.json"
    expect "$statement, the other way round" 2
    says "$statement, the other way round" "\"$lost\" is in"
    forced "$statement" "$dir/base.json" "$statement" "Note: \"$lost\" is in one of them only and left out."
done
for value in '-1' 'None' '"many"' '1e19' 'True'; do
    refuses "a count of $value" "$dir/base.json" "${row}['per_handshake'] = $value" 2 "$dir/changed.json: per_handshake"
done
refuses 'no count' "$dir/base.json" "del ${row}['per_handshake']" 2 "$dir/changed.json: per_handshake"
refuses 'a row twice' "$dir/base.json" "r['instructions'].append($row)" 2 'comes twice'
refuses 'many rows' "$dir/base.json" "r['instructions'] += [dict($row, scenario=str(i)) for i in range(200)]" \
    2 'more than 128 numbers'
refuses 'a long name' "$dir/base.json" "${row}['scenario'] = 'x' * 200" 2 'is too long'
refuses 'no part' "$dir/base.json" "del ${row}['part']" 2 'no part'

# What only one of two files of a kind says is a difference.
for statement in 'del r["handshakes"]' 'del r["frozen"]' 'r["plan"] = {"name": "x"}'; do
    refuses "$statement" "$dir/base.json" "$statement" 2 'they do not compare'
    run ekubench compare "$dir/changed.json" "$dir/base.json"
    expect "$statement, the other way round" 2
    forced "$statement" "$dir/base.json" "$statement" ' differs: '
done

# Intervals.
mean='r["arms"][0]["server_cpu_mean_ns"]'
for statement in "${mean}['ci95'] = [5, 4]" "${mean}['ci95'][0] = -1" "${mean}['ci95'][1] = 2e18" "${mean}['ci95'] = [1]" \
    "${mean}['estimate'] = 1" "${mean}['estimate'] = 'x'" "${mean}['ci95'][0] = None" \
    'r["throughput"] = [{"stage": "load", "accepted_per_s": 3000, "ci95": [3001, 3002]}]'; do
    refuses "$statement" "$dir/t1.json" "$statement" 2 'an interval that does not hold its estimate'
done

# What is not clean is named.
run ekubench compare "$dir/t1.json" "$dir/t5.json" --force
expect 'not clean, forced' 0
says 'not clean, forced' 'Note: '"$dir"'/t5.json (new) is not clean.'
run ekubench compare "$dir/t5.json" "$dir/t5.json" --force
says 'neither is clean' '/t5.json (base) is not clean.'
says 'neither is clean' '/t5.json (new) is not clean.'

# Nothing in a file gets at the terminal or out of its cell.
change "$dir/base.json" "$dir/odd.json" "${row}['scenario'] = 'a|b\x1b[2J\nc\x9b'; r['build']['compiler'] = '\x1b|'"
for form in --markdown --json ''; do
    run ekubench compare "$dir/odd.json" "$dir/odd.json" ${form:+"$form"}
    expect "odd names $form" 0
    says "odd names $form" 'instructions a?b?[2J?c?? server'
done
change "$dir/odd.json" "$dir/odder.json" "r['build']['compiler'] = '\x9b\x9b'"
run ekubench compare "$dir/odd.json" "$dir/odder.json"
expect 'odd compilers' 2
says 'odd compilers' 'build.compiler is ?? in'

# Bad input.
run ekubench compare "$dir/base.json" "$dir/none.json"
says 'no such file' "$dir/none.json cannot be found"
echo '{"schema": "another/1"}' >"$dir/other.json"
echo '{"schema": ' >"$dir/cut.json"
for file in other cut none; do
    run ekubench compare "$dir/base.json" "$dir/$file.json"
    expect "$file.json" 2
    [[ $(wc -l <"$dir/err") == 1 ]] || fail "$file.json: $(cat -- "$dir/err")"
done
for arguments in '' 'one' 'one two three' '--run --quadruples 7 a b' '--time-threshold x a b' '--time-threshold -1 a b'; do
    read -r -a words <<<"$arguments"
    run ekubench compare ${words[@]+"${words[@]}"}
    expect "compare $arguments" 2
done
# Options that would have no effect.
for arguments in '--quadruples 9' --no-times --no-instructions '--stores --quadruples 9' '--stores --no-times' \
    '--stores --history h' '--stores --instructions-threshold 1' '--plans --no-times' '--plans --no-instructions' \
    '--plans --history h' '--plans --instructions-threshold 1' '--plans --force' '--run --no-times --quadruples 9' \
    '--run --no-times --gate-time' '--run --no-times --time-threshold 3' '--run --no-instructions --history h' \
    '--run --no-instructions --force'; do
    read -r -a words <<<"$arguments"
    run ekubench compare "${words[@]}" "$dir/base.json" "$dir/base.json"
    expect "compare $arguments" 2
    says "compare $arguments" ' has no effect with '
done
run ekubench compare --run --stores a b
expect 'two modes' 2
run ekubench compare --run --no-times --no-instructions a b
expect 'nothing to compare' 2

# Labels.
mkdir "$dir/a|b"
cp -- "$dir/base.json" "$dir/a|b/"
run ekubench compare "$dir/a|b/base.json" "$dir/base.json" --markdown
says 'a label' "base: $dir/a?b/base.json |"

run ekubench compare --run "$dir/none" "$bin" --no-times
expect 'no such program' 2
run ekubench compare --run /bin/true /bin/true --no-instructions
((status == 2 || status == 3)) || fail "not an ekubench: status $status"
expect_nothing_left 'compare'

finish
