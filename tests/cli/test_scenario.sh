#!/usr/bin/env bash
#
# `ekubench scenario`: every built-in deployment with real handshakes, in both TLS versions, and under the rules of every
# release; deployments of the user's own, good and bad: tests/cli/test_scenario.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_scenario.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs openssl /usr/bin/python3
skip_without_io_uring

for version in 1.2 1.3; do
    run ekubench scenario run --all --tls "$version"
    expect "all, TLS $version" 0
    [[ $(grep -c ' yes$' "$dir/out") == 21 ]] || fail "all, TLS $version: $(grep -E ' (yes|NO)$' "$dir/out")"
    ! grep -q EXPECTED: "$dir/out" || fail "all, TLS $version: $(grep EXPECTED: "$dir/out")"
done
says 'event log' 'Event="Inbound TLS Negotiation Error" Service="SIP" Src-ip="127.0.0.1"'
says 'event log' 'Detail="unsupported certificate purpose" Protocol="TLS" Level="1"'
says 'tunnel' 'Permission denied: unsupported certificate purpose'
says 'outbound' 'WARNING: Core server certificate verification failed for (cucm.example). Action=Terminate Error=self signed certificate server=cucm.example(127.0.0.1) depth=0'
says 'outbound' "ERROR: SSL connection failed for 'cucm.example': certificate verify failed"
says 'outbound' 'Error=unable to get local issuer certificate server=cucm.example(127.0.0.1) depth=1'
says 'outbound' 'WARNING: SNI (192.0.2.10) not in certificate. Action=Terminate server=192.0.2.10(192.0.2.10)'

# What is presented comes from the store of the role, by its serial number.
run ekubench scenario run scenario-1 scenario-2 test-case-3 --json
expect 'who presents what' 0
/usr/bin/python3 - "$dir/out" <<'PYTHON' || fail "who presents what: $(cat -- "$dir/out")"
import json, sys
runs = json.load(open(sys.argv[1]))
assert len(runs) == 6, len(runs)
for run in runs:
    (link,) = run["links"]
    assert link["initiator"]["store"] == "client", (run["name"], link)
    assert link["responder"]["store"] == "server", (run["name"], link)
    assert link["initiator"]["serial"] != link["responder"]["serial"]
    assert link["asks"] and link["expected_details"] == "asks", link
webex = [m["message"] for m in runs[0]["links"][0]["messages"]]
order = [webex.index(name) for name in ("ClientHello", "ServerHello", "CertificateRequest", "Certificate")]
assert order == sorted(order), webex
sent = [m["message"] for m in runs[0]["links"][0]["messages"] if m["sent"]]
assert "Certificate" in sent and "CertificateVerify" in sent, sent
PYTHON

# Why, at which depth, and what is logged.
run ekubench scenario run test-case-1 test-case-2 traffic-1 traffic-2 traffic-3 --json
expect 'why it failed' 0
/usr/bin/python3 - "$dir/out" <<'PYTHON' || fail "why it failed: $(cat -- "$dir/out")"
import json, sys
runs = json.load(open(sys.argv[1]))
def links(name, release="X15.5"):
    (run,) = [r for r in runs if r["name"] == name and r["release"] == release]
    return {link["name"]: link for link in run["links"]}, run
found, run = links("test-case-1")
for link in ("uc-zone", "ssh-tunnel"):
    assert 'Detail="unsupported certificate purpose"' in found[link]["event"], found[link]
    assert found[link]["alert"] == "unsupported_certificate" and found[link]["depth"] == 0, found[link]
assert run["mra_why"] == ("UC traversal zone (unsupported certificate purpose), "
                          "SSH tunnel (unsupported certificate purpose)"), run
found, run = links("test-case-2")
assert found["uc-zone"]["status"] == "Active" and "SSH tunnel" in run["mra_why"], run
assert found["uc-zone"]["depth"] is None and found["uc-zone"]["outbound_log"] == [], found
assert links("traffic-1", "X14.1")[0]["traffic-server"]["status"] == "Active"
for release in ("X14.2", "X15.5"):
    link = links("traffic-1", release)[0]["traffic-server"]
    assert link["depth"] == 0 and link["code"] == "verify_self_signed_leaf", link
    assert "depth=0" in link["outbound_log"][0], link
assert links("traffic-2")[0]["traffic-server"]["depth"] > 0
assert links("traffic-3")[0]["traffic-server"]["outbound_log"] == [
    "WARNING: SNI (192.0.2.10) not in certificate. Action=Terminate server=192.0.2.10(192.0.2.10)"]
PYTHON

# Every deployment under every release: what comes of it is what the rules foretell.
for release in X14.1 X14.2 X15.4 X15.5; do
    run ekubench scenario run --all --release "$release" --json
    if ((status != 0)); then
        fail "$release: $(json "$dir/out" '[(x["name"], l["name"], l["status"], l["expected"], l["code"]) for x in r for l in x["links"] if not l["matches"]]')"
    fi
done
run ekubench scenario run condition-2.1 --release X15.4
expect 'gate of X15.4' 0
says 'gate of X15.4' "the gate of C, X15.4's, refuses its server certificate: Invalid certificate: The file provided does not have a client usage attribute."

# Nothing is said of this run: it is not "yes".
says 'nothing is said' '[expect] says nothing of this run'
says 'the reason of MRA in the table' 'fails  sip-service Failed           rules (a gate refuses a certificate; [expect] says nothing of it)'
[[ $(cat -- "$dir/err") == 'ekubench: condition-2.1, line '*': no run is under a release of the deployment: what [expect] says is not checked; links of which nothing else is said are held to the rules alone' ]] ||
    fail "an [expect] that no run asks: $(cat -- "$dir/err")"
run ekubench scenario run condition-2.1 --release X15.4 --json
[[ $(json "$dir/out" 'r[0]["basis"], r[0]["matches"], [(x["node"], x["gate"]) for x in r[0]["refusals"]]') == "('rules', True, [('C', 'X15.4'), ('E', 'X15.4')])" ]] ||
    fail "nothing is said, JSON: $(cat -- "$dir/out")"
# The release before the upgrade is named where it is its gate that refuses; and a release by all that it covers.
run ekubench scenario show condition-1
sed 's/^server = CA2 both/server = CA2 server/; /^\[expect\]/,$d' "$dir/out" >"$dir/upgraded.ini"
run ekubench scenario run "$dir/upgraded.ini"
says 'gate before the upgrade' "the gate of C, X15.4's before the upgrade, refuses its server certificate"
says 'it is not presented' 'it would be verified for: '
run ekubench scenario run condition-1 --release X15.3
says 'what a release covers' 'X14.2 to X15.3, EKU mode on (no switch), TLS 1.3'

# The file of the documentation is one.
sed -n 's/^    //p' "$root/docs/deployments.md" | sed -n '/^\[deployment\]/,$p' >"$dir/documented.ini"
run ekubench scenario run "$dir/documented.ini"
expect 'the documented file' 0
[[ $(grep -c ' yes$' "$dir/out") == 2 ]] || fail "the documented file: $(cat -- "$dir/out")"

# The user's own.
run ekubench scenario show condition-4
expect show 0
cp -- "$dir/out" "$dir/mine.ini"
run ekubench scenario run "$dir/mine.ini" --keep "$dir/kept"
expect 'a file' 0
[[ -f $dir/kept/condition-4-X15.5-on/C/server.pem && -f $dir/kept/condition-4-X15.5-off/E/client.pem ]] ||
    fail "keep: $(find "$dir/kept" -maxdepth 2)"
run ekubench store show -s "$dir/kept/condition-4-X15.5-on/E"
expect 'a store that was kept' 0
run ekubench scenario run "$dir/mine.ini" --keep "$dir/kept"
expect 'kept already' 2
sed 's/^b2b-off = active/b2b-off = failed/' "$dir/mine.ini" >"$dir/other.ini"
run ekubench scenario run "$dir/other.ini"
expect 'a mismatch' 1
says 'a mismatch' 'EXPECTED: Failed; it is Active'
sed 's/^b2b-on = .*/b2b-on = failed, unknown_ca, depth>0/; s/^mra = .*/mra = fails/' "$dir/mine.ini" >"$dir/other.ini"
run ekubench scenario run "$dir/other.ini"
expect 'another reason' 1
says 'another reason' 'EXPECTED: Failed, unknown_ca, depth>0; it is Failed, verify_purpose, unsupported_certificate, depth=0'
says 'another MRA' 'MRA works, EXPECTED: fails, since all of its links are active'
sed 's/^uc-zone = .*//; s/^ssh-tunnel = .*//; s/^mra = .*//; s/^client = CA1 both/client = CA1 server/' "$dir/mine.ini" >"$dir/other.ini"
run ekubench scenario run "$dir/other.ini"
expect 'MRA of which nothing is said' 0
says 'MRA of which nothing is said' 'MRA fails, as follows from that, since this fails: UC traversal zone (the peer sent no certificate), SSH tunnel (the peer sent no certificate)'
printf 'mra = works\n' >>"$dir/other.ini"
run ekubench scenario run "$dir/other.ini"
expect 'MRA that fails' 1
says 'MRA that fails' 'MRA fails, EXPECTED: works, since this fails: UC traversal zone'

# A store of one's own, used as it is.
run ekubench pki mint "$dir/own" --client-eku server
expect mint 0
before=$(cksum "$dir/own/client.pem" "$dir/own/server.pem")
cat >"$dir/own.ini" <<INI
[deployment]
ca = CA1
eku-mode = on, off
[node C]
kind = core
store = $dir/own
[node E]
kind = edge
store = $dir/own
[link uc-zone]
initiator = C
responder = E
[expect on]
uc-zone = failed, unsupported_certificate
[expect off]
uc-zone = active
INI
run ekubench scenario run "$dir/own.ini"
expect 'own stores' 0
run ekubench scenario show condition-3
sed 's/^\(kind = core\)/\1\nhost = other.example\nnamed = no/; /^\[expect\]/,$d' "$dir/out" >"$dir/names.ini"
printf '[link neighbor]\ninitiator = E\nresponder = C\n[expect]\nneighbor = failed, verify_hostname\n' >>"$dir/names.ini"
run ekubench scenario run "$dir/names.ini"
expect 'another name' 0
says 'another name' 'host name does not match the certificate: other.example is wanted'
says 'another name' 'as the rules say'
# Before X15.5 the client certificate of a store is presented by nobody; the server's has no clientAuth.
run ekubench scenario run "$dir/own.ini" --release X15.4 --json
expect 'own stores, one of them' 0
[[ $(json "$dir/out" 'r[0]["links"][0]["initiator"]["store"], r[0]["links"][0]["alert"]') == "('server', 'unsupported_certificate')" ]] ||
    fail "own stores, one of them: $(cat -- "$dir/out")"
[[ $(cksum "$dir/own/client.pem" "$dir/own/server.pem") == "$before" ]] || fail 'own stores: they were changed'

# The upgrade to two stores gives a store of one's own a client certificate, in a copy; and it is looked for from the file.
mkdir -- "$dir/elsewhere"
for node in C E; do
    run ekubench store init -s "$dir/elsewhere/$node"
    expect "store init $node" 0
done
for uploaded in "C both" "E server"; do
    read -r node usages <<<"$uploaded"
    run ekubench pki mint "$dir/minted-$node" --client-eku both --server-eku "$usages"
    expect "mint $node" 0
done
cat >"$dir/elsewhere/upgrade.ini" <<INI
[deployment]
ca = CA1
release = X15.4, X15.5
[node C]
kind = core
store = C
[node E]
kind = edge
store = E
eku-mode = off
[link uc-zone]
initiator = C
responder = E
[link ssh-tunnel]
initiator = C
responder = E
[expect X15.5]
uc-zone = active
INI
run ekubench scenario run "$dir/elsewhere/upgrade.ini"
expect 'a store without a trusted CA list' 2
says 'a store without a trusted CA list' "its store has no trusted CA list (ca.pem): \`ekubench store trust add FILE -s $dir/elsewhere/"
for node in C E; do
    for from in C E; do
        run ekubench store trust add "$dir/minted-$from/ca.pem" -s "$dir/elsewhere/$node"
        expect "trust $from" 0
    done
    run ekubench store upload server -s "$dir/elsewhere/$node" --cert "$dir/minted-$node/server.pem" --key "$dir/minted-$node/privkey.pem"
    expect "upload $node" 0
done
before=$(cd -- "$dir/elsewhere" && find C E | sort && cksum C/*.pem E/*.pem)
run ekubench scenario run "$dir/elsewhere/upgrade.ini"
expect 'an upgrade' 0
says 'an upgrade' 'the store of C has no client certificate: upgraded, in a copy'
says 'an upgrade' 'C presents the certificate of both its stores'
says 'an upgrade' "the gate of X15.4 would refuse the server certificate in E's store: Invalid certificate: "
says 'a mode of its own' '  E: EKU mode off (its own)'
[[ $(grep -c 'upgraded, in a copy' "$dir/out") == 2 ]] || fail "an upgrade: $(cat -- "$dir/out")"
[[ $(tail -n 2 "$dir/out" | head -n 1) == *' - (a gate refuses a certificate; [expect] says nothing of it)' && $(tail -n 1 "$dir/out") == *' yes' ]] ||
    fail "an upgrade, its table: $(tail -n 2 "$dir/out")"
[[ $(cd -- "$dir/elsewhere" && find C E | sort && cksum C/*.pem E/*.pem) == "$before" ]] || fail 'an upgrade: the stores were changed'
run ekubench scenario run "$dir/elsewhere/upgrade.ini" --json
[[ $(json "$dir/out" '[x["upgraded"] for x in r], [len(x["would_refuse"]) for x in r], [x["own_eku_modes"] for x in r], [x["basis"] for x in r]') == \
"([[], ['C', 'E']], [1, 0], [{}, {'E': 'off'}], [None, 'expected'])" ]] || fail "an upgrade, JSON: $(cat -- "$dir/out")"
sed 's/^store = C/&\nupgrade = no/' "$dir/elsewhere/upgrade.ini" >"$dir/elsewhere/none.ini"
run ekubench scenario run "$dir/elsewhere/none.ini" --release X15.5
expect 'no upgrade' 1
says 'no upgrade' 'C presents nothing (it has none); it would be verified for: chain, serverAuth'

# Of several links of a kind the worst is shown, and names are whole.
run ekubench scenario show condition-4
sed 's/^eku-mode = on, off/eku-mode = on/; /^\[expect\]/,$d' "$dir/out" >"$dir/several.ini"
cat >>"$dir/several.ini" <<INI
[node E-that-trusts-nobody-and-has-quite-a-long-name]
kind = edge
host = e2.example
trust = none
server = CA2 server
[link zone-to-the-other-E-with-quite-a-long-name-too]
kind = uc-zone
initiator = C
responder = E-that-trusts-nobody-and-has-quite-a-long-name
[expect off]
b2b-off = active
[expect X14.1]
b2b-off = active
INI
for number in 1 2 3 4; do
    printf '[link a-link-with-a-name-as-long-as-names-may-be-no-%s]\nkind = b2b\ninitiator = E\nresponder = far-on\n' "$number" >>"$dir/several.ini"
done
run ekubench scenario run "$dir/several.ini"
expect 'several links of a kind' 0
row=$(tail -n 1 "$dir/out")
[[ $row == *' Failed   Active   fails  uc-zone Active, '*', zone-to-the-other-E-with-quite-a-long-name-too Failed, '*'names-may-be-no-4 Failed'*' rules (['* ]] ||
    fail "several links of a kind: $row"
says 'several links of a kind' 'C -> E-that-trusts-nobody-and-has-quite-a-long-name'
says 'several links of a kind' 'since this fails: UC traversal zone zone-to-the-other-E-with-quite-a-long-name-too ('
[[ $(cat -- "$dir/err") == *"$dir/several.ini, line "*': no run is with mode off: what [expect off] says is not checked;'*': no run is under X14.1: what [expect X14.1] says is not checked;'* ]] ||
    fail "sections that no run asks: $(cat -- "$dir/err")"

# What is wrong is said, with the line.
printf '[deployment]\nca = CA1\n[node C]\nkind = middle\n' >"$dir/bad.ini"
run ekubench scenario run "$dir/bad.ini"
expect 'a bad line' 2
says 'a bad line' "$dir/bad.ini:4: "
printf '[deployment]\nca = CA1\n[node C]\nkind = core\nrelease = X15.4\n[node E]\nkind = edge\n[link uc-zone]\ninitiator = C\nresponder = E\n' >"$dir/mixed.ini"
run ekubench scenario run "$dir/mixed.ini"
expect 'mixed releases' 2
says 'mixed releases' 'must run the same release'
sed 's/^kind = core/&\nrelease = X15.5/' "$dir/mine.ini" >"$dir/fixed.ini"
run ekubench scenario run "$dir/fixed.ini"
expect 'a release that is said twice' 0
run ekubench scenario run "$dir/fixed.ini" --release X15.4
expect 'another release' 2
says 'another release' 'C and E must run the same release, and this run is under X15.4: node C says release = X15.5'
[[ ! -s $dir/out ]] || fail "another release: $(cat -- "$dir/out")"
# No terminal obeys a file.
printf '[deployment]\nca = CA1\ntitle = \033]0;gotcha\007\n' >"$dir/escape.ini"
run ekubench scenario run "$dir/escape.ini"
expect 'a control character' 2
says 'a control character' 'escape.ini:3: the line has a control character'
# Names become parts of paths: no other than plain ones.
for name in .. ../x a/b .hidden; do
    printf '[deployment]\nca = CA1\n[node %s]\nkind = core\nhost = c.example\n' "$name" >"$dir/name.ini"
    run ekubench scenario run "$dir/name.ini"
    expect "a node called $name" 2
    says "a node called $name" 'a name of letters'
done
run ekubench scenario run --all --keep ''
expect '--keep of nothing' 2

# A server that cannot start is a sentence, whatever comes after it.
printf '[deployment]\nca = CA1\n[node C]\nkind = core\nstore = %s\n[node E]\nkind = edge\nserver = CA1 both\n' "$dir/absent" >"$dir/crash.ini"
printf '[link neighbor]\ninitiator = C\nresponder = C\n[link uc-zone]\ninitiator = C\nresponder = E\n' >>"$dir/crash.ini"
run ekubench scenario run "$dir/crash.ini" --json
expect 'a server that cannot start' 2
[[ ! -s $dir/out ]] || fail "a server that cannot start: $(cat -- "$dir/out")"

# An interruption leaves nothing behind.
env -- "$mark" "$bin" scenario run --all >"$dir/out" 2>"$dir/err" &
pid=$!
sleep 0.7
kill -INT "$pid"
end_of "$pid"
expect interrupted 3
says interrupted interrupted
expect_nothing_left interrupted

# Nobody is trusted.
printf '[deployment]\nca = CA1\n[node C]\nkind = core\nserver = CA1 both\nclient = CA1 both\ntrust = none\n' >"$dir/none.ini"
printf '[node E]\nkind = edge\nserver = CA1 both\ntrust = none\n[link uc-zone]\ninitiator = C\nresponder = E\n' >>"$dir/none.ini"
run ekubench scenario run "$dir/none.ini" --json
expect 'nobody is trusted' 0
[[ $(json "$dir/out" 'r[0]["links"][0]["status"], r[0]["links"][0]["alert"]') == "('Failed', 'unknown_ca')" ]] ||
    fail "nobody is trusted: $(cat -- "$dir/out")"

for words in 'run' 'run --all condition-1' 'list x' 'show' 'show nothing' 'run nothing' 'start' 'run --all --release 15' \
    "run $dir/absent.ini" 'run --all --tls 1.1'; do
    # shellcheck disable=SC2086 # Several words.
    run ekubench scenario $words
    expect "scenario $words" 2
done
run ekubench scenario list
expect list 0
[[ $(wc -l <"$dir/out") == 12 ]] || fail "list: $(cat -- "$dir/out")"

expect_nothing_left scenario
# A series that ends early keeps what came before.
run ekubench scenario show condition-1
cp -- "$dir/out" "$dir/first.ini"
sed 's/^name = .*/name = bad name/' "$dir/first.ini" >"$dir/second.ini"
run ekubench scenario run "$dir/first.ini" "$dir/second.ini" --json
expect 'a series that ends early' 2
[[ $(json "$dir/out" '{x["name"] for x in r}') == "{'condition-1'}" ]] || fail "a series that ends early: $(cat -- "$dir/out")"

# Of a node that cannot be run it is said which.
mkdir -m 700 "$dir/unfit"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=unfit -addext keyUsage=critical,keyAgreement \
    -keyout "$dir/unfit/privkey.pem" -out "$dir/unfit/server.pem" 2>/dev/null
chmod 600 "$dir/unfit/privkey.pem"
cp -- "$dir/unfit/server.pem" "$dir/unfit/ca.pem"
printf '%s\n' '[deployment]' 'release = X15.4' 'ca = CA1' '[node C]' 'kind = core' 'server = CA1 both' '[node E]' 'kind = edge' \
    "store = $dir/unfit" '[link uc-zone]' 'initiator = C' 'responder = E' >"$dir/unfit.ini"
run ekubench scenario run "$dir/unfit.ini"
((status != 0)) || fail 'a node that cannot be run: status 0'
says 'a node that cannot be run' 'node E cannot be run'

finish
