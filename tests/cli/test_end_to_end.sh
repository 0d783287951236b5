#!/usr/bin/env bash
#
# The commands together, as a user would use them, and against OpenSSL:
# tests/cli/test_end_to_end.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_end_to_end.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3
skip_without_io_uring

store=$dir/store
both=$dir/both
for arguments in "$store" "$both --client-eku both --depth 3"; do
    read -r -a words <<<"$arguments"
    run ekubench pki mint "${words[@]}"
    if ((status != 0)); then
        fail "pki mint $arguments: status $status: $(cat -- "$dir/err")"
        finish
    fi
done
# `both` is signed by another root: the server trusts the two of them.
cat -- "$both/ca.pem" >>"$store/ca.pem"
cat -- "$store/ca.pem" >"$both/ca.pem"

# load NAME ARGUMENT...: `ekubench load`, its result in $dir/NAME.json. What else runs on the machine
# can make a result not clean, so the status must say what the result says.
load() {
    local name=$1 clean
    shift
    run ekubench load "$@" --json --deadline 5s -n 20
    cp -- "$dir/out" "$dir/$name.json"
    if ! [[ -s $dir/out ]]; then
        fail "$name: status $status: $(cat -- "$dir/err")"
        return
    fi
    clean=$(json "$dir/$name.json" 'r["validity"]["clean"]')
    if [[ $clean == True && $status != 0 ]] || [[ $clean == False && $status != 3 ]]; then
        fail "$name: status $status, but clean: $clean"
    fi
    if [[ -x $root/scripts/check-result.sh ]]; then
        run "$root/scripts/check-result.sh" "$dir/$name.json"
        if ((status != 0 && status != 77)); then
            fail "$name: not valid: $(cat -- "$dir/err")"
        fi
    fi
}

# outcomes NAME: started, accepted, rejected, failed and unfinished of the load.
outcomes() {
    json "$dir/$1.json" '"{started} {accepted} {rejected} {failed} {unfinished}".format(
        **r["arms"][0]["handshakes"])'
}

# expect_outcomes NAME OUTCOMES
expect_outcomes() {
    local got
    got=$(outcomes "$1")
    if [[ $got != "$2" ]]; then
        fail "$1: \"$got\" started, accepted, rejected, failed, unfinished; wanted \"$2\""
    fi
}

# Server and load: with and without certificates, one listener for each policy.

start_server serve --store "$store" --listen 127.0.0.1:0 --listen 127.0.0.1:0,eku=off \
    --listen 127.0.0.1:0,eku=none,tls=1.2 --listen 127.0.0.1:0,verify=one-way,tls=1.3 || finish
load on "$(listen_address serve 1)" --store "$store" --count 60
load off "$(listen_address serve 2)" --store "$store" --count 40
load off-both "$(listen_address serve 2)" --store "$both" --count 30
load none "$(listen_address serve 3)" --store "$both" --count 50
load one-way "$(listen_address serve 4)" --insecure --count 20
load without "$(listen_address serve 1)" --insecure --count 10
load version "$(listen_address serve 4)" --insecure --tls 1.2 --count 10
expect_outcomes on '60 60 0 0 0'
expect_outcomes off '40 0 40 0 0'
expect_outcomes off-both '30 30 0 0 0'
expect_outcomes none '50 50 0 0 0'
expect_outcomes one-way '20 20 0 0 0'
expect_outcomes without '10 0 10 0 0'
expect_outcomes version '10 0 10 0 0'
if [[ $(json "$dir/off.json" 'r["arms"][0]["alerts"]') != "{'unsupported_certificate': 40}" ]]; then
    fail "off: alerts $(json "$dir/off.json" 'r["arms"][0]["alerts"]')"
fi
if [[ $(json "$dir/without.json" 'r["arms"][0]["alerts"]') != "{'certificate_required': 10}" ]]; then
    fail "without: alerts $(json "$dir/without.json" 'r["arms"][0]["alerts"]')"
fi
# Handshakes were accepted: a rate of zero would be a lie. Unknown is null.
if [[ $(json "$dir/on.json" '0 in [t["accepted_per_s"] for t in r["throughput"]]') != False ]]; then
    fail "on: 60 accepted, but $(json "$dir/on.json" 'r["throughput"]')"
fi

# OpenSSL as client: it reads the K.
if command -v openssl >/dev/null; then
    mkfifo -- "$dir/silence"
    target=$(listen_address serve 1)
    for version in tls1_2 tls1_3; do
        # It has nothing to say (a pipe that never ends), waits for the server's byte, and then on.
        env -- "$mark" openssl s_client -connect "$target" "-$version" \
            -cert "$store/client.pem" -key "$store/clientprivkey.pem" -CAfile "$store/ca.pem" \
            -verify_return_error -quiet <>"$dir/silence" >"$dir/$version.out" 2>"$dir/$version.err" &
        client_pid=$!
        if ! await "openssl s_client -$version" grep -q '^K' "$dir/$version.out"; then
            cat -- "$dir/$version.err" >&2
        fi
        kill "$client_pid" 2>/dev/null || true
        wait "$client_pid" 2>/dev/null || true
    done
else
    echo 'openssl is not installed: interoperation is not tested' >&2
fi

kill -INT "$server_pid"
end_of "$server_pid"
if ((status != 0)); then
    fail "serve: status $status: $(cat -- "$dir/serve.err")"
fi

# expect_total INDEX TEXT: the line that serve printed for that listener.
expect_total() {
    local address line
    address=$(listen_address serve "$1")
    line=$(grep -- "^$address," "$dir/serve.out" || true)
    if [[ $line != *": $2" ]]; then
        fail "serve, listener $1: \"$line\", wanted \"$2\""
    fi
}

clients=0
if command -v openssl >/dev/null; then
    clients=2
fi
expect_total 1 "$((70 + clients)) connections: $((60 + clients)) accepted, 10 rejected, 0 failed, 0 unfinished"
expect_total 2 '70 connections: 30 accepted, 40 rejected, 0 failed, 0 unfinished'
expect_total 3 '50 connections: 50 accepted, 0 rejected, 0 failed, 0 unfinished'
expect_total 4 '30 connections: 20 accepted, 0 rejected, 10 failed, 0 unfinished'
for code in verify_purpose:\ 40 tls_no_certificate:\ 10 tls_version:\ 10; do
    if ! grep -q "^  $code " "$dir/serve.out"; then
        fail "serve: no \"$code\" in: $(cat -- "$dir/serve.out")"
    fi
done
expect_nothing_left serve

# A client that is expected to be rejected is, and that is clean.
start_server refusing --store "$store" --listen 127.0.0.1:0,eku=off || finish
run ekubench load "$(listen_address refusing 1)" --store "$store" --count 20 --expect reject
if ((status != 0)) || ! grep -q '^Clean' "$dir/out"; then
    fail "load --expect reject: status $status: $(cat -- "$dir/out" "$dir/err")"
fi
kill -INT "$server_pid"
end_of "$server_pid"

# The same as JSON: standard output has nothing else.
start_server totals --json --store "$store" --listen 127.0.0.1:0 --listen 127.0.0.1:0,eku=off || finish
load again "$(listen_address totals 2)" --store "$store" --count 20
kill -INT "$server_pid"
end_of "$server_pid"
if [[ $(json "$dir/totals.out" '[(l["eku"], l["handshakes"]["started"], l["handshakes"]["rejected"],
        l["failures"], l["alerts"]) for l in r["listeners"]]') != \
    "[('on', 0, 0, {}, {}), ('off', 20, 20, {'verify_purpose': 20}, {'unsupported_certificate': 20})]" ]]; then
    fail "serve --json: $(cat -- "$dir/totals.out")"
fi
expect_nothing_left 'serve --json'

# Every term; and of a listener that does not verify chains, none that is about them.
start_server terms --json --store "$store" --listen 127.0.0.1:0,eku-absent=reject,crl=off,resume=on,name=a.example,depth=3 \
    --listen 127.0.0.1:0,verify=raw || finish
kill -INT "$server_pid"
end_of "$server_pid"
if [[ $(json "$dir/terms.out" '[[l[key] for key in ("eku", "verify", "tls", "depth", "eku_absent", "crl", "resume", "name")]
        for l in r["listeners"]]') != \
    "[['on', 'full', 'any', 3, 'reject', 'off', 'on', 'a.example'], [None, 'raw', 'any', None, None, None, 'off', None]]" ]]; then
    fail "serve --json, terms: $(cat -- "$dir/terms.out")"
fi
if ! grep -q ',verify=raw,tls=any$' "$dir/terms.err"; then
    fail "serve: $(cat -- "$dir/terms.err")"
fi
expect_nothing_left 'serve --json, terms'

# Half a store is somebody's key: it is not overwritten.
mkdir -- "$dir/half"
cp -- "$store/privkey.pem" "$dir/half"
run ekubench pki mint "$dir/half"
if ((status != 2)) || ! cmp -s "$store/privkey.pem" "$dir/half/privkey.pem"; then
    fail "pki mint over half a store: status $status: $(cat -- "$dir/out" "$dir/err")"
fi

# A result that does not arrive is not done.
if [[ -c /dev/full ]]; then
    for words in --version doctor 'verify --json --cert '"$store/server.pem"' --trust '"$store/ca.pem"' -p server'; do
        status=0
        # shellcheck disable=SC2086 # Words.
        "$bin" $words >/dev/full 2>"$dir/err" || status=$?
        if ((status != 3)) || ! grep -q 'standard output' "$dir/err"; then
            fail "$words to a full disk: status $status: $(cat -- "$dir/err")"
        fi
    done
fi

# For a time: what was measured is written, and the server's counts are the client's.

start_server timed --store "$store" --listen 127.0.0.1:0 || finish
load timed "$(listen_address timed 1)" --store "$store" --duration 500ms --warmup 200ms \
    -o "$dir/results"
kill -TERM "$server_pid"
end_of "$server_pid"
if ((status != 0)); then
    fail "serve, SIGTERM: status $status"
fi
accepted=$(json "$dir/timed.json" 'r["arms"][0]["handshakes"]["accepted"]')
if ! [[ $accepted =~ ^[1-9] ]]; then
    fail 'timed: nothing accepted'
fi
if ! grep -q ": $accepted connections: $accepted accepted, 0 rejected, 0 failed, 0 unfinished$" \
    "$dir/timed.out"; then
    fail "timed: the client counts $accepted accepted, the server: $(tail -n 1 -- "$dir/timed.out")"
fi
if ! [[ -s $dir/results/result.json && -s $dir/results/report.txt ]]; then
    fail "timed: not written: $(ls -A -- "$dir/results")"
elif [[ $(json "$dir/results/result.json" 'r["arms"]') != "$(json "$dir/timed.json" 'r["arms"]')" ]]; then
    fail 'timed: what is written is not what is printed'
fi
if [[ $(ls -A -- "$dir/results") != $'report.txt\nresult.json' ]]; then
    fail "timed: written: $(ls -A -- "$dir/results")"
fi
expect_nothing_left timed

# A server for a time, with a deadline that no handshake reaches.

for deadline in 24h 2500000h 5000000h; do
    run timeout 20 env -- "$mark" "$bin" serve --store "$store" --listen 127.0.0.1:0 \
        --deadline "$deadline" --duration 100ms
    if ((status == 2)); then
        continue # It may be refused, but not taken for something else.
    fi
    start_server patient --store "$store" --listen 127.0.0.1:0 --deadline "$deadline" || continue
    load patient "$(listen_address patient 1)" --store "$store" --count 5
    expect_outcomes patient '5 5 0 0 0'
    kill -INT "$server_pid"
    end_of "$server_pid"
    if ((status != 0)); then
        fail "serve --deadline $deadline: status $status: $(cat -- "$dir/patient.err")"
    fi
done
run timeout 20 env -- "$mark" "$bin" serve --store "$store" --listen 127.0.0.1:0 --duration 200ms
if ((status != 0)) || ! grep -q ': 0 connections: ' "$dir/out"; then
    fail "serve --duration: status $status: $(cat -- "$dir/out" "$dir/err")"
fi
expect_nothing_left 'serve --duration'

# OpenSSL as server, which sends no K: the end of the client's own handshake counts.

if command -v openssl >/dev/null; then
    for version in 1.2 1.3; do
        env -- "$mark" openssl s_server -accept 127.0.0.1:0 -www "-tls${version/./_}" -Verify 3 \
            -verify_return_error -cert "$store/server.pem" -key "$store/privkey.pem" \
            -CAfile "$store/ca.pem" >"$dir/s_server-$version.out" 2>"$dir/s_server-$version.err" &
        foreign_pid=$!
        if ! await 's_server' grep -q '^ACCEPT ' "$dir/s_server-$version.out"; then
            cat -- "$dir/s_server-$version.err" >&2
            break
        fi
        target=$(sed -n 's/^ACCEPT //p' "$dir/s_server-$version.out" | head -n 1)
        load "foreign-$version" "$target" --store "$store" --confirm none --count 20 -n 4
        expect_outcomes "foreign-$version" '20 20 0 0 0'
        if [[ $(json "$dir/foreign-$version.json" 'r["arms"][0]["server"]') != None ]]; then
            fail "foreign-$version: knows a server that is not ours"
        fi
        # Without a certificate: in TLS 1.2 the client sees the alert before its handshake ends.
        if [[ $version == 1.2 ]]; then
            load foreign-without "$target" --insecure --confirm none --count 20 -n 4
            expect_outcomes foreign-without '20 0 20 0 0'
        fi
        kill "$foreign_pid"
        wait "$foreign_pid" 2>/dev/null || true
    done
    expect_nothing_left 's_server'
fi
finish
