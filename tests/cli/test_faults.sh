#!/usr/bin/env bash
#
# Servers that fail in the middle of an open loop: what became of each handshake is told by a stable code and adds
# up, the rate is kept, and the end comes when it should: tests/cli/test_faults.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_faults.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3
skip_without_io_uring

store=$dir/store
run ekubench pki mint "$store"
expect 'pki mint' 0

# Slow enough for sanitizers, and for a machine that does other things; at equal distances, so that it is known how many there will be.
readonly RATE_PER_S=60
readonly DEADLINE_MS=300
# Beyond the load's time and the deadline: to start, to write the result, and a machine that does other things.
readonly MARGIN_MS=4000

now_ms() {
    date +%s%3N
}

# start_load NAME ADDRESS MILLISECONDS ARGUMENT...: an open loop in the background, in $load_pid; returns when some of its
# handshakes are done.
start_load() {
    local name=$1 address=$2 ms=$3
    shift 3
    load_ms=$ms
    begin_ms=$(now_ms)
    env -- "$mark" "$bin" load "$address" --store "$store" --rate "$RATE_PER_S/s" --arrivals fixed --warmup 0s \
        -t "${ms}ms" --deadline "${DEADLINE_MS}ms" -o "$dir/$name" "$@" >"$dir/$name.out" 2>"$dir/$name.err" &
    load_pid=$!
    # It says how far it is: it has begun.
    await "$name" grep -qs . "$dir/$name.err"
    sleep 0.2
}

# of NAME EXPRESSION: of its result, with `h` the counts, `f` the failures by code, `loop` what was planned and offered,
# and `rates` what was accepted in each 100 ms.
of() {
    json "$dir/$1/result.json" "(lambda a, h, f, loop, rates: $2)(r['arms'][0], r['arms'][0]['handshakes'],
        r['arms'][0]['failures'], r['plan']['stages'][0]['open_loop'], r['throughput'][0]['blocks'])"
}

# holds NAME EXPRESSION...
holds() {
    local name=$1 expression all
    shift
    printf -v all '(%s), ' "$@"
    if [[ $(of "$name" "all([$all])") != True ]]; then
        for expression in "$@"; do
            [[ $(of "$name" "$expression") == True ]] || fail "$name: not so: $expression"
        done
        fail "$name: $(of "$name" '(h, f)') $(cat -- "$dir/$name.err")"
    fi
}

readonly ADDS_UP="h['started'] == sum(h[k] for k in ('accepted', 'rejected', 'failed', 'unfinished'))"

# ends NAME: the load ends when it should and with status 3; all of it is accounted for, at the rate that was planned,
# and the report names every code.
ends() {
    local name=$1 code took_ms
    end_of "$load_pid"
    took_ms=$(($(now_ms) - begin_ms))
    if ((status != 3)); then
        fail "$name: status $status, not 3: $(cat -- "$dir/$name.out" "$dir/$name.err")"
    fi
    if ((took_ms > load_ms + DEADLINE_MS + MARGIN_MS)); then
        fail "$name: $took_ms ms for $load_ms ms of load"
    fi
    holds "$name" "abs(h['started'] + a['dropped'] - $((RATE_PER_S * load_ms / 1000))) <= 1" \
        "abs(loop['offered_per_s'] - $RATE_PER_S) * $load_ms / 1000 < 1.5" \
        "$ADDS_UP" "h['unfinished'] == h['rejected'] == 0" "h['accepted'] > 0" "sum(f.values()) == h['failed'] > 0"
    for code in $(of "$name" "' '.join(f)"); do
        grep -q " x $code" "$dir/$name.out" || fail "$name: the report does not name $code: $(cat -- "$dir/$name.out")"
    done
    grep -q '^NOT CLEAN' "$dir/$name.out" || fail "$name: the report says nothing: $(cat -- "$dir/$name.out")"
    grep -q 'expected to accept, but' "$dir/$name.out" || fail "$name: no reason: $(cat -- "$dir/$name.out")"
}

# shellcheck disable=SC2317 # It is called by `await`.
is_refused() {
    ! (exec 3<>"/dev/tcp/${address%:*}/${address##*:}")
}

# kill_server kills it; its workers follow, and the kernel takes the listener away.
kill_server() {
    kill -KILL "$server_pid"
    wait "$server_pid" 2>/dev/null || true
    await 'a server that was killed' is_refused
}

stop_server() {
    kill -INT "$server_pid"
    end_of "$server_pid"
}

# The server is killed, comes back, and is killed again: those under way are cut off, the others refused.
start_server first --store "$store" --listen 127.0.0.1:0 || finish
address=$(listen_address first 1)
start_load killed "$address" 1600
kill_server
sleep 0.3 # Long enough for a slice of nothing.
start_server second --store "$store" --listen "$address" || finish
sleep 0.3
kill_server
ends killed
holds killed "f['connect_refused'] > 0" "set(f) <= {'connect_refused', 'peer_reset', 'peer_closed', 'deadline'}" \
    "any(rates[rates.index(0):])"

# It stalls: whoever waits, waits as long as the deadline. It goes on, and so does the load. It stalls again: the load
# does not wait for it.
start_server staller --store "$store" --listen "$address" || finish
read -r -a worker_pids <"/proc/$server_pid/task/$server_pid/children" || true # No line end.
start_load stalled "$address" 1600
kill -STOP "${worker_pids[@]}"
sleep 0.5
kill -CONT "${worker_pids[@]}"
sleep 0.3
kill -STOP "${worker_pids[@]}"
ends stalled
holds stalled "set(f) == {'deadline'}" "any(rates[rates.index(0):])"
kill -CONT "${worker_pids[@]}"
stop_server

# start_faults NAME GOOD SCHEDULE: the server that misbehaves, in front of one that does not.
start_faults() {
    env -- "$mark" /usr/bin/python3 "$root/tests/cli/fault_server.py" "${address##*:}" "$2" "$3" \
        >"$dir/$1.out" 2>"$dir/$1.err" &
    faults_pid=$!
    await "$1" grep -qs '^listening on ' "$dir/$1.out"
}

stop_faults() {
    kill -TERM "$faults_pid"
    end_of "$faults_pid"
}

start_server backend --store "$store" --listen "$address" || finish

# Everything at once: each handshake under the code of what became of it. The deadline is long enough for those that
# are to meet another end.
start_faults faults 15 good,reset,reset-late,silent,half,garbage || finish
start_load mixed "$(listen_address faults 1)" 1200 --deadline 1200ms
ends mixed
stop_faults
# The server's account: {"good": 45, ...}.
counts=$(tail -n 1 "$dir/faults.out")
holds mixed "(h['accepted'], f) == (lambda good, reset, silent, half, garbage, **more: (good, {'deadline': silent,
    'peer_reset': reset + more['reset-late'], 'peer_closed': half, 'tls_not_tls': garbage}))(**$counts)"

# It stops accepting: its queue fills, and connections are not made any more.
start_faults deafness 15 deaf || finish
start_load deaf "$(listen_address deafness 1)" 800
ends deaf
stop_faults
holds deaf "set(f) == {'deadline'}" "h['accepted'] <= 15"

# It runs out of descriptors, and has some again later.
start_faults starvation 15 starved || finish
start_load starved "$(listen_address starvation 1)" 1300
ends starved
stop_faults
holds starved "set(f) <= {'deadline', 'peer_reset', 'peer_closed'}" "f['deadline'] > 0" \
    "h['accepted'] > 15" "$(tail -n 1 "$dir/starvation.out")['starved'] > 10"

# One that never was any good is given up, and soon.
# never KIND SENTENCE
never() {
    start_faults "never-$1" 0 "$1" || finish
    run ekubench load "$(listen_address "never-$1" 1)" --store "$store" --rate "$RATE_PER_S/s" \
        --deadline "${DEADLINE_MS}ms" -t 60s
    expect "never $1" 3
    says "never $1" 'gave up on'
    says "never $1" "handshakes all failed: $2"
    stop_faults
}
never silent 'the handshake took longer than its deadline'
never garbage 'the peer does not speak TLS'

# A worker of the client is killed: a sentence, and the results of the other.
start_load lost "$address" 5000 --client-workers 2
worker_pid=$(cut -d ' ' -f 1 <"/proc/$load_pid/task/$load_pid/children")
kill -KILL "$worker_pid"
end_of "$load_pid"
if ((status != 3 || $(now_ms) - begin_ms > 5000)); then
    fail "lost: status $status after $(($(now_ms) - begin_ms)) ms"
fi
grep -q "process $worker_pid was ended by signal 9" "$dir/lost.err" || fail "lost: $(cat -- "$dir/lost.err")"
holds lost "h['accepted'] > 0" "$ADDS_UP"
grep -q 'a worker process ended unexpectedly' "$dir/lost.out" || fail "lost: no report: $(cat -- "$dir/lost.out")"

stop_server
expect_nothing_left faults
finish
