#!/usr/bin/env bash
# Measures exact analysis beside OxiDD, Z3 and Checkov, in a release build. Arguments go to `palisade bench analysis`; `--quick` stays
# under 50 seconds. Service tags come from the file that PALISADE_SERVICE_TAGS names, and the estates that are checked from the folder that
# PALISADE_ESTATES names, or else both from the real data, where it is present. An engine that cannot be installed is left out, and the
# report says so.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source scripts/judges.sh

data=${PALISADE_REAL_DATA:-../shared/data}
if [[ -z ${PALISADE_ESTATES:-} && -d $data/arm-quickstart ]]; then
    export PALISADE_ESTATES=$data/arm-quickstart
fi
if [[ -z ${PALISADE_SERVICE_TAGS:-} ]]; then
    for tags in "$data"/service-tags/*.json; do
        # The last one is the newest: the files are named by date.
        if [[ -f $tags ]]; then export PALISADE_SERVICE_TAGS=$tags; fi
    done
fi
cargo build --release --locked --package palisade-cli
cargo build --release --locked --package palisade-analysis --example diagrams
PALISADE_PEER_OXIDD=$(realpath "$(target_dir)/release/examples/diagrams")
export PALISADE_PEER_OXIDD
if judge_venv z3; then
    PALISADE_PEER_Z3="$(realpath -s "$venv/bin/python") $(realpath tests/judges/peer.py)"
    export PALISADE_PEER_Z3
fi
if judge_venv checkov; then
    PALISADE_PEER_CHECKOV="$(realpath -s "$venv/bin/python") $(realpath tests/judges/linted.py)"
    export PALISADE_PEER_CHECKOV
fi
exec "$(target_dir)/release/palisade" bench analysis "$@"
