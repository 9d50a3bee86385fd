//! Which number each NIC has in the kernel.
//!
//! Flows and counters belong to the number, so a NIC keeps its own as long as it is here, across restarts. A number that
//! is still in force for another NIC is never given away: its flows would become the new one's.

use std::collections::{BTreeMap, BTreeSet};

use crate::identity::NicId;

/// The first slot of a NIC; 0 counts what belongs to none.
const FIRST: u32 = palisade_abi::arena::SLOT_UNKNOWN + 1;

/// Numbers by NIC.
pub type Slots = BTreeMap<NicId, u32>;

/// Gives each NIC that is here its slot: the one it had, else the smallest that nobody has or had a moment ago.
pub fn assign<'a>(
    here: impl IntoIterator<Item = &'a NicId>,
    known: &Slots,
    in_force: &BTreeSet<u32>,
) -> Slots {
    let taken: BTreeSet<u32> = known.values().chain(in_force).copied().collect();
    let mut free = (FIRST..).filter(|slot| !taken.contains(slot));
    let mut slot =
        |id| known.get(id).copied().or_else(|| free.next()).expect("there are more numbers than NICs");
    here.into_iter().map(|id| (id.clone(), slot(id))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<NicId> {
        names.iter().map(|name| NicId::from((*name).to_owned())).collect()
    }

    #[test]
    fn slots_stay_and_the_smallest_free_one_is_given() {
        let first = assign(&ids(&["/a", "/b", "/c"]), &Slots::new(), &BTreeSet::new());
        assert_eq!(first.values().copied().collect::<Vec<_>>(), [1, 2, 3]);
        let second = assign(&ids(&["/A", "/c", "/d"]), &first, &BTreeSet::from([1, 2, 3]));
        assert_eq!(second.values().copied().collect::<Vec<_>>(), [1, 3, 4], "2 is still in force for /b");
        let third = assign(&ids(&["/a", "/c", "/d", "/e"]), &second, &BTreeSet::from([1, 3, 4]));
        assert_eq!(third[&ids(&["/e"])[0]], 2, "now it is free");
    }

    #[test]
    fn without_memory_nobody_inherits_what_is_in_force() {
        let slots = assign(&ids(&["/a"]), &Slots::new(), &BTreeSet::from([1, 2]));
        assert_eq!(slots.into_values().collect::<Vec<_>>(), [3]);
    }
}
