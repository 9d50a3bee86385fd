//! Rules that let needed flows pass at one place of an NSG's list, and nothing that the rules behind that place deny.
//!
//! Peers are chosen by weighted cover, phase after phase; what no object may stand for gets a rule of exactly its packet. It must
//! not know why flows are needed. Invariant: every rule is about peers that are not closed behind the place ([`Behind`]).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use palisade_model::EffectiveLayer;
use palisade_net::{AddressSet, Direction, Family, Flow, PortSet, Protocol, ProtocolMatch};

use super::{
    closed::{Behind, Shape},
    cover::{Candidate, greedy},
    draft::{Draft, merge},
    locals::{Local, Locals},
    objects::{Object, Term},
};

/// Protocol and port of flows, as a rule would say it: any type of ICMP, and no port where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Service {
    protocol: Protocol,
    port: Option<u16>,
}

impl Service {
    fn of(flow: &Flow) -> Self {
        let protocol = flow.protocol();
        let family = if protocol.is_icmp() { Protocol::ICMP } else { protocol };
        Self { protocol: family, port: protocol.has_ports().then_some(flow.destination_port()) }
    }

    fn ports(self) -> PortSet {
        self.port.map_or_else(PortSet::full, |port| [(port, port)].into_iter().collect())
    }

    const fn matched(self) -> ProtocolMatch {
        if self.protocol.is_icmp() { ProtocolMatch::Icmp } else { ProtocolMatch::Number(self.protocol) }
    }
}

/// A place in the list of an NSG.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) direction: Direction,
    /// The list, as each class of interfaces has it.
    pub(crate) lists: Vec<&'a EffectiveLayer>,
    /// The first priority behind the place.
    pub(crate) from: u16,
    pub(crate) now: u32,
    pub(crate) locals: &'a Locals,
    /// Ports that are at most so far apart become a range.
    pub(crate) port_gap: u16,
}

/// Who uses a service of a peer.
type Users = BTreeMap<(Service, IpAddr), BTreeSet<IpAddr>>;

impl Site<'_> {
    /// Rules for `needs`. Objects of a phase are for what the phases before left; with `exactly`, what is left of all gets rules
    /// of exactly its packets. Answers the rules, and the flows that have none.
    pub(crate) fn rules(
        &self,
        needs: &[Flow],
        phases: &[Vec<Object>],
        exactly: bool,
    ) -> (Vec<Draft>, Vec<Flow>) {
        let mut users = Users::new();
        for flow in needs {
            users.entry((Service::of(flow), flow.remote())).or_default().insert(flow.local());
        }
        let mut closed = self.closed_by_service(&users);
        let mut drafts = Vec::new();
        for objects in phases {
            for (object, used) in self.choose(objects, &mut users, &mut closed) {
                drafts.extend(self.drafts(&objects[object], &used));
            }
        }
        let is_left = |flow: &&Flow| users.contains_key(&(Service::of(flow), flow.remote()));
        let left: Vec<Flow> = needs.iter().filter(is_left).copied().collect();
        if !exactly {
            return (merge(drafts), left);
        }
        drafts.extend(left.iter().map(|flow| self.exact(flow)));
        (merge(drafts), Vec::new())
    }

    /// Peers that are closed to a service, for the machines that use it.
    fn closed_by_service(&self, users: &Users) -> Closed {
        let mut machines: BTreeMap<Service, BTreeSet<IpAddr>> = BTreeMap::new();
        for ((service, _), users) in users {
            machines.entry(*service).or_default().extend(users);
        }
        let mut closed = Closed::default();
        for (service, machines) in machines {
            let locals: AddressSet = machines.into_iter().collect();
            let set = self.closed(service.matched(), &service.ports(), &PortSet::full(), &locals);
            closed.add(service, set);
        }
        closed
    }

    fn closed(
        &self,
        protocol: ProtocolMatch,
        ports: &PortSet,
        source_ports: &PortSet,
        locals: &AddressSet,
    ) -> AddressSet {
        let shape = Shape { protocol, ports, source_ports, locals };
        let lists = self.lists.iter().map(|layer| {
            Behind { layer, direction: self.direction, from: self.from, now: self.now }.closed(&shape)
        });
        lists.fold(AddressSet::empty(), |all, set| all.union(&set))
    }

    /// Chooses objects, and takes what they serve out of `users`.
    fn choose(&self, objects: &[Object], users: &mut Users, closed: &mut Closed) -> Vec<(usize, Users)> {
        let points: Vec<(Service, IpAddr)> = users.keys().copied().collect();
        let mut by_peer: BTreeMap<IpAddr, Vec<u32>> = BTreeMap::new();
        for (number, (_, peer)) in (0..).zip(&points) {
            by_peer.entry(*peer).or_default().push(number);
        }
        let candidates: Vec<Candidate> = objects
            .iter()
            .map(|object| {
                let held = peers_in(&by_peer, &object.set);
                let free = held.filter(|point| closed.is_free(points[*point as usize].0, object));
                let mut points: Vec<u32> = free.collect();
                points.sort_unstable();
                closed.next_object();
                Candidate { weight: object.weight, points }
            })
            .collect();
        let mut chosen = Vec::new();
        for index in greedy(points.len(), &candidates) {
            let taken = candidates[index].points.iter().map(|point| points[*point as usize]);
            let served: Users = taken.filter_map(|point| users.remove_entry(&point)).collect();
            chosen.push((index, served));
        }
        chosen
    }

    /// The rules about one object.
    fn drafts(&self, object: &Object, users: &Users) -> Vec<Draft> {
        let mut ports: BTreeMap<(Protocol, Family), Vec<(Local, Service)>> = BTreeMap::new();
        let mut machines: BTreeMap<(Service, Family), BTreeSet<IpAddr>> = BTreeMap::new();
        for ((service, peer), users) in users {
            machines.entry((*service, Family::of(*peer))).or_default().extend(users);
        }
        for ((service, family), used) in machines {
            let local = self.local(object, service, &used, family);
            ports.entry((service.protocol, family)).or_default().push((local, service));
        }
        let mut drafts: Vec<Draft> = Vec::new();
        for ((_, family), services) in ports {
            for (local, service) in services {
                let literal = matches!(local, Local::Prefixes(_)) || matches!(object.term, Term::Prefixes(_));
                let draft = Draft {
                    direction: self.direction,
                    protocol: service.matched(),
                    ports: service.ports(),
                    source_ports: PortSet::full(),
                    local,
                    peer: object.term.clone(),
                    family: literal.then_some(family),
                    tag: None,
                };
                match drafts.iter_mut().find(|other| other.is_like(&draft)) {
                    Some(other) => other.ports = other.ports.union(&draft.ports),
                    None => drafts.push(draft),
                }
            }
        }
        drafts.iter_mut().for_each(|draft| self.join_ports(draft, object));
        drafts
    }

    /// The machines' side of a rule: as wide as the lists behind let it be.
    fn local(&self, object: &Object, service: Service, used: &BTreeSet<IpAddr>, family: Family) -> Local {
        let named = self.locals.name(used, family);
        let meaning = self.locals.meaning(&named);
        let closed = self.closed(service.matched(), &service.ports(), &PortSet::full(), &meaning);
        match closed.intersects(&object.set) {
            true => Local::Prefixes(used.iter().copied().collect()),
            false => named,
        }
    }

    /// Makes ranges of ports that lie near each other, where that opens nothing.
    fn join_ports(&self, draft: &mut Draft, object: &Object) {
        let gap = self.port_gap;
        if gap == 0 {
            return;
        }
        let wide = draft.ports.ranges().iter().map(|&(first, last)| (first, last.saturating_add(gap)));
        let wide: PortSet = wide.collect();
        let hull = |&(first, end): &(u16, u16)| {
            let inside: PortSet = [(first, end)].into_iter().collect();
            let last = draft.ports.intersection(&inside).ranges().last().map_or(first, |range| range.1);
            (first, last)
        };
        let joined: PortSet = wide.ranges().iter().map(hull).collect();
        let locals = self.locals.meaning(&draft.local);
        let closed = self.closed(draft.protocol, &joined, &draft.source_ports, &locals);
        if !closed.intersects(&object.set) {
            draft.ports = joined;
        }
    }

    /// The narrowest rule of a few that lets a flow pass and opens nothing.
    fn exact(&self, flow: &Flow) -> Draft {
        let (protocol, service) = (flow.protocol(), Service::of(flow));
        let one = |port: u16| -> PortSet { [(port, port)].into_iter().collect() };
        let number = ProtocolMatch::Number(protocol);
        let ways = match (protocol.is_icmp(), protocol.has_ports()) {
            (true, _) => vec![
                (ProtocolMatch::Icmp, PortSet::full(), PortSet::full()),
                (ProtocolMatch::Icmp, one(flow.destination_port()), PortSet::full()),
                (number, one(flow.destination_port()), PortSet::full()),
            ],
            (_, true) => vec![
                (number, service.ports(), PortSet::full()),
                (number, service.ports(), one(flow.source_port())),
            ],
            _ => vec![(number, PortSet::full(), PortSet::full())],
        };
        let local: AddressSet = [flow.local()].into_iter().collect();
        let is_open = |(protocol, ports, source_ports): &&(ProtocolMatch, PortSet, PortSet)| {
            !self.closed(*protocol, ports, source_ports, &local).contains(flow.remote())
        };
        let narrowest = ways.last().expect("there is a way for every protocol");
        let (protocol, ports, source_ports) = ways.iter().find(is_open).unwrap_or(narrowest).clone();
        Draft {
            direction: self.direction,
            protocol,
            ports,
            source_ports,
            local: Local::Prefixes(local),
            peer: Term::Prefixes([flow.remote()].into_iter().collect()),
            family: Some(flow.family()),
            tag: None,
        }
    }
}

/// The points of the peers in a set.
fn peers_in<'p>(
    by_peer: &'p BTreeMap<IpAddr, Vec<u32>>,
    set: &'p AddressSet,
) -> impl Iterator<Item = u32> + 'p {
    let v4 =
        set.v4().ranges().iter().map(|&(first, last)| (IpAddr::V4(first.into()), IpAddr::V4(last.into())));
    let v6 =
        set.v6().ranges().iter().map(|&(first, last)| (IpAddr::V6(first.into()), IpAddr::V6(last.into())));
    v4.chain(v6).flat_map(|(first, last)| by_peer.range(first..=last)).flat_map(|(_, points)| points).copied()
}

/// What is closed to each service; most services are closed alike.
#[derive(Debug, Default)]
struct Closed {
    sets: Vec<AddressSet>,
    of: HashMap<Service, usize>,
    /// Whether the object that is asked about is free of each set.
    free: HashMap<usize, bool>,
}

impl Closed {
    fn add(&mut self, service: Service, set: AddressSet) {
        let known = self.sets.iter().position(|known| *known == set);
        let index = known.unwrap_or_else(|| {
            self.sets.push(set);
            self.sets.len() - 1
        });
        self.of.insert(service, index);
    }

    fn is_free(&mut self, service: Service, object: &Object) -> bool {
        let index = self.of[&service];
        let sets = &self.sets;
        *self.free.entry(index).or_insert_with(|| !sets[index].intersects(&object.set))
    }

    fn next_object(&mut self) {
        self.free.clear();
    }
}
