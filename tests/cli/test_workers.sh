#!/usr/bin/env bash
#
# Several workers: `ekubench serve --workers`, with reloads, tickets and deaths, and a measurement with
# two workers on either side: tests/cli/test_workers.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_workers.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3 openssl pgrep
skip_without_io_uring

store=$dir/store
events=$dir/events
run ekubench pki mint "$store"
if ((status != 0)); then
    fail "pki mint: status $status: $(cat -- "$dir/err")"
    finish
fi

# serve NAME ARGUMENT...: a server whose first listener goes to $target.
serve() {
    local name=$1
    shift
    rm -f -- "$events" "$dir/$name.out" "$dir/$name.err"
    start_server "$name" --store "$store" --event-log "$events" "$@" || finish
    target=$(listen_address "$name" 1)
}

# stop NAME: ends the server, which must end well.
stop() {
    kill -INT "$server_pid"
    end_of "$server_pid"
    if ((status != 0)); then
        fail "$1: status $status: $(head -c 2000 -- "$dir/$1.err")"
    fi
    expect_nothing_left "$1"
}

# loads NAME COUNT ACCEPT|REJECT ARGUMENT...: that many handshakes, all of which must end so.
loads() {
    local name=$1 count=$2 wanted=$3
    shift 3
    run ekubench load "$target" --store "$store" --count "$count" --expect "$wanted" --json "$@"
    if [[ $(json "$dir/out" "r['arms'][0]['handshakes']['${wanted}ed']") != "$count" ]]; then
        fail "$name: not all of $count ${wanted}ed: $(cat -- "$dir/err")"
    fi
}

# expect_totals NAME TEXT: of the server's first listener.
expect_totals() {
    grep -qF -- "$2" "$dir/$1.out" || fail "$1: no \"$2\" in $(cat -- "$dir/$1.out")"
}

# The counts of all workers are one count, however they listen.
for options in '--workers 3' '--workers 3 --shared-listener'; do
    # shellcheck disable=SC2086 # Several words.
    serve totals $options --listen 127.0.0.1:0,eku=on --listen 127.0.0.1:0,eku=off --event-rate 0
    loads "$options" 60 accept -n 6
    target=$(listen_address totals 2)
    loads "$options, refused" 40 reject -n 6 --client-workers 2
    stop totals
    if (($(wc -l <"$events") != 40)); then
        fail "$options: $(wc -l <"$events") events of 40"
    fi
    expect_totals totals '60 connections: 60 accepted, 0 rejected, 0 failed, 0 unfinished'
    expect_totals totals '40 connections: 0 accepted, 40 rejected, 0 failed, 0 unfinished'
done

# No other server gets a part of the connections.
serve alone --workers 2 --listen 127.0.0.1:0
for options in '--workers 2' '--workers 2 --shared-listener' ''; do
    # shellcheck disable=SC2086 # Several words.
    run timeout 10 env -- "$mark" "$bin" serve --store "$store" --listen "$target" $options
    expect "a second server $options" 3
    says "a second server $options" 'in use'
done
stop alone

# A reload is one for all workers, and one line.

num_reloaded() {
    grep -c ' Event="Reloaded" ' "$events" || true
}

# shellcheck disable=SC2317 # Called by await.
has_reloaded() {
    (($(num_reloaded) == $1))
}

# reload NUMBER LISTENER: with that policy; it is reload NUMBER of the server.
reload() {
    echo "$2" >"$dir/listeners"
    kill -HUP "$server_pid"
    await "reload $1" has_reloaded "$1" || cat -- "$events" >&2
}

echo 127.0.0.1:0,eku=on >"$dir/listeners"
serve reloads --workers 3 --listeners "$dir/listeners" --event-rate 1
loads 'on' 30 accept -n 3
reload 1 127.0.0.1:0,eku=off
loads 'on to off' 30 reject -n 3
reload 2 127.0.0.1:0,eku=on
loads 'off to on' 30 accept -n 3
echo nonsense >"$dir/listeners"
kill -HUP "$server_pid"
await 'a reload that fails' grep -q ' Event="Reload Failed" ' "$events" || true
loads 'a reload that failed' 30 accept -n 3
sleep 0.3 # If there were another line, it would be there.
if (($(num_reloaded) != 2)) || (($(grep -c 'Reload Failed' "$events") != 1)); then
    fail "not one line for each reload: $(cat -- "$events")"
fi
stop reloads
expect_totals reloads '120 connections: 90 accepted, 30 rejected'

# A ticket of one worker is good at the others, until a reload. Which worker a connection comes to is
# chance: ten come to one of three once in 20,000 times.

# resumed NAME: "New" or "Reused".
resumed() {
    { sleep 0.1 | timeout 10 openssl s_client -connect "$target" -cert "$store/client.pem" \
        -key "$store/clientprivkey.pem" -tls1_2 -sess_in "$dir/$1.session" 2>/dev/null || true; } |
        sed -n 's/^\(New\|Reused\), TLS.*/\1/p' | head -n 1
}

echo 127.0.0.1:0,resume=on >"$dir/listeners"
serve tickets --workers 3 --listeners "$dir/listeners"
# TLS 1.2 has the ticket in the handshake: nothing is to be waited for.
sleep 0.3 | openssl s_client -connect "$target" -cert "$store/client.pem" \
    -key "$store/clientprivkey.pem" -tls1_2 -sess_out "$dir/first.session" >/dev/null 2>&1 || true
for ((i = 0; i < 10; i++)); do
    got=$(resumed first)
    if [[ $got != Reused ]]; then
        fail "ticket, connection $i: \"$got\""
    fi
done
reload 1 127.0.0.1:0,resume=on
for ((i = 0; i < 4; i++)); do
    got=$(resumed first)
    if [[ $got != New ]]; then
        fail "ticket after a reload, connection $i: \"$got\""
    fi
done
stop tickets

# One dies: that is said, the others end in order, and what they have counted is printed.
for options in '' --shared-listener; do
    # shellcheck disable=SC2086 # A word or none.
    serve death --workers 3 $options --listen 127.0.0.1:0
    loads 'before a death' 30 accept -n 3
    kill -KILL "$(pgrep -P "$server_pid" | sed -n 2p)"
    end_of "$server_pid"
    if ((status != 3)); then
        fail "death $options: status $status"
    fi
    grep -q 'worker 2 of 3, .*signal 9' "$dir/death.err" || fail "death: $(cat -- "$dir/death.err")"
    expect_totals death '30 connections: 30 accepted, 0 rejected, 0 failed, 0 unfinished'
    expect_nothing_left 'death'
done

# A CPU for all of them.
cpu=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')
serve pinned --workers 2 --pin "$cpu,$cpu" --listen 127.0.0.1:0
for pid in $(pgrep -P "$server_pid"); do
    if [[ $(taskset -cp "$pid") != *": $cpu" ]]; then
        fail "not pinned: $(taskset -cp "$pid")"
    fi
done
stop pinned

# A measurement.

# is EXPRESSION WANTED: of the result.
is() {
    local got
    got=$(json "$dir/result/result.json" "$1")
    if [[ $got != "$2" ]]; then
        fail "measure: $1 is $got, not $2"
    fi
}

run ekubench measure --plan load --server-workers 2 --client-workers 2 --in-flight 40 --pin "$cpu,$cpu,$cpu,$cpu" \
    -o "$dir/result"
expect 'measure' 3 # One CPU for all is not clean.
says 'measure' 'share a CPU'
run "$root/scripts/check-result.sh" "$dir/result/result.json"
((status == 0 || status == 77)) || fail "not valid: $(cat -- "$dir/err")"
is 'r["plan"]["stages"][0]["listening"]' per-worker
is '[r["cpu"][side]["stages"][0]["workers"] for side in ("server", "client")]' '[2, 2]'
is 'r["cpu"]["server"]["stages"][0]["cpu_list"]' "$cpu,$cpu"
is 'r["arms"][0]["handshakes"]["accepted"] == r["arms"][0]["server"]["accepted"]' True
is 'r["arms"][0]["handshakes"]["failed"]' 0
is 'r["cpu"]["server"]["stages"][0]["memory_per_connection_bytes"] > 0' True

# One of its workers dies: what was measured is kept.
rm -rf -- "$dir/result"
env -- "$mark" "$bin" measure --plan load --server-workers 2 --in-flight 40 -o "$dir/result" \
    >"$dir/measure.out" 2>"$dir/measure.err" &
pid=$!
# shellcheck disable=SC2317 # Called by await.
has_workers() {
    (($(pgrep -cP "$pid") == 3))
}
await 'workers' has_workers || true
sleep 1
kill -KILL "$(pgrep -P "$pid" | sed -n 2p)"
end_of "$pid"
((status == 3)) || fail "measure, a death: status $status"
grep -q 'server worker 2 of 2, .*signal 9' "$dir/measure.err" || fail "measure: $(cat -- "$dir/measure.err")"
is 'r["arms"][0]["handshakes"]["accepted"] > 0' True
is 'r["validity"]["clean"]' False
expect_nothing_left 'measure, a death'

# What does not fit is said before anything has begun.
run ekubench load '[::1]:1' --store "$store" --in-flight 66000 --client-workers 16
expect 'too many for one address' 3
says 'too many for one address' '66000 local ports are needed'

finish
