//! `palisade matrix`: ends, cells, and its three forms.

use serde_json::Value;

use crate::palisade;

/// The line of the cells that begins with a sender and names a receiver.
fn line<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    let cells = text.split("FROM").nth(1)?;
    cells.lines().find(|line| line.starts_with(&format!("{from} ")) && line[from.len()..].contains(to))
}

#[test]
fn a_table_says_who_reaches_whom_on_what() {
    let run = palisade(&["matrix", "tiers.json"], b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = &run.stdout;
    assert!(text.contains("web1 (assigned), web2 (assigned)"), "{text}");
    // Groups are known though addresses are not.
    assert!(line(text, "web1", "db1").is_some_and(|line| line.contains("tcp/1433 (sql)")), "{text}");
    assert!(line(text, "Internet", "web1").is_some_and(|line| line.contains("tcp/443 (https)")), "{text}");
    // Rules let it pass; the networks are not peered.
    let desk = line(text, "desk1", "web1").expect("rules allow it");
    assert!(desk.contains("tcp/22 (ssh)") && desk.contains("no route"), "{text}");
    assert!(line(text, "Internet", "db1").is_none(), "{text}");
    assert!(text.ends_with("everything else is denied\n"), "{text}");
}

#[test]
fn ends_and_services_are_chosen() {
    let run = palisade(&["matrix", "tiers.json", "--from", "10.9.0.7", "--to", "app", "--expand"], b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let cell = line(&run.stdout, "desk1", "web1").expect("rules allow it");
    assert!(cell.contains("web1, web2") && cell.contains("tcp/22 (ssh)"), "{}", run.stdout);
    assert!(line(&run.stdout, "web1", "db1").is_none(), "{}", run.stdout);

    let run = palisade(&["matrix", "tiers.json", "--service", "sql", "--to", "db"], b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(line(&run.stdout, "web1", "db1").is_some_and(|line| line.contains("tcp/1433 (sql)")));
    assert!(line(&run.stdout, "desk1", "db1").is_none(), "{}", run.stdout);

    let run = palisade(&["matrix", "tiers.json", "--from", "203.0.113.7", "--to", "web"], b"");
    assert!(line(&run.stdout, "203.0.113.7", "web1").is_some_and(|line| line.contains("tcp/443 (https)")));
}

#[test]
fn json_has_a_witness_that_verify_confirms() {
    let run = palisade(&["matrix", "tiers.json", "--format", "json"], b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let document: Value = serde_json::from_str(&run.stdout).expect("it is one document");
    let cells = document["families"][0]["cells"].as_array().expect("there are cells");
    let cell = cells.iter().find(|cell| cell["from"] == "web1" && cell["to"] == "db1").expect("it is there");
    assert_eq!(cell["allowed"]["services"]["of"][0], "tcp/1433 (sql)");
    assert_eq!(cell["route"], "Yes");
    let mut witness = cell["allowed"]["witness"].clone();
    assert_eq!(witness["remoteAddress"], "10.1.1.20");
    witness["nic"] = "web1".into();
    let run = palisade(
        &["verify", "tiers.json", "--flows", "-", "--format", "json"],
        format!("{witness}\n").as_bytes(),
    );
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let lost =
        cells.iter().find(|cell| cell["from"] == "desk1" && cell["to"] == "web1").expect("it is there");
    assert_eq!((&lost["route"], lost["routeReason"].is_string()), (&"No".into(), true));
}

#[test]
fn a_picture_says_the_same_in_words() {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/matrix.svg");
    let run = palisade(&["matrix", "tiers.json", "--format", "svg", "--output", path], b"");
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    let text = std::fs::read_to_string(path).expect("it is written");
    assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"), "{text}");
    let described = text.split("<desc>").nth(1).and_then(|rest| rest.split("</desc>").next());
    let described = described.expect("it is described");
    assert!(described.contains("web1 to db1: tcp/1433 (sql)."), "{described}");
    assert!(text.contains("prefers-color-scheme:dark") && text.contains(">no route<"), "{text}");
}

#[test]
fn what_cannot_be_chosen_is_bad_usage() {
    for arguments in [
        &["matrix", "tiers.json", "--from", "nobody"][..],
        &["matrix", "tiers.json", "--service", "tcp/70000"],
        &["matrix", "absent.json"],
    ] {
        let run = palisade(arguments, b"");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
}
