#!/usr/bin/env bash
#
# Our server with clients that others wrote, OpenSSL and curl, in TLS 1.2 and 1.3:
# tests/cli/test_interop.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_interop.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs openssl curl /usr/bin/python3
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

expect_nothing_left interop
finish
