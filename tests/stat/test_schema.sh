#!/usr/bin/env bash
#
# Checks that the records of a test binary are valid results, and that broken ones are refused:
# tests/stat/test_schema.sh TEST_BINARY CHECK_RESULT
# TEST_BINARY is the built test_record.c, CHECK_RESULT is scripts/check-result.sh.
# exit status: 0 passed, 1 failed, 77 no validator

set -euo pipefail

if (($# != 2)); then
    echo 'usage: tests/stat/test_schema.sh TEST_BINARY CHECK_RESULT' >&2
    exit 2
fi
binary=$1
check=$2
python=/usr/bin/python3

dir=$(mktemp -d)
trap 'rm -rf -- "$dir"' EXIT
failures=0

fail() {
    printf 'FAIL: %s\n' "$1" >&2
    failures=$((failures + 1))
}

accepts() {
    local status=0
    "$check" "$1" || status=$?
    if ((status == 77)); then
        exit 77
    fi
    if ((status != 0)); then
        fail "$(basename -- "$1") was refused with status $status"
    fi
}

# refuses FILE WORD: with status 1 and a message with WORD.
refuses() {
    local status=0
    "$check" "$1" 2>"$dir/message" || status=$?
    if ((status != 1)); then
        fail "$(basename -- "$1"): status $status, wanted 1"
    elif ! grep -qF -- "$2" "$dir/message"; then
        fail "$(basename -- "$1"): no \"$2\" in: $(cat -- "$dir/message")"
    fi
}

# refuses_edit NAME WORD STATEMENT: full.json, changed by a statement of Python about `r`, is refused.
refuses_edit() {
    edit "$1" "$3"
    refuses "$dir/$1.json" "$2"
}

# edit NAME STATEMENT: NAME.json is full.json, changed by a statement of Python about `r`.
edit() {
    "$python" - "$dir/full.json" "$dir/$1.json" "$2" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    r = json.load(file)
exec(sys.argv[3])
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(r, file)
PYTHON
}

EKUBENCH_TEST_RECORD_DIR=$dir "$binary" --filter 'record/writes_files_for_the_schema_test' >/dev/null
accepts "$dir/full.json"
accepts "$dir/minimal.json"
edit earlier 'del r["series"][0]["intervals"][0]["steal_percent"]'
accepts "$dir/earlier.json"

refuses_edit missing-key 'duration_ns' 'del r["duration_ns"]'
refuses_edit missing-inner-key 'unfinished' 'del r["arms"][0]["handshakes"]["unfinished"]'
refuses_edit missing-summary-key 'p99' 'del r["arms"][0]["latency_ns"]["p99"]'
refuses_edit extra-key 'surprise' 'r["host"]["surprise"] = 1'
refuses_edit negative-count '-1' 'r["arms"][0]["handshakes"]["failed"] = -1'
refuses_edit broken-count '1.5' 'r["arms"][0]["handshakes"]["failed"] = 1.5'
refuses_edit count-as-text 'started' 'r["arms"][0]["handshakes"]["started"] = "12"'
refuses_edit unknown-eku 'maybe' 'r["arms"][0]["eku"] = "maybe"'
refuses_edit unknown-schema 'ekubench.result/1' 'r["schema"] = "ekubench.result/2"'
refuses_edit foreign-histogram 'latency_ns' 'r["arms"][0]["latency_ns"]["hdr"] = "HISTEwAA"'
refuses_edit half-interval 'ci95' 'r["effects"][0]["ci95"].pop()'
refuses_edit clean-with-reasons 'reasons' 'r["validity"]["clean"] = True'
refuses_edit not-a-number 'NaN' 'r["effects"][0]["mde"] = float("nan")'
refuses_edit unreconciled-client 'eku-on' 'r["arms"][0]["handshakes"]["accepted"] += 1'
refuses_edit unreconciled-server 'server' 'r["arms"][0]["server"]["started"] += 1'

refuses_edit unreconciled-series '7 failed' 'r["series"][0]["intervals"][1]["failed"] += 2'
refuses_edit missing-interval-key 'in_flight' 'del r["series"][0]["intervals"][0]["in_flight"]'

head -c 1000 "$dir/full.json" >"$dir/cut.json"
refuses "$dir/cut.json" 'cut.json'
refuses "$dir/absent.json" 'absent.json'

((failures == 0))
