#!/usr/bin/env python3
"""Runs certificate-verification cases of public suites through ekubench.

usage: tests/conformance/run.py EKUBENCH DIR

DIR has one folder a suite, each with `cases.tsv` and `pem/`; DIR/README.md says what the columns are.
Every case is judged by `ekubench verify`. The cases of suites that bring the clients' keys for it
(mbedtls-cliauth) are made as real handshakes too, in TLS 1.2 and 1.3, `ekubench load` (or, with a
certificate that it cannot present, `openssl s_client`) against `ekubench serve`.

Score: a case must give what its suite expects. Where the library that ekubench is built on is known
to differ from the suite, it must give what was observed with the library, but for the reasons in
`STRICTER` and `depth_is_counted_alike` below, and then what the suite expects. Cases that a suite marks
to be skipped are, with the reason.

The last line is `N passed, N failed, N skipped`; exit status 0 if none failed, 1 if one did, 2 wrong
usage, 77 there is nothing to run.
"""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HANDSHAKE_SUITES = {"mbedtls-cliauth"}
# Judged in the handshake as the library's verification does: anyExtendedKeyUsage satisfies no mode.
HANDSHAKE_AS_OBSERVED = re.compile(r"anyEKU")
# docs/domain.md: a certificate of the trusted CA list that is not a CA is no issuer. These have one.
STRICTER = re.compile(r"-non-ca-(trust-store|wildcard-trust)-intermediate$")
STRICTER_CODE = "verify_invalid_ca"
# Why suites' cases are marked to be skipped, by their names.
SKIP_REASONS = [
    (re.compile(r"strict"), "asks for a strictness that the library has no setting for"),
    (re.compile(r"-ta-with-"), "trusts a certificate with limits of its own, beside the certificate"),
    (re.compile(r"trusted_leaf"), "trusts the leaf as such, not an issuer"),
    (re.compile(r"fractional"), "has times with fractions of a second, which RFC 5280 forbids"),
    (re.compile(r"dotio"), "is of the public Internet, and kept for reference"),
    (re.compile(r"DSA-Parameter"), "is signed with DSA, which the library does not know"),
]
UNKNOWN_REASON = "is marked so by the suite"
NO_KEY = "has no key to make a handshake with"
TIMEOUT_S = 60
# BoringSSL's API version with which the observations were made.
OBSERVED_API = 19


class Case:
    """One line of cases.tsv, whichever of the two forms it has."""

    def __init__(self, folder, row):
        self.folder = folder
        self.suite = folder.name
        self.row = row
        self.id = row.get("id") or row["name"]
        self.category = row["category"]
        self.purpose = row["kind"] if "kind" in row else row["purpose"]
        self.expected = row["expected"]
        self.observed = row.get("observed_boringssl14") or row.get("observed_bssl14_by_kind")
        self.skipped = row["skip"] != "0"
        # x509-limbo takes any certificate of the trusted list as an anchor.
        self.partial_chain = "kind" in row or row["partial_chain"] == "1"
        self.depth = None if row["depth"] == "-" else int(row["depth"])

    def files(self, *columns):
        names = []
        for column in columns:
            value = self.row.get(column, "-")
            names += [] if value == "-" else value.split(",")
        return [str(self.folder / "pem" / name) for name in names]

    def name(self):
        # In the form without a kind of name, `name` is the case's own.
        value = self.row["name"] if "name_kind" in self.row else "-"
        return None if value == "-" else value


def read_cases(folder):
    with open(folder / "cases.tsv", encoding="utf-8") as file:
        lines = file.read().rstrip("\n").split("\n")
    columns = lines[0].lstrip("#").split("\t")
    return [Case(folder, dict(zip(columns, line.split("\t")))) for line in lines[1:] if line]


def depth_is_counted_alike(case):
    """docs/domain.md: a depth limit means the same with every version of the library.

    The observations were made with a version that counts the root, and without adding one for it.
    """
    return case.depth is not None


def library_api(binary):
    result = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"\(API (\d+)", result.stdout)
    return int(found[1]) if found else 0


def wanted(case, got, api):
    if case.expected == case.observed or depth_is_counted_alike(case):
        return case.expected
    if api != OBSERVED_API and got == case.expected:
        return case.expected  # Another version of the library has come round to the suite's view.
    return case.observed


def verify(binary, case):
    """Returns ok or fail, and the stable code; or what went wrong."""
    words = [binary, "verify", "--json", "--purpose", case.purpose, "--at", case.row["time_unix"]]
    for path in case.files("peer", "intermediates", "inters"):
        words += ["--cert", path]
    for path in case.files("roots"):
        words += ["--trust", path]
    for path in case.files("crls"):
        words += ["--crl", path]
    if case.partial_chain:
        words.append("--partial-chain")
    if case.depth is not None:
        # Theirs counts intermediates, ours the certificates above the leaf.
        words += ["--depth", str(case.depth + 1)]
    if case.name() is not None:
        words += ["--name", case.name()]
    result = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if result.returncode not in (0, 1):
        return f"status {result.returncode}: {result.stderr.strip()}", ""
    code = json.loads(result.stdout)["code"]
    return ("ok" if result.returncode == 0 else "fail"), code


def write_together(path, parts):
    with open(path, "wb") as out:
        for part in parts:
            out.write(pathlib.Path(part).read_bytes())
            out.write(b"\n")


def make_stores(binary, case, server, client):
    subprocess.run([binary, "pki", "mint", server], capture_output=True, check=True, timeout=TIMEOUT_S)
    client.mkdir()
    write_together(client / "client.pem", case.files("peer", "intermediates"))
    write_together(client / "clientprivkey.pem", case.files("peer_key"))
    os.chmod(client / "clientprivkey.pem", 0o600)
    write_together(client / "ca.pem", [server / "ca.pem"])
    write_together(server / "ca.pem", case.files("roots"))


def connect_with_openssl(address, client, version):
    """For certificates that our own client refuses to present: the library checks its key usage."""
    subprocess.run(
        ["openssl", "s_client", "-connect", address, f"-tls{version.replace('.', '_')}", "-quiet",
         "-cert", client / "client.pem", "-key", client / "clientprivkey.pem",
         "-CAfile", client / "ca.pem"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False)


def shake_hands(binary, case, version, scratch):
    """Makes one real handshake with the case's client; returns ok or fail, the server's verdict."""
    server, client = pathlib.Path(scratch) / "server", pathlib.Path(scratch) / "client"
    make_stores(binary, case, server, client)
    serve = subprocess.Popen(
        [binary, "serve", "--json", "--store", server, "--listen",
         f"127.0.0.1:0,eku=on,tls={version}", "--at", case.row["time_unix"]],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        first = serve.stderr.readline()
        found = re.match(r"listening on ([^,]+),", first)
        if not found:
            return f"serve: {first.strip()}"
        load = subprocess.run(
            [binary, "load", found[1], "--store", client, "--tls", version, "--count", "1", "-n", "1"],
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if load.returncode == 2:
            connect_with_openssl(found[1], client, version)
    finally:
        serve.terminate()
        totals, _ = serve.communicate(timeout=TIMEOUT_S)
    counts = json.loads(totals)["listeners"][0]["handshakes"]
    if counts["started"] != 1 or counts["unfinished"] != 0:
        return f"counts {counts}, load: {load.stderr.strip()}"
    return "ok" if counts["accepted"] == 1 else "fail"


class Score:
    def __init__(self):
        self.counts = collections.defaultdict(collections.Counter)
        self.total = collections.Counter()
        self.reasons = collections.Counter()

    def add(self, suite, category, outcome):
        self.counts[suite, category][outcome] += 1
        self.total[outcome] += 1

    def skip(self, suite, category, reason):
        self.add(suite, category, "skipped")
        self.reasons[suite, category, reason] += 1

    def judge(self, case, category, want, got):
        self.add(case.suite, category, "passed" if got == want else "failed")
        if got != want:
            print(f"FAILED {case.suite}/{case.id} ({category}): wanted {want}, got {got}")

    def print_table(self):
        print(f"\n{'suite':<18} {'category':<24} {'passed':>7} {'failed':>7} {'skipped':>8}")
        for (suite, category), row in sorted(self.counts.items()):
            print(f"{suite:<18} {category:<24} {row['passed']:>7} {row['failed']:>7} "
                  f"{row['skipped']:>8}")
        if self.reasons:
            print("\nskipped, because the case")
        for (suite, category, reason), count in sorted(self.reasons.items()):
            print(f"{suite:<18} {category:<24} {count:>7}  {reason}")
        print()
        total = self.total
        print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")


def skip_reason(case):
    return next((reason for name, reason in SKIP_REASONS if name.search(case.id)), UNKNOWN_REASON)


def run_case(binary, api, case, score):
    if case.skipped:
        score.skip(case.suite, case.category, skip_reason(case))
        return
    got, code = verify(binary, case)
    if STRICTER.search(case.id):
        score.judge(case, case.category, f"fail, {STRICTER_CODE}", f"{got}, {code}")
    else:
        score.judge(case, case.category, wanted(case, got, api), got)
    if case.suite not in HANDSHAKE_SUITES or case.purpose != "client":
        return
    for version in ("1.2", "1.3"):
        category = f"handshake TLS {version}"
        if not case.files("peer_key"):
            score.skip(case.suite, category, NO_KEY)
            continue
        want = case.observed if HANDSHAKE_AS_OBSERVED.search(case.id) else case.expected
        with tempfile.TemporaryDirectory(prefix="ekubench-conformance-") as scratch:
            score.judge(case, category, want, shake_hands(binary, case, version, scratch))


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    binary, root = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    folders = sorted(path.parent for path in root.glob("*/cases.tsv"))
    cases = [case for folder in folders for case in read_cases(folder)]
    if not cases:
        print(f"{root}: no cases (folders with a cases.tsv) here", file=sys.stderr)
        return 77
    score = Score()
    api = library_api(binary)
    for case in cases:
        run_case(binary, api, case, score)
    score.print_table()
    return 1 if score.total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
