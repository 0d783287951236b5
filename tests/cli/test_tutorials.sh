#!/usr/bin/env bash
#
# Every block of commands in the tutorials, in their order, as a reader would run them:
# tests/cli/test_tutorials.sh EKUBENCH TUTORIAL.md
# exit status: 0 passed, 1 failed, 77 cannot be tested here

set -euo pipefail

if (($# != 2)); then
    echo 'usage: tests/cli/test_tutorials.sh EKUBENCH TUTORIAL.md' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"
tutorial=$root/docs/$2

skip_without_io_uring
if grep -q '^ekubench instructions\|compare --run' "$tutorial"; then
    needs valgrind
fi

# split: block N to $dir/N.sh, and what it may end with beside 0, which the line before it says, to $dir/N.may.
split() {
    awk -v to="$1" '
        /^<!-- may end with / { may = $5 ($6 == "or" ? " " $7 : ""); next }
        /^```sh$/ { inside = 1; number++; print may >(to "/" number ".may"); may = ""; next }
        /^```$/ { inside = 0; next }
        inside { print >(to "/" number ".sh") }' "$tutorial"
}

mkdir -- "$dir/blocks" "$dir/place"
split "$dir/blocks"
num=0
while [[ -s $dir/blocks/$((num + 1)).sh ]]; do
    num=$((num + 1))
    run env -C "$dir/place" -- "$mark" PATH="$(dirname -- "$bin"):$PATH" timeout --foreground 150 \
        bash -eu -o pipefail "$dir/blocks/$num.sh"
    read -ra may <"$dir/blocks/$num.may" || true
    allowed=" 0 ${may[*]} "
    [[ $allowed == *" $status "* ]] ||
        fail "$2, block $num: status $status: $(tail -n 5 -- "$dir/blocks/$num.sh" "$dir/out" "$dir/err")"
done
((num >= 2)) || fail "$2 has $num blocks"
[[ -z $(marked_processes) ]] || fail "$2: left running: $(marked_processes)"
finish
