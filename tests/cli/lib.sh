# What the tests of the command line share. Sourced, with the path of the binary in $1.
# shellcheck shell=bash disable=SC2034 # What is set here is used where it is sourced.

bin=$(realpath -- "$1")
failures=0

# Everything goes below one directory. Others than root get at the program and at a place for
# temporary files; TMPDIR is watched for what is left there.
dir=$(mktemp -d)
chmod 755 "$dir"
mkdir "$dir/tmp"
chmod 1777 "$dir/tmp"
export TMPDIR=$dir/tmp

# A word in the environment of every process that a test starts: by it they are found again.
mark=EKUBENCH_TEST_MARK=$$.$RANDOM$RANDOM

marked_processes() {
    { grep -lzxF -- "$mark" /proc/[0-9]*/environ 2>/dev/null || true; } | cut -d / -f 3
}

clean_up() {
    local pid
    # A subshell that is killed before it becomes another program would clean up for all.
    if ((BASHPID != $$)); then
        return
    fi
    for pid in $(marked_processes); do
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf -- "$dir"
}
trap clean_up EXIT

fail() {
    printf 'FAIL: %s\n' "$1" >&2
    failures=$((failures + 1))
}

# finish ends the test.
finish() {
    if ((failures > 0)); then
        printf '%s failures\n' "$failures" >&2
        exit 1
    fi
    exit 0
}

ekubench() {
    env -- "$mark" "$bin" "$@"
}

# expect NAME STATUS: how the last `run` ended.
expect() {
    if ((status != $2)); then
        fail "$1: status $status, not $2: $(cat -- "$dir/out" "$dir/err")"
    fi
}

# says NAME TEXT: the last `run` said it.
says() {
    grep -qF -- "$2" "$dir/out" "$dir/err" || fail "$1: no \"$2\" in $(cat -- "$dir/out" "$dir/err")"
}

# skip_without_io_uring skips the test where the kernel refuses io_uring.
skip_without_io_uring() {
    if "$bin" doctor --json 2>/dev/null | grep -A1 '"check": "io_uring"' | grep -q '"fail"'; then
        echo 'io_uring cannot be used here' >&2
        exit 77
    fi
}

# needs PROGRAM...: skips the test where one is missing.
needs() {
    local program
    for program in "$@"; do
        if ! command -v "$program" >/dev/null; then
            printf '%s is not installed\n' "$program" >&2
            exit 77
        fi
    done
}

# run COMMAND...: its exit status goes to $status, its output to $dir/out and $dir/err.
run() {
    status=0
    "$@" >"$dir/out" 2>"$dir/err" || status=$?
}

# await NAME COMMAND...: waits until the command succeeds, at most ten seconds.
await() {
    local name=$1 i
    shift
    for ((i = 0; i < 200; i++)); do
        if "$@" 2>/dev/null; then
            return 0
        fi
        sleep 0.05
    done
    fail "$name: waited in vain"
    return 1
}

# start_server NAME ARGUMENT...: `ekubench serve` in the background, its process in $server_pid, its
# output in $dir/NAME.out and $dir/NAME.err. Returns when it listens.
start_server() {
    local name=$1
    shift
    env -- "$mark" "$bin" serve "$@" >"$dir/$name.out" 2>"$dir/$name.err" &
    server_pid=$!
    if ! await "$name" grep -qs '^listening on ' "$dir/$name.out" "$dir/$name.err"; then
        cat -- "$dir/$name.err" >&2
        return 1
    fi
}

# listen_address NAME INDEX: ADDR:PORT of the server's listener, the first being 1.
listen_address() {
    sed -n 's/^listening on \([^,]*\),.*/\1/p' "$dir/$1.out" "$dir/$1.err" | sed -n "$2p"
}

# end_of PID: waits for the process (a child of this shell) and puts its status into $status; one that
# does not end within fifteen seconds is killed.
end_of() {
    local i
    for ((i = 0; i < 300; i++)); do
        if ! kill -0 "$1" 2>/dev/null; then
            break
        fi
        sleep 0.05
    done
    if kill -0 "$1" 2>/dev/null; then
        fail "process $1 does not end"
        kill -KILL "$1"
    fi
    status=0
    wait "$1" || status=$?
}

nothing_runs() {
    [[ -z $(marked_processes) ]]
}

# expect_nothing_left NAME: no process of the test's, and nothing in TMPDIR.
expect_nothing_left() {
    local i
    # A worker that was told to end may still be on its way.
    for ((i = 0; i < 40; i++)); do
        if nothing_runs; then
            break
        fi
        sleep 0.05
    done
    if ! nothing_runs; then
        fail "$1: left running: $(marked_processes | xargs ps -o pid,args -p 2>/dev/null)"
    fi
    if [[ -n $(ls -A -- "$TMPDIR") ]]; then
        fail "$1: left in TMPDIR: $(ls -A -- "$TMPDIR")"
        rm -rf -- "${TMPDIR:?}"/*
    fi
}

# json FILE EXPRESSION: what the expression (Python, of the result `r`) is; "?" if there is no result.
json() {
    /usr/bin/python3 -c 'import json, sys
try:
    r = json.load(open(sys.argv[1], encoding="utf-8"))
    print(eval(sys.argv[2]))
except (OSError, ValueError):
    print("?")' "$1" "$2"
}
