"""What every test of the Python SDK needs: clients, names, and the lab's packets."""

import json
import os
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from azure.core.exceptions import HttpResponseError  # noqa: E402
from azure.identity import ClientSecretCredential  # noqa: E402
from azure.mgmt.network import NetworkManagementClient  # noqa: E402
from azure.mgmt.resource.resources import ResourceManagementClient  # noqa: E402
from azure.mgmt.security import SecurityCenter  # noqa: E402

from lab import Lab  # noqa: E402

LOCATION = "westeurope"
LAB = Lab(os.environ["PALISADE_LAB"])
BOOTSTRAP = json.loads((Path(LAB.facts["data"]) / "bootstrap.json").read_text())
ENDPOINT = BOOTSTRAP["endpoint"]
SUBSCRIPTION = BOOTSTRAP["subscriptionId"]


def credential(client_id=None, secret=None):
    return ClientSecretCredential(
        BOOTSTRAP["tenantId"],
        client_id or BOOTSTRAP["clientId"],
        secret or BOOTSTRAP["clientSecret"],
        authority=ENDPOINT,
        disable_instance_discovery=True,
        connection_verify=BOOTSTRAP["caFile"],
    )


def client(of, who=None):
    return of(
        who or credential(),
        SUBSCRIPTION,
        base_url=ENDPOINT,
        credential_scopes=[ENDPOINT + "/.default"],
        connection_verify=BOOTSTRAP["caFile"],
    )


NETWORK = client(NetworkManagementClient)
RESOURCES = client(ResourceManagementClient)
SECURITY = client(SecurityCenter)


def camel(value):
    """Names as they travel: `address_prefix` is `addressPrefix`."""
    if isinstance(value, dict):
        def name(key):
            first, *rest = key.split("_")
            return first + "".join(word.capitalize() for word in rest)
        return {name(key): camel(one) for key, one in value.items() if one is not None}
    return [camel(one) for one in value] if isinstance(value, list) else value


def resource(tags=None, sku=None, **properties):
    """The body of a resource in the region of the tests."""
    top = {"location": LOCATION, "tags": tags, "sku": sku, "properties": camel(properties)}
    return {key: value for key, value in top.items() if value is not None}


def part(name, **properties):
    """The body of a part of a resource."""
    return {"name": name, "properties": camel(properties)}


def rule(name, priority, access="Allow", direction="Inbound", port="22", source="*", destination="*", **more):
    return part(name, **{
        "priority": priority, "access": access, "direction": direction, "protocol": "Tcp",
        "source_address_prefix": source, "source_port_range": "*", "destination_address_prefix": destination,
        "destination_port_range": port, **more,
    })


def group_id(group):
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"


def network_id(group, kind, name):
    return f"{group_id(group)}/providers/Microsoft.Network/{kind}/{name}"


class InGroup(unittest.TestCase):
    """Tests with a resource group of their own, which is gone afterwards."""

    group = None

    @classmethod
    def setUpClass(cls):
        cls.group = f"py-{cls.__name__.lower()}"
        RESOURCES.resource_groups.create_or_update(cls.group, {"location": LOCATION})
        cls.prepare()

    @classmethod
    def prepare(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        RESOURCES.resource_groups.begin_delete(cls.group).result()

    def refused(self, code, status, call, *words, **more):
        """The error that a call must end with."""
        with self.assertRaises(HttpResponseError) as caught:
            answer = call(*words, **more)
            if hasattr(answer, "result"):
                answer.result()
        error = caught.exception
        self.assertEqual((error.error.code if error.error else None, error.status_code), (code, status), error.message)
        return error

    def expect(self, wanted, source, target, port):
        self.assertTrue(LAB.expect(wanted, source, target, port), f"TCP from {source} to {target}:{port} is not {wanted}")


def main():
    began = time.monotonic()
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    count = program.result.testsRun
    print(f"{count} tests with azure-mgmt-network in {time.monotonic() - began:.1f} s")
    sys.exit(0 if program.result.wasSuccessful() and count else 1)
