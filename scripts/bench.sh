#!/usr/bin/env bash
# Measures nanoseconds per packet in the kernel, in a release build. Arguments go to `palisade bench datapath`.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

scripts/setup.sh
if [[ $PALISADE_PRIVILEGE == none ]]; then
    say "bench: test runs of the kernel program need root or sudo"
    exit 1
fi
cargo build --release --locked --package palisade-cli
exec "${as_root[@]}" "$(target_dir)/release/palisade" bench datapath "$@"
