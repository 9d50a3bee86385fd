#!/usr/bin/env bash
# Fetches what the lab's QEMU guests boot: Debian's cloud kernel, the modules of a virtio network card, and a static
# busybox. The packages are unpacked under the target directory and never installed. Does nothing when they are there.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

folder=$(target_dir)/guest
# In the order in which they must be loaded; crates/lab/src/vm/initramfs.rs has the same list.
modules=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover net_failover virtio_net)

main() {
    if [[ -f $folder/complete ]]; then
        say "guest kernel: $(cat "$folder/complete") is there"
        return
    fi
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    local kernel
    kernel=$(newest_kernel)
    say "guest kernel: fetching $kernel and busybox-static"
    unpack "$kernel"
    unpack busybox-static
    rm -rf "$folder"
    mkdir -p "$folder/modules"
    cp "$work"/root/boot/vmlinuz-* "$folder/vmlinuz"
    cp "$work"/root/bin/busybox "$folder/busybox" 2>/dev/null || cp "$work"/root/usr/bin/busybox "$folder/busybox"
    copy_modules
    printf '%s\n' "$kernel" >"$folder/complete"
}

# The metapackage only names the package that has the newest kernel.
newest_kernel() {
    local name
    name=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }')
    if [[ -z $name ]]; then
        say "guest kernel: apt does not know linux-image-cloud-amd64 (run: apt-get update)"
        return 1
    fi
    printf '%s\n' "$name"
}

unpack() {
    # apt's download user cannot write to our folder and says so; the download works all the same.
    (cd "$work" && apt-get download -q "$1" >&2 2>"$work/log") || { cat "$work/log" >&2; return 1; }
    dpkg-deb -x "$work/$1"_*.deb "$work/root"
}

copy_modules() {
    local module file
    for module in "${modules[@]}"; do
        file=$(find "$work/root" -name "$module.ko" -o -name "$module.ko.xz" | head -n 1)
        case $file in
            *.xz) xz -dc "$file" >"$folder/modules/$module.ko" ;;
            *.ko) cp "$file" "$folder/modules/" ;;
            *) say "guest kernel: the package has no module $module" && return 1 ;;
        esac
    done
}

main "$@"
