"""Pairs of estates for the judges: one interface between the NSG of its subnet and its own, before and after edits.

The same seed makes the same files everywhere. Nothing here knows what rules mean; they are only drawn so that some hide others.
"""

import copy
import ipaddress
import json
import random

API = "2024-05-01"
IPV4_ONLY = "Synthetic"
TAGS = [f"Synthetic.Region{number}" for number in range(20)]
PLATFORM = ["AzurePlatformDNS", "AzurePlatformIMDS", "AzurePlatformLKM"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.ports = [self.port() for _ in range(40)]
        self.subnets = {4: [f"10.0.{number}.0/24" for number in range(200)],
                        6: [f"fd00:10:0:{number:x}::/64" for number in range(200)]}
        self.pool = {4: [self.prefix(4) for _ in range(3200)], 6: [self.prefix(6) for _ in range(800)]}
        self.names = 0

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def port(self):
        first = self.random.choice([22, 25, 53, 80, 123, 443, 445, 1433, 3306, 3389, 5432, 5985, 8080, 9000])
        return str(first) if self.chance(60) else f"{first}-{first + self.random.choice([1, 7, 100, 1000])}"

    def prefix(self, family):
        if family == 4:
            first = self.random.choice([4, 13, 20, 40, 51, 52, 104, 137, 198])
            bits, length = first << 24 | self.random.getrandbits(24), self.random.choice([8, 12, 16, 16, 20, 24, 24, 28, 32])
        else:
            bits = 0x26031 << 108 | self.random.getrandbits(16) << 92 | self.random.getrandbits(92)
            length = self.random.choice([32, 40, 48, 48, 64, 128])
        return str(ipaddress.ip_network((bits, length), strict=False))

    def tags(self):
        def value(name):
            share = 0 if name == IPV4_ONLY else 25
            prefixes = [self.prefix(6 if self.chance(share) else 4) for _ in range(self.random.randint(5, 30))]
            properties = {"changeNumber": 1, "region": "", "platform": "Azure", "systemService": "",
                          "addressPrefixes": prefixes, "networkFeatures": ["NSG"]}
            return {"name": name, "id": name, "properties": properties}
        return {"changeNumber": 1, "cloud": "Public", "values": [value(name) for name in [IPV4_ONLY, *TAGS]]}

    def peers(self, family):
        """Who is at the other end: a tag, everybody, or prefixes of one family."""
        if self.chance(14):
            return [self.random.choice(TAGS + ["Internet", "VirtualNetwork", "AzureLoadBalancer"])]
        if self.chance(8):
            return ["*"]
        return apart(self.random.choices(self.pool[family], k=self.random.randint(1, 20)))

    def machines(self, family):
        if self.chance(25):
            return [self.random.choice(["*", "*", "VirtualNetwork"])]
        return apart(self.random.choices(self.subnets[family], k=self.random.randint(1, 3)))

    def rule(self, direction):
        self.names += 1
        family = 6 if self.chance(18) else 4
        peers, machines = self.peers(family), self.machines(family)
        if self.chance(1):
            # No packet has addresses of two families.
            peers, machines = [IPV4_ONLY], self.random.choices(self.subnets[6])
        if direction == "Outbound" and self.chance(8):
            peers = [self.random.choice(PLATFORM)]
        protocol = self.random.choices(["Tcp", "Udp", "*", "Icmp", "Esp", "Ah"], [58, 15, 18, 6, 2, 1])[0]
        if protocol in ("Tcp", "Udp"):
            ports = self.random.sample(self.ports, self.random.randint(1, 3)) if self.chance(85) else ["*"]
        elif protocol == "Icmp":
            ports = [self.random.choice(["8", "128-137", "0-8"])] if self.chance(30) else ["*"]
        else:
            ports = [self.random.choice(self.ports)] if protocol == "*" and self.chance(50) else ["*"]
        source_ports = ["1024-65535"] if protocol in ("Tcp", "Udp") and self.chance(5) else ["*"]
        inbound = direction == "Inbound"
        return {"name": f"r{self.names}", "properties": {
            "direction": direction, "access": "Deny" if self.chance(30) else "Allow", "protocol": protocol,
            **field("sourceAddressPrefix", peers if inbound else machines), **field("sourcePortRange", source_ports),
            **field("destinationAddressPrefix", machines if inbound else peers), **field("destinationPortRange", ports)}}

    def narrowed(self, rule):
        """A rule within another, with the same or the other access: dead where it stands behind it."""
        self.names += 1
        inner = copy.deepcopy(rule)
        inner["name"] = f"r{self.names}"
        properties = inner["properties"]
        for name in ("sourceAddressPrefix", "destinationAddressPrefix"):
            prefixes = values(inner, name)
            properties.pop(f"{name}es", None)
            properties.update(field(name, self.random.sample(prefixes, self.random.randint(1, len(prefixes)))))
        if self.chance(50):
            properties["access"] = "Deny" if properties["access"] == "Allow" else "Allow"
        return inner

    def halves(self, rule):
        """Two rules that match together what one does, and alone less."""
        name = max(("sourceAddressPrefix", "destinationAddressPrefix"), key=lambda name: len(values(rule, name)))
        prefixes = values(rule, name)
        for part in (prefixes[::2], prefixes[1::2]):
            self.names += 1
            properties = {key: value for key, value in rule["properties"].items() if not key.startswith(name)}
            yield {"name": f"r{self.names}", "properties": {**properties, **field(name, part)}}

    def rules(self, direction, count):
        rules = []
        while len(rules) < count:
            if rules and self.chance(6):
                rules.append(self.narrowed(self.random.choice(rules)))
                continue
            rule = self.rule(direction)
            if self.chance(3) and any(len(values(rule, f"{side}AddressPrefix")) > 1 for side in ("source", "destination")):
                rules += self.halves(rule)
            rules.append(rule)
        return rules

    def edited(self, rules, direction):
        """One edit of a list."""
        place = self.random.randrange(len(rules))
        match self.random.randrange(5):
            case 0:
                rules.insert(place, self.rule(direction))
            case 1:
                rules.pop(place)
            case 2:
                rules[place] = self.rule(direction)
            case 3:
                other = self.random.randrange(len(rules))
                rules[place], rules[other] = rules[other], rules[place]
            case 4:
                rules[place] = copy.deepcopy(rules[place])
                properties = rules[place]["properties"]
                properties["access"] = "Deny" if properties["access"] == "Allow" else "Allow"


def apart(prefixes):
    """Azure refuses a rule whose prefixes overlap."""
    return [str(network) for network in ipaddress.collapse_addresses(map(ipaddress.ip_network, prefixes))]


def field(name, values):
    """Azure has one property for one value and another for several."""
    if len(values) == 1:
        return {name: values[0]}
    return {f"{name}s" if name.endswith("Range") else f"{name}es": values}


def values(rule, name):
    """The values of a field, however many there are."""
    return rule["properties"].get(f"{name}es") or [rule["properties"][name]]


def template(lists):
    """`lists` are the rules by NSG and direction, in their order."""
    def nsg(name):
        rules = []
        for direction in ("Inbound", "Outbound"):
            for number, rule in enumerate(lists[name, direction]):
                properties = {**rule["properties"], "priority": 100 + 3 * number}
                rules.append({"name": rule["name"], "properties": properties})
        return {"type": "Microsoft.Network/networkSecurityGroups", "apiVersion": API, "name": name,
                "location": "westeurope", "properties": {"securityRules": rules}}

    def reference(name):
        return {"id": f"[resourceId('Microsoft.Network/networkSecurityGroups', '{name}')]"}

    def configuration(number, address):
        subnet = {"id": "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'net', 'front')]"}
        version = "IPv6" if ":" in address else "IPv4"
        return {"name": f"c{number}", "properties": {
            "subnet": subnet, "privateIPAddress": address, "privateIPAllocationMethod": "Static",
            "privateIPAddressVersion": version, "primary": number == 0}}

    network = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16", "fd00:10::/48"]}, "subnets": [
        {"name": "front", "properties": {"addressPrefixes": ["10.0.0.0/24", "fd00:10::/64"],
                                         "networkSecurityGroup": reference("subnet-nsg")}}]}
    nic = {"networkSecurityGroup": reference("nic-nsg"),
           "ipConfigurations": [configuration(0, "10.0.0.4"), configuration(1, "fd00:10::4")]}
    resources = [nsg("subnet-nsg"), nsg("nic-nsg")]
    for kind, name, properties in (("virtualNetworks", "net", network), ("networkInterfaces", "nic", nic)):
        resources.append({"type": f"Microsoft.Network/{kind}", "apiVersion": API, "name": name,
                          "location": "westeurope", "properties": properties})
    return {"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0", "resources": resources}


def write(folder, rules, seed, edits=10):
    """Three files: tags, the estate before, the estate after. `rules` are those that the subnet's NSG has inbound."""
    maker = Maker(seed)
    files = {"tags.json": maker.tags()}
    counts = {("subnet-nsg", "Inbound"): rules, ("subnet-nsg", "Outbound"): rules // 3,
              ("nic-nsg", "Inbound"): rules // 5, ("nic-nsg", "Outbound"): rules // 5}
    lists = {key: maker.rules(key[1], count) for key, count in counts.items()}
    files["before.json"] = template(lists)
    for _ in range(edits):
        key = maker.random.choices(list(lists), list(counts.values()))[0]
        maker.edited(lists[key], key[1])
    files["after.json"] = template(lists)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=1))
    return [folder / name for name in files]
