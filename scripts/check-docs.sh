#!/usr/bin/env bash
#
# Checks what the pages (*.md) say: each link to a file of the project leads to one, and the answer in README.md is that
# of the reference result, word for word (--fix puts it there): scripts/check-docs.sh [--fix]
# exit status: 0 right, 1 not, 2 wrong usage

set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
if (($# > 1)) || [[ ${1-} != '' && $1 != --fix ]]; then
    echo 'usage: scripts/check-docs.sh [--fix]' >&2
    exit 2
fi
readonly reference=results/standard
status=0

mapfile -d '' -t pages < <(find . -name '*.md' -not -path './build/*' -print0)
for page in "${pages[@]}"; do
    while read -r link; do
        to=${link%%#*}
        if [[ $to != '' && $to != *:* && ! -e $(dirname -- "$page")/$to ]]; then
            printf '%s: nothing is at %s\n' "$page" "$link" >&2
            status=1
        fi
    done < <(grep -o '](\([^)]*\))' -- "$page" | sed 's/^](//; s/)$//')
done

# with_answer prints README.md with the reference's answer behind the comment that names it.
with_answer() {
    awk -v report="$reference/report.txt" -v comment="<!-- answer of $reference -->" '
        $0 == comment { print; print ""; replacing = 1
            while ((getline line <report) > 0) {
                if (line ~ /^The answer/) inside = 1
                else if (inside && line == "") break
                if (inside) print "    " line
            }
            print ""; next }
        replacing && (/^    / || /^$/) { next }
        { replacing = 0; print }' README.md
}
if ! with_answer | cmp -s - README.md; then
    if [[ ${1-} == --fix ]]; then
        wanted=$(with_answer)
        printf '%s\n' "$wanted" >README.md
    else
        printf 'README.md: the answer is not that of %s: scripts/check-docs.sh --fix\n' "$reference" >&2
        status=1
    fi
fi
exit "$status"
