"""The score board: deeds and honest work beside each other, recorded by the kernel, judged by `palisade detect` and scored by `palisade bench`.

The recording is a folder with the flows as hosts tell them and `deeds.json`, which says who did what. It is kept where
`PALISADE_STORY_RECORDING` names a folder.
"""

import json
import os
import random
import shutil
import threading
import time
from pathlib import Path

import knock
from machine import USER, Machine, hydra
from stage import KNOCKER, SCANNER, VM1, VM2, Failed

SECONDS = 50
SLOWER = 120
CONTROLLER, GONE, WORLD = "192.0.2.66", "192.0.2.67", "192.0.2.2"
PRECISION, RECALL = 0.95, 0.85

# Answers every line with as many bytes as it asks for.
SERVICE = """
import socket, sys, threading
def serve(connection):
    with connection, connection.makefile("rwb") as lines:
        for line in lines:
            lines.write(b"x" * int(line) + b"\\n")
            lines.flush()
for port in map(int, sys.argv[2:]):
    listener = socket.create_server((sys.argv[1], port), backlog=64)
    def accept(listener=listener):
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=accept).start()
"""
# A client: LINES requests a connection, PAUSE seconds between connections, more or less.
CLIENT = """
import random, socket, sys, time
address, port, pause, jitter, lines, least, most = sys.argv[1], *map(float, sys.argv[2:])
while True:
    try:
        with socket.create_connection((address, int(port)), 1) as connection, connection.makefile("rwb") as stream:
            for _ in range(int(lines)):
                stream.write(b"%d\\n" % random.randint(int(least), int(most)))
                stream.flush()
                stream.readline()
    except OSError:
        pass
    time.sleep(max(0, random.uniform(pause - jitter, pause + jitter)))
"""


def tell(stage, server, told):
    folder = stage.folder / "recording"
    folder.mkdir()
    machine = Machine(stage, "vm1", VM1).start()
    with open(folder / "flows.jsonl", "w", encoding="utf-8") as flows, open(stage.folder / "tools.log", "w", encoding="utf-8") as log:
        tail = stage.start("host", stage.palisade, "flows", "tail", "--instance", stage.tag, "--format", "json", log=flows, talk=log)
        time.sleep(0.5)
        honest(stage, machine)
        deeds = do(stage, log)
        time.sleep(SECONDS)
        if tail.poll() is not None:
            said = (stage.folder / "tools.log").read_text(encoding="utf-8", errors="replace")
            raise Failed(f"the recording ended by itself (exit {tail.returncode}):\n{said[:2000]}")
        tail.terminate()
        tail.wait(10)
    beats = [deed for deed in deeds if deed["kind"] == "beacon"]
    document = {"recordings": [
        {"file": "flows.jsonl", "deeds": [deed for deed in deeds if deed not in beats]},
        {"file": "hours.jsonl", "deeds": slow_down(folder, beats)}]}
    (folder / "deeds.json").write_text(json.dumps(document, indent=2), encoding="utf-8")
    if os.environ.get("PALISADE_STORY_RECORDING"):
        shutil.copytree(folder, Path(os.environ["PALISADE_STORY_RECORDING"]), dirs_exist_ok=True)
    judge(server, folder, deeds, told)


def honest(stage, machine):
    """An office, a web site, a database that is asked short questions, updates, and an administrator who is in a hurry."""
    stage.start("vm2", "python3", "-c", SERVICE, VM2, 80, 443, 1433, 5432)
    stage.start("world", "python3", "-c", SERVICE, WORLD, 443)
    stage.start("world", "python3", "-c", SERVICE, CONTROLLER, 443)
    time.sleep(0.3)
    for part, address, port, pause, jitter, lines, least, most in [
            ("office", VM2, 443, 2, 1.9, 12, 200, 60_000), ("office", VM2, 80, 3, 2.5, 3, 500, 20_000),
            ("vm1", VM2, 1433, 0.7, 0.6, 4, 50, 4_000), ("vm1", VM2, 5432, 1.1, 1, 3, 60, 9_000),
            ("vm2", WORLD, 443, 9, 8, 20, 100, 90_000)]:
        stage.start(part, "python3", "-c", CLIENT, address, port, pause, jitter, lines, least, most)

    def administer():
        end = time.monotonic() + SECONDS - 5
        while time.monotonic() < end:
            machine.key_login("office", f"head -c {random.randint(100, 90_000)} /dev/zero | wc -c")
            time.sleep(random.uniform(9, 16))
    threading.Thread(target=administer, daemon=True).start()


def do(stage, log):
    """What is not honest, and who does it."""
    words = stage.folder / "passwords"
    words.write_text("".join(f"wrong{number}\n" for number in range(90)), encoding="utf-8")
    hydra(stage, "knocker", "ssh", VM1, log, "-t", "4", "-l", USER, "-P", words)
    stage.start("world", "python3", knock.__file__, VM1, 3389, 1, 30, log=log)
    stage.start("knocker", "nmap", "-sS", "-Pn", "-n", "-S", SCANNER, "-e", "eth0", "-p", "100-160", "--max-rate", "10", VM1, log=log)
    stage.start("vm1", "python3", "-c", CLIENT, CONTROLLER, 443, 2, 0.4, 2, 40, 40)
    stage.start("vm2", "python3", "-c", CLIENT, GONE, 8443, 2, 0.4, 2, 40, 40)
    stage.start("vm2", "nmap", "-sT", "-Pn", "-n", "-p", "3389", "--max-rate", "5", "192.0.2.100-130", log=log)
    now_ms = int(time.time() * 1e3)
    return [{"subject": subject, "kind": kind, "port": port, "firstMs": now_ms} for subject, kind, port in [
        (KNOCKER, "guess", 22), (WORLD, "guess", 3389), (SCANNER, "scan", None), (VM1, "beacon", 443), (VM2, "beacon", 8443),
        (VM2, "scan", 3389)]]


def slow_down(folder, beats):
    """The beacons and the honest work of a minute as those of two hours: beacons are scored over an hour at least."""
    loud = {KNOCKER, SCANNER} | {f"192.0.2.{last}" for last in range(100, 131)}
    begun = None
    with open(folder / "flows.jsonl", encoding="utf-8") as flows, open(folder / "hours.jsonl", "w", encoding="utf-8") as hours:
        for line in map(json.loads, flows):
            if "timeMs" not in line or loud & {line["source"], line["destination"]} or line["source"] == WORLD:
                continue
            begun = begun or line["timeMs"]
            for field in ("timeMs", "beganMs", "lastMs"):
                if field in line:
                    line[field] = begun + (line[field] - begun) * SLOWER
            hours.write(json.dumps(line) + "\n")
    return [{**beat, "firstMs": begun} for beat in beats]


def judge(server, folder, deeds, told):
    files = [folder / "flows.jsonl", folder / "hours.jsonl"]
    alerts = [json.loads(line) for file in files for line in server.command(
        "detect", file, "--format", "json", codes=(0, 1)).splitlines()]
    subjects = {deed["subject"] for deed in deeds}
    for alert in alerts:
        told.figure(f"{alert['severity']} {alert['name']} by {alert['subject']}", alert["evidence"])
    grave = [alert for alert in alerts if alert["subject"] not in subjects and alert["severity"] in ("High", "Critical")]
    told.claim("no grave alert about honest work", not grave, grave)
    report = server.tell("bench", "flows", "--quick", "--case", "scores", "--recordings", folder)
    cases = {case["name"]: case for case in report["cases"]}
    for name in ("precision", "recall", "time to detect"):
        told.figure(name, cases[f"scores/recorded/{name}"]["ours"]["median"])
    told.claim(f"precision is at least {PRECISION}", cases["scores/recorded/precision"]["ours"]["median"] >= PRECISION)
    told.claim(f"recall is at least {RECALL}", cases["scores/recorded/recall"]["ours"]["median"] >= RECALL)
