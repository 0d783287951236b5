#!/usr/bin/env bash
#
# Counts the instructions of handshakes in memory under callgrind, client, server and verification
# apart, and writes them as a result that `ekubench compare` reads. Installs what is missing and builds.
#
# usage: scripts/count-instructions.sh [OPTION...] [BINARY]
#   options go to `ekubench instructions`; BINARY is the ekubench to count (default: this tree's);
#   without -o the counts go to results/latest/instructions.json
# exit status: 0 counted, 2 wrong usage, 3 something is missing

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

"$root/scripts/deps.sh" --valgrind
(
    cd -- "$root"
    cmake --preset release
    cmake --build --preset release
) >&2

arguments=("$@")
output=no
for argument in "$@"; do
    case $argument in
    -o* | --output | --output=*) output=yes ;;
    esac
done
if [[ $output == no ]]; then
    mkdir -p -- "$root/results/latest"
    arguments+=(-o "$root/results/latest/instructions.json")
fi
exec "$root/build/release/ekubench" instructions "${arguments[@]}"
