//! What an intent says of one packet after the other, by its documented meaning and nothing else.

use std::net::IpAddr;

use palisade_analysis::intent::{Exception, Intent, Kind, Service, Shape, Thing};
use palisade_classify::{Verdict, oracle};
use palisade_model::{
    EffectivePolicy, Estate, IpConfiguration, Nic, Nsg, ResourceId, Subnet, TagAddresses, VirtualNetwork,
    spec::Given,
};
use palisade_net::{AddressSet, Direction, Flow, Prefix, Protocol, ProtocolMatch};

use crate::small::NOW;

/// A packet, and the places that judged it.
#[derive(Debug)]
pub struct Judged {
    pub sender: Option<ResourceId>,
    pub receiver: Option<ResourceId>,
    pub flow: Flow,
}

/// An intent and an estate.
pub struct Naive<'a> {
    estate: &'a Estate,
    intent: &'a Intent,
    places: Vec<Place<'a>>,
}

/// A place with its rules.
struct Place<'a> {
    id: &'a ResourceId,
    nic: Option<&'a Nic>,
    /// The subnet that it is in, or is.
    subnet: Option<&'a Subnet>,
    /// NSGs that judge it.
    nsgs: Vec<&'a ResourceId>,
    own: AddressSet,
    is_loose: bool,
    policy: EffectivePolicy,
}

/// Who is at one end of a packet: a place, or nobody.
type Actor<'p> = Option<&'p Place<'p>>;

fn subnets(estate: &Estate) -> impl Iterator<Item = &Subnet> {
    estate.virtual_networks().flat_map(VirtualNetwork::subnets)
}

impl<'a> Naive<'a> {
    pub fn of(estate: &'a Estate, intent: &'a Intent) -> Self {
        let mut places: Vec<Place<'a>> = Vec::new();
        for nic in estate.nics() {
            let configuration = &nic.ip_configurations()[0];
            let subnet =
                subnets(estate).find(|it| configuration.subnet().and_then(Given::known) == Some(it.id()));
            let nsgs = nic.nsg().into_iter().chain(subnet.and_then(Subnet::nsg)).filter_map(Given::known);
            let own = nic.ip_configurations().iter().filter_map(IpConfiguration::address);
            places.push(Place {
                id: nic.id(),
                nic: Some(nic),
                subnet,
                nsgs: nsgs.collect(),
                own: own.collect(),
                is_loose: false,
                policy: estate.effective(nic),
            });
        }
        let alone = |nsg: &'a Nsg, id, subnet: Option<&'a Subnet>, own| Place {
            id,
            nic: None,
            subnet,
            nsgs: vec![nsg.id()],
            own,
            is_loose: subnet.is_none(),
            policy: estate.effective_alone(nsg, None),
        };
        for subnet in subnets(estate) {
            let is_empty = !places.iter().any(|place| place.subnet.is_some_and(|it| it.id() == subnet.id()));
            if let Some(nsg) =
                subnet.nsg().and_then(Given::known).and_then(|id| estate.nsg(id)).filter(|_| is_empty)
            {
                places.push(alone(nsg, subnet.id(), Some(subnet), subnet.addresses().must().clone()));
            }
        }
        for nsg in estate.nsgs() {
            if !places.iter().any(|place| place.nsgs.contains(&nsg.id())) {
                places.push(alone(nsg, nsg.id(), None, AddressSet::full()));
            }
        }
        Self { estate, intent, places }
    }

    /// Packets that violate the intent, and those that do not.
    pub fn judged(&self) -> (Vec<Judged>, Vec<Judged>) {
        let (mut violating, mut others) = (Vec::new(), Vec::new());
        let nobody = std::iter::once(None);
        let actors: Vec<Actor<'_>> = self.places.iter().map(Some).chain(nobody).collect();
        let has = |actor: &Actor<'_>, address| actor.is_none_or(|place| place.own.contains(address));
        for flow in packets() {
            for &sender in actors.iter().filter(|actor| has(actor, flow.source())) {
                for &receiver in actors.iter().filter(|actor| has(actor, flow.destination())) {
                    for (sender, receiver, is_violated) in self.judge(sender, receiver, &flow) {
                        let name = |actor: Actor<'_>| actor.map(|place| place.id.clone());
                        let judged = Judged { sender: name(sender), receiver: name(receiver), flow };
                        if is_violated { violating.push(judged) } else { others.push(judged) }
                    }
                }
            }
        }
        let same = |one: &Judged, other: &Judged| {
            (&one.sender, &one.receiver, one.flow) == (&other.sender, &other.receiver, other.flow)
        };
        violating.dedup_by(|one, other| same(one, other));
        (violating, others)
    }

    /// Who judges a packet between two actors, and whether it violates the intent there.
    fn judge<'p>(
        &self,
        sender: Actor<'p>,
        receiver: Actor<'p>,
        flow: &Flow,
    ) -> Vec<(Actor<'p>, Actor<'p>, bool)> {
        let is_one = matches!((sender, receiver), (Some(one), Some(other)) if one.id == other.id);
        let is_pair = sender.is_some() && receiver.is_some();
        let has_loose = [sender, receiver].into_iter().flatten().any(|place| place.is_loose);
        if is_one || (is_pair && has_loose) || (sender.is_none() && receiver.is_none()) {
            return Vec::new();
        }
        let is_meant = self.is_meant(sender, receiver, flow);
        let outbound = sender.map(|place| passes(place, flow, Direction::Outbound));
        let inbound = receiver.map(|place| passes(place, flow, Direction::Inbound));
        if self.intent.shape == Shape::Allowed {
            let stopped = |passes: Option<bool>| is_meant && passes == Some(false);
            let ends = [(sender, None, outbound), (None, receiver, inbound)];
            let ends =
                ends.into_iter().filter(|(sender, receiver, _)| sender.is_some() || receiver.is_some());
            // One end says the same whoever is at the other: that it is no violation is said only where nobody could make it one.
            return ends
                .map(|(sender, receiver, passes)| (sender, receiver, stopped(passes)))
                .filter(|(.., is_violated)| *is_violated)
                .collect();
        }
        let passes = outbound.unwrap_or(true) && inbound.unwrap_or(true);
        vec![(sender, receiver, is_meant && passes)]
    }

    fn is_meant(&self, sender: Actor<'_>, receiver: Actor<'_>, flow: &Flow) -> bool {
        let Intent { shape, from, to, services, except, .. } = self.intent;
        let any = vec![Thing::Any];
        let (senders, only) = match shape {
            Shape::Only => {
                let exception = Exception { from: from.clone(), ..Exception::default() };
                (&any, Some(exception))
            }
            _ => (from, None),
        };
        self.names(senders, sender, receiver, flow.source(), false)
            && self.names(to, receiver, sender, flow.destination(), false)
            && says(services, flow)
            && !except.iter().chain(&only).any(|except| {
                let names = |things: &Vec<Thing>, own, other, address| {
                    things.is_empty() || self.names(things, own, other, address, true)
                };
                names(&except.from, sender, receiver, flow.source())
                    && names(&except.to, receiver, sender, flow.destination())
                    && says(&except.services, flow)
            })
    }

    /// Whether words mean an actor at an address. `broadly` is said of exceptions: a resource is all its addresses.
    fn names(
        &self,
        things: &[Thing],
        own: Actor<'_>,
        other: Actor<'_>,
        address: IpAddr,
        broadly: bool,
    ) -> bool {
        let is_owned = self.places.iter().any(|place| place.nic.is_some() && place.own.contains(address));
        let is_free = |is_in: bool| is_in && (broadly || !is_owned);
        let is_platform = palisade_model::platform_addresses().contains(address);
        things.iter().any(|thing| match (thing, own) {
            (Thing::Any, Some(_)) => true,
            (Thing::Any, None) => is_free(!is_platform),
            (Thing::Prefix(prefix), Some(place)) => !place.is_loose && prefix.contains(address),
            (Thing::Prefix(prefix), None) => is_free(prefix.contains(address)),
            (Thing::Tag(tag), _) => match (self.estate.tags().addresses(tag), own) {
                (TagAddresses::Known(set), None) => set.contains(address) && !is_platform,
                (TagAddresses::Known(_), Some(_)) => false,
                // Everything is in the one network, and beside it only the platform.
                (_, Some(place)) => other.is_none_or(|_| network().contains(address) || place.is_loose),
                (_, None) => is_free(other.is_some() && network().contains(address)),
            },
            (Thing::Resource { kind, name }, own) => self.is_resource(*kind, name, own, address, broadly),
        })
    }

    fn is_resource(&self, kind: Kind, name: &str, own: Actor<'_>, address: IpAddr, broadly: bool) -> bool {
        let name = name.rsplit('/').next().expect("a name has a last part");
        let is_place = |place: &Place<'_>| match kind {
            Kind::Network => place.subnet.is_some(),
            Kind::Subnet => place.subnet.is_some_and(|subnet| subnet.name() == name),
            Kind::Nic => place.nic.is_some_and(|nic| nic.name() == name),
            Kind::Nsg => place.nsgs.iter().any(|nsg| nsg.name() == name),
            Kind::Group => {
                let configurations = place.nic.into_iter().flat_map(Nic::ip_configurations);
                configurations.flat_map(IpConfiguration::groups).any(|group| group.name() == name)
            }
        };
        let has_places = self.places.iter().any(is_place);
        match own {
            Some(place) => is_place(place),
            None if has_places && !broadly => false,
            None => match kind {
                Kind::Network => network().contains(address),
                Kind::Subnet => {
                    let mut all = subnets(self.estate).filter(|subnet| subnet.name() == name);
                    all.any(|subnet| subnet.addresses().must().contains(address))
                }
                Kind::Nsg => subnets(self.estate).any(|subnet| {
                    subnet.nsg().and_then(Given::known).is_some_and(|nsg| nsg.name() == name)
                        && subnet.addresses().must().contains(address)
                }),
                Kind::Nic | Kind::Group => false,
            },
        }
    }
}

fn network() -> Prefix {
    "10.0.0.0/24".parse().expect("it is a prefix")
}

fn says(services: &[Service], flow: &Flow) -> bool {
    services.is_empty()
        || services.iter().any(|service| {
            let port = service.ports.is_full() || service.ports.contains(flow.destination_port());
            service.protocol == ProtocolMatch::Number(flow.protocol()) && port
        })
}

fn passes(place: &Place<'_>, flow: &Flow, direction: Direction) -> bool {
    let (source, destination) =
        ((flow.source(), flow.source_port()), (flow.destination(), flow.destination_port()));
    let seen = Flow::new(direction, flow.protocol(), source, destination).expect("one family");
    oracle::decide_by_rules(&place.policy, &seen, NOW).verdict == Verdict::Allow
}

/// Packets that rules and words of the tests can tell apart. Services of the platform are not among them.
fn packets() -> Vec<Flow> {
    let addresses = [
        "10.0.0.4",
        "10.0.0.5",
        "10.0.0.6",
        "10.0.0.7",
        "10.0.0.8",
        "10.0.0.9",
        "10.0.0.20",
        "10.0.0.21",
        "10.0.0.22",
        "10.0.0.23",
        "10.0.0.24",
        "10.0.0.25",
        "10.0.0.2",
        "10.0.0.30",
        "10.0.0.99",
        "8.8.8.8",
        "9.9.9.9",
        "172.20.0.1",
        "168.63.129.16",
    ]
    .map(|text| text.parse::<IpAddr>().expect("it is an address"));
    let services = [
        (Protocol::TCP, 22),
        (Protocol::TCP, 443),
        (Protocol::UDP, 22),
        (Protocol::ICMP, 8),
        (Protocol::ICMP, 3),
    ];
    let mut all = Vec::new();
    for source in addresses {
        for destination in addresses.into_iter().filter(|address| *address != addresses[18]) {
            for (protocol, port) in services {
                let from = if protocol.has_ports() { 50_000 } else { 0 };
                all.extend(Flow::new(Direction::Outbound, protocol, (source, from), (destination, port)));
            }
        }
    }
    all
}
