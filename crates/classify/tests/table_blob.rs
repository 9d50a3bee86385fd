//! Bytes that are not a sound blob are refused, and bytes that pass never make a lookup panic.

use palisade_abi::{
    Pod,
    policy::{PROTOCOL_PORT_TABLE, PolicyHeader},
};
use palisade_classify::{
    blob::{BlobError, BlobView, encode},
    generate::{Random, edge_rows, flows},
    table::{Limits, Table},
};
use palisade_net::Flow;
use proptest::prelude::*;

fn sample(rows: usize, seed: u64) -> (Vec<u8>, Vec<Flow>) {
    let rows = edge_rows(rows, seed);
    let table = Table::compile(&rows, &Limits::default()).expect("the rows are within the limits");
    (encode(&table), flows(&rows, 50, seed))
}

/// Parses, asks, and tells whether the bytes were accepted.
fn survives(bytes: &[u8], flows: &[Flow]) -> bool {
    let Ok(view) = BlobView::parse(bytes) else { return false };
    for flow in flows {
        if let Some((rule, action)) = view.first_match(flow) {
            assert!(rule < view.rules());
            assert_eq!(view.action(rule), Some(action));
        }
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

fn source_pages() -> u32 {
    PolicyHeader::read_from(&sample(70, 3).0)
        .expect("a blob starts with its header")
        .source_ports
        .pages_offset
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
    let number = |what, value| BlobError::Number { what, value };
    assert_eq!(refusal(|h| h.rules = 1_025), number("number of rules", 1_025));
    assert_eq!(refusal(|h| h.words = 3), number("number of words", 3));
    assert_eq!(refusal(|h| h.has_source_ports = 2), number("source-port flag", 2));
    assert_eq!(refusal(|h| h.protocol_vectors.classes = 0), number("number of classes", 0));
    assert_eq!(refusal(|h| h.protocol_vectors.reserved = 1), number("reserved word", 1));
    assert_eq!(refusal(|h| h.addresses[2].count = 0), number("number of intervals", 0));
    assert_eq!(refusal(|h| h.addresses[0].root_bits = 17), number("number of root bits", 17));
    assert_eq!(refusal(|h| h.addresses[1].search_steps = 30), number("number of search steps", 30));
    assert_eq!(
        refusal(|h| h.has_source_ports = 0),
        number("offset of the unused source-port table", source_pages())
    );
    for section in [
        refusal(|h| h.actions_offset = h.size),
        refusal(|h| h.actions_offset = 0),
        refusal(|h| h.protocol_offset = u32::MAX),
        refusal(|h| h.protocol_offset += 1),
        refusal(|h| h.addresses[3].starts_offset += 4),
        refusal(|h| h.addresses[0].vectors.vectors_offset = h.size - 8),
        refusal(|h| h.source_ports.pages_offset = h.size - 2),
    ] {
        assert!(matches!(section, BlobError::Section { .. }), "{section:?}");
    }
}

/// The header of a sound blob tells where an element is; changing the element is seen.
#[test]
fn each_element_is_checked() {
    let check = |what: &str, place: fn(&[u8], &PolicyHeader) -> usize, value: &[u8]| {
        let (mut bytes, _) = sample(70, 3);
        let header = PolicyHeader::read_from(&bytes).expect("a blob starts with its header");
        let at = place(&bytes, &header);
        assert_ne!(&bytes[at..at + value.len()], value, "the change of a {what} changes nothing");
        bytes[at..at + value.len()].copy_from_slice(value);
        match BlobView::parse(&bytes).map(|_| ()) {
            Err(BlobError::Element { what: named, .. }) => assert_eq!(named, what),
            other => panic!("a damaged {what} gave {other:?}"),
        }
    };
    const MANY: [u8; 2] = [0xff; 2];
    check("action", |_, h| h.actions_offset as usize + 69, &[4]);
    check("interval start", |_, h| h.addresses[0].starts_offset as usize, &[1]);
    check("interval start", |_, h| h.addresses[3].starts_offset as usize + 16, &[0; 16]);
    check("interval class", |_, h| h.addresses[2].classes_offset as usize, &MANY);
    check("root entry", |_, h| h.addresses[0].root_offset as usize + 4, &MANY);
    check("vector", |_, h| h.protocol_vectors.summaries_offset as usize, &[0x80; 4]);
    check("vector", |_, h| h.addresses[0].vectors.vectors_offset as usize + 8, &[0xff; 8]);
    check("protocol", |_, h| h.protocol_offset as usize + 4 * 99, &MANY);
    check("protocol", |_, h| h.protocol_offset as usize + 4 * 99, &(PROTOCOL_PORT_TABLE | 512).to_le_bytes());
    check("port class", |_, h| h.source_ports.classes_offset as usize, &MANY);
}

#[test]
fn a_blob_may_lie_anywhere_in_memory() {
    let (bytes, flows) = sample(70, 3);
    let shifted: Vec<u8> = std::iter::once(0).chain(bytes.iter().copied()).collect();
    let (here, there) = (BlobView::parse(&bytes), BlobView::parse(&shifted[1..]));
    let (here, there) = (here.expect("sound"), there.expect("sound"));
    for flow in &flows {
        assert_eq!(here.first_match(flow), there.first_match(flow));
    }
    assert_eq!(here.bytes(), bytes);
    assert_eq!(here.action(70), None);
}
