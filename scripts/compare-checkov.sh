#!/usr/bin/env bash
# Checkov and `palisade check` on the same templates and plans: prints where their answers differ and why, as Markdown.
# The files are the real data beside the repository, or in the folder that PALISADE_REAL_DATA names.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source scripts/judges.sh

data=${PALISADE_REAL_DATA:-../shared/data}
[[ -d $data ]] || { say "skipped: $data is absent (set PALISADE_REAL_DATA)"; exit 0; }
judge_venv checkov || { say "skipped: Checkov could not be installed"; exit 0; }
cargo build --quiet --locked --workspace --bin palisade
tags=("$data"/service-tags/*.json)
# The last one is the newest: the files are named by date.
PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" tests/judges/linter.py "$(target_dir)/debug/palisade" "$data" "${tags[-1]}"
