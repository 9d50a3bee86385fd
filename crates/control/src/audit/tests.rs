//! The chain breaks at every kind of tampering, and nothing secret gets into it.

use serde_json::{Value, json};

use super::{BODY_BYTES_MAX, Body, Break, Entry, Event, Head, Reason, Who, redact, verify};

fn event(number: usize) -> Event {
    Event {
        time: format!("2026-01-01T00:00:{number:02}Z"),
        caller: Who { oid: "0f".to_owned(), name: "operator".to_owned() },
        address: "192.0.2.7".to_owned(),
        correlation: format!("c-{number}"),
        verb: "put".to_owned(),
        target: format!("/subscriptions/s/resourceGroups/g{number}"),
        before: None,
        after: Some(Body::of(
            "/subscriptions/s",
            &json!({ "location": "north", "number": number, "ratio": 0.1 }),
        )),
        outcome: "Created".to_owned(),
        broken: Vec::new(),
        reason: None,
    }
}

fn chain(length: usize) -> (Vec<Entry>, Head) {
    let mut head = Head::default();
    let entries = (1..=length).map(|number| head.append(event(number))).collect();
    (entries, head)
}

fn walk(entries: Vec<Entry>) -> Result<super::Verified, Break> {
    verify(entries.into_iter().map(Ok))
}

#[test]
fn a_whole_chain_is_verified_to_its_head() {
    let (entries, head) = chain(9);
    let verified = walk(entries).unwrap();
    assert_eq!((verified.entries, &verified.head), (9, &head));
    assert_eq!(verified.clone().ends_at(&head), Ok(verified));
    assert_eq!(walk(Vec::new()).unwrap().head, Head::default());
}

#[test]
fn a_chain_survives_being_written_as_json_lines() {
    let (entries, head) = chain(5);
    let lines: Vec<String> = entries.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
    let read = lines.iter().map(|line| serde_json::from_str(line).map_err(|error| error.to_string()));
    assert_eq!(verify(read).unwrap().head, head);
}

#[test]
fn every_field_of_every_entry_is_protected() {
    let (entries, _) = chain(3);
    let mut reached = 0;
    for place in 0..entries.len() {
        let whole = serde_json::to_value(&entries[place]).unwrap();
        for pointer in leaves(&whole, "") {
            let mut changed = whole.clone();
            let leaf = changed.pointer_mut(&pointer).unwrap();
            *leaf = other(leaf);
            let mut copy = entries.clone();
            copy[place] = serde_json::from_value(changed).unwrap();
            let found = walk(copy).expect_err(&pointer);
            assert_eq!(found.seq, place as u64 + 1, "{pointer}");
            reached += 1;
        }
    }
    assert!(reached >= 3 * 12, "{reached}");
}

/// Pointers to all values of a document that are not objects or arrays.
fn leaves(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, field)| leaves(field, &format!("{path}/{name}"))).collect()
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(index, item)| leaves(item, &format!("{path}/{index}")))
            .collect(),
        _ => vec![path.to_owned()],
    }
}

/// Another value of the same type.
fn other(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(format!("{text}x")),
        Value::Number(number) if number.is_u64() => Value::from(number.as_u64().unwrap() + 1),
        Value::Number(number) => Value::from(number.as_f64().unwrap() + 1.0),
        _ => panic!("an entry has no {value}"),
    }
}

#[test]
fn entries_that_are_taken_out_put_in_or_moved_are_found() {
    let (entries, _) = chain(5);
    let check = |change: &dyn Fn(&mut Vec<Entry>), seq: u64, why: Reason| {
        let mut copy = entries.clone();
        change(&mut copy);
        assert_eq!(walk(copy), Err(Break { seq, why }));
    };
    check(&|all| drop(all.remove(0)), 1, Reason::Number(2));
    check(&|all| drop(all.remove(2)), 3, Reason::Number(4));
    check(&|all| all.swap(1, 2), 2, Reason::Number(3));
    check(&|all| all.insert(2, all[1].clone()), 3, Reason::Number(2));
    // One that is left out, with the numbers behind it moved up, and even with its own hash made right.
    check(
        &|all| {
            all.remove(2);
            all[2].seq = 3;
            all[2].hash = all[2].digest();
        },
        3,
        Reason::Previous,
    );
    // One that was written anew, with its hash: the next one does not follow it.
    check(
        &|all| {
            all[1].event.outcome = "Unchanged".to_owned();
            all[1].hash = all[1].digest();
        },
        3,
        Reason::Previous,
    );
}

#[test]
fn an_end_that_was_cut_off_or_replaced_is_found_against_the_head() {
    let (mut entries, head) = chain(5);
    let last = entries.pop().unwrap();
    let short = walk(entries.clone()).unwrap();
    assert_eq!(short.ends_at(&head), Err(Break { seq: 5, why: Reason::CutOff(5) }));

    let mut forged = Entry { event: event(7), ..last };
    forged.hash = forged.digest();
    entries.push(forged);
    assert_eq!(walk(entries).unwrap().ends_at(&head), Err(Break { seq: 5, why: Reason::Replaced }));
}

#[test]
fn an_entry_that_cannot_be_read_is_a_break() {
    let found = verify([Err("no JSON".to_owned())]).unwrap_err();
    assert_eq!(found, Break { seq: 1, why: Reason::Unreadable("no JSON".to_owned()) });
    assert_eq!(found.to_string(), "the audit log is broken at entry 1: it cannot be read: no JSON");
}

#[test]
fn secrets_are_hidden_and_unknown_records_whole() {
    let machine = json!({ "osProfile": { "adminPassword": "p4ss", "linuxConfiguration": { "disablePasswordAuthentication": true } } });
    let shown =
        redact("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m", &machine);
    assert_eq!(shown["osProfile"]["adminPassword"], "(hidden)");
    assert_eq!(shown["osProfile"]["linuxConfiguration"]["disablePasswordAuthentication"], true);

    let principal = json!({ "name": "n", "secrets": [{ "id": "1", "hash": "$argon2id$..." }], "password": { "hash": "h" } });
    let shown = redact("id/principal/1", &principal);
    assert_eq!(shown["secrets"][0], json!({ "id": "1", "hash": "(hidden)" }));
    assert!(!shown.to_string().contains("argon2id"));

    for key in ["id/key", "id/refresh/aa", "ca/authority", "join/aa", "id/added-later/1"] {
        assert_eq!(redact(key, &json!({ "anything": "secret" })), "(hidden)", "{key}");
    }
}

#[test]
fn a_long_body_is_kept_by_its_hash() {
    let document = |length: usize| Value::from("x".repeat(length - 2)); // two quotation marks
    let kept = Body::of("/s", &document(BODY_BYTES_MAX));
    assert_eq!((kept.bytes, kept.document.is_some()), (BODY_BYTES_MAX, true));
    let long = Body::of("/s", &document(BODY_BYTES_MAX + 1));
    assert_eq!((long.bytes, long.document), (BODY_BYTES_MAX + 1, None));
}
