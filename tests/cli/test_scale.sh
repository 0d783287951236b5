#!/usr/bin/env bash
#
# bench/scale.sh, with a program in ekubench's place whose results are known: which of them meet the
# bars: tests/cli/test_scale.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here
#
# What is in single quotes is expanded in the program.
# shellcheck disable=SC2016

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_scale.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3
if (($(nproc) < 2)); then
    echo 'two CPUs are needed' >&2
    exit 77
fi

mkdir -p "$dir/tree/bench" "$dir/tree/build/release"
cp -- "$root/bench/scale.sh" "$root/bench/scale.py" "$dir/tree/bench/"
sed "s|@RUNS@|$dir/runs|" >"$dir/tree/build/release/ekubench" <<'PYTHON'
#!/usr/bin/python3
import json, os, sys
args = dict(zip(sys.argv[4::2], sys.argv[5::2]))
runs = "@RUNS@"
n = int(open(runs).read()) + 1 if os.path.exists(runs) else 1
open(runs, "w").write(str(n))
many = args["--in-flight"] == "20000"
one_cpu = len(set(args["--pin"].split(","))) == 1
workers = int(args["--server-workers"])
rate, kib, failed, overflows, drops, disturbed = 4000, 10, 0, 0, 0, 0
exec(os.environ["LINES"])
side = {"stages": [{"user_ns": 5, "system_ns": 5, "ring_overflows": overflows, "workers": workers,
                    "peak_connections": int(args["--in-flight"]), "memory_per_connection_bytes": kib * 1024,
                    "memory_peak_bytes": 1000}]}
os.makedirs(args["-o"])
json.dump({"throughput": [{"arm": None, "block_ns": 10**9, "blocks": [rate, rate]}],
           "arms": [{"handshakes": {"failed": failed, "unfinished": 0}}],
           "plan": {"stages": [{"network": {"listen_drops": drops}, "num_slices": 10, "num_slices_dropped": disturbed}]},
           "cpu": {"server": side, "client": side}}, open(args["-o"] + "/result.json", "w"))
PYTHON
chmod +x "$dir/tree/build/release/ekubench"

# scale STATUS LINES WORD ARGUMENT...: the status of `scale.sh ARGUMENT...` with a program of these
# lines, and a word of what it prints.
scale() {
    local expected=$1 lines=$2 word=$3
    shift 3
    rm -f -- "$dir/runs"
    run env "LINES=$lines" "$dir/tree/bench/scale.sh" "$@"
    ((status == expected)) || fail "$*, $lines: status $status, not $expected: $(cat -- "$dir/out" "$dir/err")"
    [[ -z $word ]] || grep -qF -- "$word" "$dir/out" || fail "$*, $lines: no \"$word\" in $(cat -- "$dir/out")"
}

scale 0 'pass' '1.000 [1.000, 1.000] (97 %)' in-flight
scale 0 'rate = 3600 if many else 4000' '0.900' in-flight 2
scale 1 'rate = 3500 if many else 4000' 'NOT MET rate' in-flight 2
scale 0 'rate = 3500 if many and n == 5 else 4000' 'met     rate' in-flight 3
scale 1 'kib = 41' 'NOT MET resident memory' in-flight 2
scale 1 'failed = 1 if many else 0' 'NOT MET 20,000 in flight: failed' in-flight 2
scale 1 'overflows = 1' 'NOT MET completion queue' in-flight 2
scale 1 'drops = 1' 'NOT MET 20,000 in flight: listen_drops' in-flight 2
scale 0 'rate = 2100 if one_cpu else 4000' '1.90' cores 4
scale 1 'rate = 2300 if one_cpu else 4000' 'NOT MET rate' cores 4
scale 0 'rate = 1000 * workers' '2 + 2 workers: 2000' workers 2
scale 1 'disturbed = 3' 'rates say little' cores 2
scale 1 'sys.exit(3)' '' cores 1
run "$dir/tree/bench/scale.sh"
expect 'nothing to do' 2

finish
