#!/usr/bin/env bash
#
# With programs that others wrote: our server with OpenSSL and curl as clients, our client with OpenSSL and
# nginx as servers, in TLS 1.2 and 1.3:
# tests/cli/test_interop.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_interop.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$PATH:/usr/sbin:/sbin
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs openssl curl nginx /usr/bin/python3
skip_without_io_uring

# One node, and a client of each kind whose CA it trusts.
store=$dir/store
run ekubench pki mint "$store"
for usage in clientAuth serverAuth; do
    run ekubench pki mint "$dir/$usage" --client-eku "$usage" --depth 2
    run ekubench store trust add "$dir/$usage/ca.pem" -s "$store"
    if ((status != 0)); then
        fail "trust add: status $status: $(cat -- "$dir/err")"
        finish
    fi
    cp -L -- "$store/ca.pem" "$dir/trust-$usage.pem"
done
# A client that nobody trusts.
run ekubench pki mint "$dir/stranger"

# Our server.

start_server serve --store "$store" --listen 127.0.0.1:0,eku=on --listen 127.0.0.1:0,eku=off --event-rate 0 ||
    finish
on=$(listen_address serve 1)
off=$(listen_address serve 2)

# s_client VERSION TARGET CLIENT: what `openssl s_client` got goes to $dir/out and $dir/err.
mkfifo -- "$dir/silence"
s_client() {
    # It has nothing to say (a pipe that never ends), and two seconds for an answer.
    run timeout 2 openssl s_client -connect "$2" "-$1" -cert "$dir/$3/client.pem" \
        -cert_chain "$dir/$3/client.pem" -key "$dir/$3/clientprivkey.pem" -CAfile "$store/ca.pem" \
        -verify_return_error -quiet <>"$dir/silence"
}

# An alert is named differently in the two versions' messages of OpenSSL, but has its number.
expect_s_client() {
    local version=$1 target=$2 client=$3 wanted=$4 name="openssl s_client -$1, $3, $5"
    s_client "$version" "$target" "$client"
    if [[ $wanted == accepted ]]; then
        if ! grep -q '^K' "$dir/out"; then
            fail "$name: not accepted: $(cat -- "$dir/err")"
        fi
    elif grep -q '^K' "$dir/out" || ! grep -q "SSL alert number $wanted" "$dir/err"; then
        fail "$name: wanted alert $wanted: $(cat -- "$dir/out" "$dir/err")"
    fi
}

for version in tls1_2 tls1_3; do
    expect_s_client "$version" "$on" clientAuth accepted 'EKU on'
    expect_s_client "$version" "$on" serverAuth 43 'EKU on'
    expect_s_client "$version" "$off" serverAuth accepted 'EKU off'
    expect_s_client "$version" "$off" clientAuth 43 'EKU off'
    expect_s_client "$version" "$on" stranger 48 'EKU on'
done

# curl reads the K as an answer of HTTP/0.9, and then waits for more.
for version in 1.2 1.3; do
    for client in clientAuth serverAuth; do
        run curl --silent --show-error --max-time 2 --http0.9 "--tlsv$version" --tls-max "$version" \
            --cacert "$store/ca.pem" --cert "$dir/$client/client.pem" \
            --key "$dir/$client/clientprivkey.pem" "https://$on/"
        if [[ $client == clientAuth ]] && ! grep -q '^K' "$dir/out"; then
            fail "curl, TLS $version, $client: not accepted: $(cat -- "$dir/err")"
        fi
        if [[ $client == serverAuth ]] && ! grep -qi 'unsupported certificate' "$dir/err"; then
            fail "curl, TLS $version, $client: not rejected as it should be: $(cat -- "$dir/err")"
        fi
    done
done

kill -INT "$server_pid"
end_of "$server_pid"
# Of every client that was to be rejected there is a line.
for line in '6 unsupported certificate purpose' '2 unable to get local issuer certificate'; do
    count=$(grep -c "Detail=\"${line#* }\"" "$dir/serve.err" || true)
    if ((count != ${line%% *})); then
        fail "event log: $count lines with ${line#* }: $(cat -- "$dir/serve.err")"
    fi
done

# Our client.

# expect_load NAME WANTED ARGUMENT...: `ekubench load` of ten handshakes; WANTED is accepted or rejected.
expect_load() {
    local name=$1 wanted=$2 expect=accept
    shift 2
    if [[ $wanted == rejected ]]; then
        expect=reject
    fi
    run ekubench load "$@" --count 10 -n 2 --json --expect "$expect" --deadline 5s
    if [[ $(json "$dir/out" "r['arms'][0]['handshakes']['$wanted']") != 10 ]]; then
        fail "$name: wanted $wanted: $(cat -- "$dir/out" "$dir/err")"
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

# openssl s_server verifies as a TLS server of OpenSSL does, and sends a banner, which is the confirmation.
cp -- "$dir/trust-serverAuth.pem" "$dir/all-cas.pem"
for version in 1.2 1.3; do
    port=$(free_port)
    env -- "$mark" openssl s_server -accept "127.0.0.1:$port" "-tls${version/./_}" -www -quiet \
        -cert "$store/server.pem" -key "$store/privkey.pem" -CAfile "$dir/all-cas.pem" -Verify 5 \
        -verify_return_error >"$dir/s_server.out" 2>&1 &
    server_pid=$!
    if await 's_server' is_open "$port"; then
        # With -www it waits for a request: the client's own handshake is all there is to see. In TLS 1.2
        # that comes after the server's verdict.
        for client in clientAuth serverAuth; do
            rm -rf -- "$dir/present"
            cp -rL -- "$dir/$client" "$dir/present"
            cp -L -- "$store/ca.pem" "$dir/present/ca.pem"
            wanted=accepted
            if [[ $client == serverAuth && $version == 1.2 ]]; then
                wanted=rejected
            fi
            expect_load "s_server, TLS $version, $client" "$wanted" "127.0.0.1:$port" \
                --store "$dir/present" --tls "$version" --confirm none
        done
    fi
    kill "$server_pid"
    wait "$server_pid" 2>/dev/null || true
done

# nginx ends the handshake before it judges the certificate, whatever the version: it answers a request
# with 400 then. Hence it is loaded with clients that it accepts.
port=$(free_port)
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
        ssl_client_certificate $dir/all-cas.pem;
        ssl_verify_client on;
        ssl_verify_depth 5;
        return 200 "served\n";
    }
}
CONF
env -- "$mark" nginx -p "$dir/nginx" -c "$dir/nginx/nginx.conf" >"$dir/nginx/out" 2>&1 &
server_pid=$!
if await nginx is_open "$port"; then
    rm -rf -- "$dir/present"
    cp -rL -- "$dir/clientAuth" "$dir/present"
    cp -L -- "$store/ca.pem" "$dir/present/ca.pem"
    for version in 1.2 1.3; do
        expect_load "nginx, TLS $version" accepted "127.0.0.1:$port" --store "$dir/present" \
            --tls "$version" --confirm none
    done
    # That it did verify, and as we do: over curl.
    for client in clientAuth serverAuth stranger; do
        run curl --silent --max-time 5 --cacert "$store/ca.pem" --cert "$dir/$client/client.pem" \
            --key "$dir/$client/clientprivkey.pem" "https://127.0.0.1:$port/"
        served=no
        if grep -q '^served' "$dir/out"; then
            served=yes
        fi
        if [[ $client/$served != clientAuth/yes && $client/$served != *[hr]/no ]]; then
            fail "nginx, $client: served: $served: $(cat -- "$dir/out" "$dir/err")"
        fi
    done
else
    cat -- "$dir/nginx/out" "$dir/nginx/error.log" >&2 || true
fi
kill "$server_pid"
wait "$server_pid" 2>/dev/null || true
expect_nothing_left interop
finish
