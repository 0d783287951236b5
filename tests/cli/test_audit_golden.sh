#!/usr/bin/env bash
#
# What `ekubench audit` prints, whole, of certificates with fixed names, dates and serial numbers, as of a fixed day; compared
# with tests/golden/audit: tests/cli/test_audit_golden.sh EKUBENCH
# With EKUBENCH_GOLDEN=write in the environment the files are written anew, to be looked at before they are committed.
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_audit_golden.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs openssl

golden=$root/tests/golden/audit
made=$dir/made
mkdir "$made"
cd -- "$made"
: >index.txt
cat >ca.cnf <<'CONF'
[ca]
default_ca = made
[made]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
organizationName = optional
[req]
distinguished_name = any
CONF

# make NAME SUBJECT ISSUER SERIAL FROM UNTIL KEY EXTENSION...: a certificate, NAME.pem, and its key, NAME.key; ISSUER may be NAME.
make() {
    local name=$1 subject=$2 issuer=$3 serial=$4 from=$5 until=$6 key=$7 signs
    shift 7
    printf '%s\n' "$@" >extensions
    printf '%s\n' "$serial" >serial
    signs=(-cert "$issuer.pem")
    if [[ $issuer == "$name" ]]; then
        signs=(-selfsign)
    fi
    openssl genpkey -algorithm "${key%%/*}" -pkeyopt "${key##*/}" -out "$name.key"
    openssl req -new -config ca.cnf -key "$name.key" -subj "$subject" -out "$name.csr"
    openssl ca -batch -notext -config ca.cnf -preserveDN "${signs[@]}" -keyfile "$issuer.key" -in "$name.csr" -out "$name.pem" \
        -startdate "${from}000000Z" -enddate "${until}000000Z" -extfile extensions
}

ec=EC/ec_paramgen_curve:P-256
is_ca=('basicConstraints=critical,CA:TRUE' 'keyUsage=critical,keyCertSign')
is_leaf=('basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature')
both=extendedKeyUsage=serverAuth,clientAuth
server=extendedKeyUsage=serverAuth
organization='An Organization Whose Name Has As Many Letters As It May Have 64'

{
    make public '/O=Big/CN=Big Root' public 01 20200101 20350101 $ec "${is_ca[@]}"
    make issuing '/O=Big/CN=Big Issuing' public 02 20200101 20340101 $ec "${is_ca[@]}"
    make narrow '/O=Big/CN=Big TLS Server Issuing' public 03 20200101 20340101 $ec "${is_ca[@]}" $server
    make encrypt "/O=Let's Encrypt/CN=R11" public 04 20200101 20340101 $ec "${is_ca[@]}"
    make site '/O=Site/CN=Site Root' site 05 20200101 20350101 $ec "${is_ca[@]}"
    make core-both '/CN=core.example' issuing 1001 20251001 20261103 $ec "${is_leaf[@]}" $both
    make core-server '/CN=core.example' issuing 1002 20260101 20260630 $ec "${is_leaf[@]}" $server
    make core-narrow '/CN=core.example' narrow 1003 20260101 20260630 $ec "${is_leaf[@]}" $both
    make acme '/CN=acme.example' encrypt 1004 20260110 20260410 $ec "${is_leaf[@]}" $both
    make old '/CN=old.example' issuing 1005 20240101 20250101 $ec "${is_leaf[@]}" $both
    make site-both '/CN=core.site.example' site 2001 20260101 20280101 $ec "${is_leaf[@]}" $both
    make site-client '/CN=core.site.example' site 2002 20260101 20280101 $ec "${is_leaf[@]}" extendedKeyUsage=clientAuth
    make weak '/CN=weak.example' weak 3001 20260101 20270101 RSA/rsa_keygen_bits:1024 $server
    make long "/O=$organization/CN=long.example" long 4001 20260101 20270101 $ec "${is_leaf[@]}" $server
} >log 2>&1 || {
    fail "making certificates: $(cat log)"
    finish
}

mkdir -p set/files/.hidden set/store
cat core-both.pem issuing.pem >set/files/core-both.pem
cat core-server.pem issuing.pem >set/files/core-server.pem
cat core-narrow.pem narrow.pem >set/files/core-narrow.pem
cat acme.pem encrypt.pem >set/files/acme.crt
cat old.pem issuing.pem >set/files/old.pem
openssl x509 -in site-both.pem -outform DER -out set/files/site-both.der
cp weak.pem set/files/weak.cer
cp long.pem set/files/
{
    cat core-server.pem
    printf -- '-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n'
    cat site-client.pem
} >set/files/mixed.pem
echo 'no certificate' >set/files/README
echo 'none here' >set/files/empty.pem
cp core-both.pem set/files/.hidden/
cat core-server.pem issuing.pem >set/store/server.pem
cp core-server.key set/store/privkey.pem
cp site-client.pem set/store/client.pem
cp site-client.key set/store/clientprivkey.pem
cat site.pem public.pem >set/store/ca.pem
chmod 600 set/store/*key.pem
cd set

# compare NAME STATUS ARGUMENT...: what the audit prints is what the file NAME has.
compare() {
    local name=$1 wanted=$2
    shift 2
    run ekubench audit --public-roots ../public.pem --trust ../site.pem --at 2026-03-01 "$@"
    expect "$name" "$wanted"
    if [[ ${EKUBENCH_GOLDEN-} == write ]]; then
        tr -d '\r' <"$dir/out" >"$golden/$name"
    fi
    tr -d '\r' <"$dir/out" | diff -u -- "$golden/$name" - || fail "$name is not what it was"
}

compare x15_5.txt 0 files store
compare x15_5.json 0 files store --json
compare x15_5.csv 0 files store --csv
compare x15_5_off_client.txt 1 files --role client --mode off
compare x15_4.txt 1 files store --release X15.4 --role server
compare x15_4_edge.txt 1 files --release X15.4 --role server --node edge
compare x14_1_core.csv 1 store --release X14.1 --node core --csv
mkdir alone
cp store/{server,privkey,ca}.pem alone
compare x15_5_alone.txt 0 alone --node edge
compare x15_5_alone.json 0 alone --node edge --json
compare x15_5_alone.csv 0 alone --node edge --csv
compare x15_5_chrome.txt 1 files/core-both.pem --role server --at 2026-06-15
! grep -E '^ +(date|works): .*(Chrome|browser)' "$golden/x15_5_chrome.txt" >&2 || fail 'what breaks is said to work'

# A table that fits; names of files are short here.
for name in x15_5.txt x15_5_off_client.txt x15_4.txt x15_4_edge.txt x15_5_alone.txt x15_5_chrome.txt; do
    ! grep -nE '^.{101}' "$golden/$name" >&2 || fail "$name has lines of more than 100 columns"
done

expect_nothing_left 'golden audits'
finish
