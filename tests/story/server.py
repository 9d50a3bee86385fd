"""`palisade up` in the namespace of the host, with two machines in its estate, and the command beside it."""

import json
import os
import time
from pathlib import Path

import witness
from stage import VM1, VM2, Failed, wait_for

# Where the server tells of alerts.
NOTICES = 5514
ALLOW = {"priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "*", "sourceAddressPrefix": "*",
         "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "*"}


class Server:
    """A server with its agent. Everything is allowed in, as it was the day the machine of the story was lost."""

    def __init__(self, stage):
        self.stage = stage
        self.data = stage.folder / "data"
        self.store = stage.folder / "flows"
        self.environment = {**os.environ, "HOME": str(stage.folder)}
        for name in ("XDG_CONFIG_HOME", "PALISADE_PROFILE"):
            self.environment.pop(name, None)

    def start(self):
        with open(self.stage.folder / "notices.log", "w", encoding="utf-8") as notices:
            self.stage.start("host", "python3", witness.__file__, "listen", NOTICES, log=notices)
        log = open(self.stage.folder / "server.log", "w", encoding="utf-8")
        child = self.stage.start(
            "host", self.stage.palisade, "up", "--data", self.data, "--listen", "127.0.0.1:8443",
            "--agents-listen", "127.0.0.1:8444", "--host", "h", "--instance", self.stage.tag, "--flow-store", self.store,
            "--notify", f"syslog+udp://127.0.0.1:{NOTICES}", log=log)

        def serves():
            if child.poll() is not None:
                raise Failed(f"the server ended:\n{self.log()}")
            return (self.data / "bootstrap.json").exists() and self.try_command(
                "login", "--bootstrap", self.data / "bootstrap.json")
        wait_for("the server serves", serves)
        self.make_estate()
        # The agent comes a moment after the server, and tells of flows from the first policy that it has in force.
        wait_for("the agent tells of flows", Path(f"/run/palisade/{self.stage.tag}/events.sock").exists)
        return self

    def log(self):
        return (self.stage.folder / "server.log").read_text(encoding="utf-8")

    def try_command(self, *words):
        return self.stage.run("host", self.stage.palisade, *words, check=False, env=self.environment).returncode == 0

    def command(self, *words, codes=(0,)):
        """What the command says; its exit code must be one of `codes`."""
        done = self.stage.run("host", self.stage.palisade, *words, check=False, env=self.environment)
        if done.returncode not in codes:
            raise Failed(f"palisade {' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def tell(self, *words, codes=(0,)):
        """What the command says as JSON."""
        return json.loads(self.command(*words, "--format", "json", codes=codes))

    def group(self):
        bootstrap = json.loads((self.data / "bootstrap.json").read_text(encoding="utf-8"))
        return f"/subscriptions/{bootstrap['subscriptionId']}/resourceGroups/g"

    def nsg(self):
        """The NSG of all machines, to be given other rules."""
        kind = "Microsoft.Network/networkSecurityGroups"
        return {"id": f"{self.group()}/providers/{kind}/nsg", "type": kind, "name": "nsg", "location": "westeurope"}

    def make_estate(self):
        """Two machines that an NSG leaves open, as wizards do."""
        group = self.group()

        def resource(kind, name, properties):
            identity = f"{group}/providers/{kind}/{name}"
            return {"id": identity, "type": kind, "name": name, "location": "westeurope", "properties": properties}

        def network(kind, name):
            return {"id": f"{group}/providers/Microsoft.Network/{kind}/{name}"}
        subnet = {"id": network("virtualNetworks", "net")["id"] + "/subnets/lan"}
        estate = [
            # Outward too: addresses for documentation, which the story lives at, are not the Internet.
            {**self.nsg(), "properties": {"securityRules": [{"name": "wizard", "properties": ALLOW},
                                                            {"name": "out", "properties": {**ALLOW, "direction": "Outbound"}}]}},
            resource("Microsoft.Network/virtualNetworks", "net", {
                "addressSpace": {"addressPrefixes": ["10.30.0.0/16"]},
                "subnets": [{"name": "lan", "properties": {"addressPrefix": "10.30.1.0/24"}}]})]
        for number, address in [(1, VM1), (2, VM2)]:
            place = {"subnet": subnet, "privateIPAddress": address, "privateIPAllocationMethod": "Static"}
            estate.append(resource("Microsoft.Network/networkInterfaces", f"vm{number}-nic", {
                "macAddress": f"02-50-00-00-00-0{number}", "networkSecurityGroup": network("networkSecurityGroups", "nsg"),
                "ipConfigurations": [{"name": "main", "properties": place}]}))
            estate.append(resource("Microsoft.Compute/virtualMachines", f"vm{number}", {
                "networkProfile": {"networkInterfaces": [network("networkInterfaces", f"vm{number}-nic")]}}))
        path = self.stage.folder / "estate.json"
        path.write_text(json.dumps(estate), encoding="utf-8")
        self.command("apply", path, "--resource-group", "g", "--location", "westeurope")

    # Alerts.

    def alerts(self):
        lines = self.command("alerts", "list", "--all", "--format", "json", codes=(0, 1)).splitlines()
        return [json.loads(line) for line in lines]

    def alert(self, named, seconds=60.0, **fields):
        """The first alert of this name (or a test of names) with these fields, and when it was first seen."""
        is_named = named if callable(named) else lambda name: name == named

        def find():
            for alert in self.alerts():
                if is_named(alert["name"]) and all(alert.get(key) == value for key, value in fields.items()):
                    return alert, time.time()
            return None
        return wait_for(f"an alert like {named} {fields}", find, seconds, pause=0.02)

    def noticed(self, name):
        """When the server told of alerts of a name."""
        lines = (self.stage.folder / "notices.log").read_text(encoding="utf-8").splitlines()
        return [float(line.split()[0]) for line in lines if name in line]

    # Answers.

    def set_policy(self, rules, **more):
        path = self.stage.folder / "answers.json"
        path.write_text(json.dumps({"rules": rules, **more}), encoding="utf-8")
        self.command("answers", "policy", "set", path)
