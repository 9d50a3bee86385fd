"""What the rules of an interface mean, read from the template anew: ranges, first match, the platform's services.

Written from docs/semantics.md and from nothing else of the project, so that a fault of the readers, of the expansion of names
or of the engine shows as a difference.
"""

import ipaddress
from dataclasses import dataclass, field

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
WIDTH = {4: 32, 6: 128}
PROTOCOLS = {"*": None, "tcp": [TCP], "udp": [UDP], "icmp": [ICMP, ICMPV6], "esp": [50], "ah": [51]}
SPECIAL = {
    4: ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"],
    6: ["::/8", "100::/64", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "ff00::/8"],
}
HOST = {4: ["168.63.129.16/32"], 6: ["fe80::1234:5678:9abc/128"]}
# The tag that governs it, its addresses, protocols and ports.
SERVICES = [
    ("azureplatformdns", ["168.63.129.16", "fe80::1234:5678:9abc"], [TCP, UDP], [53]),
    (None, ["168.63.129.16"], [TCP], [80, 443, 32526]),
    ("azureplatformimds", ["169.254.169.254"], [TCP], [80]),
    ("azureplatformlkm", ["20.118.99.224", "23.102.135.246", "40.83.235.53"], [TCP], [1688]),
]


@dataclass
class Rule:
    path: str
    allows: bool
    protocols: list | None
    names_icmp: bool
    # Ranges; None stands for everything. Addresses by family.
    source: dict | None
    destination: dict | None
    source_ports: list | None
    destination_ports: list | None
    services: set = field(default_factory=set)

    def key(self):
        """What it matches, for telling whether two rules match the same."""
        return repr((self.protocols, self.names_icmp, self.source, self.destination, self.source_ports,
                     self.destination_ports, sorted(self.services)))


@dataclass
class List:
    nsg: str
    direction: str
    rules: list


def ranges(prefixes):
    """Prefixes as sorted ranges of numbers by family, those that touch joined."""
    found = {4: [], 6: []}
    for text in prefixes:
        network = ipaddress.ip_network(text, strict=False)
        found[network.version].append((int(network.network_address), int(network.broadcast_address)))
    return {family: joined(listed) for family, listed in found.items()}


def joined(listed):
    result = []
    for first, last in sorted(listed):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def complement(listed, family):
    result, start = [], 0
    for first, last in listed:
        if first > start:
            result.append((start, first - 1))
        start = last + 1
    if start < 1 << WIDTH[family]:
        result.append((start, (1 << WIDTH[family]) - 1))
    return result


def union(sets):
    return {family: joined([pair for listed in sets for pair in listed[family]]) for family in WIDTH}


def interface(template, tags):
    """The lists of the one interface by direction, in the order in which they are asked."""
    resources = {(resource["type"].rsplit("/", 1)[1], resource["name"]): resource["properties"]
                 for resource in template["resources"]}
    space = resources["virtualNetworks", "net"]["addressSpace"]["addressPrefixes"]
    names = {value["name"].lower(): ranges(value["properties"]["addressPrefixes"]) for value in tags["values"]}
    names["virtualnetwork"] = ranges(space + HOST[4])
    names["internet"] = {family: complement(ranges(SPECIAL[family])[family], family) for family in WIDTH}
    names["azureloadbalancer"] = ranges(HOST[4] + HOST[6])
    for tag, addresses, _, _ in SERVICES:
        if tag:
            names[tag] = ranges(addresses)

    def listed(nsg, direction):
        rules = [rule for rule in resources["networkSecurityGroups", nsg]["securityRules"]
                 if rule["properties"]["direction"] == direction]
        rules.sort(key=lambda rule: rule["properties"]["priority"])
        own = [read(f"securityRules/{rule['name']}", rule["properties"], names) for rule in rules]
        return List(nsg, direction, own + defaults(direction, names))

    return {"Inbound": [listed("subnet-nsg", "Inbound"), listed("nic-nsg", "Inbound")],
            "Outbound": [listed("nic-nsg", "Outbound"), listed("subnet-nsg", "Outbound")]}


def read(path, properties, names):
    def values(singular, plural):
        return properties.get(plural) or [properties[singular]]

    def addresses(side):
        texts = values(f"{side}AddressPrefix", f"{side}AddressPrefixes")
        if "*" in texts:
            return None
        return union([names[text.lower()] if text.lower() in names else ranges([text]) for text in texts])

    def ports(side):
        texts = values(f"{side}PortRange", f"{side}PortRanges")
        if "*" in texts:
            return None
        pairs = joined([(int(text.split("-")[0]), int(text.split("-")[-1])) for text in texts])
        return None if pairs == [(0, 65535)] else pairs

    protocol = properties["protocol"].lower()
    targets = {text.lower() for text in values("destinationAddressPrefix", "destinationAddressPrefixes")}
    services = {number for number, service in enumerate(SERVICES) if service[0] in targets}
    return Rule(path, properties["access"] == "Allow", PROTOCOLS[protocol], protocol == "icmp", addresses("source"),
                addresses("destination"), ports("source"), ports("destination"), services)


def defaults(direction, names):
    network, everybody = names["virtualnetwork"], None

    def rule(name, allows, source, destination):
        return Rule(f"defaultSecurityRules/{name}", allows, None, False, source, destination, None, None)

    if direction == "Inbound":
        return [rule("AllowVnetInBound", True, network, network),
                rule("AllowAzureLoadBalancerInBound", True, names["azureloadbalancer"], everybody),
                rule("DenyAllInBound", False, everybody, everybody)]
    return [rule("AllowVnetOutBound", True, network, network),
            rule("AllowInternetOutBound", True, everybody, names["internet"]),
            rule("DenyAllOutBound", False, everybody, everybody)]


# One packet at a time. A packet is (protocol, source, source port, destination, destination port), addresses as texts.

def holds(listed, value):
    return listed is None or any(first <= value <= last for first, last in listed)


def matches(rule, packet):
    protocol, source, source_port, destination, destination_port = packet
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    has_ports, is_icmp = protocol in (TCP, UDP), protocol in (ICMP, ICMPV6)
    if rule.protocols is not None and protocol not in rule.protocols:
        return False
    if rule.source_ports is not None and not (has_ports and holds(rule.source_ports, source_port)):
        return False
    by_value = has_ports or (is_icmp and rule.names_icmp)
    if rule.destination_ports is not None and not (by_value and holds(rule.destination_ports, destination_port)):
        return False
    return (holds(rule.source and rule.source[source.version], int(source))
            and holds(rule.destination and rule.destination[destination.version], int(destination)))


def service_of(direction, packet):
    """The platform's service that a packet is for, which rules do not govern unless they name it."""
    protocol, _, _, destination, port = packet
    if direction == "Outbound":
        for number, (_, addresses, protocols, ports) in enumerate(SERVICES):
            if destination in addresses and protocol in protocols and port in ports:
                return number
    return None


def decide(asked, packet):
    """Whether a list allows a packet, and the path of the rule. None is the platform's exemption, or that no rule matches."""
    service = service_of(asked.direction, packet)
    for rule in asked.rules:
        if (service is None or service in rule.services) and matches(rule, packet):
            return rule.allows, rule.path
    return service is not None, None


def decide_all(lists, packet):
    """The verdict of an interface as [verdict, NSG, rule]: the first list that denies, or else the last."""
    for asked in lists:
        allows, path = decide(asked, packet)
        if not allows:
            return ["Deny", asked.nsg, path]
    return ["Allow", lists[-1].nsg, path]
