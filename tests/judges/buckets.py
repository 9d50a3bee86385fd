#!/usr/bin/env python3
"""Servers of object storage keep the flow store: `buckets.py PALISADE GOLDEN azurite|moto SERVER`, with the command that serves.

The golden logs are imported into a bucket, over the storage's real protocol, and come out byte for byte; groups are those of the same logs in a
folder; a compaction changes no answer. Buckets are made here, since nothing of ours makes them.
"""

import base64
import datetime
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

# Azurite's own account, the same everywhere.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
BUCKET = "flows"
FORMATS = {"nsg1.json": "nsg1", "nsg2.json": "nsg2", "vnet4.json": "vnet4", "lines.jsonl": "lines"}


def make_container(url):
    """Creates a container of Azurite, signed as "Authorize with Shared Key" of the Blob service's reference says."""
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"x-ms-date": date, "x-ms-version": "2021-08-06"}
    lines = ["PUT", *[""] * 11, *[f"{name}:{value}" for name, value in sorted(headers.items())],
             f"/{ACCOUNT}/{ACCOUNT}/{BUCKET}\nrestype:container"]
    digest = hmac.new(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256).digest()
    headers |= {"Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}", "Content-Length": "0"}
    request = urllib.request.Request(f"{url}/{ACCOUNT}/{BUCKET}?restype=container", method="PUT", headers=headers, data=b"")
    request.add_unredirected_header("Content-Type", "")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201, answer.status


def make_bucket(url):
    """Creates a bucket of moto, which asks nobody who he is."""
    request = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200, answer.status


def azurite(port, folder):
    """Scheme, arguments, variables, and who makes the bucket."""
    arguments = ["--blobPort", str(port), "--location", f"{folder}/azurite", "--silent", "--skipApiVersionCheck"]
    variables = {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": f"http://127.0.0.1:{port}"}
    return "az", arguments, variables, make_container


def moto(port, _folder):
    """The same of moto."""
    variables = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
                 "AWS_ENDPOINT": f"http://127.0.0.1:{port}", "AWS_ALLOW_HTTP": "true"}
    return "s3", ["-H", "127.0.0.1", "-p", str(port)], variables, make_bucket


def wait_for(port, process):
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            sys.exit("the server has ended")
        time.sleep(0.1)
    sys.exit("the server does not listen")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main(palisade, golden, kind, program):
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        scheme, arguments, variables, make = {"azurite": azurite, "moto": moto}[kind](port, folder)

        def flows(*words, code=0):
            run = subprocess.run([palisade, "flows", *words], env=os.environ | variables, capture_output=True, text=True)
            if run.returncode != code:
                sys.exit(f"palisade flows {' '.join(words)}: {run.returncode}: {run.stderr}")
            return run.stdout

        server = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(port, server)
            make(f"http://127.0.0.1:{port}")
            count = check(flows, golden, folder, f"{scheme}://{BUCKET}")
            print(f"flows: {kind} keeps {len(FORMATS)} golden logs byte for byte, and answers {count} groups as a folder does")
        finally:
            server.kill()
            server.wait()


def check(flows, golden, folder, bucket):
    """Compares a bucket with a folder; how many groups were."""

    def groups(store):
        return json.loads(flows("query", store, "--by", "format,kind,remote_address,hour", "--format", "json"))["groups"]

    for name, shape in FORMATS.items():
        store = f"{bucket}/{shape}"
        flows("import", f"{golden}/{name}", "--to", store)
        if flows("export", store, "--as", shape) != Path(golden, name).read_text(encoding="utf-8"):
            sys.exit(f"{name} comes out of {store} otherwise than it went in")
    local, remote = f"{folder}/local", f"{bucket}/all"
    for store in (local, remote):
        flows("import", golden, "--to", store)
        flows("import", golden, "--to", store)
    if groups(local) != groups(remote) or not groups(local):
        sys.exit("a folder and a bucket answer differently")
    before = groups(remote)
    done = json.loads(flows("compact", remote, "--format", "json"))
    if not done["compacted"]["into"] or groups(remote) != before:
        sys.exit(f"compaction changed an answer: {done}")
    return len(before)


if __name__ == "__main__":
    main(*sys.argv[1:])
