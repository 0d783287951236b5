#!/usr/bin/env bash
#
# ekubench beside what people use today: bench/peers/run.sh [--install] [client|server|all] [ROUNDS]
#   client  handshakes per second of the client's CPU time, against one nginx, one-way and mutual TLS:
#           ekubench load, openssl s_time, h2load
#   server  accepted mTLS handshakes per second of the server's CPU time, from one client (ekubench load):
#           ekubench serve, nginx, haproxy, stunnel, openssl s_server
#   ROUNDS  default 10; in each every contestant runs once, in an order drawn by lot
#   --install  apt-get the peers first; without it those that are missing are named and left out
# Needs a build in build/release, two CPUs and python3. bench/peers/README.md says how to read it.
# environment: EKUBENCH, the program; EKUBENCH_PEERS_SECONDS, for each turn (default 3);
#   EKUBENCH_PEERS_SEED, of the order (default 1); EKUBENCH_PEERS_CONFIRM, what counts as accepted by
#   a foreign server (default http); EKUBENCH_PEERS_ROWS, where to keep the rows
# exit status: 0 all bars that could be tried are met, 1 one is not, 2 wrong usage, 3 cannot be run here

set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
bin=${EKUBENCH:-$root/build/release/ekubench}
PATH=$PATH:/usr/sbin:/sbin
seconds=${EKUBENCH_PEERS_SECONDS:-3}
seed=${EKUBENCH_PEERS_SEED:-1}

# What counts as accepted by a server that is not ours: its answer to a request. By the end of the client's own
# handshake (`none`) a server would be paid for handshakes that it never made: in TLS 1.3 that comes before it has
# looked at the client's certificate, and the client then resets the connection. See "What is counted" in README.md.
confirm=${EKUBENCH_PEERS_CONFIRM:-http}

# The same for all: TLS 1.3, this suite, this group, P-256 certificates signed by the root, no tickets.
readonly SUITE=TLS_AES_128_GCM_SHA256 GROUP=X25519
# In flight: the client that is measured has its CPU to itself anyway; a server that is measured is to be busy.
readonly CLIENT_IN_FLIGHT=32 SERVER_IN_FLIGHT=128
# h2load closes no connection and opens another: so many are opened in a turn, at a rate that it keeps up with.
readonly H2LOAD_PER_S=500

say() {
    printf 'peers: %s\n' "$1" >&2
}

usage() {
    sed -n '3,17s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

install=no part=all rounds=10
while (($# > 0)); do
    case $1 in
    --install) install=yes ;;
    client | server | all) part=$1 ;;
    [1-9] | [1-9][0-9] | [1-9][0-9][0-9]) rounds=$1 ;;
    *) usage ;;
    esac
    shift
done

declare -A package=([openssl]=openssl [h2load]=nghttp2-client [nginx]=nginx [haproxy]=haproxy [stunnel]=stunnel4)

if [[ $install == yes ]]; then
    # RUNLEVEL: no service is started.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${package[@]}" >&2
fi
for program in python3 taskset "$bin"; do
    if ! command -v "$program" >/dev/null; then
        say "$program is missing"
        exit 3
    fi
done

# has PEER
has() {
    command -v "$1" >/dev/null
}

mapfile -t cpus < <(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' |
    while IFS=- read -r first last; do seq "$first" "${last:-$first}"; done)
if ((${#cpus[@]} < 2)); then
    say 'two CPUs are needed, one for either side'
    exit 3
fi
server_cpu=${cpus[0]} client_cpu=${cpus[1]}

dir=$(mktemp -d)
pids=()
cleanup() {
    local pid
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf -- "$dir"
}
trap cleanup EXIT

# The servers, all of them up for the whole run; one that is not loaded costs nothing.

store=$dir/store
"$bin" pki mint "$store" >/dev/null
"$bin" pki mint "$dir/stranger" >/dev/null
cat -- "$store/server.pem" "$store/privkey.pem" >"$dir/both.pem"
read -r port_one_way port_nginx port_plain port_haproxy port_stunnel port_s_server < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
print(*(s.getsockname()[1] for s in sockets))')
declare -A port pid_of

# serve NAME PORT COMMAND...: the server in the background, on its CPU, until something listens there.
serve() {
    local name=$1 i
    port[$name]=$2
    shift 2
    : >"$dir/$name.out"
    taskset -c "$server_cpu" "$@" >"$dir/$name.out" 2>&1 </dev/null &
    pid_of[$name]=$!
    pids+=("$!")
    for ((i = 0; i < 100; i++)); do
        if [[ ${port[$name]} == 0 ]]; then
            port[$name]=$(sed -n 's/^listening on 127.0.0.1:\([0-9]*\),.*/\1/p' "$dir/$name.out")
            port[$name]=${port[$name]:-0}
        elif (exec 3<>"/dev/tcp/127.0.0.1/${port[$name]}") 2>/dev/null; then
            return
        fi
        sleep 0.05
    done
    say "$name does not start: $(cat -- "$dir/$name.out")"
    exit 3
}

nginx_tls() {
    cat <<CONF
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites $SUITE;
        ssl_ecdh_curve $GROUP;
        ssl_session_cache off;
        ssl_session_tickets off;
        ssl_conf_command NumTickets 0;
        ssl_certificate $store/server.pem;
        ssl_certificate_key $store/privkey.pem;
CONF
}

serve_nginx() {
    mkdir -- "$dir/nginx"
    cat >"$dir/nginx.conf" <<CONF
daemon off;
worker_processes 1;
error_log $dir/nginx/error.log crit;
pid $dir/nginx/pid;
events { worker_connections 8192; }
http {
    access_log off;
    client_body_temp_path $dir/nginx/1;
    proxy_temp_path $dir/nginx/2;
    fastcgi_temp_path $dir/nginx/3;
    uwsgi_temp_path $dir/nginx/4;
    scgi_temp_path $dir/nginx/5;
    server {
        listen 127.0.0.1:$port_one_way ssl backlog=4096;
$(nginx_tls)
        return 200 "served\n";
    }
    server {
        listen 127.0.0.1:$port_nginx ssl backlog=4096;
$(nginx_tls)
        ssl_client_certificate $store/ca.pem;
        ssl_verify_client on;
        ssl_verify_depth 5;
        return 200 "served\n";
    }
    server {
        listen 127.0.0.1:$port_plain backlog=4096;
        return 200 "served\n";
    }
}
CONF
    serve nginx "$port_nginx" nginx -p "$dir/nginx" -c "$dir/nginx.conf"
    port[one-way]=$port_one_way
}

# Its no-tls-tickets still leaves two of the other kind (stateful ones) in TLS 1.3: OpenSSL's own configuration
# ends that.
serve_haproxy() {
    cat >"$dir/openssl.cnf" <<CONF
openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = tls
[tls]
NumTickets = 0
CONF
    cat >"$dir/haproxy.cfg" <<CONF
global
    nbthread 1
    maxconn 8192
    tune.ssl.cachesize 0
defaults
    mode http
    timeout client 10s
    timeout connect 10s
    timeout server 10s
frontend mtls
    bind 127.0.0.1:$port_haproxy backlog 4096 ssl crt $dir/both.pem ca-file $store/ca.pem verify required no-tls-tickets ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.3 ciphersuites $SUITE curves $GROUP
    http-request return status 200 content-type text/plain string served
CONF
    serve haproxy "$port_haproxy" env "OPENSSL_CONF=$dir/openssl.cnf" haproxy -db -f "$dir/haproxy.cfg"
}

# It has to have something behind it: nginx's port without TLS, whose CPU time is not counted.
serve_stunnel() {
    cat >"$dir/stunnel.conf" <<CONF
foreground = yes
pid =
syslog = no
debug = crit
[mtls]
accept = 127.0.0.1:$port_stunnel
connect = 127.0.0.1:$port_plain
cert = $dir/both.pem
CAfile = $store/ca.pem
verifyChain = yes
requireCert = yes
sslVersion = TLSv1.3
ciphersuites = $SUITE
curves = $GROUP
sessionResume = no
options = NO_TICKET
TIMEOUTclose = 0
CONF
    serve stunnel "$port_stunnel" stunnel "$dir/stunnel.conf"
}

serve_s_server() {
    serve s_server "$port_s_server" openssl s_server -accept "127.0.0.1:$port_s_server" -www -quiet -tls1_3 \
        -ciphersuites "$SUITE" -groups "$GROUP" -num_tickets 0 -no_cache -cert "$store/server.pem" \
        -key "$store/privkey.pem" -CAfile "$store/ca.pem" -Verify 5 -verify_return_error
}

# check_server NAME: it takes the client that it should, refuses a stranger, and sends no ticket. A comparison with
# a server that is set up in another way would be none.
check_server() {
    local who accepted wanted=yes
    has openssl || return 0
    for who in store stranger; do
        { printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' && sleep 0.5; } |
            timeout 2 openssl s_client -connect "127.0.0.1:${port[$1]}" -ign_eof -tls1_3 \
                -ciphersuites "$SUITE" -CAfile "$store/ca.pem" -verify_return_error -cert "$dir/$who/client.pem" -key "$dir/$who/clientprivkey.pem" \
                >"$dir/check" 2>&1 || true
        accepted=no
        if grep -Eq '^(HTTP/1.[01] 200|K)' "$dir/check"; then
            accepted=yes
        fi
        if [[ $accepted != "$wanted" ]] || grep -q 'New Session Ticket arrived' "$dir/check" ||
            ! grep -Eq "Cipher is $SUITE" "$dir/check" || ! grep -q "Server Temp Key: $GROUP" "$dir/check"; then
            cat -- "$dir/check" >&2
            say "$1 is not set up as it should be ($who: accepted: $accepted)"
            exit 3
        fi
        wanted=no
    done
}

# The contestants. Each turn adds a row: what, who, handshakes, CPU seconds, seconds.

# on_client COMMAND...: runs it on the client's CPU; its output goes to $dir/out, the seconds that it took and
# those of CPU time, with that of its children, to $wall and $cpu.
on_client() {
    local TIMEFORMAT='%R %U %S' user system
    { time taskset -c "$client_cpu" "$@" >"$dir/out" 2>"$dir/err" </dev/null || true; } 2>"$dir/time"
    read -r wall user system <"$dir/time"
    cpu=$(python3 -c 'import sys; print(float(sys.argv[1]) + float(sys.argv[2]))' "$user" "$system")
}

row() {
    if ! [[ $3 =~ ^[1-9][0-9]*$ ]]; then
        say "$1, $2: no handshakes: $(cat -- "$dir/out" "$dir/err")"
        exit 3
    fi
    printf '%s\t%s\t%s\t%s\t%s\n' "$@" >>"$dir/rows"
}

# load PORT CONFIRM IN_FLIGHT ARGUMENT...: our client for one turn; what it counts as accepted to $accepted.
load() {
    on_client "$bin" load "127.0.0.1:$1" --tls 1.3 --confirm "$2" -n "$3" --warmup 0s -t "${seconds}s" --json \
        "${@:4}"
    accepted=$(python3 -c 'import json, sys
result = json.load(open(sys.argv[1]))
counts = result["arms"][0]["handshakes"]
assert counts["failed"] + counts["rejected"] == 0, counts
assert result["plan"]["cipher"] == sys.argv[2], result["plan"]
print(counts["accepted"])' "$dir/out" "$SUITE")
}

# client_ekubench WHAT PORT: with the server's chain verified, to the end of the client's own handshake, as s_time.
client_ekubench() {
    load "$2" none "$CLIENT_IN_FLIGHT" --store "$store"
    row "$1" ekubench "$accepted" "$cpu" "$wall"
}

# client_insecure WHAT PORT: the same, the chain not verified.
client_insecure() {
    load "$2" none "$CLIENT_IN_FLIGHT" --insecure
    row "$1" 'ekubench, insecure' "$accepted" "$cpu" "$wall"
}

# client_asking WHAT PORT: the chain not verified, and a request and its answer, as h2load.
client_asking() {
    load "$2" http "$CLIENT_IN_FLIGHT" --insecure
    row "$1" 'ekubench, asking' "$accepted" "$cpu" "$wall"
}

# client_s_time WHAT PORT [OPTIONS...]: what it says of CPU time is that of the user's part only.
client_s_time() {
    on_client openssl s_time -connect "127.0.0.1:$2" -new -time "$seconds" -tls1_3 -ciphersuites "$SUITE" \
        -CAfile "$store/ca.pem" -verify 5 "${@:3}"
    row "$1" 'openssl s_time' "$(sed -n 's/^\([0-9]*\) connections in .* real seconds.*/\1/p' "$dir/out")" "$cpu" "$wall"
}

# client_h2load WHAT PORT: one connection for each request, which it cannot do without. It verifies nothing.
client_h2load() {
    local num=$((seconds * H2LOAD_PER_S))
    on_client h2load --h1 -t 1 -c "$num" -n "$num" -r "$H2LOAD_PER_S" --tls13-ciphers="$SUITE" \
        --groups="$GROUP" "https://127.0.0.1:$2/"
    row "$1" h2load "$(sed -n 's/^requests: .* \([0-9]*\) succeeded.*/\1/p' "$dir/out")" "$cpu" "$wall"
}

# cpu_ticks PID: user and system time of the process and of those below it.
cpu_ticks() {
    local stat fields children child sum
    stat=$(<"/proc/$1/stat")
    read -r -a fields <<<"${stat##*) }"
    sum=$((fields[11] + fields[12]))
    read -r -a children < <(cat "/proc/$1/task/"*/children) || true
    for child in "${children[@]}"; do
        sum=$((sum + $(cpu_ticks "$child")))
    done
    printf '%s\n' "$sum"
}

# server NAME CONFIRM LABEL
server() {
    local before after
    before=$(cpu_ticks "${pid_of[$1]}")
    load "${port[$1]}" "$2" "$SERVER_IN_FLIGHT" --store "$store" --insecure
    sleep 0.2 # What the client has left behind.
    after=$(cpu_ticks "${pid_of[$1]}")
    row server "$3" "$accepted" "$(python3 -c 'import sys
print((int(sys.argv[2]) - int(sys.argv[1])) / int(sys.argv[3]))' "$before" "$after" "$(getconf CLK_TCK)")" "$wall"
}

turns=()
missing=()

# needs PEER TURN...: what is done if it is there.
needs() {
    if has "$1"; then
        turns+=("${@:2}")
    else
        missing+=("$1 (Debian: ${package[$1]})")
    fi
}

if has nginx; then
    serve_nginx
    check_server nginx
fi
mtls=(-cert "$store/client.pem" -key "$store/clientprivkey.pem")
if [[ $part != server ]]; then
    if has nginx; then
        turns+=("client_ekubench one-way $port_one_way" "client_insecure one-way $port_one_way"
            "client_asking one-way $port_one_way"
            "client_ekubench mtls $port_nginx")
        needs openssl "client_s_time one-way $port_one_way" "client_s_time mtls $port_nginx ${mtls[*]}"
        needs h2load "client_h2load one-way $port_one_way"
    else
        missing+=("nginx (Debian: ${package[nginx]}), which all clients need")
    fi
fi
if [[ $part != client ]]; then
    serve ekubench 0 "$bin" serve --store "$store" --listen 127.0.0.1:0,tls=1.3
    turns+=('server ekubench byte ekubench')
    needs nginx "server nginx $confirm nginx"
    needs haproxy "server haproxy $confirm haproxy"
    needs openssl "server s_server $confirm s_server"
    if has nginx; then
        needs stunnel "server stunnel $confirm stunnel"
    fi
    for name in haproxy stunnel s_server; do
        if [[ " ${turns[*]} " == *" server $name "* ]]; then
            "serve_$name"
        fi
    done
    for name in ekubench haproxy stunnel s_server; do
        if [[ -n ${pid_of[$name]:-} ]]; then
            check_server "$name"
        fi
    done
fi
if ((${#turns[@]} < 2)); then
    say "nothing to compare with: missing: ${missing[*]}"
    exit 3
fi

# versions: of everything that takes part.
versions() {
    "$bin" --version | sed '2s/^/  /; 2q'
    has openssl && openssl version
    has h2load && h2load --version
    has nginx && nginx -V 2>&1 | sed -n '/version:/p; /built with/s/^/  /p'
    has haproxy && haproxy -vv | sed -n 's/^HAProxy version/HAProxy/p; s/^Running on OpenSSL/  running on OpenSSL/p'
    has stunnel && stunnel -version 2>&1 | sed -n '/^stunnel/p; /^Running/s/^/  /p'
    return 0
}
versions >"$dir/versions" 2>/dev/null

# order: the turns of one round, one a line, drawn by lot.
RANDOM=$seed
order() {
    local i j other
    for ((i = ${#turns[@]} - 1; i > 0; i--)); do
        j=$((RANDOM % (i + 1)))
        other=${turns[i]} turns[i]=${turns[j]} turns[j]=$other
    done
}

: >"$dir/rows"
for ((round = 1; round <= rounds; round++)); do
    order
    for turn in "${turns[@]}"; do
        read -r -a words <<<"$turn"
        "${words[@]}"
    done
    say "round $round of $rounds"
done
if [[ -n ${EKUBENCH_PEERS_ROWS:-} ]]; then
    cp -- "$dir/rows" "$EKUBENCH_PEERS_ROWS"
fi

printf 'Full handshakes, TLS 1.3, %s, %s, P-256 certificates signed by the root, no resumption, loopback;\n' "$SUITE" "$GROUP"
printf '%s rounds of %s s each, in an order drawn by lot (seed %s); client on CPU %s, server on CPU %s.\n' \
    "$rounds" "$seconds" "$seed" "$client_cpu" "$server_cpu"
printf 'ekubench links BoringSSL, the peers Debian'"'"'s OpenSSL: a difference is that of library and engine together.\n'
sed 's/^/  /' "$dir/versions"
for name in "${missing[@]}"; do
    printf 'missing: %s\n' "$name"
done
python3 "$here/ratios.py" "$dir/rows" "$confirm"
