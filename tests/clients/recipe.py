#!/usr/bin/env python3
"""Runs the commands of a page as they stand there, in one shell and in order.

    recipe.py PAGE SECTION... [-- COMMAND]

The blocks marked `sh` of the sections with these headings are the commands, and the last is COMMAND, which so has the
variables that the page sets. Comments behind a block say what must be true after it:
    <!-- check: open FROM TO PORT -->   packets of the lab come through, or do not (`closed`)
    <!-- expect: TEXT -->               the block has printed this
    <!-- machine: NAME -->              the block has printed a MAC address; this machine of the lab has it from now on
A command that fails ends it, with the block that it stands in.
"""

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from lab import Lab

SECTION = re.compile(r"^## (.*)\n((?:(?!## ).*\n)*)", re.MULTILINE)
BLOCK = re.compile(r"^```sh\n(.*?)^```\n((?:<!-- .*? -->\n)*)", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:if )?(?:az|palisade|ansible|ansible-playbook) ", re.MULTILINE)
COMMENT = re.compile(r"<!-- (check|expect|machine): (.*?) -->")
END = "@@ block ended @@"


def main(page, words):
    names, command = (words[:words.index("--")], words[words.index("--") + 1:]) if "--" in words else (words, [])
    sections = dict(SECTION.findall(Path(page).read_text()))
    blocks = []
    for name in names:
        found = BLOCK.findall(sections.get(name, ""))
        if not found:
            sys.exit(f"{page} has no section {name!r} with commands")
        blocks += found
    if command:
        blocks.append((shlex.join(command) + "\n", ""))
    lab = Lab(os.environ["PALISADE_LAB"])
    shell = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    shell.stdin.write("set -euo pipefail\n")
    commands = 0
    for commands_of_block, comments in blocks:
        began = time.monotonic()
        print("$ " + commands_of_block.strip().replace("\n", "\n  "), flush=True)
        output = run(shell, commands_of_block)
        for kind, text in COMMENT.findall(comments):
            hold(lab, kind, text, output)
        commands += len(COMMAND.findall(commands_of_block))
        print(f"  ({time.monotonic() - began:.1f} s)", flush=True)
    shell.stdin.close()
    if shell.wait():
        sys.exit("the shell did not end well")
    print(f"{commands} commands of {page} ran as they stand there")


def run(shell, commands):
    """Gives the shell a block, and returns what it printed."""
    try:
        shell.stdin.write(f"{commands}\necho '{END}'\n")
        shell.stdin.flush()
    except BrokenPipeError:
        sys.exit("the shell is gone")
    lines = []
    for line in shell.stdout:
        if line.strip() == END:
            return "".join(lines)
        print("  " + line, end="", flush=True)
        lines.append(line)
    sys.exit(f"a command of this block failed (exit code {shell.wait()}):\n{commands}")


def hold(lab, kind, text, output):
    if kind == "expect":
        if text not in output:
            sys.exit(f"the block did not print {text!r}")
        print(f"  as expected: {text}")
        return
    if kind == "machine":
        lab.give_mac(text, re.search(r"(?:[0-9A-Fa-f]{2}[-:]){5}[0-9A-Fa-f]{2}", output).group())
        return
    wanted, source, target, port = text.split()
    if not lab.expect(wanted, source, target, port):
        sys.exit(f"TCP from {source} to {target}:{port} is not {wanted}")
    print(f"  packets: {source} to {target}:{port} is {wanted}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
