#!/usr/bin/env bash
# Measures the datapath beside what one would pick instead, in a release build. Arguments go to `palisade bench datapath`;
# `--quick` takes under a minute. Service tags come from the file that PALISADE_SERVICE_TAGS names, or else from the real
# data, where it is present.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PALISADE_SETUP_PEERS=1 scripts/setup.sh
if [[ $PALISADE_PRIVILEGE == none ]]; then
    say "bench: network namespaces and the kernel program need root or sudo"
    exit 1
fi
if [[ -z ${PALISADE_SERVICE_TAGS:-} ]]; then
    for tags in "${PALISADE_REAL_DATA:-../shared/data}"/service-tags/*.json; do
        # The last one is the newest: the files are named by date.
        if [[ -f $tags ]]; then export PALISADE_SERVICE_TAGS=$tags; fi
    done
fi
cargo build --release --locked --package palisade-cli
exec "${as_root[@]}" "$(target_dir)/release/palisade" bench datapath "$@"
