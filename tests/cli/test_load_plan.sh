#!/usr/bin/env bash
#
# `ekubench load --plan FILE`, and what a load says while it runs and afterwards of each second:
# tests/cli/test_load_plan.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_load_plan.sh EKUBENCH' >&2
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

# What is printed is a plan, and the same one: defaults, a list longer than a line, flags, a target that
# is an argument or an option.
many=$(printf '1234/s:10s,%.0s' {1..60})
for options in '--insecure' '--store dir -n 500 -t 30s' '--store dir --count 1000 --ramp 0s' \
    '--store dir --rate 2.5k/s --arrivals fixed --warmup 3s --ramp 2s --client-workers 2' \
    "--insecure --sni example.test --tls 1.2 --expect reject --confirm none --steps $many"; do
    # shellcheck disable=SC2086 # Several words.
    run ekubench load 127.0.0.1:7001 $options --print-plan
    expect "$options" 0
    cp -- "$dir/out" "$dir/printed.ini"
    run ekubench load --plan "$dir/printed.ini" --print-plan
    expect "$options, from the file" 0
    cmp -s -- "$dir/out" "$dir/printed.ini" || fail "$options: printed again it is another plan"
done
grep -qx 'insecure = yes' "$dir/printed.ini" || fail "no flag in $(cat -- "$dir/printed.ini")"
[[ $(grep -c ' at 1234/s' "$dir/printed.ini") == 61 ]] || fail "steps are lost: $(cat -- "$dir/printed.ini")"

# The command line goes before the file, wherever it stands; what is not in either is as it always was.
plan "$dir/some.ini" '[load]' 'target = 127.0.0.1:7001' 'store = dir ; whose' 'rate = 1k/s' 'warmup = 2s'
run ekubench load --warmup 3s --plan "$dir/some.ini" 127.0.0.1:7002 --print-plan
expect 'overridden' 0
for line in 'target = 127.0.0.1:7002' 'store = dir' 'rate = 1k/s' 'warmup = 3s' 'in-flight = 4000' 'duration = 10s'; do
    says 'overridden' "$line"
done
run ekubench load --plan "$dir/some.ini" --steps 5/s:10s --print-plan
expect 'two rates' 2
says 'two rates' '--rate or --steps'

# Every option can be a key.
run ekubench load --help
mapfile -t names < <(sed -n 's/^  *\(-., \)\{0,1\}--\([a-z-]*\).*/\2/p' "$dir/out")
((${#names[@]} > 20)) || fail "only ${#names[@]} options in the help"
for name in "${names[@]}"; do
    plan "$dir/key.ini" "$name = x"
    run ekubench load --plan "$dir/key.ini" --print-plan
    if grep -q 'no such option' "$dir/err"; then
        [[ $name == help || $name == usage ]] || fail "$name is no key"
    fi
done

# Errors name the file and the line.
# refuses_line LINE TEXT LINES...
refuses_line() {
    local line=$1 text=$2
    shift 2
    plan "$dir/bad.ini" "$@"
    run ekubench load --plan "$dir/bad.ini" --print-plan
    expect "$*" 2
    says "$*" "$dir/bad.ini:$line: "
    says "$*" "$text"
    [[ ! -s $dir/out ]] || fail "$*: $(cat -- "$dir/out")"
}
refuses_line 2 'a count from 1' 'insecure = yes' 'in-flight = many' 'store = dir'
refuses_line 2 'command line' 'target = 127.0.0.1:7001' "plan = $dir/some.ini"
refuses_line 1 'command line' 'print-plan = yes'
refuses_line 2 '[measure]' 'insecure = yes' '[measure]' 'rate = 1/s'
refuses_line 1 'yes or no' 'insecure = perhaps'
refuses_line 2 'line 1 already' 'warmup = 1s' '  2s'
refuses_line 3 'no such option' 'steps = 1/s:1s,' '  2/s:1s' 'stops = 3/s:1s'
run ekubench load --plan "$dir/absent.ini"
expect 'no such file' 2
says 'no such file' "$dir/absent.ini: cannot be found"
plan "$dir/aimless.ini" 'insecure = yes'
run ekubench load --plan "$dir/aimless.ini"
expect 'no target' 2
says 'no target' 'ADDR:PORT is wanted'
# What a file would not give back is not printed.
for value in 'a ;b' ' a' 'a ' ';a' '' "$(printf 'x%.0s' {1..200})"; do
    run ekubench load 127.0.0.1:7001 --store "$value" --print-plan
    expect "\"$value\"" 2
    says "\"$value\"" 'cannot stand'
    [[ ! -s $dir/out ]] || fail "\"$value\": $(cat -- "$dir/out")"
done

# Steps from a file, run.
skip_without_io_uring
store=$dir/store
run ekubench pki mint "$store"
expect 'pki mint' 0
start_server serve --store "$store" --listen 127.0.0.1:0
plan "$dir/steps.ini" "target = $(listen_address serve 1)" "store = $store" 'steps = 100/s:1s,' '  400/s:1s' \
    'client-workers = 2' 'warmup = 1s' 'ramp = 500ms'
run ekubench load --plan "$dir/steps.ini" -o "$dir/result"
# On a busy machine it is not clean, and has all of this.
((status == 0 || status == 3)) || fail "the steps: status $status: $(cat -- "$dir/err")"
result=$dir/result/result.json
run "$root/scripts/check-result.sh" "$result"
((status == 0 || status == 77)) || fail "the steps: not valid: $(cat -- "$dir/err")"
/usr/bin/python3 - "$result" <<'PYTHON' || fail 'the steps: their series is not as it should be'
import json, sys
r = json.load(open(sys.argv[1]))
(arm,), (stage,), (series,) = r["arms"], r["plan"]["stages"], r["series"]
intervals = series["intervals"]
assert series["stage"] == "load" and series["interval_ns"] == 10**9
assert [i["start_ns"] for i in intervals] == [k * 10**9 for k in range(len(intervals))]
assert len(intervals) in (3, 4), len(intervals)
assert intervals[-1]["in_flight"] == arm["handshakes"]["unfinished"] == 0
for key in ("started", "accepted", "rejected", "failed"):
    assert sum(i[key] for i in intervals) == arm["handshakes"][key], key
assert sum(i["dropped"] for i in intervals) == arm["dropped"]
assert arm["handshakes"]["started"] + arm["dropped"] > 400
# Of fewer than 1,000 there is no 99th percentile.
assert all(i["p99_ns"] is None for i in intervals)
assert any(i["p50_ns"] is not None for i in intervals)
assert max(i["max_ns"] or 0 for i in intervals) >= arm["latency_ns"]["max"]
assert len(stage["open_loop"]["stretches"]) == 4
PYTHON

# The line of progress: one in ten seconds without codes in a file, one that is rewritten on a terminal.
run ekubench load --plan "$dir/steps.ini" --steps 400/s:1s
grep -q '^load: warm-up, [0-9]* in flight; [0-9]* s left$' "$dir/err" || fail "no progress: $(cat -- "$dir/err")"
grep -q $'[\033\r]' "$dir/err" && fail "codes in a file: $(cat -v -- "$dir/err")"
status=0
TERM=xterm /usr/bin/python3 "$root/tests/cli/terminal.py" 'no question' '' env -- "$mark" "$bin" \
    load --plan "$dir/steps.ini" --steps 400/s:1s >"$dir/out" 2>"$dir/err" || status=$?
((status == 0 || status == 3)) || fail "on a terminal: status $status: $(cat -- "$dir/out" "$dir/err")"
/usr/bin/python3 - "$dir/out" <<'PYTHON' || fail "on a terminal: $(cat -v -- "$dir/out")"
import re, sys
shown = open(sys.argv[1], encoding="utf-8", newline="").read()
lines = [l for l in re.findall("\r\033\\[K([^\r\n]*)", shown) if l.startswith("load: ")]
assert len(lines) > 4 and max(map(len, lines)) < 80, lines
seconds = [l for l in lines if re.fullmatch(
    r"load: (warm-up, )?[\d,]+/s, [\d,]+ in flight(, p50 [\d.]+ [mu]?s)?, (p99|max) [\d.]+ [mu]?s, [\d,]+ failed"
    r"(, [\d,]+ dropped)?; \d+ s left", l)]
assert seconds, lines
PYTHON

# What cannot be, or says nothing.
target=$(listen_address serve 1)
refuses_words() {
    run ekubench load "$target" --store "$store" "${@:2}"
    expect "${*:2}" 2
    says "${*:2}" "$1"
}
refuses_words 'less than one handshake each' --count 1 --client-workers 2
refuses_words 'a host name is wanted' --sni ''
refuses_words 'a host name is wanted' --sni "$(printf 'x%.0s' {1..300})"
refuses_words '--ciphers is of TLS 1.2' --tls 1.3 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256
run ekubench load "$target" --store "$store" --rate 1/h -t 1s --warmup 0s
expect 'nothing begun' 3
says 'nothing begun' 'no handshake was begun'
status=0
ekubench load "$target" --store "$store" --rate 1/h -t 1s >/dev/full 2>"$dir/err" || status=$?
expect 'a full standard output' 3
says 'a full standard output' 'standard output: '

# A rate that nobody can offer ends when it has to.
run timeout 20 "$bin" load "$target" --store "$store" --rate 5M/s -t 1s --warmup 0s --deadline 1s --json
expect 'a rate beyond all' 3
[[ $(json "$dir/out" 'r["plan"]["stages"][0]["open_loop"]["offered_per_s"] > 100') == True ]] ||
    fail "a rate beyond all: $(cat -- "$dir/err")"

# Of a worker that was killed there are rates of the time until then.
env -- "$mark" "$bin" load "$target" --store "$store" --rate 100/s -t 8s --warmup 0s -o "$dir/killed" \
    >"$dir/out" 2>"$dir/err" &
pid=$!
sleep 2.5
kill -KILL "$(pgrep -P "$pid")"
end_of "$pid"
expect 'killed' 3
[[ $(json "$dir/killed/result.json" '50 < r["throughput"][0]["accepted_per_s"] < 200 and 50 < r["plan"]["stages"][0]["open_loop"]["offered_per_s"] < 200') == True ]] ||
    fail "killed: $(json "$dir/killed/result.json" 'r["throughput"], r["plan"]["stages"][0]["open_loop"]')"

kill -TERM "$server_pid"
end_of "$server_pid"
expect_nothing_left 'the end'
finish
