#!/usr/bin/env bash
# Others judge the exact analysis: Z3 solves what `palisade_analysis` answers, of rules that it reads and expands anew. Prints one line an
# estate; any difference fails.
#
# Arguments are the number of rules of the larger NSG, and seeds; without any, four estates of 100 rules, which takes half a
# minute. `scripts/judge.sh long` takes 100, 200 and 300 rules, and 100,000 random policies over few values against the oracle,
# packet by packet: half an hour. Z3 lives in target/judges, by a hash of what pins it. What cannot be installed prints
# `skipped: ` and why.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source scripts/judges.sh

pins=tests/judges
answers=$(target_dir)/debug/examples/answers

main() {
    if [[ ${1:-} == long ]]; then
        exhaustive
        shift
        set -- 100 1 2 3 4 5 6 7 8 9 10
        solve "$@"
        solve 200 1 2 3
        solve 300 1 2 3
        return
    fi
    if (($# == 0)); then set -- 100 1 2 3 4; fi
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

solve() {
    judge_venv z3 || { say "skipped: Z3 as a judge of the analysis, because it could not be installed"; return; }
    cargo build --quiet --locked --package palisade-analysis --example answers
    PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$pins/solver.py" "$answers" "$@"
}

main "$@"
