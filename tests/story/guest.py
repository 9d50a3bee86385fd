"""A real Debian machine in QEMU, emulated, on a tap of the host; its disk is what scripts/guest-disk.sh made."""

import json
import subprocess

from machine import USER, key_login, password_login
from stage import VM1, wait_for

# It boots in half a minute on an idle computer.
BOOT_SECONDS = 240


class Guest:
    """The machine, and how its administrator and its intruder get a shell on it."""

    def __init__(self, stage, image):
        self.stage, self.image = stage, image
        self.disk = stage.folder / "vm1.qcow2"
        # Blank until a revert writes settings on it.
        self.drive = stage.folder / "settings.raw"
        self.drive.write_bytes(bytes(1 << 20))
        self.qmp = stage.folder / "vm1.qmp"
        self.key = stage.folder / "office-key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        subprocess.run(["cp", "--sparse=always", image / "disk.qcow2", self.disk], check=True)

    def command(self):
        """The words that start it; it ends with the namespace of its host."""
        return self.stage.inside(
            "host", "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg,thread=multi",
            "-cpu", "max", "-m", "384M", "-kernel", self.image / "vmlinuz", "-initrd", self.image / "initrd",
            "-append", "root=/dev/vda rw console=ttyS0 panic=-1", "-serial", f"file:{self.stage.folder}/vm1.console",
            "-drive", f"file={self.disk},if=virtio,format=qcow2,cache=unsafe",
            "-drive", f"file={self.drive},if=virtio,format=raw,readonly=on", "-qmp", f"unix:{self.qmp},server=on,wait=off",
            "-netdev", "tap,id=net0,ifname=vm-1,script=no,downscript=no,vhost=off",
            "-device", "virtio-net-pci,netdev=net0,mac=02:50:00:00:00:01,romfile=")

    def write_command(self):
        """The same for whoever brings it back."""
        path = self.stage.folder / "vm1.json"
        path.write_text(json.dumps(self.command()), encoding="utf-8")
        return path

    def boot(self):
        with open(self.stage.folder / "qemu.log", "w", encoding="utf-8") as log:
            self.stage.children.append(subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                        start_new_session=True))
        wait_for("the guest's sshd answers", lambda: self.by_password("office", "true").returncode == 0, BOOT_SECONDS, pause=1)

    def by_password(self, part, command):
        return password_login(self.stage, part, VM1, command)

    def by_key(self, part, command, key=None, user=USER):
        return key_login(self.stage, part, VM1, command, key or self.key, user)
