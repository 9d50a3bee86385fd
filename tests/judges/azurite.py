#!/usr/bin/env python3
"""Azurite keeps the flow store: `azurite.py PALISADE AZURITE_BLOB GOLDEN`, the two commands and the folder of golden logs.

The golden logs are imported into a container, over Azure Blob's real protocol, and come out byte for byte; groups are those of the same logs in a
folder; a compaction changes no answer. Containers are made here, since nothing of ours makes them.
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
CONTAINER = "flows"
FORMATS = {"nsg1.json": "nsg1", "nsg2.json": "nsg2", "vnet4.json": "vnet4", "lines.jsonl": "lines"}


def make_container(url):
    """Creates the container, signed as "Authorize with Shared Key" of the Blob service's reference says."""
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"x-ms-date": date, "x-ms-version": "2021-08-06"}
    lines = ["PUT", *[""] * 11, *[f"{name}:{value}" for name, value in sorted(headers.items())],
             f"/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\nrestype:container"]
    digest = hmac.new(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256).digest()
    headers |= {"Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}", "Content-Length": "0"}
    request = urllib.request.Request(f"{url}/{ACCOUNT}/{CONTAINER}?restype=container", method="PUT", headers=headers, data=b"")
    request.add_unredirected_header("Content-Type", "")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201, answer.status


def wait_for(port, process):
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            sys.exit("azurite has ended")
        time.sleep(0.1)
    sys.exit("azurite does not listen")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main(palisade, azurite, golden):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": url}

    def flows(*arguments, code=0):
        run = subprocess.run([palisade, "flows", *arguments], env=environment, capture_output=True, text=True)
        if run.returncode != code:
            sys.exit(f"palisade flows {' '.join(arguments)}: {run.returncode}: {run.stderr}")
        return run.stdout

    def groups(store):
        return json.loads(flows("query", store, "--by", "format,kind,remote_address,hour", "--format", "json"))["groups"]

    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([azurite, "--blobPort", str(port), "--location", f"{folder}/azurite", "--silent", "--skipApiVersionCheck"],
                                  stdout=subprocess.DEVNULL)
        try:
            wait_for(port, server)
            make_container(url)
            for name, shape in FORMATS.items():
                store = f"az://{CONTAINER}/{shape}"
                flows("import", f"{golden}/{name}", "--to", store)
                if flows("export", store, "--as", shape) != Path(golden, name).read_text(encoding="utf-8"):
                    sys.exit(f"{name} comes out of {store} otherwise than it went in")
            local, remote = f"{folder}/local", f"az://{CONTAINER}/all"
            for store in (local, remote):
                flows("import", golden, "--to", store)
                flows("import", golden, "--to", store)
            if groups(local) != groups(remote) or not groups(local):
                sys.exit("a folder and a container answer differently")
            before = groups(remote)
            done = json.loads(flows("compact", remote, "--format", "json"))
            if not done["compacted"]["into"] or groups(remote) != before:
                sys.exit(f"compaction changed an answer: {done}")
            print(f"flows: Azurite keeps {len(FORMATS)} golden logs byte for byte, and answers {len(before)} groups as a folder does")
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
