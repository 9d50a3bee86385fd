# shellcheck shell=bash
# Sourced by the scripts that let others judge the analysis: where their packages live.

source scripts/venv.sh

# A virtual environment with the packages of a list of pins, by a hash of the list; it is named by `venv` then. Only
# finished packages are taken: nothing is built, and no foreign code runs to install it.
judge_venv() {
    local pin=tests/judges/requirements/$1.txt
    venv=$(target_dir)/judges/$1-$(sha256sum "$pin" | cut -c 1-16)
    fill_venv "$venv" "$pin" --only-binary :all:
}
