#!/usr/bin/env bash
#
# Reject load on `ekubench serve`: each kind of client that `pki mint --rejects` makes gets the alert that fits, in
# both versions; a flood of them leaves the server as it was, and its event log bounded:
# tests/cli/test_rejects.sh EKUBENCH SANITIZERS
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 2)); then
    echo 'usage: tests/cli/test_rejects.sh EKUBENCH SANITIZERS' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"
sanitizers=$2

needs /usr/bin/python3 pgrep prlimit
skip_without_io_uring

# More than fit into the queue of events; with sanitizers that would take minutes.
warm=1000
flood=9000
if [[ -n $sanitizers ]]; then
    warm=200
    flood=800
fi
RATE=20
SIZE=64000

store=$dir/store
events=$dir/events
run ekubench pki mint "$store" --rejects --depth 2
expect 'pki mint' 0

# load NAME ADDRESS STORE COUNT EXPECTED: that many handshakes; its result is in $dir/load.json. A busy machine may
# make it not clean.
load() {
    run ekubench load "$2" --store "$3" -n 50 --count "$4" -t 60s --expect "$5" --json
    cp -- "$dir/out" "$dir/load.json"
    if ((status != 0 && status != 3)); then
        fail "$1: status $status: $(cat -- "$dir/err")"
    fi
    local other=rejected
    if [[ $5 == reject ]]; then
        other=accepted
    fi
    if [[ $(json "$dir/load.json" "r['arms'][0]['handshakes']['${5}ed'], r['arms'][0]['handshakes']['$other']") \
        != "($4, 0)" ]]; then
        fail "$1: $(json "$dir/load.json" 'r["arms"][0]["handshakes"]')"
    fi
}

stop() {
    kill -TERM "$server_pid"
    end_of "$server_pid"
    ((status == 0)) || fail "$1: the server's status is $status: $(cat -- "$dir/$1.err")"
}

# Each kind, each version.

start_server kinds --store "$store" --listen 127.0.0.1:0,tls=1.2 --listen 127.0.0.1:0,tls=1.3 \
    --event-log "$dir/kinds.log" || finish
for index in 1 2; do
    target=$(listen_address kinds "$index")
    for words in wrong-eku:unsupported_certificate unknown-ca:unknown_ca expired:certificate_expired \
        revoked:certificate_revoked; do
        kind=${words%:*}
        load "$kind, listener $index" "$target" "$store/rejects/$kind" 10 reject
        alerts=$(json "$dir/load.json" 'r["arms"][0]["alerts"]')
        [[ $alerts == "{'${words#*:}': 10}" ]] || fail "$kind, listener $index: $alerts, not ${words#*:}"
    done
    # Whom the CRL does not list is none the worse for it.
    load "accepted, listener $index" "$target" "$store" 10 accept
done
stop kinds

# A flood. Anonymous memory only: the queue is shared, and of a fixed size.

# memory: of the server's processes together, in KiB.
memory() {
    local pid
    for pid in "$server_pid" $(pgrep -P "$server_pid"); do
        sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB$/\1/p' "/proc/$pid/status"
    done | awk '{ sum += $1 } END { print sum }'
}

start_server flood --store "$store" --listen 127.0.0.1:0 --event-log "$events" --event-rate $RATE || finish
target=$(listen_address flood 1)
load warm "$target" "$store/rejects/expired" $warm reject
before=$(memory)
# The worker has nobody who takes its events: it goes on, and what does not fit is counted.
kill -STOP "$server_pid"
load flood "$target" "$store/rejects/expired" $flood reject
kill -CONT "$server_pid"
load 'after the flood' "$target" "$store" 50 accept
after=$(memory)
if [[ -z $sanitizers ]] && ((after > before + 1024)); then
    fail "flood: $before KiB before, $after KiB after it"
fi
kill -HUP "$server_pid"
await 'reload after the flood' grep -q ' Event="Reloaded" ' "$events" || true
stop flood
if ! grep -q " 50 accepted, $((warm + flood)) rejected, 0 failed, 0 unfinished\$" "$dir/flood.out"; then
    fail "flood: $(cat -- "$dir/flood.out")"
fi

# So many lines a second at most; each rejection is a line or is counted.
/usr/bin/python3 - "$events" $RATE $((warm + flood)) <<'PYTHON' || fail 'flood: the event log'
import collections, re, sys
refused, told, left_out, length = collections.Counter(), collections.Counter(), 0, 0
for line in open(sys.argv[1], encoding="utf-8"):
    second = re.search('UTCTime="([^".]*)', line)[1]
    if ' Event="Inbound TLS Negotiation Error" ' in line:
        refused[second] += 1
    elif ' Event="Events Left Out" ' in line:
        told[second] += 1
        left_out += int(re.search(' Detail="([0-9]+) lines"', line)[1])
    length = max(length, len(line))
rate, num = int(sys.argv[2]), int(sys.argv[3])
if max(refused.values()) > rate or max(told.values()) > 2 or sum(refused.values()) + left_out != num or length > 1024:
    sys.exit(f"{refused} {told} {left_out} left out of {num}, lines of {length}")
PYTHON
if [[ $(find "$dir" -name 'events*' | wc -l) != 1 ]]; then
    fail "flood: $(ls -- "$dir")"
fi

# Without a limit on lines there is one on bytes.
start_server size --store "$store" --listen 127.0.0.1:0 --event-log "$events" --event-rate 0 --event-size $SIZE ||
    finish
target=$(listen_address size 1)
load size "$target" "$store/rejects/unknown-ca" 800 reject
stop size
for file in "$events" "$events.1"; do
    if ! [[ -s $file ]] || (($(stat -c %s -- "$file") > SIZE)) || [[ -n $(tail -c 1 -- "$file") ]]; then
        fail "size: $file: $(ls -l -- "$dir")"
    fi
done
if [[ $(find "$dir" -name 'events*' | wc -l) != 2 ]]; then
    fail "size: $(ls -- "$dir")"
fi
for word in 1 63999 62KiB 1e6 -1 many; do
    run ekubench serve --store "$store" --listen 127.0.0.1:0 "--event-size=$word"
    expect "--event-size=$word" 2
    says "--event-size=$word" '--event-size'
done

# Who has reset its connection is named, too.
start_server reset --store "$store" --listen 127.0.0.1:0 --event-log "$dir/reset.log" || finish
target=$(listen_address reset 1)
/usr/bin/python3 - "${target##*:}" <<'PYTHON'
import socket, struct, sys, time
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
time.sleep(0.3)
peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
peer.close()
PYTHON
await 'a reset' grep -q ' Src-ip="127.0.0.1" .* Detail="the peer reset the connection' "$dir/reset.log" || true

stop reset

# A server without a free descriptor says that clients had to wait, and goes on when there are some. (Workers with a
# socket of their own accept under the limit that they began with; those that share one ask for each connection.)
start_server full --store "$store" --listen 127.0.0.1:0 --workers 2 --shared-listener || finish
target=$(listen_address full 1)
workers=$(pgrep -P "$server_pid")
# limit WHAT: the soft limit of open files of all workers.
limit() {
    local worker
    for worker in $workers; do
        prlimit --pid "$worker" "--nofile=$1:"
    done
}
before=$(sed -n 's/^Max open files *\([0-9]*\) .*/\1/p' "/proc/${workers%%$'\n'*}/limits")
limit 3
run ekubench load "$target" --store "$store" -n 10 --count 10 -t 1s --json
limit "$before"
load 'with descriptors again' "$target" "$store" 10 accept
stop full
grep -Eq '^accepting failed [1-9][0-9]* times' "$dir/full.out" || fail "no accept errors: $(cat -- "$dir/full.out")"

expect_nothing_left 'in the end'
finish
