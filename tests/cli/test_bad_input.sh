#!/usr/bin/env bash
#
# Wrong usage, unreadable input and unfit environments: each ends with one line that says what is
# wrong, with the right exit status, and with nothing half-written:
# tests/cli/test_bad_input.sh EKUBENCH SECCOMP_EXEC
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 2)); then
    echo 'usage: tests/cli/test_bad_input.sh EKUBENCH SECCOMP_EXEC' >&2
    exit 2
fi
# shellcheck source=tests/cli/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh" "$1"
seccomp_exec=$2

needs perl
if ((EUID == 0)); then
    needs setpriv
fi
skip_without_io_uring

# Root may read every file and raise every limit.
install -m 755 -- "$bin" "$dir/ekubench"
nobody=(env -- "$mark" "$dir/ekubench")
if ((EUID == 0)); then
    nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all
        -- "${nobody[@]}")
fi

results=$dir/results

# refused NAME STATUS WORD: how the last `run` must have ended. Beside the one line of the message
# there may be lines of progress before it, and, after a message about usage, the hint at --help that
# every GNU program gives.
refused() {
    local name=$1 wanted=$2 word=$3 lines
    if ((status != wanted)); then
        fail "$name: status $status, wanted $wanted: $(head -c 500 -- "$dir/err")"
        return
    fi
    sed -e '/^Try `ekubench .*--help/,$d' -e '/^[a-z]*: .* s left$/d' "$dir/err" >"$dir/message"
    lines=$(wc -l <"$dir/message")
    if ((lines != 1)); then
        fail "$name: $lines lines on standard error: $(head -c 500 -- "$dir/err")"
    fi
    if ! grep -q '^ekubench' "$dir/message"; then
        fail "$name: not from ekubench: $(head -c 500 -- "$dir/message")"
    fi
    if ! grep -qF -- "$word" "$dir/message"; then
        fail "$name: no \"$word\" in: $(head -c 500 -- "$dir/message")"
    fi
    if [[ -s $dir/out ]]; then
        fail "$name: something on standard output: $(head -c 200 -- "$dir/out")"
    fi
    if [[ -d $results && -n $(ls -A -- "$results") ]]; then
        fail "$name: written in spite of the error: $(ls -A -- "$results")"
        rm -rf -- "$results"
    fi
}

# refuses STATUS WORD ARGUMENT...: ekubench with these arguments.
refuses() {
    local wanted=$1 word=$2
    shift 2
    run timeout 30 env -- "$mark" "$bin" "$@"
    refused "ekubench $*" "$wanted" "$word"
}

store=$dir/store
run ekubench pki mint "$store"
if ((status != 0)); then
    fail "pki mint: status $status: $(cat -- "$dir/err")"
    finish
fi

# copy_store NAME: a copy to spoil; its path goes to $copy.
copy_store() {
    copy=$dir/$1
    rm -rf -- "$copy"
    cp -rp -- "$store" "$copy"
}

# A listener that speaks no TLS: it greets like a mail server and closes. Its port goes to
# $foreign_port.
# shellcheck disable=SC2016 # The dollars are Perl's.
env -- "$mark" perl -MIO::Socket::INET -e '
    my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 64) or die;
    $| = 1;
    print $listener->sockport, "\n";
    while (my $peer = $listener->accept) { print $peer "220 mail.example ESMTP\r\n"; close $peer; }
' >"$dir/foreign.out" &
await 'foreign server' grep -q . "$dir/foreign.out" || finish
foreign_port=$(<"$dir/foreign.out")
# A port at which nothing listens.
free_port=$(perl -MIO::Socket::INET -e '
    print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport')

# Commands.

refuses 2 '"grind"' grind
refuses 2 '""' ''
refuses 2 '"--nope"' --nope
for command in measure serve load pki doctor report merge; do
    refuses 2 'nope' "$command" --nope
done
run ekubench
if ((status != 2)) || [[ -s $dir/out ]]; then
    fail "no command at all: status $status"
fi

# Values.

for value in 0 -1 200001 x 1.5 '' 99999999999999999999; do
    refuses 2 'in-flight' measure --in-flight "$value" -o "$results"
    refuses 2 'in-flight' load 127.0.0.1:1 --store "$store" --in-flight "$value" -o "$results"
done
for value in 0 -1 x 0.5 99999999999999999999; do
    refuses 2 'seed' measure --seed "$value" -o "$results"
done
for value in any 1.1 1.4 ''; do
    refuses 2 'tls' measure --tls "$value" -o "$results"
done
refuses 2 '"slow"' measure --plan slow -o "$results"
refuses 2 '"more"' measure more -o "$results"

for value in 0s 10 x -1s 25h 1e3s 99999999999999999999s; do
    refuses 2 'duration' load 127.0.0.1:1 --store "$store" --duration "$value"
done
for value in 1500 0/s -1/s x 1/ms 2000M/s; do
    refuses 2 'rate' load 127.0.0.1:1 --store "$store" --rate "$value"
done
for value in 100/s 100/s: :1s 100/s:1s,x 100/s:1 ''; do
    refuses 2 'steps' load 127.0.0.1:1 --store "$store" --steps "$value"
done
refuses 2 'not both' load 127.0.0.1:1 --store "$store" --rate 1/s --steps 1/s:1s
refuses 2 'open loop' load 127.0.0.1:1 --store "$store" --arrivals fixed
refuses 2 'arrivals' load 127.0.0.1:1 --store "$store" --rate 1/s --arrivals sometimes
for value in 0 17 x; do
    refuses 2 'client-workers' load 127.0.0.1:1 --store "$store" --client-workers "$value"
done
for value in 0 -1 x 17; do
    refuses 2 'server-workers' measure --server-workers "$value" -o "$results"
    refuses 2 'client-workers' measure --client-workers "$value" -o "$results"
    refuses 2 'workers' serve -s "$store" -l 127.0.0.1:0 --workers "$value"
done
for value in '' x 1- 0,,1 3-1 0-999 1023; do
    refuses 2 'pin' measure --pin "$value" -o "$results"
    refuses 2 'pin' load 127.0.0.1:1 --store "$store" --pin "$value"
    refuses 2 'pin' serve -s "$store" -l 127.0.0.1:0 --pin "$value"
done
cpu=$(($(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')))
refuses 2 '4 workers' measure --plan load --server-workers 2 --client-workers 2 --pin "$cpu,$cpu"
refuses 2 '2 workers' load 127.0.0.1:1 --store "$store" --client-workers 2 --pin "$cpu"
refuses 2 '2 workers' serve -s "$store" -l 127.0.0.1:0 --workers 2 --pin "$cpu"
refuses 2 'less than one' measure --plan load --client-workers 4 --in-flight 3
refuses 2 'less than one' load 127.0.0.1:1 --store "$store" --client-workers 4 -n 3
refuses 2 'ramp' load 127.0.0.1:1 --store "$store" --rate 1/s --warmup 1s --ramp 2s
refuses 2 'warmup' load 127.0.0.1:1 --store "$store" --warmup soon
refuses 2 'deadline' load 127.0.0.1:1 --store "$store" --deadline 1ms
refuses 2 'count' load 127.0.0.1:1 --store "$store" --count 0
refuses 2 'confirm' load 127.0.0.1:1 --store "$store" --confirm maybe
refuses 2 'tls' load 127.0.0.1:1 --store "$store" --tls 1.1
refuses 2 'ADDR:PORT' load --store "$store"
refuses 2 '127.0.0.2:1' load 127.0.0.1:1 127.0.0.2:1 --store "$store"
refuses 2 '--store' load 127.0.0.1:1
for target in 127.0.0.1 127.0.0.1: :1 127.0.0.1:x 127.0.0.1:65536 ::1:1; do
    refuses 2 "$target" load "$target" --store "$store"
done

refuses 2 '--listen' serve
refuses 2 '--listen' serve --store "$store"
refuses 2 '--store' serve --listen 127.0.0.1:0
for listener in 127.0.0.1 127.0.0.1:0,eku=maybe 127.0.0.1:0,depth=0 127.0.0.1:0,surprise; do
    refuses 2 "$listener" serve --store "$store" --listen "$listener"
done
for value in 0 -1 100001 x; do
    refuses 2 'max-connections' serve -s "$store" -l 127.0.0.1:0 --max-connections "$value"
done
for value in 9ms 5 x -1s; do
    refuses 2 'deadline' serve -s "$store" -l 127.0.0.1:0 --deadline "$value"
done
refuses 2 'duration' serve -s "$store" -l 127.0.0.1:0 --duration x
for value in x '' -1 1.5 1000001 99999999999999999999; do
    refuses 2 'event-rate' serve -s "$store" -l 127.0.0.1:0 --event-rate "$value"
done
for option in crl=yes eku-absent=no resume=auto name=; do
    refuses 2 "$option" serve -s "$store" -l "127.0.0.1:0,$option"
done
refuses 2 '"more"' serve -s "$store" -l 127.0.0.1:0 more
many=()
for ((i = 0; i < 65; i++)); do
    many+=(--listen 127.0.0.1:0)
done
refuses 2 '64' serve --store "$store" "${many[@]}"

# Files of listeners.

refuses 2 '--listen' serve --listeners "$dir/listeners"
refuses 2 "$dir/no-such-file" serve -s "$store" --listeners "$dir/no-such-file"
refuses 2 "$dir/no-such-file" serve -s "$store" -l 127.0.0.1:0 --listeners "$dir/no-such-file"
refuses 2 "$store" serve -s "$store" --listeners "$store"

# refuses_listeners WORD TEXT: as the content of the file.
refuses_listeners() {
    printf '%b' "$2" >"$dir/listeners"
    # One that is taken after all ends soon.
    refuses 2 "$1" serve -s "$store" --listeners "$dir/listeners" --duration 1s
}
refuses_listeners "$dir/listeners" ''
refuses_listeners "$dir/listeners" '\n\n \t\r\n'
refuses_listeners "$dir/listeners" '# Nothing but words.\n  #127.0.0.1:0\n'
refuses_listeners eku=maybe '127.0.0.1:0\n127.0.0.1:0,eku=maybe\n'
refuses_listeners eku=maybe '127.0.0.1:0,eku=maybe'
refuses_listeners garbage 'garbage\n'
refuses_listeners 64 "$(printf '127.0.0.1:0\\n%.0s' {1..65})"
# One a line: a policy that was meant for a listener must not be passed over in silence.
refuses_listeners eku=off '127.0.0.1:0 eku=off\n'
refuses_listeners 127.0.0.1:1 '127.0.0.1:0 127.0.0.1:1\n'
refuses_listeners eku=off '127.0.0.1:0,eku=on,eku=off\n'
# What follows it would not be seen.
refuses_listeners "$dir/listeners" '127.0.0.1:0,eku=on\n\0\n127.0.0.1:0,eku=off\n'
# More than anybody writes.
head -c 100000 /dev/zero | tr '\0' '#' >"$dir/listeners"
refuses 2 "$dir/listeners" serve -s "$store" --listeners "$dir/listeners"

refuses 2 'mint' pki
refuses 2 '"grind"' pki grind "$dir/new"
refuses 2 'directory' pki mint
refuses 2 '"more"' pki mint "$dir/new" more
for value in 0 11 -1 x; do
    refuses 2 'depth' pki mint "$dir/new" --depth "$value"
done
refuses 2 'key' pki mint "$dir/new" --key dsa
refuses 2 'client-eku' pki mint "$dir/new" --client-eku both,none
refuses 2 'server-eku' pki mint "$dir/new" --server-eku everything
refuses 2 'validity' pki mint "$dir/new" --validity forever
refuses 2 'validity' pki mint "$dir/new" --validity 30d-1h
refuses 2 'not a name' pki mint "$dir/new" --dns 'not a name'
refuses 2 '1.2.3' pki mint "$dir/new" --ip 1.2.3
refuses 2 "$store" pki mint "$store"
if [[ -e $dir/new ]] && [[ -n $(ls -A -- "$dir/new") ]]; then
    fail "pki mint left a part of a store: $(ls -A -- "$dir/new")"
fi
refuses 2 'more' doctor more
for value in 0 -1 x 0.5 '' 99999999999999999999; do
    refuses 2 'seed' doctor --self-test --seed "$value"
done
refuses 2 'more' doctor --self-test more
refuses 2 'self-test' doctor --self-test=5
# Before it has measured anything.
run timeout 30 env -- "$mark" TMPDIR="$dir/nonexistent" "$bin" doctor --self-test --json
refused 'doctor --self-test without TMPDIR' 3 "$dir/nonexistent"
run timeout 30 env -- "$mark" TMPDIR=/dev/null "$bin" doctor --self-test --json
refused 'doctor --self-test with TMPDIR=/dev/null' 3 '/dev/null'
# No file may grow. What it says goes through a pipe, for the same reason; keys must not be left.
status=0
(
    ulimit -f 0
    timeout 30 env -- "$mark" "$bin" doctor --self-test --json 2>&1 >/dev/null
) | cat >"$dir/message" || status=$?
if ((status != 3)) || ! grep -q '^ekubench: ' "$dir/message"; then
    fail "ulimit -f 0: status $status: $(cat -- "$dir/message")"
fi
if [[ -n $(ls -A -- "$TMPDIR") ]]; then
    fail "ulimit -f 0: left in TMPDIR: $(ls -A -- "$TMPDIR")"
    rm -rf -- "${TMPDIR:?}"/*
fi
run ekubench doctor --help
if ((status != 0)) || ! grep -q -e '--self-test' "$dir/out" || ! grep -q -e '--seed=N' "$dir/out"; then
    fail "doctor --help: status $status: $(cat -- "$dir/out")"
fi

# Stores.

serves() {
    refuses 2 "$1" serve --store "$copy" --listen 127.0.0.1:0
}

loads() {
    refuses 2 "$1" load "127.0.0.1:$free_port" --store "$copy" -o "$results"
}

copy=$dir/no-such-store
serves "$copy"
loads "$copy"
copy=$store/ca.pem
serves "$copy"
for file in server.pem privkey.pem ca.pem; do
    copy_store "without-$file"
    rm -- "$copy/$file"
    serves "$file"
done
for file in client.pem clientprivkey.pem ca.pem; do
    copy_store "without-$file"
    rm -- "$copy/$file"
    loads "$file"
done
copy_store no-identities
rm -- "$copy"/{server,privkey,client,clientprivkey}.pem
serves server.pem
loads client.pem
for file in server.pem privkey.pem ca.pem; do
    copy_store "garbage-$file"
    echo 'this is not what it should be' >"$copy/$file"
    serves "$file"
    copy_store "empty-$file"
    : >"$copy/$file"
    serves "$file"
    copy_store "directory-$file"
    rm -- "$copy/$file"
    mkdir -m 700 -- "$copy/$file"
    serves "$file"
done
# CRLs that are asked for.
refuses 2 client-ca.crl serve --store "$store" --listen 127.0.0.1:0,crl=on
copy_store garbage-crl
echo 'this is not what it should be' >"$copy/client-ca.crl"
serves client-ca.crl
run ekubench pki mint "$dir/other"
copy_store mismatch
cp -p -- "$dir/other/privkey.pem" "$dir/other/clientprivkey.pem" "$copy"
serves 'privkey.pem'
copy_store mismatched-client
cp -p -- "$dir/other/clientprivkey.pem" "$copy"
loads 'clientprivkey.pem'
for mode in 0640 0604 0660; do
    copy_store "mode-$mode"
    chmod "$mode" -- "$copy/privkey.pem"
    serves "$mode"
done
copy_store shared-client-key
chmod 0640 -- "$copy/clientprivkey.pem"
loads '0640'

# A key that somebody else owns.
copy_store unreadable
if ((EUID != 0)); then
    chmod 0000 -- "$copy/privkey.pem"
fi
run "${nobody[@]}" serve --store "$copy" --listen 127.0.0.1:0
refused 'unreadable key' 2 'privkey.pem'

# Servers and ports.

refuses 3 "127.0.0.1:$foreign_port" serve --store "$store" --listen "127.0.0.1:$foreign_port"
refuses 3 "127.0.0.1:$free_port" load "127.0.0.1:$free_port" --store "$store" -o "$results"
run ekubench load "127.0.0.1:$free_port" --store "$store" --count 3 # Too few to give up.
expect 'three in vain' 3
says 'three in vain' '  - no handshake came to a verdict: nothing listens at that address'
refuses 3 "127.0.0.1:$foreign_port" load "127.0.0.1:$foreign_port" --store "$store" -o "$results"
refuses 2 'no-such-host.invalid' load no-such-host.invalid:443 --store "$store" -o "$results"
# A cheap client does not verify the server, but no TLS is no TLS.
refuses 3 "127.0.0.1:$foreign_port" load "127.0.0.1:$foreign_port" --insecure -o "$results"

# Descriptors.

copy_store of-nobody
if ((EUID == 0)); then
    chown -R 65534:65534 -- "$copy"
fi
# shellcheck disable=SC2016 # Expanded by the inner shell.
with_64_files=(bash -c 'ulimit -n 64 && exec "$@"' bash "${nobody[@]}")
run "${with_64_files[@]}" serve --store "$copy" --listen 127.0.0.1:0
refused 'serve with 64 descriptors' 3 '64'
run "${with_64_files[@]}" load "127.0.0.1:$free_port" --store "$copy"
refused 'load with 64 descriptors' 3 '64'
run "${with_64_files[@]}" measure --plan quick
refused 'measure with 64 descriptors' 3 '64'

# io_uring.

for reason in EPERM ENOSYS; do
    for command in 'measure --plan quick' "serve --store $store --listen 127.0.0.1:0" \
        "load 127.0.0.1:$foreign_port --store $store"; do
        read -r -a words <<<"$command"
        run timeout 30 env -- "$mark" "$seccomp_exec" "$reason" "$bin" "${words[@]}"
        if ((status == 77)); then
            echo 'no seccomp filter can be installed: io_uring forbidden is not tested' >&2
            continue
        fi
        refused "$reason: ${words[0]}" 3 'io_uring'
    done
    run timeout 30 env -- "$mark" "$seccomp_exec" "$reason" "$bin" doctor
    if ((status != 3 && status != 77)) || ! grep -q '^fail *io_uring' "$dir/out"; then
        fail "$reason: doctor: status $status: $(head -n 3 -- "$dir/out")"
    fi
done

# Places for the result: known to be unusable before the work begins. A measurement that has begun
# would go on for half a minute and is cut off after five seconds.

# refuses_output NAME WORD COMMAND...
refuses_output() {
    local name=$1 word=$2
    shift 2
    # In the foreground: timeout would send its signal twice, once to the whole group.
    run timeout --foreground 5 "$@"
    refused "-o $name" 2 "$word"
}

: >"$dir/a-file"
mkdir -p -- "$dir/closed"
chmod 0555 -- "$dir/closed"
refuses_output 'a file' "$dir/a-file" env -- "$mark" "$bin" measure --plan quick -o "$dir/a-file"
refuses_output 'below a file' "$dir/a-file/x" \
    env -- "$mark" "$bin" measure --plan quick -o "$dir/a-file/x"
refuses_output '/proc' '/proc/x' env -- "$mark" "$bin" measure --plan quick -o /proc/x
refuses_output 'below a closed directory' "$dir/closed/x" \
    "${nobody[@]}" measure --plan quick -o "$dir/closed/x"
refuses_output 'a closed directory' "$dir/closed" \
    "${nobody[@]}" measure --plan quick -o "$dir/closed"
refuses_output 'a closed directory, load' "$dir/closed" \
    "${nobody[@]}" load "127.0.0.1:$foreign_port" --store "$copy" -o "$dir/closed"

# Event logs.

# refuses_log NAME PATH COMMAND...
refuses_log() {
    local name=$1 path=$2
    shift 2
    run timeout --foreground 5 "$@" serve --store "$copy" --listen 127.0.0.1:0 --event-log "$path"
    refused "--event-log $name" 2 "$path"
}
refuses_log 'a directory' "$dir/closed" "${nobody[@]}"
refuses_log 'in a closed directory' "$dir/closed/events.log" "${nobody[@]}"
refuses_log 'in no directory' "$dir/no-such-directory/events.log" "${nobody[@]}"
refuses_log 'below a file' "$dir/a-file/events.log" "${nobody[@]}"
: >"$dir/of-others.log"
chmod 0400 -- "$dir/of-others.log"
refuses_log 'a file that may not be written' "$dir/of-others.log" "${nobody[@]}"

# Nothing is left: but the foreign server.
kill %1
wait %1 2>/dev/null || true
expect_nothing_left 'after all'
finish
