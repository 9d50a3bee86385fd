use super::*;
use proptest::prelude::*;

fn doc(text: &str) -> Document {
    parse_str("test.json", text).expect("the text is JSON")
}

#[test]
fn what_azure_tolerates_is_read() {
    for text in [
        "\u{feff}{}",
        "{ \"a\": 1, }",
        "// top\n{ /* in */ \"a\": [1, 2,], }",
        "{\"a\": \"two\nlines\"}",
        "{\"a\": \"\\u00e9\\ud83d\\ude00\"}",
    ] {
        doc(text);
    }
}

#[test]
fn what_azure_refuses_is_refused_with_a_place() {
    let cases = [
        ("{\"a\" 1}", 1, 6),
        ("{\n  \"a\": nope}", 2, 8),
        ("{\"a\": 1 \"b\": 2}", 1, 8),
        ("{\"a\": 0x10}", 1, 7),
        ("[1e999]", 1, 2),
        ("{\"a\": \"open", 1, 7),
        ("{} {}", 1, 4),
    ];
    for (text, line, column) in cases {
        match parse_str("t", text) {
            Err(JsonError::Syntax { line: l, column: c, .. }) => {
                assert_eq!((l, c), (line, column), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    assert_eq!(parse_str("t", " // nothing\n").unwrap_err(), JsonError::Empty);
    assert_eq!(parse("t", &[0xFF, 0xFE, 0]).unwrap_err(), JsonError::Utf16);
    assert_eq!(parse("t", b"{\"\x80\"}").unwrap_err(), JsonError::NotUtf8 { offset: 2 });
}

#[test]
fn depth_is_limited_before_parsing() {
    let nest = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(parse_str("t", &nest(JSON_DEPTH_MAX)).is_ok());
    let error = parse_str("t", &nest(JSON_DEPTH_MAX + 1)).unwrap_err();
    assert_eq!(error, JsonError::TooDeep { line: 1, column: JSON_DEPTH_MAX as u32 + 1 });
    assert!(matches!(parse_str("t", &"{\"a\":[".repeat(1_000_000)), Err(JsonError::TooDeep { .. })));
    // Brackets in strings and comments do not count.
    let quiet = format!("/* {0} */ [\"{0}\\\"{0}\"] // {0}", "[".repeat(500));
    assert!(parse_str("t", &quiet).is_ok());
}

#[test]
fn size_is_limited() {
    let bytes = vec![b' '; JSON_BYTES_MAX + 1];
    assert_eq!(parse("t", &bytes).unwrap_err(), JsonError::TooLarge { bytes: JSON_BYTES_MAX + 1 });
}

#[test]
fn duplicates_are_reported_without_case() {
    let doc = doc("{\"Name\": 1,\n \"x\": {\"a\": 1, \"A\": 2}, \"name\": 3}");
    let found: Vec<_> =
        doc.duplicates.iter().map(|d| (d.key.as_str(), d.first.line, d.second.line)).collect();
    assert_eq!(found, [("A", 2, 2), ("name", 1, 2)]);
    assert_eq!(doc.root.get("NAME").and_then(Node::as_i64), Some(1));
}

#[test]
fn the_same_value_twice_is_no_contradiction() {
    let doc = doc("{\"location\": {\"type\": \"string\"},\n \"Location\": { \"type\": \"string\" }}");
    assert_eq!(doc.duplicates, []);
}

#[test]
fn positions_count_characters_and_pointers_lead_back() {
    let doc = doc("{\n  \"é\": \"ü\", \"list\": [10, {\"a/b~c\": true}]\n}");
    let flag = doc.at_pointer("/list/1/a~1b~0c").expect("the pointer leads to a value");
    assert_eq!((flag.at.line, flag.at.column), (2, 36));
    assert_eq!(doc.pointer_at(flag.at.start), "/list/1/a~1b~0c");
    assert_eq!(doc.pointer_at(0), "");
    assert!(doc.at_pointer("/list/7").is_none());
}

#[test]
fn numbers_keep_their_text() {
    let doc = doc("[9223372036854775807, 9223372036854775808, 1.50, -0]");
    let Kind::Array(items) = &doc.root.kind else { panic!("an array") };
    let seen: Vec<_> = items
        .iter()
        .map(|n| match &n.kind {
            Kind::Number(n) => (n.raw.as_str(), n.int),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1.50", None),
            ("-0", Some(0))
        ]
    );
}

#[test]
fn conversion_keeps_every_value() {
    let text = r#"{"a":[1,-2.5,"s",null,true],"b":{"c":{}}}"#;
    let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(serde_json::Value::from(&doc(text).root), value);
    assert_eq!(serde_json::Value::from(&Node::from(&value)), value);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse("t", &bytes);
    }

    #[test]
    fn no_json_like_text_makes_it_panic(text in "[\\[\\]{}\",:/*'\\\\ue0-9a.+\n é-]{0,80}") {
        if let Ok(doc) = parse_str("t", &text) {
            let _ = doc.pointer_at(doc.root.at.end / 2);
        }
    }
}
