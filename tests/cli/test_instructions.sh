#!/usr/bin/env bash
#
# Instructions: the same counts each time, and a clear end where nothing can be counted:
# tests/cli/test_instructions.sh EKUBENCH [SANITIZERS]
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# < 1 || $# > 2)); then
    echo 'usage: tests/cli/test_instructions.sh EKUBENCH [SANITIZERS]' >&2
    exit 2
fi
# shellcheck source=tests/cli/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh" "$1"
sanitizers=${2-}

needs /usr/bin/python3 setsid valgrind

# refused NAME STATUS WORD: the last `run` ended with this status and one line that says this.
refused() {
    if ((status != $2)); then
        fail "$1: status $status, wanted $2: $(head -c 500 -- "$dir/err")"
    fi
    # After a message about usage there is the hint at --help that every GNU program gives.
    if (($(sed '/^Try `ekubench .*--help/,$d' "$dir/err" | wc -l) != 1)); then
        fail "$1: not one line on standard error: $(head -c 500 -- "$dir/err")"
    fi
    if ! grep -q -- "^ekubench.*$3" "$dir/err"; then
        fail "$1: no \"$3\" in: $(head -c 500 -- "$dir/err")"
    fi
    if [[ -s $dir/out ]]; then
        fail "$1: something on standard output: $(head -c 200 -- "$dir/out")"
    fi
    expect_nothing_left "$1"
}

# What needs no counting.

for value in 0 -1 x 100001; do
    run ekubench instructions --handshakes "$value"
    refused "--handshakes $value" 2 'handshakes'
done
run ekubench instructions --part servers
refused '--part servers' 2 'servers'
run ekubench instructions --run tls1.3-on-d4
refused '--run tls1.3-on-d4' 2 '"tls1.3-on-d4"'
run ekubench instructions "$bin" more
refused 'two programs' 2 '"more"'
run ekubench instructions --run tls1.2-on-d1 --handshakes 2
if ((status != 0)) || [[ -s $dir/out || -s $dir/err ]]; then
    fail "--run: status $status: $(cat -- "$dir/out" "$dir/err")"
fi
expect_nothing_left '--run'

# Without valgrind.

mkdir "$dir/empty"
run env -- "$mark" PATH="$dir/empty" "$bin" instructions -o "$dir/without.json"
refused 'no valgrind' 3 'valgrind'
if [[ -e $dir/without.json ]]; then
    fail 'no valgrind: written in spite of it'
fi

# Programs that cannot be counted.

echo 'no program' >"$dir/text"
for program in /bin/false /bin/true "$dir/text" "$dir/missing"; do
    run ekubench instructions --handshakes 1 -o "$dir/without.json" "$program"
    refused "$program" 3 "$program"
    if [[ -e $dir/without.json ]]; then
        fail "$program: written in spite of it"
    fi
done
if [[ -n $sanitizers ]]; then
    run timeout 60 env -- "$mark" "$bin" instructions --handshakes 1
    refused "$sanitizers" 3 'under valgrind'
    finish
fi

# Twice the same.

for name in first second; do
    run ekubench instructions --handshakes 4 -o "$dir/$name.json"
    if ((status != 0)) || [[ -s $dir/err ]]; then
        fail "$name: status $status: $(cat -- "$dir/err")"
        finish
    fi
    if (($(wc -l <"$dir/out") != 8)); then
        fail "$name: no table of seven scenarios: $(cat -- "$dir/out")"
    fi
    expect_nothing_left "$name"
done
if ! cmp -s -- "$dir/first.json" "$dir/second.json"; then
    fail "counts differ: $(diff -- "$dir/first.json" "$dir/second.json" | head -n 20)"
fi

# expect NAME EXPRESSION: true of the counts `n`, by scenario and part.
expect() {
    local counts='{(i["scenario"], i["part"]): i["per_handshake"] for i in r["instructions"]}'
    if [[ $(json "$dir/first.json" "(lambda n: $2)($counts)") != True ]]; then
        fail "$1: $(json "$dir/first.json" "$counts")"
    fi
}

expect 'number of counts' 'len(n) == 21'
expect 'nothing is verified in one-way TLS' 'n["tls1.3-one-way", "verify"] == 0'
expect 'all else is counted' 'sum(v > 100000 for v in n.values()) == 20'
expect 'verification is part of the server' \
    'all(n[s, "verify"] < n[s, "server"] for s, p in n)'
expect 'every certificate costs the same' \
    'abs(n["tls1.3-on-d3", "verify"] - 2 * n["tls1.3-on-d2", "verify"] + n["tls1.3-on-d1", "verify"])
        < 0.05 * n["tls1.3-on-d1", "verify"]'
# A few instructions, but some: the check is not optimised away.
for part in server verify; do
    expect "the EKU check, $part" \
        "0 < n['tls1.3-on-d1', '$part'] - n['tls1.3-none-d1', '$part'] < 1000"
done
expect 'the client does not care' 'n["tls1.3-on-d1", "client"] == n["tls1.3-none-d1", "client"]'
if [[ $(json "$dir/first.json" '(r["schema"], r["frozen"], r["handshakes"])') != "('ekubench.instructions/1', True, 4)" ]]; then
    fail "head: $(head -n 15 -- "$dir/first.json")"
fi

# Ctrl-C, to the whole group as a terminal does it and to the program alone, while the counted
# processes begin and while they go on.

for seconds in 0.3 2; do
    for group in - ''; do
        name="INT after $seconds s${group:+ to all}"
        setsid env -- "$mark" "$bin" instructions --handshakes 2000 -o "$dir/without.json" \
            >"$dir/out" 2>"$dir/err" &
        pid=$!
        sleep "$seconds"
        kill -INT -- "$group$pid"
        end_of "$pid"
        refused "$name" 3 'stopped'
        if [[ -e $dir/without.json ]]; then
            fail "$name: written in spite of it"
        fi
    done
done
finish
