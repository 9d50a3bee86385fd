#!/usr/bin/env python3
"""regipy reads registry hives and agrees with our reader, key by key and value by value.

`hives.py HIVE_EXAMPLE FOLDER`: the example `hive` of palisade-guest, and a folder of hives that xz packed. Compared are the paths of all keys,
and of all values name, type and what they hold: numbers, texts up to their end, bytes. Prints what was compared; any difference fails.
"""

import logging
import lzma
import subprocess
import sys
import tempfile
from pathlib import Path

from regipy.registry import RegistryHive

# Larger ones take the other reader minutes and gigabytes.
PACKED_MAX = 1_000_000
KINDS = {"REG_NONE": 0, "REG_SZ": 1, "REG_EXPAND": 2, "REG_EXPAND_SZ": 2, "REG_BINARY": 3, "REG_DWORD": 4, "REG_MULTI_SZ": 7, "REG_QWORD": 11}


def unhex(digits):
    return b"" if digits == "-" else bytes.fromhex(digits)


def ours(example, path):
    """Keys with how often they are there, and values by path and name."""
    keys, values = {}, {}
    run = subprocess.run([example, path], capture_output=True, text=True, check=True)
    for line in run.stdout.splitlines():
        what, key, *rest = line.split(" ")
        key = unhex(key).decode()
        if what == "key":
            keys[key] = keys.get(key, 0) + 1
        else:
            name, kind, data = rest
            values[key, unhex(name).decode()] = (int(kind), unhex(data))
    return keys, values


def theirs(path):
    keys, values = {}, {}
    open_keys = [(RegistryHive(str(path)).root, "")]
    while open_keys:
        node, path = open_keys.pop()
        keys[path] = keys.get(path, 0) + 1
        for value in node.iter_values(trim_values=False):
            values[path, "" if value.name == "(default)" else value.name] = (value.value_type, value.value)
        if node.subkey_count:
            open_keys.extend((below, f"{path}\\{below.name}") for below in node.iter_subkeys())
    return keys, values


def agrees(own, other):
    """Whether a type and what is held are the same; `None` if the other does not tell."""
    (kind, data), (name, value) = own, other
    if KINDS.get(name) not in (kind, None):
        return False
    if name in ("REG_DWORD", "REG_QWORD") and isinstance(value, int):
        # Of one that has another length than its type, only the other's bytes are known.
        return int.from_bytes(data, "little") == value if len(data) == (4 if name == "REG_DWORD" else 8) else None
    if name in ("REG_BINARY", "REG_NONE") and isinstance(value, bytes):
        return value[:len(data)] == data
    if name in ("REG_SZ", "REG_EXPAND", "REG_EXPAND_SZ") and isinstance(value, str):
        text = data.decode("utf-16-le", errors="replace").split("\0")[0]
        return value.split("\0")[0].rstrip() == text.rstrip() if "\ufffd" not in text else None
    return None


def main(example, folder):
    # It tells of every text that is none.
    logging.disable(logging.CRITICAL)
    packed = sorted(file for file in Path(folder).glob("*.xz") if file.stat().st_size <= PACKED_MAX)
    if not packed:
        print(f"skipped: there are no hives in {folder} (set PALISADE_REAL_DATA)")
        return
    for file in packed:
        with tempfile.NamedTemporaryFile() as hive:
            hive.write(lzma.decompress(file.read_bytes()))
            hive.flush()
            (keys, values), (their_keys, their_values) = ours(example, hive.name), theirs(hive.name)
        if keys != their_keys:
            sys.exit(f"{file.name}: keys differ: {sorted(set(keys.items()) ^ set(their_keys.items()))[:5]}")
        missing = set(their_values) - set(values)
        if missing:
            sys.exit(f"{file.name}: we do not see {len(missing)} values: {sorted(missing)[:5]}")
        verdicts = [(place, agrees(values[place], their_values[place])) for place in their_values]
        wrong = [place for place, verdict in verdicts if verdict is False]
        if wrong:
            sys.exit(f"{file.name}: {len(wrong)} values differ: " + str([(place, values[place], their_values[place]) for place in wrong[:3]])[:900])
        same = sum(verdict is True for _, verdict in verdicts)
        if not same:
            sys.exit(f"{file.name}: nothing was compared")
        print(f"regipy: {file.name}: {len(keys)} keys, {len(verdicts)} values, {same} of them by what they hold; "
              f"{len(values) - len(verdicts)} that it does not read")


main(*sys.argv[1:])
