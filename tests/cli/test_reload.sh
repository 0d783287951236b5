#!/usr/bin/env bash
#
# SIGHUP and the event log of `ekubench serve`: what changes, what stays, and what is written of it:
# tests/cli/test_reload.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_reload.sh EKUBENCH' >&2
    exit 2
fi
# shellcheck source=tests/cli/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh" "$1"

needs /usr/bin/python3 openssl perl
skip_without_io_uring

# So that local time and UTC differ, whatever is installed.
export TZ=IST-5:30

mkfifo -- "$dir/silence"
events=$dir/events.log
listeners=$dir/listeners
store=$dir/store

# Stores. The server's, one of another CA, and a spare one of the same node with another identity.
for name in store other spare; do
    run ekubench pki mint "$dir/$name"
    if ((status != 0)); then
        fail "pki mint $name: status $status: $(cat -- "$dir/err")"
        finish
    fi
done
cp -rp -- "$store" "$dir/original"

# Verdicts.

# client NAME TARGET CERT KEY [OPTION...]: openssl s_client, which has nothing to say, in the
# background; its process goes to $client_pid. What it reads goes to $dir/NAME.client.
client() {
    local name=$1 target=$2 cert=$3 key=$4
    shift 4
    # A file must not be taken for the one of an earlier client.
    rm -f -- "$dir/$name.client" "$dir/$name.client.err"
    env -- "$mark" openssl s_client -connect "$target" -cert "$cert" -key "$key" -quiet "$@" \
        <>"$dir/silence" >"$dir/$name.client" 2>"$dir/$name.client.err" &
    client_pid=$!
}

# verdict_of NAME PID: waits for what the server says to that client, and ends it. $verdict is
# "accepted", the alert, or "nothing".
verdict_of() {
    local i
    verdict=nothing
    for ((i = 0; i < 500; i++)); do
        if grep -qs '^K' "$dir/$1.client"; then
            verdict=accepted
            break
        fi
        if ! kill -0 "$2" 2>/dev/null; then
            break
        fi
        sleep 0.02
    done
    kill "$2" 2>/dev/null || true
    wait "$2" 2>/dev/null || true
    if [[ $verdict == nothing ]] && grep -qs 'alert' "$dir/$1.client.err"; then
        # "...:SSL routines:ssl3_read_bytes:sslv3 alert unsupported certificate:..."
        verdict=$(sed -n 's/.*:[a-z0-9]* *alert \([a-z ]*\):.*/\1/p' "$dir/$1.client.err" | head -n 1)
    fi
}

# expect_verdict NAME WANTED: of the client NAME in $client_pid.
expect_verdict() {
    verdict_of "$1" "$client_pid"
    if [[ $verdict != "$2" ]]; then
        fail "$1: \"$verdict\", wanted \"$2\": $(head -c 300 -- "$dir/$1.client.err")"
    fi
}

# expect_modes NAME TARGET MODE: clients with either usage get what EKU mode MODE gives them.
expect_modes() {
    local name=$1 target=$2 for_client=accepted for_server='unsupported certificate'
    if [[ $3 == off ]]; then
        for_client='unsupported certificate'
        for_server=accepted
    fi
    client "$name, clientAuth" "$target" "$store/client.pem" "$store/clientprivkey.pem"
    expect_verdict "$name, clientAuth" "$for_client"
    client "$name, serverAuth" "$target" "$store/server.pem" "$store/privkey.pem"
    expect_verdict "$name, serverAuth" "$for_server"
}

# Reloads.

num_reloaded() {
    grep -c ' Event="Reloaded" ' "$events" || true
}

num_reload_failed() {
    grep -c ' Event="Reload Failed" ' "$events" || true
}

# has_more_than COUNT NUMBER: what the function COUNT says is more.
# shellcheck disable=SC2317 # Called by await.
has_more_than() {
    (($("$1") > $2))
}

# reload NAME: SIGHUP, and waits until it is done.
reload() {
    local before failed
    before=$(num_reloaded)
    failed=$(num_reload_failed)
    kill -HUP "$server_pid"
    await "$1: reload" has_more_than num_reloaded "$before" || true
    if (($(num_reload_failed) != failed)); then
        fail "$1: $(tail -n 1 -- "$events")"
    fi
}

# reload_fails NAME WORD: SIGHUP, which must end in a line with that word.
reload_fails() {
    local before reloaded line
    before=$(num_reload_failed)
    reloaded=$(num_reloaded)
    kill -HUP "$server_pid"
    await "$1: failure" has_more_than num_reload_failed "$before" || return 0
    line=$(grep ' Event="Reload Failed" ' "$events" | tail -n 1)
    if [[ $line != *"$2"* ]]; then
        fail "$1: no \"$2\" in: $line"
    fi
    if (($(num_reloaded) != reloaded)); then
        fail "$1: reloaded all the same"
    fi
}

# policies LINE...: the file of --listeners.
policies() {
    printf '%s\n' "$@" >"$listeners.new"
    mv -- "$listeners.new" "$listeners"
}

# serve NAME ARGUMENT...: a server of $listeners with an event log of its own.
serve() {
    local name=$1
    shift
    rm -f -- "$events"
    start_server "$name" --store "$store" --listeners "$listeners" --event-log "$events" "$@" || finish
    target=$(listen_address "$name" 1)
}

# stop NAME: ends the server, which must have lived until now.
stop() {
    if ! kill -INT "$server_pid" 2>/dev/null; then
        fail "$1: the server is gone: $(cat -- "$dir/$1.err")"
        return
    fi
    end_of "$server_pid"
    if ((status != 0)); then
        fail "$1: status $status: $(head -c 2000 -- "$dir/$1.err")"
    fi
    expect_nothing_left "$1"
}

# A slow client is a quick one behind this relay, which connects to the server at once and has it
# wait: relay.pl HOST PORT FIRST GO. It says at which port it listens; having connected and, if FIRST is
# not 0, passed on so many bytes of its client, says "held"; and goes on when the file GO is there.
cat >"$dir/relay.pl" <<'PERL'
use strict;
use IO::Select;
use IO::Socket::INET;
my ($host, $port, $first, $go) = @ARGV;
$| = 1;
my $server = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port) or die "connect: $!";
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "listen: $!";
print $listener->sockport, "\n";
my ($client, $rest) = (undef, '');
if ($first > 0) {
    $client = $listener->accept;
    while (length $rest < $first) {
        sysread $client, $rest, 65536, length $rest or die 'the client is gone';
    }
    syswrite $server, substr $rest, 0, $first;
    $rest = substr $rest, $first;
}
print "held\n";
select undef, undef, undef, 0.02 until -e $go;
$client //= $listener->accept;
syswrite $server, $rest if length $rest;
my $both = IO::Select->new($client, $server);
while (1) {
    for my $from ($both->can_read) {
        my $to = $from == $client ? $server : $client;
        exit 0 unless sysread $from, my $data, 65536;
        syswrite $to, $data;
    }
}
PERL

# slow NAME FIRST: a relay to $target in the background; its process goes to $relay_pid, its port to
# $relay_port.
slow() {
    rm -f -- "$dir/$1.go"
    env -- "$mark" perl "$dir/relay.pl" "${target%:*}" "${target##*:}" "$2" "$dir/$1.go" \
        >"$dir/$1.relay" 2>"$dir/$1.relay.err" &
    relay_pid=$!
    await "$1: relay" grep -qs '^[0-9]' "$dir/$1.relay" || cat -- "$dir/$1.relay.err" >&2
    relay_port=$(head -n 1 -- "$dir/$1.relay")
}

# serial TARGET: of the certificate that the server presents. What becomes of the connection then is of
# no interest.
serial() {
    { openssl s_client -connect "$1" -cert "$store/client.pem" -key "$store/clientprivkey.pem" \
        </dev/null 2>/dev/null || true; } | openssl x509 -noout -serial
}

# expect_serial NAME STORE: the server presents that store's certificate.
expect_serial() {
    local got wanted
    wanted=$(openssl x509 -noout -serial -in "$2/server.pem")
    got=$(serial "$target")
    if [[ $got != "$wanted" ]]; then
        fail "$1: presented: \"$got\", wanted \"$wanted\""
    fi
}

# Policies.

policies '# Listeners of the test.' '' "127.0.0.1:0,eku=off # The first." $'\t127.0.0.1:0,eku=none'
serve policies --event-rate 0
expect_modes 'at first' "$target" off
# Nothing happens until it is told.
policies 127.0.0.1:0,eku=on 127.0.0.1:0,eku=none
expect_modes 'before the signal' "$target" off
reload 'to on'
expect_modes 'off to on' "$target" on
policies 127.0.0.1:0,eku=off 127.0.0.1:0,eku=none
reload 'to off'
expect_modes 'on to off' "$target" off
client 'second listener' "$(listen_address policies 2)" "$store/server.pem" "$store/privkey.pem"
expect_verdict 'second listener' accepted
policies 127.0.0.1:0,eku=off,tls=1.2 127.0.0.1:0,eku=on,name=localhost
reload 'to TLS 1.2'
client 'TLS 1.3' "$target" "$store/server.pem" "$store/privkey.pem" -tls1_3
expect_verdict 'TLS 1.3' 'protocol version'
client 'TLS 1.2' "$target" "$store/server.pem" "$store/privkey.pem" -tls1_2
expect_verdict 'TLS 1.2' accepted
policies 127.0.0.1:0,eku=off 127.0.0.1:0,eku=on,name=nobody.example
reload 'to a name'
client name "$(listen_address policies 2)" "$store/client.pem" "$store/clientprivkey.pem"
verdict_of name "$client_pid"
if [[ $verdict == accepted || $verdict == nothing ]]; then
    fail "name: \"$verdict\""
fi

# Connections that have begun go on under what they began with: connected only, and with a part of
# the ClientHello there. The handshake begins with a serverAuth client under `off` and comes to its end
# under `on`.
for version in tls1_2 tls1_3; do
    for first in 0 5 100; do
        name="slow-$version-$first"
        slow "$name" "$first"
        if ((first > 0)); then
            client "$name" "127.0.0.1:$relay_port" "$store/server.pem" "$store/privkey.pem" "-$version"
        fi
        await "$name: held" grep -qs '^held' "$dir/$name.relay" || true
        sleep 0.3 # The server is to have accepted and read what there is.
        policies 127.0.0.1:0,eku=on 127.0.0.1:0,eku=none
        reload "$name"
        : >"$dir/$name.go"
        if ((first == 0)); then
            client "$name" "127.0.0.1:$relay_port" "$store/server.pem" "$store/privkey.pem" "-$version"
        fi
        expect_verdict "$name" accepted
        wait "$relay_pid" || true
        client "$name-new" "$target" "$store/server.pem" "$store/privkey.pem" "-$version"
        expect_verdict "$name-new" 'unsupported certificate'
        policies 127.0.0.1:0,eku=off 127.0.0.1:0,eku=none
        reload "$name, back"
    done
done

# More than one reload while it waits, one of them with a failure.
slow patient 100
client patient "127.0.0.1:$relay_port" "$store/server.pem" "$store/privkey.pem"
await 'patient: held' grep -qs '^held' "$dir/patient.relay" || true
sleep 0.3
policies 127.0.0.1:0,eku=on 127.0.0.1:0,eku=none
for i in 1 2 3; do
    reload "patient $i"
done
policies 127.0.0.1:0,eku=maybe
reload_fails patient eku=maybe
: >"$dir/patient.go"
expect_verdict patient accepted
wait "$relay_pid" || true

# Many in a row: the last word counts, however many were taken for one.
for ((i = 0; i < 100; i++)); do
    policies "127.0.0.1:0,eku=$( ((i % 2 == 0)) && echo off || echo on)" 127.0.0.1:0
    kill -HUP "$server_pid"
done
policies 127.0.0.1:0,eku=off 127.0.0.1:0,eku=on,depth=7
for ((i = 0; i < 300; i++)); do
    kill -HUP "$server_pid"
done
# shellcheck disable=SC2317 # Called by await.
settled() {
    local before
    before=$(num_reloaded)
    sleep 0.5
    [[ $(num_reloaded) == "$before" ]]
}
await 'many signals' settled || true
if (($(num_reloaded) < 10)); then
    fail "many signals: $(num_reloaded) reloads in all"
fi
expect_modes 'many signals' "$target" off
second=$(listen_address policies 2)
stop policies
# The totals have the policies that were in force at the end.
for line in "$target,eku=off,verify=full,tls=any,depth=32:" "$second,eku=on,verify=full,tls=any,depth=7:"; do
    if ! grep -qF -- "$line" "$dir/policies.out"; then
        fail "totals: no \"$line\" in: $(cat -- "$dir/policies.out")"
    fi
done

# What was announced is what it began with.
if ! grep -qF -- "listening on $target,eku=off," "$dir/policies.out"; then
    fail "announced: $(cat -- "$dir/policies.out")"
fi

# As JSON.
policies 127.0.0.1:0,eku=off
serve json --json
policies 127.0.0.1:0,eku=none,depth=9
reload json
stop json
if [[ $(json "$dir/json.out" '[(l["eku"], l["depth"]) for l in r["listeners"]]') != "[('none', 9)]" ]]; then
    fail "json: $(cat -- "$dir/json.out")"
fi

# The store.

policies 127.0.0.1:0
serve stores
expect_serial 'at first' "$dir/original"
# A pair is replaced by two renames: the signal comes after both.
cp -p -- "$dir/spare/server.pem" "$dir/spare/privkey.pem" "$store"
expect_serial 'before the signal' "$dir/original"
reload 'new certificate'
expect_serial 'new certificate' "$dir/spare"
client 'friend' "$target" "$dir/original/client.pem" "$dir/original/clientprivkey.pem"
expect_verdict 'friend' accepted
client stranger "$target" "$dir/other/client.pem" "$dir/other/clientprivkey.pem"
expect_verdict stranger 'unknown ca'
cp -p -- "$dir/other/ca.pem" "$store/ca.pem"
reload 'new trusted list'
client stranger "$target" "$dir/other/client.pem" "$dir/other/clientprivkey.pem"
expect_verdict stranger accepted
client 'former friend' "$target" "$dir/original/client.pem" "$dir/original/clientprivkey.pem"
expect_verdict 'former friend' 'unknown ca'
cp -p -- "$dir"/original/* "$store"
reload 'all as it was'
expect_serial 'all as it was' "$dir/original"
expect_modes 'all as it was' "$target" on

# Nobody is trusted any more.
run ekubench store trust remove "$(openssl x509 -noout -serial -in "$store/ca.pem" | cut -d = -f 2)" -s "$store"
((status == 0)) || fail "trust remove: status $status: $(cat -- "$dir/err")"
reload 'trust removed'
client 'no friend' "$target" "$dir/original/client.pem" "$dir/original/clientprivkey.pem"
expect_verdict 'no friend' 'unknown ca'
rm -rf -- "$store"
cp -rp -- "$dir/original" "$store"
reload 'trusted again'
expect_modes 'trusted again' "$target" on

# What cannot be read changes nothing. spoilt NAME WORD: the store as it is now must be refused; it is
# then as it was.
spoilt() {
    reload_fails "$1" "$2"
    expect_serial "$1" "$dir/original"
    rm -rf -- "$store"
    cp -rp -- "$dir/original" "$store"
}
for file in server.pem privkey.pem ca.pem; do
    echo garbage >"$store/$file"
    spoilt "garbage in $file" "$file"
    rm -- "$store/$file"
    spoilt "no $file" "$file"
done
cp -p -- "$dir/spare/privkey.pem" "$store"
spoilt 'the key of another certificate' privkey.pem
chmod 0644 -- "$store/privkey.pem"
spoilt 'a key for everybody' 0644
echo garbage >"$store/client-ca.crl"
spoilt 'garbage in client-ca.crl' client-ca.crl
mv -- "$store" "$dir/elsewhere"
reload_fails 'no store' "$store"
expect_modes_of_original() {
    # The clients' files are elsewhere too.
    store=$dir/original expect_modes "$@"
}
expect_modes_of_original 'no store' "$target" on
mv -- "$dir/elsewhere" "$store"
expect_modes 'after spoilt stores' "$target" on

# refuses_policies NAME WORD LINE...
refuses_policies() {
    local name=$1 word=$2
    shift 2
    policies "$@"
    reload_fails "$name" "$word"
}
refuses_policies 'no policy' 'eku=maybe' 127.0.0.1:0,eku=maybe
refuses_policies 'another address' addresses 127.0.0.2:0,eku=off
refuses_policies 'another port' addresses "$target,eku=off"
refuses_policies 'one more' addresses 127.0.0.1:0,eku=off 127.0.0.1:0
refuses_policies 'none' 'no listener' '# Nothing.'
refuses_policies 'no CRL' client-ca.crl 127.0.0.1:0,eku=off,crl=on
refuses_policies 'a good one and a bad one' depth=0 127.0.0.1:0,eku=off 127.0.0.1:0,depth=0
rm -- "$listeners"
reload_fails 'no file' "$listeners"
mkdir -- "$listeners"
reload_fails 'a directory' "$listeners"
rmdir -- "$listeners"
expect_modes 'after bad policies' "$target" on
policies 127.0.0.1:0,eku=off
reload 'good again'
expect_modes 'good again' "$target" off
stop stores

# Without --listeners a reload reads the store alone.
events=$dir/plain.log
start_server plain --store "$store" --listen 127.0.0.1:0,eku=off --event-log "$events" || finish
target=$(listen_address plain 1)
cp -p -- "$dir/spare/server.pem" "$dir/spare/privkey.pem" "$store"
reload plain
expect_serial plain "$dir/spare"
client plain "$target" "$store/client.pem" "$store/clientprivkey.pem"
expect_verdict plain 'unsupported certificate'
cp -p -- "$dir"/original/* "$store"
stop plain
events=$dir/events.log

# A CRL, of a CA made by OpenSSL.

ca=$dir/ca
mkdir -- "$ca" "$ca/store"
cat >"$ca/ca.cnf" <<CONFIG
[ca]
default_ca = ours
[ours]
database = $ca/index.txt
crlnumber = $ca/crlnumber
default_md = sha256
default_crl_days = 30
crl_extensions = crl
[crl]
authorityKeyIdentifier = keyid
[req]
distinguished_name = nobody
x509_extensions = root
prompt = no
[nobody]
CN = test root
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
CONFIG
: >"$ca/index.txt"
echo 01 >"$ca/crlnumber"

# mint NAME SERIAL: a leaf of that CA.
mint() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$ca/$1.key" \
        -subj "/CN=$1" -config "$ca/ca.cnf" -out "$ca/$1.csr" 2>/dev/null
    openssl x509 -req -in "$ca/$1.csr" -CA "$ca/root.pem" -CAkey "$ca/root.key" -set_serial "$2" \
        -days 30 -extfile "$ca/ca.cnf" -extensions leaf -out "$ca/$1.pem" 2>/dev/null
}
make_crl() {
    openssl ca -gencrl -config "$ca/ca.cnf" -cert "$ca/root.pem" -keyfile "$ca/root.key" \
        -out "$ca/list.new" 2>/dev/null
    mv -- "$ca/list.new" "$ca/store/client-ca.crl"
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$ca/root.key" -days 30 \
    -config "$ca/ca.cnf" -out "$ca/root.pem" 2>/dev/null
mint server 100
mint kept 101
mint lost 102
cp -- "$ca/server.pem" "$ca/store/server.pem"
install -m 600 -- "$ca/server.key" "$ca/store/privkey.pem"
cp -- "$ca/root.pem" "$ca/store/ca.pem"

# expect_revoked NAME VERDICT: of the client `lost`; `kept` is accepted at all times.
expect_revoked() {
    client "$1: lost" "$target" "$ca/lost.pem" "$ca/lost.key"
    expect_verdict "$1: lost" "$2"
    client "$1: kept" "$target" "$ca/kept.pem" "$ca/kept.key"
    expect_verdict "$1: kept" accepted
}
policies 127.0.0.1:0
minted=$store
store=$ca/store
serve revocation
expect_revoked 'no list' accepted
make_crl
reload 'empty list'
expect_revoked 'empty list' accepted
openssl ca -revoke "$ca/lost.pem" -config "$ca/ca.cnf" -cert "$ca/root.pem" -keyfile "$ca/root.key" \
    2>/dev/null
make_crl
expect_revoked 'before the signal' accepted
reload 'revoked'
expect_revoked 'revoked' 'certificate revoked'
policies 127.0.0.1:0,crl=off
reload 'not looked at'
expect_revoked 'not looked at' accepted
policies 127.0.0.1:0,crl=on
reload 'looked at'
expect_revoked 'looked at' 'certificate revoked'
rm -- "$store/client-ca.crl"
reload_fails 'the list is gone' client-ca.crl
expect_revoked 'the list is gone' 'certificate revoked'
policies 127.0.0.1:0
reload 'no list again'
expect_revoked 'no list again' accepted
stop revocation
store=$minted

# Tickets: what was got under `off` opens nothing under `on`.

# ticket NAME VERSION: a session of a serverAuth client goes to $dir/NAME.session.
ticket() {
    client "$1" "$target" "$store/server.pem" "$store/privkey.pem" "-$2" -sess_out "$dir/$1.session"
    expect_verdict "$1" accepted
    if ! [[ -s $dir/$1.session ]]; then
        fail "$1: no session"
    fi
}

# resumed SESSION VERSION: "New", "Reused", or nothing if it is rejected.
resumed() {
    { sleep 0.3 | timeout 10 openssl s_client -connect "$target" -cert "$store/server.pem" \
        -key "$store/privkey.pem" "-$2" -sess_in "$dir/$1.session" 2>/dev/null || true; } |
        sed -n 's/^\(New\|Reused\), TLS.*/\1/p' | head -n 1
}
policies 127.0.0.1:0,eku=off,resume=on
serve tickets --event-rate 0
for version in tls1_2 tls1_3; do
    ticket "$version" "$version"
    if [[ $(resumed "$version" "$version") != Reused ]]; then
        fail "$version: not resumed"
    fi
done
policies 127.0.0.1:0,eku=on,resume=on
reload tickets
for version in tls1_2 tls1_3; do
    client "$version-after" "$target" "$store/server.pem" "$store/privkey.pem" "-$version" \
        -sess_in "$dir/$version.session"
    expect_verdict "$version-after" 'unsupported certificate'
done
# The same policy again is another key.
policies 127.0.0.1:0,eku=off,resume=on
reload 'tickets, back'
for version in tls1_2 tls1_3; do
    if [[ $(resumed "$version" "$version") != New ]]; then
        fail "$version: resumed after two reloads"
    fi
done
policies 127.0.0.1:0,eku=off
reload 'no tickets'
for version in tls1_2 tls1_3; do
    if [[ $(resumed "$version" "$version") != New ]]; then
        fail "$version: resumed though it is off"
    fi
done
stop tickets

# Under load.

policies 127.0.0.1:0,eku=none
serve load
ekubench load "$target" --store "$store" -n 50 --duration 3s --warmup 200ms --json \
    >"$dir/load.json" 2>"$dir/load.err" &
load_pid=$!
sleep 0.4
for ((i = 0; i < 20; i++)); do
    policies "127.0.0.1:0,eku=$( ((i % 2 == 0)) && echo on || echo none)"
    kill -HUP "$server_pid"
    sleep 0.13
done
end_of "$load_pid"
if ((status != 0 && status != 3)); then # What else runs here may make it not clean.
    fail "load: status $status: $(cat -- "$dir/load.err")"
fi
read -r accepted rest <<<"$(json "$dir/load.json" '"{accepted} {rejected} {failed} {unfinished}".format(
    **r["arms"][0]["handshakes"])')"
if [[ $rest != '0 0 0' ]] || ! [[ $accepted =~ ^[1-9] ]]; then
    fail "load: $accepted accepted, \"$rest\" rejected, failed, unfinished"
fi
await 'load: reloads' has_more_than num_reloaded 9 || true
if (($(num_reload_failed) > 0)); then
    fail "load: $(grep ' Event="Reload Failed" ' "$events" | head -n 1)"
fi
stop load
if ! grep -q ' 0 rejected, 0 failed, ' "$dir/load.out"; then
    fail "load: $(cat -- "$dir/load.out")"
fi

# The event log.

# Who speaks no TLS, from a port that is printed.
# shellcheck disable=SC2016 # The dollars are Perl's.
garbage='
    my ($host, $port) = @ARGV;
    my $socket = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port) or die "$!";
    print $socket->sockport, "\n";
    syswrite $socket, "This is no TLS at all.\r\n";
    1 while sysread $socket, my $data, 4096;
'
# Who goes away in the middle of it with a reset.
# shellcheck disable=SC2016
reset='
    my ($host, $port) = @ARGV;
    my $socket = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port) or die "$!";
    print $socket->sockport, "\n";
    syswrite $socket, "\x16\x03\x01\x02\x00\x01";
    select undef, undef, undef, 0.3;
    setsockopt $socket, SOL_SOCKET, SO_LINGER, pack "II", 1, 0;
    close $socket;
'
has_ipv6=true
perl -MIO::Socket::IP -e 'IO::Socket::IP->new(LocalHost => "::1", Listen => 1) or exit 1' || has_ipv6=false
policies 127.0.0.1:0
if $has_ipv6; then
    policies 127.0.0.1:0 '[::1]:0'
fi
echo 'what was there' >"$dir/before.log"
serve lines
mode=$(stat -c %a -- "$events")
if [[ $mode != 640 ]]; then
    fail "event log: mode $mode"
fi

# The order of the fields. Times are looked at on their own.
stamp='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}\+05:30'
utc='[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}'

# refused_line SOURCE-IP SOURCE-PORT TARGET-IP TARGET-PORT DETAIL: what such a line looks like.
refused_line() {
    printf '^%s tvcs: Event="Inbound TLS Negotiation Error" Service="SIP" Src-ip="%s" Src-port="%s" ' \
        "$stamp" "$1" "$2"
    printf 'Dst-ip="%s" Dst-port="%s" Detail="%s" Protocol="TLS" Level="1" UTCTime="%s"$' \
        "$3" "$4" "$5" "$utc"
}

# expect_line NAME PATTERN: there is one line like that, soon.
expect_line() {
    if ! await "$1" grep -qE -- "$2" "$events"; then
        printf 'no %s in:\n%s\n' "$2" "$(tail -n 3 -- "$events")" >&2
    elif (($(grep -cE -- "$2" "$events" || true) != 1)); then
        fail "$1: $(grep -cE -- "$2" "$events" || true) lines like $2"
    fi
}
port=${target##*:}
source_port=$(perl -MIO::Socket::IP -e "$garbage" 127.0.0.1 "$port")
expect_line garbage "$(refused_line 127.0.0.1 "$source_port" 127.0.0.1 "$port" 'the peer does not speak TLS')"
if $has_ipv6; then
    target6=$(listen_address lines 2)
    source_port=$(perl -MIO::Socket::IP -e "$garbage" ::1 "${target6##*:}")
    expect_line IPv6 "$(refused_line ::1 "$source_port" ::1 "${target6##*:}" 'the peer does not speak TLS')"
fi
client purpose "$target" "$store/server.pem" "$store/privkey.pem"
expect_verdict purpose 'unsupported certificate'
expect_line purpose "$(refused_line 127.0.0.1 '[0-9]+' 127.0.0.1 "$port" 'unsupported certificate purpose')"
client stranger "$target" "$dir/other/client.pem" "$dir/other/clientprivkey.pem"
expect_verdict stranger 'unknown ca'
expect_line stranger \
    "$(refused_line 127.0.0.1 '[0-9]+' 127.0.0.1 "$port" 'unable to get local issuer certificate')"
before=$(wc -l <"$events")
expect_modes accepted "$target" on
sleep 0.3
# One of the two was rejected; who was accepted is no event.
if (($(wc -l <"$events") != before + 1)); then
    fail "accepted: $(wc -l <"$events") lines after $before"
fi
# Who is gone has no address any more, but where it went is known: it is the listener's.
perl -MIO::Socket::IP -MSocket=SOL_SOCKET,SO_LINGER -e "$reset" 127.0.0.1 "$port" >/dev/null
expect_line reset "$(refused_line '[^"]*' '[^"]*' 127.0.0.1 "$port" 'the peer reset the connection')"
reload lines
expect_line reloaded \
    "^$stamp tvcs: Event=\"Reloaded\" Service=\"SIP\" Detail=\"[^\"]+\" Level=\"1\" UTCTime=\"$utc\"\$"
policies '127.0.0.1:0,eku="on"'
reload_fails quotes 'eku= on '
expect_line 'reload failed' \
    "^$stamp tvcs: Event=\"Reload Failed\" Service=\"SIP\" Detail=\"[^\"]+\" Level=\"1\" UTCTime=\"$utc\"\$"
# Local time is that much ahead of UTC, and UTC is now.
/usr/bin/python3 - "$events" <<'PYTHON' || fail 'event log: times'
import datetime, re, sys
now = datetime.datetime.now(datetime.timezone.utc)
for line in open(sys.argv[1], encoding="utf-8"):
    local = datetime.datetime.fromisoformat(line.split(" ", 1)[0])
    utc = datetime.datetime.fromisoformat(re.search('UTCTime="([^"]*)"', line)[1] + "+00:00")
    if local != utc or abs((now - utc).total_seconds()) > 120:
        sys.exit(f"{line}")
PYTHON
stop lines

# Appended to what is there, also by the next server; and to standard error by default.
cp -- "$events" "$dir/kept.log"
policies 127.0.0.1:0
start_server appends --store "$store" --listeners "$listeners" --event-log "$events" || finish
target=$(listen_address appends 1)
reload appends
stop appends
if ! cmp -s -n "$(stat -c %s -- "$dir/kept.log")" -- "$dir/kept.log" "$events"; then
    fail 'event log: what was there is gone'
fi
start_server default --store "$store" --listeners "$listeners" || finish
target=$(listen_address default 1)
client default "$target" "$store/server.pem" "$store/privkey.pem"
expect_verdict default 'unsupported certificate'
kill -HUP "$server_pid"
await 'standard error' grep -q ' Event="Reloaded" ' "$dir/default.err" || true
if ! grep -q ' Detail="unsupported certificate purpose" ' "$dir/default.err"; then
    fail "standard error: $(cat -- "$dir/default.err")"
fi
stop default

# A log that cannot be written to any more is no reason to stop.
start_server full --store "$store" --listeners "$listeners" --event-log /dev/full || finish
target=$(listen_address full 1)
expect_modes 'disk full' "$target" on
kill -HUP "$server_pid"
expect_modes 'disk full, reloaded' "$target" on
stop full
if ! grep -q '^ekubench: event log /dev/full: lines are left out: ' "$dir/full.err"; then
    fail "disk full: not a word: $(cat -- "$dir/full.err")"
fi

# Nor is one that nobody reads.
mkfifo -- "$dir/pipe.log"
start_server pipe --store "$store" --listen 127.0.0.1:0,eku=off --event-log "$dir/pipe.log" --event-rate 0 || finish
target=$(listen_address pipe 1)
run ekubench load "$target" --store "$store" -n 20 --count 1000 --expect reject
stop pipe

# Rotation: what has been written is moved away, and SIGHUP has the rest written to a new file.
serve rotation
expect_modes 'before rotation' "$target" on
await 'before rotation' grep -qs ' Event="Inbound' "$events" || true
mv -- "$events" "$events.1"
expect_modes 'renamed' "$target" on
kill -HUP "$server_pid"
await 'rotation: reload' grep -qs ' Event="Reloaded" ' "$events" || true
expect_modes 'after rotation' "$target" on
await 'after rotation' grep -qs ' Event="Inbound' "$events" || true
if (($(grep -c ' Event="Inbound' "$events.1") != 2 || $(grep -c ' Event="Inbound' "$events") != 1)); then
    fail "rotation: $(cat -- "$events.1" "$events")"
fi
stop rotation
rm -- "$events.1"

# Storms.

# storm NAME RATE: three seconds of rejections; what was written and what was left out must be what was
# rejected.
storm() {
    local name=$1 rate=$2 written left_out refused confessions
    policies 127.0.0.1:0,eku=off
    serve "$name" --event-rate "$rate"
    run ekubench load "$target" --store "$store" -n 50 --duration 3s --warmup 0s --expect reject --json
    cp -- "$dir/out" "$dir/$name.json"
    if ((status != 0 && status != 3)); then
        fail "$name: load: status $status: $(cat -- "$dir/err")"
    fi
    reload "$name"
    stop "$name"
    written=$(grep -c ' Event="Inbound TLS Negotiation Error" ' "$events" || true)
    confessions=$(grep -c ' Event="Events Left Out" ' "$events" || true)
    left_out=$(sed -n 's/.* Event="Events Left Out" .* Detail="\([0-9]*\) lines".*/\1/p' "$events" |
        awk '{ sum += $1 } END { print sum + 0 }')
    # Rejected and failed, by the server's own count.
    refused=$(sed -n 's/.* accepted, \([0-9]*\) rejected, \([0-9]*\) failed.*/\1 \2/p' "$dir/$name.out" |
        awk '{ print $1 + $2 }')
    if ((refused < 100)); then
        fail "$name: $refused refused: that is no storm"
    fi
    if ((written + left_out != refused)); then
        fail "$name: $written written and $left_out left out of $refused"
    fi
    if (($(wc -l <"$events") != written + confessions + 1)); then
        fail "$name: $(wc -l <"$events") lines, $written + $confessions + 1 known"
    fi
    if ((rate > 0)); then
        # It took nine seconds at most, and began with a second's worth.
        if ((written > 10 * rate)); then
            fail "$name: $written lines"
        fi
        # There must be more than that second's worth.
        if ((written <= rate + 1)); then
            fail "$name: $written events in three seconds at $rate a second, and $confessions counts"
        fi
        # By the time stamps, no second has more.
        if ! grep ' Event="Inbound' "$events" | cut -c 1-19 | sort | uniq -c |
            awk -v rate="$rate" '$1 > rate { print; bad = 1 } END { exit bad }'; then
            fail "$name: more than $rate in one second"
        fi
    elif ((left_out > 0)); then
        fail "$name: $left_out left out though there is no limit"
    fi
}
storm storm-5 5
storm storm-50 50
storm storm-unlimited 0

# A reload in the middle of one.
policies 127.0.0.1:0,eku=off
serve busy --event-rate 1
ekubench load "$target" --store "$store" -n 50 --duration 2s --warmup 0s --expect reject --json \
    >"$dir/busy.json" 2>"$dir/busy.err" &
load_pid=$!
sleep 0.7
reload 'in a storm'
policies 127.0.0.1:0,eku=maybe
reload_fails 'in a storm' eku=maybe
end_of "$load_pid"
stop busy
finish
