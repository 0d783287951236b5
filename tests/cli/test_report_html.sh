#!/usr/bin/env bash
#
# `ekubench report --format html`: against its golden files without plots, for browsers, readers of
# XML and people who hear it with them, and what names can do to it:
# tests/cli/test_report_html.sh EKUBENCH [--update]
# --update: write the golden files anew, to be looked at before they are committed.
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# < 1 || $# > 2)); then
    echo 'usage: tests/cli/test_report_html.sh EKUBENCH [--update]' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3
needs gnuplot
needs xmllint
needs tidy

update=${2:-}
# Labels are the paths as they are given.
cd -- "$root/tests/report/golden"

# report FILE ARGUMENT... writes the page into FILE.
report() {
    local file=$1
    shift
    run ekubench report "$@" --format html -o "$file"
    expect "$file" 0
}

# with_path PATH ARGUMENT... is ekubench where other programs are looked for in PATH.
# shellcheck disable=SC2317 # `run` calls it.
with_path() {
    env -- "$mark" PATH="$1" "$bin" "${@:2}"
}

# Without gnuplot: tables, and what to install. Every byte is ours.
for name in measure capacity load links both; do
    results=("$name.json")
    [[ $name != both ]] || results=(load.json capacity.json)
    run with_path "$dir/empty" report "${results[@]}" --format html
    expect "$name without gnuplot" 0
    says "$name without gnuplot" 'apt-get install gnuplot-nox'
    if [[ $update == --update ]]; then
        cp -- "$dir/out" "$name.html"
    fi
    cmp -- "$name.html" "$dir/out" >&2 || fail "$name.html is not what it was"
    if grep -q '<svg' "$dir/out"; then
        fail "$name without gnuplot has a plot"
    fi
    report "$dir/$name.html" "${results[@]}"
done

# The same results, the same page, whatever gnuplot's user has set.
mkdir "$dir/home"
printf 'set output "%s/stray"\nset terminal dumb\n' "$dir" >"$dir/home/.gnuplot"
run env -- "$mark" HOME="$dir/home" GNUTERM=dumb LC_ALL=C.UTF-8 TZ=Asia/Tokyo "$bin" report measure.json --format html
expect 'again' 0
cmp -- "$dir/measure.html" "$dir/out" >&2 || fail 'the page is not the same again'
[[ ! -e $dir/stray ]] || fail "gnuplot reads its user's settings"

# One that fails, and one that writes something else: the tables are there, and it is said.
mkdir "$dir/broken" "$dir/strange"
# shellcheck disable=SC2016 # It is the script's own.
printf '#!/bin/sh\nread -r line; test "$line" = exit\n' >"$dir/broken/gnuplot"
printf '#!/bin/sh\necho "<p>no picture</p>"\n' >"$dir/strange/gnuplot"
chmod +x "$dir/broken/gnuplot" "$dir/strange/gnuplot"
for kind in broken strange; do
    run with_path "$dir/$kind" report load.json --format html
    expect "a $kind gnuplot" 0
    says "a $kind gnuplot" 'gnuplot could not draw the plot'
    says "a $kind gnuplot" '</html>'
    if grep -q 'no picture' "$dir/out"; then
        fail "a $kind gnuplot writes into the page"
    fi
done

# Steal over time is there if it is known: a result of an earlier version does not say.
grep -q 'Rate, latency and steal over time' "$dir/load.html" || fail 'no steal over time'
/usr/bin/python3 -c 'import json, sys
result = json.load(sys.stdin)
for interval in result["series"][0]["intervals"]:
    del interval["steal_percent"]
json.dump(result, sys.stdout)' <load.json >"$dir/earlier.json"
report "$dir/earlier.html" "$dir/earlier.json"
grep -q 'Rate and latency over time' "$dir/earlier.html" || fail 'a result of an earlier version has no course'
if grep -q 'steal over time\|steal, %' "$dir/earlier.html"; then
    fail 'a result of an earlier version has steal over time'
fi
# In waves come the confirmations of closed loops.
says_of_waves() {
    grep -q 'confirmations come in waves' "$dir/$1.html"
}
says_of_waves measure || fail 'nothing of waves in a closed loop'
if says_of_waves load; then
    fail 'waves in an open loop'
fi

# Whether a load was steady is said in numbers, of the reference run; of a closed loop what is accepted is drawn.
report "$dir/standard.html" "$root/results/standard"
grep -qE 'The mean latency of the blocks of stage load lies between [0-9.]+ and [0-9.]+ ms, a spread of' "$dir/standard.html" ||
    fail 'nothing of how steady it was'
# The arms of a run are explained, those that it has and no others, before they are met; and which of them are drawn.
report "$dir/rejects.html" "$root/results/rejects"
for words in 'on: the server' 'one-way: it' 'parse: it' 'timed: as' 'tickets: as' 'resumed: the' 'server: as' 'reject: as' 'crl: it'; do
    grep -q "^<li>$words" "$dir/standard.html" || fail "standard does not explain $words"
done
for words in 'on: the server' 'crl: it' 'reject-revoked: with' 'reject-none: as'; do
    grep -q "^<li>$words" "$dir/rejects.html" || fail "rejects does not explain $words"
done
if grep -qE '^<li>(one-way|off|parse|tickets|none): ' "$dir/rejects.html"; then
    fail 'rejects explains arms that it does not have'
fi
grep -qE 'The plots show 5 of [0-9]+ arms: ' "$dir/standard.html" || fail 'which arms are drawn is not said'
if grep -q 'rate: due' "$dir/standard.html"; then
    fail 'due and accepted of a closed loop are two lines'
fi
grep -q 'rate: due' "$dir/load.html" || fail 'an open loop without what was due'

# Names that would be something else in HTML, in a script of gnuplot's, or to a shell.
/usr/bin/python3 - "$dir" <<'PYTHON'
import json
import sys

d = sys.argv[1]
for name in ("measure", "load", "capacity", "links"):
    with open(f"{name}.json", encoding="utf-8") as file:
        result = json.load(file)
    evil = "a<script>\"x\"'&`touch pwned`$(touch pwned)\\n\n\x1b[31m{/Bold e}é\uffff"
    stages = {stage["name"]: stage["name"] + "'\"<" for stage in result["plan"]["stages"]}
    for rows in (result["arms"], result["plan"]["arms"], result["throughput"], result["series"], result["blocks"]):
        for row in rows:
            key = "name" if "name" in row else "arm"
            if row.get(key) and name != "measure":
                row[key] = evil[:45]
    if name == "links":
        result["arms"][1]["expect"] = "reject"
        result["arms"][2]["expect"] = "refuse"
    result["plan"]["name"] = evil[:45]
    result["plan"]["target"] = evil[:45]
    if name != "measure": # It has no links.
        result["plan"]["scenario"] = evil[:45]
    result["host"]["cpu_model"] = evil
    result["build"]["git"] = "x; touch pwned"
    result["validity"]["notes"] = [evil]
    result["validity"]["clean"] = False
    result["validity"]["reasons"] = ["</div></main>" + evil]
    with open(f"{d}/evil-{name}.json", "w", encoding="utf-8") as file:
        json.dump(result, file)
PYTHON
for name in measure load capacity links; do
    report "$dir/evil-$name.html" "$dir/evil-$name.json"
done
cp -- load.json "$dir/<b>&\"load\".json"
report "$dir/evil-both.html" "$dir/<b>&\"load\".json" load.json
[[ ! -e $dir/pwned && ! -e pwned ]] || fail 'a name is run by a shell'

# The commands that measure it again are those that made it.
for name in measure load capacity; do
    command=$(/usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["plan"]["command"])' "$name.json")
    grep -qxF -- "$command -o again" "$name.html" || fail "$name: it is not measured again by $command"
done

# A search for capacity whose answer was validated has a stage that is looked at by itself.
sed 's/"ceiling"/"validation"/' capacity.json >"$dir/validated.json"
report "$dir/validated.html" "$dir/validated.json"

# Where all of what was due was accepted a sentence says so below the throughput.
/usr/bin/python3 -c 'import json, sys
result = json.load(sys.stdin)
result["capacity"]["trials"][0]["accepted"] //= 2
json.dump(result, sys.stdout)' <capacity.json >"$dir/overloaded.json"
report "$dir/overloaded.html" "$dir/overloaded.json"
for name in overloaded capacity; do
    grep -q 'Throughput against rate' "$dir/$name.html" || fail "$name: no throughput"
done
grep -q 'in every trial at least 98 %' "$dir/capacity.html" || fail 'nothing of throughput'
! grep -q 'in every trial at least 98 %' "$dir/overloaded.html" || fail 'an overload without a loss'

# Well-formed by two that know nothing of one another.
for file in "$dir"/*.html "$PWD"/*.html; do
    xmllint --noout --nonet "$file" 2>"$dir/words" || fail "xmllint, $file: $(head -n 3 "$dir/words")"
    tidy -quiet -errors -utf8 "$file" >"$dir/words" 2>&1 || true
    [[ ! -s $dir/words ]] || fail "tidy, $file: $(head -n 3 "$dir/words")"
done

if ! /usr/bin/python3 - "$dir" <<'PYTHON'
import re
import sys
import xml.etree.ElementTree as tree
from collections import Counter

d = sys.argv[1]
H = "{http://www.w3.org/1999/xhtml}"
S = "{http://www.w3.org/2000/svg}"
PLOTS = {"measure": 9, "capacity": 2, "overloaded": 2, "validated": 4, "load": 3, "links": 5, "both": 0, "evil-measure": 9, "evil-load": 3, "evil-capacity": 2, "evil-links": 5,
         "evil-both": 2}


def text(element):
    return "".join(element.itertext()) if element is not None else ""


def look(name):
    with open(f"{d}/{name}.html", encoding="utf-8") as file:
        source = file.read()
    page = tree.fromstring(source.split("\n", 1)[1])
    everything = list(page.iter())
    style = text(page.find(f".//{H}style"))

    # Whole in itself: nothing is run, nothing is fetched.
    tags = {element.tag.split("}")[1] for element in everything}
    assert not tags & {"script", "link", "img", "iframe", "object", "image", "foreignObject"}, tags
    assert not re.search(r"url\(|@import", style), "the style sheet fetches"
    for element in everything:
        for key, value in element.attrib.items():
            assert not key.startswith("on") and key != "src", (key, value)
            if key.endswith("href"):
                assert value.startswith("#"), (key, value)
            assert not re.search(r"url\((?!#)", value), (key, value)

    # Names of elements: each is one, and every reference meets one.
    ids = Counter(element.get("id") for element in everything if element.get("id"))
    assert set(ids.values()) == {1}, [key for key, count in ids.items() if count > 1]
    for element in everything:
        wanted = (element.get("aria-labelledby") or "").split()
        wanted += re.findall(r"#([\w-]+)", element.get("href") or "")
        for key, value in element.attrib.items():
            wanted += re.findall(r"url\(#([^)]*)\)", value)
        assert set(wanted) <= set(ids), set(wanted) - set(ids)

    # For whoever hears it.
    assert page.get("lang") == "en"
    assert page.find(f".//{H}meta[@name='viewport']") is not None
    levels = [int(e.tag[-1]) for e in everything if re.fullmatch(re.escape(H) + "h[1-6]", e.tag)]
    assert levels[0] == 1 and levels.count(1) == 1, levels
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:])), levels
    for table in page.iter(f"{H}table"):
        captions = [e for e in everything if e.get("id") == table.get("aria-labelledby")]
        assert len(captions) == 1 and text(captions[0]), "a table without a caption"
        width = len(table.findall(f"{H}thead/{H}tr/{H}th[@scope='col']"))
        for row in table.findall(f"{H}tbody/{H}tr"):
            assert len(row) == width and row[0].get("scope") == "row", (width, text(row))
    plots = list(page.iter(f"{S}svg"))
    assert len(plots) == PLOTS[name], (name, len(plots))
    for plot in plots:
        assert plot.get("role") == "img" and text(plot[0]) and text(plot[1])
        assert plot[0].tag == f"{S}title" and plot[1].tag == f"{S}desc"

    # In light, dark and on paper: colours are variables, and each is there for all three.
    used = set(re.findall(r"var\((--\w+)\)", source))
    for which in (":root{color-scheme:light dark", "dark){:root{", "print{:root{"):
        block = style[style.index(which):]
        assert used <= set(re.findall(r"(--\w+):", block[:block.index("}")])), which
    for plot in plots:
        for element in plot.iter():
            for key in ("fill", "stroke", "color"):
                value = element.get(key, "none")
                assert value in ("none", "currentColor") or value.startswith("var(--"), (key, value)
    return page, source


for name in PLOTS:
    look(name)

# What is in a name comes out as it went in.
evil = "a<script>\"x\"'&`touch pwned`$(touch pwned)\\n??[31m{/Bold e}é\uffff".replace("\uffff", "?")
for name in ("load", "measure", "capacity", "links"):
    page, source = look(f"evil-{name}")
    assert evil in text(page), name
    assert "</div></main>" + evil in text(page), name
    # Nor does a name get into a picture.
    own = [tree.tostring(plot) for plot in look(name)[0].iter(f"{S}svg")]
    for plot in page.iter(f"{S}svg"):
        assert "touch" not in "".join(text(e) for e in list(plot)[2:]), name
    assert len(own) == len(list(page.iter(f"{S}svg")))
    commands = text(page.find(f".//{H}pre"))
    assert "touch" not in commands, commands
assert '<b>&"load".json' in text(look("evil-both")[0])

# Numbers that are not to be trusted are not read before that is said.
whole = text(look("evil-measure")[0].find(f"{H}body"))
assert 0 < whole.index("Do not trust these numbers") < whole.index("How to read the numbers")
assert "Do not trust" not in text(look("load")[0].find(f"{H}body"))

# The answer comes first, and then whether it can be trusted.
page, source = look("measure")
ids = [e.get("id") for e in page.iter(f"{H}section")]
assert ids[:4] == ["validity", "ladder", "eku", "depth"], ids
assert ids[-2:] == ["environment", "again"], ids
ids = [e.get("id") for e in look("validated")[0].iter(f"{H}section")]
assert ids[:3] == ["validity", "capacity", "latency"], ids
page, source = look("links")
ids = [e.get("id") for e in page.iter(f"{H}section")]
assert ids[:2] == ["validity", "links"], ids
# The plot's numbers are those of the table.
section = page.find(f".//{H}section[@id='links']")
drawn = [text(e).strip() for e in section.find(f".//{S}svg").iter(f"{S}text")]
names = [text(e) for e in section.find(f".//{H}table").iter(f"{H}th") if e.get("scope") == "row"]
assert names == ["1. uc-zone-on", "2. uc-zone-off", "3. uc-zone-none", "4. ssh-tunnel", "5. traffic-server"], names
assert set("12345") <= set(drawn), drawn
assert len(section.findall(f".//{H}ul[@class='legend']/{H}li")) == 1
section = look("evil-links")[0].find(f".//{H}section[@id='links']")
assert len(section.findall(f".//{H}ul[@class='legend']/{H}li")) == 3, "an outcome is not drawn"
PYTHON
then
    fail 'the page'
fi

finish
