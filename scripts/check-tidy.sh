#!/usr/bin/env bash
#
# Runs clang-tidy over src/: scripts/check-tidy.sh BUILD_DIR, which has the compile database.
# exit status: 0 clean, 1 not, 77 no clang-tidy

set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
build_dir=${1:-build/release}
if ! command -v clang-tidy >/dev/null; then
    echo 'clang-tidy is not installed' >&2
    exit 77
fi
database=$build_dir/compile_commands.json
if [[ ! -f $database ]]; then
    echo "no $database; configure first" >&2
    exit 1
fi

# Only what is compiled: clang-tidy would guess the flags of any other file, and guess wrong.
mapfile -t files < <(sed -n "s|^ *\"file\": \"$PWD/\(src/.*\.c\)\",\{0,1\}$|\1|p" "$database" | sort -u)
if ((${#files[@]} == 0)); then
    exit 0
fi
# A warning option that only gcc knows is no finding.
printf '%s\0' "${files[@]}" | xargs -0 -n 4 -P 2 clang-tidy --quiet -p "$build_dir" \
    --extra-arg=-Wno-unknown-warning-option
