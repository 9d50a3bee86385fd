//! From groups to an answer: rules by name, services, peers by name. What is claimed is put to the oracle first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use palisade_classify::{Verdict, oracle};
use palisade_net::{Direction, Protocol};

use super::{
    Answer, Change, Count, Decider, Effect, Judged, Peer, Peers, Service, WhatIf, decider,
    drift::Comparing,
    judge::{Class, Group},
};
use crate::{
    AnalysisError,
    observed::{AddressBits, Table},
};

/// What makes two changes one.
type Kind = (Effect, Direction, Decider, Decider, bool);

/// A change while it is put together.
#[derive(Debug, Default)]
struct Parts {
    places: BTreeSet<usize>,
    count: Count,
    services: BTreeMap<(Protocol, u16), HashMap<IpAddr, Count>>,
}

impl WhatIf<'_> {
    /// Puts together what was found of all flows, each judged once; peers are called by `peers`.
    ///
    /// # Errors
    /// [`AnalysisError::Refuted`] if the oracle does not confirm a claim.
    pub fn answer(
        &self,
        parts: impl IntoIterator<Item = Judged>,
        peers: &Peers,
    ) -> Result<Answer, AnalysisError> {
        let mut parts = parts.into_iter();
        let mut all = parts.next().unwrap_or_default();
        parts.for_each(|part| all.merge(&part));
        let mut answer = Answer::default();
        let mut comparing = Comparing::default();
        let mut found: BTreeMap<Kind, Parts> = BTreeMap::new();
        let mut kinds: Vec<Option<Kind>> = Vec::new();
        for group in &all.groups {
            let class = self.class(group);
            let before = Decider::new(&group.pair.before, class.before(), group.context.direction);
            let saying = &self.observed.sayings()[group.context.saying];
            comparing.add(group, saying, &before, class.before());
            answer.judged.join(&group.count);
            kinds.push(match kind(group, class, before) {
                Ok(kind) => {
                    let parts = found.entry(kind.clone()).or_default();
                    parts.places.insert(group.context.place);
                    parts.count.join(&group.count);
                    Some(kind)
                }
                Err(other) => {
                    other.of(&mut answer).join(&group.count);
                    None
                }
            });
        }
        serve(&all.v4, &kinds, &mut found);
        serve(&all.v6, &kinds, &mut found);
        answer.changes = found.into_iter().map(|(kind, parts)| change(kind, parts, peers)).collect();
        answer.changes.sort_by_key(|change| (change.effect, Reverse(change.count.flows)));
        answer.drift = comparing.finish();
        answer.changes.iter().try_for_each(|change| self.check_change(change))?;
        let told = answer.drift.disagreements.iter();
        told.map(|said| (&said.count, &said.present))
            .try_for_each(|(count, present)| self.check(count, present, None))?;
        Ok(answer)
    }

    fn class(&self, group: &Group) -> &Class {
        &self.classes[self.class_of[group.context.place]]
    }

    /// Puts the flows that stand for a change, and for each peer of it, to the oracle.
    fn check_change(&self, change: &Change) -> Result<(), AnalysisError> {
        let peers = change.services.iter().flat_map(|service| &service.peers);
        let counts = [&change.count].into_iter().chain(peers.map(|peer| &peer.count));
        counts.into_iter().try_for_each(|count| self.check(count, &change.before, Some(&change.after)))
    }

    /// Puts a flow to the oracle. Where a type is not known there is no one flow to ask about.
    fn check(&self, count: &Count, before: &Decider, after: Option<&Decider>) -> Result<(), AnalysisError> {
        let witness = self.witness(count);
        let tells_types = self.observed.sayings()[witness.saying].by.format.tells_types();
        if !tells_types && witness.flow.protocol().is_icmp() {
            return Ok(());
        }
        let class = &self.classes[self.class_of[witness.place]];
        for (policy, claimed) in [(Some(class.before()), Some(before)), (class.after(), after)] {
            let (Some(policy), Some(claimed)) = (policy, claimed) else { continue };
            let decision = oracle::decide(policy, &witness.flow, self.now);
            if Decider::new(&decision, policy, witness.flow.direction()) != *claimed {
                let claim = format!("a flow of the log is decided by {claimed:?}");
                return Err(AnalysisError::Refuted { claim, flow: witness.flow.into() });
            }
        }
        Ok(())
    }
}

/// What is no change.
enum Other {
    Unchanged,
    Unknown,
    Gone,
}

impl Other {
    const fn of(self, answer: &mut Answer) -> &mut Count {
        match self {
            Self::Unchanged => &mut answer.unchanged,
            Self::Unknown => &mut answer.unknown,
            Self::Gone => &mut answer.gone,
        }
    }
}

fn kind(group: &Group, class: &Class, before: Decider) -> Result<Kind, Other> {
    let (Some(after), Some(policy)) = (&group.pair.after, class.after()) else { return Err(Other::Gone) };
    let effect = match (before.verdict, after.verdict) {
        (Verdict::Allow, Verdict::Deny) => Effect::Breaks,
        (Verdict::Deny, Verdict::Allow) => Effect::Opens,
        (Verdict::Allow, Verdict::Unknown) => Effect::MayBreak,
        (Verdict::Deny, Verdict::Unknown) => Effect::MayOpen,
        (Verdict::Unknown, Verdict::Deny) => Effect::MayHaveBroken,
        (Verdict::Unknown, Verdict::Allow) => Effect::MayHaveOpened,
        (Verdict::Unknown, Verdict::Unknown) => return Err(Other::Unknown),
        _ => return Err(Other::Unchanged),
    };
    let direction = group.context.direction;
    let flushes = decider::flushes(after, policy, direction);
    Ok((effect, direction, before, Decider::new(after, policy, direction), flushes))
}

/// Adds peers of changed flows to their changes.
fn serve<A: AddressBits>(table: &Table<A, Count>, kinds: &[Option<Kind>], found: &mut BTreeMap<Kind, Parts>) {
    for (key, count) in table.keys.iter().zip(&table.tallies) {
        let kind = kinds[key.context as usize].as_ref();
        let parts = kind.and_then(|kind| found.get_mut(kind)).expect("only flows of changes have peers");
        let peers = parts.services.entry((key.protocol, key.destination_port)).or_default();
        peers.entry(key.source.address()).or_default().join(count);
    }
}

fn change((effect, direction, before, after, flushes): Kind, mut parts: Parts, peers: &Peers) -> Change {
    let service = |((protocol, port), found): ((Protocol, u16), HashMap<IpAddr, Count>)| {
        let mut named: BTreeMap<String, (u64, Count)> = BTreeMap::new();
        let mut count = Count::default();
        for (address, one) in &found {
            count.join(one);
            let (addresses, all) = named.entry(peers.name(*address)).or_default();
            *addresses += 1;
            all.join(one);
        }
        let peer = |(name, (addresses, count))| Peer { name, addresses, count };
        let mut peers: Vec<Peer> = named.into_iter().map(peer).collect();
        peers.sort_by_key(|peer| Reverse(peer.count.flows));
        Service { protocol, port, count, peers }
    };
    let mut services: Vec<Service> = std::mem::take(&mut parts.services).into_iter().map(service).collect();
    services.sort_by_key(|service| Reverse(service.count.flows));
    let Parts { places, count, .. } = parts;
    Change { effect, direction, before, after, flushes, places, count, services }
}
