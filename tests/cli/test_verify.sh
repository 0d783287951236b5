#!/usr/bin/env bash
#
# `ekubench verify`: what it prints, its exit status, each of its options, and bad input:
# tests/cli/test_verify.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_verify.sh EKUBENCH' >&2
    exit 2
fi
# shellcheck source=tests/cli/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh" "$1"

needs /usr/bin/python3 base64

# mint NAME ARGUMENT...: a store in $dir/NAME.
mint() {
    local name=$1
    shift
    run ekubench pki mint "$dir/$name" "$@"
    if ((status != 0)); then
        fail "pki mint $name: status $status: $(cat -- "$dir/err")"
        finish
    fi
}

mint store
mint deep --depth 3
mint plain --client-eku none
mint any --client-eku any
mint both --client-eku both --server-eku both
mint named --dns host.example --dns '*.wild.example' --ip 192.0.2.1 --ip 2001:db8::1
store=$dir/store

# to_der FILE: the first certificate (or CRL) of a PEM file in DER, on standard output.
to_der() {
    sed -n '/^-----BEGIN/,/^-----END/{/^-----END/q;/^-----/d;p}' "$1" | base64 -d
}

# verify ARGUMENT...: runs it, with a time limit.
verify() {
    run timeout 30 env -- "$mark" "$bin" verify "$@"
}

# accepts NAME LENGTH ARGUMENT...: the chain is accepted, LENGTH certificates long, in text and in
# JSON.
accepts() {
    local name=$1 length=$2 wanted
    shift 2
    verify "$@"
    if ((status != 0)); then
        fail "$name: status $status: $(cat -- "$dir/out" "$dir/err")"
        return
    fi
    if [[ $(<"$dir/out") != "accepted"$'\n'"chain        $length certificates" ]]; then
        fail "$name: printed: $(cat -- "$dir/out")"
    fi
    if [[ -s $dir/err ]]; then
        fail "$name: something on standard error: $(cat -- "$dir/err")"
    fi
    verify --json "$@"
    wanted="('accepted', 'ok', 'no error', 0, None, None, $length, None)"
    expect_json "$name" 0 "$wanted"
}

# expect_json NAME STATUS FIELDS: what the last `verify --json` must have printed.
expect_json() {
    local got
    if ((status != $2)); then
        fail "$1: --json: status $status, wanted $2: $(cat -- "$dir/out" "$dir/err")"
    fi
    got=$(json "$dir/out" '(r["verdict"], r["code"], r["reason"], r["library_result"],
        r["certificate"], r["alert"], r["chain_certificates"], r["depth"])')
    if [[ $got != "$3" ]]; then
        fail "$1: --json: $got, wanted $3"
    fi
}

# rejects NAME CODE ALERT DEPTH ARGUMENT...: the chain is rejected, in text and in JSON; ALERT is a
# name and a number.
rejects() {
    local name=$1 code=$2 alert=$3 depth=$4 got
    shift 4
    verify "$@"
    if ((status != 1)); then
        fail "$name: status $status, wanted 1: $(cat -- "$dir/out" "$dir/err")"
        return
    fi
    if [[ -s $dir/err ]]; then
        fail "$name: something on standard error: $(cat -- "$dir/err")"
    fi
    got=$(sed -n -e '1s/^rejected: .\+$/rejected/p' -e 's/^code         \(.*\)/\1/p' \
        -e 's/^depth        \(.*\)/\1/p' -e 's/^alert        \(.*\)/\1/p' "$dir/out" | tr '\n' ' ')
    if [[ $got != "rejected $code $depth $alert " ]]; then
        fail "$name: printed: $(cat -- "$dir/out"), wanted $code, depth $depth, alert $alert"
    fi
    if ! grep -q '^certificate  CN=' "$dir/out"; then
        fail "$name: no certificate in: $(cat -- "$dir/out")"
    fi
    verify --json "$@"
    if ((status != 1)); then
        fail "$name: --json: status $status, wanted 1"
    fi
    got=$(json "$dir/out" '(r["verdict"], r["code"], r["alert"], r["depth"],
        r["library_result"] > 0, bool(r["reason"]), bool(r["certificate"]))')
    if [[ $got != "('rejected', '$code', '${alert% (*}', $depth, True, True, True)" ]]; then
        fail "$name: --json: $got, wanted $code, depth $depth, alert $alert"
    fi
}

# refuses NAME WORD ARGUMENT...: no verdict, one line that has the word, exit status 2.
refuses() {
    local name=$1 word=$2 lines
    shift 2
    verify "$@"
    if ((status != 2)); then
        fail "$name: status $status, wanted 2: $(head -c 500 -- "$dir/out" "$dir/err")"
        return
    fi
    if [[ -s $dir/out ]]; then
        fail "$name: something on standard output: $(head -c 200 -- "$dir/out")"
    fi
    # shellcheck disable=SC2016 # A backquote, not a command.
    sed '/^Try `ekubench .*--help/,$d' "$dir/err" >"$dir/message"
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
}

# The verdict.

client=$store/client.pem
trust=$store/ca.pem
accepts 'a client' 2 --cert "$client" --trust "$trust"
accepts 'short options' 2 -c "$client" -t "$trust" -p client
accepts 'a long chain' 4 -c "$dir/deep/client.pem" -t "$dir/deep/ca.pem"
rejects 'another root' verify_no_local_issuer 'unknown_ca (48)' 0 -c "$client" -t "$dir/deep/ca.pem"
rejects 'no trusted CA' verify_no_local_issuer 'unknown_ca (48)' 0 -c "$client"
rejects 'no trusted CA, long' verify_no_local_issuer 'unknown_ca (48)' 2 -c "$dir/deep/client.pem"

verify -c "$store/server.pem" -t "$trust"
if [[ $(head -n 1 -- "$dir/out") != 'rejected: unsupported certificate purpose' ]]; then
    fail "the reason of a rejection: $(cat -- "$dir/out")"
fi
verify --json -c "$store/server.pem" -t "$trust"
expect_json 'rejected' 1 "('rejected', 'verify_purpose', 'unsupported certificate purpose', 26, \
'CN=localhost', 'unsupported_certificate', 2, 0)"

# Usage.

unsupported='unsupported_certificate (43)'
for case in 'store/client client accepted' 'store/client server 0' 'store/client none accepted' \
    'store/server client 0' 'store/server server accepted' 'store/server none accepted' \
    'both/client client accepted' 'both/client server accepted' 'both/client none accepted' \
    'any/client client 0' 'any/client server 0' 'any/client none accepted' \
    'plain/client client accepted' 'plain/client server accepted' 'plain/client none accepted'; do
    read -r file purpose verdict <<<"$case"
    arguments=(-c "$dir/$file.pem" -t "$dir/${file%/*}/ca.pem" --purpose "$purpose")
    if [[ $verdict == accepted ]]; then
        accepts "$case" 2 "${arguments[@]}"
        accepts "$case, absent accepted" 2 "${arguments[@]}" --eku-absent accept
    else
        rejects "$case" verify_purpose "$unsupported" 0 "${arguments[@]}"
    fi
done
plain=(-c "$dir/plain/client.pem" -t "$dir/plain/ca.pem" --eku-absent reject)
rejects 'absent, client' verify_purpose "$unsupported" 0 "${plain[@]}"
rejects 'absent, server' verify_purpose "$unsupported" 0 "${plain[@]}" -p server
accepts 'absent, none' 2 "${plain[@]}" -p none
accepts 'not absent' 2 -c "$client" -t "$trust" --eku-absent reject

# Names.

named=(-c "$dir/named/server.pem" -t "$dir/named/ca.pem" -p server)
for name in host.example HOST.Example a.wild.example 192.0.2.1 2001:db8::1 '[2001:db8::1]'; do
    accepts "--name $name" 2 "${named[@]}" --name "$name"
done
for name in other.example a.b.wild.example wild.example example a.host.example; do
    rejects "--name $name" verify_hostname 'bad_certificate (42)' 0 "${named[@]}" --name "$name"
done
rejects '--name 192.0.2.2' verify_ip 'bad_certificate (42)' 0 "${named[@]}" --name 192.0.2.2
rejects '--name 2001:db8::2' verify_ip 'bad_certificate (42)' 0 "${named[@]}" --name 2001:db8::2
rejects '--name who@host.example' verify_email 'bad_certificate (42)' 0 "${named[@]}" \
    --name who@host.example

# Time.

expired='certificate_expired (45)'
now=$(date +%s)
accepts '--at now' 2 -c "$client" -t "$trust" --at "$now"
accepts '--at today' 2 -c "$client" -t "$trust" --at "$(date -u -d '+1 day' +%Y-%m-%d)"
accepts '--at now in full' 2 -c "$client" -t "$trust" --at "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
rejects '--at 2001' verify_not_yet_valid "$expired" 1 -c "$client" -t "$trust" --at 2001-01-01
rejects '--at 0' verify_not_yet_valid "$expired" 1 -c "$client" -t "$trust" --at 0
rejects '--at -1' verify_not_yet_valid "$expired" 1 -c "$client" -t "$trust" --at -1
rejects '--at 2200' verify_expired "$expired" 1 -c "$client" -t "$trust" --at 2200-01-01T00:00:00Z

# Depth and the end of the chain.

deep=(-c "$dir/deep/client.pem" -t "$dir/deep/ca.pem")
accepts '--depth 3' 4 "${deep[@]}" --depth 3
accepts '--depth 100' 4 "${deep[@]}" --depth 100
rejects '--depth 2' verify_chain_too_long 'unknown_ca (48)' 2 "${deep[@]}" --depth 2
rejects '--depth 1' verify_chain_too_long 'unknown_ca (48)' 1 "${deep[@]}" --depth 1

# split FILE NAME: each certificate of FILE in $dir/NAME-1.pem, ...
split() {
    awk -v base="$dir/$2" '/^-----BEGIN/ { n++ } { print > (base "-" n ".pem") }' "$1"
}
split "$dir/deep/client.pem" deep
accepts 'an intermediate, partial' 2 -c "$dir/deep/client.pem" -t "$dir/deep-2.pem" --partial-chain
rejects 'an intermediate' verify_no_issuer 'unknown_ca (48)' 1 -c "$dir/deep/client.pem" \
    -t "$dir/deep-2.pem"
accepts 'a root, partial' 4 "${deep[@]}" --partial-chain

# Several files.

accepts 'a chain in files' 4 -c "$dir/deep-1.pem" -c "$dir/deep-3.pem" -c "$dir/deep-2.pem" \
    -t "$trust" -t "$dir/deep/ca.pem"
rejects 'a part of a chain' verify_no_local_issuer 'unknown_ca (48)' 0 -c "$dir/deep-1.pem" \
    -t "$dir/deep/ca.pem"
many=()
for ((i = 0; i < 64; i++)); do
    many+=(-t "$trust")
done
accepts '64 files' 2 -c "$client" "${many[@]}"
refuses '65 files' 64 -c "$client" "${many[@]}" -t "$trust"

# DER.

to_der "$client" >"$dir/client.der"
to_der "$trust" >"$dir/ca.der"
for ((i = 1; i <= 3; i++)); do
    to_der "$dir/deep-$i.pem" >"$dir/deep-$i.der"
done
accepts 'a leaf in DER' 2 -c "$dir/client.der" -t "$trust"
accepts 'a root in DER' 2 -c "$client" -t "$dir/ca.der"
accepts 'all in DER' 2 -c "$dir/client.der" -t "$dir/ca.der"
accepts 'a chain in DER' 4 -c "$dir/deep-1.der" -c "$dir/deep-2.der" -c "$dir/deep-3.pem" \
    -t "$dir/deep/ca.pem"

# With what OpenSSL makes: CRLs, trust settings.

if command -v openssl >/dev/null; then
    cat >"$dir/openssl.cnf" <<END
[req]
distinguished_name = subject
prompt = no
[subject]
CN = Root of OpenSSL
[ca]
default_ca = root
[root]
database = $dir/index.txt
crlnumber = $dir/crlnumber
default_md = sha256
default_crl_days = 30
[root_extensions]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[leaf_extensions]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = clientAuth
subjectAltName = email:who@mail.example
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END
    : >"$dir/index.txt"
    echo 01 >"$dir/crlnumber"
    # tool ARGUMENT...: openssl, with all that it says hidden unless it fails.
    tool() {
        if ! openssl "$@" >"$dir/tool.out" 2>&1; then
            fail "openssl $*: $(cat -- "$dir/tool.out")"
            finish
        fi
    }
    # crl FILE
    crl() {
        tool ca -gencrl -config "$dir/openssl.cnf" -keyfile "$dir/root.key" -cert "$dir/root.pem" \
            -out "$1"
    }
    curve=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
    tool req -x509 "${curve[@]}" -config "$dir/openssl.cnf" -extensions root_extensions -days 30 \
        -keyout "$dir/root.key" -out "$dir/root.pem"
    for name in good bad; do
        tool req "${curve[@]}" -config "$dir/openssl.cnf" -subj "/CN=$name" \
            -keyout "$dir/$name.key" -out "$dir/$name.csr"
        tool x509 -req -in "$dir/$name.csr" -CA "$dir/root.pem" -CAkey "$dir/root.key" -days 20 \
            -extfile "$dir/openssl.cnf" -extensions leaf_extensions -CAcreateserial \
            -out "$dir/$name.pem"
    done
    crl "$dir/empty.crl"
    tool ca -config "$dir/openssl.cnf" -keyfile "$dir/root.key" -cert "$dir/root.pem" \
        -revoke "$dir/bad.pem"
    crl "$dir/list.crl"
    to_der "$dir/list.crl" >"$dir/list.der"
    cat -- "$dir/empty.crl" "$dir/list.crl" >"$dir/two.crl"
    of_openssl=(-t "$dir/root.pem")

    accepts 'no CRL, good' 2 -c "$dir/good.pem" "${of_openssl[@]}"
    accepts 'no CRL, bad' 2 -c "$dir/bad.pem" "${of_openssl[@]}"
    accepts 'before it was revoked' 2 -c "$dir/bad.pem" "${of_openssl[@]}" --crl "$dir/empty.crl"
    for list in list.crl list.der; do
        accepts "good, $list" 2 -c "$dir/good.pem" "${of_openssl[@]}" --crl "$dir/$list"
        rejects "revoked, $list" verify_revoked 'certificate_revoked (44)' 0 -c "$dir/bad.pem" \
            "${of_openssl[@]}" --crl "$dir/$list"
    done
    accepts 'good, two lists' 2 -c "$dir/good.pem" "${of_openssl[@]}" --crl "$dir/two.crl"
    rejects 'no list of its issuer' verify_no_crl 'unknown_ca (48)' 0 -c "$client" -t "$trust" \
        --crl "$dir/list.crl"
    later=$(date -u -d '+25 hours' +%s)
    sed -i 's/^default_crl_days .*/default_crl_days = 1/' "$dir/openssl.cnf"
    crl "$dir/short.crl"
    rejects 'an old list' verify_crl_expired "$expired" 0 -c "$dir/good.pem" "${of_openssl[@]}" \
        --crl "$dir/short.crl" --at "$later"

    # X.509 accepts it, TLS does not.
    sed 's/^extendedKeyUsage/keyUsage = critical,keyAgreement\n&/' "$dir/openssl.cnf" >"$dir/agreement.cnf"
    tool x509 -req -in "$dir/good.csr" -CA "$dir/root.pem" -CAkey "$dir/root.key" -days 20 \
        -extfile "$dir/agreement.cnf" -extensions leaf_extensions -CAcreateserial -out "$dir/agreement.pem"
    for format in '' --json; do
        # shellcheck disable=SC2086 # One word, or none.
        run ekubench verify -c "$dir/agreement.pem" "${of_openssl[@]}" $format
        if ((status != 0)) || ! grep -q '^ekubench: note: .* lacks digitalSignature' "$dir/err"; then
            fail "no digitalSignature $format: status $status: $(cat -- "$dir/err")"
        fi
    done
    run ekubench verify -c "$dir/good.pem" "${of_openssl[@]}"
    if [[ -s $dir/err ]]; then
        fail "without key usage: $(cat -- "$dir/err")"
    fi

    accepts 'e-mail' 2 -c "$dir/good.pem" "${of_openssl[@]}" --name who@mail.example
    rejects 'another e-mail' verify_email 'bad_certificate (42)' 0 -c "$dir/good.pem" \
        "${of_openssl[@]}" --name whom@mail.example

    tool x509 -in "$dir/root.pem" -trustout -addreject clientAuth -out "$dir/reject.pem"
    tool x509 -in "$dir/root.pem" -trustout -addtrust clientAuth -out "$dir/trust.pem"
    rejects 'rejected by trust settings' verify_rejected 'bad_certificate (42)' 1 \
        -c "$dir/good.pem" -t "$dir/reject.pem"
    accepts 'trusted by trust settings' 2 -c "$dir/good.pem" -t "$dir/trust.pem"
    accepts 'trust settings and no purpose' 2 -c "$dir/good.pem" -t "$dir/reject.pem" -p none
else
    echo 'openssl is not installed: CRLs and trust settings are not tested' >&2
fi

# Wrong usage.

good=(-c "$client" -t "$trust")
refuses 'nothing' '--cert'
refuses 'no certificate' '--cert' -t "$trust"
refuses 'an argument' '"extra"' "${good[@]}" extra
refuses 'an unknown option' 'nope' "${good[@]}" --nope
for value in on off Client '' both; do
    refuses "--purpose $value" '--purpose' "${good[@]}" --purpose "$value"
done
for value in on Reject '' no; do
    refuses "--eku-absent $value" '--eku-absent' "${good[@]}" --eku-absent "$value"
done
for value in '' ' ' 'a b' bücher.example "$(printf 'a%.0s' {1..254})"; do
    refuses "--name $value" '--name' "${good[@]}" --name "$value"
done
for value in '' now yesterday 2026-02-30 2026-13-01 2026-06-15T12:00:00 2026-06-15T24:00:00Z 1.5 10s; do
    refuses "--at $value" '--at' "${good[@]}" --at "$value"
done
for value in 0 -1 101 x '' 1.5 99999999999999999999; do
    refuses "--depth $value" '--depth' "${good[@]}" --depth "$value"
done

# Unreadable input, in each of the places.

mkdir -- "$dir/directory"
mkfifo -- "$dir/fifo"
: >"$dir/empty"
head -c 10000 /dev/urandom >"$dir/garbage"
echo 'hello' >"$dir/text"
head -c "$(($(wc -c <"$dir/client.der") - 1))" "$dir/client.der" >"$dir/truncated.der"
{ cat -- "$dir/client.der" && printf '\0'; } >"$dir/trailing.der"
head -n 5 "$client" >"$dir/truncated.pem"
sed '3s/^...../?????/' "$client" >"$dir/spoilt.pem"
truncate -s 100M "$dir/huge"
for file in missing directory fifo empty garbage text truncated.der trailing.der truncated.pem \
    spoilt.pem huge; do
    refuses "--cert $file" "$dir/$file" -c "$dir/$file" -t "$trust"
    refuses "--cert, then $file" "$dir/$file" -c "$client" -c "$dir/$file" -t "$trust"
    refuses "--trust $file" "$dir/$file" -c "$client" -t "$dir/$file"
    refuses "--crl $file" "$dir/$file" "${good[@]}" --crl "$dir/$file"
done
refuses 'a key as certificate' clientprivkey.pem -c "$store/clientprivkey.pem" -t "$trust"
refuses 'a key as trusted CA' clientprivkey.pem -c "$client" -t "$store/clientprivkey.pem"
refuses 'a key as CRL' clientprivkey.pem "${good[@]}" --crl "$store/clientprivkey.pem"
refuses 'a certificate as CRL' client.pem "${good[@]}" --crl "$client"
refuses 'a certificate in DER as CRL' client.der "${good[@]}" --crl "$dir/client.der"

# A file that is too big is not read.
for option in --cert --trust --crl; do
    started=$(date +%s%N)
    refuses "$option: 100 MB" 'at most' "${good[@]}" "$option" "$dir/huge"
    elapsed_ms=$((($(date +%s%N) - started) / 1000000))
    if ((elapsed_ms > 2000)); then
        fail "$option: 100 MB: refused after $elapsed_ms ms"
    fi
done

# A file that cannot be read; root can.
if ((EUID != 0)); then
    cp -- "$client" "$dir/secret.pem"
    chmod 0000 -- "$dir/secret.pem"
    refuses 'no permission' secret.pem -c "$dir/secret.pem" -t "$trust"
fi

expect_nothing_left verify
finish
