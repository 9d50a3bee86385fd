#!/usr/bin/env python3
"""The grammar of PowerShell that editors use (tree-sitter) reads what `palisade export --format windows-firewall` writes.

`powershell.py PALISADE LAB`: the command and the folder of the lab's estate. A script is made of each interface under each of the lab's parameters;
one that is no PowerShell fails. No Windows is here: whether its firewall takes the rules is not judged.
"""

import json
import subprocess
import sys
from pathlib import Path

import tree_sitter
import tree_sitter_powershell

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))


def broken(node):
    """Places that fit no rule of the grammar."""
    if node.type == "ERROR" or node.is_missing:
        yield f"line {node.start_point.row + 1}: {node.text[:80]!r}"
    for child in node.children:
        yield from broken(child)


def commands(node):
    if node.type == "command":
        yield node
    for child in node.children:
        yield from commands(child)


def main(palisade, lab):
    lab = Path(lab)
    template = json.loads((lab / "azuredeploy.json").read_text(encoding="utf-8"))
    parameters = [["--parameters", file] for file in sorted(lab.glob("*.parameters.json")) if file.stem != "azuredeploy.parameters"]
    nics = [name for name in ("db1-nic", "mgmt1-nic", "web1-nic", "web2-nic") if name.split("-", maxsplit=1)[0] in json.dumps(template)]
    scripts = rules = 0
    for options in [[], *parameters]:
        for nic in nics:
            words = [palisade, "export", lab / "azuredeploy.json", *options, "--service-tags", lab / "service-tags.json", "--nic", nic]
            text = subprocess.run([*words, "--format", "windows-firewall"], capture_output=True, check=True).stdout
            root = PARSER.parse(text).root_node
            if wrong := list(broken(root)):
                sys.exit(f"{nic} {options}: {wrong[:3]}")
            scripts += 1
            rules += sum(node.text.startswith(b"Allow ") for node in commands(root))
    if not rules:
        sys.exit("no script has a rule")
    print(f"tree-sitter: {scripts} scripts of Windows' firewall are PowerShell, {rules} rules")


main(*sys.argv[1:])
