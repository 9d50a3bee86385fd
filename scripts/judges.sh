# shellcheck shell=bash
# Sourced by the scripts that let others judge the analysis: where their packages live.

# A virtual environment with the packages of a list of pins, by a hash of the list; it is named by `venv` then.
judge_venv() {
    local pin=tests/judges/requirements/$1.txt
    have python3 || return
    venv=$(target_dir)/judges/$1-$(sha256sum "$pin" | cut -c 1-16)
    [[ -f $venv/complete ]] && return
    say "judges: installing $(grep -c == "$pin") packages of $pin"
    rm -rf "$venv"
    python3 -m venv "$venv" &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$pin" >&2 &&
        touch "$venv/complete"
}
