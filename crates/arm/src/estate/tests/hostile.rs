//! Wrong types, wrong shapes and sizes that no estate has.

use palisade_model::spec::Given;

use super::*;

#[test]
fn a_property_of_a_wrong_type_is_a_problem_with_its_place_and_leaves_the_field_unknown() {
    let text = r#"{"name":"web","type":"Microsoft.Network/networkSecurityGroups","properties":{"flushConnection":"often",
        "securityRules":[{"name":{"a":1},"properties":{"protocol":["Tcp"],"sourceAddressPrefix":{},"sourcePortRanges":"80",
        "destinationApplicationSecurityGroups":["x",{"id":7},{},{"id":null}],"priority":100.5}}, 7]}}"#;
    let result = read_text(text);
    let found = problems(&result);
    let start = "The request content was invalid and could not be deserialized: property";
    let expect = [
        ("/properties/securityRules/0/name", "input.json:2", "\"name\" is an object, expected a string."),
        (
            "/properties/securityRules/0/properties/protocol",
            "input.json:2",
            "\"protocol\" is an array, expected a string.",
        ),
        (
            "/properties/securityRules/0/properties/sourceAddressPrefix",
            "input.json:2",
            "\"sourceAddressPrefix\" is an object, expected a string.",
        ),
        (
            "/properties/securityRules/0/properties/sourcePortRanges",
            "input.json:2",
            "\"sourcePortRanges\" is a string, expected an array.",
        ),
        (
            "/properties/securityRules/0/properties/destinationApplicationSecurityGroups/0",
            "input.json:3",
            "\"destinationApplicationSecurityGroups\" is a string, expected an object with an id.",
        ),
        (
            "/properties/securityRules/0/properties/destinationApplicationSecurityGroups/1/id",
            "input.json:3",
            "\"destinationApplicationSecurityGroups\" is a number, expected the id of a resource.",
        ),
        (
            "/properties/securityRules/0/properties/destinationApplicationSecurityGroups/2",
            "input.json:3",
            "\"destinationApplicationSecurityGroups\" is an object, expected an object with an id.",
        ),
        ("/properties/securityRules/1", "input.json:3", "\"securityRules\" is a number, expected an object."),
        (
            "/properties/flushConnection",
            "input.json:1",
            "\"flushConnection\" is a string, expected a boolean.",
        ),
    ];
    for (pointer, place, message) in expect {
        let line = format!("{pointer} {place}: InvalidRequestContent: {start} {message}");
        assert!(found.contains(&line), "{line}\nis not in\n{}", found.join("\n"));
    }
    assert_eq!(found.len(), expect.len(), "{}", found.join("\n"));
    assert!(result.has_errors());
    let group = &result.spec.nsgs[0];
    assert!(group.rules_unknown.is_some(), "the element that is no rule may be any");
    assert!(matches!(&group.rules[0].source.address_prefix.as_ref().expect("kept").value, Given::Unknown(_)));
    assert_eq!(
        group.rules[0].priority.as_ref().map(|p| p.value.clone()),
        Some(Given::Known("100.5".to_owned()))
    );
}

#[test]
fn every_value_may_be_of_every_type() {
    let originals = [
        include_str!("../../../tests/fixtures/estate-flat.json"),
        include_str!("../../../tests/fixtures/estate-more.json"),
        include_str!("../../../tests/fixtures/plan.json"),
    ];
    let replacements =
        [r#"{}"#, r#"[]"#, r#"[[{}]]"#, r#""x""#, "7", "true", "null", r#"{"properties":7,"id":{}}"#];
    let mut read = 0;
    for original in originals {
        let root: serde_json::Value = serde_json::from_str(original).expect("a fixture is JSON");
        let mut pointers = Vec::new();
        collect(&root, String::new(), &mut pointers);
        // Like values stand many times in a file; each place gets some of the replacements, in turn.
        for (index, pointer) in pointers.iter().enumerate() {
            for replacement in replacements.iter().cycle().skip(index * 3).take(2) {
                let mut changed = root.clone();
                *changed.pointer_mut(pointer).expect("exists") =
                    serde_json::from_str(replacement).expect("JSON");
                read_text(&changed.to_string());
                read += 1;
            }
        }
    }
    assert!(read > 1_500, "{read}");
}

fn collect(value: &serde_json::Value, pointer: String, out: &mut Vec<String>) {
    match value {
        serde_json::Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| collect(item, format!("{pointer}/{index}"), out));
        }
        serde_json::Value::Object(members) => {
            members.iter().for_each(|(key, item)| {
                collect(item, format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), out);
            });
        }
        _ => {}
    }
    out.push(pointer);
}

#[test]
fn what_is_no_estate_is_named() {
    let of = |text: &str| problems(&read_text(text)).join("|");
    assert!(of("").contains("holds no JSON value"), "{}", of(""));
    assert!(of("{\"a\":").contains("input.json:1: InvalidRequestContent"), "{}", of("{\"a\":"));
    assert!(of(&"[".repeat(1_000)).contains("nesting is deeper"));
    assert!(of("{\"a\":1}").contains("PalUnrecognisedInput"));
    assert!(of("7").contains("PalUnrecognisedInput"));
    assert!(of("[7]").contains("/0 input.json:1: PalUnrecognisedInput: a number is not a resource"));
    assert!(of("[{\"name\":\"x\"}]").contains("neither an id nor a type"));
    assert!(of("[{\"id\":\"x\"}]").contains("is not the id of a resource"));
    assert!(of("{\"changeNumber\":1,\"cloud\":\"Public\",\"values\":[]}").contains("--service-tags"));
    let clash =
        format!(r#"{{"id":"{}","type":"Microsoft.Network/virtualNetworks"}}"#, id("networkSecurityGroups/a"));
    assert!(of(&clash).contains("but the type is"), "{}", of(&clash));
    assert!(of("{\"value\":[],\"nextLink\":\"https://x\"}").contains("PalIncompleteList"));
}

#[test]
fn huge_lists_are_read_once_and_refused_above_the_limit() {
    let rule = r#"{"name":"r","properties":{"sourceAddressPrefix":{}}}"#;
    let rules = |count: usize| format!(r#"{{"securityRules":[{}]}}"#, vec![rule; count].join(","));
    let result = read_text(&rules(20_000));
    assert_eq!(result.spec.nsgs[0].rules.len(), 20_000);
    assert_eq!(result.problems.len(), crate::estate::PROBLEMS_MAX + 1, "the rest is counted");
    let result = read_text(&rules(super::super::fields::LIST_ITEMS_MAX + 1));
    assert_eq!((result.spec.nsgs[0].rules.len(), result.problems.len()), (0, 1));
    assert!(result.spec.nsgs[0].rules_unknown.is_some());
}
