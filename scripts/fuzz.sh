#!/usr/bin/env bash
# Fuzzes every target of fuzz/ for a while: scripts/fuzz.sh [SECONDS [TARGET...]]
#
# libFuzzer needs coverage counters, which the stable compiler can insert; no nightly and no cargo-fuzz. New
# inputs go to fuzz/corpus/TARGET, seeds are read from fuzz/seeds/TARGET, and an input that breaks a target is
# kept in fuzz/artifacts beside the log of its run. The coverage flags come with --target, so that build scripts
# do not get them.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
shopt -s failglob

seconds=${1:-20}
targets=("${@:2}")

main() {
    if ((${#targets[@]} == 0)); then
        mapfile -t targets < <(basename --suffix=.rs -- fuzz/targets/*.rs)
    fi
    build
    local failed=0
    for target in "${targets[@]}"; do
        fuzz "$target" || failed=1
    done
    return "$failed"
}

build() {
    local flags=(
        --cfg fuzzing -Cdebug-assertions -Cpasses=sancov-module
        -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
        -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
    )
    RUSTFLAGS="${flags[*]}" cargo build --release --locked --quiet \
        --manifest-path fuzz/Cargo.toml --target "$(host_triple)"
}

fuzz() {
    local target=$1 status=0 summary
    local program log=fuzz/artifacts/$1.log
    program=${CARGO_TARGET_DIR:-fuzz/target}/$(host_triple)/release/$target
    mkdir -p "fuzz/corpus/$target" fuzz/artifacts
    "$program" "fuzz/corpus/$target" "fuzz/seeds/$target" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -artifact_prefix="fuzz/artifacts/$target-" >"$log" 2>&1 || status=$?
    if ((status != 0)); then
        # libFuzzer names the input in the last lines that it writes.
        local input
        input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        tail -n 40 "$log" >&2
        say "fuzz: $target FAILED; reproduce with: $program ${input:-(see $log)}"
        return 1
    fi
    summary=$(summary "$log") || return 1
    say "fuzz: $target: $summary"
}

# Inputs tried and places reached, first and last; fails where the compiler left out the counters.
summary() {
    local start end
    start=$(grep -oPm1 'INITED cov: \K\d+' "$1") || { say "fuzz: no coverage counters, see $1"; return 1; }
    end=$(grep -oP '^#\K\d+\s+DONE   cov: \d+' "$1")
    printf '%s inputs, coverage %s at the start and %s at the end\n' "${end%%[!0-9]*}" "$start" "${end##* }"
}

main
