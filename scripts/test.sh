#!/usr/bin/env bash
#
# Builds and tests: scripts/test.sh [ctest options]
# The last line is `N passed, N failed, N skipped`, over all presets; the exit status is not 0 if
# anything failed.
# environment: EKUBENCH_TEST_PRESETS, the presets (default: "release asan")

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
read -r -a presets <<<"${EKUBENCH_TEST_PRESETS:-release asan}"

passed=0
failed=0
skipped=0

# count FILE ATTRIBUTE prints an attribute of the JUnit file's <testsuite>.
count() {
    tr '\n\t' '  ' <"$1" | sed -n "s/.*<testsuite [^>]*[[:space:]]$2=\"\([0-9]*\)\".*/\1/p"
}

# test_preset PRESET [ctest options]. A build that fails counts as one failed test, so that the
# closing line never looks better than the run was.
test_preset() {
    local preset=$1 junit="$root/build/$1/junit.xml" status=0 num_all num_failed num_skipped
    shift
    printf '== %s: build\n' "$preset"
    if ! cmake --preset "$preset" || ! cmake --build --preset "$preset"; then
        printf '== %s: the build failed\n' "$preset"
        failed=$((failed + 1))
        return
    fi

    printf '== %s: test\n' "$preset"
    rm -f -- "$junit"
    ctest --preset "$preset" --output-on-failure --output-junit "$junit" "$@" || status=$?
    if [[ ! -s $junit ]]; then
        failed=$((failed + 1))
        return
    fi
    num_all=$(count "$junit" tests)
    num_failed=$(count "$junit" failures)
    # "disabled" are tests switched off in CMake: not run, hence not passed either.
    num_skipped=$(($(count "$junit" skipped) + $(count "$junit" disabled)))
    passed=$((passed + num_all - num_failed - num_skipped))
    failed=$((failed + num_failed))
    skipped=$((skipped + num_skipped))
    # ctest may fail for a reason of its own, such as no tests at all.
    if ((status != 0 && num_failed == 0)); then
        failed=$((failed + 1))
    fi
}

deps_options=(--test)
if [[ " ${presets[*]} " == *' fuzz '* ]]; then
    deps_options+=(--fuzz)
fi
"$root/scripts/deps.sh" "${deps_options[@]}"
cd -- "$root"
for preset in "${presets[@]}"; do
    test_preset "$preset" "$@"
done

printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
((failed == 0))
