#!/usr/bin/env bash
#
# Shows what more workers and more connections do on this machine: bench/scale.sh WHAT [N]
#   in-flight    N (default 6) runs with 20,000 in flight, two workers a side, each between two with 500:
#                nothing fails or overflows, at most 40 KiB a connection and side, at least 90 % of the rate
#   cores        N (default 10) pairs of runs of one server and one client worker, both on one CPU and
#                on one each: at least 1.8 times the rate
#   workers      N (default 4) rounds of one worker a side, two, ..., up to as many as there are CPUs:
#                the rate, and what each added worker adds
# The runs that are compared follow one another, so that what else the machine does, and how fast it is
# at the time, falls on both. Ratios are medians with their interval. Needs a build in build/release and two CPUs.
# exit status: 0 all bars are met, 1 one is not

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
bin=$root/build/release/ekubench
dir=$(mktemp -d)
trap 'rm -rf -- "$dir"' EXIT

# The CPUs that may be used, one a word.
mapfile -t cpus < <(/usr/bin/python3 -c 'import os
for cpu in sorted(os.sched_getaffinity(0)): print(cpu)')

# load NAME IN_FLIGHT WORKERS PIN: a run with so many workers a side; its result goes to $dir/NAME.json.
# Shared CPUs and other work make it not clean, which is what is to be seen here.
load() {
    rm -rf -- "$dir/result"
    "$bin" measure --plan load --in-flight "$2" --server-workers "$3" --client-workers "$3" --pin "$4" \
        -o "$dir/result" >"$dir/out" 2>"$dir/err" || true
    if ! mv -- "$dir/result/result.json" "$dir/$1.json" 2>/dev/null; then
        cat -- "$dir/err" >&2
        exit 1
    fi
    printf '%s: ' "$1" >&2
    judge rate "$dir/$1.json" >&2
}

judge() {
    /usr/bin/python3 "$root/bench/scale.py" "$@"
}

# repeat LIST TIMES: the words of the list so many times each, separated by commas: 0,0,1,1 of "0 1" 2.
repeat() {
    local word i out=
    for word in $1; do
        for ((i = 0; i < $2; i++)); do
            out+=${out:+,}$word
        done
    done
    printf '%s' "$out"
}

in_flight() {
    local i pin
    # The servers on one CPU, the clients on the other: as with one worker each, but with files for all.
    pin=$(repeat "${cpus[0]} ${cpus[1]}" 2)
    for ((i = 1; i <= $1; i++)); do
        load "before-$i" 500 2 "$pin"
        load "many-$i" 20000 2 "$pin"
        load "after-$i" 500 2 "$pin"
    done
    judge in-flight "$dir" "$1"
}

cores() {
    local i
    for ((i = 1; i <= $1; i++)); do
        ((i % 2 == 1)) && load "one-$i" 500 1 "${cpus[0]},${cpus[0]}"
        load "two-$i" 500 1 "${cpus[0]},${cpus[1]}"
        ((i % 2 == 1)) || load "one-$i" 500 1 "${cpus[0]},${cpus[0]}"
    done
    judge cores "$dir" "$1"
}

workers() {
    local i k most=$((${#cpus[@]} / 2)) half pin
    half=$most
    most=$((most < 2 ? 2 : most > 16 ? 16 : most))
    for ((i = 1; i <= $1; i++)); do
        for ((k = 1; k <= most; k++)); do
            # A CPU for each worker, the servers' first; where they are too few, one for each side.
            if ((k <= half)); then
                pin=$(repeat "${cpus[*]:0:k} ${cpus[*]:k:k}" 1)
            else
                pin=$(repeat "${cpus[0]} ${cpus[1]}" "$k")
            fi
            load "workers-$k-$i" 500 "$k" "$pin"
        done
    done
    judge workers "$dir" "$1" "$most"
    if ((most > half)); then
        echo "With ${#cpus[@]} CPUs more workers a side than $half share them, and cannot add anything."
    fi
}

if ((${#cpus[@]} < 2)); then
    echo 'two CPUs are needed' >&2
    exit 1
fi
case ${1:-} in
in-flight) in_flight "${2:-6}" ;;
cores) cores "${2:-10}" ;;
workers) workers "${2:-4}" ;;
*)
    sed -n '3,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
