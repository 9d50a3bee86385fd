#!/usr/bin/env bash
# Brings a Debian machine with a Rust toolchain to where Palisade can be built, run and tested.
#
# Looks first and changes only what is missing, so it is cheap to run before every other target:
#   packages    with apt, as root or through sudo; those that are only compared with if PALISADE_SETUP_PEERS is set, and those
#               of the story if PALISADE_SETUP_STORY is
#   components  rustfmt and clippy, through rustup
#   crates      those of Cargo.lock, so that everything after this works offline
#   bpffs       mounted at /sys/fs/bpf, where the kernel program is pinned
#   guests      the kernel that the QEMU tests boot (scripts/guest-kernel.sh), never installed on the host
# Without root and sudo it says what will be skipped, and goes on.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# What a build needs: clang-19 is the first with the arena's address space, g++ builds libFuzzer, protoc reads what hosts and
# servers say to each other, and libprotobuf-dev has the types that etcd's messages are made of.
build_packages=(clang-19 g++ gcc git libbpf-dev libc6-dev libelf-dev libprotobuf-dev make pkg-config protobuf-compiler zlib1g-dev)
# What the lab and the tests with real packets and real guests need.
run_packages=(curl dosfstools etcd-server iperf3 iproute2 iputils-ping mtools nftables nmap ntfs-3g qemu-utils)
if [[ $(uname -m) == x86_64 ]]; then
    run_packages+=(qemu-system-x86)
fi

# What real clients run on, where the machine has none of its own: Python from 3.10, Node from 20.
python3 -c 'import ensurepip, venv' 2>/dev/null || run_packages+=(python3-venv)
have npm || run_packages+=(nodejs npm)

# What the story is told with.
if [[ -n ${PALISADE_SETUP_STORY:-} ]]; then
    run_packages+=(debootstrap e2fsprogs hydra libvirt-clients libvirt-daemon
        libvirt-daemon-driver-qemu openssh-client openssh-server openssl qemu-system-common sshpass xrdp)
fi

# What the benchmark compares with.
if [[ -n ${PALISADE_SETUP_PEERS:-} ]]; then
    run_packages+=(ipset iptables)
fi

main() {
    have cargo || { say "setup: cargo is missing: install Rust, see https://rustup.rs"; exit 1; }
    packages
    components
    crates
    bpffs
    guests
    if [[ $PALISADE_PRIVILEGE == none ]]; then
        say "setup: neither root nor sudo: tests in network namespaces, in the kernel and with guests" \
            "will be skipped, because loading programs and creating interfaces needs root"
    fi
}

packages() {
    if ! have dpkg-query; then
        say "setup: no Debian packages here; provide these: ${build_packages[*]} ${run_packages[*]}"
        return
    fi
    local build run
    build=$(missing "${build_packages[@]}")
    run=$(missing "${run_packages[@]}")
    if [[ -z $build$run ]]; then
        return
    fi
    if [[ $PALISADE_PRIVILEGE == none ]]; then
        say "setup: missing, and only root can install it: apt-get install ${build:+$build }$run"
        # Nothing that follows could work without these; the others only cost their tests.
        [[ -z $build ]] || exit 1
        return
    fi
    say "setup: installing with apt: ${build:+$build }$run"
    "${as_root[@]}" apt-get update -qq
    # Word splitting is meant: the two are lists of names.
    # shellcheck disable=SC2086
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends $build $run >&2
}

# Prints those of the given packages that are not installed.
missing() {
    local installed
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
    local absent=()
    for package in "$@"; do
        grep -qx "$package installed" <<<"$installed" || absent+=("$package")
    done
    echo "${absent[*]}"
}

components() {
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
    have rustup || { say "setup: rustfmt or clippy is missing, and rustup is not here to add them"; exit 1; }
    say "setup: adding rustfmt and clippy"
    rustup component add rustfmt clippy
}

crates() {
    local triple
    triple=$(host_triple)
    cargo fetch --locked --quiet --target "$triple"
    if [[ -f fuzz/Cargo.toml ]]; then
        cargo fetch --locked --quiet --target "$triple" --manifest-path fuzz/Cargo.toml
    fi
}

guests() {
    if [[ ! -x scripts/guest-kernel.sh || $(uname -m) != x86_64 ]]; then
        return
    fi
    scripts/guest-kernel.sh || say "setup: no kernel for guests; the tests with guests will be skipped"
}

bpffs() {
    if [[ $PALISADE_PRIVILEGE == none ]] || grep -q ' /sys/fs/bpf bpf ' /proc/mounts; then
        return
    fi
    say "setup: mounting bpffs at /sys/fs/bpf"
    "${as_root[@]}" mount -t bpf bpf /sys/fs/bpf ||
        say "setup: that did not work (in a container?); tests that pin programs will say so"
}

main
