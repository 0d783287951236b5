#!/usr/bin/env bash
#
# Shows that `ekubench audit` goes through many certificates fast, in memory that does not grow with their number:
# bench/audit.sh [N]
#   N  certificates, each in a file of its own (default 5000)
# They take 5 s at most, and no more memory than a tenth of them do, but for 8 MiB. Needs a build in build/release and GNU time.
# exit status: 0 both bars are met, 1 one is not

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
bin=$root/build/release/ekubench
num=${1:-5000}
dir=$(mktemp -d)
trap 'rm -rf -- "$dir"' EXIT

# audit NAME COUNT: seconds and KiB at most go to $dir/NAME.
audit() {
    "$bin" pki mint "$dir/store-$1" --depth 2 --count "$2" >/dev/null
    /usr/bin/time -f '%e %M' -o "$dir/$1" "$bin" audit "$dir/store-$1/clients" --role client --csv >"$dir/$1.csv" || true
    printf '%s certificates: %s rows, %s s, %s KiB at most\n' "$2" "$(($(wc -l <"$dir/$1.csv") - 1))" \
        "$(cut -d' ' -f1 "$dir/$1")" "$(cut -d' ' -f2 "$dir/$1")"
}

audit few $((num / 10))
audit many "$num"
read -r seconds many <"$dir/many"
read -r _ few <"$dir/few"
failed=0
# bar MET TEXT
bar() {
    printf '%s %s\n' "$([[ $1 == 1 ]] && echo 'met    ' || echo 'NOT MET')" "$2"
    failed=$((failed + 1 - $1))
}
bar "$(awk -v s="$seconds" 'BEGIN { print s <= 5 ? 1 : 0 }')" "$num certificates in $seconds s (at most 5)"
bar $((many <= few + 8192 ? 1 : 0)) "$((many - few)) KiB more for ten times as many (at most 8192)"
((failed == 0))
