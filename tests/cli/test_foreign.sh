#!/usr/bin/env bash
#
# Our client with servers that others wrote, nginx, haproxy and OpenSSL's, in TLS 1.2 and 1.3: what counts
# as their verdict, and resumption: tests/cli/test_foreign.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_foreign.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$PATH:/usr/sbin:/sbin
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs openssl nginx haproxy /usr/bin/python3
skip_without_io_uring

# The servers are of one CA; a client of it may come in, one for serverAuth and a stranger may not.
store=$dir/store
run ekubench pki mint "$store" --client-eku both
run ekubench pki mint "$dir/stranger"
cat -- "$store/server.pem" "$store/privkey.pem" >"$dir/server-and-key.pem"
chmod 600 "$dir/server-and-key.pem"

# load NAME WANTED ARGUMENT...: `ekubench load` of twenty handshakes, of which WANTED ("20 0": accepted and
# rejected) is expected.
load() {
    local name=$1 wanted=$2
    shift 2
    run ekubench load "$target" "$@" --count 20 -n 2 --json --deadline 5s
    if [[ $(json "$dir/out" "' '.join(str(sum(a['handshakes'][k] for a in r['arms'])) for k in ('accepted', 'rejected'))") != "$wanted" ]]; then
        fail "$name: wanted $wanted: $(json "$dir/out" "[(a['name'], a['handshakes'], a['failures']) for a in r['arms']]") $(cat -- "$dir/err")"
    fi
}

# negotiated WHAT: of the last load.
negotiated() {
    json "$dir/out" "r['plan']['$1']"
}

# resumed NAME: half of the last load was to resume, and did: as many as it counts, and some.
resumed() {
    if [[ $(json "$dir/out" "[(a['handshakes']['resumed'] == a['handshakes']['accepted']) == a['resumes'] for a in r['arms']], r['arms'][1]['handshakes']['resumed'] > 3") != '([True, True], True)' ]]; then
        fail "$1: $(json "$dir/out" "[(a['name'], a['handshakes'], a['failures']) for a in r['arms']]")"
    fi
}

# A port that is free now; nobody else is here to take it.
free_port() {
    /usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# shellcheck disable=SC2317 # It is called by `await`.
is_open() {
    /usr/bin/python3 -c 'import socket, sys
socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()' "$1"
}

# serve NAME COMMAND...: starts a server on $port; its end is `stop`.
serve() {
    local name=$1
    shift
    env -- "$mark" "$@" >"$dir/$name.out" 2>&1 &
    server_pid=$!
    await "$name" is_open "$port" || {
        cat -- "$dir/$name.out" >&2
        stop
        return 1
    }
}
stop() {
    kill "$server_pid" || true
    wait "$server_pid" 2>/dev/null || true
}

# Of OpenSSL's server: with -www it waits for a request, to which it answers.
for version in 1.2 1.3; do
    port=$(free_port)
    target=127.0.0.1:$port
    serve s_server openssl s_server -accept "$target" "-tls${version/./_}" -www -quiet -cert "$store/server.pem" \
        -key "$store/privkey.pem" -CAfile "$store/ca.pem" -Verify 5 -verify_return_error || continue
    name="s_server, TLS $version"
    load "$name" '20 0' --store "$store"
    load "$name, http" '20 0' --store "$store" --confirm http
    load "$name, without a certificate" '0 20' --ca "$store/ca.pem" --expect reject
    load "$name, stranger" '0 20' --store "$dir/stranger" --ca "$store/ca.pem" --expect reject
    load "$name, half of them resumed" '20 0' --store "$store" --resume-share 50% --confirm http
    resumed "$name, half of them resumed"
    if [[ $version == 1.3 ]]; then
        load "$name, ticket" '20 0' --store "$store" --confirm ticket
    fi
    stop
done

# nginx judges the certificate after the handshake, and says so with status 400. It has two certificates.
run ekubench pki mint "$dir/rsa" --key rsa2048
port=$(free_port)
target=127.0.0.1:$port
mkdir -- "$dir/nginx"
cat >"$dir/nginx/nginx.conf" <<CONF
daemon off;
worker_processes 1;
error_log $dir/nginx/error.log;
pid $dir/nginx/nginx.pid;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $dir/nginx/1;
    proxy_temp_path $dir/nginx/2;
    fastcgi_temp_path $dir/nginx/3;
    uwsgi_temp_path $dir/nginx/4;
    scgi_temp_path $dir/nginx/5;
    server {
        listen 127.0.0.1:$port ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate $store/server.pem;
        ssl_certificate_key $store/privkey.pem;
        ssl_certificate $dir/rsa/server.pem;
        ssl_certificate_key $dir/rsa/privkey.pem;
        ssl_client_certificate $store/ca.pem;
        ssl_verify_client on;
        return 200 "served\n";
    }
}
CONF
if serve nginx nginx -p "$dir/nginx" -c "$dir/nginx/nginx.conf"; then
    for version in 1.2 1.3; do
        name="nginx, TLS $version"
        load "$name" '20 0' --store "$store" --tls "$version"
        load "$name, http" '20 0' --store "$store" --tls "$version" --confirm http
        load "$name, stranger" '0 20' --store "$dir/stranger" --ca "$store/ca.pem" --tls "$version" \
            --confirm http --expect reject
        if [[ $(json "$dir/out" "r['arms'][0]['failures']") != "{'http_refused': 20}" ]]; then
            fail "$name, stranger: $(json "$dir/out" "r['arms'][0]['failures']")"
        fi
        load "$name, half of them resumed" '20 0' --store "$store" --tls "$version" --resume-share 50%
        resumed "$name, half of them resumed"
    done
    load 'nginx, RSA' '20 0' --store "$store" --insecure --tls 1.3 \
        --signatures rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256
    # OpenSSL takes the order of its own, so that the client has to insist.
    load 'nginx, RSA only' '20 0' --store "$store" --insecure --tls 1.3 --signatures rsa_pss_rsae_sha256
    if [[ $(negotiated server_signature) != rsa_pss_rsae_sha256 ]]; then
        fail "nginx, RSA only: $(negotiated server_signature)"
    fi
    load 'nginx, P-384' '20 0' --store "$store" --groups P-384
    if [[ $(negotiated group) != P-384 ]]; then
        fail "nginx, P-384: $(negotiated group)"
    fi
    stop
fi

# haproxy rejects in the handshake.
port=$(free_port)
target=127.0.0.1:$port
cat >"$dir/haproxy.cfg" <<CONF
global
    maxconn 500
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
frontend tls
    bind 127.0.0.1:$port ssl crt $dir/server-and-key.pem ca-file $store/ca.pem verify required
    http-request return status 200
CONF
if serve haproxy haproxy -db -f "$dir/haproxy.cfg"; then
    for version in 1.2 1.3; do
        name="haproxy, TLS $version"
        load "$name" '20 0' --store "$store" --tls "$version"
        load "$name, http" '20 0' --store "$store" --tls "$version" --confirm http
        load "$name, stranger" '0 20' --store "$dir/stranger" --ca "$store/ca.pem" --tls "$version" \
            --expect reject
        load "$name, half of them resumed" '20 0' --store "$store" --tls "$version" --resume-share 50%
        resumed "$name, half of them resumed"
    done
    stop
fi

expect_nothing_left 'foreign servers'
finish
