#!/usr/bin/env bash
# The founding story with real tools in network namespaces: hydra, nmap, xrdp and sshd against `palisade up`. Names of parts tell those alone:
# board (what is found, and what is not), taken (in, scan, quarantine, connect), answered (lock-out and its end),
# restored (a real Debian guest, taken and brought back).
#
# Needs root, and tools that scripts/setup.sh installs if PALISADE_SETUP_STORY is set, which this does. What cannot be had prints `skipped: ` and why.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

main() {
    [[ $PALISADE_PRIVILEGE != none ]] || { say "skipped: the story, because network namespaces need root"; return; }
    PALISADE_SETUP_STORY=1 scripts/setup.sh
    cargo build --quiet --locked --workspace --bin palisade
    local disk=
    if (($# == 0)) || [[ " $* " == *" restored "* ]]; then
        "${as_root[@]}" env CARGO_TARGET_DIR="$(target_dir)" scripts/guest-disk.sh && disk=$(target_dir)/guest-disk
    fi
    "${as_root[@]}" env PYTHONDONTWRITEBYTECODE=1 PALISADE_GUEST_DISK="$disk" python3 tests/story/run.py "$(target_dir)/debug/palisade" "$@"
}

main "$@"
