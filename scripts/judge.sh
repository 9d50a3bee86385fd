#!/usr/bin/env bash
# Others judge the exact analysis: Z3 solves what `palisade_analysis` answers, of rules that it reads and expands anew, and the schema
# of OASIS judges what `palisade check` writes as SARIF. DuckDB reads the flow store and is asked what `palisade flows query` is asked.
# regipy reads registry hives of real machines beside our reader. cloudbase-init reads the drive of settings that a revert writes.
# The grammar of PowerShell reads the scripts for Windows' firewall.
# Prints one line an estate; any difference fails.
#
# Arguments are the number of rules of the larger NSG, and seeds: Z3 alone. Without any, four estates of 100 rules, the SARIF and the flow
# store, which takes half a minute. `scripts/judge.sh long` takes 100, 200 and 300 rules, and 100,000 random policies over few values against the
# oracle, packet by packet: half an hour. The packages live in target/judges, by a hash of what pins them. What cannot be installed
# prints `skipped: ` and why.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source scripts/judges.sh

pins=tests/judges
answers=$(target_dir)/debug/examples/answers

main() {
    if [[ ${1:-} == long ]]; then
        exhaustive
        sarif
        solve 100 1 2 3 4 5 6 7 8 9 10
        solve 200 1 2 3
        solve 300 1 2 3
        return
    fi
    if (($# == 0)); then
        sarif
        flows
        hives
        drive
        scripts
        set -- 100 1 2 3 4
    fi
    solve "$@"
}

# Random policies over few values, every packet: 200 times what the tests try, which is 150,000 lists and 120,000 comparisons of interfaces.
exhaustive() {
    say "judge: random policies against the oracle, packet by packet"
    PALISADE_CASES=200 cargo test --quiet --locked --package palisade-analysis --test analysis -- \
        --exact lists::every_answer_about_a_known_list_is_that_of_every_packet \
        lists::every_answer_about_a_list_with_open_parts_is_that_of_every_packet \
        diffs::a_comparison_of_known_policies_finds_every_packet_that_differs \
        diffs::a_comparison_of_policies_with_open_parts_finds_every_packet_that_differs
}

# What `palisade check` writes as SARIF of the lab, of files in error, and of the real templates where they are present.
sarif() {
    judge_venv sarif || { say "skipped: the schema of SARIF as a judge, because it could not be installed"; return; }
    cargo build --quiet --locked --workspace --bin palisade
    local templates=()
    for folder in "${PALISADE_REAL_DATA:-../shared/data}"/arm-quickstart/*/; do
        if [[ -d $folder ]]; then templates+=("$folder"); fi
    done
    PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$pins/sarif.py" "$(target_dir)/debug/palisade" examples/lab "${templates[@]}"
}

# DuckDB reads the folder of the flow store and is asked what we are asked.
flows() {
    judge_venv duckdb || { say "skipped: DuckDB as a judge of the flow store, because it could not be installed"; return; }
    cargo build --quiet --locked --workspace --bin palisade
    PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$pins/flows.py" "$(target_dir)/debug/palisade" duckdb
}

# regipy reads the hives of real machines, key by key.
hives() {
    judge_venv regipy || { say "skipped: regipy as a judge of registry hives, because it could not be installed"; return; }
    cargo build --quiet --locked --workspace --example hive
    local judge
    for judge in hives dirty; do
        PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$pins/$judge.py" "$(target_dir)/debug/examples/hive" \
            "${PALISADE_REAL_DATA:-../shared/data}/hives"
    done
}

# cloudbase-init reads a drive of settings as it would on Windows.
drive() {
    judge_venv cloudbase || { say "skipped: cloudbase-init as a judge of the drive of settings, because it could not be installed"; return; }
    cargo build --quiet --locked --workspace --bin palisade
    PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$pins/seed.py" "$(target_dir)/debug/palisade"
}

# tree-sitter's grammar reads what is exported for Windows.
scripts() {
    judge_venv powershell || { say "skipped: the grammar of PowerShell as a judge, because it could not be installed"; return; }
    cargo build --quiet --locked --workspace --bin palisade
    PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$pins/powershell.py" "$(target_dir)/debug/palisade" examples/lab
}

solve() {
    judge_venv z3 || { say "skipped: Z3 as a judge of the analysis, because it could not be installed"; return; }
    cargo build --quiet --locked --workspace --example answers
    PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$pins/solver.py" "$answers" "$@"
}

main "$@"
