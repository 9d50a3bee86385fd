#!/usr/bin/env bash
# Makes the disk of a real Debian machine with sshd, cron, cloud-init, and an account whose password is weak, for the story of a machine that comes back
# (tests/story/restored.py): debootstrap into a folder under the target directory, mke2fs from there. Does nothing when it is there as this
# script makes it.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

folder=$(target_dir)/guest-disk
suite=bookworm
# debootstrap does not see that something else provides what cloud-init's python3-cryptography needs.
packages=cloud-init,cron,initramfs-tools,iproute2,linux-image-cloud-amd64,openssh-server,python3-cffi-backend,python3-minimal,sudo,systemd-sysv
# What would look for the Internet, write at odd times, or wait for a console.
masked=(apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer getty@tty1 serial-getty@ttyS0
    systemd-timesyncd)

main() {
    local made
    made=$(sha256sum "${BASH_SOURCE[0]}")
    [[ -f $folder/complete && $(<"$folder/complete") == "$made" ]] && return
    say "guest disk: debootstrap $suite"
    rm -rf "$folder"
    mkdir -p "$folder"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    debootstrap --variant=minbase --include="$packages" "$suite" "$work" >"$folder/debootstrap.log" || { tail -n 5 "$folder/debootstrap.log" >&2; return 1; }
    settle >"$folder/settle.log" 2>&1 || { cat "$folder/settle.log" >&2; return 1; }
    cp "$work"/boot/vmlinuz-* "$folder/vmlinuz"
    cp "$work"/boot/initrd.img-* "$folder/initrd"
    mke2fs -q -t ext4 -d "$work" "$folder/disk.raw" 2G
    qemu-img convert -O qcow2 "$folder/disk.raw" "$folder/disk.qcow2"
    rm "$folder/disk.raw"
    printf '%s\n' "$made" >"$folder/complete"
}

# Account, network and name; the story knows them (tests/story/guest.py).
settle() {
    chroot "$work" useradd --create-home --shell /bin/bash --groups sudo ada
    echo ada:sunshine7 | chroot "$work" chpasswd
    echo vm1 >"$work/etc/hostname"
    echo "127.0.0.1 localhost vm1" >"$work/etc/hosts"
    echo "/dev/vda / ext4 defaults 0 1" >"$work/etc/fstab"
    printf '%s\n' '[Match]' 'Type=ether' '[Network]' Address=10.30.1.4/24 Gateway=10.30.1.1 LinkLocalAddressing=no IPv6AcceptRA=no \
        >"$work/etc/systemd/network/10-story.network"
    # An emulated processor hashes slowly: six tries would make a connection of more than a minute.
    echo "MaxAuthTries 2" >"$work/etc/ssh/sshd_config.d/tries.conf"
    # Settings come from a drive or not at all; the network is settled above.
    echo 'network: {config: disabled}' >"$work/etc/cloud/cloud.cfg.d/story.cfg"
    chroot "$work" systemctl enable systemd-networkd.service
    chroot "$work" systemctl mask "${masked[@]}"
    rm -rf "$work"/var/cache/apt/archives/*.deb "$work"/var/lib/apt/lists/*
}

main "$@"
