#!/usr/bin/env bash
#
# Gets what is needed, builds the release, and measures: scripts/run.sh [ekubench measure options]
# The results go to results/latest unless the options say -o or --output. The exit status is
# ekubench's.

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

"$root/scripts/deps.sh"
# Standard output is for the measurement alone. A subshell, because the caller's relative paths must
# stay good.
(
    cd -- "$root"
    cmake --preset release
    cmake --build --preset release
) >&2

output=(-o "$root/results/latest")
for arg in "$@"; do
    case $arg in
    --) break ;;
    -o* | --output | --output=*) output=() ;;
    esac
done

exec "$root/build/release/ekubench" measure ${output[@]+"${output[@]}"} "$@"
