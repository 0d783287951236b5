#!/usr/bin/env bash
#
# Every shape of TLS, of our client with our server: keys, versions, groups, suites, two certificates,
# resumption and rejected clients beside accepted ones: tests/cli/test_shapes.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_shapes.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3
skip_without_io_uring

keys=(p256 p384 rsa2048 rsa3072 rsa4096 ed25519)
listeners=()
for key in "${keys[@]}"; do
    run ekubench pki mint "$dir/$key" --key "$key"
done
run ekubench pki mint "$dir/stranger"
start_server serve --store "$dir/p256" \
    --listen 127.0.0.1:0,resume=on \
    --listen 127.0.0.1:0,groups=hybrid:X25519:P-256:P-384:P-521 \
    --listen "127.0.0.1:0,second=$dir/rsa2048" \
    --listen 127.0.0.1:0,ciphers=ECDHE-ECDSA-AES256-GCM-SHA384 --event-rate 0 || finish
for i in 1 2 3 4; do
    listeners[i]=$(listen_address serve "$i")
done

# load NAME COUNT TARGET ARGUMENT...: COUNT handshakes, all as expected.
load() {
    local name=$1 count=$2
    shift 2
    run ekubench load "$@" --count "$count" -n 4 --json --deadline 10s
    if [[ $(json "$dir/out" "sum(a['handshakes']['accepted' if a['expect'] == 'accept' else 'rejected'] for a in r['arms'])") != "$count" ]]; then
        fail "$name: $(json "$dir/out" "[(a['name'], a['handshakes'], a['failures']) for a in r['arms']]") $(cat -- "$dir/err")"
    fi
}

# expect NAME KEY VALUE: what the last load negotiated.
expect() {
    local got
    got=$(json "$dir/out" "r['plan']['$2']")
    [[ $got == "$3" ]] || fail "$1: $2 is $got, not $3"
}

for version in 1.2 1.3; do
    # A P-256 certificate of TLS 1.2 needs its curve in the list.
    for groups in X25519:P-256 P-256 P-384:P-256 P-521:P-256; do
        load "$groups, TLS $version" 4 "${listeners[2]}" -s "$dir/p256" --groups "$groups" --tls "$version"
        expect "$groups, TLS $version" group "${groups%%:*}"
    done
    load "resumed, TLS $version" 40 "${listeners[1]}" -s "$dir/p256" --tls "$version" --resume-share 50% \
        --reject-share 20% --reject-store "$dir/stranger"
    if [[ $(json "$dir/out" "all(a['handshakes']['resumed'] == (a['handshakes']['accepted'] if a['resumes'] else 0) and a['handshakes']['started'] for a in r['arms'])") != True ]]; then
        fail "resumed, TLS $version: $(json "$dir/out" "[(a['name'], a['handshakes']) for a in r['arms']]")"
    fi
done
# The hybrid is of TLS 1.3 only.
load hybrid 4 "${listeners[2]}" -s "$dir/p256" --groups hybrid:X25519
if [[ $(json "$dir/out" "r['plan']['group'][:6]") != X25519 || $(json "$dir/out" "len(r['plan']['group'])") -lt 7 ]]; then
    fail "hybrid: $(json "$dir/out" "r['plan']['group']")"
fi
load 'hybrid, TLS 1.2' 4 "${listeners[2]}" -s "$dir/p256" --groups hybrid:X25519:P-256 --tls 1.2
expect 'hybrid, TLS 1.2' group X25519

# Two certificates: the client's preference decides.
ecdsa=ecdsa_secp256r1_sha256 rsa=rsa_pss_rsae_sha256
load 'ECDSA first' 4 "${listeners[3]}" -s "$dir/p256" --insecure --tls 1.3 --signatures "$ecdsa:$rsa"
expect 'ECDSA first' server_signature "$ecdsa"
load 'RSA first' 4 "${listeners[3]}" -s "$dir/p256" --insecure --tls 1.3 --signatures "$rsa:$ecdsa"
expect 'RSA first' server_signature "$rsa"
load 'RSA first, TLS 1.2' 4 "${listeners[3]}" -s "$dir/p256" --insecure --tls 1.2 \
    --ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256
expect 'RSA first, TLS 1.2' cipher TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256

load 'one suite' 4 "${listeners[4]}" -s "$dir/p256" --tls 1.2
expect 'one suite' cipher TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384

# A share that is not reached is no clean run; what the server has resumed stands in its totals.
run ekubench load "${listeners[2]}" --store "$dir/p256" --resume-share 50% --count 60 -n 4 --json
((status == 3)) || fail "no tickets: status $status"
says 'no tickets' '0 handshakes resumed a session, where about 30 should: does the server give tickets (ours does with --listen ...,resume=on)'

# No more are in flight than there are; what the table is of is said where there is a warm-up.
run ekubench load "${listeners[2]}" --store "$dir/p256" --count 20
says 'fewer than in flight' 'Closed loop, 20 in flight.'
grep -q 'Counts are of the whole run' "$dir/out" && fail 'a warm-up that there was not'
run ekubench load "${listeners[2]}" --store "$dir/p256" --rate 50/s --count 20
says 'fewer than in flight, open loop' 'at most 20 in flight'
run ekubench load "${listeners[2]}" --store "$dir/p256" -n 2 -t 200ms --warmup 200ms
says 'with a warm-up' 'Closed loop, 2 in flight.'
says 'with a warm-up' 'Counts are of the whole run; rates and latencies are without the warm-up.'

kill -INT "$server_pid"
end_of "$server_pid"
grep -Eq '^  of those accepted, [1-9][0-9]* resumed a session$' "$dir/serve.out" || fail "totals: $(cat -- "$dir/serve.out")"
# What resumed on the one side did on the other: no failure, of nothing.
if grep -q ' [1-9][0-9]* failed' "$dir/serve.out"; then
    fail "the server: $(cat -- "$dir/serve.out")"
fi

for key in "${keys[@]}"; do
    start_server "$key" --store "$dir/$key" --listen 127.0.0.1:0 || break
    for version in 1.2 1.3; do
        load "$key, TLS $version" 4 "$(listen_address "$key" 1)" -s "$dir/$key" --tls "$version"
    done
    kill -INT "$server_pid"
    end_of "$server_pid"
done

# The measurement itself, too: both of its sides, and its floors.
run ekubench measure --plan compare --tls 1.2 --groups P-384:P-256 --ciphers ECDHE-ECDSA-AES256-GCM-SHA384 --json
[[ $(json "$dir/out" 'r["plan"]["groups"], r["plan"]["cipher"], r["arms"][0]["handshakes"]["failed"]') == \
    "('P-384:P-256', 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 0)" ]] || fail "measure: $(cat -- "$dir/err")"
run ekubench capacity --slo p99=1s --budget 4s --tls 1.2 --ciphers ECDHE-ECDSA-AES256-GCM-SHA384 --groups P-256 \
    --pin off --json
[[ $(json "$dir/out" 'r["plan"]["groups"], r["plan"]["cipher"]') == "('P-256', 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384')" ]] ||
    fail "capacity: $(cat -- "$dir/err")"

expect_nothing_left shapes
finish
