#!/usr/bin/env python3
"""What Checkov takes for the files that `check` is measured by.

`linted.py all`: the estates come as JSON on standard input, `{"estates": [PATH, ...]}`, in the form of `palisade bench analysis`; the answer is
`{"version","milliseconds","found"}`: what its three checks of ports fail in all templates. Times are of the processor; starting Python
and loading Checkov is not counted, reading the files is. It needs the package checkov.
"""

import json
import sys
import time
from pathlib import Path

import linter


def main(_question):
    files = []
    for estate in map(Path, json.load(sys.stdin)["estates"]):
        files += sorted(estate.rglob("*.json")) if estate.is_dir() else [estate]
    theirs = linter.Theirs()
    theirs.read(files, linter.Templates)
    found = sum(is_open for answers in theirs.answers.values() for _, is_open in answers)
    print(json.dumps({"version": linter.version("checkov"), "milliseconds": theirs.seconds * 1e3, "found": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
