#!/usr/bin/env bash
#
# `ekubench pki mint` with many clients, and with clients to be rejected: what is written, that a store is none
# the worse for it, and Ctrl-C: tests/cli/test_mint.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_mint.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs openssl /usr/bin/python3

# field FILE FIELD: of the first certificate in the file.
field() {
    openssl x509 -in "$1" -noout "-$2"
}

# expect_clients NAME DIRECTORY COUNT: as many identities, for their owner only, and nothing else. The last ones are
# looked into: they are whole.
expect_clients() {
    local name=$1 directory=$2 file
    if [[ $(find "$directory" -mindepth 1 | wc -l) != "$3" ]]; then
        fail "$name: $(find "$directory" -mindepth 1 | wc -l) entries, not $3"
    fi
    if find "$directory" -mindepth 1 -printf '%f %y %m\n' | grep -qvE '^[0-9]{5,6}\.pem f 600$'; then
        fail "$name: $(find "$directory" -mindepth 1 -ls)"
    fi
    for file in $(find "$directory" -name '*.pem' | sort | tail -n 25); do
        if [[ $(openssl pkey -in "$file" -pubout 2>/dev/null) != $(field "$file" pubkey) ]]; then
            fail "$name: $file: the key is not that of the certificate"
        fi
    done
}

# Many clients.

store=$dir/store
run ekubench pki mint "$store" --count 25 --depth 2 --key p384
expect 'count' 0
says 'count' "$store: server, client and trusted CA list written, depth 2, p384"
says 'count' "$store/clients: 25 client identities"
expect_clients 'count' "$store/clients" 25
serials=$(for file in "$store"/clients/*.pem; do field "$file" serial; done | sort -u | wc -l)
keys=$(for file in "$store"/clients/*.pem; do field "$file" pubkey | sha256sum; done | sort -u | wc -l)
[[ $serials == 25 && $keys == 25 ]] || fail "count: $serials serial numbers, $keys keys"
[[ $(field "$store/clients/00017.pem" subject) == 'subject=CN = ekubench client 00017' ]] ||
    fail "count: $(field "$store/clients/00017.pem" subject)"
[[ $(field "$store/clients/00017.pem" issuer) == "$(field "$store/client.pem" issuer)" ]] ||
    fail "count: issued by $(field "$store/clients/00017.pem" issuer)"
[[ $(field "$store/clients/00017.pem" enddate) == "$(field "$store/client.pem" enddate)" ]] ||
    fail 'count: another validity'
for file in 00001 00025; do
    # The intermediate is in the file too.
    run ekubench verify --cert "$store/clients/$file.pem" --trust "$store/ca.pem" --purpose client
    expect "count: verify $file" 0
    [[ $(grep -c 'BEGIN CERTIFICATE' "$store/clients/$file.pem") == 2 ]] || fail "count: the chain of $file"
done
for word in 0 -1 100001 many 1.5; do
    run ekubench pki mint "$dir/new" "--count=$word"
    expect "--count=$word" 2
    says "--count=$word" 'from 1 to 100000'
done
[[ ! -e $dir/new ]] || fail 'a count that is none, and something is written'

# A lifetime in days and hours: it has not ended two days from now, but three.
run ekubench pki mint "$dir/days" --validity 2d12h
expect 'days' 0
openssl x509 -in "$dir/days/client.pem" -noout -checkend 172800 >"$dir/out" || fail 'less than two days'
openssl x509 -in "$dir/days/client.pem" -noout -checkend 259200 >"$dir/out" && fail 'more than three days'

# Clients to be rejected.

bad=$dir/bad
run ekubench pki mint "$bad" --rejects
expect 'rejects' 0
says 'rejects' "$bad/rejects: wrong-eku, unknown-ca, expired, revoked; $bad has the CRL that lists the revoked one"
[[ $(ls -- "$bad/rejects") == $'expired\nrevoked\nunknown-ca\nwrong-eku' ]] || fail "rejects: $(ls -- "$bad/rejects")"
# verdict KIND CODE: what verification says of that client.
verdict() {
    run ekubench verify --cert "$bad/rejects/$1/client.pem" --trust "$bad/ca.pem" --crl "$bad/client-ca.crl" \
        --purpose client
    expect "rejects: $1" 1
    says "rejects: $1" "$2"
    cmp -s -- "$bad/rejects/$1/ca.pem" "$bad/ca.pem" || fail "rejects: $1 trusts another CA"
    [[ ! -e $bad/rejects/$1/server.pem && $(stat -Lc %a -- "$bad/rejects/$1/clientprivkey.pem") == 600 ]] ||
        fail "rejects: $(ls -lL -- "$bad/rejects/$1")"
}
verdict wrong-eku verify_purpose
verdict unknown-ca verify_no_local_issuer
verdict expired verify_expired
verdict revoked verify_revoked
run ekubench verify --cert "$bad/client.pem" --trust "$bad/ca.pem" --crl "$bad/client-ca.crl" --purpose client
expect 'rejects: the other one' 0

# Nothing is overwritten, and nothing half done is left.
mkdir -p -- "$dir/taken/clients" "$dir/taken2/rejects"
run ekubench pki mint "$dir/taken" --count 2
expect 'clients are there' 2
says 'clients are there' "$dir/taken/clients exists"
run ekubench pki mint "$dir/taken2" --rejects
expect 'rejects are there' 2
says 'rejects are there' "$dir/taken2/rejects exists"
run ekubench pki mint "$store" --count 2 --rejects
expect 'a store is there' 2
[[ $(ls -- "$dir/taken" "$dir/taken2") == "$dir/taken:"$'\nclients\n\n'"$dir/taken2:"$'\nrejects' ]] ||
    fail "refused, and something is written: $(ls -- "$dir/taken" "$dir/taken2")"
[[ ! -e $store/rejects ]] || fail 'refused, and there are rejects'

# What is done to a store leaves the other folders alone, and what is said of it says nothing of them.

full=$dir/full
run ekubench pki mint "$full" --count 3 --rejects
expect 'both' 0
listing() {
    find "$full/clients" "$full/rejects" -printf '%p %m %l %i\n' | sort
}
before=$(listing)
for words in show 'csr new client --cn host.example' 'csr discard client' 'reset --force' 'upgrade --force' 'trust list'; do
    # shellcheck disable=SC2086 # Several words.
    run ekubench store $words -s "$full"
    case $words in
    reset*) ;; # Some of these words are not for it: only what it leaves is looked at.
    *) expect "store $words" 0 ;;
    esac
    if grep -q 'clients\|rejects' "$dir/out"; then
        fail "store $words: $(cat -- "$dir/out")"
    fi
done
run ekubench store trust add "$bad/ca.pem" -s "$full"
expect 'store trust add' 0
run ekubench store diag -s "$full" -o "$dir/diag"
expect 'store diag' 0
if grep -rlE 'PRIVATE KEY|ekubench client 0000' -- "$dir/diag"; then
    fail 'store diag: something of the clients'
fi
[[ $(listing) == "$before" ]] || fail 'store: the folders beside it have changed'
for file in "$full"/clients/*.pem; do
    run ekubench verify --cert "$file" --trust "$full/ca.pem" --purpose client
    expect "after all that, $file" 0
done

# Ctrl-C: what is there is whole, and it says how much that is. Progress is for a terminal only.

slow=$dir/slow
env -- "$mark" "$bin" pki mint "$slow" --count 100000 --key p384 >"$dir/slow.out" 2>"$dir/slow.err" &
pid=$!
await 'Ctrl-C' test -e "$slow/clients/00003.pem" || true
kill -TERM "$pid"
end_of "$pid"
[[ $status == 3 ]] || fail "Ctrl-C: status $status"
number=$(sed -n "s|^ekubench: interrupted: \([0-9,]*\) of 100,000 client identities are in $slow/clients\$|\1|p" \
    "$dir/slow.err")
[[ $(wc -l <"$dir/slow.err") == 1 ]] || fail "Ctrl-C: $(cat -- "$dir/slow.err")"
expect_clients 'Ctrl-C' "$slow/clients" "${number//,/}"
run ekubench store show -s "$slow"
expect 'Ctrl-C: the store' 0
run env -- "$mark" /usr/bin/python3 "$root/tests/cli/terminal.py" ' client identities' '^C' "$bin" pki mint \
    "$dir/terminal" --count 100000 --key p384
expect 'terminal' 3
says 'terminal' '0 of 100,000 client identities'
says 'terminal' 'interrupted: '

expect_nothing_left 'in the end'
finish
