#!/usr/bin/env bash
#
# `ekubench merge`: two loads of one server that ran at the same time, as one; and what does not merge:
# tests/cli/test_merge.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_merge.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3
skip_without_io_uring
golden=$root/tests/report/golden

# A machine that is busy makes a run that is not clean: status 3, and still a result.
may_be_unclean() {
    ((status == 0 || status == 3)) || fail "$1: status $status: $(cat "$dir/out" "$dir/err")"
}

# Two generators.
run ekubench pki mint "$dir/store"
expect 'pki mint' 0
start_server serve --store "$dir/store" --listen 127.0.0.1:0
target=$(listen_address serve 1)
ekubench load "$target" --store "$dir/store" --rate 150/s -t 2s --seed 1 -o "$dir/a" >"$dir/a.out" 2>&1 &
other=$!
run ekubench load "$target" --store "$dir/store" --rate 150/s -t 2s --seed 2 -o "$dir/b"
may_be_unclean 'a load'
wait "$other" || true
run ekubench load "$target" --store "$dir/store" --rate 150/s -t 2s --seed 3 -o "$dir/later"
may_be_unclean 'a later load'
run ekubench load "$target" --store "$dir/store" --rate 150/s -t 3s --seed 2 -o "$dir/longer"
may_be_unclean 'a longer load'
kill -TERM "$server_pid"
end_of "$server_pid"

# A report of what is stored says what was printed, to the byte.
run ekubench report "$dir/a"
expect 'a report' 0
cmp -- "$dir/a/report.txt" "$dir/out" >&2 || fail 'the report is not what was printed'

# On a busy machine one may have begun later than generators of one load do.
/usr/bin/python3 - "$dir/a/result.json" "$dir/b/result.json" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    begin = json.load(file)["started_at"]
with open(sys.argv[2], encoding="utf-8") as file:
    result = json.load(file)
result["started_at"] = begin
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(result, file)
PYTHON

run ekubench merge "$dir/a" "$dir/b/result.json" -o "$dir/merged"
may_be_unclean 'merge'
says 'merge' 'Merged from 2 results of'
cmp -- "$dir/merged/report.txt" "$dir/out" >&2 || fail 'what is printed is not what is written'
run ekubench report "$dir/merged"
cmp -- "$dir/merged/report.txt" "$dir/out" >&2 || fail 'the report of the merged is not what was printed'
run ekubench merge "$dir/a" "$dir/b" -o "$dir/merged.json" --json
may_be_unclean 'merge into a file'
cmp -- "$dir/merged/result.json" "$dir/merged.json" >&2 || fail 'a file is not a directory'
cmp -- "$dir/merged.json" "$dir/out" >&2 || fail 'JSON is not what is written'
if ! /usr/bin/python3 - "$dir" <<'PYTHON'
import json
import sys

d = sys.argv[1]


def load(name):
    with open(f"{d}/{name}/result.json", encoding="utf-8") as file:
        return json.load(file)


a, b, merged = load("a"), load("b"), load("merged")
assert merged["kind"] == "merge"
assert [part["seed"] for part in merged["parts"]] == [1, 2]
for key in ("started", "accepted", "failed"):
    counts = [result["arms"][0]["handshakes"][key] for result in (a, b, merged)]
    assert counts[0] + counts[1] == counts[2], (key, counts)
for key in ("latency_ns", "connect_ns", "client_cpu_ns"):
    of_a, of_b, of_all = (result["arms"][0][key] for result in (a, b, merged))
    for sum_key in ("count", "sum"):
        assert of_a[sum_key] + of_b[sum_key] == of_all[sum_key], (key, sum_key)
    assert int(of_a["sum_squares"]) + int(of_b["sum_squares"]) == int(of_all["sum_squares"])
    assert min(of_a["min"], of_b["min"]) == of_all["min"]
    assert max(of_a["max"], of_b["max"]) == of_all["max"]
    assert min(of_a["p50"], of_b["p50"]) <= of_all["p50"] <= max(of_a["p50"], of_b["p50"])
rows = [result["throughput"][0]["blocks"] for result in (a, b, merged)]
assert [x + y for x, y in zip(rows[0], rows[1])] == rows[2], rows
assert merged["plan"]["stages"][0]["open_loop"]["planned_per_s"] == 300
PYTHON
then
    fail 'the merged result is not the sum of its parts'
fi
status=0
"$root/scripts/check-result.sh" "$dir/merged.json" || status=$?
((status == 0 || status == 77)) || fail 'the merged result is not of the schema'

# Other times, another plan.
run ekubench merge "$dir/a" "$dir/later" -o "$dir/apart"
may_be_unclean 'apart'
says 'apart' 'merged from runs at different times'
run ekubench merge "$dir/a" "$dir/longer" -o "$dir/never.json"
expect 'another plan' 2
says 'another plan' 'they do not merge: plan.stages.load.duration_ns is "2000000000" in'
[[ ! -e $dir/never.json ]] || fail 'another plan: something was written'
run ekubench merge "$dir/a" "$golden/measure.json"
expect 'another kind' 2
says 'another kind' 'kind is "load"'
run ekubench merge "$golden/capacity.json" "$golden/capacity.json"
expect 'a search' 2
says 'a search' 'is a result of "capacity"'
run ekubench merge "$golden/measure.json" "$golden/measure.json"
expect 'the same twice' 2
says 'the same twice' 'measure.json have the same run'
run ekubench merge "$dir/a" "$dir/merged"
expect 'a part and what it is a part of' 2
says 'a part and what it is a part of' "$dir/a and $dir/merged have the same run"
run ekubench merge "$dir/merged" "$dir/later"
expect 'a merged load and a later one' 2
says 'a merged load and a later one' 'merge its parts themselves'
# edit EXPRESSION: of the golden measurement, another one.
edit() {
    /usr/bin/python3 -c 'import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    r = json.load(file)
exec(sys.argv[3])
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(r, file)' "$golden/measure.json" "$dir/edited.json" "$1"
}
for begin in None '"yesterday"'; do
    edit "r['started_at'] = $begin"
    run ekubench merge "$golden/measure.json" "$dir/edited.json"
    expect "begun $begin" 2
    says "begun $begin" "$dir/edited.json does not say when it began"
done
edit 'r["plan"]["scenario"] = "another"; r["started_at"] = "2026-01-01T00:00:00Z"'
run ekubench merge "$golden/measure.json" "$dir/edited.json"
expect 'another deployment' 2
says 'another deployment' 'plan.scenario is "'
edit 'r["started_at"] = "2026-01-01T00:00:00Z"
r["build"]["boringssl"] = {"revision": "another", "api_version": 1, "assembly": False}
r["host"]["cpus"] += 1'
run ekubench merge "$golden/measure.json" "$dir/edited.json" --json
expect 'measurements, one of them not clean' 3
cp -- "$dir/out" "$dir/measured.json"
[[ $(json "$dir/measured.json" 'r["build"]["boringssl"]["assembly"]') == None ]] || fail 'assembly: it is not known'
run ekubench report "$dir/measured.json"
expect 'a report of merged measurements' 0
says 'a report of merged measurements' '(API -, assembly: -)'
# Of each arm under load there is no rate.
[[ $(grep -A3 '^EKU checking .* per s ' "$dir/out" | awk 'NR > 1 { print $5 }' | sort -u) == - ]] ||
    fail "there is a rate of runs at different times: $(cat -- "$dir/out")"
for format in markdown csv openmetrics; do
    run ekubench report "$dir/measured.json" --format "$format"
    expect "merged measurements as $format" 0
    cp -- "$dir/out" "$dir/measured.$format"
done
! grep -F '| CPUs |' "$dir/measured.markdown" || fail 'CPUs: it is not known how many'
status=0
"$root/scripts/check-result.sh" "$dir/measured.json" || status=$?
((status == 0 || status == 77)) || fail 'merged measurements are not of the schema'

# What is wrong with the words.
run ekubench merge "$dir/a"
expect 'one' 2
run ekubench merge "$dir/a" "$dir/absent.json"
expect 'absent' 2
says 'absent' 'absent.json cannot be found'
head -c 2000 "$dir/a/result.json" >"$dir/cut.json"
run ekubench merge "$dir/a" "$dir/cut.json" -o "$dir/never.json"
expect 'cut' 2
says 'cut' 'cut.json: line '

finish
