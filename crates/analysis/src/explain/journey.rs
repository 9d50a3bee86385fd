//! The way of one packet: out of its sender, over the network, into its receiver.
//!
//! An end that is not an interface of the estate has no lists that are known, and is no hop. It must not know what could be
//! changed.

use std::net::IpAddr;

use palisade_classify::{Verdict, oracle};
use palisade_model::{
    EffectivePolicy, Estate, IpConfiguration, NextHop, Nic, ResourceId, is_link_control, spec::Given,
};
use palisade_net::{Direction, Flow};

use super::list::{Consulted, consulted};

/// The way of one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journey {
    /// Interfaces that it passes, in its order.
    pub hops: Vec<Hop>,
    /// Where the sender's subnet takes it, all that it may be; empty if the sender is not in the estate.
    pub next: Vec<NextHop>,
    /// Whether it arrives, as far as rules say: both ends let it pass.
    pub verdict: Verdict,
    /// Whether no rule governs it: the link needs it.
    pub link_control: bool,
}

/// One interface on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Where.
    pub place: Place,
    /// The packet as it is seen there.
    pub flow: Flow,
    /// The rules there.
    pub policy: EffectivePolicy,
    /// What they say together.
    pub verdict: Verdict,
    /// What each list says.
    pub lists: Vec<Consulted>,
}

/// What stands at a hop.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// An interface.
    Interface(ResourceId),
    /// An NSG that was asked about alone.
    Alone(ResourceId),
}

/// The way of a packet that one interface of the estate sends or receives.
pub fn explain(estate: &Estate, nic: &Nic, flow: &Flow, now: u32) -> Journey {
    let own = Hop::new(Place::Interface(nic.id().clone()), estate.effective(nic), *flow, now);
    let direction = match flow.direction() {
        Direction::Inbound => Direction::Outbound,
        Direction::Outbound => Direction::Inbound,
    };
    let (source, destination) =
        ((flow.source(), flow.source_port()), (flow.destination(), flow.destination_port()));
    let turned = Flow::new(direction, flow.protocol(), source, destination);
    let turned = turned.expect("a flow's addresses are of one family");
    let other = interface_at(estate, nic, flow.remote());
    let peer = other
        .map(|other| Hop::new(Place::Interface(other.id().clone()), estate.effective(other), turned, now));
    let sender = match flow.direction() {
        Direction::Outbound => Some(nic),
        Direction::Inbound => other,
    };
    let hops = match flow.direction() {
        Direction::Outbound => std::iter::once(own).chain(peer).collect(),
        Direction::Inbound => peer.into_iter().chain([own]).collect(),
    };
    let next = sender.map_or_else(Vec::new, |sender| next_hops(estate, sender, flow.destination()));
    Journey::new(hops, next, flow)
}

/// What an NSG alone says of a packet.
pub fn explain_alone(nsg: &ResourceId, policy: EffectivePolicy, flow: &Flow, now: u32) -> Journey {
    Journey::new(vec![Hop::new(Place::Alone(nsg.clone()), policy, *flow, now)], Vec::new(), flow)
}

impl Journey {
    fn new(hops: Vec<Hop>, next: Vec<NextHop>, flow: &Flow) -> Self {
        let verdict = verdict_of(&hops.iter().map(|hop| hop.verdict).collect::<Vec<_>>());
        Self { hops, next, verdict, link_control: is_link_control(flow) }
    }

    /// Why the network does not take the packet to the machine that it is meant for, if that is sure.
    pub fn is_lost(&self, estate: &Estate) -> bool {
        let [_, receiver] = &self.hops[..] else { return self.next == [NextHop::Nowhere] };
        let network = match &receiver.place {
            Place::Interface(id) => network_of(estate, id),
            Place::Alone(_) => None,
        };
        let arrives = |hop: &NextHop| match hop {
            NextHop::Network(id) => network.as_ref().is_none_or(|network| network == id),
            NextHop::Internet | NextHop::Nowhere => false,
            NextHop::Appliance | NextHop::Gateway | NextHop::Unknown => true,
        };
        !self.next.is_empty() && !self.next.iter().any(arrives)
    }
}

/// What hops say together: a packet passes that all let pass.
pub(super) fn verdict_of(verdicts: &[Verdict]) -> Verdict {
    let wanted = [Verdict::Deny, Verdict::Unknown].into_iter();
    wanted.into_iter().find(|verdict| verdicts.contains(verdict)).unwrap_or(Verdict::Allow)
}

impl Hop {
    fn new(place: Place, policy: EffectivePolicy, flow: Flow, now: u32) -> Self {
        let verdict = match is_link_control(&flow) {
            true => Verdict::Allow,
            false => oracle::decide_by_rules(&policy, &flow, now).verdict,
        };
        let lists = consulted(&policy, &flow, now);
        Self { place, flow, policy, verdict, lists }
    }
}

/// The interface that has an address: one of the same network before others, since networks may share addresses.
fn interface_at<'e>(estate: &'e Estate, from: &Nic, address: IpAddr) -> Option<&'e Nic> {
    let has = |nic: &&Nic| {
        nic.ip_configurations()
            .iter()
            .filter_map(IpConfiguration::address)
            .any(|prefix| prefix.contains(address))
    };
    let near = |nic: &&Nic| {
        let network = network_of(estate, nic.id());
        let reached = next_hops(estate, from, address).into_iter().any(|hop| match hop {
            NextHop::Network(id) => network.as_ref() == Some(&id),
            _ => false,
        });
        !reached
    };
    estate.nics().filter(has).min_by_key(near)
}

fn subnet_of(nic: &Nic) -> Option<&ResourceId> {
    nic.ip_configurations().first().and_then(IpConfiguration::subnet).and_then(Given::known)
}

fn network_of(estate: &Estate, id: &ResourceId) -> Option<ResourceId> {
    estate.nics().find(|nic| nic.id() == id).and_then(subnet_of).and_then(ResourceId::parent)
}

fn next_hops(estate: &Estate, nic: &Nic, address: IpAddr) -> Vec<NextHop> {
    let hops = subnet_of(nic).and_then(|subnet| estate.next_hops(subnet));
    hops.map_or_else(|| vec![NextHop::Unknown], |hops| hops.of(address).into_iter().cloned().collect())
}
