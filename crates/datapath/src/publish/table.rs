//! The table in which the kernel program finds a NIC by its interface.

use palisade_abi::arena::{NIC_PROBES_MAX, NicDescriptor};

use crate::{error::Error, memory::published::TABLE_ENTRIES_MAX};

/// Entries of the smallest table in which every interface is found within the kernel's probes, and each one's place.
pub(crate) fn place(interfaces: &[u32]) -> Result<(usize, Vec<usize>), Error> {
    let mut entries = (2 * interfaces.len()).next_power_of_two();
    while entries <= TABLE_ENTRIES_MAX {
        if let Some(places) = try_place(interfaces, entries) {
            return Ok((entries, places));
        }
        entries *= 2;
    }
    Err(Error::Crowded { entries: TABLE_ENTRIES_MAX })
}

fn try_place(interfaces: &[u32], entries: usize) -> Option<Vec<usize>> {
    let mut taken = vec![false; entries];
    let place = |ifindex: &u32| {
        let mut probes = (0..NIC_PROBES_MAX).map(|step| ifindex.wrapping_add(step) as usize & (entries - 1));
        let place = probes.find(|place| !taken[*place])?;
        taken[place] = true;
        Some(place)
    };
    interfaces.iter().map(place).collect()
}

/// Bytes of a table.
pub(crate) const fn bytes(entries: usize) -> usize {
    entries * size_of::<NicDescriptor>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_is_found_within_the_probes() {
        // Neighbours, and numbers that meet in every small table.
        let cases: [Vec<u32>; 4] =
            [vec![], (1..=300).collect(), (1..=40).map(|n| n << 9).collect(), vec![u32::MAX, 0x8000_0000]];
        for interfaces in cases {
            let (entries, places) = place(&interfaces).expect("there is room");
            for (ifindex, place) in interfaces.iter().zip(&places) {
                let distance = place.wrapping_sub(*ifindex as usize) & (entries - 1);
                assert!(distance < NIC_PROBES_MAX as usize, "{ifindex} at {place} of {entries}");
            }
            let distinct: std::collections::BTreeSet<_> = places.iter().collect();
            assert_eq!(distinct.len(), interfaces.len());
        }
        let crowd: Vec<u32> = (0..10).map(|n| n << 20).collect();
        assert!(matches!(place(&crowd), Err(Error::Crowded { .. })));
    }
}
