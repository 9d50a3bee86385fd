//! Two policies side by side, and what of them is near to what is edited.
//!
//! A packet that no edited entry may match meets the same entries in both policies, so that only packets of edited entries, and
//! entries that share some with them, need be looked at. It must not know atoms.

use palisade_model::{EffectiveRule, Maybe, Ports};
use palisade_net::ProtocolMatch;

use super::{Entry, Lists};
use crate::align::side_by_side;

impl<'a> Lists<'a> {
    /// Two policies side by side, list by list, of which the second begins with list number `first`: at each place numbers of
    /// entries, those together that match and do the same.
    pub(crate) fn side_by_side(&self, first: u32) -> Vec<[Option<usize>; 2]> {
        let of_list = |list: u32| {
            let from = self.entries.partition_point(|entry| entry.list < list);
            from..self.entries.partition_point(|entry| entry.list <= list)
        };
        let same = |one: usize, other: usize| self.entries[one].is_twin_of(&self.entries[other]);
        (0..first).flat_map(|list| side_by_side(of_list(list), of_list(first + list), same)).collect()
    }

    /// Looks only at packets that entries without a twin may match, of two policies side by side, and leaves out entries that
    /// match none of these: others meet the same entries in both policies, in the same order.
    pub(crate) fn keep_near_edits(&mut self, places: &[[Option<usize>; 2]]) {
        let mut bounds = vec![true; self.entries.len()];
        let twins = places.iter().filter_map(|[one, other]| one.zip(*other));
        twins.for_each(|(one, other)| (bounds[one], bounds[other]) = (false, false));
        let inside: Vec<&Entry<'_>> =
            self.entries.iter().zip(&bounds).filter(|(_, inside)| **inside).map(|(entry, _)| entry).collect();
        let is_near = |entry: &Entry<'_>| inside.iter().any(|bound| bound.is_near(entry));
        let near = self.entries.iter().zip(&bounds).map(|(entry, inside)| *inside || is_near(entry));
        let near: Vec<bool> = near.collect();
        let mut kept = near.iter();
        self.entries.retain(|_| *kept.next().expect("each entry was asked about"));
        let kept = bounds.into_iter().zip(near).filter(|(_, near)| *near);
        self.bounds = Some(kept.map(|(inside, _)| inside).collect());
    }

    /// The entries the packets of which are looked at, if not all packets are.
    pub(crate) fn bounds(&self) -> Option<impl Iterator<Item = &Entry<'a>>> {
        let bounds = self.bounds.as_ref()?;
        Some(self.entries.iter().zip(bounds).filter(|(_, inside)| **inside).map(|(entry, _)| entry))
    }
}

impl Entry<'_> {
    /// False only if there is surely no packet that both it and another may match.
    pub(crate) fn is_near(&self, other: &Self) -> bool {
        self.rule.is_none_or(|rule| other.may_meet(rule))
    }

    /// Whether everything of it is known.
    pub(crate) fn is_exact(&self) -> bool {
        let is_exact = |rule: &EffectiveRule| {
            rule.certain
                && rule.protocol != Maybe::Unknown
                && rule.destination_ports != Ports::Unknown
                && rule.source_ports != Ports::Unknown
                && rule.destination.is_certain()
                && rule.source.is_certain()
        };
        self.access != Maybe::Unknown && self.rule.is_none_or(is_exact)
    }

    /// Of two entries of which everything is known: true only if it matches all that the other matches, as far as equal fields
    /// and fields for everything tell.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        let is_full = |ports: &Ports| matches!(ports, Ports::Known(set) if set.is_full());
        let (Some(rule), Some(other_rule)) = (self.rule, other.rule) else { return false };
        let ports = [
            (&rule.destination_ports, &other_rule.destination_ports),
            (&rule.source_ports, &other_rule.source_ports),
        ];
        let addresses = [(&rule.destination, &other_rule.destination), (&rule.source, &other_rule.source)];
        // What ports mean depends on the protocol.
        let is_for_any = rule.protocol == Maybe::Known(ProtocolMatch::Any)
            && is_full(&rule.destination_ports)
            && is_full(&rule.source_ports);
        (self.service.is_none() || self.service == other.service)
            && (is_for_any || rule.protocol == other_rule.protocol)
            && ports.iter().all(|(one, other)| is_full(one) || one == other)
            && addresses.iter().all(|(one, other)| one.must().is_full() || one == other)
    }

    /// Whether it matches and does the same as another, wherever both stand.
    fn is_twin_of(&self, other: &Self) -> bool {
        let alike = |one: &EffectiveRule, other: &EffectiveRule| {
            one.protocol == other.protocol
                && one.certain == other.certain
                && one.destination_ports == other.destination_ports
                && one.source_ports == other.source_ports
                && one.destination == other.destination
                && one.source == other.source
        };
        let rules = match (self.rule, other.rule) {
            (Some(one), Some(other)) => alike(one, other),
            (None, None) => true,
            _ => false,
        };
        rules && self.access == other.access && self.service == other.service
    }
}
