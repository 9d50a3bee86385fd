#!/usr/bin/env python3
"""The founding story with real tools: `run.py PALISADE [PART...]`. Parts: board, taken, answered, restored; all of them without a name.

Each part has namespaces and a server of its own. What holds is printed, and what does not; the exit code is 1 if anything does not.
Needs root. What is missing is printed as `skipped: `.
"""

import os
import shutil
import sys
import time

import answered
import board
import restored
import taken
from server import Server
from stage import Failed, Stage

PARTS = {"board": board, "taken": taken, "answered": answered, "restored": restored}
TOOLS = {"board": ["hydra", "nmap", "xrdp", "sshpass"], "taken": ["hydra", "nmap", "sshpass"], "answered": ["xrdp", "ping"],
         "restored": ["hydra", "sshpass", "qemu-system-x86_64", "qemu-storage-daemon", "debugfs"]}
EVERYWHERE = ["ip", "nsenter", "unshare", "ssh", "ssh-keygen", "openssl", "/usr/sbin/sshd"]


class Told:
    """What was claimed and measured."""

    def __init__(self):
        self.failures = []

    def claim(self, text, holds, why=""):
        print(f"    {'holds' if holds else 'FAILS'}   {text}" + ("" if holds else f": {why}"), flush=True)
        if not holds:
            self.failures.append(text)

    @staticmethod
    def figure(text, value):
        print(f"    figure  {text}: {value}", flush=True)


def tell(name, palisade, told):
    print(f"{name}\n{'=' * len(name)}", flush=True)
    begun = time.monotonic()
    with Stage(palisade, guests=name == "restored") as stage:
        server = Server(stage)
        try:
            PARTS[name].tell(stage, server.start(), told)
        except Failed as failure:
            told.claim(str(failure), False, server.log()[-2000:] + "\n".join(alert["evidence"] for alert in server.alerts()))
    print(f"    {time.monotonic() - begun:.0f} s", flush=True)


def main(palisade, *names):
    if os.geteuid() != 0:
        print("skipped: the story, because network namespaces need root")
        return
    told = Told()
    for name in names or PARTS:
        missing = [tool for tool in EVERYWHERE + TOOLS[name] if not shutil.which(tool)]
        if missing:
            print(f"skipped: {name} of the story, because there is no {', '.join(missing)} (PALISADE_SETUP_STORY=1 scripts/setup.sh)")
            continue
        if name == "restored" and not os.environ.get("PALISADE_GUEST_DISK"):
            print("skipped: restored of the story, because there is no disk of a guest (scripts/test-story.sh makes one)")
            continue
        tell(name, palisade, told)
    if told.failures:
        sys.exit(f"{len(told.failures)} claims do not hold: " + "; ".join(told.failures))


if __name__ == "__main__":
    main(*sys.argv[1:])
