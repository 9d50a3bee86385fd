//! What was read and may be asked for again, up to a limit.
//!
//! There are two generations: what is asked for goes to the young one, and when that has half of what is allowed, the old one is forgotten and the
//! young one takes its place. So what is in use stays, at the price of a look into two tables.

use std::{collections::HashMap, hash::Hash};

pub(super) struct Kept<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    /// Weight of the young ones, and of all that may be kept.
    weight: usize,
    max: usize,
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    /// Nothing yet; at most so much, and one thing more.
    pub(super) fn new(max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), weight: 0, max }
    }

    pub(super) fn get(&mut self, key: K) -> Option<V> {
        if let Some((value, _)) = self.young.get(&key) {
            return Some(value.clone());
        }
        let (value, weight) = self.old.remove(&key)?;
        self.keep(key, value.clone(), weight);
        Some(value)
    }

    pub(super) fn keep(&mut self, key: K, value: V, weight: usize) {
        if self.weight + weight > self.max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += weight;
        self.young.insert(key, (value, weight));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays() {
        let mut kept = Kept::new(100);
        kept.keep(0, "used", 10);
        for key in 1..1_000 {
            kept.keep(key, "once", 10);
            assert_eq!(kept.get(0), Some("used"));
            assert!(kept.young.len() + kept.old.len() <= 10);
        }
        assert_eq!(kept.get(1), None);
        assert_eq!(kept.get(999), Some("once"));
    }
}
