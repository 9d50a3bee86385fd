#!/usr/bin/env bash
# Real clients, pinned and unmodified, against a real server that enforces on real packets: the Azure SDKs for Python and
# JavaScript, the Azure CLI and Ansible with the commands of docs/clients.md, and schemathesis with the server's own API.
#
# Clients live in target/clients, by a hash of what pins them, and are installed only when that changes. What cannot be
# installed here, or needs root and there is none, prints `skipped: ` and why.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source scripts/venv.sh

clients=$(target_dir)/clients
pins=tests/clients
suites=("$@")
state=
failed=()

main() {
    if [[ $PALISADE_PRIVILEGE == none ]]; then
        say "skipped: real clients, because network namespaces need root"
        return
    fi
    for tool in python3 curl ip nsenter; do
        have "$tool" || { say "skipped: real clients, because $tool is missing"; return; }
    done
    cargo build --quiet --locked --workspace --bin palisade
    suite python have_venv sdk && run_suite python
    suite node have_node && run_suite node
    suite az have_venv az && run_suite az
    suite ansible have_ansible && run_suite ansible
    suite fuzz have_venv fuzz && run_suite fuzz
    if ((${#failed[@]})); then
        say "clients: failed: ${failed[*]}"
        return 1
    fi
}

# Whether a suite is wanted and its client is there: suite NAME COMMAND...
suite() {
    if ((${#suites[@]})) && [[ " ${suites[*]} " != *" $1 "* ]]; then
        return 1
    fi
    "${@:2}" || { say "skipped: the $1 suite of real clients, because its client could not be installed"; return 1; }
}

have_venv() {
    local pin=$pins/requirements/$1.txt
    venv=$clients/$1-$(hash_of "$pin")
    fill_venv "$venv" "$pin"
}

# Azure's collection for Ansible imports every library that one of its modules may use. Most are the Azure CLI's too and
# are taken from there; of two wheels only a part is unpacked.
have_ansible() {
    have_venv az || return
    local libraries parts pin=$pins/requirements/ansible-parts.txt
    libraries=$(realpath "$venv"/lib/python3*/site-packages)
    have_venv ansible || return
    parts=$clients/ansible-parts-$(hash_of "$pin")
    if [[ ! -f $parts/complete ]]; then
        say "clients: unpacking parts of the wheels of $pin"
        rm -rf "$parts" && mkdir -p "$parts"
        # No part depends on the version of Python that the whole of Ansible asks for.
        "$(uv_folder)/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
            --python-version 3.12 --require-hashes --requirement "$pin" --dest "$parts/wheels" >&2 &&
            "$pins/unpack.py" "$parts/wheels" "$parts" ansible_collections/azure/azcollection/ \
                msgraph/_ msgraph/graph_ msgraph/generated/base_ &&
            rm -rf "$parts/wheels" && touch "$parts/complete" || return
    fi
    printf '%s\n' "$(realpath "$parts")" "$libraries" >"$(echo "$venv"/lib/python3*/site-packages)/palisade.pth"
}

have_node() {
    # The packages want Node 20; Debian 12 has 18.
    have npm && (($(node --version | sed 's/^v\([0-9]*\).*/\1/') >= 20)) || return
    local pin=$pins/node/package-lock.json
    modules=$clients/node-$(hash_of "$pin")
    [[ -f $modules/complete ]] && return
    say "clients: installing the packages of $pin"
    rm -rf "$modules" && mkdir -p "$modules"
    cp "$pins/node/package.json" "$pin" "$modules/"
    npm ci --prefix "$modules" --silent --no-audit --no-fund >&2 && touch "$modules/complete"
}

hash_of() { sha256sum "$1" | cut -c 1-16; }

# Every suite has a server and a network of its own, so that none depends on another.
run_suite() {
    local start=$SECONDS status=0
    say "== clients: $1"
    state=$(mktemp -d "${TMPDIR:-/tmp}/palisade-clients.XXXXXX")
    trap leave EXIT
    "${as_root[@]}" "$pins/lab.py" up "$state" "$(target_dir)/debug/palisade"
    "suite_$1" || status=$?
    if ((status)); then
        failed+=("$1")
        say "-- the server's log:"
        tail -n 60 "$state/server.log" >&2
    fi
    leave
    trap - EXIT
    say "$(printf 'clients: %-8s %s %5d s' "$1" "$( ((status)) && echo FAILED || echo ok)" $((SECONDS - start)))"
}

leave() {
    [[ -n $state ]] || return 0
    "${as_root[@]}" "$pins/lab.py" down "$state"
    "${as_root[@]}" rm -rf "$state"
    state=
}

# Runs a command where the server is reachable, with these variables.
within() {
    "${as_root[@]}" env PALISADE_LAB="$state" PYTHONDONTWRITEBYTECODE=1 "$pins/lab.py" run "$state" "$@"
}

suite_python() { within "$venv/bin/python" "$pins/python/suite.py"; }

suite_node() {
    # Modules are found from where the script lies, so it is put beside them.
    cp "$pins/node/suite.mjs" "$modules/suite.mjs"
    within env NODE_EXTRA_CA_CERTS="$state/data/ca.pem" PALISADE_PYTHON="$(command -v python3)" \
        PALISADE_LAB_PY="$PWD/$pins/lab.py" node --test "$modules/suite.mjs"
}

suite_az() {
    within env HOME="$state" PALISADE_DATA="$state/data" \
        PATH="$venv/bin:$(target_dir)/debug:$PATH" \
        python3 "$pins/recipe.py" docs/clients.md "The server" "Azure CLI"
}

suite_ansible() {
    within env HOME="$state" PALISADE_DATA="$state/data" ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_PIPELINING=true \
        ANSIBLE_INVENTORY_UNPARSED_WARNING=false PATH="$venv/bin:$(target_dir)/debug:$PATH" \
        python3 "$pins/recipe.py" docs/clients.md "The server" Ansible -- ansible-playbook "$pins/ansible/suite.yml"
}

suite_fuzz() {
    within env HOME="$state" PATH="$venv/bin:$(target_dir)/debug:$PATH" python3 "$pins/fuzz.py"
}

main
