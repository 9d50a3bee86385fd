//! From packets to violations and doubts: grouped by the interfaces and the rules that judge them, counted, with one witness.
//!
//! A machine's packets to itself never leave it, so they are in no claim. Invariant: the oracle has confirmed every witness at
//! each end.

use std::{collections::BTreeMap, net::IpAddr};

use palisade_model::ResourceId;
use palisade_net::{AddressSet, Direction, Flow, Prefix};

use super::{
    Doubt, End, Violation,
    cell::{self, with_addresses},
    class::Class,
    end::{Found, Why},
    party::Near,
    place::Places,
};
use crate::{AnalysisError, Block, Limits, PerFamily, Region, Side, Volume, region};

/// What every question of one run shares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) places: &'a Places<'a>,
    pub(super) now: u32,
    pub(super) limits: Limits,
}

/// The classes that judge packets, each in a direction.
pub(super) type Judges<'c> = Vec<(&'c Class, Direction)>;

/// The addresses of one machine that is at both ends: as the sender, and as the receiver.
pub(super) type Itself = (AddressSet, AddressSet);

/// Most violations and doubts of one intent.
const GROUPS_MAX: usize = 1 << 16;

/// What is found of an intent, as it is found.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) violations: Vec<Violation>,
    pub(super) possible: Vec<(Why, Violation)>,
}

impl Claims {
    /// Takes packets in that the same classes judge.
    pub(super) fn take(
        &mut self,
        judges: &Judges<'_>,
        found: Vec<Found>,
        themselves: &[Itself],
        setting: &Setting<'_>,
    ) -> Result<(), AnalysisError> {
        let mut groups: BTreeMap<(Vec<Side>, Option<Why>), Vec<Block>> = BTreeMap::new();
        for Found { block, sides, why } in found {
            groups.entry((sides, why)).or_default().push(block);
        }
        for ((sides, why), blocks) in groups {
            if self.violations.len() + self.possible.len() == GROUPS_MAX {
                return Err(AnalysisError::TooMany { groups: GROUPS_MAX });
            }
            let Some(violation) = violation(judges, &sides, blocks, themselves, setting) else { continue };
            for end in &violation.ends {
                end.side.confirm(&end.policy, &seen(&violation.example, end.direction), setting.now)?;
            }
            match why {
                None => self.violations.push(violation),
                Some(why) => self.possible.push((why, violation)),
            }
        }
        Ok(())
    }
}

/// A flow as the interface at one of its ends sees it.
fn seen(flow: &Flow, direction: Direction) -> Flow {
    let source = (flow.source(), flow.source_port());
    let destination = (flow.destination(), flow.destination_port());
    Flow::new(direction, flow.protocol(), source, destination).expect("a flow is of one family")
}

fn violation(
    judges: &Judges<'_>,
    sides: &[Side],
    blocks: Vec<Block>,
    themselves: &[Itself],
    setting: &Setting<'_>,
) -> Option<Violation> {
    let between_two = |block: &Block| between_two(block, themselves);
    let blocks: Vec<Block> = blocks.into_iter().filter(|block| between_two(block).is_some()).collect();
    let (_, direction) = judges.first()?;
    let best = blocks.iter().min_by_key(|block| !block.protocols.contains(&palisade_net::Protocol::TCP))?;
    let example = cell::example(&between_two(best)?, *direction, &machine(judges[0].0));
    let count = |blocks: &[Block]| {
        let mut volume = PerFamily::<Volume>::default();
        for block in blocks {
            *volume.of_mut(block.family) += cell::volume(block) - with_itself(block, themselves);
        }
        volume
    };
    let ends = judges.iter().zip(sides).map(|(&(class, direction), &side)| End {
        members: members(class, direction, &blocks, setting.places),
        witness: witness(class, &seen(&example, direction), setting.places),
        direction,
        side,
        policy: class.policy.clone(),
    });
    let ends = ends.collect();
    let volume = count(&blocks);
    let mut joined = region::joined(&blocks);
    joined.truncate(setting.limits.blocks);
    let shown = count(&joined);
    let rest = (volume.v4 - shown.v4) + (volume.v6 - shown.v6);
    Some(Violation { ends, region: Region { blocks: joined, rest }, volume, example })
}

/// The names of those members whose addresses are in some block; all, where addresses are not known.
fn members(class: &Class, direction: Direction, blocks: &[Block], places: &Places<'_>) -> Vec<ResourceId> {
    let own = |block: &'_ Block| match direction {
        Direction::Inbound => block.destinations.clone(),
        Direction::Outbound => block.sources.clone(),
    };
    let is_meant = |near: &AddressSet| blocks.iter().any(|block| own(block).intersects(near));
    let meant = class.members.iter().filter(|(_, near)| is_meant(near.addresses.may()));
    meant.map(|(place, _)| places.all[*place].id().clone()).collect()
}

/// The member that sees a flow.
fn witness(class: &Class, flow: &Flow, places: &Places<'_>) -> ResourceId {
    let has_it = |(_, near): &&(usize, Near)| near.addresses.may().contains(flow.local());
    let place = class.members.iter().find(has_it).map_or(class.first(), |(place, _)| *place);
    places.all[place].id().clone()
}

/// Known addresses of some of a class's machines.
fn machine(class: &Class) -> Vec<IpAddr> {
    /// Machines that are looked at for an address.
    const SHOWN: usize = 4;
    let known = class.members.iter().take(SHOWN).flat_map(|(_, near)| near.addresses.must().prefixes());
    known.map(Prefix::address).collect()
}

/// Packets of a block that are from one machine to another; `None` if there are none.
fn between_two(block: &Block, themselves: &[Itself]) -> Option<Block> {
    if themselves.is_empty() {
        return Some(block.clone());
    }
    let others = themselves.iter().fold(block.sources.clone(), |rest, (own, _)| rest.difference(own));
    if let Some(found) = with_addresses(block, others, block.destinations.clone()) {
        return Some(found);
    }
    themselves.iter().find_map(|(sender, receiver)| {
        let destinations = block.destinations.difference(receiver);
        with_addresses(block, block.sources.intersection(sender), destinations)
    })
}

/// How many packets of a block are from a machine to itself.
fn with_itself(block: &Block, themselves: &[Itself]) -> Volume {
    let of = |(sender, receiver): &Itself| {
        let (sources, destinations) =
            (block.sources.intersection(sender), block.destinations.intersection(receiver));
        cell::volume_between(block, &sources, &destinations)
    };
    themselves.iter().map(of).sum()
}

/// What is open, in words.
pub(super) fn doubt(why: Why, open: &[String], possible: Violation) -> Doubt {
    let why = match why {
        Why::Rules => "what the rules say is not known".to_owned(),
        Why::Address => "the deployment assigns an address".to_owned(),
        Why::Name if open.is_empty() => "who is meant is not known".to_owned(),
        Why::Exception if open.is_empty() => "whom an exception means is not known".to_owned(),
        Why::Name | Why::Exception => open.join("; "),
    };
    Doubt { why, possible: Some(possible) }
}
