# shellcheck shell=bash disable=SC2034
# Shared by the setup steps; sourced, never run. Sets `root` (the checkout) and `cache` (shared by checkouts).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${LINDOS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lindos}
venv=$root/.venv

# A command in; the same command run as root out. Setup never asks for a password.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -n -- "$@"
    else
        fail "this needs root: $*" "run as root, or install sudo"
    fi
}

# Progress for people: standard error, or where the driver put it while a step's own output goes to a log.
say() { echo "setup: $*" >&"${LINDOS_SAY_FD:-2}"; }

# What is wrong, and what to do about it.
fail() {
    say "error: $1"
    [ $# -lt 2 ] || say "hint: $2"
    exit 1
}

# A list of one name a line, comments allowed, in; the names out.
names() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$1"; }

# Standard input in, a short hash out.
short_hash() { sha256sum | cut -c1-12; }

# Two versions in; true when the first is at least the second.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }

# A file and its content in; the file appears whole or not at all.
write_file() {
    printf '%s\n' "$2" >"$1.$$.new"
    mv -f "$1.$$.new" "$1"
}
