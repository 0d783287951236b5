#!/usr/bin/env bash
#
# Runs the certificate-verification cases of public suites: scripts/conformance.sh DIR
# DIR has one folder a suite, each with `cases.tsv` and `pem/`. Builds the release first, if it is not
# there; EKUBENCH names another binary.
# exit status: 0 all passed, 1 some failed, 2 wrong usage, 77 there is nothing to run

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
binary=${EKUBENCH:-$root/build/release/ekubench}

if (($# != 1)); then
    echo 'usage: scripts/conformance.sh DIR' >&2
    exit 2
fi
if [[ ! -d $1 ]]; then
    echo "$1: there is no such directory" >&2
    exit 77
fi
if [[ ! -x $binary ]]; then
    "$root/scripts/deps.sh" --test
    (cd -- "$root" && cmake --preset release && cmake --build --preset release) >&2
fi

exec python3 "$root/tests/conformance/run.py" "$binary" "$1"
