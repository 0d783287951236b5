#!/usr/bin/env bash
#
# `ekubench probe` against servers of each kind: tests/cli/test_probe.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_probe.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs openssl /usr/bin/python3
skip_without_io_uring

node=$dir/node
run ekubench pki mint "$node" --depth 2
expect mint 0
run ekubench pki mint "$dir/rsa" --key rsa2048
expect mint 0
run ekubench store init -s "$dir/alone" --cn localhost
expect init 0

# probe NAME STATUS ARGUMENT...
probe() {
    local name=$1 wanted=$2
    shift 2
    run ekubench probe "$@" --store "$node"
    expect "$name" "$wanted"
}

start_server node --store "$node" --listen 127.0.0.1:0 --listen "127.0.0.1:0,verify=one-way" \
    --listen "127.0.0.1:0,second=$dir/rsa" --listen "127.0.0.1:0,second=$dir/rsa,tls=1.2" || finish
node_pid=$server_pid
mutual=$(listen_address node 1)
port=${mutual##*:}

probe 'a good one' 0 "$mutual" --name localhost
says 'a good one' 'ECDSA certificate: trusted, and of that name'
says 'a good one' 'presents its client certificate, serial '
says 'a good one' 'The connection works'
serial=$(openssl x509 -in "$node/client.pem" -noout -serial)
grep -qi "${serial#serial=}" "$dir/out" || fail "the client certificate: $(cat -- "$dir/out")"
probe 'a good one, by its address' 0 "$mutual"
probe 'not asked' 0 "$(listen_address node 2)"
says 'not asked' 'It is not asked for a certificate'

# A name that is not in the certificate: the line of the product.
probe 'another name' 1 "localhost:$port" --name other.example
grep -qxF "WARNING: SNI (other.example) not in certificate. Action=Terminate server=other.example(127.0.0.1)" "$dir/out" ||
    fail "another name: $(cat -- "$dir/out")"
says 'another name' 'What to do: '
probe 'another name, not verified' 0 "localhost:$port" --name other.example --release X14.1
says 'another name, not verified' 'not verified'

# An RSA certificate of another CA beside an ECDSA one.
for index in 3 4; do
    probe "two, listener $index" 0 "$(listen_address node "$index")"
    says "two, listener $index" 'RSA certificate: unable to get local issuer certificate'
    says "two, listener $index" 'ECDSA certificate: trusted'
    grep -Eq '^  up to X14.1 +RSA +not verified$' "$dir/out" || fail "two, X14.1: $(cat -- "$dir/out")"
    grep -Eq '^  X15.5 and later +ECDSA +accepted$' "$dir/out" || fail "two, X15.5: $(cat -- "$dir/out")"
done
run ekubench probe "$(listen_address node 3)" --store "$node" --release X14.1 --json
expect 'as X14.1' 0
[[ $(json "$dir/out" '[x["kind"] for x in r["certificates"]], r["releases"][0]["certificate"], r["works"]') == "(['RSA', 'ECDSA'], 'RSA', True)" ]] ||
    fail "as X14.1: $(cat -- "$dir/out")"

# A CA that the node does not know, and a certificate that nobody has signed.
start_server alone --store "$dir/alone" --listen 127.0.0.1:0,verify=one-way || finish
probe 'self-signed' 1 "$(listen_address alone 1)" --name localhost
says 'self-signed' 'WARNING: Core server certificate verification failed for (localhost). Action=Terminate Error=self signed certificate server=localhost(127.0.0.1) depth=0'
says 'self-signed' "ERROR: SSL connection failed for 'localhost': certificate verify failed"
run ekubench probe "$mutual" --store "$dir/rsa"
expect 'unknown CA' 1
says 'unknown CA' 'Error=unable to get local issuer certificate'
says 'unknown CA' 'depth=1'

# The server does not take the client.
run ekubench pki mint "$dir/server-only" --client-eku server
cp -- "$node/ca.pem" "$dir/server-only/.data/ca.pem"
run ekubench probe "$mutual" --store "$dir/server-only" --json
expect 'rejected' 1
[[ $(json "$dir/out" 'r["works"], r["alert"]') == "(False, 'unknown_ca')" ]] || fail "rejected: $(cat -- "$dir/out")"

# OpenSSL's server.
if openssl version | grep -q '^OpenSSL'; then
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' >"$dir/port"
    openssl s_server -accept "127.0.0.1:$(cat -- "$dir/port")" -cert "$node/server.pem" -cert_chain "$node/server.pem" \
        -key "$node/privkey.pem" -CAfile "$node/ca.pem" -Verify 4 -quiet >"$dir/s_server" 2>&1 </dev/null &
    pid=$!
    await 's_server' grep -q "$(printf ':%04X' "$(cat -- "$dir/port")")" /proc/net/tcp || true
    probe 's_server' 0 "127.0.0.1:$(cat -- "$dir/port")"
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
fi

# Nobody, and nonsense.
run ekubench probe "127.0.0.1:1" --store "$node"
expect 'nobody' 3
says 'nobody' 'nothing listens'
for words in '' '127.0.0.1' '127.0.0.1:1' '127.0.0.1:1 --store x --name a@b.c' '127.0.0.1:1 --store x --release 7' \
    "127.0.0.1:1 --store $dir/absent" '127.0.0.1:1 --store x --timeout 1us' '127.0.0.1:1 127.0.0.1:2 --store x'; do
    # shellcheck disable=SC2086 # Several words.
    run ekubench probe $words
    expect "probe $words" 2
done

for pid in "$node_pid" "$server_pid"; do
    kill -INT "$pid"
    end_of "$pid"
done
expect_nothing_left probe
finish
