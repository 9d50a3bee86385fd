# shellcheck shell=bash
# Sourced by the other scripts: where we are, who we may be, and how to speak.
# Talk goes to stderr; stdout stays free for data.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# root, sudo or none. Asked once, and passed on to the scripts that this one calls.
if [[ -z ${PALISADE_PRIVILEGE:-} ]]; then
    if ((EUID == 0)); then
        PALISADE_PRIVILEGE=root
    elif have sudo && { sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo -v; }; }; then
        PALISADE_PRIVILEGE=sudo
    else
        PALISADE_PRIVILEGE=none
    fi
    export PALISADE_PRIVILEGE
fi

# The words to put before a command that needs root. PATH is passed by hand because sudo replaces it.
# shellcheck disable=SC2034  # used by the scripts that source this one
case $PALISADE_PRIVILEGE in
    root) as_root=() ;;
    sudo) as_root=(sudo -E env "PATH=$PATH") ;;
    *) as_root=(false) ;;
esac

# Where cargo puts what it builds, as an absolute path.
target_dir() { realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}"; }

# The compiler's name for this machine, such as x86_64-unknown-linux-gnu.
host_triple() { rustc -vV | sed -n 's/^host: //p'; }
