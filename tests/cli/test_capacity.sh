#!/usr/bin/env bash
#
# `ekubench capacity`: what it refuses, and short searches with real handshakes, of its own server and of one at
# ADDR:PORT, whose results add up whatever else the machine does meanwhile:
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
slo=(--slo p99=20ms)
refuses 'objective' --tls 1.3
for text in 20ms p99 p99=20 p0=1s p100=1s p99=1us p99=11s 99=20ms pnan=1s ''; do
    refuses '--slo' --slo "$text"
done
for share in 2 -1 x 100% 1e-3 nan ''; do
    refuses '--errors' "${slo[@]}" --errors "$share"
done
refuses '--reject-share' "${slo[@]}" --reject-share 100%
refuses '--resume-share' "${slo[@]}" --resume-share -1%
refuses '--target' "${slo[@]}" --target 50000
refuses '--budget' "${slo[@]}" --budget 1s
refuses '--depth' "${slo[@]}" --depth 0
refuses '--eku' "${slo[@]}" --eku maybe
refuses '--tls' "${slo[@]}" --tls any
refuses '--client-workers' "${slo[@]}" --client-workers 0
refuses '--server-workers' "${slo[@]}" --server-workers 0
refuses 'nobody is rejected' "${slo[@]}" --eku none --reject-share 5%
for vary in eku eku= eku=maybe depth=0 'depth=1,' key=dsa name=x ''; do
    refuses '--vary' "${slo[@]}" --vary "$vary"
done
refuses '--vary-search' "${slo[@]}" --vary-search
refuses '--store is of a server at ADDR:PORT' "${slo[@]}" --store "$dir"
refuses '--sni is of' "${slo[@]}" --sni x
refuses 'port 0' 127.0.0.1:0 "${slo[@]}" --insecure
refuses 'or --insecure' 127.0.0.1:9 "${slo[@]}"
refuses '--confirm' 127.0.0.1:9 "${slo[@]}" --insecure --confirm maybe
refuses 'unexpected argument' 127.0.0.1:9 127.0.0.1:9 "${slo[@]}" --insecure
for option in '--depth 2' '--key p384' '--eku off' '--full-client' '--server-workers 2' '--vary depth=2' '--reject-share 5%'; do
    # shellcheck disable=SC2086 # An option and its value.
    refuses "${option%% *} is of ekubench's own server" 127.0.0.1:9 "${slo[@]}" --insecure $option
done

# check_result NAME: the result in $dir/NAME adds up, and the exit status is the one that it has.
check_result() {
    /usr/bin/python3 - "$dir/$1/result.json" "$root/docs/result.schema.json" "$status" "$1" <<'PYTHON' || fail "$1: $(cat -- "$dir/$1/report.txt")"
import json, math, sys
result = json.load(open(sys.argv[1]))
schema = json.load(open(sys.argv[2]))
status = int(sys.argv[3])
ours = sys.argv[4] == "ours"
try:
    import jsonschema
    jsonschema.validate(result, schema)
except ImportError:
    pass
c = result["capacity"]
v = c["validation"]
clean = result["validity"]["clean"]
assert result["kind"] == "capacity"
assert c["objective"] == {"percentile": 99, "limit_ns": 5_000_000_000, "max_error_share": 0}, c
assert 0 < c["highest_per_s"] < c["ceiling_per_s"], c
assert c["ceiling_per_s"] == max(row["accepted_per_s"] for row in c["ceilings"])
# Whatever was measured, the status says what it is worth.
assert status == (3 if not clean else 4 if c["state"] in ("exhausted", "unvalidated") else 0), status
trials = c["trials"] + ([v] if v else [])
assert len(set(trial["seed"] for trial in trials)) == len(trials), "seeds"
assert len([t for t in trials if t["purpose"] == "search"]) <= 3, len(trials)  # 2 s, 0.5 s and more each.
for trial in trials:
    assert 0 < trial["rate_per_s"] <= c["highest_per_s"] * 1.000001
    assert trial["due"] == trial["accepted"] + trial["errors"], trial
    assert trial["outcome"] in ("passed", "failed", "invalid")
    assert (trial["reason"] is None) == (trial["outcome"] == "passed"), trial
    if trial["outcome"] == "passed":
        assert trial["errors"] == 0 and trial["dropped"] == 0 and trial["latency_ns"] <= 5_000_000_000
        assert trial["in_flight_end"] - trial["in_flight_begin"] <= math.sqrt(trial["due"]) + 1e-6, trial
    for busy in ("server_busy_percent", "client_busy_percent"):
        assert trial[busy] is None or trial[busy] <= 100, trial
# An answer has passed its validation.
p = c["projection"]
if v:
    assert v["outcome"] == "passed" and v["purpose"] == "validation" and v["rate_per_s"] == c["lower_per_s"] > 0
    assert c["upper_per_s"] is None or c["upper_per_s"] > c["lower_per_s"]
    assert c["client_cpu_ns"] > 0
    assert p["target_per_s"] == 100_000 and p["machines"] >= 100_000 / c["lower_per_s"]
else:
    assert c["server_cpu_ns"] is None and c["limiter"] is None
    assert p == {"target_per_s": None, "cores": None, "machines": None, "headroom": None}, p
    assert not clean or c["lower_per_s"] == 0, c["lower_per_s"]
if v and ours:
    assert 0 < c["server_utilisation"] <= 1
    assert p["cores"] >= 100_000 * c["server_cpu_ns"] / 1e9
    assert c["limiter"] in ("server CPU", "client CPU", "queueing")
if not ours:
    assert c["server_cpu_ns"] is None and c["server_utilisation"] is None and c["server_cores"] == 0
    assert p["cores"] is None and c["variants"] == [] and c["mix"] is None
    assert not v or c["limiter"] in ("server or network", "client CPU")
if ours and c["state"] == "disturbed":
    assert c["variants"] == [] and not clean
elif ours:
    main, other = c["variants"]
    assert (main["name"], other["name"], other["eku"]) == ("main", "eku=none", "none"), c["variants"]
    assert main["searched"]["lower_per_s"] == c["lower_per_s"] and other["searched"] is None
    if other["projected_per_s"]:
        factor = other["cost_factor"]["estimate"]
        assert abs(other["projected_per_s"]["estimate"] * factor / c["lower_per_s"] - 1) < 1e-9
    m = c["mix"]
    assert (m["reject_share"], m["resume_share"]) == (0.05, 0.3)
    if m["projected_per_s"]:
        rate = m["projected_per_s"]["estimate"]
        assert abs(rate * m["mean_cpu_ns"] / (c["lower_per_s"] * c["server_cpu_ns"]) - 1) < 1e-9
        assert abs(m["projected_accepted_per_s"] / rate - 0.95) < 1e-9
for arm in result["arms"]:
    h = arm["handshakes"]
    assert h["started"] == h["accepted"] + h["rejected"] + h["failed"] + h["unfinished"], arm
PYTHON
    grep -q '^Capacity$' "$dir/$1/report.txt" || fail "no section: $(cat -- "$dir/$1/report.txt")"
}

short=(--slo p99=5s --budget 2s --target 100k/s)
run ekubench capacity "${short[@]}" --depth 2 --vary depth=2 --vary eku=none --reject-share 5% --resume-share 30% -o "$dir/ours"
check_result ours
grep -q 's left' "$dir/err" || fail "no progress: $(cat -- "$dir/err")"

ekubench pki mint "$dir/node" >/dev/null
start_server serve --store "$dir/node" --listen 127.0.0.1:0
run ekubench capacity "$(listen_address serve 1)" "${short[@]}" --store "$dir/node" --client-workers 2 -o "$dir/theirs"
check_result theirs
target=$(listen_address serve 1)

# Whom the server rejects is told so, by the alert.
ekubench pki mint "$dir/stranger" >/dev/null
cp -- "$dir/node/ca.pem" "$dir/stranger/.data/ca.pem"
run ekubench capacity "$target" "${short[@]}" --store "$dir/stranger"
expect 'a stranger' 3
says 'a stranger' 'no handshake was accepted: '
says 'a stranger' 'most of them with unknown_ca'

# A server that goes away in the middle is no time that was up.
ekubench capacity "$target" --slo p99=5s --budget 20s --store "$dir/node" -o "$dir/gone" >"$dir/gone.out" 2>"$dir/gone.err" &
pid=$!
sleep 8 # The ceiling takes no longer.
kill -INT "$server_pid"
end_of "$server_pid"

end_of "$pid"
[[ $(json "$dir/gone/result.json" 'r["capacity"]["state"], r["validity"]["clean"]') == "('ended', False)" ]] ||
    fail "gone: $(json "$dir/gone/result.json" 'r["capacity"]["state"], r["validity"]')"

for value in p0x63=20ms 'p 99=20ms' p+99=20ms p99.=x p=20ms =20ms p99; do
    run ekubench capacity "--slo=$value"
    expect "--slo $value" 2
done
run ekubench capacity --slo p99=20ms --errors 0x1p-4
expect '--errors 0x1p-4' 2

finish
