#!/usr/bin/env bash
#
# `ekubench report --format html` in a real browser: nothing is wider than a screen of 400 or 1,280
# pixels, and the browser has nothing to fetch: tests/cli/test_report_browser.sh EKUBENCH
# exit status: 0 passed, 1 failed, 77 cannot be tested here (no Chromium: too big to ask for)

set -euo pipefail

if (($# != 1)); then
    echo 'usage: tests/cli/test_report_browser.sh EKUBENCH' >&2
    exit 2
fi
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cli/lib.sh
source "$root/tests/cli/lib.sh" "$1"

needs /usr/bin/python3
needs chromium

cd -- "$root/tests/report/golden"

# browse FILE prints the page as the browser has it after its scripts have run.
browse() {
    env -- "$mark" HOME="$dir" timeout 60 chromium --headless --no-sandbox --disable-gpu \
        --disable-background-networking --disable-component-update --host-resolver-rules='MAP * ~NOTFOUND' \
        --user-data-dir="$dir/profile" --window-size=1300,900 --virtual-time-budget=3000 --dump-dom \
        "file://$1" 2>/dev/null || true
}

# look_at FILE WIDTH: the page in a frame of that width says how wide it is, what stands out of the
# frame but for what scrolls in a box of its own, and what it has fetched.
look_at() {
    /usr/bin/python3 - "$1" "$2" "$dir/frame.html" <<'PYTHON'
import html
import sys

file, width, frame = sys.argv[1:]
with open(file, encoding="utf-8") as page, open(frame, "w", encoding="utf-8") as out:
    out.write(f"""<!DOCTYPE html><meta charset="utf-8"><body style="margin:0">
<iframe id="page" style="border:0;width:{width}px;height:800px" srcdoc="{html.escape(page.read())}"></iframe>
<p id="said"></p><script>
onload = function () {{
  const frame = document.getElementById("page"), page = frame.contentDocument;
  const out = [...page.querySelectorAll("body *")].filter(
    e => !e.closest(".table, pre, svg") && e.getBoundingClientRect().right > {width} + 1);
  const fetched = frame.contentWindow.performance.getEntriesByType("resource");
  document.getElementById("said").textContent = "said " + page.documentElement.scrollWidth + " " +
    out.length + " " + fetched.length + " " + page.querySelectorAll("svg").length;
}};
</script>""")
PYTHON
    browse "$dir/frame.html" | sed -n 's/.*id="said">said \([0-9 ]*\)<.*/\1/p'
}

for name in measure capacity load links; do
    run ekubench report "$name.json" --format html -o "$dir/$name.html"
    expect "$name" 0
    plots=$(grep -c '<svg ' "$dir/$name.html" || true)
    for width in 400 1280; do
        words=$(look_at "$dir/$name.html" "$width")
        if [[ -z $words ]]; then
            echo 'Chromium does not run here' >&2
            exit 77
        fi
        read -r wide out fetched svgs <<<"$words"
        ((wide <= width)) || fail "$name is $wide pixels wide, not $width"
        ((out == 0)) || fail "$name, $width pixels: $out elements stand out"
        ((fetched == 0)) || fail "$name fetches $fetched things"
        ((svgs == plots)) || fail "$name has $svgs plots in the browser, not $plots"
    done
done

finish
