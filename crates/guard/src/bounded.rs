//! Memory with a limit: a map that forgets what has been quiet longest, and a short list of what was seen.
//!
//! Nothing here grows with the stream. What is forgotten because of a limit, and not because its time was up, is counted; the
//! caller says so. Maps are never walked through in the order of their hashes, so that results do not depend on it.

mod hash;
mod places;
mod recent;

use std::hash::Hash;

pub(crate) use hash::{print, print_long};
use places::Places;
pub(crate) use places::{Ahead, fetch};
pub(crate) use recent::Recent;

/// A map of at most `limit` entries. An entry that nobody asks for is gone after one to two times `idle_ms`.
///
/// It has two halves. Entries that are asked for belong to the young one; when that is full, or `idle_ms` is over, the old
/// half is dropped and the young one becomes it. Entries lie side by side and do not move when they are asked for: what the map costs is
/// misses of the cache, one for the place of an entry and one for the entry.
#[derive(Debug)]
pub(crate) struct Memory<K, V> {
    places: Places,
    entries: Vec<Held<K, V>>,
    /// The turn that entries of the young half were asked for in. All others are of the old one.
    turn: u32,
    young: usize,
    half: usize,
    idle_ms: u64,
    turned_ms: u64,
    forgotten: u64,
}

/// Begins with a line of the cache, so that it takes as few as it can.
#[derive(Debug)]
#[repr(C, align(64))]
struct Held<K, V> {
    key: K,
    turn: u32,
    value: V,
}

impl<K: Hash + Eq + Ord + Copy, V> Memory<K, V> {
    /// An empty one.
    pub(crate) fn new(limit: usize, idle_ms: u64) -> Self {
        assert!(limit <= Places::MAX, "there is room for the places of all entries");
        let half = (limit / 2).max(1);
        let (places, entries) = (Places::default(), Vec::new());
        Self { places, entries, turn: 0, young: 0, half, idle_ms, turned_ms: 0, forgotten: 0 }
    }

    /// The entry of a key; a new one if there is none.
    pub(crate) fn entry(&mut self, key: K, now_ms: u64, new: impl FnOnce() -> V) -> &mut V {
        self.turn(now_ms);
        let hash = print_long(key);
        let found = self.places.find(hash, |at| self.entries[at].key == key);
        let at = found.unwrap_or_else(|| self.add(hash, key, new()));
        let held = &mut self.entries[at];
        if held.turn != self.turn {
            held.turn = self.turn;
            self.young += 1;
        }
        &mut held.value
    }

    /// Asks for what [`Self::entry`] will need for a key soon; `rest` is given what is likely its value, for what lies behind that. It
    /// may be another one's.
    #[inline]
    pub(crate) fn ask_for(&self, key: K, ahead: Ahead, rest: impl Fn(&V)) {
        let Some(slot) = self.places.slot(print_long(key)) else { return };
        let held = || self.entries.get(slot.place()?);
        match ahead {
            Ahead::Place => fetch(slot),
            Ahead::Entry => held().into_iter().for_each(fetch),
            Ahead::Rest => held().into_iter().for_each(|held| rest(&held.value)),
        }
    }

    /// Entries that were dropped because the map was full.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Number of entries.
    pub(crate) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// All entries, in the order of their keys.
    pub(crate) fn sorted(&mut self) -> Vec<(K, &mut V)> {
        let mut entries: Vec<(K, &mut V)> =
            self.entries.iter_mut().map(|held| (held.key, &mut held.value)).collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries
    }

    fn add(&mut self, hash: u64, key: K, value: V) -> usize {
        let at = self.entries.len();
        self.entries.push(Held { key, turn: self.turn, value });
        self.young += 1;
        if self.places.is_full(self.entries.len()) {
            self.place_all();
        } else {
            self.places.put(hash, at);
        }
        at
    }

    fn turn(&mut self, now_ms: u64) {
        let quiet_ms = now_ms.saturating_sub(self.turned_ms);
        if quiet_ms >= self.idle_ms {
            if quiet_ms >= self.idle_ms.saturating_mul(2) {
                self.entries.clear();
            }
            self.age();
            self.turned_ms = now_ms;
        } else if self.young >= self.half {
            self.forgotten += (self.entries.len() - self.young) as u64;
            self.age();
        }
    }

    /// Drops the old half. Its room is used again.
    fn age(&mut self) {
        let turn = self.turn;
        self.entries.retain(|held| held.turn == turn);
        self.turn = turn.wrapping_add(1);
        self.young = 0;
        self.place_all();
    }

    fn place_all(&mut self) {
        self.places.clear(self.entries.len());
        for (at, held) in self.entries.iter().enumerate() {
            self.places.put(print_long(held.key), at);
        }
    }
}

#[cfg(test)]
mod tests;
