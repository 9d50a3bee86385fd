//! What the numbers of NICs and rules are called, for policies that were in force a while ago too.
//!
//! A flow remembers the policy that judged it last, which may be older than the one in force. So for each slot the names
//! are kept from several generations; a number that is older than all of them stays a number, and is never told as the
//! wrong name.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::compile::RuleNames;
use crate::identity::NicId;

/// So many sets of names are kept for one slot.
pub const GENERATIONS_PER_SLOT_MAX: usize = 8;

/// What a NIC and its rules are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicNames {
    /// Resource id.
    pub id: NicId,
    /// Name.
    pub name: String,
    /// Name of its interface.
    pub interface: String,
    /// Its rules.
    pub rules: Arc<RuleNames>,
}

/// Names by slot.
#[derive(Debug, Clone, Default)]
pub struct NameBook {
    /// Each with the generation since which they are right; the oldest first.
    slots: BTreeMap<u32, VecDeque<(u64, NicNames)>>,
}

impl NameBook {
    /// Notes what a slot's NIC is called since a generation.
    pub fn note(&mut self, slot: u32, since: u64, names: NicNames) {
        let known = self.slots.entry(slot).or_default();
        match known.back_mut() {
            // Names can change without a change of what the kernel is given.
            Some((last, old)) if *last == since => *old = names,
            _ => known.push_back((since, names)),
        }
        if known.len() > GENERATIONS_PER_SLOT_MAX {
            known.pop_front();
        }
    }

    /// The NIC of a slot at a generation, and its rules if these are still known.
    pub fn find(&self, slot: u32, generation: u64) -> Option<(&NicNames, Option<&RuleNames>)> {
        let known = self.slots.get(&slot)?;
        let found = known.iter().rev().find(|(since, _)| *since <= generation);
        match found {
            Some((_, names)) => Some((names, Some(&names.rules))),
            None => known.front().map(|(_, names)| (names, None)),
        }
    }
}
