//! Laws of the range and address sets, against bitmaps and brute force.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_net::{AddressSet, Prefix, RangeSet};
use proptest::{collection::vec, prelude::*};

/// A set of u16 as one truth value for each number.
struct Bitmap(Vec<bool>);

impl Bitmap {
    fn of(ranges: &[(u16, u16)]) -> Self {
        let mut bits = vec![false; 1 << 16];
        for &(first, last) in ranges.iter().filter(|(first, last)| first <= last) {
            bits[first.into()..=last.into()].fill(true);
        }
        Self(bits)
    }

    fn combine(&self, other: &Self, f: impl Fn(bool, bool) -> bool) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(&a, &b)| f(a, b)).collect())
    }

    /// The runs of members: what a range set must consist of.
    fn runs(&self) -> Vec<(u16, u16)> {
        let mut runs = Vec::new();
        let mut start = None;
        for (number, &bit) in (0..=u16::MAX).zip(&self.0) {
            match (start, bit) {
                (None, true) => start = Some(number),
                (Some(first), false) => {
                    runs.push((first, number - 1));
                    start = None;
                }
                _ => {}
            }
        }
        runs.extend(start.map(|first| (first, u16::MAX)));
        runs
    }

    fn set(&self) -> RangeSet<u16> {
        self.runs().into_iter().collect()
    }
}

/// Ranges that meet, overlap, touch both ends of the space, and are reversed now and then.
fn ranges() -> impl Strategy<Value = Vec<(u16, u16)>> {
    let near = |base: u16| (0..24_u16).prop_map(move |n| base.wrapping_add(n));
    let number = prop_oneof![near(0), near(1000), near(u16::MAX - 23), any::<u16>()];
    let pair = (number.clone(), number, any::<bool>()).prop_map(|(a, b, is_reversed)| {
        if is_reversed && a.wrapping_mul(31) % 7 == 0 { (a, b) } else { (a.min(b), a.max(b)) }
    });
    let short = (near(0), 0..4_u16).prop_map(|(a, n)| (a, a + n));
    vec(prop_oneof![3 => short, 1 => pair], 0..12)
}

fn set(ranges: &[(u16, u16)]) -> RangeSet<u16> {
    ranges.iter().copied().collect()
}

proptest! {
    #[test]
    fn sets_are_their_bitmaps(a in ranges(), b in ranges()) {
        let (sa, sb) = (set(&a), set(&b));
        let (ba, bb) = (Bitmap::of(&a), Bitmap::of(&b));
        prop_assert_eq!(sa.ranges(), ba.runs());
        prop_assert_eq!(&sa, &ba.set());
        prop_assert_eq!(sa.union(&sb), ba.combine(&bb, |a, b| a | b).set());
        prop_assert_eq!(sa.intersection(&sb), ba.combine(&bb, |a, b| a & b).set());
        prop_assert_eq!(sa.difference(&sb), ba.combine(&bb, |a, b| a & !b).set());
        prop_assert_eq!(sa.complement(), ba.combine(&bb, |a, _| !a).set());
        for number in (0..64).chain(990..1030).chain(u16::MAX - 32..=u16::MAX) {
            prop_assert_eq!(sa.contains(number), ba.0[usize::from(number)]);
        }
        prop_assert_eq!(sa.is_empty(), !ba.0.contains(&true));
        prop_assert_eq!(sa.is_full(), !ba.0.contains(&false));
    }

    #[test]
    fn algebra_holds(a in ranges(), b in ranges(), c in ranges()) {
        let (a, b, c) = (set(&a), set(&b), set(&c));
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
        prop_assert_eq!(a.intersection(&b.union(&c)), a.intersection(&b).union(&a.intersection(&c)));
        prop_assert_eq!(a.union(&b).complement(), a.complement().intersection(&b.complement()));
        prop_assert_eq!(a.complement().complement(), a.clone());
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
        prop_assert_eq!(a.intersects(&b), !a.intersection(&b).is_empty());
        prop_assert!(a.intersection(&a.complement()).is_empty());
        prop_assert!(a.union(&a.complement()).is_full());
        prop_assert_eq!(a.union(&RangeSet::empty()), a.clone());
        prop_assert_eq!(a.intersection(&RangeSet::full()), a);
    }

    #[test]
    fn few_ranges_meet_many_as_they_do_one_by_one(few in ranges(), gap in 2..20_u16) {
        let few = set(&few);
        let many: RangeSet<_> = (0..200_u16).map(|n| (n * gap, n * gap + gap / 2 - 1)).collect();
        let one_by_one = many.ranges().iter().flat_map(|range| {
            few.intersection(&[*range].into_iter().collect()).ranges().to_vec()
        });
        let both: RangeSet<_> = one_by_one.collect();
        prop_assert_eq!(few.intersects(&many), !both.is_empty());
        prop_assert_eq!(many.intersection(&few), both.clone());
        prop_assert_eq!(few.intersection(&many), both);
    }

    #[test]
    fn order_does_not_matter(ranges in ranges().prop_shuffle()) {
        let mut sorted = ranges.clone();
        sorted.sort_unstable();
        prop_assert_eq!(set(&ranges), set(&sorted));
    }

    #[test]
    fn prefixes_are_exact_and_fewest(ranges in vec((0..300_u32, 0..80_u32), 0..6), high in any::<bool>()) {
        // Near one end of the space, so that the arithmetic is tried there.
        let place = |n: u32| if high { u32::MAX - n } else { n };
        let ranges = ranges.iter().map(|&(a, n)| {
            let (a, b) = (place(a), place(a + n));
            (a.min(b), a.max(b))
        });
        let set = AddressSet::from_ranges(ranges.collect(), RangeSet::empty());
        let prefixes = set.prefixes();
        prop_assert!(prefixes.is_sorted() && no_two_merge(&prefixes));
        prop_assert_eq!(AddressSet::from_iter(prefixes), set);
    }

    #[test]
    fn wide_prefixes_are_exact_and_fewest(ends in vec(any::<u128>(), 0..10), shift in 0..128_u32) {
        let mut ends: Vec<u128> = ends.into_iter().map(|n| n >> shift << shift).collect();
        ends.sort_unstable();
        let v6 = ends.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let v4 = ends.chunks_exact(2).map(|pair| ((pair[0] >> 96) as u32, (pair[1] >> 96) as u32)).collect();
        let set = AddressSet::from_ranges(v4, v6);
        let prefixes = set.prefixes();
        prop_assert!(no_two_merge(&prefixes));
        prop_assert_eq!(AddressSet::from_iter(prefixes), set.clone());
        let complement = AddressSet::from_iter(set.complement().prefixes());
        prop_assert_eq!(complement.complement(), set);
    }

    #[test]
    fn prefixes_that_overlap_collect_to_their_union(
        prefixes in vec((prop_oneof![0..8_u32, any::<u32>()], 24..=32_u8), 0..20)
    ) {
        let prefixes: Vec<Prefix> = prefixes
            .into_iter()
            .map(|(base, length)| Prefix::truncated(IpAddr::V4(base.into()), length).unwrap())
            .collect();
        let set = AddressSet::from_iter(prefixes.iter().copied());
        let probes = prefixes.iter().flat_map(|p| [p.address(), p.last()]);
        for probe in probes.chain((0..16_u32).map(|n| IpAddr::V4(n.into()))) {
            prop_assert_eq!(set.contains(probe), prefixes.iter().any(|p| p.contains(probe)));
        }
    }
}

/// Disjoint prefixes are the fewest exactly when no two of them are the halves of a shorter one.
fn no_two_merge(prefixes: &[Prefix]) -> bool {
    let all: BTreeSet<_> = prefixes.iter().copied().collect();
    all.len() == prefixes.len()
        && prefixes.iter().all(|prefix| {
            let Some(length) = prefix.length().checked_sub(1) else { return true };
            let parent = Prefix::truncated(prefix.address(), length).unwrap();
            let halves =
                [parent.address(), parent.last()].map(|end| Prefix::truncated(end, prefix.length()).unwrap());
            !halves.iter().all(|half| all.contains(half))
        })
}

#[test]
fn prefixes_of_named_sets() {
    let prefixes = |set: &AddressSet| set.prefixes().iter().map(ToString::to_string).collect::<Vec<_>>();
    let collect = |texts: &[&str]| texts.iter().map(|t| t.parse::<Prefix>().unwrap()).collect::<AddressSet>();
    assert_eq!(prefixes(&AddressSet::empty()), [""; 0]);
    assert_eq!(prefixes(&AddressSet::full()), ["0.0.0.0/0", "::/0"]);
    assert_eq!(prefixes(&collect(&["10.0.1.0/24", "10.0.0.0/24", "10.0.0.128/25"])), ["10.0.0.0/23"]);
    assert_eq!(
        prefixes(&collect(&["::1", "10.0.0.1", "10.0.0.2"])),
        ["10.0.0.1/32", "10.0.0.2/32", "::1/128"]
    );
    let all_but_ends = AddressSet::from_ranges([(1, u32::MAX - 1)].into_iter().collect(), RangeSet::empty());
    assert_eq!(all_but_ends.prefixes().len(), 62);
    let all_but_ends = AddressSet::from_ranges(RangeSet::empty(), [(1, u128::MAX - 1)].into_iter().collect());
    assert_eq!(all_but_ends.prefixes().len(), 254);
}

#[test]
fn address_sets_keep_families_apart() {
    let [v4, v6] = ["0.0.0.0/0", "::/0"].map(|t| AddressSet::from_iter([t.parse::<Prefix>().unwrap()]));
    let [one, mapped] = ["10.0.0.1", "::ffff:10.0.0.1"].map(|t| t.parse::<IpAddr>().unwrap());
    assert!(v4.contains(one) && !v4.contains(mapped) && v6.contains(mapped) && !v6.contains(one));
    assert_eq!((v4.complement(), v6.complement()), (v6.clone(), v4.clone()));
    assert!(v4.union(&v6).is_full() && v4.intersection(&v6).is_empty() && !v4.is_full() && !v4.is_empty());
    assert_eq!(v4.difference(&v6), v4);
    let hosts = AddressSet::from_iter([one, mapped]);
    assert_eq!((hosts.v4().ranges().len(), hosts.v6().ranges().len()), (1, 1));
}
