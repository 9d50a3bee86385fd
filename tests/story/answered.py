"""The same knocks with a policy that answers: locked out within ten tries, and let in again when the time has come."""

import time

import knock
from machine import Machine
from stage import KNOCKER, OFFICE, VM1, wait_for

LOCKOUT = [{"alerts": ["*_Incoming_BF_*"], "minSeverity": "Medium", "direction": "Inbound", "step": "lockout"}]
# Figures of the guard: docs/guard.md.
TRIES_MAX = 10
IN_FORCE_MS = 100
# The shortest that a policy may give.
MINUTE = 60.0


def tell(stage, server, told):
    machine = Machine(stage, "vm1", VM1).start()
    server.set_policy(LOCKOUT, lockout={"first": "PT1M", "factor": 2, "longest": "PT10M"})
    tries = stage.folder / "tries.log"
    probes = stage.folder / "probes.log"
    with open(tries, "w", encoding="utf-8") as log, open(probes, "w", encoding="utf-8") as sounds:
        # Echo requests are answered until nothing of the source is: a clock of ten milliseconds.
        stage.start("knocker", "ping", "-D", "-n", "-i", "0.01", VM1, log=sounds)
        stage.start("knocker", "python3", knock.__file__, VM1, 3389, 1, 20, log=log)
        alert, _ = server.alert("RDP_Incoming_BF_OneToOne", 30, subject=KNOCKER)
        locked = wait_for("a lock-out", lambda: [one for one in server.tell("lockouts", "list")
                                                 if one["properties"]["source"] == KNOCKER])
        wait_for("silence", lambda: silent_since(probes))
    machine_told = machine.rdp_tries(KNOCKER)
    answered = [line for line in tries.read_text(encoding="utf-8").splitlines() if line.endswith("answered")]
    told.figure("one try a second at xrdp: tries that were answered before the lock-out", f"{len(answered)} ({alert['evidence']})")
    told.claim(f"it is locked out within {TRIES_MAX} tries", len(answered) <= TRIES_MAX, f"{machine_told} reached xrdp")
    notified = min(server.noticed("RDP_Incoming_BF_OneToOne"))
    in_force_ms = (last_answer(probes) - notified) * 1e3
    told.figure("alert to lock-out in force", f"{max(in_force_ms, 0):.0f} ms")
    told.claim(f"it is in force {IN_FORCE_MS} ms after the alert", in_force_ms <= IN_FORCE_MS, in_force_ms)
    told.claim("nobody else is locked out", stage.opens("office", VM1, 3389, 3), OFFICE)
    told.claim("the lock-out has an end", locked[0]["properties"].get("endTimeUtc"), locked)
    begun = time.time()
    wait_for("the lock-out ends by itself", lambda: stage.opens("knocker", VM1, 3389, 0.5), MINUTE + 20, pause=0.2)
    told.figure("the lock-out ended by itself after", f"{time.time() - begun:.0f} s more")


def answers(path):
    """When echo requests were answered."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [float(line[1:line.index("]")]) for line in lines if line.startswith("[") and "bytes from" in line]


def last_answer(path):
    return answers(path)[-1]


def silent_since(path):
    return time.time() - last_answer(path) > 1
