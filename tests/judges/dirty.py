#!/usr/bin/env python3
"""regipy replays transaction logs into hives of real machines, and so does our reader: both end with the hive as it was meant to be.

`dirty.py HIVE_EXAMPLE FOLDER`: of each hive that xz packed in the folder, pages are spoilt and written to logs, as Windows leaves them when it is cut off in
the middle of a write: two logs of entries (Windows 8.1 and later), and one of sectors where the other reader can place them. Nobody keeps hives that a
real power cut has left, so the logs are made here; they are laid out as M. Suhanov's "Windows registry file format specification" says.
"""

import logging
import lzma
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from regipy.recovery import apply_transaction_logs

PACKED_MAX = 1_000_000
BASE, SECTOR, PAGE = 4096, 512, 4096
ENTRIES, SECTORS = 6, 1
# Of a larger hive the other reader looks for sectors in the wrong place.
BITMAP_MAX = 508
MASK = 0xFFFFFFFF


def marvin(data):
    """Marvin32 with the registry's seed."""
    low, high = 0x7A4E55C5, 0x82EF4D88

    def turn(word, bits):
        return (word << bits | word >> (32 - bits)) & MASK
    padded = data + b"\x80" + bytes(-(len(data) + 1) % 4)
    for (word,) in struct.iter_unpack("<I", padded + bytes(4)):
        low = (low + word) & MASK
        high ^= low
        low = (turn(low, 20) + high) & MASK
        high = turn(high, 9) ^ low
        low = (turn(low, 27) + high) & MASK
        high = turn(high, 19)
    return high << 32 | low


def header(hive, primary, secondary, kind):
    """The first sector of a hive, with these numbers and its sum."""
    words = list(struct.unpack("<127I", hive[:508]))
    words[1], words[2], words[7] = primary, secondary, kind
    total = 0
    for word in words:
        total ^= word
    return struct.pack("<127I", *words) + struct.pack("<I", {0: 1, MASK: MASK - 1}.get(total, total))


def entry(number, length, pages):
    """One write: the places of pages, and what belongs there."""
    body = b"".join(struct.pack("<II", place, PAGE) for place, _ in pages) + b"".join(page for _, page in pages)
    size = -(-(40 + len(body)) // SECTOR) * SECTOR
    body += bytes(size - 40 - len(body))
    head = b"HvLE" + struct.pack("<IIIII", size, 0, number, length, len(pages)) + struct.pack("<Q", marvin(body))
    return head + struct.pack("<Q", marvin(head)) + body


def spoil(hive, places):
    spoilt = bytearray(hive)
    for place in places:
        spoilt[BASE + place:BASE + place + PAGE] = bytes(byte ^ 0x5A for byte in hive[BASE + place:BASE + place + PAGE])
    return bytes(spoilt)


def cases(hive, seed):
    """Spoilt hives with their logs, by what kind of logs they are."""
    length = struct.unpack_from("<I", hive, 40)[0]
    secondary = struct.unpack_from("<I", hive, 8)[0]
    # The other reader wants the first page, with the root.
    all_places = range(PAGE, length, PAGE)
    places = random.Random(seed).sample(all_places, min(len(all_places), 60))
    of = lambda some: [(place, hive[BASE + place:BASE + place + PAGE]) for place in sorted(some)]
    dirty = header(hive, secondary + 1, secondary, 0) + spoil(hive, places)[SECTOR:]
    parts = [entry(secondary + number, length, of(places[number::3])) for number in range(3)]
    base = header(hive, secondary, secondary, ENTRIES)
    # What was torn at the end of a log never happened.
    torn = entry(secondary + 3, length, [(places[0], bytes(PAGE))])[:-1]
    yield "entries", dirty, [base + parts[0] + parts[1], base + parts[2]]
    yield "entries", dirty, [base + parts[0] + parts[1], base + parts[2] + torn]
    bitmap = bytearray(length // PAGE)
    if len(bitmap) <= BITMAP_MAX:
        for place in places:
            bitmap[place // PAGE] = 0xFF
        head = header(hive, secondary, secondary, SECTORS) + b"DIRT" + bytes(bitmap)
        yield "sectors", dirty, [head + bytes(-len(head) % SECTOR) + b"".join(page for _, page in of(places))]


def told(example, *paths):
    return subprocess.run([example, *paths], capture_output=True, check=True).stdout


def theirs(folder, logs):
    """The bins after the other's replay."""
    try:
        path, _ = apply_transaction_logs(str(folder / "hive"), *map(str, logs))
    except Exception as error:
        return error
    return Path(path).read_bytes()[BASE:]


def main(example, folder):
    logging.disable(logging.CRITICAL)
    packed = sorted(file for file in Path(folder).glob("*.xz") if file.stat().st_size <= PACKED_MAX)
    if not packed:
        print(f"skipped: there are no hives in {folder} (set PALISADE_REAL_DATA)")
        return
    for file in packed:
        hive, counts = lzma.decompress(file.read_bytes()), {"entries": 0, "sectors": 0, "torn": 0}
        with tempfile.TemporaryDirectory() as work:
            work = Path(work)
            (work / "whole").write_bytes(hive)
            whole = told(example, work / "whole")
            for seed in range(5):
                for number, (kind, dirty, logs) in enumerate(cases(hive, seed)):
                    (work / "hive").write_bytes(dirty)
                    paths = [work / f"hive.LOG{place}" for place in range(1, len(logs) + 1)]
                    for path, log in zip(paths, logs):
                        path.write_bytes(log)
                    if told(example, work / "hive", *paths) != whole:
                        sys.exit(f"{file.name}: seed {seed}: our replay of {kind} is not the hive")
                    # The other reader replays torn entries too.
                    if number == 1:
                        counts["torn"] += 1
                    elif theirs(work, paths) != hive[BASE:]:
                        sys.exit(f"{file.name}: seed {seed}: regipy's replay of {kind} is not the hive")
                    else:
                        counts[kind] += 1
        print(f"regipy: {file.name}: {counts['entries']} replays of entries and {counts['sectors']} of sectors are the same, "
              f"{counts['torn']} with a torn end are right")


main(*sys.argv[1:])
