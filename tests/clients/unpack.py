#!/usr/bin/env python3
"""Unpacks what some wheels have below given prefixes, without the rest of them.

    unpack.py FOLDER TARGET PREFIX...

Every prefix must be found in a wheel of FOLDER, so that a wheel of another shape does not go unnoticed.
"""

import sys
import zipfile
from pathlib import Path


def main(folder, target, *prefixes):
    missing = set(prefixes)
    for wheel in sorted(Path(folder).glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                found = {prefix for prefix in prefixes if name.startswith(prefix)}
                if found:
                    archive.extract(name, target)
                    missing -= found
    if missing:
        sys.exit(f"no wheel of {folder} has {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
