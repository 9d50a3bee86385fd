//! Hostile templates end soon, with a problem and without a panic.

use super::*;
use crate::template::limits::{EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX, STEPS_MAX};
use crate::template::parser::parse_expression;
use proptest::prelude::*;

#[track_caller]
fn assert_limited(deployment: &Deployment, told: &str) {
    let found = deployment.problems.iter().find(|p| p.message.contains(told));
    assert!(found.is_some(), "{told}: {:#?}", deployment.problems.iter().take(5).collect::<Vec<_>>());
}

#[test]
fn expressions_are_bounded_before_they_are_parsed() {
    let deep = format!("{}1{}", "f(".repeat(EXPRESSION_DEPTH_MAX + 1), ")".repeat(EXPRESSION_DEPTH_MAX + 1));
    assert!(parse_expression(&deep).unwrap_err().to_string().contains("nests deeper"));
    assert!(
        parse_expression(&format!("f(){}", ".a".repeat(500)))
            .unwrap_err()
            .to_string()
            .contains("nests deeper")
    );
    let fits = format!("{}1{}", "f(".repeat(EXPRESSION_DEPTH_MAX - 1), ")".repeat(EXPRESSION_DEPTH_MAX - 1));
    assert!(parse_expression(&fits).is_ok());
    let long = format!("'{}'", "x".repeat(EXPRESSION_CHARS_MAX));
    assert!(parse_expression(&long).unwrap_err().to_string().contains("more than the limit"));
}

#[test]
fn strings_cannot_grow_without_end() {
    let doubling: Vec<String> = (1..40)
        .map(|i| format!("\"v{i}\": \"[concat(variables('v{0}'), variables('v{0}'))]\"", i - 1))
        .collect();
    let template =
        format!(r#"{{"variables": {{"v0": "xxxxxxxxxxxxxxxx", {}}}, "resources": []}}"#, doubling.join(","));
    assert_limited(&deploy(&template), "literal limit exceeded. Limit: '131072'");
    let (_, problems) = value_of("padLeft('x', 2000000000)", "");
    assert!(problems[0].message.contains("literal limit exceeded"), "{problems:?}");
    let (_, problems) = value_of("replace(replace(padLeft('', 60000), ' ', 'xx'), 'x', '0123456789')", "");
    assert!(problems[0].message.contains("literal limit exceeded"), "{problems:?}");
}

#[test]
fn shared_values_cannot_explode() {
    let doubling: Vec<String> = (1..60)
        .map(|i| format!("\"v{i}\": [\"[variables('v{0}')]\", \"[variables('v{0}')]\"]", i - 1))
        .collect();
    let template = with_property(
        r#""[string(variables('v59'))]""#,
        &format!(r#""variables": {{"v0": "x", {}}},"#, doubling.join(",")),
    );
    assert_limited(&deploy(&template), "a value holds more than");
}

#[test]
fn values_cannot_nest_without_end() {
    let (_, problems) = value_of(
        "reduce(range(0, 5000), createArray(), lambda('a', 'b', createArray(lambdaVariables('a'))))",
        "",
    );
    assert!(problems[0].message.contains("a value nests deeper"), "{problems:?}");
}

#[test]
fn evaluation_cannot_nest_without_end() {
    let chain: Vec<String> = (1..2_000).map(|i| format!("\"v{i}\": \"[variables('v{}')]\"", i - 1)).collect();
    let template = with_property(
        r#""[variables('v1999')]""#,
        &format!(r#""variables": {{"v0": "x", {}}},"#, chain.join(",")),
    );
    assert_limited(&deploy(&template), "evaluation nests deeper");
    let sections = r#""functions": [{"namespace": "f", "members": {
        "f": {"parameters": [{"name": "x", "type": "int"}], "output": {"type": "int", "value": "[f.f(parameters('x'))]"}}}}],"#;
    let (_, problems) = value_of("f.f(1)", sections);
    assert!(problems[0].message.contains("evaluation nests deeper"), "{problems:?}");
}

#[test]
fn steps_are_counted() {
    let nest = "map(range(0, 10000), lambda('a', map(range(0, 10000), lambda('b', add(1, 1)))))";
    let (_, problems) = value_of(nest, "");
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, Code::TemplateLimitExceeded);
    assert!(problems[0].message.contains(&format!("more than {STEPS_MAX} steps")), "{problems:?}");
}

#[test]
fn ranges_and_loops_are_limited() {
    let (_, problems) = value_of("range(0, 10001)", "");
    assert!(problems[0].message.contains("not more than 10000"), "{problems:?}");
    let resources: Vec<String> =
        (0..801).map(|i| format!(r#"{{"type": "A.B/c", "name": "n{i}"}}"#)).collect();
    let deployment = deploy(&format!(r#"{{"resources": [{}]}}"#, resources.join(",")));
    assert_limited(&deployment, "resources limit exceeded. Limit: '800' and actual: '801'");
    assert_eq!(deployment.resources.len(), 801);
}

#[test]
fn a_template_that_links_to_itself_ends() {
    let own = document(
        "main.json",
        r#"{"resources": [
          {"type": "Microsoft.Resources/deployments", "name": "a", "properties": {"templateLink": {"relativePath": "main.json"}}},
          {"type": "Microsoft.Resources/deployments", "name": "b", "properties": {"templateLink": {"relativePath": "main.json"}}}]}"#,
    );
    let mut links = Folder::new("x", "");
    links.insert("main.json", &own);
    let context = DeploymentContext::default();
    let deployment = evaluate(&Input { template: &own, parameters: &[], context: &context, links: &links });
    assert_limited(&deployment, "deployments nest deeper than");
    assert_limited(&deployment, "nested deployments");
}

#[test]
fn deployments_that_wait_for_one_another_end() {
    let one = |i: usize| {
        format!(
            r#"{{"type": "Microsoft.Resources/deployments", "name": "d{i}", "properties": {{
              "expressionEvaluationOptions": {{"scope": "inner"}},
              "parameters": {{"p": {{"value": "[concat(reference('d{}').outputs.o.value, 'x')]"}}}},
              "template": {{"parameters": {{"p": {{"type": "string"}}}}, "resources": [],
                "outputs": {{"o": {{"type": "string", "value": "[parameters('p')]"}}}}}}}}}}"#,
            i + 1
        )
    };
    let chain: Vec<String> = (0..500).map(one).collect();
    let deployment = deploy(&format!(r#"{{"resources": [{}]}}"#, chain.join(",")));
    assert_limited(&deployment, "evaluation nests deeper");
}

#[test]
fn children_inside_children_are_as_deep_as_json_may_be() {
    let mut resource = r#"{"type": "t", "name": "[variables('v189')]"}"#.to_owned();
    for _ in 0..60 {
        resource = format!(r#"{{"type": "t", "name": "n", "resources": [{resource}]}}"#);
    }
    let chain: Vec<String> = (1..190).map(|i| format!("\"v{i}\": \"[variables('v{}')]\"", i - 1)).collect();
    let deployment = deploy(&format!(
        r#"{{"variables": {{"v0": "x", {}}}, "resources": [{{"type": "A.B/c", "name": "n", "resources": [{resource}]}}]}}"#,
        chain.join(",")
    ));
    assert_limited(&deployment, "evaluation nests deeper");
    assert_eq!(deployment.resources.len(), 62);
}

#[test]
fn problems_are_limited() {
    let bad = vec!["\"[nope()]\""; 1_500].join(",");
    let deployment = deploy(&with_property(&format!("[{bad}]"), ""));
    assert_eq!(deployment.problems.len(), 1_001);
    assert_eq!(deployment.problems[1_000].message, "500 more problems are not listed");
}

/// Names of real functions and things to give them, so that random expressions get somewhere.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-c]{0,3}".prop_map(|s| format!("'{s}'")),
        any::<i64>().prop_map(|n| n.to_string()),
        (-3..4_i64).prop_map(|n| n.to_string()),
        Just("parameters('p')".to_owned()),
        Just("parameters('o')".to_owned()),
        Just("variables('v')".to_owned()),
        Just("null()".to_owned()),
        Just("true()".to_owned()),
        Just("reference('thing')".to_owned()),
        Just("lambda('a', 'b', lambdaVariables('a'))".to_owned()),
        Just("'10.0.0.0/8'".to_owned()),
        Just("'2020-02-29T12:00:00Z'".to_owned()),
        Just("'{0:D2}{1,5}'".to_owned()),
    ];
    const NAMES: &[&str] = &[
        "concat",
        "format",
        "toLower",
        "replace",
        "trim",
        "padLeft",
        "substring",
        "split",
        "join",
        "startsWith",
        "array",
        "createArray",
        "range",
        "flatten",
        "length",
        "empty",
        "contains",
        "first",
        "last",
        "take",
        "skip",
        "indexOf",
        "lastIndexOf",
        "indexFromEnd",
        "createObject",
        "items",
        "objectKeys",
        "shallowMerge",
        "union",
        "intersection",
        "tryGet",
        "string",
        "json",
        "add",
        "sub",
        "mul",
        "div",
        "mod",
        "min",
        "max",
        "int",
        "float",
        "equals",
        "not",
        "less",
        "greater",
        "if",
        "and",
        "or",
        "coalesce",
        "bool",
        "map",
        "filter",
        "reduce",
        "sort",
        "toObject",
        "groupBy",
        "mapValues",
        "parseCidr",
        "cidrSubnet",
        "cidrHost",
        "dateTimeAdd",
        "dateTimeToEpoch",
        "dateTimeFromEpoch",
        "base64",
        "base64ToString",
        "base64ToJson",
        "uri",
        "uriComponent",
        "uriComponentToString",
        "dataUri",
        "dataUriToString",
        "uniqueString",
        "guid",
        "resourceId",
        "extensionResourceId",
        "copyIndex",
        "reference",
        "references",
        "listKeys",
        "deployment",
        "resourceGroup",
        "utcNow",
        "newGuid",
        "variables",
        "parameters",
        "resourceInfo",
        "environment",
    ];
    leaf.prop_recursive(5, 48, 4, |inner| {
        let args = proptest::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            4 => (proptest::sample::select(NAMES), args).prop_map(|(name, args)| format!("{name}({})", args.join(", "))),
            1 => (inner.clone(), "[a-c]").prop_map(|(base, name)| format!("{base}.{name}")),
            1 => (inner.clone(), inner).prop_map(|(base, index)| format!("{base}[{index}]")),
        ]
    })
}

proptest! {
    #[test]
    fn the_parser_takes_any_text(text in "\\PC{0,60}") {
        let _ = parse_expression(&text);
    }

    #[test]
    fn the_parser_takes_anything_like_an_expression(text in "[a-c'(),.\\[\\] 0-9-]{0,60}") {
        let _ = parse_expression(&text);
    }

    #[test]
    fn any_expression_evaluates_to_something(expression in expression()) {
        let sections = r#""parameters": {"p": {"type": "string"}, "o": {"type": "object", "defaultValue": {"a": [1]}}},
            "variables": {"v": ["a", {"b": 1}]},"#;
        let (value, _) = value_of(&expression, sections);
        prop_assert!(value.is_some());
    }

    #[test]
    fn any_json_is_survived(text in "[\\[\\]{}\",:resourcpyntamdfuv0-9\\\\' -]{0,120}") {
        if let Ok(document) = parse_str("t", &text) {
            let context = DeploymentContext::default();
            let _ = evaluate(&Input { template: &document, parameters: &[&document], context: &context, links: &NoLinks });
        }
    }
}
