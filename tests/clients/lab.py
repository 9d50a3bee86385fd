#!/usr/bin/env python3
"""A small network of namespaces, and a Palisade server with its agent in it, for clients to be tried against.

    outside 198.51.100.7 --- [hypervisor: 198.51.100.1, 10.30.1.1] --- bridge --- web 10.30.1.4
                                                                          \\---- db 10.30.1.5

The interfaces vm-web and vm-db of the hypervisor have the aliases web-nic and db-nic: NICs of these names are enforced
there. Server and clients live in the hypervisor's namespace, where no port of the machine is in the way. Nothing of the
machine itself is touched, and `down` removes everything, also after a crash.

    lab.py up STATE PALISADE      make it, and write STATE/lab.json
    lab.py down STATE             remove it
    lab.py expect open|closed FROM TO PORT [STATE]
                                  say whether TCP from one to the other is as expected
    lab.py mac MACHINE MAC        give a machine's interface an address
    lab.py run STATE COMMAND...   run a command where the server is reachable
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ADDRESSES = {"web": "10.30.1.4", "db": "10.30.1.5", "outside": "198.51.100.7"}
PORTS = [22, 80, 443, 1433, 8080]
# What is open may take its time on a loaded machine; what is closed must stay silent so long.
OPEN_SECONDS = 5.0
CLOSED_SECONDS = 0.6
START_SECONDS = 60

LISTENER = """
import select, socket, sys
sockets = []
for port in map(int, sys.argv[1:]):
    one = socket.create_server(("0.0.0.0", port), backlog=64, reuse_port=True)
    sockets.append(one)
print("ready", flush=True)
while True:
    for one in select.select(sockets, [], [])[0]:
        connection, _ = one.accept()
        connection.close()
"""

PROBE = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])).close()
except OSError:
    sys.exit(1)
"""


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


class Lab:
    def __init__(self, state):
        self.state = Path(state)
        self.file = self.state / "lab.json"
        self.tag = None
        self.facts = {}
        if self.file.exists():
            self.facts = json.loads(self.file.read_text())
            self.tag = self.facts["tag"]

    def namespace(self, part):
        return f"{self.tag}-{part}"

    def inside(self, part, *words):
        # Not `ip netns exec`: that would hide the BPF file system.
        return ["nsenter", f"--net=/run/netns/{self.namespace(part)}", "--", *words]

    def save(self):
        self.file.write_text(json.dumps(self.facts, indent=2))

    # Up.

    def up(self, palisade):
        self.state.mkdir(parents=True, exist_ok=True)
        self.tag = f"plc{os.getpid()}"
        self.facts = {"tag": self.tag, "palisade": str(palisade), "processes": []}
        self.save()
        for part in ["host", *ADDRESSES]:
            run("ip", "netns", "add", self.namespace(part))
            self.link(part, "link set lo up")
        self.wire()
        for part in ADDRESSES:
            self.listen(part)
        self.serve(palisade)

    def link(self, part, *lines):
        batch = "\n".join(lines)
        subprocess.run(["ip", "-netns", self.namespace(part), "-batch", "-"], input=batch, text=True, check=True)

    def wire(self):
        host = self.namespace("host")
        self.link("host", "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                  "address add 10.30.1.1/24 dev br0", "link set br0 up")
        for name, end in [("web", "0a"), ("db", "0b")]:
            inner = self.namespace(name)
            self.link("host",
                      f"link add vm-{name} type veth peer name eth0 address 02:50:00:00:00:{end} netns {inner}",
                      f"link set vm-{name} alias {name}-nic", f"link set vm-{name} master br0 up")
            self.link(name, f"address add {ADDRESSES[name]}/24 dev eth0", "link set eth0 up",
                      "route add default via 10.30.1.1")
        self.link("host", f"link add out type veth peer name eth0 netns {self.namespace('outside')}",
                  "address add 198.51.100.1/24 dev out", "link set out up")
        self.link("outside", f"address add {ADDRESSES['outside']}/24 dev eth0", "link set eth0 up",
                  "route add default via 198.51.100.1")
        subprocess.run(["nsenter", f"--net=/run/netns/{host}", "sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)

    def listen(self, part):
        words = self.inside(part, sys.executable, "-c", LISTENER, *map(str, PORTS))
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                 start_new_session=True)
        self.facts["processes"].append(child.pid)
        self.save()
        if child.stdout.readline().strip() != "ready":
            sys.exit(f"the listener of {part} did not start")

    def serve(self, palisade):
        data = self.state / "data"
        self.facts.update(data=str(data), log=str(self.state / "server.log"), instance=self.tag)
        words = self.inside("host", str(palisade), "up", "--data", str(data), "--listen", "127.0.0.1:8443",
                            "--agents-listen", "127.0.0.1:8444", "--host", "lab", "--instance", self.tag)
        with open(self.facts["log"], "w") as log:
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.facts["processes"].append(child.pid)
        self.facts["server"] = child.pid
        self.save()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if child.poll() is not None:
                sys.exit(f"the server ended ({child.returncode}):\n{Path(self.facts['log']).read_text()}")
            if (data / "bootstrap.json").exists() and self.answers() and self.has_host():
                return
            time.sleep(0.05)
        sys.exit(f"the server did not answer, or its host did not come, within {START_SECONDS} s:\n{Path(self.facts['log']).read_text()}")

    def answers(self):
        probe = self.inside("host", "curl", "-sf", "--cacert", f"{self.facts['data']}/ca.pem", "-o", "/dev/null",
                            "https://127.0.0.1:8443/metadata/endpoints?api-version=2022-09-01")
        return subprocess.run(probe, check=False).returncode == 0

    def has_host(self):
        """Whether the agent in the same process is connected: a moment after the server answers."""
        return "host lab is connected" in Path(self.facts["log"]).read_text(encoding="utf-8")

    # Down.

    def down(self):
        if not self.tag:
            return
        for pid in reversed(self.facts["processes"]):
            self.end(pid)
        palisade = self.facts["palisade"]
        if Path(f"/sys/fs/bpf/palisade/{self.tag}").exists():
            run(*self.inside("host", palisade, "detach", "--instance", self.tag), check=False)
        for part in ["host", *ADDRESSES]:
            run("ip", "netns", "delete", self.namespace(part), check=False)
        shutil.rmtree(f"/run/palisade/{self.tag}", ignore_errors=True)
        self.file.unlink(missing_ok=True)

    @staticmethod
    def end(pid):
        for sign, patience in [(signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)]:
            try:
                os.killpg(pid, sign)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                if not Path(f"/proc/{pid}").exists() or is_over(pid):
                    return
                time.sleep(0.02)

    # The machines.

    def give_mac(self, name, mac):
        """Gives a machine's interface the address of its NIC, as one would start a machine with it."""
        mac = mac.replace("-", ":").lower()
        self.link(name, "link set eth0 down", f"link set eth0 address {mac}", "link set eth0 up",
                  "route add default via 10.30.1.1")
        # Neighbours forget the address that was.
        self.link("host", f"neigh flush to {ADDRESSES[name]}")
        for other in {"web", "db"} - {name}:
            self.link(other, "neigh flush dev eth0")

    # Probes.

    def opens(self, source, target, port, seconds):
        words = self.inside(source, sys.executable, "-c", PROBE, ADDRESSES[target], str(port), str(seconds))
        return subprocess.run(words, check=False).returncode == 0

    def expect(self, wanted, source, target, port):
        """Whether a connection comes about as wanted."""
        if wanted == "open":
            return self.opens(source, target, port, OPEN_SECONDS)
        return not self.opens(source, target, port, CLOSED_SECONDS)


def is_over(pid):
    """Whether only the exit code of a process is left; its parent takes that away."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def main(words):
    match words:
        case ["up", state, palisade]:
            Lab(state).up(Path(palisade).resolve())
        case ["down", state]:
            Lab(state).down()
        case ["expect", ("open" | "closed") as wanted, source, target, port, *rest]:
            lab = Lab(rest[0] if rest else os.environ["PALISADE_LAB"])
            if not lab.expect(wanted, source, target, port):
                sys.exit(f"TCP from {source} to {target}:{port} is not {wanted}")
        case ["mac", name, mac]:
            Lab(os.environ["PALISADE_LAB"]).give_mac(name, mac)
        case ["run", state, *command]:
            lab = Lab(state)
            os.execvp("nsenter", lab.inside("host", *command))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
