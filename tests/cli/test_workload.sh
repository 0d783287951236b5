#!/usr/bin/env bash
#
# Deployments as workloads: `measure --scenario` and `capacity --scenario`, what they refuse, and what an
# interrupted one has measured:
# tests/cli/test_workload.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_workload.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3
skip_without_io_uring

# refuses NAME TEXT ARGUMENT...: wrong usage, at once, and why.
refuses() {
    local name=$1 text=$2
    shift 2
    run ekubench "$@"
    expect "$name" 2
    says "$name" "$text"
}

slo='p99=1s'
refuses 'no such scenario' 'there is no scenario "nope"' measure --scenario nope
refuses 'a key' 'the deployment says it' measure --scenario condition-1 --key rsa2048
refuses 'a depth' 'the deployment says it' capacity --slo "$slo" --scenario condition-1 --depth 2
refuses 'another plan' 'plans quick and standard' measure --scenario condition-1 --plan rejects
refuses 'a release of nothing' '--release is of --scenario' measure --release X15.4
refuses 'no release' 'a release such as X15.5 is wanted' measure --scenario condition-1 --release one
refuses 'a refused link' 'traffic-2 has no link that is accepted' capacity --slo "$slo" --scenario traffic-2
refuses 'a rejected link' 'has no link uc-zone that is accepted' \
    capacity --slo "$slo" --scenario test-case-1 --link uc-zone
refuses 'no such link' \
    'has no link b2b that is accepted; accepted are uc-zone-on, uc-zone-off, uc-zone-none, ssh-tunnel, traffic-server' \
    capacity --slo "$slo" --scenario condition-1 --link b2b
refuses 'a mode without effect' 'has no link ssh-tunnel that is accepted by EKU mode off' \
    capacity --slo "$slo" --scenario condition-1 --link ssh-tunnel --eku off
refuses 'a variant without effect' '--vary eku=off: ssh-tunnel' \
    capacity --slo "$slo" --scenario condition-1 --link ssh-tunnel --vary eku=off
refuses 'a variant of the key' 'the deployment says keys and depths' \
    capacity --slo "$slo" --scenario condition-1 --vary key=rsa2048
refuses 'shares' 'the deployment has no clients without the EKU' \
    capacity --slo "$slo" --scenario condition-1 --reject-share 5%
refuses 'a link of nothing' '--link is of --scenario' capacity --slo "$slo" --link uc-zone
refuses "somebody else's server" "--scenario is of ekubench's own server" \
    capacity 127.0.0.1:9 --slo "$slo" --scenario condition-1

# The plan says it, and is read back as the same.
run ekubench measure --scenario condition-4 --plan quick --print-plan
expect 'the plan' 0
says 'the plan' 'scenario = condition-4'
says 'the plan' 'release = X15.5'
says 'the plan' 'b2b-on-none'
cp -- "$dir/out" "$dir/plan.ini"
run ekubench measure --plan "$dir/plan.ini" --print-plan
expect 'the plan again' 0
cmp -s -- "$dir/out" "$dir/plan.ini" || fail "the plan is another one: $(diff -- "$dir/out" "$dir/plan.ini")"

# A deployment of one's own, from the plan file beside it, by the rules of another release.
run ekubench scenario show condition-1
cp -- "$dir/out" "$dir/mine.ini"
run ekubench measure --scenario "$dir/mine.ini" --release X15.4 --print-plan
expect 'a file' 0
says 'a file' 'release = X15.4'
says 'a file' 'arms uc-zone-on uc-zone-none ssh-tunnel traffic-server'

# interrupt NAME OUTPUT ARGUMENT...: the measurement ends early, and keeps what it has.
interrupt() {
    local name=$1 output=$2
    shift 2
    env -- "$mark" "$bin" "$@" -o "$output" >"$dir/out" 2>"$dir/err" &
    local pid=$!
    sleep 4
    kill -INT "$pid"
    end_of "$pid"
    ((status == 0 || status == 3)) || fail "$name: status $status: $(cat -- "$dir/err")"
    "$root/scripts/check-result.sh" "$output/result.json" >"$dir/check" 2>&1 ||
        fail "$name: $(cat -- "$dir/check")"
}

interrupt 'measure' "$dir/m" measure --plan quick --scenario condition-4
result=$dir/m/result.json
[[ $(json "$result" 'r["plan"]["scenario"], r["plan"]["release"]') == "('condition-4', 'X15.5')" ]] ||
    fail "measure: $(json "$result" 'r["plan"]')"
[[ $(json "$result" '[a["name"] for a in r["arms"] if a["expect"] == "reject"]') == "['b2b-on-on']" ]] ||
    fail "measure: rejected: $(json "$result" '[(a["name"], a["expect"]) for a in r["arms"]]')"
[[ $(json "$result" 'sum(a["handshakes"]["failed"] for a in r["arms"])') == 0 ]] ||
    fail "measure: $(json "$result" '[(a["name"], a["failures"]) for a in r["arms"]]')"
says 'measure' 'What does a handshake cost on each link?'

interrupt 'capacity' "$dir/c" capacity --slo "$slo" --budget 2s --scenario test-case-2 --full-client
result=$dir/c/result.json
[[ $(json "$result" '{a["name"] for a in r["arms"]}') == "{'uc-zone-off'}" ]] ||
    fail "capacity: $(json "$result" '[a["name"] for a in r["arms"]]')"
says 'capacity' 'Deployment test-case-2, link uc-zone-off, by the rules of release X15.5'

[[ -z $(ls -A -- "$TMPDIR") ]] || fail "left behind: $(ls -A -- "$TMPDIR")"

finish
