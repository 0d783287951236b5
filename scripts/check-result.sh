#!/usr/bin/env bash
#
# Checks a result file against docs/result.schema.json, and that its counts add up, over outcomes and
# over time:
# scripts/check-result.sh FILE
# exit status: 0 valid, 1 not (with the reasons on standard error), 2 wrong usage, 77 no validator

set -euo pipefail

if (($# != 1)); then
    echo 'usage: scripts/check-result.sh FILE' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

# Debian's python, because Debian's python3-jsonschema is installed for that one only.
python=/usr/bin/python3
if ! [[ -x $python ]] || ! "$python" -c 'import jsonschema' 2>/dev/null; then
    echo 'python3-jsonschema is not installed' >&2
    exit 77
fi

exec "$python" - "$root/docs/result.schema.json" "$1" <<'PYTHON'
import json
import sys

import jsonschema

SHOWN = 20


def read(path):
    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")

    def unique(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            raise ValueError("a key is there twice")
        return dict(pairs)

    with open(path, encoding="utf-8") as file:
        return json.load(file, parse_constant=refuse, object_pairs_hook=unique)


def schema_faults(schema, result):
    validator = jsonschema.Draft202012Validator(schema)
    for error in sorted(validator.iter_errors(result), key=lambda e: str(e.json_path)):
        # Of "null or an object", the object's faults say more than that neither fits.
        causes = [c for c in error.context if c.validator != "type"] or [error]
        for cause in causes:
            yield f"{cause.json_path if cause is error else error.json_path}: {cause.message[:300]}"


def count_faults(result):
    ends = ("accepted", "rejected", "failed", "unfinished")
    for arm in result["arms"]:
        for side, counts in (("client", arm["handshakes"]), ("server", arm["server"])):
            if counts is None:
                continue
            ended = sum(counts[end] for end in ends)
            if counts["started"] != ended:
                yield (
                    f"arm {arm['name']!r} of stage {arm['stage']!r}, {side}: "
                    f"{counts['started']} started, but {ended} accepted, rejected, failed or unfinished"
                )


def series_faults(result):
    for stage in dict.fromkeys(series["stage"] for series in result["series"]):
        intervals = [i for s in result["series"] if s["stage"] == stage for i in s["intervals"]]
        arms = [arm for arm in result["arms"] if arm["stage"] == stage]
        for key in ("started", "accepted", "rejected", "failed", "dropped"):
            by_arm = sum(a["dropped"] if key == "dropped" else a["handshakes"][key] for a in arms)
            by_time = sum(interval[key] for interval in intervals)
            if by_time != by_arm:
                yield f"series of stage {stage!r}: {by_time} {key}, but {by_arm} by arm"


def main(schema_path, path):
    try:
        result = read(path)
        schema = read(schema_path)
    except (OSError, ValueError) as error:
        return [str(error)]
    return list(schema_faults(schema, result)) or [*count_faults(result), *series_faults(result)]


faults = main(sys.argv[1], sys.argv[2])
for fault in faults[:SHOWN]:
    print(f"{sys.argv[2]}: {fault}", file=sys.stderr)
if len(faults) > SHOWN:
    print(f"{sys.argv[2]}: and {len(faults) - SHOWN} more", file=sys.stderr)
sys.exit(1 if faults else 0)
PYTHON
