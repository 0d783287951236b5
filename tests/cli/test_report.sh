#!/usr/bin/env bash
#
# `ekubench report`: every format against its golden file, read by the tools it is for, and what it
# does with what is no result: tests/cli/test_report.sh EKUBENCH [--update]
# --update: write the golden files anew, to be looked at before they are committed.
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# < 1 || $# > 2)); then
    echo 'usage: tests/cli/test_report.sh EKUBENCH [--update]' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3

golden=$root/tests/report/golden
update=${2:-}
# Labels are the paths as they are given.
cd -- "$golden"

# golden NAME ARGUMENT...: what `report` writes is the file NAME.
golden() {
    local name=$1
    shift
    run ekubench report "$@"
    expect "$name" 0
    if [[ $update == --update ]]; then
        cp -- "$dir/out" "$name"
    fi
    cmp -- "$name" "$dir/out" >&2 || fail "$name is not what it was"
}

formats=(text:txt markdown:md csv:csv hlog:hlog junit:xml github-benchmark:github.json
    bencher:bencher.json openmetrics:prom)
for result in measure capacity load; do
    for format in "${formats[@]}"; do
        golden "$result.${format#*:}" "$result.json" --format "${format%:*}"
    done
    run ekubench report "$result.json" --json
    cmp -- "$result.json" "$dir/out" >&2 || fail "$result.json is not the same when written again"
done
for format in text:txt markdown:md csv:csv junit:xml openmetrics:prom; do
    golden "links.${format#*:}" links.json --format "${format%:*}"
done
golden load.hgrm load.json --format hgrm
golden measure.hgrm measure.json --format hgrm --arm load/on --metric server_cpu_ns
for format in text:txt markdown:md csv:csv junit:xml openmetrics:prom; do
    golden "both.${format#*:}" load.json capacity.json --format "${format%:*}"
done

# What the reference runs say first, in every format for people; of one that is not clean, no number.
answer_of() {
    run ekubench report "$1" --format "$2"
    expect "$1 as $2" 0
    tr '\n' ' ' <"$dir/out" | sed "s/\\\\//g; s/&#39;/'/g" >"$dir/flat"
    grep -qE -- "$3" "$dir/flat" || fail "$1 as $2 does not say: $3"
}
number='-?[0-9.]+ (ns|us) \[[^]]*\]'
for format in text markdown html; do
    answer_of "$root/results/standard" "$format" "Checking the client's EKU costs the server $number per certificate"
    answer_of "$root/results/standard" "$format" "from one without any by $number .*[,;] and from one with it off \\(for serverAuth\\) by $number"
    answer_of "$root/results/standard" "$format" 'With [0-9,]+ in flight the server accepted [0-9]+ '
    answer_of "$root/results/rejects" "$format" "A rejected client costs the server between $number \(.*\) and $number"
    answer_of measure.json "$format" 'No answer: the run is not clean;'
    if grep -q 'the server accepted' "$dir/flat"; then
        fail "measure.json as $format has an answer, but is not clean"
    fi
done

# A directory, and a file that is written whole.
mkdir "$dir/result"
cp load.json "$dir/result/result.json"
run ekubench report "$dir/result" -o "$dir/load.txt"
expect 'into a file' 0
cmp -- load.txt "$dir/load.txt" || fail 'a directory is not its result.json'
[[ ! -s $dir/out ]] || fail 'something was printed too'
run ekubench report measure.json --format hgrm --metric latency_ns -o "$dir/hgrm"
expect 'a file each' 0
[[ -f $dir/hgrm/load.on.latency_ns.us.hgrm && -f $dir/hgrm/cost.on-d1.latency_ns.us.hgrm ]] ||
    fail "files: $(ls "$dir/hgrm")"

/usr/bin/python3 - load.json "$dir/alike.json" <<'PYTHON'
import copy
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    result = json.load(file)
result["arms"].append(copy.deepcopy(result["arms"][0]))
result["arms"][0]["name"], result["arms"][1]["name"] = "x y", "x_y"
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(result, file)
PYTHON
run ekubench report "$dir/alike.json" --format hgrm -o "$dir/alike"
expect 'names that look alike' 0
(($(find "$dir/alike" -name '*.hgrm' | wc -l) == 8)) || fail "files of two arms: $(ls "$dir/alike")"
run ekubench report "$dir/alike.json" --format hlog
(($(sed -n 's/^\(Tag=[^,]*\),.*/\1/p' "$dir/out" | sort -u | wc -l) == 8)) || fail 'two distributions with one tag'

# The table of formats and the help are of one mind.
run ekubench report load.json --format nonsense
expect 'no such format' 2
mapfile -t names < <(sed -n 's/.*: one of \(.*\) is wanted.*/\1/p' "$dir/err" | sed 's/, /\n/g')
((${#names[@]} >= 10)) || fail "formats: ${names[*]}"
run ekubench report --help
for name in "${names[@]}"; do
    says 'the help' "$name"
done

# What a format cannot hold.
run ekubench report load.json capacity.json --format hlog
expect 'two in one log' 2
says 'two in one log' 'hlog holds one result, not 2'
run ekubench report measure.json --format hgrm
expect 'which arm?' 2
says 'which arm?' 'say which one (--arm'
run ekubench report measure.json --format hgrm --arm load/nobody
expect 'no such arm' 2
run ekubench report measure.json --format hgrm --arm load/on --metric joy
expect 'no such metric' 2
says 'no such metric' 'has no distribution of joy'
run ekubench report load.json --format csv --arm load/on
expect 'no effect' 2
run ekubench report
expect 'nothing' 2

# What is no result: one sentence with the file's name, status 2, nothing written.
bad() {
    printf '%s' "$2" >"$dir/bad.json"
    rm -f "$dir/never"
    run ekubench report "$dir/bad.json" -o "$dir/never"
    expect "$1" 2
    says "$1" "$dir/bad.json"
    (($(wc -l <"$dir/err") == 1)) || fail "$1: $(cat "$dir/err")"
    [[ ! -e $dir/never ]] || fail "$1: something was written"
}
bad 'empty' ''
bad 'no JSON' 'nonsense'
bad 'cut' "$(head -c 3000 load.json)"
bad 'another thing' '{"schema": "ekubench.instructions/1"}'
bad 'another schema' '{"schema": "ekubench.result/7", "kind": "load"}'
says 'another schema' 'schema 7, but this ekubench reads schema 1'
bad 'a list' '[]'
bad 'nothing in it' '{"schema": "ekubench.result/1"}'
bad 'a wrong type' "$(sed 's/"arms": \[$/"arms": [ 7,/' load.json)"
bad 'a histogram of another' "$(sed '0,/"hdr": "HIST[^"]*"/s//"hdr": "HISTFAAAABZ42pNpmSzMwMDAxAABzFCaEUoz2X+AMACFKwJO"/' load.json)"
says 'a histogram of another' 'hdr: '
bad 'garbage for a histogram' "$(sed '0,/"hdr": "HIST[^"]*"/s//"hdr": "HIST!"/' load.json)"
bad 'a huge number' "$(sed '0,/"started": [0-9]*/s//"started": 99999999999999999999/' load.json)"
bad 'an infinite number' "$(sed '0,/"started": [0-9]*/s//"started": 1e999/' load.json)"
run ekubench report "$dir/absent.json"
expect 'absent' 2
says 'absent' 'absent.json cannot be found'
run ekubench report "$dir"
expect 'a directory without one' 2
run ekubench report load.json -o "$dir/no/such/place"
expect 'no such place' 2
says 'no such place' "the directory of $dir/no/such/place: cannot be found"
run ekubench report load.json -o "$dir/result"
expect 'a directory for a file' 2
says 'a directory for a file' "$dir/result is a directory"

# Who stops reading is no fault. What is printed is more than a pipe holds.
for words in 'report measure.json --json' 'report measure.json --format hlog' manual 'completion zsh' 'measure --help'; do
    # shellcheck disable=SC2086 # Words.
    { ekubench $words 2>"$dir/err" || echo "$?" >"$dir/status"; } | true
    [[ ! -s $dir/err ]] || fail "a reader that goes away from $words: $(cat -- "$dir/err")"
done
{ ekubench report measure.json --json 2>"$dir/err" || echo "$?" >"$dir/status"; } | head -n 1 >"$dir/out"
[[ $(<"$dir/status") == 141 && $(<"$dir/out") == '{' ]] || fail "a reader of one line: $(<"$dir/status"), $(<"$dir/out")"

# Names that would be something else in a language: no format lets them.
/usr/bin/python3 - load.json "$dir/evil.json" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    result = json.load(file)
evil = 'a|b<script>"x"&,\\`*[l](u)@me\n\x1b[31m\u0085\u00e9\uffff'
for arm in result["arms"] + result["plan"]["arms"]:
    arm["name"] = evil
for row in result["throughput"]:
    row["arm"] = row["arm"] and evil
result["plan"]["name"] = evil[:20]
result["validity"]["notes"] = [evil]
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(result, file)
PYTHON
for format in "${formats[@]}"; do
    run ekubench report "$dir/evil.json" --format "${format%:*}"
    expect "evil ${format%:*}" 0
    cp -- "$dir/out" "$dir/evil.${format#*:}"
done
if ! /usr/bin/python3 - "$dir" <<'PYTHON'
import csv
import json
import sys
import xml.etree.ElementTree as tree

d = sys.argv[1]
name = 'a|b<script>"x"&,\\`*[l](u)@me??[31m??\u00e9\uffff'


def text(suffix):
    with open(f"{d}/evil.{suffix}", encoding="utf-8", newline="") as file:
        return file.read()


for suffix in ("txt", "md", "csv", "hlog", "xml", "github.json", "bencher.json", "prom"):
    controls = [c for c in text(suffix) if c < " " and c not in "\r\n" or c == "\x7f"]
    assert not controls, (suffix, controls)
with open(f"{d}/evil.csv", encoding="utf-8", newline="") as file:
    rows = list(csv.reader(file, strict=True))
assert {len(row) for row in rows} == {len(rows[0])}, "columns"
assert rows[1][rows[0].index("arm")] == name, rows[1]
assert text("csv").endswith("\r\n")
cases = [case.get("name") for case in tree.parse(f"{d}/evil.xml").iter("testcase")]
assert any(name.replace("\uffff", "?") in case for case in cases), cases
assert any(name in row["name"] for row in json.loads(text("github.json")))
assert any(name in key for key in json.loads(text("bencher.json")))
markdown = text("md")
table = [line for line in markdown.splitlines() if line.startswith("| load/")]
assert table and all(line.count("|") == 9 for line in table), table
assert "<script" not in markdown and "@" not in markdown
assert name.replace("\\", "\\\\").replace('"', '\\"') in text("prom")
PYTHON
then
    fail 'a name gets through'
fi

# What may be unknown: the file says null, and no format says nan or inf. All of it, and every so many-th.
/usr/bin/python3 - "$root/docs/result.schema.json" "$golden" "$dir" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
golden, out = sys.argv[2:]


def forms(form):
    while "$ref" in form:
        form = schema["$defs"][form["$ref"].rsplit("/", 1)[1]]
    return [form] + [each for key in ("anyOf", "oneOf") for one in form.get(key, []) for each in forms(one)]


def forget(value, form, every, seen):
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not any("null" in one.get("type", []) for one in forms(form)):
            return value
        seen[0] += 1
        return None if seen[0] % every == 0 else value
    for one in forms(form):
        if isinstance(value, dict):
            for key in value:
                if key in one.get("properties", {}) and key not in ("min", "max"): # Those go with a count of 0.
                    value[key] = forget(value[key], one["properties"][key], every, seen)
        if isinstance(value, list) and "items" in one:
            value[:] = [forget(item, one["items"], every, seen) for item in value]
    return value


for name in ("measure", "capacity", "load", "links"):
    for every in (1, 2, 3, 5):
        with open(f"{golden}/{name}.json", encoding="utf-8") as file:
            result = forget(json.load(file), schema, every, [0])
        with open(f"{out}/unknown.{name}.{every}.json", "w", encoding="utf-8") as file:
            json.dump(result, file)
PYTHON
for result in "$dir"/unknown.*.json; do
    for format in "${formats[@]}" html:html; do
        run ekubench report "$result" --format "${format%:*}"
        expect "unknown numbers as ${format%:*}" 0
        [[ ! -s $dir/err ]] || fail "unknown numbers as ${format%:*}: $(<"$dir/err")"
        # Not in a histogram's letters.
        if grep -Eiw -m 1 -- '(nan|inf)(th)?' <(sed 's/HISTFAAA[^ "]*//' "$dir/out") >&2; then
            fail "$(basename "$result") as ${format%:*} has a number that is none"
        fi
    done
done
bad 'an objective of no percentile' "$(sed 's/"percentile": [0-9.]*/"percentile": null/' capacity.json)"

# Well-formed, and of the form that its readers know.
if ! /usr/bin/python3 - "$golden" <<'PYTHON'
import csv
import json
import re
import sys
import xml.etree.ElementTree as tree

golden = sys.argv[1]


def load(name):
    with open(f"{golden}/{name}", encoding="utf-8") as file:
        return json.load(file)


for name in ("measure", "capacity", "load"):
    result = load(f"{name}.json")
    with open(f"{golden}/{name}.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    arms = [row for row in rows if row["row"] == "arm"]
    assert [row["arm"] for row in arms] == [arm["name"] for arm in result["arms"]]
    assert [int(row["accepted"]) for row in arms] == [a["handshakes"]["accepted"] for a in result["arms"]]
    blocks = [row for row in rows if row["row"] == "block" and row["quadruple"]]
    assert [int(row["accepted"]) for row in blocks] == [b["accepted"] for b in result["blocks"]]

    entries = load(f"{name}.github.json")
    assert all(isinstance(e["value"], (int, float)) and e["value"] > 0 and e["unit"] == "ns" for e in entries)
    assert len({e["name"] for e in entries}) == len(entries)
    for key, measures in load(f"{name}.bencher.json").items():
        for measure, metric in measures.items():
            assert set(metric) <= {"value", "lower_value", "upper_value"}, (key, measure)
            assert metric.get("lower_value", metric["value"]) <= metric["value"]
            assert metric.get("upper_value", metric["value"]) >= metric["value"]

    suites = tree.parse(f"{golden}/{name}.xml").getroot()
    cases = list(suites.iter("testcase"))
    assert int(suites.get("tests")) == len(cases)
    for kind in ("failure", "error", "skipped"):
        counted = int(suites.get({"failure": "failures", "error": "errors", "skipped": "skipped"}[kind]))
        assert counted == len(list(suites.iter(kind))), kind
    assert (int(suites.get("errors")) == 0) == result["validity"]["clean"]

# OpenMetrics: a small reader of its grammar, of what Prometheus's older text form has too: it knows no
# other types, and one that it does not know costs the whole file.
label = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
sample = re.compile(rf'([a-z_]+)(?:\{{{label}(?:,{label})*\}})? ([-+0-9.e]+)')
for name in ("measure", "capacity", "load", "links", "both"):
    with open(f"{golden}/{name}.prom", encoding="utf-8") as file:
        lines = file.read().split("\n")
    assert lines[-2:] == ["# EOF", ""], lines[-2:]
    family, kind, families, seen = "", "", set(), set()
    for line in lines[:-2]:
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in families
            families.add(family)
        elif line.startswith("# UNIT "):
            assert family.endswith("_" + line.split(" ")[3]), line
        elif line.startswith("# HELP "):
            assert line.split(" ")[2] == family and '"' not in line, line
        else:
            match = sample.fullmatch(line)
            assert match, line
            suffixes = {"counter": ["_total"], "summary": ["", "_sum", "_count"], "gauge": [""]}
            assert match[1] in [family + suffix for suffix in suffixes[kind]], line
            key = line.rsplit(" ", 1)[0]
            assert key not in seen, key
            seen.add(key)
    try: # Debian: python3-prometheus-client.
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
        from prometheus_client.parser import text_string_to_metric_families as read_older
    except ImportError:
        continue
    assert sum(len(family.samples) for family in read("\n".join(lines))) == len(seen)
    assert sum(len(family.samples) for family in read_older("\n".join(lines))) == len(seen)
PYTHON
then
    fail 'a format is not what its readers know'
fi
if command -v xmllint >/dev/null; then
    for name in measure capacity load both; do
        xmllint --noout "$name.xml" || fail "$name.xml is not well-formed"
    done
fi

finish
