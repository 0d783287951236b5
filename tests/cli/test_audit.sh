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
says 'the password is missing' 'client.p12: the password is wrong or missing (see --password-file)'
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
says 'as a client, mode off' 'BREAKS:   ssh-tunnel'
says 'as a client, mode off' 'act:'
audit 'after the deadline' 1 "$dir/files/server-only.pem" --role client --at 2026-05-01
says 'after the deadline' 'C  take one of a private CA'
! grep -qE '^  [ABD]  ' "$dir/out" || fail "after the deadline: $(cat -- "$dir/out")"
audit 'before the deadline' 1 "$dir/files/server-only.pem" --role client --at 2026-04-30
says 'before the deadline' 'A  have it issued under another root'
says 'before the deadline' 'B  renew it before 2026-05'
audit 'expired by then' 1 "$dir/files/server-only.pem" --role server --at 2099-01-01
says 'expired by then' 'renew: it has expired'
says 'expired by then' 'reason:   not valid after '
says 'expired by then' '1 certificates; 1 break a link on which they are used; 1 to act on'
audit 'not yet' 1 "$dir/files/server-only.pem" --role server --at 2020-01-01 --json
[[ $(item '[i["reasons"] == ["not valid before " + i["not_before"]] for i in r["items"]]') == '[True]' ]] ||
    fail "not yet: $(item 'r["items"][0]')"
audit 'not yet' 1 "$dir/files/server-only.pem" --role server --at 2020-01-01
grep -qE ' serial: .*, from [-0-9T:]+Z' "$dir/out" || fail "not yet: $(cat -- "$dir/out")"
says 'not yet' 'advice:   wait, or replace it: it is not valid before 20'

# The default certificate of a new store is signed by itself, and so trusted by nobody.
run ekubench store init -s "$dir/new"
expect 'store init' 0
audit 'a new store' 1 "$dir/new" --json
[[ $(item '[(i["ca"], i["reasons"], i["to_act"], sorted(set(i["links"]["X15.5"]["on"].values()))) for i in r["items"]]') == \
    "[('self-signed', ['self-signed: nobody can trust it'], True, ['-', 'breaks'])]" ]] || fail "a new store: $(item 'r["items"]')"

# A store knows its roles, and its own CAs.
audit 'a store' 0 "$dir/store" --json
[[ $(item '[(i["place"], i["role"], i["ca"]) for i in r["items"] if i["place"] == "store"]') == \
    "[('store', 'server', 'private'), ('store', 'client', 'private')]" ]] || fail "a store: $(item 'r["items"][:2]')"
audit 'a store of a client without clientAuth' 1 "$dir/public"
says 'a store of a client without clientAuth' 'BREAKS'

# A store without a client certificate gets a copy of the server's; not one whose own cannot be read.
cp -rL -- "$dir/store" "$dir/alone"
rm -f -- "$dir/alone/client.pem" "$dir/alone/clientprivkey.pem"
audit 'without a client certificate' 0 "$dir/alone"
says 'without a client certificate' 'upgrade:  this one is copied into the client store, and then breaks '
echo nothing >"$dir/alone/client.pem"
audit 'with a client certificate that cannot be read' 0 "$dir/alone" --json
[[ $(item '[i["upgrade"] for i in r["items"] if i.get("role") == "server"]') == '[None]' ]] ||
    fail "with a client certificate that cannot be read: $(item 'r["items"]')"

# Where there is one store, the server's certificate is presented by the client, too, and the client's is not used.
run ekubench pki mint "$dir/servers" --server-eku server --client-eku both
audit 'two stores' 0 "$dir/servers"
audit 'one store' 1 "$dir/servers" --release X15.4 --json
[[ $(item '[(i["role"], i["mtls"], i["breaks"], i["advice"], sorted(k for k, v in i["links"]["X15.4"]["on"].items() if v == "breaks")) for i in r["items"]]') == \
    "[('server', 'yes', True, 'replace it: it has not the usages that uc-zone, ssh-tunnel, neighbor, b2b ask for (clientAuth)', ['b2b', 'neighbor', 'ssh-tunnel', 'uc-zone']), ('client', 'no', False, 'not affected', [])]" ]] ||
    fail "one store: $(item 'r["items"]')"
[[ $(item 'r["items"][1]["links"]["X15.4"]["on"]["uc-zone"], r["items"][1]["gate"]') == "('unused', {'server': None, 'client': None})" ]] ||
    fail "one store, the client's: $(item 'r["items"][1]')"
[[ $(item 'r["items"][0]["gate"]["server"].split(".")[0], "EnableServerEkuUpload" in r["items"][0]["gate"]["server"]') == \
    "('refused: Invalid certificate: The file provided does not have a client usage attribute', True)" ]] ||
    fail "one store, the gate: $(item 'r["items"][0]["gate"]')"

# Whose it is decides which links count, and what is advised.
audit 'an edge' 1 "$dir/files/server-only.pem" --role client --node edge --at 2026-01-01 --json
[[ $(item 'r["items"][0]["steps"], r["items"][0]["links"]["X15.5"]["on"]["ssh-tunnel"]') == "(['A', 'B'], '-')" ]] ||
    fail "an edge: $(item 'r["items"][0]')"
audit 'a core' 1 "$dir/files/server-only.pem" --role client --node core --at 2026-01-01 --json
[[ $(item 'r["items"][0]["steps"], r["items"][0]["links"]["X15.5"]["on"]["ssh-tunnel"]') == "(['A', 'B', 'C'], 'breaks')" ]] ||
    fail "a core: $(item 'r["items"][0]')"

# CSV: as many fields in each line.
audit csv 0 "$dir/files" "$dir/store" --csv
/usr/bin/python3 - "$dir/out" <<'PYTHON' || fail "csv: $(cat -- "$dir/out")"
import csv, sys
rows = list(csv.reader(open(sys.argv[1], newline="")))
assert len(set(map(len, rows))) == 1 and len(rows) > 40, [len(row) for row in rows]
assert rows[0][0] == "source" and rows[0][-1] == "problem"
assert len(set(rows[0])) == len(rows[0]) and {"works_x15_5_off", "breaks_x14_1_on", "gate_client"} < set(rows[0]), rows[0]
assert {"not_before", "reasons", "to_act", "upgrade"} < set(rows[0]), rows[0]
assert all(row[rows[0].index("to_act")] in ("yes", "no") for row in rows[1:] if not row[-1])
assert open(sys.argv[1], "rb").read().count(b"\r\n") == open(sys.argv[1], "rb").read().count(b"\n") == len(rows)
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
cp -- "$dir/public/server.pem" "$dir/hostile/good.pem"
mkdir "$dir/hostile/inner"
ln -s .. "$dir/hostile/inner/up"
ln -s ring2.pem "$dir/hostile/ring1.pem"
ln -s ring1.pem "$dir/hostile/ring2.pem"
head -c 600 "$dir/files/below/client.p12" >"$dir/hostile/cut.p12"
truncate -s 8G "$dir/hostile/sparse.p12"
/usr/bin/python3 - "$dir/files/below/client.p12" "$dir/hostile" <<'PYTHON'
import hashlib, hmac, sys
p12, out = open(sys.argv[1], "rb").read(), sys.argv[2]

def der(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    head = bytes([size]) if size < 128 else bytes([0x84]) + size.to_bytes(4, "big")
    return bytes([tag]) + head + content

def number(value):
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))

data = der(6, bytes.fromhex("2a864886f70d010701"))
sha1 = der(0x30, der(6, bytes.fromhex("2b0e03021a")), der(5))

# The MAC is right for the password "sesam" and one iteration (RFC 7292, appendix B): what is in it is looked at.
def pfx(content, iterations):
    salt = bytes(128)
    password = "sesam\0".encode("utf-16-be")
    key = hashlib.sha1(b"\3" * 64 + salt + (password * 64)[:64 * -(-len(password) // 64)]).digest()
    mac = hmac.new(key, content, "sha1").digest()
    mac = der(0x30, der(0x30, sha1, der(4, mac)), der(4, salt), number(iterations))
    return der(0x30, number(3), der(0x30, data, der(0xa0, der(4, content))), mac)

open(out + "/iterations.p12", "wb").write(pfx(der(0x30), 2**31 - 1))

# Bags in bags (safeContentsBag), a PKCS #12 file in another, and elements without end.
for name, num in ("few", 10), ("many", 2000):
    bags = der(0x30)
    for _ in range(num):
        bags = der(0x30, der(0x30, der(6, bytes.fromhex("2a864886f70d010c0a0106")), der(0xa0, bags)))
    safe = der(0x30, der(0x30, data, der(0xa0, der(4, bags))))
    open(out + "/" + name + ".p12", "wb").write(pfx(safe, 1))
nested = p12
for _ in range(100):
    nested = pfx(nested, 1)
open(out + "/nested.p12", "wb").write(nested)
open(out + "/begins.pem", "wb").write(b"-----BEGIN CERTIFICATE-----\n" * 100000)
open(out + "/endless.p12", "wb").write(b"\x30\x80" * 1000000)
open(out + "/sequences.der", "wb").write(b"\x30\x84\x00\x0f\x42\x40" * 100000)
PYTHON
for ((i = 0; i < 60; i++)); do
    mkdir -p "$dir/hostile/deep$(printf '/d%.0s' $(seq 1 $((i % 30 + 1))))"
done
openssl pkcs12 -in "$dir/hostile/few.p12" -passin pass:sesam -noout >/dev/null 2>&1 || fail 'hostile: the MAC is not right'
run timeout 60 "$bin" audit --public-roots "$roots" "$dir/hostile" --password-file "$dir/password" --json
expect hostile 0
for name in nowhere.pem truncated.pem huge.pem noise.der length.cer empty.pem cut.der ring1.pem ring2.pem cut.p12 \
    sparse.p12 iterations.p12 few.p12 many.p12 nested.p12 endless.p12 sequences.der; do
    [[ $(item "[i.get('problem') is not None for i in r['items'] if i['source'].endswith('/$name')]") == '[True]' ]] ||
        fail "hostile, $name: $(item "[i for i in r['items'] if i['source'].endswith('/$name')]")"
done
[[ $(item "[i['ca'] for i in r['items'] if i['source'].endswith('/good.pem')]") == "['public']" ]] ||
    fail "hostile: the good one: $(item 'r["items"]')"

[[ $(item "[i['code'] for i in r['items'] if i['source'].endswith('/iterations.p12')]") == "['too_big']" ]] ||
    fail "hostile, iterations: $(item "[i for i in r['items'] if i['source'].endswith('/iterations.p12')]")"
[[ $(item "len([i for i in r['items'] if i['source'].endswith('/begins.pem')])") == 17 ]] ||
    fail "hostile, many faults: $(item "[i for i in r['items'] if i['source'].endswith('/begins.pem')][:3]")"
printf 'dog\n' >"$dir/wrong"
audit 'a wrong password' 0 "$dir/files/below" --password-file "$dir/wrong"
says 'a wrong password' 'client.p12: the password is wrong or missing'

# A thousand certificates, each of which could be the issuer of every other by its name.
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=x -keyout "$dir/x.key" -out "$dir/x.pem" 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=x -keyout "$dir/y.key" -out "$dir/y.csr" 2>/dev/null
openssl x509 -req -in "$dir/y.csr" -CA "$dir/x.pem" -CAkey "$dir/x.key" -CAcreateserial -days 30 -out "$dir/y.pem" 2>/dev/null
y=$(<"$dir/y.pem")
for ((i = 0; i < 1000; i++)); do
    printf '%s\n' "$y"
done >"$dir/thousand.pem"
run timeout 10 "$bin" audit "$dir/thousand.pem" --json
expect 'a thousand of one name' 0
[[ $(item 'r["totals"]["certificates"]') == 1000 ]] || fail "a thousand of one name: $(item 'r["totals"]')"

# One malformed certificate hides no other of its file, nor of a store.
mkdir "$dir/mixed"
broken='-----BEGIN CERTIFICATE-----
MAMCAQE=
-----END CERTIFICATE-----'
{
    cat -- "$dir/public/client.pem"
    printf '%s\n' "$broken" '-----BEGIN CERTIFICATE-----' 'MAMC'
    cat -- "$dir/public/server.pem"
} >"$dir/mixed/all.pem"
line=$(($(wc -l <"$dir/public/client.pem") + 1))
audit 'a malformed one among others' 0 "$dir/mixed" --json
[[ $(item '[i["subject"] for i in r["items"] if "subject" in i]') == "['CN=ekubench client', 'CN=localhost']" ]] ||
    fail "a malformed one among others: $(item 'r["items"]')"
[[ $(item '[i["problem"].split(": ")[1] for i in r["items"] if "problem" in i]') == \
    "['block 2, in line $line, is a malformed certificate', 'block 3, in line $((line + 3)), has no end']" ]] ||
    fail "a malformed one among others: $(item 'r["items"]')"
run ekubench store upload server -s "$dir/mixed/store" "$dir/mixed/all.pem"
((status != 0)) || fail 'a malformed one is uploaded'
cp -rL -- "$dir/store" "$dir/broken"
printf '%s\n' "$broken" >>"$dir/broken/server.pem"
printf '%s\n' "$broken" >>"$dir/broken/ca.pem"
audit 'a malformed one in a store' 0 "$dir/broken" --json
[[ $(item '[(i["role"], i["subject"]) for i in r["items"] if i.get("place") == "store"]') == \
    "[('server', 'CN=localhost'), ('client', 'CN=ekubench client')]" ]] || fail "a malformed one in a store: $(item 'r["items"][:3]')"
[[ $(item '[i["problem"].split("/")[-1] for i in r["items"] if "problem" in i]') == \
    "['server.pem: block 3, in line $(($(wc -l <"$dir/store/server.pem") + 1)), is a malformed certificate', "* ]] ||
    fail "a malformed one in a store: $(item '[i for i in r["items"] if "problem" in i]')"
[[ $(item 'r["totals"]["unreadable"]') == 2 ]] || fail "a malformed one in a store: $(item 'r["totals"]')"

# What is hidden is counted; what a store keeps its files in is not.
mkdir -p "$dir/hidden/.git/below" "$dir/hidden/shown"
cp -- "$dir/public/server.pem" "$dir/hidden/.git/below/a.pem"
cp -- "$dir/public/server.pem" "$dir/hidden/.b.pem"
cp -- "$dir/public/server.pem" "$dir/hidden/shown/c.pem"
cp -a -- "$dir/public" "$dir/hidden/store"
audit 'what is hidden' 1 "$dir/hidden" --json
[[ $(item 'r["totals"]["hidden"], r["totals"]["certificates"]') == '(2, 3)' ]] || fail "what is hidden: $(item 'r["totals"]')"
audit 'what is hidden' 1 "$dir/hidden"
says 'what is hidden' '2 hidden files and directories not looked at'
audit 'what is hidden and named' 0 "$dir/hidden/.b.pem"
says 'what is hidden and named' 'CN=localhost'

# A certificate that calls itself a CA's is listed where it is presented; one that is not valid yet breaks links.
mkdir "$dir/own"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=own -keyout "$dir/own/key.pem" \
    -out "$dir/own/own.pem" 2>/dev/null
audit 'its own CA, in a file' 0 "$dir/own/own.pem"
says 'its own CA, in a file' '1 certificates of CAs not listed'
audit 'its own CA, listed' 0 "$dir/own/own.pem" --cas --json
[[ $(item '[(i["subject"], i["mtls"], i["advice"], set(i["links"]["X15.5"]["on"].values())) for i in r["items"]]') == \
    "[('CN=own', 'no', 'nothing: look at what it has issued', {'-'})]" ]] || fail "its own CA, listed: $(item 'r["items"]')"
audit 'its own CA, as a server' 0 "$dir/own/own.pem" --role server
says 'its own CA, as a server' 'CN=own'
audit 'not valid yet' 1 "$dir/store/client.pem" --role client --at 2020-01-01

# Names of files are anybody's.
mkdir "$dir/names"
cp -- "$dir/public/client.pem" "$dir/names/$(printf 'a\377\033[2J\nb').pem"
audit 'an odd name' 0 "$dir/names" --json
[[ $(item 'r["items"][0]["source"].split("/")[-1]') == 'a\xff\x1b[2J\x0ab.pem' ]] || fail "an odd name: $(cat -v -- "$dir/out")"
audit 'an odd name, as CSV' 0 "$dir/names" --csv
audit 'an odd name, as text' 0 "$dir/names"
! grep -q $'\033' "$dir/out" || fail "an odd name, as text: $(cat -v -- "$dir/out")"
audit 'no name at all' 2 ''

# Nothing at all can be read of what was named.
audit 'nothing there' 2 "$dir/absent" "$dir/files/below/client.p12" --json
[[ $(item 'r["totals"]["unreadable"]') == 2 ]] || fail "nothing there: $(item 'r["totals"]')"
audit 'something there' 0 "$dir/absent" "$dir/files/below/client.der"
audit 'something without a certificate' 0 "$dir/absent" "$dir/files"
audit 'a pipe' 2 "$dir/hostile/pipe.pem"
says 'a pipe' 'pipe.pem is neither a file nor a directory'
! grep -q 'cannot be parsed' "$dir/out" || fail "a pipe: $(cat -- "$dir/out")"
audit 'an unknown host' 2 'host.invalid:443'
says 'an unknown host' 'host.invalid:443: the host has no address that is known ('
! grep -q 'is missing' "$dir/out" || fail "an unknown host: $(cat -- "$dir/out")"

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
    audit 'nobody there' 2 '127.0.0.1:1'
    says 'nobody there' 'nothing listens at that address'
fi

# A server with several names is asked by the one that was given, and by none if that is an address.
cat >"$dir/names.py" <<'PYTHON'
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
asked = open(sys.argv[3], "a", buffering=1)
context.sni_callback = lambda connection, name, same: print(name, file=asked)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    try:
        context.wrap_socket(connection, server_side=True).close()
    except (OSError, ssl.SSLError):
        connection.close()
PYTHON
if getent ahostsv4 localhost | grep -q '^127\.0\.0\.1 ' && ! getent ahosts localhost | head -1 | grep -q :; then
    env -- "$mark" /usr/bin/python3 "$dir/names.py" "$dir/store/server.pem" "$dir/store/privkey.pem" "$dir/asked" >"$dir/port" 2>&1 &
    names_pid=$!
    if await 'a server with names' test -s "$dir/port"; then
        audit 'by name' 0 "localhost:$(cat -- "$dir/port")" --json
        [[ $(item '[(i["place"], i["subject"]) for i in r["items"]]') == "[('server', 'CN=localhost')]" ]] ||
            fail "by name: $(item 'r["items"]')"
        audit 'by address' 0 "127.0.0.1:$(cat -- "$dir/port")"
        [[ $(LC_ALL=C sort -u -- "$dir/asked" | tr '\n' ' ') == 'None localhost ' ]] || fail "by name: $(cat -- "$dir/asked")"
    fi
    kill "$names_pid"
    wait "$names_pid" || true
else
    echo 'localhost is not 127.0.0.1 first: no server is asked by name' >&2
fi

run ekubench audit --help
expect 'help' 0
for words in 'if the other end trusts the root' 'a far end to check' 'ClusterDB to be Enforcing'; do
    tr -s ' \n' ' ' <"$dir/out" | grep -qF -- "$words" || fail "help: no \"$words\""
done
for words in '' '--json --csv x' '--role x y' '--node x y' '--mode none y' '--release 1 y' '--at never y' \
    "--public-roots $dir/absent y" "--password-file $dir/absent y"; do
    # shellcheck disable=SC2086 # Several words.
    run ekubench audit $words
    expect "audit $words" 2
done

expect_nothing_left audit
# What is interrupted says what it has found, and is whole.
/usr/bin/python3 -c 'import socket, time
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True); time.sleep(30)' >"$dir/silent" &
silent=$!
await 'a silent server' test -s "$dir/silent"
env -- "$mark" "$bin" audit "$dir/store" "127.0.0.1:$(cat -- "$dir/silent")" "$dir/files" --json -t 2s >"$dir/out" 2>"$dir/err" &
audit=$!
sleep 1
kill -INT "$audit"
end_of "$audit"
kill "$silent"
wait "$silent" || true
((status == 3)) || fail "interrupted: status $status: $(cat -- "$dir/err")"
[[ $(json "$dir/out" 'len(r["items"]) > 0, "totals" in r') == '(True, True)' ]] || fail "interrupted: $(cat -- "$dir/out")"

# A chain that no handshake accepts breaks every link, whatever usages it has.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=root -keyout "$dir/root.key" -out "$dir/root.pem" \
    2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=odd -keyout "$dir/odd.key" -out "$dir/odd.csr" 2>/dev/null
printf '%s\n' 'extendedKeyUsage=serverAuth,clientAuth' '1.2.3.4.5=critical,DER:0500' >"$dir/odd.ext"
openssl x509 -req -in "$dir/odd.csr" -CA "$dir/root.pem" -CAkey "$dir/root.key" -CAcreateserial -days 30 -extfile "$dir/odd.ext" \
    -out "$dir/odd.pem" 2>/dev/null
run ekubench audit "$dir/odd.pem" --role both --trust "$dir/root.pem"
expect 'an unknown critical extension' 1
says 'an unknown critical extension' 'reason:   unhandled critical extension'
says 'an unknown critical extension' 'replace it: unhandled critical extension'

finish
