//! Who knocked: addresses for logons that have none, from what happened in the same second.
//!
//! A failed logon without an address and one without an account, of one guest in one second, are one attempt. Else whoever knocked at
//! the service in that second, by the guest's own events or by flows, is taken for its source, if it was nobody else: of
//! two candidates neither is named, and that is counted. It must not judge what a logon means.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_net::{Direction, Protocol};

use super::{GuestEvent, GuestTold, Logon, LogonOutcome, Trace};
use crate::{Connection, Outcome, Service};

/// Events and flows this far apart are of one attempt: logs of Windows and flow logs round to seconds.
pub const SAME_MS: u64 = 1_000;
/// A flow that began this long before a logon may be its own, also if it goes on afterwards.
const LOGON_MS: u64 = 10_000;
/// A flow that is shorter may be a failed logon's.
const SHORT_MS: u64 = 60_000;

/// Events before and after a logon that are looked at: more in a second are a flood.
const NEAR_MAX: usize = 256;

/// Logons, and how many of them got an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    /// All logons, in the order of time.
    pub logons: Vec<Logon>,
    /// Those whose address another event tells.
    pub by_event: u64,
    /// Those whose address a flow tells.
    pub by_flow: u64,
    /// Those that several addresses could belong to, and that were left without one.
    pub ambiguous: u64,
    /// Those that nothing tells the address of.
    pub unknown: u64,
}

/// Gives logons of events their addresses. `connections` are in the order of their ends.
pub fn join(mut events: Vec<GuestEvent>, connections: &[Connection]) -> Joined {
    events.sort_by(|a, b| a.time_ms.cmp(&b.time_ms).then_with(|| a.machine.cmp(&b.machine)));
    let doors = Doors::of(connections);
    let mut used = vec![false; events.len()];
    let mut joined = Joined::default();
    let mut named: Vec<(usize, Option<(IpAddr, Trace)>)> = Vec::new();
    for at in 0..events.len() {
        if let Some(service) = nameless(&events[at]) {
            let found = by_event(&events, &mut used, at);
            let found =
                if found == Found::Nobody { doors.around(service, events[at].time_ms) } else { found };
            named.push((at, joined.count(found)));
        }
    }
    let silent = silent(&events);
    let mut named = named.into_iter().peekable();
    for (at, event) in events.into_iter().enumerate() {
        let joined_source = named.next_if(|(of, _)| *of == at).and_then(|(_, source)| source);
        let (service, account, source, outcome) = match event.what {
            GuestTold::Logon { service, account, source, outcome } if !used[at] => {
                (service, account, source, outcome)
            }
            GuestTold::Knock { service, source } if silent.contains(&event.machine) => {
                (service, None, Some(source), LogonOutcome::Untold)
            }
            _ => continue,
        };
        let source = source.map(|address| (address, Trace::Told)).or(joined_source);
        let (time_ms, machine) = (event.time_ms, event.machine);
        joined.logons.push(Logon { time_ms, machine, service, account, source, outcome });
    }
    joined
}

/// Guests that tell who comes, and of no logon at all: whoever comes is all that there is.
fn silent(events: &[GuestEvent]) -> BTreeSet<String> {
    let machines = |is_knock: bool| {
        let of = move |event: &&GuestEvent| matches!(event.what, GuestTold::Knock { .. }) == is_knock;
        events.iter().filter(of).map(|event| event.machine.clone()).collect::<BTreeSet<_>>()
    };
    &machines(true) - &machines(false)
}

/// What was found of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    One(IpAddr, Trace),
    Several,
    Nobody,
}

impl Joined {
    fn count(&mut self, found: Found) -> Option<(IpAddr, Trace)> {
        let (counter, source) = match found {
            Found::One(address, Trace::Flow) => (&mut self.by_flow, Some((address, Trace::Flow))),
            Found::One(address, trace) => (&mut self.by_event, Some((address, trace))),
            Found::Several => (&mut self.ambiguous, None),
            Found::Nobody => (&mut self.unknown, None),
        };
        *counter += 1;
        source
    }
}

/// The service of a logon that has an account and no address.
fn nameless(event: &GuestEvent) -> Option<Service> {
    match &event.what {
        GuestTold::Logon { service, account: Some(_), source: None, .. } => Some(*service),
        _ => None,
    }
}

/// The address by other events of the guest in the same second. A failed logon that has an address and no account is used up.
fn by_event(events: &[GuestEvent], used: &mut [bool], at: usize) -> Found {
    let event = &events[at];
    let has_failed = matches!(event.what, GuestTold::Logon { outcome: LogonOutcome::Failed, .. });
    let around = |near: &usize| {
        let other = &events[*near];
        other.machine == event.machine && other.time_ms.abs_diff(event.time_ms) <= SAME_MS
    };
    let is_near = |near: &usize| events[*near].time_ms.abs_diff(event.time_ms) <= SAME_MS;
    let before = (0..at).rev().take_while(is_near).take(NEAR_MAX);
    let after = (at + 1..events.len()).take_while(is_near).take(NEAR_MAX);
    let near: Vec<usize> = before.chain(after).filter(around).collect();
    let halves: Vec<(usize, IpAddr)> = near
        .iter()
        .filter(|near| has_failed && !used[**near])
        .filter_map(|near| Some((*near, half(&events[*near])?)))
        .collect();
    let knocks = near.iter().filter_map(|near| knock(&events[*near]));
    match (one_of(halves.iter().map(|(_, address)| *address)), one_of(knocks)) {
        (Found::One(address, _), _) => {
            let nearest = halves.iter().min_by_key(|(half, _)| events[*half].time_ms.abs_diff(event.time_ms));
            nearest.into_iter().for_each(|(half, _)| used[*half] = true);
            Found::One(address, Trace::Event)
        }
        (Found::Several, _) => Found::Several,
        (Found::Nobody, found) => found,
    }
}

/// The address of a failed logon that has no account.
const fn half(event: &GuestEvent) -> Option<IpAddr> {
    match &event.what {
        GuestTold::Logon { account: None, source, outcome: LogonOutcome::Failed, .. } => *source,
        _ => None,
    }
}

const fn knock(event: &GuestEvent) -> Option<IpAddr> {
    match &event.what {
        GuestTold::Knock { source, .. } => Some(*source),
        GuestTold::Logon { .. } => None,
    }
}

/// The address, if all are the same.
fn one_of(mut addresses: impl Iterator<Item = IpAddr>) -> Found {
    let Some(first) = addresses.next() else { return Found::Nobody };
    if addresses.all(|address| address == first) { Found::One(first, Trace::Event) } else { Found::Several }
}

/// Flows that a logon may have come by, in the order of their beginnings, of each service.
#[derive(Debug)]
struct Doors<'a> {
    flows: Vec<(Service, &'a Connection)>,
}

impl<'a> Doors<'a> {
    fn of(connections: &'a [Connection]) -> Self {
        let door = |connection: &'a Connection| {
            let flow = &connection.flow;
            let is_in = flow.direction() == Direction::Inbound && flow.protocol() == Protocol::TCP;
            let is_through = matches!(connection.outcome, Outcome::Answered | Outcome::Unknown);
            let service = Service::at(flow.destination_port()).filter(|_| is_in && is_through)?;
            Some((service, connection))
        };
        let mut flows: Vec<_> = connections.iter().filter_map(door).collect();
        flows.sort_by_key(|(_, connection)| connection.start_ms);
        Self { flows }
    }

    /// Who came to a service around a moment.
    fn around(&self, service: Service, time_ms: u64) -> Found {
        let start = |(_, connection): &(Service, &Connection)| connection.start_ms;
        let begin = self.flows.partition_point(|door| start(door).saturating_add(SHORT_MS) < time_ms);
        let end = self.flows.partition_point(|door| start(door) <= time_ms.saturating_add(SAME_MS));
        let is_its = |connection: &Connection| {
            let lasts = connection.end_ms.saturating_add(SAME_MS) >= time_ms;
            lasts
                && (connection.duration_ms() < SHORT_MS
                    || connection.start_ms.saturating_add(LOGON_MS) >= time_ms)
        };
        let its = self.flows[begin.min(end)..end].iter().filter(|(of, c)| *of == service && is_its(c));
        match one_of(its.map(|(_, c)| c.flow.source().to_canonical())) {
            Found::One(address, _) => Found::One(address, Trace::Flow),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
