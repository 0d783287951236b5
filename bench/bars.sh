#!/usr/bin/env bash
#
# Shows whether the measurement is as good as docs/method.md says: bench/bars.sh WHAT [N]
#   precision    one `measure`: half-widths of its intervals, and the engine tax; it must be clean
#   self-test    N (default 20) runs of `doctor --self-test`: 5 us found in 95 % of them (not in those
#                that were disturbed), something found in the A/A of 5 % at most
#   same         N (default 20) comparisons of the program with itself: no difference in 95 % of them;
#                those that say themselves that the machine was disturbed are void, and made again
#   slower       N (default 20) comparisons with a program that does 3 % more work in each handshake:
#                slower, by instructions, in 95 % of them
# Needs a build in build/release and, but for `slower`, a machine that does nothing else.
# exit status: 0 all bars are met, 1 one is not

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
bin=$root/build/release/ekubench
dir=$(mktemp -d)
trap 'rm -rf -- "$dir"' EXIT

# Turns of the loop that are 3 % of a handshake's instructions on the server (3,083,395 of them).
readonly EXTRA_WORK=30834

precision() {
    "$bin" measure -o "$dir/result" >"$dir/report" || true
    /usr/bin/python3 - "$dir/result/result.json" <<'PYTHON'
import json, sys
result = json.load(open(sys.argv[1], encoding="utf-8"))
failed = 0

def effect(metric, contrast, question):
    for e in result["effects"]:
        if (e["metric"], e["contrast"]) == (metric, contrast) and e["question"].startswith(question):
            return e

def bar(name, value, limit, unit):
    global failed
    met = value is not None and value <= limit
    failed += not met
    shown = "unknown" if value is None else f"{value:.3g} {unit}"
    print(f"{'met    ' if met else 'NOT MET'} {name}: {shown} (at most {limit:g} {unit})")

def half(e):
    return (e["ci95"][1] - e["ci95"][0]) / 2 if e else None

eku = effect("server_cpu_ns", "on-d2 - none-d2", "What does the EKU")
check = effect("purpose_check_ns", "purpose check, per certificate: timer - empty timer", "What do")
slope = effect("server_cpu_ns", "EKU on: per certificate, depth 1 to 5", "What does each")
bar("half-width of EKU on - none, server CPU, depth 2", half(eku) / 1e3 if eku else None, 2, "us")
bar("half-width of the purpose check", half(check), 5, "ns")
bar("half-width of the depth slope", 100 * half(slope) / slope["estimate"] if slope else None, 3, "%")
bar("engine tax, server", result["floors"]["engine_tax_percent_server"], 8, "%")
bar("engine tax, client", result["floors"]["engine_tax_percent_client"], 12, "%")
print("clean" if result["validity"]["clean"] else "not clean: " + "; ".join(result["validity"]["reasons"]))
sys.exit(failed > 0 or not result["validity"]["clean"])
PYTHON
}

self_test() {
    local i found=0 missed=0 false=0 invalid=0
    for ((i = 1; i <= $1; i++)); do
        "$bin" doctor --self-test --json --seed "$i" >"$dir/self.json" 2>/dev/null || true
        read -r control five < <(/usr/bin/python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
rows = {e["injected_ns"]: e["found"] for e in r["effects"]}
print(int(rows.get(0, 0)), int(rows.get(5000, 0)) if not r["reasons"] else -1)' "$dir/self.json" 2>/dev/null) ||
            { control=0 five=-1; }
        if ((five < 0)); then
            invalid=$((invalid + 1))
        elif ((five == 1)); then
            found=$((found + 1))
        else
            missed=$((missed + 1))
        fi
        false=$((false + (control == 1 ? 1 : 0)))
        printf '%s: 5 us %s, A/A %s\n' "$i" "$five" "$control" >&2
    done
    printf '5 us found in %s, missed in %s, run disturbed in %s of %s; something found in the A/A in %s\n' \
        "$found" "$missed" "$invalid" "$1" "$false"
    ((found * 20 >= $1 * 19 && false * 20 <= $1))
}

# say_verdicts FILE: what a comparison said of each metric that it did not find the same.
say_verdicts() {
    /usr/bin/python3 -c '
import json, sys
for row in json.load(open(sys.argv[1], encoding="utf-8")).get("rows", []):
    if row.get("verdict", "").startswith(("slower", "faster", "withheld")):
        print("   ", row["metric"] + ":", row["verdict"], row.get("ci95"))' "$1" >&2 || true
}

same() {
    local i same=0 valid=0 void=0 status
    for ((i = 1; valid < $1 && void <= $1; i++)); do
        status=0
        "$bin" compare --run "$bin" "$bin" --quadruples 10 --json >"$dir/same.json" 2>"$dir/same.err" || status=$?
        if ((status == 3)); then
            void=$((void + 1))
            tail -n 1 -- "$dir/same.err" >&2
        else
            valid=$((valid + 1))
        fi
        if ((status == 0)) && ! grep -Eq '"verdict": "(slower|faster|withheld)' "$dir/same.json"; then
            same=$((same + 1))
        elif ((status != 3)); then
            say_verdicts "$dir/same.json"
        fi
        printf '%s: status %s, no difference in %s of %s\n' "$i" "$status" "$same" "$valid" >&2
    done
    printf 'with itself: no difference in %s of %s; %s more were void: the machine was disturbed\n' \
        "$same" "$valid" "$void"
    ((valid == $1 && same * 20 >= $1 * 19))
}

slower() {
    local i slower=0 status
    cmake -S "$root" -B "$dir/slower" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O2 -g -DNDEBUG" -DEKUBENCH_TESTS=OFF -DEKUBENCH_BENCH=OFF \
        "-DEKUBENCH_EXTRA_WORK=$EXTRA_WORK" >"$dir/cmake.log"
    cmake --build "$dir/slower" --target ekubench >>"$dir/cmake.log"
    for ((i = 1; i <= $1; i++)); do
        status=0
        "$bin" compare --run "$bin" "$dir/slower/ekubench" --no-times >"$dir/slower.txt" 2>/dev/null || status=$?
        if ((status == 1)) && grep -q '^instructions tls1.3-on-d1 server: slower' "$dir/slower.txt"; then
            slower=$((slower + 1))
        fi
        printf '%s: status %s, slower in %s\n' "$i" "$status" "$slower" >&2
    done
    grep '^instructions tls1.3-on-d1 ' "$dir/slower.txt" || true
    printf 'with 3 %% more work: slower in %s of %s\n' "$slower" "$1"
    ((slower * 20 >= $1 * 19))
}

case ${1:-} in
precision) precision ;;
self-test) self_test "${2:-20}" ;;
same) same "${2:-20}" ;;
slower) slower "${2:-20}" ;;
*)
    sed -n '3,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
