#!/usr/bin/env bash
#
# `ekubench capacity`: what it refuses, and a short search with real handshakes, whose result adds up:
# tests/cli/test_capacity.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_capacity.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3
skip_without_io_uring

# refuses TEXT OPTION...: status 2, with the text.
refuses() {
    local text=$1
    shift
    run ekubench capacity "$@"
    ((status == 2)) || fail "$*: status $status"
    grep -qF -- "$text" "$dir/err" || fail "$*: no \"$text\" in $(cat -- "$dir/err")"
    [[ ! -s $dir/out ]] || fail "$*: $(cat -- "$dir/out")"
}
refuses 'objective' --tls 1.3
for slo in 20ms p99 p99=20 p0=1s p100=1s p99=1us p99=11s 99=20ms pnan=1s '' ; do
    refuses '--slo' --slo "$slo"
done
for share in 2 -1 x 100% ''; do
    refuses '--errors' --slo p99=20ms --errors "$share"
done
refuses '--target' --slo p99=20ms --target 50000
refuses '--budget' --slo p99=20ms --budget 1s
refuses '--depth' --slo p99=20ms --depth 0
refuses '--eku' --slo p99=20ms --eku maybe

run ekubench capacity --slo p99=5s --budget 10s --target 100k/s --depth 2 -o "$dir/result"
if ((status != 0 && status != 3 && status != 4)); then
    fail "status $status: $(cat -- "$dir/err")"
fi
/usr/bin/python3 - "$dir/result/result.json" "$root/docs/result.schema.json" <<'PYTHON' || fail 'the result'
import json, sys
result = json.load(open(sys.argv[1]))
schema = json.load(open(sys.argv[2]))
try:
    import jsonschema
    jsonschema.validate(result, schema)
except ImportError:
    pass
c = result["capacity"]
assert result["kind"] == "capacity"
assert c["objective"] == {"percentile": 99, "limit_ns": 5_000_000_000, "max_error_share": 0}, c
assert c["ceiling_per_s"] > 0
assert 1 <= len(c["trials"]) <= 5, len(c["trials"])  # 10 s, 2 s each.
for trial in c["trials"]:
    assert 0 < trial["rate_per_s"] <= c["ceiling_per_s"] * 1.000001
    assert trial["due"] == trial["accepted"] + trial["errors"], trial
    assert trial["outcome"] in ("passed", "failed", "invalid")
    assert (trial["reason"] is None) == (trial["outcome"] == "passed"), trial
passed = [t["rate_per_s"] for t in c["trials"] if t["outcome"] == "passed"]
if passed:
    assert 0 < c["lower_per_s"] <= max(passed)
    assert c["validation"]["rate_per_s"] == c["lower_per_s"]
    used = c["lower_per_s"] * c["server_cpu_ns"] / 1e9
    assert abs(used / c["server_utilisation"] - 1) < 0.25, (used, c["server_utilisation"])
    p = c["projection"]
    assert p["target_per_s"] == 100_000 and p["cores"] >= 100_000 * c["server_cpu_ns"] / 1e9
    assert p["machines"] >= 100_000 / c["lower_per_s"]
for arm in result["arms"]:
    h = arm["handshakes"]
    assert h["started"] == h["accepted"] + h["rejected"] + h["failed"] + h["unfinished"], arm
PYTHON
grep -q '^Capacity$' "$dir/result/report.txt" || fail "no section: $(cat -- "$dir/result/report.txt")"

finish
