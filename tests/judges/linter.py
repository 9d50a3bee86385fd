#!/usr/bin/env python3
"""Checkov and `palisade check` on the same files: where their answers differ, and why.

`linter.py PALISADE DATA [TAGS]`: the command, a folder of templates (`arm-lint`, `arm-quickstart`) and plans (`terraform-plan`), and Microsoft's
file of service tags. Prints tables in Markdown. It needs the package checkov.

Both are asked of every NSG, and of every rule that is a resource of its own, whether a port is open to the Internet. Checkov looks at
words of one resource; `palisade check` asks which packets pass at interfaces, so an answer of ours stands at the rule that lets in.
"""

import json
import logging
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from importlib.metadata import version
from pathlib import Path

logging.disable(logging.CRITICAL)

from checkov.arm.runner import Runner as Templates
from checkov.runner_filter import RunnerFilter
from checkov.terraform.plan_runner import Runner as Plans

# Their check, and ours of the same port; where every port is open, ours of the port may be left out.
CHECKS = {
    "CKV_AZURE_9": ("RDP", 3389, ["PAL-EXPOSURE-RDP", "PAL-EXPOSURE-ALL-PORTS"]),
    "CKV_AZURE_10": ("SSH", 22, ["PAL-EXPOSURE-SSH", "PAL-EXPOSURE-ALL-PORTS"]),
    "CKV_AZURE_160": ("HTTP", 80, ["PAL-EXPOSURE-HTTP", "PAL-EXPOSURE-ALL-PORTS"]),
}
KINDS = {"arm-lint": Templates, "arm-quickstart": Templates, "terraform-plan": Plans}
# As Checkov's check of templates knows the Internet, word for word.
THEIR_INTERNET = ["*", "0.0.0.0", "<nw>/0", "/0", "internet", "any"]


class Theirs:
    """Checkov's answers, by file and check: the lines of the resource, and whether it is open."""

    def __init__(self):
        self.answers, self.unread, self.crashed, self.seconds = defaultdict(list), set(), {}, 0.0

    def read(self, files, runner):
        begun = time.process_time()
        for file in files:
            try:
                report = runner().run(root_folder=None, files=[str(file)], runner_filter=RunnerFilter(checks=list(CHECKS)))
            except Exception as error:  # whatever its parser dies of
                self.crashed[file] = type(error).__name__
                continue
            if report.parsing_errors:
                self.unread.add(file)
            for check in report.passed_checks + report.failed_checks:
                is_open = check.check_result["result"].value == "FAILED"
                self.answers[file, check.check_id].append((tuple(check.file_line_range), is_open))
        self.seconds += time.process_time() - begun


class Ours:
    """Our findings, by file and check: the line and the path in the document of what lets in, and the rule."""

    def __init__(self):
        self.found, self.unknown, self.seconds = defaultdict(list), Counter(), 0.0

    def read(self, palisade, estates, tags):
        arguments = [palisade, "check", "--each", "--format", "json"]
        for file in tags:
            arguments += ["--service-tags", file]
        output = subprocess.run([*arguments, *estates], stdout=subprocess.PIPE, check=False)
        if output.returncode not in (0, 1, 2):
            raise SystemExit(f"palisade check ended with {output.returncode}")
        document = json.loads(output.stdout)
        for finding in document["findings"]:
            location = finding["location"]
            if location is None or finding["direction"] != "Inbound":
                continue
            for check, (_, _, ids) in CHECKS.items():
                if finding["id"] in ids:
                    place = (location["line"], location["pointer"], finding["rule"])
                    self.found[Path(location["file"]).resolve(), check].append(place)
        for unknown in document["unknown"]:
            self.unknown[unknown.get("estate")] += 1


def document(file):
    """A template as it stands, without comments; nothing if it cannot be read."""
    try:
        return json.loads(re.sub(r"^\s*//.*$", "", file.read_text(encoding="utf-8-sig"), flags=re.MULTILINE))
    except ValueError:
        return None


def rule_at(template, pointer):
    """The fields of a rule as they are written; nothing if it is made by a loop or stands elsewhere."""
    value = template
    try:
        for step in pointer.strip("/").split("/"):
            value = value[int(step)] if isinstance(value, list) else value[step.replace("~1", "/").replace("~0", "~")]
        properties = value.get("properties", value)
        return properties if isinstance(properties, dict) and "access" in properties else None
    except (ValueError, LookupError, AttributeError, TypeError):
        return None


def values(template, rule, name):
    """What stands in a field, in the singular and the plural; a parameter or a variable as its default, which Checkov does too."""
    found = [rule.get(name), rule.get(f"{name}s"), rule.get(f"{name}es")]
    found = [filled(template, one) for one in found if one]
    return [filled(template, value) for one in found for value in (one if isinstance(one, list) else [one])]


def filled(template, value):
    """A parameter's default or a variable's value in the place of its name, as long as it is nothing but a name."""
    named = re.fullmatch(r"\[(parameters|variables)\('(\w+)'\)\]", value) if isinstance(value, str) else None
    if not named:
        return value
    given = template.get(named[1], {}).get(named[2], value)
    given = given.get("defaultValue", value) if named[1] == "parameters" and isinstance(given, dict) else given
    return given if given == value else filled(template, given)


# A resource whose rules, or whose properties, stand elsewhere.
ELSEWHERE = re.compile(r'"(?:securityRules|properties)": "(\[.*\])"')


def are_computed(template, lines):
    """Whether rules of a resource are chosen or made by a function, and not only named."""
    named = [found[1] for found in map(ELSEWHERE.search, lines) if found]
    return any(isinstance(filled(template, expression), str) for expression in named)


def why_missed(file, found, lines):
    """Why Checkov passes what ours shows to be open. The lines are those of the resource."""
    _, pointer, path = found
    if path and path.startswith("defaultSecurityRules/"):
        return "a default rule lets in: a route widens `VirtualNetwork`"
    template = document(file)
    rule = rule_at(template, pointer)
    if rule is None:
        return "the rule comes of a loop or a function, which Checkov does not evaluate"
    fields = {name: values(template, rule, name) for name in ("access", "direction", "protocol", "sourceAddressPrefix", "destinationPortRange")}
    sources = fields["sourceAddressPrefix"]
    if any(str(value).startswith("[") for listed in fields.values() for value in listed):
        return "a field calls a function, which Checkov does not evaluate"
    if pointer.startswith("/variables") and are_computed(template, lines):
        return "the rules come of a variable by a function, which Checkov does not evaluate"
    if any(source.lower() == "internet" and source != "internet" for source in sources):
        return "`Internet` with a capital is not in its list"
    if any(source.endswith("/0") for source in sources):
        return "`0.0.0.0/0` is not in its list"
    if not any(source in THEIR_INTERNET for source in sources):
        return "other public addresses: a tag or prefixes"
    return "otherwise"


def compare(theirs, ours, files):
    """Of every resource that Checkov answered about, both answers; and why they differ."""
    table, why, beyond = Counter(), Counter(), Counter()
    for file in files:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        answered = {place for check in CHECKS for place, _ in theirs.answers[file, check]}
        for check in CHECKS:
            found = ours.found[file.resolve(), check]
            left = list(found)
            for (first, last), is_open in theirs.answers[file, check]:
                inside = [one for one in found if first <= one[0] <= last]
                own = lines[first - 1:last]
                if not inside and any(map(ELSEWHERE.search, own)):
                    # Its rules stand in a variable, and so does what ours found.
                    inside = [one for one in left or found if one[1].startswith("/variables")][:1]
                left = [one for one in left if one not in inside]
                table[check, is_open, bool(inside)] += 1
                if inside and not is_open:
                    reason = why_missed(file, inside[0], own)
                    why[check, "only ours", reason] += 1
                    say(check, file, inside[0][0], "only ours", reason)
                if is_open and not inside:
                    reason = why_closed(ours, file, check)
                    why[check, "only Checkov", reason] += 1
                    say(check, file, first, "only Checkov", reason)
            for one in left:
                reason = why_silent(theirs, file, one[0], answered)
                beyond[check, reason] += 1
                say(check, file, one[0], "only ours", reason)
    return table, why, beyond


def why_silent(theirs, file, line, answered):
    """Why Checkov says nothing at all of what ours shows to be open."""
    if file in theirs.unread:
        return "Checkov does not parse the file"
    if any(first <= line <= last for first, last in answered):
        return "Checkov drops failures of a resource whose name calls a function such as `toLower`"
    return "Checkov does not look at the resource"


def say(check, file, line, who, reason):
    """Where one difference stands, for who wants to look at it."""
    print(f"{check} {file}:{line}: {who}: {reason}", file=sys.stderr)


def why_closed(ours, file, check):
    """Why ours does not name a resource that Checkov fails."""
    if ours.found[file.resolve(), check]:
        return "they get in, and ours names another place: the last list that lets in, or the other copy of a rule"
    if any(ours.unknown[estate] for estate in ours.unknown if estate and str(file).startswith(str(estate))):
        return "depends on what only a deployment tells, such as the subnet and its NSG: listed as unknown"
    return "no such packet passes: a rule before it denies, another NSG does, or no machine is behind it"


def main(palisade, data, *tags):
    data = Path(data)
    theirs, ours, files = Theirs(), Ours(), []
    for kind, runner in KINDS.items():
        folder = data / kind
        if not folder.is_dir():
            print(f"skipped: {folder} is absent", file=sys.stderr)
            continue
        listed = sorted(folder.rglob("*.json"))
        theirs.read(listed, runner)
        ours.read(palisade, sorted(folder.iterdir()) if kind == "arm-quickstart" else listed, tags)
        files += listed
    table, why, beyond = compare(theirs, ours, files)
    print(f"{len(files)} files, Checkov {version('checkov')}: {len(theirs.unread)} not parsed, {len(theirs.crashed)} crashes; "
          f"{theirs.seconds:.0f} s of the processor.\n")
    print("| check | both open | only ours | only Checkov | both closed | where Checkov has no answer |\n|---|---|---|---|---|---|")
    for check, (service, port, _) in CHECKS.items():
        cells = [table[check, True, True], table[check, False, True], table[check, True, False], table[check, False, False],
                 sum(count for key, count in beyond.items() if key[0] == check)]
        print(f"| {check}, {service} ({port}) | " + " | ".join(map(str, cells)) + " |")
    print("\n| who says open | why the other does not | " + " | ".join(service for service, _, _ in CHECKS.values()) + " |")
    print("|---|---|" + "---|" * len(CHECKS))
    rows = {(who, reason) for _, who, reason in why} | {("only ours", reason) for _, reason in beyond}
    for who, reason in sorted(rows):
        counts = [why[check, who, reason] + (beyond[check, reason] if who == "only ours" else 0) for check in CHECKS]
        print(f"| {who} | {reason} | " + " | ".join(map(str, counts)) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
