#!/usr/bin/env bash
#
# Makes the reference results that results/ holds: scripts/publish-results.sh [RUN...|--pictures]
# A run is a built-in plan of `measure`, scenario or capacity; all of them by default, which takes some ten minutes of a
# machine that does nothing else. Each goes to results/RUN: result.json, report.txt, report.html, environment.txt. One
# that is not clean is made again, three times at most, and never published. The pictures of README.md are plots of
# these reports, and its answer is theirs; --pictures makes them alone.
# exit status: 0 all published, 2 wrong usage, 3 the machine was disturbed

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
readonly root tries=3 all=(standard quick rejects compare load scenario capacity)
ekubench=$root/build/release/ekubench

# command_of RUN prints the command that makes it, a word a line.
command_of() {
    case $1 in
    standard) printf '%s\n' measure ;;
    quick | rejects | compare | load) printf '%s\n' measure --plan "$1" ;;
    scenario) printf '%s\n' measure --scenario condition-2.1 ;;
    capacity) printf '%s\n' capacity --slo p99=50ms --target 50k/s --vary depth=1,2,3 --reject-share 5% ;;
    *)
        printf 'publish-results.sh: there is no run "%s": there are %s\n' "$1" "${all[*]}" >&2
        exit 2
        ;;
    esac
}

# describe prints what there was: the machine, the versions, and the command.
describe() {
    printf '%s\n\n' "ekubench $*"
    "$ekubench" --version
    printf '\n'
    "$ekubench" doctor || true
}

# publish RUN makes it beside its place, and moves it there when it is good.
publish() {
    local run=$1 to=$root/results/$1 made words try
    mapfile -t words < <(command_of "$run")
    made=$(mktemp -d "$root/results/tmp.XXXXXX")
    for ((try = 1; try <= tries; try++)); do
        printf '== %s: ekubench %s\n' "$run" "${words[*]}"
        if "$ekubench" "${words[@]}" -o "$made" >/dev/null; then
            "$ekubench" report "$made" --format html -o "$made/report.html"
            describe "${words[@]}" >"$made/environment.txt"
            chmod 755 "$made"
            rm -rf -- "$to"
            mv -- "$made" "$to"
            return 0
        fi
        printf 'not clean: %s\n' "$(sed -n '/^NOT CLEAN: do not/,$p' "$made/report.txt" | head -n 4)" >&2
    done
    rm -rf -- "$made"
    return 3
}

# picture REPORT SECTION FILE makes a picture of the first plot of a section: its SVG, with the report's colours.
picture() {
    local svg colours
    svg=$(xmllint --xpath "(//*[@id='$2']//*[local-name()='svg'])[1]" "$1")
    colours=$(sed -n '/^:root{/,/}}$/p' "$1" | sed '/}}$/q')
    {
        printf '%s\n' "${svg%%>*}>"
        printf '<style>\n%s\nsvg{background:var(--page)}\n</style>\n' "$colours"
        printf '%s\n' "${svg#*>}"
    } >"$3"
}

# illustrate makes README.md as the results are.
illustrate() {
    picture "$root/results/standard/report.html" ladder "$root/results/standard/ladder.svg"
    picture "$root/results/capacity/report.html" capacity "$root/results/capacity/rate.svg"
    "$root/scripts/check-docs.sh" --fix
}

if [[ ${1-} == --pictures ]]; then
    illustrate
    exit
fi
runs=("$@")
if ((${#runs[@]} == 0)); then
    runs=("${all[@]}")
fi
for run in "${runs[@]}"; do
    command_of "$run" >/dev/null
done
"$root/scripts/deps.sh" --test
(
    cd -- "$root"
    cmake --preset release
    cmake --build --preset release
) >&2
status=0
for run in "${runs[@]}"; do
    publish "$run" || status=3
done
illustrate
exit "$status"
