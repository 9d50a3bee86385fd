//! Memory with a limit: a map that forgets what has been quiet longest, and a short list of what was seen.
//!
//! Nothing here grows with the stream. What is forgotten because of a limit, and not because its time was up, is counted; the
//! caller says so. Maps are never walked through in the order of their hashes, so that results do not depend on it.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hash, Hasher},
    mem,
};

/// A map of at most `limit` entries. An entry that nobody asks for is gone after one to two times `idle_ms`.
///
/// It has two halves. Entries that are asked for move to the young one; when that is full, or `idle_ms` is over, the old
/// half is dropped and the young one becomes it.
#[derive(Debug)]
pub(crate) struct Memory<K, V> {
    young: HashMap<K, V, BuildHasherDefault<Mix>>,
    old: HashMap<K, V, BuildHasherDefault<Mix>>,
    half: usize,
    idle_ms: u64,
    turned_ms: u64,
    forgotten: u64,
}

impl<K: Hash + Eq + Ord + Copy, V> Memory<K, V> {
    /// An empty one.
    pub(crate) fn new(limit: usize, idle_ms: u64) -> Self {
        let (young, old) = (HashMap::default(), HashMap::default());
        Self { young, old, half: (limit / 2).max(1), idle_ms, turned_ms: 0, forgotten: 0 }
    }

    /// The entry of a key; a new one if there is none.
    pub(crate) fn entry(&mut self, key: K, now_ms: u64, new: impl FnOnce() -> V) -> &mut V {
        self.turn(now_ms);
        match self.young.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.old.remove(&key).unwrap_or_else(new)),
        }
    }

    /// Entries that were dropped because the map was full.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// All entries, in the order of their keys.
    pub(crate) fn sorted(&mut self) -> Vec<(K, &mut V)> {
        let mut entries: Vec<(K, &mut V)> =
            self.young.iter_mut().chain(self.old.iter_mut()).map(|(key, value)| (*key, value)).collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries
    }

    fn turn(&mut self, now_ms: u64) {
        let quiet_ms = now_ms.saturating_sub(self.turned_ms);
        if quiet_ms >= self.idle_ms {
            self.age();
            if quiet_ms >= self.idle_ms.saturating_mul(2) {
                self.old.clear();
            }
            self.turned_ms = now_ms;
        } else if self.young.len() >= self.half {
            self.forgotten += self.old.len() as u64;
            self.age();
        }
    }

    /// Drops the old half. Its room is used again.
    fn age(&mut self) {
        mem::swap(&mut self.old, &mut self.young);
        self.young.clear();
    }
}

/// Fingerprints of what was seen, up to a limit; then the oldest is forgotten.
///
/// A fingerprint has 32 bits: of 256 different things, one in 130,000 such lists takes two for one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recent {
    /// The first ones lie here: most lists stay short, and an allocation would cost more than all else.
    few: [u32; Self::FEW],
    few_len: usize,
    /// All of them, once they are more.
    many: Vec<u32>,
    next: usize,
}

impl Recent {
    const FEW: usize = 6;

    /// Whether it was not there; it is now. `limit` must be the same each time.
    pub(crate) fn insert(&mut self, print: u32, limit: usize) -> bool {
        if self.prints().contains(&print) {
            return false;
        }
        if self.len() >= limit {
            let next = self.next;
            self.prints_mut()[next] = print;
            self.next = (next + 1) % limit;
        } else if self.many.is_empty() && self.few_len < Self::FEW {
            self.few[self.few_len] = print;
            self.few_len += 1;
        } else {
            if self.many.is_empty() {
                self.many.extend(self.few);
            }
            self.many.push(print);
        }
        true
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.prints().iter().copied()
    }

    /// How many are there.
    pub(crate) const fn len(&self) -> usize {
        if self.many.is_empty() { self.few_len } else { self.many.len() }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.many.clear();
        (self.few_len, self.next) = (0, 0);
    }

    fn prints(&self) -> &[u32] {
        if self.many.is_empty() { &self.few[..self.few_len] } else { &self.many }
    }

    fn prints_mut(&mut self) -> &mut [u32] {
        if self.many.is_empty() { &mut self.few[..self.few_len] } else { &mut self.many }
    }
}

/// 32 bits of something.
pub(crate) fn print(thing: impl Hash) -> u32 {
    (print_long(thing) >> 32) as u32
}

/// 64 bits of something, for keys that are too long to be kept.
pub(crate) fn print_long(thing: impl Hash) -> u64 {
    let mut hasher = Mix::default();
    thing.hash(&mut hasher);
    hasher.finish()
}

/// A hash of few instructions for short keys: each word is multiplied into 128 bits, whose halves are folded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mix(u64);

impl Mix {
    /// Odd numbers without a pattern: the fraction of the golden ratio, and of the square root of 3.
    const FACTORS: (u64, u64) = (0x9e37_79b9_7f4a_7c15, 0xbb67_ae85_84ca_a73b);

    fn add(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ Self::FACTORS.1) * u128::from(Self::FACTORS.0);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.add(u64::from(value));
    }

    fn write_u128(&mut self, value: u128) {
        self.add(value as u64);
        self.add((value >> 64) as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.add(value as u64);
    }

    fn finish(&self) -> u64 {
        // The map takes its bits from both ends.
        let product = u128::from(self.0 ^ Self::FACTORS.0) * u128::from(Self::FACTORS.1);
        (product as u64) ^ ((product >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_quiet_half_and_counts_it() {
        let mut memory = Memory::new(8, 1_000);
        for key in 0..4_u16 {
            *memory.entry(key, 0, || 0) += 1;
        }
        *memory.entry(0, 1, || 0) += 1;
        assert_eq!((memory.len(), memory.forgotten()), (4, 0), "a second half is begun");
        for key in 10..13 {
            *memory.entry(key, 2, || 0) += 1;
        }
        *memory.entry(13, 3, || 0) += 1;
        assert_eq!(memory.forgotten(), 3, "1, 2 and 3 were not asked for again");
        assert_eq!(*memory.entry(0, 4, || 0), 2);
        assert_eq!(*memory.entry(1, 4, || 0), 0);
    }

    #[test]
    fn forgets_what_its_time_is_up_for_without_counting() {
        let mut memory = Memory::new(100, 1_000);
        *memory.entry(1_u16, 10_000, || 0) = 7;
        assert_eq!(*memory.entry(1, 10_900, || 0), 7);
        assert_eq!(*memory.entry(1, 11_900, || 0), 7);
        assert_eq!(*memory.entry(1, 13_901, || 0), 0);
        assert_eq!(memory.forgotten(), 0);
    }

    #[test]
    fn never_holds_more_than_its_limit() {
        let mut memory = Memory::new(64, u64::MAX);
        for key in 0..10_000_u16 {
            memory.entry(key % 1_000, u64::from(key), || ());
            assert!(memory.len() <= 64);
        }
        assert!(memory.forgotten() > 9_000);
    }

    #[test]
    fn a_recent_list_forgets_the_oldest() {
        let mut recent = Recent::default();
        assert!((0..3).all(|print| recent.insert(print, 3)));
        assert!(!recent.insert(0, 3));
        assert!(recent.insert(9, 3), "takes the place of 0");
        assert!(recent.insert(0, 3), "takes the place of 1");
        assert!(!recent.insert(2, 3));
        assert_eq!(recent.len(), 3);
    }

    #[test]
    fn a_recent_list_is_a_queue_of_distinct_things() {
        for limit in 1..20 {
            let (mut recent, mut queue) = (Recent::default(), Vec::new());
            for step in 0..400_u32 {
                let print = step * step * 7 % 31;
                let is_new = !queue.contains(&print);
                if is_new {
                    queue.push(print);
                    queue.drain(..queue.len().saturating_sub(limit));
                }
                assert_eq!(recent.insert(print, limit), is_new, "limit {limit}, step {step}");
                assert_eq!(recent.len(), queue.len());
                if step == 200 {
                    recent.clear();
                    queue.clear();
                }
            }
        }
    }

    #[test]
    fn prints_of_neighbours_differ() {
        let mut prints: Vec<u32> = (0..100_000_u128).map(|host| print((host << 64, 22_u16))).collect();
        prints.sort_unstable();
        prints.dedup();
        assert!(prints.len() > 99_990, "{} of 100,000", prints.len());
    }
}
