//! Templates: parameters, children, conditions, links and what stays unknown.

use palisade_model::spec::Given;

use super::*;

const SCHEMA: &str = r#""$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0""#;

/// A template with these parameters and resources.
fn template(parameters: &str, resources: &str) -> String {
    format!("{{{SCHEMA},\"parameters\":{{{parameters}}},\n\"resources\":[{resources}]}}")
}

fn rule(name: &str, prefix: &str, priority: &str) -> String {
    format!(
        r#"{{"name":"{name}","properties":{{"protocol":"Tcp","sourcePortRange":"*","destinationPortRange":"22",
        "sourceAddressPrefix":"{prefix}","destinationAddressPrefix":"*","access":"Allow","priority":{priority},"direction":"Inbound"}}}}"#
    )
}

fn nsg(name: &str, rules: &str) -> String {
    format!(
        r#"{{"type":"Microsoft.Network/networkSecurityGroups","apiVersion":"2023-11-01","name":"{name}",
        "properties":{{"securityRules":{rules}}}}}"#
    )
}

fn rule_names(result: &ReadResult, nsg: usize) -> Vec<String> {
    let name = |rule: &palisade_model::spec::RuleSpec| match rule.name.as_ref().map(|name| &name.value) {
        Some(Given::Known(name)) => name.clone(),
        Some(Given::Unknown(reason)) => format!("<{reason}>"),
        None => "-".to_owned(),
    };
    result.spec.nsgs[nsg].rules.iter().map(name).collect()
}

#[test]
fn a_value_from_an_unset_parameter_is_unknown_and_its_name_still_meets_itself() {
    let rules = format!("[{},{}]", rule("ssh", "[parameters('admin')]", "100"), rule("all", "*", "110"));
    let subnet = r#"{"type":"Microsoft.Network/virtualNetworks","apiVersion":"2023-11-01","name":"net","properties":{
        "addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"a","properties":{"addressPrefix":"10.0.0.0/24",
        "networkSecurityGroup":{"id":"[resourceId('Microsoft.Network/networkSecurityGroups', parameters('nsg'))]"}}},
        {"name":"b","properties":{"addressPrefix":"10.0.1.0/24","networkSecurityGroup":{"id":"[resourceId('Microsoft.Network/networkSecurityGroups', parameters('other'))]"}}}]}}"#;
    let parameters = r#""admin":{"type":"string"},"nsg":{"type":"string"},"other":{"type":"string"}"#;
    let text = template(parameters, &format!("{},{subnet}", nsg("[parameters('nsg')]", &rules)));
    let result = read_clean(&[Document::new("main.json", text)]);
    let group = &result.spec.nsgs[0];
    assert_eq!(group.id.name(), "{parameters('nsg')}");
    let reason = "parameter 'admin' has no value and no default".to_owned();
    assert_eq!(
        group.rules[0].source.address_prefix.as_ref().map(|p| &p.value),
        Some(&Given::Unknown(reason))
    );
    assert_eq!((result.summary.rules, result.summary.rules_resolved), (2, 1));
    assert_eq!(result.summary.unresolved[0].rule.as_deref(), Some("ssh"));
    let references: Vec<_> = result.spec.virtual_networks[0]
        .subnets
        .iter()
        .map(|subnet| subnet.nsg.as_ref().map(|nsg| nsg.value.clone()))
        .collect();
    let missing = Given::Unknown("parameter 'other' has no value and no default".to_owned());
    assert_eq!(references, [Some(Given::Known(group.id.clone())), Some(missing)]);
}

#[test]
fn standalone_rules_merge_and_an_absent_group_is_open() {
    let child = |name: &str, priority: u32| {
        format!(
            r#"{{"type":"Microsoft.Network/networkSecurityGroups/securityRules","apiVersion":"2023-11-01","name":"{name}",
            "properties":{{"protocol":"*","access":"Deny","direction":"Inbound","priority":"{priority}"}}}}"#
        )
    };
    let resources = [
        child("web/b", 200),
        nsg("web", &format!("[{}]", rule("a", "*", "100"))),
        child("WEB/a", 300),
        child("gone/c", 100),
    ];
    let result = read_clean(&[Document::new("main.json", template("", &resources.join(",")))]);
    assert_eq!(rule_names(&result, 0), ["a", "b"]);
    let priority = |rule: usize| result.spec.nsgs[0].rules[rule].priority.as_ref().map(|p| p.value.clone());
    assert_eq!(
        priority(0),
        Some(Given::Known("300".to_owned())),
        "the rule given alone replaces the inline one"
    );
    assert_eq!(result.spec.nsgs[0].rules_unknown, None);
    assert_eq!((result.spec.nsgs[1].id.name(), rule_names(&result, 1)), ("gone", vec!["c".to_owned()]));
    assert!(result.spec.nsgs[1].rules_unknown.is_some());
}

#[test]
fn unknown_conditions_counts_and_lists_leave_groups_open_or_uncertain() {
    let conditional =
        nsg("maybe", "[]").replacen("{\"type\"", "{\"condition\":\"[parameters('deploy')]\",\"type\"", 1);
    let listed = nsg("listed", "\"[parameters('rules')]\"");
    let rule = r#"{"type":"Microsoft.Network/networkSecurityGroups/securityRules","apiVersion":"2023-11-01",
        "name":"[concat('copied/r', copyIndex())]","copy":{"name":"r","count":"[parameters('count')]"},
        "properties":{"protocol":"*","access":"Deny","direction":"Inbound","priority":"[add(100, copyIndex())]"}}"#;
    let never = nsg("never", "[]").replacen("{\"type\"", "{\"condition\":false,\"type\"", 1);
    let parameters = r#""deploy":{"type":"bool"},"rules":{"type":"array"},"count":{"type":"int"}"#;
    let text =
        template(parameters, &[conditional, listed, nsg("copied", "[]"), rule.to_owned(), never].join(","));
    let result = read_clean(&[Document::new("main.json", text)]);
    let found: Vec<_> = result
        .spec
        .nsgs
        .iter()
        .map(|nsg| {
            (
                nsg.id.name(),
                nsg.certain,
                nsg.rules_unknown.as_deref(),
                nsg.rules.iter().all(|rule| rule.certain),
            )
        })
        .collect();
    let rules = Some("parameter 'rules' has no value and no default");
    let count = result.spec.nsgs[2].rules_unknown.as_deref();
    assert!(count.is_some_and(|reason| reason.contains("count")), "{count:?}");
    assert_eq!(
        found,
        [("maybe", false, None, true), ("listed", true, rules, true), ("copied", true, count, false)]
    );
}

#[test]
fn places_are_those_of_the_exact_value() {
    let text = template("", &nsg("web", &format!("[{}]", rule("a", "10.0.0.0/8", "100"))));
    let result = read_clean(&[Document::new("folder/main.json", text)]);
    let prefix = result.spec.nsgs[0].rules[0].source.address_prefix.as_ref().expect("given");
    let pointer = "/resources/0/properties/securityRules/0/properties/sourceAddressPrefix";
    assert_eq!(
        (prefix.place.file.as_ref(), prefix.place.line, prefix.place.pointer.as_str()),
        ("folder/main.json", 4, pointer)
    );
}

#[test]
fn a_linked_template_is_evaluated_through_its_parent_only() {
    let nested = template(
        r#""name":{"type":"string"}"#,
        &nsg("[parameters('name')]", &format!("[{}]", rule("a", "*", "100"))),
    );
    let link = r#"{"type":"Microsoft.Resources/deployments","apiVersion":"2021-04-01","name":"inner","properties":{"mode":"Incremental",
        "templateLink":{"relativePath":"nested/nsg.json"},"parameters":{"name":{"value":"web"}}}}"#;
    let main = template("", link);
    let files = [Document::new("x/nested/nsg.json", nested), Document::new("x/main.json", main.clone())];
    let result = read_clean(&files);
    let names: Vec<_> = result.spec.nsgs.iter().map(|nsg| nsg.id.name()).collect();
    assert_eq!((names, result.summary.templates), (vec!["web"], 1));
    assert_eq!(result.spec.nsgs[0].rules[0].place.file.as_ref(), "x/nested/nsg.json");

    let alone = read_clean(&[Document::new("x/main.json", main)]);
    assert_eq!(alone.spec.unknowns.len(), 1, "what the absent template deploys is unknown");
}

#[test]
fn templates_that_link_in_a_circle_are_still_read() {
    let link = |to: &str| {
        format!(
            r#"{{"type":"Microsoft.Resources/deployments","apiVersion":"2021-04-01","name":"to-{to}","properties":{{"mode":"Incremental",
            "templateLink":{{"relativePath":"{to}.json"}}}}}}"#
        )
    };
    let file = |name: &str, to: &str| {
        Document::new(format!("{name}.json"), template("", &[nsg(name, "[]"), link(to)].join(",")))
    };
    let result = read_here(&[file("a", "b"), file("b", "a")]);
    assert_eq!(result.summary.templates, 1);
    assert!(result.spec.nsgs.iter().any(|nsg| nsg.id.name() == "b"));
}

#[test]
fn parameter_files_are_paired_by_name_or_fit() {
    let main = template(
        r#""prefix":{"type":"string"}"#,
        &nsg("web", &format!("[{}]", rule("a", "[parameters('prefix')]", "100"))),
    );
    let values = |name: &str| {
        format!(
            r#"{{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#","contentVersion":"1.0.0.0",
            "parameters":{{"{name}":{{"value":"10.0.0.0/8"}}}}}}"#
        )
    };
    let resolved = |files: &[(&str, &str)]| {
        let mut documents = vec![Document::new("d/main.json", main.clone())];
        documents.extend(files.iter().map(|(name, parameter)| Document::new(*name, values(parameter))));
        let result = read_here(&documents);
        (result.summary.rules_resolved, problems(&result).len())
    };
    assert_eq!(
        resolved(&[("d/main.parameters.json", "prefix"), ("d/main.dev.parameters.json", "x")]),
        (1, 1)
    );
    assert_eq!(resolved(&[("d/Main.Dev.parameters.json", "prefix")]), (1, 0));
    assert_eq!(resolved(&[("d/parameters.json", "prefix")]), (1, 0), "the only one, and it fits");
    assert_eq!(resolved(&[("d/parameters.json", "other")]), (0, 1), "the only one, but of another template");
    assert_eq!(resolved(&[("e/main.parameters.json", "prefix")]), (0, 1), "another folder's");
    let explicit = File { name: "p.json".to_owned(), text: values("prefix") };
    let document = Document { parameters: Some(explicit), ..Document::new("d/main.json", main.clone()) };
    let result = read_clean(&[document]);
    let prefix = result.spec.nsgs[0].rules[0].source.address_prefix.clone().expect("given");
    assert_eq!(prefix.value, Given::Known("10.0.0.0/8".to_owned()));
}

#[test]
fn parameters_of_two_templates_are_not_one() {
    let text = template(r#""nsg":{"type":"string"}"#, &nsg("[parameters('nsg')]", "[]"));
    let result = read_clean(&[Document::new("x/a.json", text.clone()), Document::new("x/b.json", text)]);
    let names: Vec<_> = result.spec.nsgs.iter().map(|nsg| nsg.id.name()).collect();
    assert_eq!(names, ["{parameters('nsg') in x|a.json}", "{parameters('nsg') in x|b.json}"]);
}
