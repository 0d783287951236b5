#!/usr/bin/env bash
#
# The walk of docs/walk.md: what it prints is what the page says that it prints, the second time too:
# tests/cli/test_walk.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_walk.sh EKUBENCH' >&2
    exit 2
fi
# shellcheck source=tests/cli/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh" "$1"

skip_without_io_uring

page=$(dirname -- "${BASH_SOURCE[0]}")/../../docs/walk.md

# block NUMBER: the lines of the so many-th block of code behind "A walk:", without their indentation.
block() {
    awk -v wanted="$1" '
        /^A walk:/ { walking = 1 }
        walking && /^    / { if (!inside) { number++; inside = 1 } if (number == wanted) print substr($0, 5); next }
        /./ { inside = 0 }' "$page"
}

# Where the page begins there is build/release; and other ports, lest two tests meet.
mkdir -p -- "$dir/project/build/release"
ln -s -- "$bin" "$dir/project/build/release/ekubench"
first=$((20000 + RANDOM % 20000))
block 1 | sed "s/7001/$first/g; s/7002/$((first + 1))/g" >"$dir/walk"
block 2 >"$dir/wanted"
if [[ ! -s $dir/walk || ! -s $dir/wanted ]]; then
    fail 'docs/walk.md has no walk'
fi

# comparable FILE: without what differs from time to time.
comparable() {
    sed -E "s/$first/7001/g; s/$((first + 1))/7002/g; s/20[0-9-]+[T ][0-9:.]+([+-][0-9:]+)?/TIME/g; s/Src-port=\"[0-9]+\"/Src-port/" "$1"
}

for shell in 'bash' 'sh -e' 'bash'; do
    # shellcheck disable=SC2016,SC2086 # For that shell; a word or two.
    run env -- "$mark" TERM=dumb timeout --foreground 60 $shell -c 'cd "$1" && . "$2"' walk "$dir/project" "$dir/walk"
    if ((status != 0)) || ! diff <(comparable "$dir/wanted") <(comparable "$dir/out") >"$dir/diff"; then
        fail "$shell: status $status: $(cat -- "$dir/diff" "$dir/err")"
    fi
    expect_nothing_left "$shell"
done
finish
