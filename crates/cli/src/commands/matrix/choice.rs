//! Which ends and services a person asks about.
//!
//! A name may be that of an interface, of something that interfaces are in or behind, of a tag; or it is an address. It must
//! not ask rules.

use std::{net::IpAddr, str::FromStr};

use palisade_analysis::{
    Query,
    matrix::{FamilyPlan, Member, named},
};
use palisade_model::{Estate, IpConfiguration, Nic, ResourceId, TagAddresses, TagName, spec::Given};
use palisade_net::{AddressSet, PortRange, PortSet, Prefix, ProtocolMatch};

use super::view::End;
use crate::exit::Failure;

/// A service as a person writes it.
#[derive(Debug, Clone)]
pub struct ServiceName(Vec<(ProtocolMatch, PortSet)>);

impl ServiceName {
    /// What it means.
    pub fn queries(&self) -> impl Iterator<Item = Query> + '_ {
        self.0.iter().map(|(protocol, ports)| Query {
            protocol: *protocol,
            destination_ports: ports.clone(),
            ..Query::default()
        })
    }
}

impl FromStr for ServiceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known: Vec<_> =
            named(text).map(|(protocol, port)| (ProtocolMatch::Number(protocol), one(port, port))).collect();
        if !known.is_empty() {
            return Ok(Self(known));
        }
        let (protocol, ports) = text.split_once('/').unwrap_or((text, "*"));
        let wrong =
            || format!("\"{text}\" is no service (write tcp/3389, udp/53, tcp/8000-8999, icmp, or ssh)");
        let protocol = protocol.parse().map_err(|()| wrong())?;
        let ports = match ports {
            "*" => PortSet::full(),
            range => {
                let range: PortRange = range.parse().map_err(|_| wrong())?;
                one(range.first(), range.last())
            }
        };
        Ok(Self(vec![(protocol, ports)]))
    }
}

fn one(first: u16, last: u16) -> PortSet {
    [(first, last)].into_iter().collect()
}

/// The ends that were asked for.
pub struct Chosen {
    /// Peers outside that are no row without being asked for.
    pub outside: Vec<(String, AddressSet)>,
    /// From, and to; every end where nothing is chosen.
    sides: [Vec<Name>; 2],
}

/// What a name stands for.
#[derive(Debug, Clone)]
enum Name {
    /// Interfaces.
    Interfaces(Vec<ResourceId>),
    /// An address that an interface has.
    Address(IpAddr),
    /// A peer outside, by its name.
    Outside(String),
}

impl Chosen {
    /// Reads the names.
    pub fn read(estate: &Estate, sides: [&[String]; 2]) -> Result<Self, Failure> {
        let mut chosen = Self { outside: Vec::new(), sides: [Vec::new(), Vec::new()] };
        for (side, texts) in sides.into_iter().enumerate() {
            for text in texts {
                let name = chosen.name(estate, text)?;
                chosen.sides[side].push(name);
            }
        }
        Ok(chosen)
    }

    fn name(&mut self, estate: &Estate, text: &str) -> Result<Name, Failure> {
        if let Ok(prefix) = Prefix::parse_truncating(text) {
            let own = estate.nics().flat_map(Nic::ip_configurations).filter_map(IpConfiguration::address);
            let is_host = prefix.address() == prefix.last();
            if is_host && own.into_iter().any(|own| own.contains(prefix.address())) {
                return Ok(Name::Address(prefix.address()));
            }
            return Ok(self.outside(text, [prefix].into_iter().collect()));
        }
        let found: Vec<ResourceId> =
            estate.nics().filter(|nic| is_meant(estate, nic, text)).map(|nic| nic.id().clone()).collect();
        if !found.is_empty() {
            return Ok(Name::Interfaces(found));
        }
        let tag = text.parse::<TagName>().ok().map(|tag| (tag.to_string(), estate.tags().addresses(&tag)));
        match tag {
            Some((name, TagAddresses::Known(set))) => Ok(self.outside(&name, set)),
            _ => Err(Failure::input(format!(
                "\"{text}\" is no interface, subnet, network, NSG or application security group with an interface, \
                 no known tag, and no address"
            ))),
        }
    }

    fn outside(&mut self, name: &str, set: AddressSet) -> Name {
        if !self.outside.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            self.outside.push((name.to_owned(), set));
        }
        Name::Outside(name.to_owned())
    }

    /// The rows and the columns.
    pub fn ends(&self, plan: &FamilyPlan, expand: bool) -> [Vec<End>; 2] {
        let all = all_ends(plan, expand);
        self.sides.each_ref().map(|names| {
            let is_chosen = |end: &&End| names.is_empty() || names.iter().any(|name| name.means(end));
            let mut found: Vec<End> = all.iter().filter(is_chosen).cloned().collect();
            if !names.is_empty() {
                let only = |member: &Member| names.iter().any(|name| name.means_member(member));
                found
                    .iter_mut()
                    .filter(|end| !end.members.is_empty())
                    .for_each(|end| end.members.retain(only));
            }
            found
        })
    }
}

impl Name {
    fn means(&self, end: &End) -> bool {
        match self {
            Self::Outside(name) => end.members.is_empty() && end.label.eq_ignore_ascii_case(name),
            _ => end.members.iter().any(|member| self.means_member(member)),
        }
    }

    fn means_member(&self, member: &Member) -> bool {
        match self {
            Self::Interfaces(ids) => ids.contains(&member.nic),
            Self::Address(address) => member.address.is_some_and(|own| own.contains(*address)),
            Self::Outside(_) => false,
        }
    }
}

/// Whether an interface has a name, or is in or behind something that has it.
fn is_meant(estate: &Estate, nic: &Nic, text: &str) -> bool {
    let is = |id: &ResourceId| id.as_str().eq_ignore_ascii_case(text) || id.name().eq_ignore_ascii_case(text);
    let subnets = nic.ip_configurations().iter().filter_map(IpConfiguration::subnet);
    let mut subnets = subnets.filter_map(Given::known);
    let mut groups = nic.ip_configurations().iter().flat_map(IpConfiguration::groups);
    is(nic.id())
        || nic.nsg().and_then(Given::known).is_some_and(is)
        || groups.any(is)
        || subnets.any(|id| {
            let subnet = estate.subnet(id);
            let nsg = subnet.and_then(|(_, subnet)| subnet.nsg()).and_then(Given::known);
            is(id) || id.parent().is_some_and(|network| is(&network)) || nsg.is_some_and(is)
        })
}

/// Every end, by a name that no other has.
fn all_ends(plan: &FamilyPlan, expand: bool) -> Vec<End> {
    let mut ends = Vec::new();
    for (node, found) in plan.nodes().iter().enumerate() {
        let groups: Vec<Vec<Member>> = match expand && !found.is_outside() {
            true => found.members.iter().map(|member| vec![member.clone()]).collect(),
            false => vec![found.members.clone()],
        };
        for members in groups {
            let label = match members.first() {
                None => found.name.clone(),
                Some(first) => first.nic.name().to_owned(),
            };
            ends.push(End { node, label, members });
        }
    }
    distinguish(&mut ends);
    ends
}

/// Adds the configuration, or else the group, where two ends would have one name.
fn distinguish(ends: &mut [End]) {
    let more: [fn(&Member) -> String; 2] = [
        |member| member.configuration.clone(),
        |member| member.nic.segment("resourceGroups").unwrap_or("").to_owned(),
    ];
    for add in more {
        let labels: Vec<String> = ends.iter().map(|end| end.label.clone()).collect();
        for end in ends.iter_mut() {
            let twice = labels.iter().filter(|label| **label == end.label).count() > 1;
            if let (true, Some(first)) = (twice, end.members.first()) {
                end.label = format!("{}/{}", end.label, add(first));
            }
        }
    }
}
