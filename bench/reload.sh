#!/usr/bin/env bash
#
# A reload of a store with many trusted CAs under load: handshakes accepted in each 100 ms around it.
# usage: bench/reload.sh [NUMBER_OF_CAS]   (default 150; the binary is build/release/ekubench)

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
bin=$root/build/release/ekubench
num_cas=${1:-150}
dir=$(mktemp -d)
server_pid=''

cleanup() {
    if [[ -n $server_pid ]]; then
        kill -INT "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
    fi
    rm -rf -- "$dir"
}
trap cleanup EXIT

"$bin" pki mint "$dir/store" >/dev/null
for ((i = 1; i < num_cas; i++)); do
    "$bin" pki mint "$dir/other" >/dev/null
    "$bin" store trust add "$dir/other/ca.pem" -s "$dir/store"
    rm -rf -- "$dir/other"
done
"$bin" serve -s "$dir/store" -l 127.0.0.1:0 >"$dir/out" 2>"$dir/log" &
server_pid=$!
until grep -qs '^listening' "$dir/out"; do
    sleep 0.05
done
address=$(sed -n 's/^listening on \([^,]*\),.*/\1/p' "$dir/out")
"$bin" load "$address" -s "$dir/store" -n 64 --warmup 500ms -t 3s --json >"$dir/load.json" 2>/dev/null &
load_pid=$!
sleep 2
kill -HUP "$server_pid"
wait "$load_pid" || true
grep -o 'Event="Reload.*Level' "$dir/log"
python3 - "$dir/load.json" "$num_cas" <<'PYTHON'
import json, sys

result = json.load(open(sys.argv[1], encoding="utf-8"))
row = result["throughput"][0]
counts = result["arms"][0]["handshakes"]
print(f"{sys.argv[2]} trusted CAs; accepted in each {row['block_ns'] / 1e6:.0f} ms:")
print(" ".join(str(block) for block in row["blocks"]))
print(f"{counts['accepted']} accepted, {counts['rejected']} rejected, {counts['failed']} failed")
PYTHON
