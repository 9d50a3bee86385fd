//! Bytes that are not a sound blob are refused, and bytes that pass never make a lookup panic.

use palisade_abi::{
    Pod,
    policy::{
        ENTRY_GRID, ENTRY_HALF, ENTRY_KIND, ENTRY_LIST, POLICY_AUDIT, POLICY_SOURCE_PORTS, POLICY_TIMES,
        PolicyHeader, SETS,
    },
};
use palisade_classify::{
    blob::{BlobError, BlobView, compile},
    generate::{Random, edge_rows, flows},
    table::Limits,
};
use palisade_net::Flow;
use proptest::prelude::*;

fn sample(rows: usize, seed: u64) -> (Vec<u8>, Vec<Flow>) {
    let rows = edge_rows(rows, seed);
    let bytes = compile(&rows, &Limits::default()).expect("the rows are within the limits");
    (bytes, flows(&rows, 50, seed))
}

/// Parses, asks, and tells whether the bytes were accepted.
fn survives(bytes: &[u8], flows: &[Flow]) -> bool {
    let Ok(view) = BlobView::parse(bytes) else { return false };
    for (flow, now) in flows.iter().zip([0, 1, 1_000, 1_800_000_000, u32::MAX].into_iter().cycle()) {
        if let Some((rule, action)) = view.lookup(flow, now).rule {
            assert!(rule < view.rules());
            assert_eq!(view.action(rule), Some(action));
        }
        view.fragment(flow.source(), flow.destination(), flow.protocol(), now);
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..1024)) {
        prop_assert!(BlobView::parse(&bytes).is_err());
    }

    #[test]
    fn truncated_blobs_are_refused(rows in 0usize..70, seed: u64, cut in 1usize..5_000) {
        let (bytes, _) = sample(rows, seed);
        let kept = bytes.len().saturating_sub(cut);
        prop_assert!(BlobView::parse(&bytes[..kept]).is_err());
    }

    #[test]
    fn random_headers_on_a_sound_body_do_no_harm(seed: u64, at in 0usize..size_of::<PolicyHeader>() / 4, value: u32) {
        let (mut bytes, flows) = sample(20, seed);
        bytes[at * 4..][..4].copy_from_slice(&value.to_le_bytes());
        survives(&bytes, &flows);
    }
}

/// Changes a few bytes anywhere, thousands of times; some changes are harmless (a class for another), most are seen.
#[test]
fn mutated_blobs_are_refused_or_answer() {
    let mut random = Random::new(11);
    let (mut refused, mut accepted) = (0, 0);
    for seed in 0..24 {
        let (sound, flows) = sample(1 + random.below(130), seed);
        assert!(survives(&sound, &flows), "an encoded table is sound");
        for _ in 0..150 {
            let mut bytes = sound.clone();
            for _ in 0..=random.below(4) {
                mutate(&mut bytes, &mut random);
            }
            if survives(&bytes, &flows) { accepted += 1 } else { refused += 1 }
        }
    }
    assert!(refused > 500 && accepted > 50, "{refused} refused, {accepted} accepted");
}

/// One change: a byte, a word that is near another value of its kind, or a header word.
fn mutate(bytes: &mut [u8], random: &mut Random) {
    let words = if random.chance(40) { size_of::<PolicyHeader>() / 4 } else { bytes.len() / 4 };
    let at = random.below(words) * 4;
    let word = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let word = match random.below(5) {
        0 => word.wrapping_add(1),
        1 => word.wrapping_sub(1),
        2 => word ^ 1 << random.below(32),
        3 => random.below(bytes.len()) as u32,
        _ => random.next() as u32,
    };
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
}

/// The header of the blob that is damaged.
fn header() -> PolicyHeader {
    PolicyHeader::read_from(&sample(70, 3).0).expect("a blob starts with its header")
}

/// Applies `change` to the header of a sound blob and returns the refusal.
fn refusal(change: impl FnOnce(&mut PolicyHeader)) -> BlobError {
    let (mut bytes, _) = sample(70, 3);
    let mut header = PolicyHeader::read_from(&bytes).expect("a blob starts with its header");
    change(&mut header);
    bytes[..size_of::<PolicyHeader>()].copy_from_slice(header.as_bytes());
    BlobView::parse(&bytes).map(|_| ()).expect_err("the change makes the blob unsound")
}

#[test]
fn each_kind_of_damage_is_named() {
    assert_eq!(BlobView::parse(&[]).map(|_| ()), Err(BlobError::Short(0)));
    assert_eq!(refusal(|h| h.magic = 1), BlobError::Magic(1));
    assert_eq!(refusal(|h| h.version = 99), BlobError::Version(99));
    assert!(matches!(refusal(|h| h.size -= 1), BlobError::Size { .. }));
    let sound = header();
    let number = |what, value| BlobError::Number { what, value };
    assert_eq!(refusal(|h| h.rules = 1_025), number("number of rules", 1_025));
    assert_eq!(refusal(|h| h.words = 3), number("number of words", 3));
    for flag in [POLICY_AUDIT, POLICY_SOURCE_PORTS, POLICY_TIMES] {
        assert_eq!(sound.flags & flag, flag, "the sample has it");
        assert_eq!(refusal(|h| h.flags ^= flag), number("flags", sound.flags ^ flag));
    }
    assert_eq!(refusal(|h| h.flags |= 8), number("flags", sound.flags | 8));
    assert_eq!(refusal(|h| h.times_count = 2_049), number("number of times", 2_049));
    assert_eq!(
        refusal(|h| (h.times_count, h.flags) = (0, h.flags & !POLICY_TIMES)),
        number("offset of the unused times", sound.times_offset)
    );
    assert_eq!(
        refusal(|h| (h.source_ports, h.flags) = (0, h.flags & !POLICY_SOURCE_PORTS)),
        number("record of the unused source ports", sound.no_source_port)
    );
    // An entry that is of no kind, or leads where the field cannot go on.
    for (entry, kind) in [(0, ENTRY_KIND), (1, ENTRY_HALF), (2, ENTRY_GRID | ENTRY_LIST)] {
        let changed = sound.addresses[entry] & !ENTRY_KIND | kind;
        let what = if entry < 2 { "IPv4 address" } else { "IPv6 address" };
        assert_eq!(refusal(|h| h.addresses[entry] = changed), number(what, changed));
    }
    assert_eq!(
        refusal(|h| h.no_source_port |= ENTRY_LIST),
        number("source port", sound.no_source_port | ENTRY_LIST)
    );
    for section in [
        refusal(|h| h.actions_offset = h.size),
        refusal(|h| h.actions_offset = 0),
        refusal(|h| h.protocols_offset = u32::MAX),
        refusal(|h| h.fragments_offset += 4),
        refusal(|h| h.sets_offset = h.size - 8),
        refusal(|h| h.times_offset += 1),
        refusal(|h| h.expires_offset = h.size - 8),
        refusal(|h| h.addresses[3] = (h.size - 8) | ENTRY_GRID),
        refusal(|h| h.no_source_port = h.size),
    ] {
        assert!(matches!(section, BlobError::Section { .. }), "{section:?}");
    }
}

/// The header of a sound blob tells where an element is; changing the element is seen.
#[test]
fn each_element_is_checked() {
    let check = |what: &str, place: fn(&[u8], &PolicyHeader) -> usize, value: &[u8]| {
        let (mut bytes, _) = sample(70, 3);
        let at = place(&bytes, &header());
        assert_ne!(&bytes[at..at + value.len()], value, "the change of a {what} changes nothing");
        bytes[at..at + value.len()].copy_from_slice(value);
        match BlobView::parse(&bytes).map(|_| ()) {
            Err(BlobError::Element { what: named, .. } | BlobError::Number { what: named, .. }) => {
                assert_eq!(named, what);
            }
            other => panic!("a damaged {what} gave {other:?}"),
        }
    };
    const MANY: [u8; 4] = [0xff; 4];
    let grid = |entry: u32| (entry & !ENTRY_KIND) as usize;
    assert_eq!(header().addresses[0] & ENTRY_KIND, ENTRY_GRID);
    check("action", |_, h| h.actions_offset as usize + 69, &[4]);
    for set in 0..SETS {
        let value = if set < 2 { &[0; 16] } else { &[0x5a; 16] };
        let place = [
            |_: &[u8], h: &PolicyHeader| h.sets_offset as usize,
            |_: &[u8], h: &PolicyHeader| h.sets_offset as usize + 16,
            |_: &[u8], h: &PolicyHeader| h.sets_offset as usize + 32,
            |_: &[u8], h: &PolicyHeader| h.sets_offset as usize + 48,
        ];
        match set {
            0 => check("flags", place[set], value),
            // Which rules restrict no port is not to be seen from the blob alone.
            1 => check("rule set", place[set], &[0xff; 16]),
            _ => check("rule set", place[set], value),
        }
    }
    check("time", |_, h| h.times_offset as usize, &MANY);
    check("time", |_, h| h.time_records_offset as usize, &ENTRY_GRID.to_le_bytes());
    check("protocol", |_, h| h.protocols_offset as usize + 4 * 99, &MANY);
    check("fragment", |_, h| h.fragments_offset as usize + 4 * 6, &ENTRY_GRID.to_le_bytes());
    // A shift that shifts everything out, and a grid without steps.
    check("grid at", |_, h| (h.addresses[0] & !ENTRY_KIND) as usize + 8, &[64, 0, 0, 0]);
    check("grid at", |_, h| (h.addresses[0] & !ENTRY_KIND) as usize + 12, &[0; 4]);
    check("IPv4 address", |_, h| (h.addresses[0] & !ENTRY_KIND) as usize + 16, &ENTRY_KIND.to_le_bytes());
    // A grid that leads to itself.
    let own = header().addresses[0].to_le_bytes();
    check("IPv4 address", |_, h| (h.addresses[0] & !ENTRY_KIND) as usize + 16, &own);
    assert_eq!(grid(header().addresses[0]) % 8, 0);
    // The record of packets without source port: its ranks, its mark, its count, a word.
    check("record at", |_, h| h.no_source_port as usize, &[0x44]);
    check("record at", |_, h| h.no_source_port as usize + 10, &[0]);
    check("record at", |_, h| h.no_source_port as usize + 12, &[1]);
    check("record at", |_, h| h.no_source_port as usize + 16, &[0; 8]);
    check("record at", |_, h| h.no_source_port as usize + 24, &MANY);
}

#[test]
fn a_blob_may_lie_anywhere_in_memory() {
    let (bytes, flows) = sample(70, 3);
    let shifted: Vec<u8> = std::iter::once(0).chain(bytes.iter().copied()).collect();
    let (here, there) = (BlobView::parse(&bytes), BlobView::parse(&shifted[1..]));
    let (here, there) = (here.expect("sound"), there.expect("sound"));
    for flow in &flows {
        assert_eq!(here.lookup(flow, 0), there.lookup(flow, 0));
    }
    assert_eq!(here.bytes(), bytes);
    assert_eq!(here.action(70), None);
}
