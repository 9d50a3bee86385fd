//! One intent put to the rules of an estate.
//!
//! A class is asked once about all that it may say to the other side. Classes at the other end are asked only if something
//! passes at this one. It must not know how words become addresses.

use std::cell::OnceCell;

use palisade_classify::{Hit, Verdict};
use palisade_model::Addresses;
use palisade_net::{AddressSet, Direction, PortSet, ProtocolMatch};

use super::{
    Service,
    cell::{between, common},
    class::Class,
    end::{Except, Far, Found, Point, Why, settled, without},
    gather::{Claims, Itself, Judges, Setting},
    party::{Near, Party},
    place::{self, Places, united},
};
use crate::{AnalysisError, Block, Limits, Query, reach::reach_where};

/// Most products of the packets that one rule decides at one interface.
const BLOCKS_MAX: usize = 1 << 14;

/// Blocks of packets, each with what the rules say.
type Passing = Vec<(crate::Side, Block)>;

/// An intent with its words resolved.
pub(super) struct Resolved<'q> {
    pub(super) setting: Setting<'q>,
    pub(super) from: Party<'q>,
    pub(super) to: Party<'q>,
    /// Everything if it is empty.
    pub(super) services: &'q [Service],
    pub(super) except: Vec<Except<'q>>,
    /// Whether words mean one thing at one place and another at another.
    pub(super) is_relative: bool,
}

/// A class, and what it lets through to the other side once that was asked.
pub(super) struct Asked {
    class: Class,
    passing: OnceCell<Passing>,
}

/// One side of an intent: the classes that it means.
pub(super) struct Side<'r> {
    direction: Direction,
    other: &'r Party<'r>,
    asked: Vec<Asked>,
    /// What the other side means of each place that has one in a network, by name.
    named: OnceCell<Vec<(usize, Near)>>,
    /// Addresses of all machines that the other side means.
    machines: OnceCell<AddressSet>,
    /// Those that are only asked because of the other end.
    others: OnceCell<Vec<Asked>>,
    find_others: Box<dyn Fn() -> Vec<Asked> + 'r>,
}

impl Asked {
    pub(super) const fn new(class: Class) -> Self {
        Self { class, passing: OnceCell::new() }
    }
}

impl<'r> Side<'r> {
    pub(super) fn new(
        direction: Direction,
        other: &'r Party<'r>,
        asked: Vec<Asked>,
        find_others: Box<dyn Fn() -> Vec<Asked> + 'r>,
    ) -> Self {
        let (named, machines, others) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { direction, other, asked, named, machines, others, find_others }
    }

    /// The places that are asked about.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.asked.iter().flat_map(|asked| asked.class.members.iter().map(|(place, _)| *place))
    }

    fn others(&self) -> &[Asked] {
        self.others.get_or_init(&self.find_others)
    }

    fn named(&self, places: &Places<'_>) -> &[(usize, Near)] {
        self.named.get_or_init(|| {
            let all = places.all.iter().enumerate().filter(|(_, place)| !place.is_loose());
            all.filter_map(|(number, place)| Some((number, self.other.near(place, places.estate)?))).collect()
        })
    }

    fn machines(&self, places: &Places<'_>) -> &AddressSet {
        self.machines.get_or_init(|| {
            let all = places.all.iter().filter(|place| !place.is_loose());
            let all = all.flat_map(|place| self.other.nears(place, places.estate));
            let all: Vec<Near> = all.collect();
            united(all.iter().map(|near| near.addresses.may()))
        })
    }

    /// Source and destination, of this end and the other.
    fn ordered<T>(&self, own: T, other: T) -> [T; 2] {
        match self.direction {
            Direction::Outbound => [own, other],
            Direction::Inbound => [other, own],
        }
    }
}

impl Resolved<'_> {
    /// Claims what the rules of one side stop.
    pub(super) fn stopped(&self, side: &Side<'_>, claims: &mut Claims) -> Result<(), AnalysisError> {
        let places = self.setting.places;
        let is_there = places.all.iter().any(|place| !side.other.nears(place, places.estate).is_empty());
        for Asked { class, .. } in &side.asked {
            // Who is meant only as a network of the other end is asked there.
            if class.near.is_by_network && is_there {
                continue;
            }
            let far = self.everybody(side, class);
            let found =
                self.reached(side, class, far.addresses.may(), |verdict| verdict != Verdict::Allow)?;
            let found = found.into_iter().map(|(side, block)| alone(side, block)).collect();
            let points = side.ordered(Point::Near(class, None), Point::Far(&far, class.first()));
            let themselves = self.themselves(side, class);
            self.claim(&vec![(class, side.direction)], found, points, &themselves, claims)?;
        }
        Ok(())
    }

    /// Claims what the rules of one side let through to or from addresses that are nobody's.
    pub(super) fn let_through(&self, side: &Side<'_>, claims: &mut Claims) -> Result<(), AnalysisError> {
        for asked in &side.asked {
            let class = &asked.class;
            let addresses = side.other.far(class.first(), self.setting.places);
            let far = Far { addresses, assigned: Vec::new() };
            let [sources, destinations] = side.ordered(class.near.addresses.may(), far.addresses.may());
            let passing = self.passing(side, asked)?.iter();
            let found = passing
                .filter_map(|(side, block)| Some(alone(*side, between(block, sources, destinations)?)));
            let points = side.ordered(Point::Near(class, None), Point::Far(&far, class.first()));
            self.claim(&vec![(class, side.direction)], found.collect(), points, &[], claims)?;
        }
        Ok(())
    }

    /// Claims what two machines let through, the sender and the receiver, at least one of which is asked about.
    pub(super) fn let_through_both(
        &self,
        [senders, receivers]: &[Side<'_>; 2],
        claims: &mut Claims,
    ) -> Result<(), AnalysisError> {
        for sender in &senders.asked {
            if !self.passing(senders, sender)?.is_empty() {
                for receiver in receivers.asked.iter().chain(receivers.others()) {
                    self.pair((senders, sender), (receivers, receiver), claims)?;
                }
            }
        }
        for receiver in &receivers.asked {
            if !self.passing(receivers, receiver)?.is_empty() {
                for sender in senders.others() {
                    self.pair((senders, sender), (receivers, receiver), claims)?;
                }
            }
        }
        Ok(())
    }

    fn pair(
        &self,
        (senders, sender): (&Side<'_>, &Asked),
        (receivers, receiver): (&Side<'_>, &Asked),
        claims: &mut Claims,
    ) -> Result<(), AnalysisError> {
        let (from, to) = (&sender.class, &receiver.class);
        let is_itself =
            matches!((&from.members[..], &to.members[..]), ([(one, _)], [(other, _)]) if one == other);
        if from.is_loose || to.is_loose || is_itself {
            return Ok(());
        }
        let leaving = self.passing(senders, sender)?;
        let arriving = self.passing(receivers, receiver)?;
        let mut found = Vec::new();
        for (leaves, one) in leaving {
            for (arrives, other) in arriving {
                let Some(block) = common(one, other) else { continue };
                let (sources, destinations) = (from.near.addresses.may(), to.near.addresses.may());
                let Some(block) = between(&block, sources, destinations) else { continue };
                let is_open = [leaves, arrives].iter().any(|side| side.verdict == Verdict::Unknown);
                let why = is_open.then_some(Why::Rules);
                found.push(Found { block, sides: vec![*leaves, *arrives], why });
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        let network = |class: &Class, other: &Class| match class.near.is_by_network {
            true => self.setting.places.virtual_network(other.first()),
            false => Addresses::any(),
        };
        let [sources, destinations] =
            [network(from, to), network(to, from)].map(|addresses| Far { addresses, assigned: Vec::new() });
        let within = |found: Found| {
            let block = between(&found.block, sources.addresses.may(), destinations.addresses.may())?;
            Some(Found { block, ..found })
        };
        let found = found.into_iter().filter_map(within).collect();
        let networks = [Point::Far(&sources, to.first()), Point::Far(&destinations, from.first())];
        let found = settled(found, networks);
        let points = [Point::Near(from, Some(to.first())), Point::Near(to, Some(from.first()))];
        let both = from.members.iter().filter(|(_, near)| near.addresses.is_certain());
        let themselves: Vec<Itself> = both
            .filter_map(|(place, near)| {
                let (_, there) = to.members.iter().find(|(other, _)| other == place)?;
                Some((near.addresses.must().clone(), there.addresses.must().clone()))
            })
            .collect();
        let judges = vec![(from, Direction::Outbound), (to, Direction::Inbound)];
        self.claim(&judges, found, points, &themselves, claims)
    }

    /// Takes packets in, less what exceptions are about, with what is sure of them.
    fn claim(
        &self,
        judges: &Judges<'_>,
        found: Vec<Found>,
        points: [Point<'_>; 2],
        themselves: &[Itself],
        claims: &mut Claims,
    ) -> Result<(), AnalysisError> {
        let settled = settled(found, points);
        let left = self
            .except
            .iter()
            .fold(settled, |found, except| without(found, except, points, self.setting.places));
        claims.take(judges, left, themselves, &self.setting)
    }

    /// What a class lets through to, or from, anybody on the other side, but what the platform delivers whatever rules say.
    fn passing<'a>(&self, side: &Side<'_>, asked: &'a Asked) -> Result<&'a Passing, AnalysisError> {
        if asked.passing.get().is_none() {
            let class = &asked.class;
            let mut other = side.other.far(class.first(), self.setting.places).may().clone();
            if !class.is_loose {
                other = other.union(side.machines(self.setting.places));
            }
            let mut found = self.reached(side, class, &other, |verdict| verdict != Verdict::Deny)?;
            found.retain(|(side, _)| !matches!(side.hit, Hit::Exempt { .. }));
            asked.passing.get_or_init(|| found);
        }
        Ok(asked.passing.get().expect("it was just asked"))
    }

    /// Everybody on the other side of a class: machines, less the only one of the class itself, and addresses that are nobody's.
    fn everybody(&self, side: &Side<'_>, class: &Class) -> Far {
        let places = self.setting.places;
        let sole = if let [(sole, _)] = class.members[..] { Some(sole) } else { None };
        let named = side.named(places).iter();
        let others = named.filter(|(place, _)| Some(*place) != sole && !class.is_loose);
        let others: Vec<&Near> = others.map(|(_, near)| near).collect();
        let all = |of: fn(&Addresses) -> &AddressSet| united(others.iter().map(|near| of(&near.addresses)));
        let near = place::between(&all(Addresses::must), &all(Addresses::may));
        let addresses = side.other.strangers(class.first(), places).union(&near);
        let assigned = others.into_iter().filter(|near| near.is_assigned).cloned();
        Far { addresses, assigned: assigned.collect() }
    }

    /// The members of a class that the other side means too.
    fn themselves(&self, side: &Side<'_>, class: &Class) -> Vec<Itself> {
        let places = self.setting.places;
        let known = class.members.iter().filter(|(_, near)| near.addresses.is_certain());
        let both = known.map(|(place, near)| {
            let there = side.other.nears(&places.all[*place], places.estate);
            let there = united(there.iter().map(|near| near.addresses.must()));
            side.ordered(near.addresses.must().clone(), there).into()
        });
        both.collect()
    }

    /// What the rules of a class say to packets to, or from, some addresses.
    fn reached(
        &self,
        side: &Side<'_>,
        class: &Class,
        other: &AddressSet,
        is_wanted: fn(Verdict) -> bool,
    ) -> Result<Passing, AnalysisError> {
        let everything = [Service { protocol: ProtocolMatch::Any, ports: PortSet::full() }];
        let services = if self.services.is_empty() { &everything } else { self.services };
        let limits = Limits { blocks: BLOCKS_MAX, ..self.setting.limits };
        let own = class.near.addresses.may();
        let mut found = Vec::new();
        if own.is_empty() || other.is_empty() {
            return Ok(found);
        }
        for service in services {
            let [source, destination] = side.ordered(own, other).map(Clone::clone);
            let query = Query {
                protocol: service.protocol,
                source,
                destination,
                destination_ports: service.ports.clone(),
                ..Query::default()
            };
            let asked = (self.setting.now, &[][..], limits);
            for reached in reach_where(&class.policy, side.direction, &query, asked, is_wanted)? {
                if !reached.region.rest.is_zero() {
                    return Err(AnalysisError::TooScattered { blocks: BLOCKS_MAX });
                }
                found.extend(reached.region.blocks.into_iter().map(|block| (reached.side, block)));
            }
        }
        Ok(found)
    }
}

/// Packets that one end judges.
fn alone(side: crate::Side, block: Block) -> Found {
    let why = (side.verdict == Verdict::Unknown).then_some(Why::Rules);
    Found { block, sides: vec![side], why }
}
