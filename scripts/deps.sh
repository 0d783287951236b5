#!/usr/bin/env bash
#
# Gets what a build needs: Debian packages, and the sources of BoringSSL and HdrHistogram_c, which
# go into a cache. Does nothing, and needs no network, if all is there.
#
# usage: scripts/deps.sh [--test] [--fuzz] [--valgrind]
#   --test  also what scripts/test.sh needs (formatter, linters)
#   --fuzz  also what the preset `fuzz` needs (clang)
#   --valgrind  also what scripts/count-instructions.sh needs
# environment: EKUBENCH_CACHE, the cache (default: ${XDG_CACHE_HOME:-~/.cache}/ekubench)
# exit status: 0 all is there, 2 wrong usage, 3 something is missing and cannot be got from here

set -euo pipefail

# The sources are Debian's "orig" tarballs: package managers reach them wherever packages are
# reached at all. The archive's address is the machine's own setting, hence in no file of ours.
readonly BORINGSSL_POOL='pool/main/a/android-platform-external-boringssl/android-platform-external-boringssl_14.0.0+r45.orig.tar.xz'
readonly BORINGSSL_SHA256='f9223e8c15ad5d9e3f1cd50861f4c272658864661e2332bea5d60952aa0930cd'
readonly BORINGSSL_DIR='android-platform-external-boringssl-14.0.0+r45'
readonly HDR_POOL='pool/main/libh/libhdr-histogram/libhdr-histogram_0.11.8.orig.tar.gz'
readonly HDR_SHA256='bb95351a6a8b242dc9be1f28562761a84d4cf0a874ffc90a9b630770a6468e94'
readonly HDR_DIR='HdrHistogram_c-0.11.8'

readonly APT_HELPER='/usr/lib/apt/apt-helper'

cache=${EKUBENCH_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/ekubench}
scratch=''

say() {
    printf 'deps: %s\n' "$*" >&2
}

have() {
    command -v "$1" >/dev/null 2>&1
}

cleanup() {
    if [[ -n $scratch ]]; then
        rm -rf -- "$scratch"
    fi
}

# missing_packages NAME... prints those that are not installed, one a line.
missing_packages() {
    local name
    for name in "$@"; do
        if [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null || true) != installed ]]; then
            printf '%s\n' "$name"
        fi
    done
}

# missing_without_dpkg does the same where packages are not Debian's: it looks for what they hold.
missing_without_dpkg() {
    local name
    for name in cc c++ cmake ninja pkg-config git xz; do
        have "$name" || printf '%s\n' "$name"
    done
    for name in liburing inih jansson zlib criterion; do
        pkg-config --exists "$name" 2>/dev/null || printf '%s\n' "$name (for pkg-config)"
    done
}

# as_root COMMAND... runs it as root, and fails at once where that needs a password.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif have sudo; then
        sudo -n "$@"
    else
        return 1
    fi
}

updated=no
apt_update() {
    if [[ $updated == no ]]; then
        updated=yes
        say 'apt-get update'
        as_root apt-get -q update >&2
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q install -y --no-install-recommends "$@" >&2
}

install_packages() {
    have apt-get || return 1
    say "installing: $*"
    # The lists that are there are mostly good enough, and reading new ones is the slow part.
    apt_install "$@" || { apt_update && apt_install "$@"; }
}

has_sha256() {
    [[ -f $1 ]] && printf '%s  %s\n' "$2" "$1" | sha256sum --check --status -
}

# archive_bases prints the base address of each archive that apt is set up for.
archive_bases() {
    apt-get indextargets --format "\$(REPO_URI)" 2>/dev/null | sort -u | grep -v security || true
}

# download POOL_PATH SHA256 FILE
download() {
    local pool=$1 sha256=$2 file=$3 base
    if [[ ! -x $APT_HELPER ]] || ! have apt-get; then
        say 'no apt here to download with'
        return 1
    fi
    if [[ -z $(archive_bases) ]]; then
        apt_update || true
    fi
    local options=(-q)
    if ((EUID == 0)); then
        # The scratch directory is ours alone, so apt's own user cannot write there, and apt warns.
        options+=(-o APT::Sandbox::User=root)
    fi
    while IFS= read -r base; do
        [[ -n $base ]] || continue
        say "downloading ${pool##*/}"
        if "$APT_HELPER" "${options[@]}" download-file "${base%/}/$pool" "$scratch/download" "SHA256:$sha256" >&2 &&
            has_sha256 "$scratch/download" "$sha256"; then
            mv -f -- "$scratch/download" "$file"
            return 0
        fi
        rm -f -- "$scratch/download"
    done < <(archive_bases)
    return 1
}

# A tree counts as there only with this file in it, which names the tarball it came from: it is
# written before the tree gets its name.
readonly STAMP='.ekubench-sha256'

# get_source POOL_PATH SHA256 DIR leaves the unpacked tree as $cache/src/DIR.
get_source() {
    local pool=$1 sha256=$2 dir=$3
    local tarball="$cache/downloads/${pool##*/}" tree="$cache/src/$dir" tree_good=no
    if [[ -f $tree/$STAMP && $(<"$tree/$STAMP") == "$sha256" ]]; then
        tree_good=yes
    fi
    if [[ -f $tarball ]] && ! has_sha256 "$tarball" "$sha256"; then
        say "damaged, removed: $tarball"
        rm -f -- "$tarball" || return 1
    elif [[ $tree_good == yes ]]; then
        return 0
    fi

    mkdir -p -- "$cache/downloads" "$cache/src" || return 1
    # In the cache, because a rename is atomic only within one file system.
    if [[ -z $scratch ]]; then
        scratch=$(mktemp -d -- "$cache/tmp.XXXXXXXX") || return 1
    fi
    if [[ ! -f $tarball ]] && ! download "$pool" "$sha256" "$tarball"; then
        if [[ $tree_good == yes ]]; then
            say "cannot download ${pool##*/} again, but its tree is good: $tree"
            return 0
        fi
        return 1
    fi
    say "unpacking ${pool##*/}"
    tar -x -f "$tarball" -C "$scratch" || return 1
    [[ -d $scratch/$dir ]] || { say "no $dir in ${pool##*/}"; return 1; }
    printf '%s\n' "$sha256" >"$scratch/$dir/$STAMP" || return 1
    if [[ -e $tree ]]; then
        mv -- "$tree" "$scratch/old-$dir" || return 1
    fi
    mv -T -- "$scratch/$dir" "$tree"
}

usage() {
    printf 'usage: %s [--test] [--fuzz] [--valgrind]\n' "${0##*/}" >&2
    exit 2
}

main() {
    local packages=(build-essential cmake ninja-build pkg-config liburing-dev libinih-dev libjansson-dev
        zlib1g-dev libcriterion-dev git ca-certificates xz-utils)
    while (($# > 0)); do
        case $1 in
        --test) packages+=(clang-format clang-tidy shellcheck python3-jsonschema openssl procps curl nginx-light haproxy tcpdump valgrind
            gnuplot-nox libxml2-utils tidy zsh default-jre-headless libhdrhistogram-java) ;;
        --fuzz) packages+=(clang libclang-rt-dev) ;;
        --valgrind) packages+=(valgrind) ;;
        *) usage ;;
        esac
        shift
    done
    if [[ $cache != /* ]]; then
        # CMake would take it relative to another directory.
        say "the cache must be an absolute path: $cache"
        exit 2
    fi
    trap cleanup EXIT

    local missing=() missing_sources=()
    if have dpkg-query; then
        mapfile -t missing < <(missing_packages "${packages[@]}")
        if ((${#missing[@]} > 0)) && ! install_packages "${missing[@]}"; then
            # Some may have made it.
            mapfile -t missing < <(missing_packages "${missing[@]}")
        else
            missing=()
        fi
    else
        mapfile -t missing < <(missing_without_dpkg)
    fi

    get_source "$BORINGSSL_POOL" "$BORINGSSL_SHA256" "$BORINGSSL_DIR" ||
        missing_sources+=("$BORINGSSL_POOL $BORINGSSL_SHA256 $BORINGSSL_DIR")
    get_source "$HDR_POOL" "$HDR_SHA256" "$HDR_DIR" ||
        missing_sources+=("$HDR_POOL $HDR_SHA256 $HDR_DIR")

    if ((${#missing[@]} == 0 && ${#missing_sources[@]} == 0)); then
        return 0
    fi

    local source pool sha256 dir
    {
        printf '\ndeps: not all that the build needs is here.\n'
        if ((${#missing[@]} > 0)) && ! have dpkg-query; then
            printf '\nMissing; install it with the package manager of this system:\n'
            printf '  %s\n' "${missing[@]}"
        elif ((${#missing[@]} > 0)); then
            printf '\nMissing packages:\n'
            printf '  %s\n' "${missing[@]}"
            printf 'To install them, run:\n'
            printf '  sudo apt-get update && sudo apt-get install -y --no-install-recommends %s\n' \
                "${missing[*]}"
        fi
        if ((${#missing_sources[@]} > 0)); then
            printf '\nMissing source trees:\n'
            for source in "${missing_sources[@]}"; do
                read -r pool sha256 dir <<<"$source"
                printf '  %s\n    from %s\n    SHA-256 %s\n' "$cache/src/$dir" "${pool##*/}" "$sha256"
            done
            printf 'With a network, run:\n  %s\n' "$(readlink -f -- "$0")"
            printf 'Without one, put these files of a Debian archive into %s and run it again:\n' \
                "$cache/downloads"
            for source in "${missing_sources[@]}"; do
                printf '  %s\n' "${source%% *}"
            done
        fi
    } >&2
    exit 3
}

main "$@"
