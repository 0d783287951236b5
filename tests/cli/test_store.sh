#!/usr/bin/env bash
#
# `ekubench store`: every verb, every refusal, and what is left when it is killed:
# tests/cli/test_store.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_store.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs openssl /usr/bin/python3

no_client='Invalid certificate: The file provided does not have a client usage attribute. Services requiring mutual TLS may not work.'
no_server='Invalid certificate: The file provided does not have a server usage attribute. Services requiring mutual TLS may not work.'
no_key='Invalid certificate: The certificate fits neither a key given with it, nor that of a signing request, nor the current one.'
no_request='There is no certificate signing request in progress'

# What is brought: chains and keys of two CAs, one chain for both roles, and files of other forms.
one=$dir/one
two=$dir/two
both=$dir/both
for arguments in "$one --depth 3" "$two" "$both --server-eku both --client-eku both"; do
    read -r -a words <<<"$arguments"
    run ekubench pki mint "${words[@]}"
    if ((status != 0)); then
        fail "pki mint $arguments: status $status: $(cat -- "$dir/err")"
        finish
    fi
done

# All that the program says: no key may be in it.
said=$dir/said
: >"$said"

# store ARGUMENT...: `ekubench store`, as `run`, and remembered.
store() {
    run ekubench store "$@"
    cat -- "$dir/out" "$dir/err" >>"$said"
}

# expect NAME STATUS [TEXT]: how the last one ended, and a line of what it said on standard error.
expect() {
    if ((status != $2)); then
        fail "$1: status $status, not $2: $(cat -- "$dir/out" "$dir/err")"
    fi
    if (($# > 2)) && ! grep -qxF -- "ekubench: $3" "$dir/err"; then
        fail "$1: \"$(cat -- "$dir/err")\", not \"ekubench: $3\""
    fi
}

# tree DIR: names, modes, contents and link targets of all that is in it.
tree() {
    if [[ -d $1 ]]; then
        (cd -- "$1" && find . -printf '%p %m %y %l\n' | sort &&
            find . -type f -print0 | sort -z | xargs -0r sha256sum)
    else
        echo 'nothing'
    fi
}

# visible DIR: what is found by name.
visible() {
    if [[ -d $1 ]]; then
        (cd -- "$1" && find -L . -name '.?*' -prune -o -type f -print0 2>/dev/null | sort -z |
            xargs -0r sha256sum)
    fi
}

# refused NAME DIR STATUS TEXT ARGUMENT...: the store DIR stays as it is, to the byte.
refused() {
    local name=$1 store=$2 wanted=$3 text=$4 before
    shift 4
    before=$(tree "$store")
    store "$@" -s "$store"
    expect "$name" "$wanted" "$text"
    if [[ $(tree "$store") != "$before" ]]; then
        fail "$name: it changed: $(diff <(echo "$before") <(tree "$store"))"
    fi
}

# expect_pair NAME DIR CERTIFICATE KEY: they belong together, says OpenSSL.
expect_pair() {
    local certificate key
    certificate=$(openssl x509 -in "$2/$3" -noout -pubkey 2>&1) || true
    key=$(openssl pkey -in "$2/$4" -pubout 2>&1) || true
    if [[ $certificate != "$key" || $certificate != *'BEGIN PUBLIC KEY'* ]]; then
        fail "$1: $3 and $4 do not belong together: $certificate $key"
    fi
}

# expect_pairs NAME DIR: each pair is whole and matches, or is not there.
expect_pairs() {
    local certificate key
    for pair in server.pem:privkey.pem client.pem:clientprivkey.pem; do
        certificate=${pair%:*}
        key=${pair#*:}
        if [[ -e $2/$certificate || -e $2/$key ]]; then
            expect_pair "$1" "$2" "$certificate" "$key"
        fi
    done
}

serial() {
    openssl x509 -in "$1" -noout -serial | cut -d = -f 2
}

subject() {
    openssl x509 -in "$1" -noout -subject -nameopt RFC2253 | cut -d = -f 2-
}

# Help.

store --help
expect 'help' 0
for word in init show upload csr trust reset upgrade --also-as-client --use-csr-key --password-file \
    --force --issuer --key-type; do
    if ! grep -q -e "$word" "$dir/out"; then
        fail "help: no $word"
    fi
done

# Wrong usage: status 2, and no store is made.
s=$dir/never
while read -r line; do
    read -r -a words <<<"$line"
    before=$(tree "$s")
    store "${words[@]}" -s "$s"
    expect "wrong: $line" 2
    if [[ $(tree "$s") != "$before" ]]; then
        fail "wrong: $line: $(tree "$s")"
    fi
done <<END
polish
show it
init now
upload
upload both --cert $one/server.pem
upload server
upload server --cert $dir/missing.pem
upload server --cert $one/server.pem --key $dir/missing.pem
upload server --cert $one/server.pem --key $one/privkey.pem --use-current-key
upload client --cert $both/client.pem --key $both/clientprivkey.pem --also-as-client
trust
trust add
trust add $dir/missing.pem
trust add $one/privkey.pem
trust remove
trust remove 00
trust polish
csr
csr polish server
csr new
csr new server
csr new both --cn x
csr show server
csr discard server
csr new server --cn x --key-type dsa
csr new server --cn $(printf 'x%.0s' {1..65})
csr new server --cn x --ip 1.2.3
upgrade
show
trust list
diag -o $dir/diag-never
reset
reset --cn x
upload server --cert $one/server.pem --key $one/privkey.pem
trust add $one/ca.pem
csr new server --cn x
END
store show
expect 'without a store' 2
# Only init makes one: a word that is mistyped is no wish.
mkdir -- "$dir/hollow"
echo mine >"$dir/hollow/notes"
for s in "$dir/never" "$dir/hollow"; do
    none="there is no store at $s: \`ekubench store init\` makes one"
    refused "show, $s" "$s" 2 "$none" show
    refused "trust list, $s" "$s" 2 "$none" trust list
    refused "trust add, $s" "$s" 2 "$none" trust add "$one/ca.pem"
    refused "upload, $s" "$s" 2 "$none" upload server --cert "$one/server.pem" --key "$one/privkey.pem"
    refused "csr new, $s" "$s" 2 "$none" csr new server --cn x
    refused "reset, $s" "$s" 2 "$none" reset --cn x
done

# Options of other verbs are refused, and so are abbreviations, whose values are not shown.
while read -r line; do
    read -r -a words <<<"$line"
    store "${words[@]}" -s "$s"
    expect "not its option: $line" 2
    if ! grep -q 'is no option of\|is enough' "$dir/err"; then
        fail "not its option: $line: $(cat -- "$dir/err")"
    fi
done <<END
init --pem
show --issuer CN=x
show --json --pem
upload server --cert x --cn y
csr new server --cn x --also-as-client
csr show server --force
csr discard server --json
trust add $one/ca.pem --cert x
trust add $one/ca.pem --force
trust remove 00 --pem
trust list --force
reset --force
reset --org x
upgrade --key x
diag -o $dir/diag-never --cn x
END
for words in '--password sesam' '--password=sesam' '--password-fil sesam'; do
    read -r -a words <<<"$words"
    store upload server --cert "$one/server.pem" "${words[@]}" -s "$s"
    expect "abbreviated: ${words[0]}" 2
    if grep -q sesam "$dir/err"; then
        fail "abbreviated: ${words[0]}: $(cat -- "$dir/err")"
    fi
    grep -qF "unrecognized option '${words[0]%%=*}'" "$dir/err" || fail "abbreviated: $(cat -- "$dir/err")"
done
# What follows an option is its value, whatever it looks like; after -- there are no options.
store init --cn --polish -s "$s"
expect 'a value like an option' 2
! grep -q unrecognized "$dir/err" || fail "a value like an option: $(cat -- "$dir/err")"
store show -s "$s" -- --polish
expect 'after --' 2
! grep -q unrecognized "$dir/err" || fail "after --: $(cat -- "$dir/err")"

# Init.

s=$dir/store
store init -s "$s" --cn host.example
expect init 0
expect_pair init "$s" server.pem privkey.pem
modes=$(stat -L -c '%a' "$s" "$s/server.pem" "$s/privkey.pem" | tr '\n' ' ')
if [[ $modes != '755 644 600 ' ]]; then
    fail "init: modes $modes"
fi
if ! openssl verify -CAfile "$s/server.pem" -purpose sslserver -verify_hostname host.example \
    "$s/server.pem" >"$dir/out" 2>&1; then
    fail "init: $(cat -- "$dir/out")"
fi
refused 'init again' "$s" 2 "$s holds a store already; \`reset\` replaces its server certificate" \
    init --cn other.example

# Where nothing may be written. Others than root get at the program there.
install -m 755 -- "$bin" "$dir/ekubench"
nobody=()
if ((EUID == 0)); then
    nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
fi
mkdir -m 755 -- "$dir/denied"
mkdir -m 0 -- "$dir/denied/store"
chmod 555 -- "$dir/denied"
run "${nobody[@]}" "$dir/ekubench" store init -s "$dir/denied/new"
expect 'init, may not' 2 "$dir/denied/new: permission denied"
run "${nobody[@]}" "$dir/ekubench" store init -s "$dir/denied/store"
expect 'init, may not look' 2 "$dir/denied/store/server.pem: permission denied"
# In a name space of its own nobody else sees the file system.
if unshare --mount true 2>/dev/null; then
    mkdir -- "$dir/read-only"
    run unshare --mount bash -c "mount -t tmpfs -o ro none '$dir/read-only' && '$bin' store init -s '$dir/read-only/store'"
    expect 'init, read-only' 3 "$dir/read-only/store: permission denied (Read-only file system)"
fi

# Show.

refused 'no current key' "$s" 2 'There is no such key' \
    upload client --cert "$one/client.pem" --use-current-key
refused 'no name' "$s" 2 'csr new: --cn NAME is wanted' csr new server
store show -s "$s"
expect show 0
for line in 'Server store' '  subject     CN=host.example' '  names       DNS:host.example' \
    '  usages      serverAuth' '  key         EC P-256' '  chain       1 certificate' 'Client store' \
    '  empty' "  request     $no_request" 'Trusted CA list: 0 certificates'; do
    if ! grep -qxF -- "$line" "$dir/out"; then
        fail "show: no \"$line\" in $(cat -- "$dir/out")"
    fi
done
store show --pem -s "$s"
expect 'show --pem' 0
if [[ $(cat -- "$dir/out") != "# server
$(cat -- "$s/server.pem")" ]]; then
    fail "show --pem: $(cat -- "$dir/out")"
fi
store show server --pem -s "$s"
expect 'show server --pem' 0
cmp -s "$dir/out" "$s/server.pem" || fail "show server --pem: $(cat -- "$dir/out")"
store show client --pem -s "$s"
expect 'show client --pem' 0
[[ ! -s $dir/out ]] || fail "show client --pem: $(cat -- "$dir/out")"
store show trust -s "$s"
[[ $(cat -- "$dir/out") == 'Trusted CA list: 0 certificates' ]] || fail "show trust: $(cat -- "$dir/out")"
store show client --json -s "$s"
[[ $(json "$dir/out" 'sorted(r)') == "['client', 'faults']" ]] || fail "show client --json: $(cat -- "$dir/out")"
store show --json -s "$s"
expect 'show --json' 0
if [[ $(json "$dir/out" '[r["server"]["chain"][0]["names"], r["server"]["chain"][0]["usages"]]') == \
    "[['DNS:host.example'], ['serverAuth']]" ]] || fail "show --json: $(cat -- "$dir/out")"
[[ $(json "$dir/out" '[r["server"]["chain"][0]["subject"], r["server"]["chain"][0]["self_signed"],
        len(r["server"]["chain"]), r["server"]["request"], r["client"]["chain"], r["trust"]]') != \
    "['CN=host.example', True, 1, None, [], []]" ]]; then
    fail "show --json: $(cat -- "$dir/out")"
fi

# The gate.

refused 'clientAuth to the server store' "$s" 1 "$no_server" \
    upload server --cert "$one/client.pem" --key "$one/clientprivkey.pem"
refused 'serverAuth to the client store' "$s" 1 "$no_client" \
    upload client --cert "$one/server.pem" --key "$one/privkey.pem"
refused 'clientAuth to both' "$s" 1 "$no_server" \
    upload server --also-as-client --cert "$one/client.pem" --key "$one/clientprivkey.pem"
refused 'no key that fits' "$s" 1 "$no_key" upload server --cert "$one/server.pem"
refused 'the key of another' "$s" 1 \
    'Invalid certificate: The private key does not belong to the certificate.' \
    upload server --cert "$one/server.pem" --key "$two/privkey.pem"
refused 'the current key of another' "$s" 1 \
    'Invalid certificate: The private key does not belong to the certificate.' \
    upload server --cert "$one/server.pem" --use-current-key
refused 'no request' "$s" 2 \
    "$no_request" \
    upload server --cert "$one/server.pem" --use-csr-key
cat -- "$one/server.pem" "$two/server.pem" >"$dir/leaves.pem"
refused 'two leaves' "$s" 1 \
    'Invalid certificate: The certificates in the file provided do not make one chain, the leaf first and each issued by the next.' \
    upload server --cert "$dir/leaves.pem" --key "$one/privkey.pem"
openssl req -x509 -newkey rsa:1024 -nodes -keyout "$dir/weak.key" -out "$dir/weak.pem" -days 9 \
    -subj /CN=weak -addext extendedKeyUsage=serverAuth 2>"$dir/err"
refused 'a weak key' "$s" 1 \
    'Invalid certificate: The key of CN=weak is RSA 1024; RSA of at least 2048 bits, EC P-256, P-384, P-521 and Ed25519 are accepted.' \
    upload server --cert "$dir/weak.pem" --key "$dir/weak.key"
# Kinds that are not taken: the certificate says so, whatever can be read of the key. kind NAME
# OPTION...: a certificate of OpenSSL's for a new key of that kind.
kind() {
    openssl genpkey -out "$dir/$1.key" "${@:2}" 2>"$dir/err" || return 1
    chmod 600 "$dir/$1.key"
    openssl req -x509 -key "$dir/$1.key" -out "$dir/$1.pem" -days 9 -subj "/CN=$1" \
        -addext extendedKeyUsage=serverAuth 2>"$dir/err"
}
while read -r -a words; do
    name=${words[0]}
    if ! kind "${words[@]}"; then
        echo "OpenSSL makes no $name: $(head -n 1 -- "$dir/err")" >&2
        continue
    fi
    not_taken="Invalid certificate: The key of CN=$name is another key; RSA of at least 2048 bits, EC P-256, P-384, P-521 and Ed25519 are accepted."
    refused "$name" "$s" 1 "$not_taken" upload server --cert "$dir/$name.pem" --key "$dir/$name.key"
    cat -- "$dir/$name.pem" "$dir/$name.key" >"$dir/kind.pem"
    refused "$name, one file" "$s" 1 "$not_taken" upload server --cert "$dir/kind.pem"
done <<END
P-224 -algorithm EC -pkeyopt ec_paramgen_curve:P-224
secp256k1 -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1
Ed448 -algorithm ED448
RSA-PSS -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048
END
# A key that is malformed is one that cannot be read.
sed '2s/.*/AAAA/' "$one/privkey.pem" >"$dir/malformed"
store upload server --cert "$one/server.pem" --key "$dir/malformed" -s "$s"
expect 'a malformed key' 2
grep -qF "$dir/malformed: the private key is malformed" "$dir/err" || fail "a malformed key: $(cat -- "$dir/err")"
# A leaf of somebody who is no CA.
openssl x509 -req -in <(openssl req -new -key "$one/clientprivkey.pem" -subj /CN=under) \
    -CA "$one/server.pem" -CAkey "$one/privkey.pem" -days 9 -extfile <(echo extendedKeyUsage=serverAuth) \
    -out "$dir/under.pem" 2>"$dir/err"
openssl x509 -in "$one/server.pem" >>"$dir/under.pem"
refused 'an issuer that is no CA' "$s" 1 \
    "Invalid certificate: $(subject "$one/server.pem") is not a CA certificate." \
    upload server --cert "$dir/under.pem" --key "$one/clientprivkey.pem"
run ekubench pki mint "$dir/brief" --validity 1s
sleep 2.1
refused 'expired' "$s" 1 "Invalid certificate: The certificate $(subject "$dir/brief/server.pem") has expired." \
    upload server --cert "$dir/brief/server.pem" --key "$dir/brief/privkey.pem"
echo 'hello' >"$dir/text"
refused 'garbage' "$s" 2 "$dir/text holds no certificate" \
    upload server --cert "$dir/text"
truncate -s 100M "$dir/huge"
begin_ms=$(date +%s%3N)
store upload server --cert "$dir/huge" -s "$s"
expect 'a huge file' 2
if (($(date +%s%3N) - begin_ms > 2000)); then
    fail "a huge file: refused after $(($(date +%s%3N) - begin_ms)) ms"
fi

# Upload.

expect_same() {
    if [[ $(openssl x509 -in "$2" -noout -fingerprint) != "$(openssl x509 -in "$3" -noout -fingerprint)" ]]; then
        fail "$1: $2 is not $3"
    fi
}

store upload server --cert "$one/server.pem" --key "$one/privkey.pem" -s "$s"
expect 'upload server' 0
cmp -s "$s/server.pem" "$one/server.pem" || fail 'upload server: another chain'
expect_pairs 'upload server' "$s"
store upload client --cert "$one/client.pem" --key "$one/clientprivkey.pem" -s "$s"
expect 'upload client' 0
grep -qixE "ekubench: in the store now: $(subject "$one/client.pem"), serial $(serial "$one/client.pem"), until .*Z" \
    "$dir/err" || fail "upload client: $(cat -- "$dir/err")"
# Roots are not sent.
cat -- "$one/ca.pem" "$one/server.pem" >"$dir/with-root.pem"
store upload server --cert "$dir/with-root.pem" --key "$one/privkey.pem" -s "$s"
expect 'upload, with the root' 0 "the root $(subject "$one/ca.pem") was left out: roots are not sent"
cmp -s "$s/server.pem" "$one/server.pem" || fail 'upload, with the root: another chain'
cmp -s "$s/client.pem" "$one/client.pem" || fail 'upload client: another chain'
store upload server --cert "$one/server.pem" --use-current-key -s "$s"
expect 'upload --use-current-key' 0
cat -- "$two/privkey.pem" "$two/server.pem" >"$dir/key-first.pem"
store upload server --cert "$dir/key-first.pem" -s "$s"
expect 'upload, key first' 0
expect_same 'key first' "$s/server.pem" "$two/server.pem"
openssl x509 -in "$one/server.pem" -outform DER -out "$dir/server.der"
store upload server --cert "$dir/server.der" --key "$one/privkey.pem" -s "$s"
expect 'upload, DER' 0
expect_same 'DER' "$s/server.pem" "$one/server.pem"
store upload server --also-as-client --cert "$two/server.pem" --key "$two/privkey.pem" -s "$s"
expect 'upload --also-as-client' 0
expect_same 'also as client' "$s/client.pem" "$two/server.pem"
cmp -s "$s/privkey.pem" "$s/clientprivkey.pem" || fail 'also as client: another key'
expect_pairs 'also as client' "$s"

# PKCS #12.

printf 'correct horse\nand more\n' >"$dir/password"
echo 'wrong' >"$dir/wrong"
openssl pkcs12 -export -in "$one/server.pem" -inkey "$one/privkey.pem" -out "$dir/server.p12" \
    -passout 'pass:correct horse'
openssl pkcs12 -export -in "$both/server.pem" -inkey "$both/privkey.pem" -out "$dir/open.p12" -passout pass:
need=": the password is wrong or missing"
refused 'PKCS #12, wrong password' "$s" 2 "$dir/server.p12$need" \
    upload server --cert "$dir/server.p12" --password-file "$dir/wrong"
before=$(tree "$s")
run setsid --wait env -- "$mark" "$bin" store upload server --cert "$dir/server.p12" -s "$s" </dev/null
expect 'PKCS #12, no password' 2 \
    "$dir/server.p12, and there is no terminal to ask on (--password-file)$need"
[[ $(tree "$s") == "$before" ]] || fail 'PKCS #12, no password: it changed'
store upload server --cert "$dir/server.p12" --password-file "$dir/password" -s "$s"
expect 'PKCS #12' 0
cmp -s "$s/server.pem" "$one/server.pem" || fail 'PKCS #12: another chain'
store upload client --cert "$dir/open.p12" -s "$s"
expect 'PKCS #12, empty password' 0
expect_same 'PKCS #12, empty password' "$s/client.pem" "$both/server.pem"
expect_pairs 'PKCS #12' "$s"

# PKCS #12, the password asked for on a terminal: not shown, and the terminal is left as it was.

# on_terminal ANSWER: uploads the PKCS #12 file on a terminal.
on_terminal() {
    run env -- "$mark" /usr/bin/python3 "$root/tests/cli/terminal.py" 'server.p12: ' "$1" \
        "$bin" store upload server --cert "$dir/server.p12" -s "$s"
    cat -- "$dir/out" >>"$said"
    grep -qxF -- "Password of $dir/server.p12: " "$dir/out" || fail "terminal, $1: not asked"
    [[ $(tail -n 1 -- "$dir/out") == echo ]] || fail "terminal, $1: it does not echo any more"
    if grep -qF -- "$1" "$dir/out"; then
        fail "terminal, $1: the password is shown"
    fi
}
store reset -s "$s"
before=$(tree "$s")
for answer in 'battery staple' ^C "$(printf 'x%.0s' {1..1500})"; do
    on_terminal "$answer"
    if ((status != $([[ $answer == ^C ]] && echo 130 || echo 2))); then
        fail "terminal, $answer: status $status"
    fi
    [[ $(tree "$s") == "$before" ]] || fail "terminal, $answer: it changed"
done
on_terminal 'correct horse'
((status == 0)) || fail "terminal: status $status: $(cat -- "$dir/out")"
cmp -s "$s/server.pem" "$one/server.pem" || fail 'terminal: another chain'

# Trust.

refused 'trust: no CA' "$s" 1 \
    "Invalid certificate: $(subject "$two/server.pem") is not a CA certificate." trust add "$two/server.pem"
store trust add "$one/ca.pem" -s "$s"
expect 'trust add' 0
refused 'trust: there already' "$s" 1 \
    "Invalid certificate: $(subject "$one/ca.pem") is in the trusted CA list already." \
    trust add "$one/ca.pem"
cat -- "$two/ca.pem" "$one/ca.pem" >"$dir/cas.pem"
refused 'trust: all or none' "$s" 1 \
    "Invalid certificate: $(subject "$one/ca.pem") is in the trusted CA list already." \
    trust add "$dir/cas.pem"
store trust add "$two/ca.pem" -s "$s"
expect 'trust add, another' 0
store trust list -s "$s"
expect 'trust list' 0
grep -q "^Trusted CA list: 2 certificates$" "$dir/out" || fail "trust list: $(cat -- "$dir/out")"
grep -qi "$(serial "$two/ca.pem")" "$dir/out" || fail "trust list: no $(serial "$two/ca.pem")"
grep -qxF "    issuer $(subject "$two/ca.pem")" "$dir/out" || fail "trust list: no issuer: $(cat -- "$dir/out")"
store trust list --json -s "$s"
[[ $(json "$dir/out" 'len(r), r[0]["ca"]') == '(2, True)' ]] || fail "trust list --json: $(cat -- "$dir/out")"
store trust list --pem -s "$s"
[[ $(cat -- "$dir/out") == "$(cat -- "$one/ca.pem" "$two/ca.pem")" ]] || fail 'trust list --pem'

# Diagnostics.

store diag -s "$s" -o "$dir/diag"
expect 'diag' 0
stamp=$(find "$dir/diag" -name 'server_*' | sed 's/.*_\(....-..-.._.._.._..\)[.]pem$/\1/')
[[ $(tree "$dir/diag" | grep -c ' f ') == 8 ]] || fail "diag: $(ls -- "$dir/diag")"
for name in ca:pem server:pem client:pem xconf_dump:txt xconf_dump:xml xstat_dump:txt xstat_dump:xml \
    loggingsnapshot:txt; do
    [[ -s $dir/diag/${name%:*}_$(hostname)_$stamp.${name#*:} ]] || fail "diag: no $name of $stamp"
done
cat -- "$dir/diag"/* >>"$said"
for line in 'listener.default.eku_mode: on' 'listener.default.crl: auto' 'listener.default.resume: off'; do
    grep -qxF "$line" "$dir"/diag/xconf_dump_*.txt || fail "diag: no \"$line\""
done
echo '127.0.0.1:7002,eku-absent=reject' >"$dir/some-listeners"
store diag -s "$s" -o "$dir/diag-listeners" -l 127.0.0.1:7001,eku=off,name=host.example \
    --listeners "$dir/some-listeners"
expect 'diag, listeners' 0
for line in 'listener.1.address: 127.0.0.1:7001' 'listener.1.eku_mode: off' 'listener.1.name: host.example' \
    'listener.1.depth: 32' 'listener.2.address: 127.0.0.1:7002' 'listener.2.eku_absent: reject'; do
    grep -qxF "$line" "$dir"/diag-listeners/xconf_dump_*.txt || fail "diag, listeners: no \"$line\""
done
store diag -s "$s" -o "$dir/diag-never" -l 127.0.0.1:7001,eku=perhaps
expect 'diag, no listener' 2
store diag -s "$s" -o "$dir/diag-key" --event-log "$s/privkey.pem"
expect 'diag, a key for an event log' 2 "$s/privkey.pem holds a private key, and was not copied"
[[ $(tree "$dir/diag-key" | grep -c ' f ') == 8 ]] || fail "diag, a key: $(ls -- "$dir/diag-key")"
cat -- "$dir/diag-key"/* >>"$said"
run env -- "$mark" PATH=/nowhere "$(command -v env)" -- "$bin" store diag -s "$s" -o "$dir/diag-0" --capture 1
expect 'diag: no tcpdump' 3 'no packets were captured: tcpdump: No such file or directory'
[[ $(find "$dir/diag-0" -name 'server_*' | wc -l) == 1 ]] || fail 'diag: no tcpdump, and no files'

# The magic number of the format, and a packet of the connections made meanwhile.
if command -v tcpdump >/dev/null && tcpdump -i any -d >"$dir/out" 2>&1; then
    (for _ in {1..40}; do
        (: <>/dev/tcp/127.0.0.1/9) 2>/dev/null || true
        sleep 0.1
    done) &
    noise=$!
    run ekubench store diag -s "$s" -o "$dir/diag-1" --capture 2
    ((status == 0)) || fail "diag --capture: status $status: $(cat -- "$dir/err")"
    kill "$noise" 2>/dev/null || true
    wait "$noise" 2>/dev/null || true
    capture=$(find "$dir/diag-1" -name 'eth0_diagnostic_logging_tcpdump00_*.pcap')
    [[ $(od -An -tx4 -N4 --endian=little "$capture") == ' a1b2c3d4' ]] || fail 'diag --capture: no pcap'
    # To its end: who stops reading breaks the pipe.
    tcpdump -nr "$capture" 2>/dev/null | grep -F '127.0.0.1.9: Flags [S]' >/dev/null ||
        fail 'diag --capture: the connections are not in it'
fi

# Trust, removed.

refused 'trust remove: none such' "$s" 2 \
    'no trusted CA has the serial number 00' trust remove 00
refused 'trust remove: another issuer' "$s" 2 \
    "no trusted CA has the serial number $(serial "$two/ca.pem") and the issuer CN=x" \
    trust remove "$(serial "$two/ca.pem")" --issuer CN=x
store trust remove "$(serial "$two/ca.pem")" -s "$s"
expect 'trust remove' 0
grep -qi "^ekubench: no longer trusted: .* serial $(serial "$two/ca.pem")," "$dir/err" || fail "trust remove: $(cat -- "$dir/err")"
cmp -s "$s/ca.pem" "$one/ca.pem" || fail 'trust remove: another list'
store trust remove "$(serial "$one/ca.pem" | tr A-F a-f)" -s "$s"
expect 'trust remove, the last' 0
grep -qx '# This list is empty.' "$s/ca.pem" || fail "trust remove, the last: $(cat -- "$s/ca.pem")"
store trust list -s "$s"
grep -qx 'Trusted CA list: 0 certificates' "$dir/out" || fail "trust list, empty: $(cat -- "$dir/out")"

# Signing requests.

store csr new server --cn host.example --org Example --dns host.example --dns '*.example' \
    --ip 192.0.2.1 --ip 2001:db8::1 -s "$s"
expect 'csr new' 0
cp -- "$dir/out" "$dir/request.pem"
text=$(openssl req -in "$dir/request.pem" -noout -verify -text 2>&1) || fail "csr new: $text"
for part in 'O = Example' 'CN = host.example' 'DNS:host.example, DNS:*.example' 'IP Address:192.0.2.1' \
    'IP Address:2001:DB8:0:0:0:0:0:1' 'TLS Web Server Authentication'; do
    [[ $text == *"$part"* ]] || fail "csr new: no $part in $text"
done
store csr show server -s "$s"
expect 'csr show' 0
cmp -s "$dir/out" "$dir/request.pem" || fail 'csr show: another request'
[[ $(stat -L -c '%a' "$s/generated_csr") == 700 ]] || fail 'csr: mode of generated_csr'
[[ $(stat -c '%a' "$s/generated_csr/server.key") == 600 ]] || fail 'csr: mode of its key'
store show -s "$s"
grep -q '^  request     in progress: .*CN=host.example' "$dir/out" || fail "show: $(cat -- "$dir/out")"
cp -- "$s/generated_csr/server.key" "$dir/request.key"
refused 'csr new again' "$s" 1 \
    "There is a certificate signing request in progress; \`csr discard\` discards it and its key first, --force replaces them" \
    csr new server --cn other
refused "csr show of the other side" "$s" 2 "$no_request" \
    csr show client
# A CA of OpenSSL's takes it.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/ca.key" \
    -out "$dir/ca.pem" -days 9 -subj '/CN=their CA' 2>"$dir/err"
openssl x509 -req -in "$dir/request.pem" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -days 9 \
    -copy_extensions copyall -out "$dir/issued.pem" 2>"$dir/err"
chmod 640 "$s/generated_csr/server.key"
shared="mode 0640; a private key is for its owner only (0600)"
refused 'a request key for everybody' "$s" 2 "$s/generated_csr/server.key has $shared" \
    upload server --cert "$dir/issued.pem" --use-csr-key
refused 'a request key for everybody, found' "$s" 2 "$s/generated_csr/server.key has $shared" \
    upload server --cert "$dir/issued.pem"
chmod 640 "$dir/request.key"
cp -rp -- "$s" "$dir/other"
store upload server --cert "$dir/issued.pem" --key "$dir/request.key" -s "$dir/other"
expect 'upload --key for everybody' 0 "warning: $dir/request.key has $shared"
chmod 600 "$s/generated_csr/server.key" "$dir/request.key"
store upload server --cert "$dir/issued.pem" --use-csr-key -s "$s"
expect 'upload --use-csr-key' 0
cmp -s "$s/privkey.pem" "$dir/request.key" || fail 'upload --use-csr-key: another key'
expect_pairs 'upload --use-csr-key' "$s"
[[ ! -e $s/generated_csr/server.key ]] || fail 'upload --use-csr-key: the request is left'
store csr new client --cn c -s "$s"
expect 'csr new client' 0
cp -- "$s/generated_csr/client.key" "$dir/client-request.key"
store csr new client --cn d --force -s "$s"
expect 'csr new --force' 0
! cmp -s "$s/generated_csr/client.key" "$dir/client-request.key" || fail 'csr new --force: the same key'
# What is no request is said to be none, in every form.
echo junk >"$s/generated_csr/client.csr"
refused 'csr show, junk' "$s" 2 'the signing request is malformed' csr show client
store show -s "$s"
grep -qx '  request     the signing request is malformed' "$dir/out" || fail "show, junk: $(cat -- "$dir/out")"
store show --json -s "$s"
[[ $(json "$dir/out" 'r["client"]["request"], r["server"]["request"]') == \
    "({'error': 'the signing request is malformed'}, None)" ]] || fail "show --json, junk: $(cat -- "$dir/out")"
store csr discard client -s "$s"
expect 'csr discard' 0
refused 'csr discard again' "$s" 2 "$no_request" csr discard client

# Reset and upgrade.

store reset -s "$s" --cn again.example
expect reset 0
openssl x509 -in "$s/server.pem" -noout -checkhost again.example | grep -q 'does match' || fail 'reset: host'
store upgrade -s "$s"
expect 'upgrade, kept' 0
grep -qx 'there is a client store already, and it is kept' "$dir/out" || fail "upgrade: $(cat -- "$dir/out")"
store upgrade --force -s "$s"
expect 'upgrade --force' 0
cmp -s "$s/server.pem" "$s/client.pem" || fail 'upgrade --force: another certificate'
expect_pairs upgrade "$s"

# What is broken is said; the rest is shown, and can be changed, and so can what is broken.

b=$dir/broken
mkdir -- "$b"
cp -- "$one/server.pem" "$one/ca.pem" "$b"
cp -- "$two/privkey.pem" "$b"
echo junk >"$b/client-ca.crl"
chmod 600 "$b/privkey.pem"
mismatch="$b/server.pem and privkey.pem: the private key does not belong to the certificate"
store show -s "$b"
expect 'show, broken' 0 "warning: $mismatch"
expect 'show, broken CRL' 0 "warning: $b/client-ca.crl holds no CRL"
grep -qxF "  subject     $(subject "$one/server.pem")" "$dir/out" || fail "show, broken: $(cat -- "$dir/out")"
store show --json -s "$b"
[[ $(json "$dir/out" '[(f["part"], f["code"]) for f in r["faults"]]') == \
    "[('server', 'key_mismatch'), ('crl', 'parse')]" ]] || fail "show --json, broken: $(cat -- "$dir/out")"
store diag -s "$b" -o "$dir/diag-broken"
expect 'diag, broken' 0 "warning: $mismatch"
grep -qF "crl.fault: $b/client-ca.crl holds no CRL" "$dir"/diag-broken/xstat_dump_*.txt || fail 'diag, broken: no fault'
store trust list -s "$b"
expect 'trust list, broken' 0
[[ ! -s $dir/err ]] || fail "trust list, broken: $(cat -- "$dir/err")"
refused 'upgrade, broken' "$b" 2 "$mismatch" upgrade
store upload client --cert "$one/client.pem" --key "$one/clientprivkey.pem" -s "$b"
expect 'upload beside what is broken' 0
chmod 644 "$b/privkey.pem"
refused 'the current key, for everybody' "$b" 2 \
    "$b/privkey.pem has mode 0644; a private key is for its owner only (0600)" \
    upload server --cert "$two/server.pem"
store upload server --cert "$two/server.pem" --key "$two/privkey.pem" -s "$b"
expect 'upload over what is broken' 0
expect_pairs 'upload over what is broken' "$b"
echo junk >"$dir/junk-ca.pem"
cp -- "$dir/junk-ca.pem" "$b/.data/ca.pem"
refused 'trust add, broken' "$b" 2 "$b/ca.pem holds no certificate" trust add "$two/ca.pem"
refused 'trust list, broken' "$b" 2 "$b/ca.pem holds no certificate" trust list

# The gates of other releases.

g=$dir/gate
store init -s "$g"
expect 'init, gate' 0
for words in '--release X14.2' '--release X15.4' '--release X15.4 --node edge' '--release X15.4 --server-eku-upload'; do
    # shellcheck disable=SC2086 # Several words.
    refused "upload server $words" "$g" 1 "$no_client" upload server --cert "$one/server.pem" --key "$one/privkey.pem" $words
done
store upload server --cert "$one/server.pem" --key "$one/privkey.pem" -s "$g" --release X15.4 --node edge --server-eku-upload
expect 'upload server, EnableServerEkuUpload' 0
store upload server --cert "$both/server.pem" --key "$both/privkey.pem" -s "$g" --release X14.1
expect 'upload server, both usages' 0
refused 'upload client, one store' "$g" 2 \
    "X14.2 to X15.3 has one store: the server's certificate is the client's, too" \
    upload client --cert "$both/client.pem" --key "$both/clientprivkey.pem" --release X14.2
store upload server --cert "$one/server.pem" --key "$one/privkey.pem" -s "$g" --release 14
expect 'upload server, no release' 2
store show -s "$g" --release X15.5
expect 'show --release' 2

# Being killed.

# ready FORM DIR: a store to be changed, of plain files or in the form of a first change.
ready() {
    rm -rf -- "$2"
    mkdir -- "$2"
    cp -p -- "$one"/.data/* "$2" 2>/dev/null || cp -- "$one"/*.pem "$2"
    mkdir -m 700 -- "$2/generated_csr"
    cp -- "$dir/request.pem" "$2/generated_csr/server.csr"
    cp -p -- "$dir/request.key" "$2/generated_csr/server.key"
    echo mine >"$2/notes"
    if [[ $1 == linked ]]; then
        ekubench store upload server --cert "$one/server.pem" --use-current-key -s "$2"
    fi
}

# kill_everywhere NAME FORM ARGUMENT...: the command, killed at each of its fault points; DIR in the
# arguments is the store.
kill_everywhere() {
    local name=$1 form=$2 at before after now
    shift 2
    local victim=$dir/victim
    local -a words=("${@/DIR/$victim}") seen=()
    local -a next=(store upload client --cert "$both/client.pem" --key "$both/clientprivkey.pem" -s "$victim")
    for ((at = 1; at < 60; at++)); do
        if [[ $form == none ]]; then
            rm -rf -- "$victim"
        else
            ready "$form" "$victim"
        fi
        before=$(visible "$victim")
        status=0
        # The shell's own word about the kill is not wanted.
        {
            env -- "$mark" "EKUBENCH_FAULT_AT=$at" "$bin" "${words[@]}" >"$dir/out" 2>"$dir/err" || status=$?
        } 2>/dev/null
        cat -- "$dir/out" "$dir/err" >>"$said"
        if ((status != 137)); then
            break
        fi
        now=$(visible "$victim")
        seen+=("$now")
        expect_pairs "$name, $form, killed at $at" "$victim"
        if [[ $form != none && $(cat -- "$victim/notes") != mine ]]; then
            fail "$name, $form, killed at $at: the user's file"
        fi
        if [[ $form == none && -z $now ]]; then
            # Nothing came of it: it can be done again.
            run ekubench "${words[@]}"
        else
            run ekubench "${next[@]}"
        fi
        if ((status != 0)); then
            fail "$name, $form, killed at $at: the next change: status $status: $(cat -- "$dir/err")"
        fi
        expect_pairs "$name, $form, killed at $at, and the next" "$victim"
        if (($(find "$victim" -maxdepth 1 \( -name '.data.*' -o -name '.link.*' \) | wc -l) != 1)); then
            fail "$name, $form, killed at $at: not swept: $(ls -A -- "$victim")"
        fi
    done
    if ((status != 0)); then
        fail "$name, $form: status $status at $at: $(cat -- "$dir/err")"
    fi
    # Keys that are made are other ones each time: of these only the pairs can be looked at.
    after=$(visible "$victim")
    case $name in
    init | 'pki mint' | 'csr new' | reset) ;;
    *)
        for now in "${seen[@]}"; do
            if [[ $now != "$before" && $now != "$after" ]]; then
                fail "$name, $form: neither old nor new: $now"
            fi
        done
        ;;
    esac
    if ((at < 5)); then
        fail "$name, $form: only $((at - 1)) fault points"
    fi
}

serial_of_one=$(serial "$one/ca.pem")
kill_everywhere init none store init -s DIR --cn x.example
kill_everywhere 'pki mint' none pki mint DIR
# Each verb from the form of plain files, which has the more fault points, and two from the other:
# what is between the points is one code, and the tests of store/change kill it in both.
for form in plain linked; do
    kill_everywhere 'upload --also-as-client' "$form" \
        store upload server --also-as-client --cert "$two/server.pem" --key "$two/privkey.pem" -s DIR
    kill_everywhere 'upload --use-csr-key' "$form" \
        store upload server --cert "$dir/issued.pem" --use-csr-key -s DIR
done
kill_everywhere 'upload server' plain \
    store upload server --cert "$two/server.pem" --key "$two/privkey.pem" -s DIR
kill_everywhere 'upload client' plain \
    store upload client --cert "$two/client.pem" --key "$two/clientprivkey.pem" -s DIR
kill_everywhere 'trust add' plain store trust add "$two/ca.pem" -s DIR
kill_everywhere 'trust remove' plain store trust remove "$serial_of_one" -s DIR
kill_everywhere 'csr new' plain store csr new client --cn x -s DIR
kill_everywhere 'csr discard' plain store csr discard server -s DIR
kill_everywhere reset plain store reset --cn x.example -s DIR
kill_everywhere upgrade plain store upgrade --force -s DIR

# At any moment: the pair is the one or the other, and nothing else is lost. Every other round begins
# with plain files, so that their conversion is interrupted too.
for ((i = 0; i < 20; i++)); do
    ((i % 2 == 1)) || ready plain "$dir/random"
    env -- "$mark" "$bin" store upload server --also-as-client --cert "$two/server.pem" \
        --key "$two/privkey.pem" -s "$dir/random" >"$dir/out" 2>"$dir/err" &
    pid=$!
    sleep "0.0$((RANDOM % 30 + 10))"
    {
        kill -KILL "$pid" || true
        wait "$pid" || true
    } 2>/dev/null
    expect_pairs "killed at random, $i" "$dir/random"
    if ! cmp -s "$dir/random/server.pem" "$one/server.pem" &&
        ! cmp -s "$dir/random/server.pem" "$two/server.pem"; then
        fail "killed at random, $i: neither the old nor the new one"
    fi
    if ! cmp -s "$dir/random/generated_csr/server.key" "$dir/request.key"; then
        fail "killed at random, $i: the pending request is lost: $(tree "$dir/random")"
    fi
done
run ekubench store reset --cn x -s "$dir/random"
((status == 0)) || fail "after being killed at random: $(cat -- "$dir/err")"

# No key was shown: of each, the lines in which the secret begins. (The public half is at the end.)

mapfile -t keys < <(find "$dir" -type f \( -name '*.key' -o -name '*privkey.pem' \))
((${#keys[@]} > 5)) || fail "only ${#keys[@]} keys"
for key in "${keys[@]}"; do
    sed -n '2,3p' -- "$key"
done | sort -u >"$dir/lines"
if grep -nF -f "$dir/lines" -- "$said" >"$dir/shown"; then
    fail "a key was shown: $(head -n 1 -- "$dir/shown")"
fi
if grep -q 'PRIVATE KEY' "$said"; then
    fail "a key was shown: $(grep 'PRIVATE KEY' "$said")"
fi

# The walk: from nothing to a server whose listeners differ.

walk() {
    local walk=$dir/walk visitor=$dir/visitor text
    store init -s "$walk" --cn localhost
    expect 'walk: init' 0
    store upload server --cert "$one/server.pem" --key "$one/privkey.pem" -s "$walk"
    expect 'walk: upload' 0
    store trust add "$one/ca.pem" -s "$walk"
    expect 'walk: trust add' 0
    # A visitor with a public certificate only, which is for servers.
    store init -s "$visitor"
    expect 'walk: init, visitor' 0
    store upload server --also-as-client --cert "$one/server.pem" --key "$one/privkey.pem" -s "$visitor"
    expect 'walk: upload --also-as-client' 0
    store trust add "$one/ca.pem" -s "$visitor"
    expect 'walk: trust add' 0
    start_server walk --store "$walk" --listen 127.0.0.1:0 --listen 127.0.0.1:0,eku=off || return 0
    run ekubench load "$(listen_address walk 1)" --store "$visitor" --count 10 -n 2 --json
    text=$(json "$dir/out" 'r["arms"][0]["handshakes"]["rejected"], r["arms"][0]["alerts"]')
    [[ $text == "(10, {'unsupported_certificate': 10})" ]] || fail "walk, eku=on: $text $(cat -- "$dir/err")"
    run ekubench load "$(listen_address walk 2)" --store "$visitor" --count 10 -n 2 --json
    text=$(json "$dir/out" 'r["arms"][0]["handshakes"]["accepted"]')
    [[ $text == 10 ]] || fail "walk, eku=off: $text $(cat -- "$dir/err")"
    kill -INT "$server_pid"
    end_of "$server_pid"
    ((status == 0)) || fail "walk: serve: status $status"
}

if "$bin" doctor --json 2>/dev/null | grep -A1 '"check": "io_uring"' | grep -q '"fail"'; then
    echo 'io_uring cannot be used here: the walk is not tested' >&2
else
    walk
fi
expect_nothing_left store
finish
