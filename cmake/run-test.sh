#!/usr/bin/env bash
#
# Runs a Criterion program for ctest: run-test.sh PROGRAM [ARGUMENT...]
# Criterion exits with 0 when tests were skipped, and ctest would call that a pass. So: the program's
# exit status, but 77 if that is 0 and something was skipped.

set -euo pipefail

log=$(mktemp)
trap 'rm -f -- "$log"' EXIT

# tee, so that what a test said before it hung is seen.
"$@" 2>&1 | tee -- "$log"
if grep -q '^\[SKIP\]' -- "$log"; then
    exit 77
fi
