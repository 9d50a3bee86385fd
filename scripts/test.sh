#!/usr/bin/env bash
# All checks and all tests, in the order in which they fail fastest; stops at the first that fails.
#
# Tests that need root ask for it themselves and otherwise print `skipped: ` and why; the summary repeats these
# lines. Where this script is not root but sudo works, cargo builds as the user and only the finished test
# programs run as root.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Seconds for each fuzz target: enough to see that it runs and that no known input breaks it.
fuzz_seconds=${PALISADE_FUZZ_SECONDS:-10}

# The story is told if no more seconds than these have gone by, so that all of this stays below 45 minutes.
story_by=${PALISADE_STORY_BY:-2280}

steps=()
skips=()
current=

main() {
    trap summary EXIT
    step setup scripts/setup.sh
    step lint scripts/lint.sh
    step build cargo build --workspace --locked
    step tests run_tests
    step doc-tests cargo test --quiet --workspace --locked --doc
    step clients run_clients
    step judges run_judges
    if [[ -f fuzz/Cargo.toml ]]; then
        step fuzz scripts/fuzz.sh "$fuzz_seconds"
    fi
    if ((SECONDS < story_by)); then
        step story run_story
    else
        skips+=("skipped: the story, because $SECONDS seconds have gone by (make test-story tells it)")
    fi
    current=
}

step() {
    current=$1
    local start=$SECONDS
    say "== $current"
    "${@:2}"
    steps+=("$(printf '%-10s ok %5d s' "$current" $((SECONDS - start)))")
}

run_tests() {
    local runner=()
    if [[ $PALISADE_PRIVILEGE == sudo ]]; then
        sudo -v # the build may have outlasted the last answer
        runner=(env "CARGO_TARGET_$(host_triple | tr 'a-z-' 'A-Z_')_RUNNER=${as_root[*]}")
    fi
    local log status=0
    if cargo nextest --version >/dev/null 2>&1; then
        log=$(target_dir)/nextest/default/junit.xml
        "${runner[@]}" cargo nextest run --workspace --locked || status=$?
    else
        log=$(target_dir)/tests.log
        # Two at a time, or the bounds on waiting for packets and guests would have to be loose.
        "${runner[@]}" cargo test --workspace --locked --lib --bins --tests --no-fail-fast -- \
            --show-output --test-threads 2 | tee "$log" || status=$?
    fi
    if [[ -f $log ]]; then
        mapfile -t skips < <(grep -o 'skipped: [^<]*' "$log" | sort | uniq -c; flaky "$log")
    fi
    return "$status"
}

# Tests of a report of nextest that passed only the second time.
flaky() {
    sed -n '/<testcase /{s/.*<testcase name="\([^"]*\)".*/\1/;h;}; /<flakyFailure/{g;s/^/passed only the second time: /p;}' "$1"
}

run_clients() {
    local log status=0
    log=$(target_dir)/clients.log
    scripts/test-clients.sh 2>&1 | tee "$log" >&2 || status=$?
    mapfile -t -O "${#skips[@]}" skips < <(grep '^skipped: ' "$log" | sort | uniq -c)
    return "$status"
}

run_judges() {
    local log status=0
    log=$(target_dir)/judges.log
    scripts/judge.sh 2>&1 | tee "$log" >&2 || status=$?
    mapfile -t -O "${#skips[@]}" skips < <(grep '^skipped: ' "$log" | sort | uniq -c)
    return "$status"
}

# Two of its parts; like a test, it may be tried twice, which is told.
run_story() {
    local log parts=(taken answered)
    log=$(target_dir)/story.log
    if ! scripts/test-story.sh "${parts[@]}" 2>&1 | tee "$log" >&2; then
        scripts/test-story.sh "${parts[@]}" 2>&1 | tee "$log" >&2 || return 1
        skips+=("passed only the second time: the story")
    fi
    mapfile -t -O "${#skips[@]}" skips < <(grep '^skipped: ' "$log" | sort | uniq -c)
}

# Runs however the script ends, and leaves the exit code alone.
summary() {
    say ""
    say "summary"
    for line in "${steps[@]}"; do say "  $line"; done
    for line in "${skips[@]}"; do say "  $line"; done
    if [[ -n $current ]]; then say "  $current FAILED"; fi
}

main
