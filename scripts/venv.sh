# shellcheck shell=bash
# Sourced by the scripts that test with Python programs of others: virtual environments of pinned packages.

# Seconds after which an installation is given up, so that a registry that does not answer cannot hold up the tests.
install_seconds=${PALISADE_INSTALL_SECONDS:-600}

# The installer: three times as fast as pip, for which the tests would wait minutes.
uv_version=0.13.9

# A virtual environment with the packages of a list of pins and no others: fill_venv FOLDER PINS [OPTION...]. It is whole where there is
# a file `complete` in it. Modules are compiled now, since programs of the tests may not write beside them.
fill_venv() {
    local folder=$1 pins=$2
    [[ -f $folder/complete ]] && return
    have_uv || return
    say "installing $(grep -c == "$pins") packages of $pins"
    rm -rf "$folder"
    uv venv "$folder" &&
        uv pip install --compile-bytecode --no-deps --python "$folder/bin/python" "${@:3}" --requirement "$pins" &&
        touch "$folder/complete"
}

uv() {
    UV_CACHE_DIR=$(target_dir)/uv-cache UV_PYTHON_DOWNLOADS=never UV_NO_CONFIG=1 UV_HTTP_TIMEOUT=20 \
        timeout "$install_seconds" "$(uv_folder)/bin/uv" --quiet "$@" >&2
}

have_uv() {
    [[ -f $(uv_folder)/complete ]] && return
    have python3 || return
    rm -rf "$(uv_folder)"
    python3 -m venv "$(uv_folder)" >&2 &&
        timeout "$install_seconds" "$(uv_folder)/bin/pip" install --quiet --disable-pip-version-check --no-input --no-deps \
            --only-binary :all: "uv==$uv_version" >&2 &&
        touch "$(uv_folder)/complete"
}

uv_folder() { printf '%s\n' "$(target_dir)/uv-$uv_version"; }
