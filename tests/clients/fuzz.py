#!/usr/bin/env python3
"""Sends schemathesis at the server's own API: whatever comes, no defect shows, and answers are as the document says."""

import json
import os
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from lab import Lab

# Cases for each operation: enough to meet every constraint of the document, and not minutes.
EXAMPLES = 40


def token(bootstrap):
    form = urllib.parse.urlencode({
        "grant_type": "client_credentials", "client_id": bootstrap["clientId"],
        "client_secret": bootstrap["clientSecret"], "scope": bootstrap["endpoint"] + "/.default",
    }).encode()
    url = f"{bootstrap['endpoint']}/{bootstrap['tenantId']}/oauth2/v2.0/token"
    trust = ssl.create_default_context(cafile=bootstrap["caFile"])
    with urllib.request.urlopen(url, form, context=trust) as answer:
        return json.load(answer)["access_token"]


def main():
    lab = Lab(os.environ["PALISADE_LAB"])
    bootstrap = json.loads((Path(lab.facts["data"]) / "bootstrap.json").read_text())
    command = [
        "schemathesis", "run", f"{bootstrap['endpoint']}/api/openapi.json",
        "--header", f"Authorization: Bearer {token(bootstrap)}",
        "--tls-verify", bootstrap["caFile"],
        "--checks", "not_a_server_error,response_schema_conformance,content_type_conformance,status_code_conformance",
        "--max-examples", str(EXAMPLES), "--seed", "1", "--workers", "2", "--no-color",
        # A stream does not end by itself.
        "--exclude-operation-id", "watch",
    ]
    # It writes a cache to where it runs.
    sys.exit(subprocess.run(command, check=False, cwd=lab.state).returncode)


if __name__ == "__main__":
    main()
