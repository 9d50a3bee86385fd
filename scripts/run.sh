#!/usr/bin/env bash
# Shows the main job: the lab comes up, its NSGs are enforced, every cell is probed, and it stays until Ctrl-C.
#
# The development build is used: it is there soonest, it keeps its assertions, and packets are judged in the
# kernel, where the profile makes no difference.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

scripts/setup.sh
if [[ $PALISADE_PRIVILEGE == none ]]; then
    say "run: the lab creates network namespaces and loads a kernel program, which needs root or sudo"
    exit 1
fi
# The whole workspace chooses the features of dependencies: one package alone would compile them again.
cargo build --locked --workspace --bin palisade
exec "${as_root[@]}" "$(target_dir)/debug/palisade" lab run "$@"
