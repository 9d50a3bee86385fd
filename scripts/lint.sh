#!/usr/bin/env bash
# Everything that can be judged without running the product: the workspace's shape, format, lints, scripts.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cargo xtask tidy
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- --deny warnings
if have shellcheck; then
    shellcheck scripts/*.sh .ci/run crates/lab/src/vm/init.sh
else
    say "lint: shellcheck is not installed, the scripts were not checked"
fi
