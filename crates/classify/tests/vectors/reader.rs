//! The words of the vector files. A line is a resource, a flow with its answer, or a comment after `#`.
//!
//! ```text
//! estate NAME [like NAME]                          begins an estate, with everything of an earlier one
//! network NAME PREFIXES                            lists are written with commas
//! subnet NETWORK/NAME PREFIXES [nsg NSG] [routes TABLE]
//! peer NETWORK OTHER [gateway]                     one side of a peering; `gateway` uses the other's gateway
//! learned NETWORK PREFIXES                         what the network's gateway learned
//! routes TABLE PREFIXES                            `no-gateway` among the prefixes refuses what gateways learned
//! nsg NAME
//! rule NSG in|out PRIORITY ACCESS PROTOCOL SOURCE PORTS -> DESTINATION PORTS as NAME
//! group NAME                                       an application security group; a rule writes group:NAME,NAME
//! admin COLLECTION NETWORKS
//! admin-rule COLLECTION ...                        as a rule
//! tag NAME PREFIXES                                the contents of a tag file
//! nic NAME NETWORK/SUBNET ADDRESSES|? [nsg NSG] [groups NAMES] [public SKU] [endpoint]
//! NIC inbound|outbound PROTOCOL SOURCE -> DESTINATION = ANSWER
//! ```
//!
//! An address of a flow is `10.0.0.4`, `10.0.0.4:80` or `[fd00::4]:80`; the destination port of ICMP is its type.

use std::net::{IpAddr, SocketAddr};

use palisade_model::{
    ResourceId, TagCatalog, TagName,
    spec::{
        AdminCollectionSpec, AdminRuleSpec, AsgSpec, At, EstateSpec, IpConfigurationSpec,
        LearnedPrefixesSpec, NicSpec, NsgSpec, PeeringSpec, PublicIpSpec, RouteSpec, RouteTableSpec,
        RuleSpec, SideSpec, SubnetSpec, Text, TextList, VirtualNetworkSpec,
    },
};
use palisade_net::{Flow, Prefix, Protocol, ProtocolMatch};

/// An estate and the questions about it.
#[derive(Clone, Default)]
pub struct Section {
    pub name: String,
    pub spec: EstateSpec,
    tags: Vec<(TagName, Vec<Prefix>)>,
    pub questions: Vec<Question>,
}

/// A flow, and what is to happen to it.
#[derive(Clone)]
pub struct Question {
    pub line: usize,
    pub text: String,
    pub nic: String,
    pub flow: Flow,
    pub expected: String,
}

impl Section {
    /// The tag file: empty if the estate has no `tag` line.
    pub fn tags(&self) -> TagCatalog {
        if self.tags.is_empty() { TagCatalog::default() } else { TagCatalog::new(self.tags.clone()) }
    }
}

/// Reads a file; panics at a line that it does not understand.
pub fn read(file: &str, text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["estate", name] => sections.push(Section { name: (*name).to_owned(), ..Section::default() }),
            ["estate", name, "like", other] => {
                let other = sections.iter().find(|section| section.name == *other);
                let other = other.unwrap_or_else(|| panic!("{file}:{}: no such estate: {line}", index + 1));
                sections.push(Section { name: (*name).to_owned(), questions: Vec::new(), ..other.clone() });
            }
            words => {
                let section = sections.last_mut().expect("a file begins with an estate");
                take(section, words, index + 1, line)
                    .unwrap_or_else(|| panic!("{file}:{}: cannot be read: {line}", index + 1));
            }
        }
    }
    sections
}

fn take(section: &mut Section, words: &[&str], line: usize, text: &str) -> Option<()> {
    let spec = &mut section.spec;
    match words {
        ["network", name, prefixes] => spec.virtual_networks.push(VirtualNetworkSpec {
            address_prefixes: Some(texts(prefixes)),
            ..VirtualNetworkSpec::new(id("vnets", name))
        }),
        ["subnet", path, prefixes, rest @ ..] => {
            let (network, name) = path.split_once('/')?;
            let network = spec.virtual_networks.iter_mut().find(|found| found.id == id("vnets", network))?;
            let mut subnet = SubnetSpec {
                address_prefixes: Some(texts(prefixes)),
                ..SubnetSpec::new(network.id.child("subnets", name))
            };
            for pair in rest.chunks(2) {
                match pair {
                    ["nsg", nsg] => subnet.nsg = Some(At::known(id("nsgs", nsg))),
                    ["routes", table] => subnet.route_table = Some(At::known(id("tables", table))),
                    _ => return None,
                }
            }
            network.subnets.push(subnet);
        }
        ["peer", network, other, rest @ ..] => {
            let network = spec.virtual_networks.iter_mut().find(|found| found.id == id("vnets", network))?;
            let use_remote_gateways = (rest == ["gateway"]).into();
            network
                .peerings
                .push(PeeringSpec { use_remote_gateways, ..PeeringSpec::new(id("vnets", other)) });
        }
        ["learned", network, prefixes] => spec.learned_prefixes.push(LearnedPrefixesSpec {
            virtual_network: At::known(id("vnets", network)),
            address_prefixes: texts(prefixes),
        }),
        ["routes", table, prefixes] => {
            let prefixes: Vec<&str> = prefixes.split(',').collect();
            let routes = prefixes.iter().filter(|prefix| **prefix != "no-gateway").enumerate();
            spec.route_tables.push(RouteTableSpec {
                routes: routes
                    .map(|(n, p)| RouteSpec::new(&format!("r{n}"), p, "VirtualAppliance"))
                    .collect(),
                disable_gateway_propagation: prefixes.contains(&"no-gateway").into(),
                ..RouteTableSpec::new(id("tables", table))
            });
        }
        ["nsg", name] => spec.nsgs.push(NsgSpec::new(id("nsgs", name))),
        ["group", name] => spec.asgs.push(AsgSpec::new(id("asgs", name))),
        ["tag", name, prefixes] => {
            let prefixes = prefixes.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
            section.tags.push((name.parse().ok()?, prefixes));
        }
        ["rule", nsg, rule @ ..] => {
            let nsg = spec.nsgs.iter_mut().find(|found| found.id == id("nsgs", nsg))?;
            nsg.rules.push(user_rule(rule)?);
        }
        ["admin", name, networks] => {
            let networks = networks.split(',').map(|network| id("vnets", network));
            spec.admin_collections.push(AdminCollectionSpec::new(id("admin", name), networks));
        }
        ["admin-rule", name, rule @ ..] => {
            let found = spec.admin_collections.iter_mut().find(|found| found.id == id("admin", name))?;
            found.rules.push(admin_rule(rule)?);
        }
        ["nic", name, path, addresses, rest @ ..] => nic(spec, name, path, addresses, rest)?,
        _ => section.questions.push(question(text, line)?),
    }
    Some(())
}

fn id(kind: &str, name: &str) -> ResourceId {
    ResourceId::new(&format!("/{kind}/{name}"))
}

fn list(words: &str) -> Vec<Text> {
    words.split(',').map(Text::known).collect()
}

fn texts(words: &str) -> TextList {
    At::known(list(words))
}

fn direction(word: &str) -> Option<Text> {
    match word {
        "in" => Some(Text::known("Inbound")),
        "out" => Some(Text::known("Outbound")),
        _ => None,
    }
}

fn user_rule(words: &[&str]) -> Option<RuleSpec> {
    let [way, priority, access, protocol, from, from_ports, "->", to, to_ports, "as", name] = words else {
        return None;
    };
    Some(RuleSpec {
        protocol: Some(Text::known(*protocol)),
        source: side(from, from_ports),
        destination: side(to, to_ports),
        access: Some(Text::known(*access)),
        priority: Some(Text::known(*priority)),
        direction: Some(direction(way)?),
        ..RuleSpec::new(name)
    })
}

fn side(addresses: &str, ports: &str) -> SideSpec {
    let mut side = SideSpec { port_ranges: Some(texts(ports)), ..SideSpec::default() };
    if let Some(groups) = addresses.strip_prefix("group:") {
        let groups: Vec<_> = groups.split(',').map(|group| At::known(id("asgs", group))).collect();
        side.groups = Some(At::known(groups));
    } else if addresses.contains(',') {
        side.address_prefixes = Some(texts(addresses));
    } else {
        side.address_prefix = Some(Text::known(addresses));
    }
    side
}

fn admin_rule(words: &[&str]) -> Option<AdminRuleSpec> {
    let [way, priority, access, protocol, from, from_ports, "->", to, to_ports, "as", name] = words else {
        return None;
    };
    Some(AdminRuleSpec {
        protocol: Some(Text::known(*protocol)),
        sources: list(from),
        source_port_ranges: list(from_ports),
        destinations: list(to),
        destination_port_ranges: list(to_ports),
        access: Some(Text::known(*access)),
        priority: Some(Text::known(*priority)),
        direction: Some(direction(way)?),
        ..AdminRuleSpec::new(name)
    })
}

fn nic(spec: &mut EstateSpec, name: &str, path: &str, addresses: &str, mut rest: &[&str]) -> Option<()> {
    let (network, subnet) = path.split_once('/')?;
    let subnet = id("vnets", network).child("subnets", subnet);
    let mut nic = NicSpec::new(id("nics", name));
    nic.ip_configurations = addresses
        .split(',')
        .map(|address| IpConfigurationSpec {
            private_address: (address != "?").then(|| Text::known(address)),
            ..IpConfigurationSpec::new(address, subnet.clone())
        })
        .collect();
    loop {
        rest = match rest {
            [] => break,
            ["nsg", nsg, rest @ ..] => {
                nic.nsg = Some(At::known(id("nsgs", nsg)));
                rest
            }
            ["groups", groups, rest @ ..] => {
                for configuration in &mut nic.ip_configurations {
                    configuration.asgs =
                        groups.split(',').map(|group| At::known(id("asgs", group))).collect();
                }
                rest
            }
            ["public", sku, rest @ ..] => {
                let ip = id("ips", name);
                nic.ip_configurations[0].public_ip = Some(At::known(ip.clone()));
                spec.public_ips.push(PublicIpSpec { sku: Some(Text::known(*sku)), ..PublicIpSpec::new(ip) });
                rest
            }
            ["endpoint", rest @ ..] => {
                nic.private_endpoint = true;
                rest
            }
            _ => return None,
        };
    }
    spec.nics.push(nic);
    Some(())
}

fn question(text: &str, line: usize) -> Option<Question> {
    let (asked, expected) = text.split_once(" = ")?;
    let words: Vec<&str> = asked.split_whitespace().collect();
    let [nic, direction, protocol, source, "->", destination] = words.as_slice() else { return None };
    let (source, destination) = (endpoint(source)?, endpoint(destination)?);
    let protocol = match protocol.parse().ok()? {
        ProtocolMatch::Icmp if source.0.is_ipv6() => Protocol::ICMPV6,
        ProtocolMatch::Icmp => Protocol::ICMP,
        ProtocolMatch::Number(protocol) => protocol,
        ProtocolMatch::Any => return None,
    };
    let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
    let flow = Flow::new(direction.parse().ok()?, protocol, source, destination)?;
    Some(Question { line, text: text.to_owned(), nic: (*nic).to_owned(), flow, expected })
}

fn endpoint(word: &str) -> Option<(IpAddr, u16)> {
    let with_port = word.parse::<SocketAddr>().map(|found| (found.ip(), found.port()));
    with_port.ok().or_else(|| Some((word.parse().ok()?, 0)))
}
