//! What stands behind a snapshot's table: idle timeouts and sets of owned addresses, each stored once, and throttles.

use std::{collections::HashMap, hash::Hash};

use palisade_abi::{
    Pod,
    arena::{OwnedAddresses, Throttle},
    flow::FLOW_STATES,
};
use palisade_net::AddressSet;

/// Pieces start at cache lines.
const ALIGN: usize = 64;

/// Bytes behind a snapshot's table, and what is where in them.
#[derive(Debug)]
pub(crate) struct Shared<'a> {
    /// Where the bytes will be.
    start: u32,
    timeouts: HashMap<[u32; FLOW_STATES], u32>,
    owned: HashMap<&'a AddressSet, u32>,
    bytes: Vec<u8>,
}

impl<'a> Shared<'a> {
    /// For memory at `start`, a multiple of a cache line.
    pub(crate) fn at(start: u32) -> Self {
        Self { start, timeouts: HashMap::new(), owned: HashMap::new(), bytes: Vec::new() }
    }

    /// Offset of these timeouts.
    pub(crate) fn timeouts(&mut self, ticks: [u32; FLOW_STATES]) -> u32 {
        let Self { timeouts, bytes, start, .. } = self;
        stored(timeouts, ticks, || *start + append(bytes, &ticks.map(u32::to_ne_bytes).concat()))
    }

    /// Offset of these addresses; 0 for none.
    pub(crate) fn owned(&mut self, set: &'a AddressSet) -> u32 {
        if set.is_empty() {
            return 0;
        }
        let Self { owned, bytes, start, .. } = self;
        stored(owned, set, || {
            let [v4, v6] = ranges(set);
            let (v4_at, v6_at) = (*start + append(bytes, &v4), *start + append(bytes, &v6));
            let (v4_count, v6_count) = (set.v4().ranges().len() as u32, set.v6().ranges().len() as u32);
            let header = OwnedAddresses { v4: v4_at, v4_count, v6: v6_at, v6_count };
            *start + append(bytes, header.as_bytes())
        })
    }

    /// Offset of this throttle. Each is one NIC's own, since its beginning is.
    pub(crate) fn throttle(&mut self, throttle: &Throttle) -> u32 {
        self.start + append(&mut self.bytes, throttle.as_bytes())
    }

    /// The bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn stored<K: Hash + Eq>(known: &mut HashMap<K, u32>, key: K, store: impl FnOnce() -> u32) -> u32 {
    *known.entry(key).or_insert_with(store)
}

fn append(bytes: &mut Vec<u8>, piece: &[u8]) -> u32 {
    let place = bytes.len();
    bytes.extend_from_slice(piece);
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
    place as u32
}

/// The ranges of a set as the kernel program reads them: IPv4, then IPv6.
pub(crate) fn ranges(set: &AddressSet) -> [Vec<u8>; 2] {
    let v4 = set.v4().ranges().iter().flat_map(|(first, last)| [*first, *last]).flat_map(u32::to_ne_bytes);
    let halves = |address: u128| [(address >> 64) as u64, address as u64];
    let v6 = set.v6().ranges().iter().flat_map(|(first, last)| [halves(*first), halves(*last)]);
    [v4.collect(), v6.flatten().flat_map(u64::to_ne_bytes).collect()]
}

#[cfg(test)]
mod tests {
    use palisade_net::Prefix;

    use super::*;

    #[test]
    fn equal_pieces_are_stored_once_and_read_back() {
        let set = |texts: &[&str]| -> AddressSet {
            texts.iter().map(|text| text.parse::<Prefix>().expect("a prefix")).collect()
        };
        let (one, two) = (set(&["10.0.0.4/32", "10.0.0.9/32", "fd00::/64"]), set(&["10.0.0.5/32"]));
        let (same, none) = (one.clone(), set(&[]));
        let mut shared = Shared::at(0x1000);
        let offsets = [&one, &two, &same, &none].map(|set| shared.owned(set));
        assert_eq!((offsets[0], offsets[3]), (offsets[2], 0));
        assert_ne!(offsets[0], offsets[1]);
        let timeouts = [shared.timeouts([1; FLOW_STATES]), shared.timeouts([2; FLOW_STATES])];
        assert_eq!(shared.timeouts([1; FLOW_STATES]), timeouts[0]);
        let bytes = shared.into_bytes();
        let at = |offset: u32| &bytes[offset as usize - 0x1000..];
        let owned = OwnedAddresses::read_from(at(offsets[0])).expect("it is whole");
        assert_eq!((owned.v4_count, owned.v6_count), (2, 1));
        let word = |bytes: &[u8]| u64::from_ne_bytes(bytes[..8].try_into().expect("8 bytes"));
        assert_eq!(at(owned.v4)[..4], 0x0a00_0004u32.to_ne_bytes());
        assert_eq!(
            [0, 8, 16, 24].map(|i| word(&at(owned.v6)[i..])),
            [0xfd00 << 48, 0, 0xfd00 << 48, u64::MAX]
        );
        assert_eq!(at(timeouts[1])[..4], 2u32.to_ne_bytes());
    }
}
