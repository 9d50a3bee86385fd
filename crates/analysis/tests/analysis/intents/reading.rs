//! Files of intents: what is read, and every way in which a file is refused.

use palisade_analysis::intent::{Effect, LIBRARY, SCHEMA, Severity, Shape, Words, read};

/// The problems of a file, each as `line:column: path: message`.
fn problems(text: &str) -> Vec<String> {
    let found = read("f", text).err().unwrap_or_default();
    found.iter().map(|problem| problem.to_string().trim_start_matches("f:").to_owned()).collect()
}

/// The one problem of a file whose only intent has these packets begins and goes on so.
fn check(packets: &str, place: &str, message: &str) {
    let text = format!("{{\"intents\":[{{\"name\":\"i\",\"forbidden\":{packets}}}]}}");
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{packets}: {found:?}");
    assert!(found[0].contains(place) && found[0].contains(message), "{packets}: {}", found[0]);
}

#[test]
fn a_file_is_read_with_sets_and_exceptions() {
    let text = r#"{
        // Comments and trailing commas are as in templates.
        "$schema": "x", "description": "y",
        "sets": { "office": ["198.51.100.0/24", "fd00::/8"] },
        "intents": [
            { "name": "a", "only": { "from": "set:office", "to": ["subnet:net/web", "Sql.WestEurope"],
              "services": ["tcp/22", "tcp/443-444", "icmp/8", "protocol/47"] }, "effect": "WARN" },
            { "name": "b", "allowed": { "from": "*", "to": "asg:g", "services": 53,
              "except": { "services": "udp" } }, "severity": "note" },
        ],
    }"#;
    let read = read("f", text).expect("it is sound").intents;
    let [a, b] = &read[..] else { panic!("{read:?}") };
    assert_eq!((a.shape, a.effect, a.severity), (Shape::Only, Effect::Warn, Severity::Warning));
    let words: Vec<String> = a.from.iter().chain(&a.to).map(ToString::to_string).collect();
    assert_eq!(words, ["198.51.100.0/24", "fd00::/8", "subnet:net/web", "Sql.WestEurope"]);
    // One of each protocol: TCP, ICMP of both families, and 47.
    let services: Vec<_> =
        a.services.iter().map(|service| (service.protocol.to_string(), service.ports.ranges())).collect();
    let all: &[(u16, u16)] = &[(0, u16::MAX)];
    assert_eq!(services[0], ("Tcp".to_owned(), &[(22, 22), (443, 444)][..]));
    assert_eq!((services.len(), services[3].1), (4, all));
    assert_eq!((b.shape, b.effect, b.severity), (Shape::Allowed, Effect::Deny, Severity::Note));
    assert_eq!((b.services.len(), b.except.len(), b.except[0].from.len()), (2, 1, 0));
}

#[test]
fn wrong_words_are_told_with_their_place() {
    check(r#"{"from":"*","to":"vm:x"}"#, "/intents/0/forbidden/to", "begins with no known kind");
    check(r#"{"from":"*","to":"subnet:"}"#, "/to", "has no name after the colon");
    check(r#"{"from":"10.0.0.0/33","to":"*"}"#, "/from", "prefix length 33 is above 32");
    check(r#"{"from":"10.0.0.1/8","to":"*"}"#, "/from", "(write 10.0.0.0/8)");
    check(r#"{"from":["*","any"],"to":"*"}"#, "/from/1", "(write *)");
    check(r#"{"from":"no tag","to":"*"}"#, "/from", "is not a service tag");
    check(r#"{"from":"set:x","to":"*"}"#, "/from", "there is no set \"x\" (known here: none)");
    check(r#"{"from":[],"to":"*"}"#, "/from", "the list is empty");
    check(r#"{"from":7,"to":"*"}"#, "/from", "this is a number, not a text");
    check(r#"{"from":"*"}"#, "/intents/0/forbidden", "there is no \"to\"");
    check(r#"{"from":"*","to":"*","ports":1}"#, "/ports", "\"ports\" is not known here");
    check(r#"{"from":"*","to":"*","services":"443-80"}"#, "/services", "(write 80-443)");
    check(r#"{"from":"*","to":"*","services":70000}"#, "/services", "the range is 0-65535");
    check(
        r#"{"from":"*","to":"*","services":"esp/1"}"#,
        "/services",
        "gives ports to a protocol that has none",
    );
    check(r#"{"from":"*","to":"*","services":"icmp/256"}"#, "/services", "beyond the types of ICMP");
    check(r#"{"from":"*","to":"*","services":"http"}"#, "/services", "is not a service");
    check(r#"{"from":"*","to":"*","except":{}}"#, "/except", "the exception is about everything");
    check("7", "/intents/0/forbidden", "this is a number, not an object");
}

#[test]
fn a_file_is_refused_with_all_its_problems() {
    let text = "{\"intents\":[{\"name\":\"\",\"allowed\":{\"from\":\"*\",\"to\":\"*\"}},\n{\"name\":\"a\"},\n\
                {\"use\":\"no-such\"},{\"use\":\"tiers-downwards\",\"with\":{\"tiers\":[\"*\"]}},\n\
                {\"use\":\"no-known-bad\"},{\"name\":\"b\",\"effect\":\"stop\",\"only\":{\"from\":\"*\",\"to\":\"*\"}}]}";
    let found = problems(text);
    let expected = [
        ("1:21: /intents/0/name", "a name has 1 to 80 characters"),
        ("2:1: /intents/1", "has 0 of \"allowed\", \"forbidden\" and \"only\""),
        ("3:8: /intents/2/use", "\"no-such\" is not one of no-rdp-or-ssh-from-internet"),
        ("3:60: /intents/3/with/tiers", "fewer than two tiers"),
        ("4:1: /intents/4", "no-known-bad needs \"prefixes\""),
        ("4:45: /intents/5/effect", "\"stop\" is not one of deny, warn"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, (place, message)) in found.iter().zip(expected) {
        assert!(found.starts_with(place) && found.contains(message), "{found}");
    }
    assert_eq!(problems("{\"intents\":[").len(), 1);
    assert_eq!(problems("[]"), ["1:1: this is a list, not an object (write { ... })"]);
    let twice = r#"{"intents":[{"name":"a","only":{"from":"*","to":"*"}},{"name":"A","only":{"from":"*","to":"*"}}]}"#;
    assert_eq!(
        problems(twice),
        ["1:63: /intents/1/name: two intents are named \"A\" (give one another name)"]
    );
    let key = r#"{"intents":[],"intents":[1]}"#;
    assert!(problems(key)[0].contains("is given twice, first in line 1"), "{:?}", problems(key));
}

#[test]
fn limits_hold_at_their_edge() {
    let intent = |number| format!("{{\"name\":\"i{number}\",\"only\":{{\"from\":\"*\",\"to\":\"*\"}}}}");
    let file = |count: usize| {
        let all: Vec<String> = (0..count).map(intent).collect();
        format!("{{\"intents\":[{}]}}", all.join(","))
    };
    assert_eq!(read("f", &file(1_000)).expect("it is sound").intents.len(), 1_000);
    assert!(problems(&file(1_001))[0].contains("1001 elements, more than 1000"));
}

/// Every recipe can be used with nothing but what it needs, and its parameters are in its text.
#[test]
fn the_library_is_sound() {
    for recipe in LIBRARY {
        let needed = recipe.parameters.iter().filter(|parameter| parameter.default.is_none());
        let given: Vec<String> = needed
            .map(|parameter| match parameter.words {
                Words::Tiers => format!("\"{}\":[\"subnet:a\",[\"subnet:b\",\"subnet:c\"]]", parameter.name),
                Words::Things => format!("\"{}\":\"203.0.113.0/24\"", parameter.name),
                Words::Services => format!("\"{}\":\"tcp\"", parameter.name),
            })
            .collect();
        let name = recipe.name;
        let text = format!("{{\"intents\":[{{\"use\":\"{name}\",\"with\":{{{}}}}}]}}", given.join(","));
        let found = read("f", &text).unwrap_or_else(|problems| panic!("{name}: {}", problems[0])).intents;
        assert!(!found.is_empty() && found.iter().all(|intent| intent.name.starts_with(name)), "{name}");
        assert!(found.iter().all(|intent| intent.description == recipe.description), "{name}");
    }
    assert!(SCHEMA.contains("\"forbidden\""));
}
