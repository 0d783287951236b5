#!/usr/bin/env bash
#
# `ekubench audit`: files of every form, stores, servers, and what is hostile: tests/cli/test_audit.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_audit.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs openssl /usr/bin/python3

run ekubench pki mint "$dir/store" --depth 2 --count 40
expect mint 0
run ekubench pki mint "$dir/public" --server-eku both --client-eku server
expect mint 0
mkdir "$dir/files" "$dir/files/below"
roots=$dir/public/ca.pem

# audit NAME STATUS ARGUMENT...: with the roots of "public" as those of the public CAs.
audit() {
    local name=$1 wanted=$2
    shift 2
    run ekubench audit --public-roots "$roots" "$@"
    expect "$name" "$wanted"
}

# item EXPRESSION: of the items `i` of the last audit with --json.
item() {
    json "$dir/out" "$1"
}

# Every form, and directories.
cp -- "$dir/public/client.pem" "$dir/files/server-only.pem"
openssl x509 -in "$dir/store/client.pem" -outform DER -out "$dir/files/below/client.der"
openssl pkcs12 -export -in "$dir/store/client.pem" -inkey "$dir/store/clientprivkey.pem" -passout pass:sesam \
    -out "$dir/files/below/client.p12"
cp -- "$dir/store/privkey.pem" "$dir/files/key"
echo hello >"$dir/files/README"
printf 'sesam\n' >"$dir/password"
audit 'files' 0 "$dir/files" --password-file "$dir/password" --json
[[ $(item 'r["totals"]["files"], r["totals"]["certificates"], r["totals"]["unreadable"], r["totals"]["without"]') == '(5, 3, 0, 2)' ]] ||
    fail "files: $(item 'r["totals"]')"
[[ $(item 'sorted((i["source"].split("/")[-1], i["ca"], i["mtls"]) for i in r["items"])') == \
    "[('client.der', 'unknown', 'perhaps'), ('client.p12', 'unknown', 'perhaps'), ('server-only.pem', 'public', 'no')]" ]] ||
    fail "files: $(item 'r["items"]')"
audit 'the password is missing' 0 "$dir/files/below"
says 'the password is missing' 'client.p12: the password is wrong or missing'
audit 'own roots' 0 "$dir/files/below/client.der" --trust "$dir/store/ca.pem" --json
# Its intermediate is not in the file.
[[ $(item 'r["items"][0]["ca"]') == unknown ]] || fail "own roots: $(item 'r["items"]')"
audit 'own roots, whole chain' 0 "$dir/store/clients" --trust "$dir/store/ca.pem" --json
[[ $(item 'set((i["ca"], i["advice"]) for i in r["items"]), len(r["items"])') == "({('private', 'not affected')}, 40)" ]] ||
    fail "own roots, whole chain: $(item 'r["items"][0]')"

# Roles decide: a certificate for servers that a client uses breaks links.
audit 'no role' 0 "$dir/files/server-only.pem"
says 'no role' 'keep: it is for servers only'
audit 'as a client' 1 "$dir/files/server-only.pem" --role client --json
[[ $(item '[k for k, v in r["items"][0]["links"]["X15.5"]["on"].items() if v == "breaks"]') == \
    "['uc-zone', 'ssh-tunnel', 'neighbor', 'b2b']" ]] || fail "as a client: $(item 'r["items"][0]["links"]')"
audit 'as a client, mode off' 1 "$dir/files/server-only.pem" --role client --mode off
says 'as a client, mode off' 'BREAKS: ssh-tunnel'
says 'as a client, mode off' 'act: '
says 'as a client, mode off' 'A  have it issued under another root'
audit 'expired by then' 1 "$dir/files/server-only.pem" --role server --at 2099-01-01
says 'expired by then' 'renew: it has expired'

# A store knows its roles, and its own CAs.
audit 'a store' 0 "$dir/store" --json
[[ $(item '[(i["place"], i["role"], i["ca"]) for i in r["items"] if i["place"] == "store"]') == \
    "[('store', 'server', 'private'), ('store', 'client', 'private')]" ]] || fail "a store: $(item 'r["items"][:2]')"
audit 'a store of a client without clientAuth' 1 "$dir/public"
says 'a store of a client without clientAuth' 'BREAKS'

# CSV: as many fields in each line.
audit csv 0 "$dir/files" "$dir/store" --csv
/usr/bin/python3 - "$dir/out" <<'PYTHON' || fail "csv: $(cat -- "$dir/out")"
import csv, sys
rows = list(csv.reader(open(sys.argv[1], newline="")))
assert len(set(map(len, rows))) == 1 and len(rows) > 40, [len(row) for row in rows]
assert rows[0][0] == "source" and rows[0][-1] == "problem"
assert any("client.p12" in row[0] and "password" in row[-1] for row in rows)
PYTHON

# What is hostile ends in a line, and the rest is looked at.
mkdir "$dir/hostile"
ln -s . "$dir/hostile/loop"
ln -s nowhere "$dir/hostile/nowhere.pem"
head -c 300 "$dir/public/server.pem" >"$dir/hostile/truncated.pem"
head -c 5000000 /dev/zero >"$dir/hostile/huge.pem"
head -c 2000 /dev/urandom >"$dir/hostile/noise.der"
printf '\x30\x84\xff\xff\xff\xff' >"$dir/hostile/length.cer"
: >"$dir/hostile/empty.pem"
mkfifo "$dir/hostile/pipe.pem"
openssl x509 -in "$dir/store/client.pem" -outform DER | head -c 200 >"$dir/hostile/cut.der"
cp -- "$dir/files/below/client.p12" "$dir/hostile/"
cp -- "$dir/public/server.pem" "$dir/hostile/good.pem"
for ((i = 0; i < 60; i++)); do
    mkdir -p "$dir/hostile/deep$(printf '/d%.0s' $(seq 1 $((i % 30 + 1))))"
done
run timeout 60 "$bin" audit --public-roots "$roots" "$dir/hostile" --json
expect hostile 0
for name in nowhere.pem truncated.pem huge.pem noise.der length.cer empty.pem cut.der client.p12; do
    [[ $(item "[i.get('problem') is not None for i in r['items'] if i['source'].endswith('/$name')]") == '[True]' ]] ||
        fail "hostile, $name: $(item "[i for i in r['items'] if i['source'].endswith('/$name')]")"
done
[[ $(item "[i['ca'] for i in r['items'] if i['source'].endswith('/good.pem')]") == "['public']" ]] ||
    fail "hostile: the good one: $(item 'r["items"]')"

# A certificate that calls itself a CA's is listed where it is presented; one that is not valid yet breaks links.
mkdir "$dir/own"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=own -keyout "$dir/own/key.pem" \
    -out "$dir/own/own.pem" 2>/dev/null
audit 'its own CA, in a file' 0 "$dir/own/own.pem"
says 'its own CA, in a file' '1 certificates of CAs not listed'
audit 'its own CA, as a server' 0 "$dir/own/own.pem" --role server
says 'its own CA, as a server' 'CN=own'
audit 'not valid yet' 1 "$dir/store/client.pem" --role client --at 2020-01-01

# Names of files are anybody's.
mkdir "$dir/names"
cp -- "$dir/public/client.pem" "$dir/names/$(printf 'a\377\033[2J\nb').pem"
audit 'an odd name' 0 "$dir/names" --json
[[ $(item 'r["items"][0]["source"].split("/")[-1]') == 'a\xff\x1b[2J\x0ab.pem' ]] || fail "an odd name: $(cat -v -- "$dir/out")"
audit 'an odd name, as text' 0 "$dir/names"
! grep -q $'\033' "$dir/out" || fail "an odd name, as text: $(cat -v -- "$dir/out")"
audit 'no name at all' 0 ''

# Links that multiply the ways to a directory do not multiply what is looked at.
mkdir "$dir/bomb"
for ((i = 1; i <= 24; i++)); do
    mkdir "$dir/bomb/d$i"
    ln -s "../d$((i + 1))" "$dir/bomb/d$i/a"
    ln -s "../d$((i + 1))" "$dir/bomb/d$i/b"
done
mkdir "$dir/bomb/d25"
cp -- "$dir/public/client.pem" "$dir/bomb/d25/one.pem"
run timeout 20 "$bin" audit --public-roots "$roots" "$dir/bomb/d1" --json
expect 'many ways' 0
[[ $(item 'r["totals"]["certificates"]') == 1 ]] || fail "many ways: $(item 'r["totals"]')"

# A server.
if "$bin" doctor --json 2>/dev/null | grep -A1 '"check": "io_uring"' | grep -q '"fail"'; then
    echo 'io_uring cannot be used here: no server is audited' >&2
else
    run ekubench pki mint "$dir/rsa" --key rsa2048
    start_server live --store "$dir/store" --listen "127.0.0.1:0,second=$dir/rsa" || finish
    audit 'a server' 0 "$(listen_address live 1)" --json
    [[ $(item '[(i["place"], i["role"]) for i in r["items"]]') == "[('server', 'server'), ('server', 'server')]" ]] ||
        fail "a server: $(item 'r["items"]')"
    kill -INT "$server_pid"
    end_of "$server_pid"
    audit 'nobody there' 0 '127.0.0.1:1'
    says 'nobody there' 'nothing listens at that address'
fi

for words in '' '--json --csv x' '--role x y' '--mode none y' '--release 1 y' '--at never y' \
    "--public-roots $dir/absent y" "--password-file $dir/absent y"; do
    # shellcheck disable=SC2086 # Several words.
    run ekubench audit $words
    expect "audit $words" 2
done

expect_nothing_left audit
finish
