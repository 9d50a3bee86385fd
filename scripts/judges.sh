# shellcheck shell=bash
# Sourced by the scripts that let others judge the analysis: where their packages live.

# Seconds after which an installation is given up, so that a registry that does not answer cannot hold up the tests.
judge_install_seconds=${PALISADE_JUDGE_INSTALL_SECONDS:-600}

# A virtual environment with the packages of a list of pins, by a hash of the list; it is named by `venv` then. Only
# finished packages are taken: nothing is built, and no foreign code runs to install it.
judge_venv() {
    local pin=tests/judges/requirements/$1.txt
    have python3 || return
    venv=$(target_dir)/judges/$1-$(sha256sum "$pin" | cut -c 1-16)
    [[ -f $venv/complete ]] && return
    say "judges: installing $(grep -c == "$pin") packages of $pin"
    rm -rf "$venv"
    python3 -m venv "$venv" >&2 &&
        timeout "$judge_install_seconds" "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input \
            --no-deps --only-binary :all: --timeout 20 --retries 3 --requirement "$pin" >&2 &&
        touch "$venv/complete"
}
