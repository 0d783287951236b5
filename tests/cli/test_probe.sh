#!/usr/bin/env bash
#
# `ekubench probe` against servers of each kind: tests/cli/test_probe.sh EKUBENCH
# What it prints is compared with the files in tests/cli/golden/probe; with EKUBENCH_GOLDEN=write in the
# environment they are written instead, to be looked at before they are committed.
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_probe.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
golden=$root/tests/cli/golden/probe
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3
skip_without_io_uring

# Stores. The node has certificates for both roles, and is a server too; `rsa` and `client-only` are servers
# that it trusts, `stranger` is one that it does not; of `server-only` the client has the wrong usage.
mint() {
    run ekubench pki mint "$dir/$1" "${@:2}"
    expect "mint $1" 0
    cp -- "$dir/$1/ca.pem" "$dir/$1.root.pem"
}
trust() {
    run ekubench store trust add "$dir/$2.root.pem" -s "$dir/$1"
    expect "$1 trusts $2" 0
}
mint node --depth 2 --server-eku both --ip 127.0.0.1 --ip ::1
mint rsa --key rsa2048
mint stranger --depth 2
mint server-only --client-eku serverAuth --server-eku serverAuth
mint client-only --server-eku clientAuth
for name in alone empty; do
    run ekubench store init -s "$dir/$name" --cn localhost
    expect "init $name" 0
done
for name in rsa server-only client-only; do
    trust node "$name"
done
for name in stranger server-only empty; do
    trust "$name" node
done

# Servers.
declare -A address
start() {
    local name=$1 i
    shift
    start_server "$name" "$@" || finish
    pids+=("$server_pid")
    for ((i = 1; i <= 5; i++)); do
        address[$name.$i]=$(listen_address "$name" "$i")
    done
}
pids=()
start node --store "$dir/node" --listen 127.0.0.1:0 --listen 127.0.0.1:0,verify=one-way \
    --listen '[::1]:0,verify=one-way' --listen "127.0.0.1:0,verify=one-way,second=$dir/rsa" --listen 127.0.0.1:0,eku=off
start rsa --store "$dir/rsa" --listen 127.0.0.1:0,verify=one-way
start alone --store "$dir/alone" --listen 127.0.0.1:0,verify=one-way --listen "127.0.0.1:0,verify=one-way,second=$dir/rsa"
start stranger --store "$dir/stranger" --listen 127.0.0.1:0,verify=one-way
start client-only --store "$dir/client-only" --listen 127.0.0.1:0,verify=one-way

# probe NAME STATUS ARGUMENT...: as `node`, if no store is named.
probe() {
    local name=$1 wanted=$2
    shift 2
    if [[ " $* " != *" --store "* ]]; then
        set -- "$@" --store "$dir/node"
    fi
    run ekubench probe "$@"
    expect "$name" "$wanted"
}

# normal FILE: without what differs from run to run. The serial numbers of leaves become their stores' names.
serial_names=
for name in node rsa stranger server-only client-only alone empty; do
    for side in server client; do
        serial=$("$bin" store show "$side" -s "$dir/$name" --json 2>/dev/null |
            sed -n 's/.*"serial": "\([0-9a-f]*\)".*/\1/p' | head -n 1)
        serial_names+="${serial:+s/$serial/<$name $side>/g;}"
    done
done
normal() {
    sed -E -e "$serial_names" -e "s/((serial +|\"serial\": \"))[0-9a-f]+/\1<serial>/" \
        -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z/<time>/' -e 's/(127\.0\.0\.1|localhost|::1\]):[0-9]+/\1:<port>/' \
        -e 's/TLS_(AES_128_GCM_SHA256|AES_256_GCM_SHA384|CHACHA20_POLY1305_SHA256)/<suite of TLS 1.3>/' "$1"
}

# shows FILE NAME STATUS ARGUMENT...: a probe, added to what is compared with a golden file.
shows() {
    local file=$1 name=$2
    probe "${@:2}"
    {
        printf '== %s (%s)\n' "$name" "$status"
        normal "$dir/out"
        normal "$dir/err"
    } >>"$dir/$file"
}

# compare FILE: all that was shown.
compare() {
    if [[ ${EKUBENCH_GOLDEN:-} == write ]]; then
        mkdir -p -- "$golden"
        cp -- "$dir/$1" "$golden/$1"
    elif ! diff -u -- "$golden/$1" "$dir/$1" >&2; then
        fail "$1 is not what tests/cli/golden/probe has"
    fi
}

for tls in 1.2 1.3; do
    text=$tls.txt
    json=$tls.json.txt
    shows "$text" 'mutual' 0 "${address[node.1]}" --tls "$tls"
    shows "$text" 'mutual, as X15.4' 0 "${address[node.1]}" --tls "$tls" --release X15.4
    shows "$text" 'not asked' 0 "${address[node.2]}" --tls "$tls"
    shows "$text" 'RSA alone' 0 "${address[rsa.1]}" --tls "$tls"
    shows "$text" 'RSA trusted, ECDSA self-signed' 1 "${address[alone.2]}" --name localhost --tls "$tls"
    shows "$text" 'the same, as X14.1' 0 "${address[alone.2]}" --name localhost --tls "$tls" --release X14.1
    shows "$text" 'the same, as X14.1 at discovery' 0 "${address[alone.2]}" --name localhost --tls "$tls" --release X14.1 --discovery
    shows "$text" 'self-signed' 1 "localhost:${address[alone.1]##*:}" --tls "$tls"
    shows "$text" 'unknown CA' 1 "${address[stranger.1]}" --tls "$tls"
    shows "$text" 'expired' 1 "${address[node.2]}" --tls "$tls" --at 2049-01-01
    shows "$text" 'address not in the SANs' 1 "${address[node.1]}" --name 192.0.2.7 --tls "$tls"
    shows "$text" 'name not in the SANs' 1 "localhost:${address[node.2]##*:}" --name other.example --tls "$tls"
    shows "$text" 'wrong purpose' 1 "${address[client-only.1]}" --tls "$tls"
    shows "$text" 'the server wants clientAuth' 1 "${address[node.1]}" --tls "$tls" --store "$dir/server-only"
    shows "$text" 'the server wants serverAuth' 1 "${address[node.5]}" --tls "$tls"
    shows "$text" 'the server does not know our CA' 1 "${address[node.1]}" --tls "$tls" --store "$dir/stranger"
    shows "$text" 'nothing to present' 1 "${address[node.1]}" --tls "$tls" --store "$dir/empty"
    shows "$text" 'a store without trusted CAs' 1 "${address[node.1]}" --tls "$tls" --store "$dir/alone"
    shows "$json" 'mutual' 0 "${address[node.1]}" --tls "$tls" --json
    shows "$json" 'RSA trusted, ECDSA self-signed' 1 "${address[alone.2]}" --name localhost --tls "$tls" --json
    shows "$json" 'address not in the SANs' 1 "${address[node.1]}" --name 192.0.2.7 --tls "$tls" --json
    shows "$json" 'the server wants clientAuth' 1 "${address[node.1]}" --tls "$tls" --store "$dir/server-only" --json
    shows "$json" 'nothing to present' 1 "${address[node.1]}" --tls "$tls" --store "$dir/empty" --json
    compare "$text"
    compare "$json"
done

# Names: case and a last dot do not matter, brackets are IPv6's.
port=${address[node.1]##*:}
for words in "LOCALHOST:$port" "127.0.0.1:$port --name LocalHost." "127.0.0.1:$port --name ::1" \
    "127.0.0.1:$port --name [::1]" "${address[node.3]}" "${address[node.3]} --name localhost" \
    "[0:0:0:0:0:0:0:1]:${address[node.3]##*:}"; do
    # shellcheck disable=SC2086 # Several words.
    probe "probe $words" 0 $words
done
probe 'a name with a dot, in the line' 1 "127.0.0.1:$port" --name Other.Example.
says 'a name with a dot, in the line' 'WARNING: SNI (Other.Example) not in certificate. Action=Terminate server=Other.Example(127.0.0.1)'
probe 'an IPv6 address, in the line' 1 "${address[node.3]}" --name 2001:db8::1
says 'an IPv6 address, in the line' 'WARNING: SNI (2001:db8::1) not in certificate. Action=Terminate server=2001:db8::1(::1)'

# The same certificate, whatever is asked for.
odd() {
    rm -f -- "$dir/$1.out" # Of the one before.
    env -- "$mark" /usr/bin/python3 "$root/tests/cli/odd_server.py" "$@" >"$dir/$1.out" 2>"$dir/$1.err" &
    odd_pid=$!
    await "$1" grep -qs '^listening on ' "$dir/$1.out" || finish
    address[$1]=$(listen_address "$1" 1)
}
odd_end() {
    kill "$odd_pid"
    wait "$odd_pid" 2>/dev/null || true
}
for name in rsa node; do
    odd same "$dir/$name/server.pem"
    probe "always that of $name" 1 "${address[same]}" --json --release X14.1
    [[ $(json "$dir/out" '[x["kind"] for x in r["certificates"]], set(x["certificate"] for x in r["releases"]), r["asked"]') == "(['$(
        if [[ $name == rsa ]]; then echo RSA; else echo ECDSA; fi
    )'], {'$(if [[ $name == rsa ]]; then echo RSA; else echo ECDSA; fi)'}, None)" ]] || fail "always that of $name: $(cat -- "$dir/out")"
    odd_end
done

# What is no TLS server, or no server at all: a sentence, and JSON that says so.
unreachable() {
    probe "$1" "$2" "$3" --timeout 500ms
    says "$1" "$4"
    [[ ! -s $dir/out ]] || fail "$1: $(cat -- "$dir/out")"
    probe "$1, JSON" "$2" "$3" --timeout 500ms --json
    [[ $(json "$dir/out" 'r["works"], r["code"], r["certificates"]') == "(False, '$5', [])" ]] ||
        fail "$1: $(cat -- "$dir/out" "$dir/err")"
}
odd close
probe 'hangs up' 3 "${address[close]}"
says 'hangs up' 'the server ended the connection before it asked for a certificate: look at its log'
odd_end
odd http
unreachable 'plain text' 3 "${address[http]}" 'the peer does not speak TLS; that is no TLS server: look at the port' tls_not_tls
odd_end
odd silent
unreachable 'silence' 3 "${address[silent]}" 'the handshake took longer than its deadline' deadline
odd_end
odd alert
unreachable 'nothing in common' 1 "${address[alert]}" \
    'the peer ended the handshake with an alert (handshake_failure); the server shares no cipher suite, group or signature algorithm' tls_alert
odd_end
unreachable 'nobody' 3 "${address[alert]}" 'nothing listens at that address' connect_refused
run ekubench probe nowhere.invalid:8443 --store "$dir/node"
expect 'a name that nobody has' 3
says 'a name that nobody has' 'nowhere.invalid'

# OpenSSL's server: two certificates, suites of which there is one, and its own verdict on the client.
s_server() {
    rm -f -- "$dir/s_server"
    # It ends with its input, which therefore has no end.
    env -- "$mark" openssl s_server -accept 127.0.0.1:0 "$@" >"$dir/s_server" 2>&1 <>"$dir/endless" &
    openssl_pid=$!
    await 's_server' grep -qs '^ACCEPT ' "$dir/s_server" || finish
    openssl_port=$(sed -n 's/^ACCEPT 127\.0\.0\.1:\([0-9]*\)$/\1/p' "$dir/s_server" | head -n 1)
}
s_server_end() {
    kill "$openssl_pid" 2>/dev/null || true
    wait "$openssl_pid" 2>/dev/null || true
}
foreign() {
    local ours=(-cert "$dir/node/server.pem" -cert_chain "$dir/above.pem" -key "$dir/node/privkey.pem")
    local rsa=(-cert "$dir/rsa/server.pem" -key "$dir/rsa/privkey.pem")
    local words name
    mkfifo "$dir/endless"
    sed '1,/END CERTIFICATE/d' "$dir/node/server.pem" >"$dir/above.pem"
    s_server "${ours[@]}" -CAfile "$dir/node/ca.pem" -Verify 4 -verify_return_error
    probe 's_server, mutual' 0 "127.0.0.1:$openssl_port"
    says 's_server, mutual' 'presents its client certificate'
    for words in 1.2 1.3; do
        probe "s_server, $words, nothing to present" 1 "127.0.0.1:$openssl_port" --store "$dir/empty" --tls "$words"
        says "s_server, $words, nothing to present" 'the server wants a client certificate, and none was presented'
        probe "s_server, $words, wrong usage" 1 "127.0.0.1:$openssl_port" --store "$dir/server-only" --tls "$words"
        says "s_server, $words, wrong usage" 'upload one with clientAuth to the client store'
    done
    s_server_end
    s_server -cert "$dir/alone/server.pem" -key "$dir/alone/privkey.pem" -dcert "$dir/rsa/server.pem" -dkey "$dir/rsa/privkey.pem"
    for words in '--tls 1.2' '--tls 1.3' ''; do
        # shellcheck disable=SC2086 # Several words, or none.
        probe "s_server, two, $words" 1 "127.0.0.1:$openssl_port" --name localhost $words
        says "s_server, two, $words" 'RSA certificate: trusted, and of that name'
        says "s_server, two, $words" 'ECDSA certificate: self signed certificate'
        says "s_server, two, $words" 'Action=Terminate Error=self signed certificate server=localhost(127.0.0.1) depth=0'
        grep -Eq '^  up to X14.1 +RSA +not verified$' "$dir/out" || fail "s_server, two, X14.1: $(cat -- "$dir/out")"
        # shellcheck disable=SC2086
        probe "s_server, two, X14.1, $words" 0 "127.0.0.1:$openssl_port" --name localhost --release X14.1 --discovery $words
    done
    s_server_end
    # With a preference of its own the server does not care what the client asks for first.
    s_server "${rsa[@]}" -dcert "$dir/alone/server.pem" -dkey "$dir/alone/privkey.pem" -serverpref
    for words in 1.2 1.3; do
        probe "s_server, its own preference, $words" 1 "127.0.0.1:$openssl_port" --name localhost --tls "$words"
        says "s_server, its own preference, $words" 'RSA certificate: trusted, and of that name'
        grep -Eq '^  up to X14.1 +ECDSA +not verified$' "$dir/out" || fail "s_server, its own preference: $(cat -- "$dir/out")"
    done
    s_server_end
    # A curve that the library does not offer by itself; and keys that it does not know at all.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-521 -nodes -subj /CN=localhost -keyout "$dir/p521.key" -out "$dir/p521.pem" 2>"$dir/err"
    s_server -cert "$dir/p521.pem" -key "$dir/p521.key"
    for words in 1.2 1.3; do
        probe "s_server, P-521, $words" 1 "127.0.0.1:$openssl_port" --name localhost --tls "$words"
        says "s_server, P-521, $words" 'EC P-521'
        says "s_server, P-521, $words" 'Error=self signed certificate server=localhost(127.0.0.1) depth=0'
    done
    s_server_end
    openssl req -x509 -newkey rsa-pss -pkeyopt rsa_keygen_bits:2048 -nodes -subj /CN=localhost -keyout "$dir/pss.key" -out "$dir/pss.pem" 2>"$dir/err"
    s_server -cert "$dir/pss.pem" -key "$dir/pss.key"
    probe 's_server, RSA for PSS alone' 1 "127.0.0.1:$openssl_port"
    says 's_server, RSA for PSS alone' 'shares no cipher suite, group or signature algorithm with the node'
    s_server_end
    # A certificate that is good, but for the key usage: TLS signs with its key.
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=usage -keyout "$dir/usage.key" -out "$dir/usage.root.pem" 2>"$dir/err"
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$dir/leaf.key" -out "$dir/leaf.csr" 2>"$dir/err"
    printf 'subjectAltName=DNS:localhost\nkeyUsage=keyEncipherment\nextendedKeyUsage=serverAuth\n' >"$dir/leaf.ext"
    openssl x509 -req -in "$dir/leaf.csr" -CA "$dir/usage.root.pem" -CAkey "$dir/usage.key" -set_serial 7 \
        -extfile "$dir/leaf.ext" -out "$dir/leaf.pem" 2>"$dir/err"
    trust node usage
    s_server -cert "$dir/leaf.pem" -key "$dir/leaf.key"
    probe 's_server, key usage, 1.2' 1 "127.0.0.1:$openssl_port" --name localhost --tls 1.2
    says 's_server, key usage, 1.2' 'Action=Terminate Error=unsupported certificate purpose server=localhost(127.0.0.1) depth=0'
    says 's_server, key usage, 1.2' 'with digitalSignature'
    probe 's_server, key usage, 1.3' 1 "127.0.0.1:$openssl_port" --name localhost --tls 1.3
    says 's_server, key usage, 1.3' 'with digitalSignature'
    s_server_end
    # One suite, by OpenSSL's name and by the one that is printed.
    while read -r words name; do
        s_server "${rsa[@]}" -dcert "$dir/node/server.pem" -dkey "$dir/node/privkey.pem" -dcert_chain "$dir/above.pem" \
            -tls1_2 -cipher "$words"
        probe "s_server, $words" 0 "127.0.0.1:$openssl_port"
        says "s_server, $words" "TLSv1.2, $name"
        s_server_end
    done <<<'ECDHE-RSA-CHACHA20-POLY1305 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
ECDHE-RSA-AES256-SHA TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA
AES128-SHA TLS_RSA_WITH_AES_128_CBC_SHA
AES256-GCM-SHA384 TLS_RSA_WITH_AES_256_GCM_SHA384
ECDHE-ECDSA-CHACHA20-POLY1305 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
ECDHE-ECDSA-AES128-SHA TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA'
}
if openssl version 2>/dev/null | grep -q '^OpenSSL'; then
    foreign
else
    echo 'openssl is not installed: not tried with its server'
fi

# Nonsense.
for words in '' '127.0.0.1' ':1 --store x' '::1:1 --store x' '[]:1 --store x' '.:1 --store x' '127.0.0.1:x --store x' '127.0.0.1:1' \
    '127.0.0.1:1 --store x --name a@b.c' '127.0.0.1:1 --store x --name .' '127.0.0.1:1 --store x --name a:1' \
    '127.0.0.1:1 --store x --release 7' '127.0.0.1:1 --store x --at never' '127.0.0.1:1 --store x --tls 1.1' \
    "127.0.0.1:1 --store $dir/absent" "127.0.0.1:1 --store $dir" '127.0.0.1:1 --store x --timeout 1us' '127.0.0.1:1 127.0.0.1:2 --store x'; do
    # shellcheck disable=SC2086 # Several words.
    run ekubench probe $words
    expect "probe $words" 2
    [[ -s $dir/err && ! -s $dir/out ]] || fail "probe $words: $(cat -- "$dir/out" "$dir/err")"
done

for pid in "${pids[@]}"; do
    kill -INT "$pid"
    end_of "$pid"
done
expect_nothing_left probe
finish
