use proptest::prelude::*;

use super::*;
use crate::testing::Node;

fn sample() -> Node {
    let mut root = Node::new("ROOT");
    root.at(r"Control\Lsa").number("LimitBlankPasswordUse", 1).text("Name", "w\u{f6}rd");
    root.at("Long").set("", 3, vec![7; 40_000]).set("Medium", 3, vec![8; 100]).set("None", 0, vec![]);
    for number in 0..11 {
        root.at(&format!(r"Many\Key{number}")).number("Number", number);
    }
    root
}

#[test]
fn keys_and_values_are_found_without_regard_to_case() {
    let hive = Hive::read(sample().hive(), &[]).unwrap();
    assert_eq!(hive.condition(), Condition::Clean);
    let number = |path: &str, name: &str| hive.value(path, name).unwrap().and_then(|value| value.number());
    assert_eq!(number(r"control\LSA", "limitblankpassworduse"), Some(1));
    assert_eq!(number(r"Many\Key10", "Number"), Some(10), "lists of lists");
    assert_eq!(number(r"Many\Key11", "Number"), None);
    let long = hive.value("Long", "").unwrap().unwrap();
    assert_eq!((long.data.len(), long.data.iter().all(|byte| *byte == 7)), (40_000, true));
    let text = hive.value(r"Control\Lsa", "Name").unwrap().unwrap();
    assert_eq!(text.text().as_deref(), Some("w\u{f6}rd"));
    let names = hive.key("Many").unwrap().unwrap().subkeys().unwrap();
    let names: Vec<String> = names.map(|key| key.unwrap().name().unwrap()).collect();
    assert_eq!(names.len(), 11);
}

#[test]
fn what_is_no_hive_is_told() {
    assert_eq!(Hive::read(b"ElfFile\0".to_vec(), &[]).unwrap_err(), HiveError::NotAHive);
    let mut other = sample().hive();
    other[20] = 2;
    crate::testing::seal(&mut other[..512]);
    let error = Hive::read(other, &[]).unwrap_err();
    assert_eq!(error, HiveError::Unsupported { what: "major version", got: 2 });
}

#[test]
fn a_key_below_itself_is_harmless() {
    let mut bytes = sample().hive();
    let hive = Hive::read(bytes.clone(), &[]).unwrap();
    let root = hive.root;
    // The list of the root's keys names the root.
    let root_at = 4_096 + root as usize + 4;
    let list = cells::word(&bytes, root_at + 28).unwrap() as usize;
    bytes[4_096 + list + 8..4_096 + list + 12].copy_from_slice(&root.to_le_bytes());
    let hive = Hive::read(bytes, &[]).unwrap();
    let path = "ROOT\\".repeat(1_000) + "ROOT";
    assert!(hive.key(&path).unwrap().is_some());
}

/// Reads everything that can be reached, up to a number of keys.
fn walk(hive: &Hive) -> usize {
    let mut open: Vec<Key<'_>> = hive.root().into_iter().collect();
    let mut seen = 0;
    while let Some(key) = open.pop() {
        seen += 1;
        if seen > 500 {
            break;
        }
        let _ = key.name();
        let values = key.values().into_iter().flatten().take(100);
        seen += values.filter_map(Result::ok).filter(|value| value.text().is_some()).count();
        open.extend(key.subkeys().into_iter().flatten().take(100).filter_map(Result::ok));
    }
    seen
}

proptest! {
    #[test]
    fn a_mutated_hive_is_an_error_or_is_read(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = sample().hive();
        for (place, byte) in edits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(hive) = Hive::read(bytes.clone(), &[bytes]) {
            walk(&hive);
        }
    }
}
