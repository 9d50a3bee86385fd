//! What a memory keeps and forgets.

use std::collections::HashMap;

use proptest::prelude::*;

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

/// The same in two maps, as plainly as it can be said.
#[derive(Default)]
struct Halves {
    young: HashMap<u16, u32>,
    old: HashMap<u16, u32>,
    turned_ms: u64,
    forgotten: u64,
}

impl Halves {
    fn entry(&mut self, key: u16, now_ms: u64, (half, idle_ms): (usize, u64)) -> &mut u32 {
        let quiet_ms = now_ms - self.turned_ms;
        if quiet_ms >= idle_ms {
            self.old = std::mem::take(&mut self.young);
            if quiet_ms >= 2 * idle_ms {
                self.old.clear();
            }
            self.turned_ms = now_ms;
        } else if self.young.len() >= half {
            self.forgotten += self.old.len() as u64;
            self.old = std::mem::take(&mut self.young);
        }
        let known = self.old.remove(&key);
        self.young.entry(key).or_insert(known.unwrap_or(0))
    }
}

proptest! {
    /// What a memory keeps is what two maps would.
    #[test]
    fn is_two_maps(
        steps in prop::collection::vec((0..60_u16, prop_oneof![9 => 0..3_u64, 1 => 50..300_u64]), 1..600),
        limit in 2..50_usize,
    ) {
        let (mut memory, mut halves, mut now_ms) = (Memory::new(limit, 100), Halves::default(), 0);
        for (key, gap_ms) in steps {
            now_ms += gap_ms;
            let value = memory.entry(key, now_ms, || 0);
            let same = halves.entry(key, now_ms, (limit / 2, 100));
            prop_assert_eq!(*value, *same);
            (*value, *same) = (*value + 1, *same + 1);
            prop_assert_eq!(memory.len(), halves.young.len() + halves.old.len());
            prop_assert_eq!(memory.forgotten(), halves.forgotten);
        }
        let mut all: Vec<(u16, u32)> = halves.young.into_iter().chain(halves.old).collect();
        all.sort_unstable();
        prop_assert_eq!(memory.sorted().into_iter().map(|(key, value)| (key, *value)).collect::<Vec<_>>(), all);
    }
}
