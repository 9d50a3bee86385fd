"""Network namespaces for a story: a host that routes, machines behind it, and the world outside.

    knocker 198.51.100.7, .8 --.
    office  203.0.113.9 -------+-- [host: 10.30.1.1] -- bridge -- vm1 10.30.1.4
    world   192.0.2.0/24 ------'                               \\- vm2 10.30.1.5

The interfaces vm-1 and vm-2 of the host have the aliases vm1-nic and vm2-nic: NICs of these names are enforced there. 192.0.2.2 and
192.0.2.60 to .159 are at home in `world`, where nothing listens but what a story starts. Names carry the process id, and what a
process that is gone has left behind is removed by the next one. Nothing of the machine itself is touched.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PREFIX = "pstory"
VM1, VM2 = "10.30.1.4", "10.30.1.5"
KNOCKER, SCANNER, OFFICE = "198.51.100.7", "198.51.100.8", "203.0.113.9"
HOST = "10.30.1.1"
PARTS = ("host", "vm1", "vm2", "knocker", "office", "world")
# What is told to end may take its time on a loaded machine.
END_SECONDS = 10.0


class Failed(Exception):
    """A claim of a story that does not hold."""


def wait_for(what, condition, seconds=30.0, pause=0.05):
    """The first true answer of a condition; [`Failed`] if there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)


class Stage:
    """The namespaces, and the processes in them, until the `with` block ends however it ends."""

    def __init__(self, palisade, guests=False):
        """With `guests`, vm1 is a tap for a machine of QEMU, and no namespace."""
        self.palisade = str(Path(palisade).resolve())
        self.tag = f"{PREFIX}{os.getpid()}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.tag}-"))
        self.children = []
        self.guests = guests

    def __enter__(self):
        remove_left_behind()
        try:
            for part in PARTS:
                run("ip", "netns", "add", self.namespace(part))
                self.link(part, "link set lo up")
            self.wire()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            end(child)
        remove(self.tag, self.palisade)
        shutil.rmtree(self.folder, ignore_errors=True)

    def namespace(self, part):
        return f"{self.tag}-{part}"

    def inside(self, part, *words):
        # Not `ip netns exec`: that would hide the BPF file system.
        return ["nsenter", f"--net=/run/netns/{self.namespace(part)}", "--", *map(str, words)]

    def run(self, part, *words, check=True, **more):
        """Runs a command to its end, and gives what it said."""
        return subprocess.run(self.inside(part, *words), check=check, capture_output=True, text=True, **more)

    def start(self, part, *words, log=subprocess.DEVNULL, talk=None, **more):
        """Starts a command that ends with the stage; `log` is a file for what it says, `talk` one for what it says beside its data."""
        child = subprocess.Popen(self.inside(part, *words), stdin=subprocess.DEVNULL, stdout=log, stderr=talk or log,
                                 start_new_session=True, **more)
        self.children.append(child)
        return child

    def link(self, part, *lines):
        subprocess.run(["ip", "-netns", self.namespace(part), "-batch", "-"], input="\n".join(lines), text=True,
                       check=True)

    def wire(self):
        self.link("host", "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                  f"address add {HOST}/24 dev br0", "link set br0 up")
        for number, address in [(1, VM1), (2, VM2)]:
            part = f"vm{number}"
            is_guest = self.guests and number == 1
            veth = f"link add vm-{number} type veth peer name eth0 address 02:50:00:00:00:0{number} netns {self.namespace(part)}"
            self.link("host", f"tuntap add dev vm-{number} mode tap" if is_guest else veth,
                      f"link set vm-{number} alias vm{number}-nic", f"link set vm-{number} master br0 up")
            if is_guest:
                continue
            self.link(part, f"address add {address}/24 dev eth0", "link set eth0 up", f"route add default via {HOST}")
        for part, via, addresses in [("knocker", "198.51.100.1", (KNOCKER, SCANNER)),
                                     ("office", "203.0.113.1", (OFFICE,)), ("world", "192.0.2.1", ("192.0.2.2",))]:
            self.link("host", f"link add {part} type veth peer name eth0 netns {self.namespace(part)}",
                      f"address add {via}/24 dev {part}", f"link set {part} up")
            self.link(part, *[f"address add {address}/24 dev eth0" for address in addresses], "link set eth0 up",
                      f"route add default via {via}")
        # Whoever a machine may look for lives in one namespace.
        self.link("world", *[f"address add 192.0.2.{last}/32 dev eth0" for last in range(60, 160)])
        self.run("host", "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def opens(self, part, address, port, seconds=0.6):
        """Whether a connection comes about."""
        probe = f"import socket; socket.create_connection(({address!r}, {port}), {seconds}).close()"
        return self.run(part, "python3", "-c", probe, check=False).returncode == 0


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


def end(child):
    """Ends a process and all that it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sign)
        except ProcessLookupError:
            pass
        try:
            child.wait(END_SECONDS)
            return
        except subprocess.TimeoutExpired:
            continue


def remove_left_behind():
    """Takes away what stories left whose process is gone."""
    names = run("ip", "netns", "list").stdout
    for tag in {match[0] for match in re.finditer(rf"^{PREFIX}(\d+)", names, re.MULTILINE)}:
        if not Path(f"/proc/{tag.removeprefix(PREFIX)}").exists():
            remove(tag, None)


def remove(tag, palisade):
    for part in PARTS:
        name = f"{tag}-{part}"
        if not Path(f"/run/netns/{name}").exists():
            continue
        # What outlived its parent in there; only processes of this namespace are named.
        for pid in run("ip", "netns", "pids", name).stdout.split():
            os.kill(int(pid), signal.SIGKILL)
    if palisade and Path(f"/sys/fs/bpf/palisade/{tag}").exists():
        run(palisade, "detach", "--instance", tag, check=False)
    shutil.rmtree(f"/sys/fs/bpf/palisade/{tag}", ignore_errors=True)
    for part in PARTS:
        run("ip", "netns", "delete", f"{tag}-{part}", check=False)
    shutil.rmtree(f"/run/palisade/{tag}", ignore_errors=True)
