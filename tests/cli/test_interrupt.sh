#!/usr/bin/env bash
#
# Ctrl-C: what was measured is kept, and nothing is left behind:
# tests/cli/test_interrupt.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_interrupt.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3 setsid
skip_without_io_uring

# Much more than it should take, much less than what was interrupted would have taken.
LIMIT_S=5

store=$dir/store
run ekubench pki mint "$store"
if ((status != 0)); then
    fail "pki mint: status $status: $(cat -- "$dir/err")"
    finish
fi

# start NAME ARGUMENT...: ekubench in the background, in a process group of its own, which is $pid like
# its first process; its output in $dir/NAME.out and $dir/NAME.err.
start() {
    local name=$1
    shift
    setsid env -- "$mark" "$bin" "$@" >"$dir/$name.out" 2>"$dir/$name.err" &
    pid=$!
}

# interrupt NAME SIGNAL: sends it to the whole group, as a terminal does, and waits for the end; the exit
# status goes to $status.
interrupt() {
    local name=$1 begin=$SECONDS
    kill "-$2" -- "-$pid"
    end_of "$pid"
    if ((SECONDS - begin > LIMIT_S)); then
        fail "$name: took $((SECONDS - begin)) s to end"
    fi
}

# expect_result NAME DIRECTORY: a valid result that says that it was interrupted.
expect_result() {
    local name=$1 result=$2/result.json saved=$status
    if ! [[ -s $result && -s $2/report.txt ]]; then
        fail "$name: nothing written: $(cat -- "$dir/$name.err")"
        return
    fi
    run "$root/scripts/check-result.sh" "$result"
    if ((status != 0 && status != 77)); then
        fail "$name: not valid: $(cat -- "$dir/err")"
    fi
    if [[ $(json "$result" 'r["interrupted"]') != True ]]; then
        fail "$name: not marked as interrupted"
    fi
    if [[ $(json "$result" 'r["validity"]["clean"]') != False ]]; then
        fail "$name: clean"
    fi
    if [[ $(json "$result" 'sum(a["handshakes"]["accepted"] for a in r["arms"]) > 0') != True ]]; then
        fail "$name: nothing that was measured is in the result"
    fi
    if ! grep -q 'interrupted' "$2/report.txt"; then
        fail "$name: the report does not say so"
    fi
    status=$saved
}

expect_status() {
    if ((status != $2)); then
        fail "$1: status $status, wanted $2: $(cat -- "$dir/$1.err")"
    fi
}

# measure.

for signal in INT TERM; do
    start measure measure --plan quick -o "$dir/measure-$signal"
    sleep 3
    interrupt measure "$signal"
    expect_status measure 3
    expect_result measure "$dir/measure-$signal"
    if ! [[ -s $dir/measure.out ]]; then
        fail "measure, SIG$signal: no report on standard output"
    fi
    expect_nothing_left "measure, SIG$signal"
done

# Pressed twice, or as timeout(1) does it, to the group and to the process: the result is not lost.
start twice measure --plan quick -o "$dir/twice"
sleep 2
kill -INT -- "-$pid"
interrupt twice INT
expect_status twice 3
expect_result twice "$dir/twice"
expect_nothing_left twice

# The self-test: it says that it was interrupted, whatever it has found in so short a time.
start self-test doctor --self-test --json
sleep 3
interrupt self-test INT
expect_status self-test 3
if [[ $(json "$dir/self-test.out" '"cost: interrupted" in r["reasons"]') != True ]]; then
    fail "self-test: $(cat -- "$dir/self-test.out")"
fi
if ! grep -q '^ekubench: not clean: cost: interrupted$' "$dir/self-test.err"; then
    fail "self-test: $(cat -- "$dir/self-test.err")"
fi
expect_nothing_left self-test

# The terminal is closed.
start hangup measure --plan quick -o "$dir/hangup"
sleep 2
interrupt hangup HUP
expect_status hangup 3
expect_result hangup "$dir/hangup"
expect_nothing_left hangup

# As nohup(1) starts it.
trap '' HUP
start nohup measure --plan quick -o "$dir/nohup"
trap - HUP
sleep 2
kill -HUP -- "-$pid"
sleep 1
if ! kill -0 "$pid" 2>/dev/null; then
    fail 'nohup: ended by SIGHUP'
fi
interrupt nohup INT
expect_status nohup 3
expect_nothing_left nohup

# The workers do not outlive a parent that is killed.
start killed measure --plan quick
sleep 2
kill -KILL "$pid"
end_of "$pid"
await 'killed: workers' nothing_runs || true
rm -rf -- "${TMPDIR:?}"/*

# load.

start_server serve --store "$store" --listen 127.0.0.1:0 || finish
start load load "$(listen_address serve 1)" --store "$store" --duration 60s --warmup 200ms -n 20 \
    -o "$dir/load"
sleep 2
interrupt load INT
expect_status load 3
expect_result load "$dir/load"

# The server goes while a load runs: the load ends at its time and says what became of it.
start orphan load "$(listen_address serve 1)" --store "$store" --duration 3s --warmup 200ms -n 20 \
    -o "$dir/orphan"
sleep 1
kill -INT "$server_pid"
end_of "$server_pid"
if ((status != 0)); then
    fail "serve: status $status: $(cat -- "$dir/serve.err")"
fi
if ! grep -q ' connections: [1-9][0-9]* accepted, ' "$dir/serve.out"; then
    fail "serve: no totals: $(cat -- "$dir/serve.out")"
fi
end_of "$pid"
expect_status orphan 3
if [[ $(json "$dir/orphan/result.json" 'r["arms"][0]["failures"].get("connect_refused", 0) > 0') != True ]]; then
    fail "orphan: $(json "$dir/orphan/result.json" 'r["arms"][0]["failures"]')"
fi
expect_nothing_left 'serve and load'

# serve, with a connection that is open and silent: it may stay until its deadline, and no longer.

needs perl

# start_silent_client ADDRESS: connects and says nothing; its process goes to $silent_pid.
start_silent_client() {
    # shellcheck disable=SC2016 # The dollars are Perl's.
    env -- "$mark" perl -MIO::Socket::INET -e '
        my $peer = IO::Socket::INET->new(PeerAddr => $ARGV[0]) or die; sleep 60;
    ' "$1" &
    silent_pid=$!
}

start_server silent --store "$store" --listen 127.0.0.1:0 --deadline 1s || finish
silent_server_pid=$server_pid
start_silent_client "$(listen_address silent 1)"
sleep 0.3
kill -INT "$silent_server_pid"
end_of "$silent_server_pid"
expect_status silent 0
if ! grep -Eq ': 1 connections: 0 accepted, 0 rejected, [01] failed, [01] unfinished$' "$dir/silent.out"; then
    fail "silent: $(cat -- "$dir/silent.out")"
fi
kill "$silent_pid"
wait "$silent_pid" 2>/dev/null || true
expect_nothing_left silent

# Asked a second time, it does not wait for it.
start_server hurry --store "$store" --listen 127.0.0.1:0 --deadline 60s || finish
hurry_server_pid=$server_pid
start_silent_client "$(listen_address hurry 1)"
sleep 0.3
kill -INT "$hurry_server_pid"
sleep 1.2
if ! kill -0 "$hurry_server_pid" 2>/dev/null; then
    fail 'hurry: the server did not wait for its client'
fi
kill -INT "$hurry_server_pid"
end_of "$hurry_server_pid"
expect_status hurry 0
if ! grep -Eq ': 1 connections: 0 accepted, 0 rejected, 0 failed, 1 unfinished$' "$dir/hurry.out"; then
    fail "hurry: $(cat -- "$dir/hurry.out")"
fi
kill "$silent_pid"
wait "$silent_pid" 2>/dev/null || true
expect_nothing_left hurry
finish
