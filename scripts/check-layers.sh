#!/usr/bin/env bash
#
# Checks that includes go only downwards and that third-party headers stay in their layers:
# scripts/check-layers.sh [LAYERS_FILE]
# LAYERS_FILE, which CMake writes (build/<preset>/generated/layers.txt), has what each layer links,
# as `layer: layer...`; that is checked against the same table.

set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# The law: what a layer may use, besides itself.
declare -A allowed=(
    [base]=''
    [stat]='base'
    [pki]='base'
    [store]='pki base'
    [tls]='store pki base'
    [io]='base'
    [peer]='tls io store pki stat base'
    [deploy]='peer store pki base'
    [lab]='deploy peer tls io store pki stat base'
    [report]='stat base'
    [cli]='report lab deploy peer io tls store pki stat base'
    [frozen]='' # No layer: preloaded, never linked.
)

# Third-party headers, as extended regular expressions, and the layers that may include them.
third_party=(
    'openssl/ pki store tls'
    'liburing(\.h|/) io'
    'ini\.h cli lab'
    'jansson\.h stat cli'
    'zlib\.h|zconf\.h stat'
    'hdr/ stat'
    'criterion/ -'
)

failures=0

fail() {
    printf '%s\n' "$1" >&2
    failures=$((failures + 1))
}

# has_word LIST WORD
has_word() {
    [[ " $1 " == *" $2 "* ]]
}

# check_third_party PLACE HEADER OWNERS: OWNERS are the layers, '' for none, in which it may be.
check_third_party() {
    local place=$1 header=$2 layer=$3 rule pattern owners
    for rule in "${third_party[@]}"; do
        pattern=${rule%% *}
        owners=${rule#* }
        if [[ $header =~ ^($pattern) ]] && ! has_word "$owners" "$layer"; then
            fail "$place: <$header> may be included only in: $owners"
        fi
    done
}

# check_file FILE LAYER WHERE: WHERE is src or include.
check_file() {
    local file=$1 layer=$2 where=$3 num line header used
    while IFS=: read -r num line; do
        header=${line#*[<\"]}
        header=${header%%[>\"]*}
        if [[ $header == ekubench/* ]]; then
            used=${header#ekubench/}
            used=${used%%/*}
            if [[ $used != "$layer" ]] && ! has_word "${allowed[$layer]}" "$used"; then
                fail "$file:$num: $layer must not include $header"
            fi
        elif [[ /$header/ == */../* ]]; then
            # A way around the table.
            fail "$file:$num: no .. in an include: $header"
        elif [[ $where == include ]]; then
            check_third_party "$file:$num" "$header" ''
        else
            check_third_party "$file:$num" "$header" "$layer"
        fi
    done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' -- "$file" || true)
}

check_tree() {
    local top=$1 where=$2 dir layer file
    for dir in "$top"/*/; do
        [[ -d $dir ]] || continue
        layer=$(basename -- "$dir")
        if [[ -z ${allowed[$layer]+known} ]]; then
            fail "$dir: not a layer of the table in scripts/check-layers.sh"
            continue
        fi
        while IFS= read -r -d '' file; do
            check_file "$file" "$layer" "$where"
        done < <(find "$dir" -name '*.[ch]' -print0)
    done
}

# check_links FILE
check_links() {
    local layer uses used
    while IFS=: read -r layer uses; do
        [[ -n $layer ]] || continue
        if [[ -z ${allowed[$layer]+known} ]]; then
            fail "src/CMakeLists.txt: $layer is not a layer of the table in scripts/check-layers.sh"
            continue
        fi
        for used in $uses; do
            has_word "${allowed[$layer]}" "$used" || fail "src/CMakeLists.txt: $layer must not link $used"
        done
    done <"$1"
}

check_tree src src
check_tree include/ekubench include
if (($# > 0)); then
    check_links "$1"
fi
((failures == 0))
