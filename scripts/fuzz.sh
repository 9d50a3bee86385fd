#!/usr/bin/env bash
# Fuzzes every target of fuzz/ for a while: scripts/fuzz.sh [SECONDS [TARGET...]]
#
# libFuzzer needs coverage counters, which the stable compiler can insert; no nightly and no cargo-fuzz. New
# inputs go to fuzz/corpus/TARGET, seeds are read from fuzz/seeds/TARGET, and an input that breaks a target is
# kept in fuzz/artifacts. The coverage flags come with --target, so that build scripts do not get them.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
shopt -s failglob

seconds=${1:-60}
targets=("${@:2}")
if ((${#targets[@]} == 0)); then
    targets=(fuzz/targets/*.rs)
    targets=("${targets[@]##*/}")
    targets=("${targets[@]%.rs}")
fi

triple=$(host_triple)
export RUSTFLAGS="--cfg fuzzing -Cdebug-assertions -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS=$(tr -s '\n ' ' ' <<<"$RUSTFLAGS")
cargo build --release --locked --manifest-path fuzz/Cargo.toml --target "$triple"

for target in "${targets[@]}"; do
    say "fuzz: $target for $seconds s"
    mkdir -p "fuzz/corpus/$target" fuzz/artifacts
    folders=("fuzz/corpus/$target")
    if [[ -d fuzz/seeds/$target ]]; then
        folders+=("fuzz/seeds/$target")
    fi
    "${CARGO_TARGET_DIR:-fuzz/target}/$triple/release/$target" "${folders[@]}" \
        -max_total_time="$seconds" -artifact_prefix="fuzz/artifacts/$target-" -print_final_stats=1 -verbosity=0
done
