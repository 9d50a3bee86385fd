"""The machine that was lost, told again with eyes open: found, guessed at, entered, and then it knocks elsewhere.

Nothing answers by itself until the machine is taken: this part shows what is seen. Then a policy isolates what scans, and its
administrator reaches it through `palisade connect` alone.
"""

import os
import shlex
import time
from pathlib import Path

from machine import SSH, USER, WEAK, Machine, guess_ssh
from stage import HOST, KNOCKER, VM1, wait_for

QUARANTINE = [{"alerts": ["PortScanning", "*_Outgoing_BF_*"], "minSeverity": "Medium", "direction": "Outbound", "step": "quarantine"}]
# The machine's new owner: 30 hosts at Remote Desktop, one each fifth of a second, and a word home every second.
SCAN = "for host in $(seq 100 129); do timeout 0.5 bash -c \"</dev/tcp/192.0.2.$host/3389\" 2>/dev/null; sleep 0.2; done"
BEACON = "while :; do timeout 0.5 bash -c '</dev/tcp/192.0.2.66/443' 2>/dev/null && echo home; sleep 1; done"


def tell(stage, server, told):
    machine = Machine(stage, "vm1", VM1).start()
    found(stage, told)
    guessed(stage, server, machine, told)
    entered(server, machine, told)
    timeline(server, told)
    inside(server, told)
    scans(stage, server, machine, told)
    administered(stage, machine, server, told)


def found(stage, told):
    """A scanner finds the ports that a wizard left open."""
    said = stage.run("knocker", "nmap", "-Pn", "-n", "-T4", "-p", "22,80,3389", "-oG", "-", VM1).stdout
    told.claim("the scanner finds the open ports", "22/open" in said and "3389/open" in said, said)


def guessed(stage, server, machine, told):
    """hydra finds the planted password, and is told of before."""
    path = stage.folder / "hydra-ssh.log"
    with open(path, "w", encoding="utf-8") as log:
        child = guess_ssh(stage, log, 44)
        begun = time.time()
        alert, at = server.alert("SSH_Incoming_BF_OneToOne", 60, subject=KNOCKER)
        tries = machine.ssh_tries(KNOCKER)
        told.figure("hydra at sshd (6 tries a connection): tries and seconds to the first alert", f"{tries}, {at - begun:.1f} s")
        told.claim("it is told of by the tenth connection", alert["flows"] <= 10, alert["evidence"])
        wait_for("hydra ends", lambda: child.poll() is not None, 90)
    said = path.read_text(encoding="utf-8")
    told.claim("hydra finds the weak password", f"password: {WEAK}" in said, said)


def entered(server, machine, told):
    """In: what was a series of guesses is now a break-in."""
    begun = time.time()
    said = machine.login("knocker", "id -un; seq 60000").stdout.split()
    told.claim("the password opens a shell, and files are read", said[:1] + said[-1:] == [USER, "60000"], said[-3:])
    alert, at = server.alert("SSH_Incoming_BF_Success", 30, subject=KNOCKER)
    told.claim("a session after guesses is critical", alert["severity"] == "Critical", alert)
    told.figure("session to critical alert", f"{at - begun:.1f} s")


def timeline(server, told):
    """What happened, in what order."""
    items = server.tell("alerts", "timeline", "vm1")["value"]
    words = [item["summary"] for item in items if item["what"] == "alert"]

    def place(word):
        places = [place for place, summary in enumerate(words) if word in summary]
        return places[0] if places else len(words)
    in_order = place("BF_OneToOne") < place("BF_Success") < len(words)
    told.claim("the timeline has guesses before success", in_order, words)
    times = [item["time"] for item in items]
    told.claim("the timeline is in the order of time", [time[:19] for time in times] == sorted(time[:19] for time in times), times)


def inside(server, told):
    """What a Windows wrote down is told in its place between what the server saw. The log is a public one, so it is of another machine and year."""
    log = Path(os.environ.get("PALISADE_REAL_DATA", "../shared/data")) / "evtx/omerbenamram/post-Security.evtx"
    if not log.exists():
        print(f"    skipped: the log of a Windows in the timeline, because {log} is not there (set PALISADE_REAL_DATA)")
        return
    items = server.tell("alerts", "timeline", "vm1", "--guest", log.resolve(), "--since", "2000-01-01T00:00Z")["value"]
    alone = server.command("guest", "timeline", log.resolve(), "--format", "json").splitlines()
    own = [item["what"] == "inside" for item in items]
    told.claim("the log of a Windows stands in the timeline, before the flows of today", sum(own) == len(alone) > 0
               and own == sorted(own, reverse=True) and not all(own), [item["summary"] for item in items[:3]])


def scans(stage, server, machine, told):
    """The machine looks for others, and is isolated by the policy."""
    server.set_policy(QUARANTINE, forensic=[{"source": HOST, "port": 22}])
    home = stage.folder / "home.log"
    controller = "import socket\ns = socket.create_server(('192.0.2.66', 443), backlog=64)\nwhile True: s.accept()[0].close()"
    stage.start("world", "python3", "-c", controller)
    with open(home, "w", encoding="utf-8") as log:
        stage.start("vm1", "bash", "-c", BEACON, log=log)
        wait_for("the beacon is answered", lambda: "home" in home.read_text(encoding="utf-8"))
        begun = time.time()
        stage.start("vm1", "bash", "-c", SCAN)
        alert, at = server.alert("PortScanning", 30, subject=VM1)
        told.claim("the scan outward is told of by its tenth host", alert["victimCount"] <= 10, alert["evidence"])
        told.figure("scan outward: seconds to the alert", f"{at - begun:.1f} s")
        wait_for("the machine is in quarantine", lambda: not machine_reaches(stage), 30)
        told.figure("scan outward: seconds to the quarantine in force", f"{time.time() - begun:.1f} s")
        said = home.read_text(encoding="utf-8")
        time.sleep(2.5)
        told.claim("the beacon hears nothing more", home.read_text(encoding="utf-8").count("home") <= said.count("home") + 1)
    told.claim("the break-in is cut off too", machine.login("knocker", "id").returncode != 0)


def machine_reaches(stage):
    return stage.opens("vm1", "192.0.2.66", 443, 0.3)


def administered(stage, machine, server, told):
    """Nobody comes in, but through the server."""
    told.claim("the administrator's own address finds no port", not stage.opens("office", VM1, 22))
    proxy = f"{stage.palisade} connect vm1 22 --stdio --why 'what happened here'"
    words = [*SSH, "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", str(machine.folder / "user-key"), "-o",
             f"ProxyCommand={proxy}", f"{USER}@vm1", "echo $SSH_CONNECTION"]
    done = stage.run("host", *words, check=False, env={**server.environment, "SHELL": "/bin/sh"})
    told.claim("the administrator comes in through `palisade connect`", done.stdout.split()[:1] == [HOST],
               shlex.join(words) + done.stdout + done.stderr)
    server.command("release", "vm1")
    told.claim("released, it is reached again", stage.opens("office", VM1, 22, 3))

