#!/usr/bin/env bash
#
# Runs shellcheck over our shell scripts.
# exit status: 0 clean, 1 not, 77 no shellcheck

set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
if ! command -v shellcheck >/dev/null; then
    echo 'shellcheck is not installed' >&2
    exit 77
fi
mapfile -d '' -t files < <(find scripts cmake tests bench .ci -type f \
    \( -name '*.sh' -o -path '.ci/run' \) -print0)
shellcheck -x -- "${files[@]}"
