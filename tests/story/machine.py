"""What runs on a machine: a real sshd with a weak password, a real xrdp, and what a shell on it does."""

import os
import re
import shutil
import subprocess

from stage import VM1, wait_for

USER, WEAK = "ada", "sunshine7"
# Mounts and processes of its own: neither accounts nor sockets of the computer are touched.
SERVERS = """set -eu
folder=$1 port=$2
mount --make-rprivate /
mount --bind "$folder/passwd" /etc/passwd
mount --bind "$folder/shadow" /etc/shadow
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/xrdp
if command -v xrdp >/dev/null; then
    sed "s#^LogFile=.*#LogFile=$folder/xrdp.log#; s/^EnableSyslog=.*/EnableSyslog=false/" /etc/xrdp/xrdp.ini >"$folder/xrdp.ini"
    xrdp --nodaemon --config "$folder/xrdp.ini" &
fi
exec /usr/sbin/sshd -D -E "$folder/sshd.log" -f "$folder/sshd_config"
"""
SSH = ("ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
       "-o", "ConnectTimeout=5", "-o", "ServerAliveInterval=20")


class Machine:
    """The servers of a machine; they end with the stage."""

    def __init__(self, stage, part, address):
        self.stage, self.part, self.address = stage, part, address
        self.folder = stage.folder / part
        self.folder.mkdir()

    def start(self):
        for name in ("host-key", "user-key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True)
        # sshd reads the key as the user.
        self.folder.chmod(0o755)
        self.stage.folder.chmod(0o755)
        shutil.copy(self.folder / "user-key.pub", self.folder / "authorized")
        self.accounts()
        config = (f"HostKey {self.folder}/host-key\nAuthorizedKeysFile {self.folder}/authorized\nPidFile none\nUsePAM no\n"
                  "StrictModes no\nPasswordAuthentication yes\nLogLevel VERBOSE\nPerSourcePenalties no\n")
        if not takes_penalties():
            config = config.replace("PerSourcePenalties no\n", "")
        (self.folder / "sshd_config").write_text(config, encoding="utf-8")
        self.stage.start(self.part, "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SERVERS, "servers",
                         self.folder, 22)
        ports = [22, 3389] if shutil.which("xrdp") else [22]
        for port in ports:
            wait_for(f"port {port} of {self.part}", lambda port=port: self.stage.opens(self.part, self.address, port))
        return self

    def accounts(self):
        """The computer's accounts, and one with the password that was planted."""
        hashed = subprocess.run(["openssl", "passwd", "-6", WEAK], check=True, capture_output=True, text=True).stdout.strip()
        for name, line in [("passwd", f"{USER}:x:4242:100::{self.folder}:/bin/sh\n"), ("shadow", f"{USER}:{hashed}:19000:0:99999:7:::\n")]:
            with open(f"/etc/{name}", encoding="utf-8") as real:
                (self.folder / name).write_text(real.read() + line, encoding="utf-8")

    def ssh_tries(self, address):
        """Passwords of an address that sshd has refused."""
        return len(re.findall(rf"Failed password for .* from {re.escape(address)} ", self.log("sshd.log")))

    def rdp_tries(self, address):
        """Connections of an address that xrdp has taken."""
        return len(re.findall(rf"connection received from \S*{re.escape(address)} ", self.log("xrdp.log")))

    def log(self, name):
        path = self.folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def login(self, part, command, password=WEAK):
        """A shell with a password from elsewhere; it is told what to do, and what it says is given."""
        return password_login(self.stage, part, self.address, command, password)

    def key_login(self, part, command, *options):
        """The same with the key of its administrator."""
        return key_login(self.stage, part, self.address, command, self.folder / "user-key", USER, *options)


def password_login(stage, part, address, command, password=WEAK):
    """A command over a real ssh, let in by a password."""
    words = ["sshpass", "-p", password, *SSH, "-o", "PreferredAuthentications=password", f"{USER}@{address}", command]
    return stage.run(part, *words, check=False)


def key_login(stage, part, address, command, key, user=USER, *options):
    """The same, let in by a key alone."""
    words = [*SSH, "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", key, *options, f"{user}@{address}", command]
    return stage.run(part, *words, check=False)


def takes_penalties():
    """Whether this sshd locks guessers out by itself (9.8 and later), which is not what is tried here."""
    said = subprocess.run(["/usr/sbin/sshd", "-V"], capture_output=True, text=True, check=False)
    version = re.search(r"OpenSSH_(\d+)\.(\d+)", said.stderr + said.stdout)
    return bool(version) and (int(version[1]), int(version[2])) >= (9, 8)


def hydra(stage, part, service, address, log, *options):
    """Real guessing; it ends with the stage, or when it is done."""
    return stage.start(part, "hydra", "-I", *options, f"{service}://{address}", log=log, cwd=stage.folder,
                       env={**os.environ, "HOME": str(stage.folder)})


def guess_ssh(stage, log, wrong):
    """hydra at the sshd of vm1, with so many passwords before the right one; it ends when that is found."""
    words = stage.folder / "passwords"
    words.write_text("".join(f"wrong{number}\n" for number in range(wrong)) + f"{WEAK}\n", encoding="utf-8")
    return hydra(stage, "knocker", "ssh", VM1, log, "-t", "4", "-l", USER, "-P", words, "-f")
