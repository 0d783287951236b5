#!/usr/bin/env bash
#
# Checks that our C is formatted as .clang-format says; with --fix, formats it.
# exit status: 0 it is, 1 it is not, 77 no clang-format

set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
if ! command -v clang-format >/dev/null; then
    echo 'clang-format is not installed' >&2
    exit 77
fi
options=(--dry-run -Werror)
if [[ ${1-} == --fix ]]; then
    options=(-i)
fi

# Files not yet added too; a source archive has no git, hence find.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    mapfile -d '' -t files < <(git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h')
else
    mapfile -d '' -t files < <(find bench include src tests -name '*.[ch]' -print0)
fi
existing=()
for file in "${files[@]}"; do
    # git still lists a file that was deleted but not staged.
    [[ ! -f $file ]] || existing+=("$file")
done
if ((${#existing[@]} == 0)); then
    exit 0
fi
clang-format --style=file "${options[@]}" -- "${existing[@]}"
