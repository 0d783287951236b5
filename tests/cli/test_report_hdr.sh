#!/usr/bin/env bash
#
# What `ekubench report` writes for HdrHistogram, read by HdrHistogram's own tool (Debian:
# libhdrhistogram-java, default-jre-headless): tests/cli/test_report_hdr.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 the tool is not here

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_report_hdr.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs java
jar=/usr/share/java/hdrhistogram.jar
if [[ ! -f $jar ]]; then
    echo 'libhdrhistogram-java is not installed' >&2
    exit 77
fi
golden=$root/tests/report/golden

processor() {
    java -cp "$jar" org.HdrHistogram.HistogramLogProcessor "$@"
}

# rows FILE: the percentiles, without head and tail.
rows() {
    grep -E '^ *[0-9]' "$1"
}

# same RESULT ARM METRIC: the tool makes of the log what `report` makes of the result.
same() {
    local tag=${2//\//.}.$3
    ekubench report "$golden/$1.json" --format hlog -o "$dir/$1.hlog"
    ekubench report "$golden/$1.json" --format hgrm --arm "$2" --metric "$3" -o "$dir/ours.hgrm"
    processor -i "$dir/$1.hlog" -o "$dir/theirs" -tag "$tag" -outputValueUnitRatio 1000 >"$dir/out" 2>&1 ||
        fail "$tag: the tool does not read the log: $(cat "$dir/out")"
    (($(rows "$dir/theirs.hgrm" | wc -l) > 10)) || fail "$tag: the tool finds nothing in the log"
    diff <(rows "$dir/theirs.hgrm") <(rows "$dir/ours.hgrm") >&2 || fail "$tag: other percentiles"
}

same load load/load latency_ns
same load load/load connect_ns
same capacity ceiling/on-d1 latency_ns
same measure load/on server_cpu_ns
same measure cost/on-d1 latency_ns

processor -i "$dir/load.hlog" -listtags >"$dir/out" 2>&1
says 'tags' 'load.load.client_cpu_ns'

finish
