//! Every template of a real collection: all parse, all evaluate, and what stays unknown is what only a live
//! deployment could say.
//!
//! The collection is not part of the repository. Set `PALISADE_REAL_DATA`, or keep it beside the repository;
//! without it the test says so and checks nothing.

#[path = "support/real_data.rs"]
mod real_data;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use palisade_arm::json::{self, Document};
use palisade_arm::template::{
    Deployment, DeploymentContext, Folder, Input, Link, Reason, Resource, Text, Value, evaluate,
};

const NSG: &str = "Microsoft.Network/networkSecurityGroups";
const RULE: &str = "Microsoft.Network/networkSecurityGroups/securityRules";

/// All JSON files under a folder, as paths relative to it.
fn json_files(folder: &Path) -> Vec<PathBuf> {
    let relative = |path: PathBuf| path.strip_prefix(folder).expect("it is under the folder").to_owned();
    real_data::json_files(folder).into_iter().map(relative).collect()
}

/// The address the collection had when it was taken.
const BASE_URI: &str = "https://raw.githubusercontent.com/Azure/azure-quickstart-templates/master/";

/// The whole collection, parsed, by path.
struct Collection(BTreeMap<String, Document>);

impl Collection {
    fn read(folder: &Path) -> Self {
        let read = |path: PathBuf| {
            let bytes = fs::read(folder.join(&path)).expect("the file can be read");
            let path = path.to_string_lossy().replace('\\', "/");
            let document = json::parse(&path, &bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
            (path, document)
        };
        Self(json_files(folder).into_iter().map(read).collect())
    }

    fn links(&self) -> Folder<'_> {
        let mut links = Folder::new("azure-quickstart-templates", BASE_URI);
        for (path, document) in &self.0 {
            links.insert(path, document);
        }
        links
    }

    /// Evaluates a template with the parameter file beside it, if there is one.
    fn evaluate(&self, path: &str, links: &Folder<'_>) -> Deployment {
        let parameters = self.0.get(&path.replace(".json", ".parameters.json"));
        let parameters: Vec<&Document> = parameters.into_iter().collect();
        let context = DeploymentContext {
            template_uri: Some(format!("{BASE_URI}{path}")),
            ..DeploymentContext::default()
        };
        evaluate(&Input { template: &self.0[path], parameters: &parameters, context: &context, links })
    }

    fn templates(&self) -> impl Iterator<Item = &String> {
        self.0.iter().filter(|(_, document)| is_template(document)).map(|(path, _)| path)
    }

    /// Whether a file that a link means is here after all: same name in a folder of the same name.
    fn has(&self, link: &Link) -> bool {
        let uri = link.uri.as_ref().or(link.relative_path.as_ref()).map(Text::key).unwrap_or_default();
        let path = uri.split(['?', '#']).next().unwrap_or_default();
        let mut parts = path.rsplit(['/', '}']);
        let (file, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        self.0.keys().any(|path| path.to_lowercase().ends_with(&format!("{folder}/{file}")))
    }
}

fn is_template(document: &Document) -> bool {
    let schema = document.root.get("$schema").and_then(|n| n.as_str()).unwrap_or_default().to_lowercase();
    schema.contains("deploymenttemplate.json") && document.root.get("resources").is_some()
}

/// The `properties` of all rules a resource brings: an NSG's inline ones, or its own.
fn rules(resource: &Resource) -> Vec<&Value> {
    let Some(properties) = resource.properties() else { return Vec::new() };
    if resource.is(RULE) {
        return vec![properties];
    }
    if !resource.is(NSG) {
        return Vec::new();
    }
    let inline = properties.get("securityRules").and_then(Value::as_array).unwrap_or_default();
    inline.iter().filter_map(|rule| rule.get("properties")).collect()
}

/// What the collection holds, and what of it stays unknown.
#[derive(Default, Debug)]
struct Totals {
    templates: usize,
    resources: usize,
    groups: usize,
    rules: usize,
    rule_properties: usize,
    unresolved_links: usize,
    /// Rule properties and whole rule lists that wait for a parameter nobody gives.
    unset: usize,
    /// Those that wait for a live resource.
    live: usize,
    reasons: BTreeMap<String, usize>,
}

/// Faults the files really have: a property written twice, and parameter files that give a parameter the
/// template has no more, or a value (mostly a token to be replaced before use) that it does not allow.
const FAULTS: &[(&str, &str)] = &[
    (
        "101-mutiple-vms-with-data-management-gateway",
        "'enableToSetDataStorePasswordsFromInternet' in the parameters",
    ),
    ("301-vm-sql-full-autobackup-autopatching-keyvault", "'servicePrincipalName' in the parameters"),
    ("301-vm-sql-full-autobackup-autopatching-keyvault", "'servicePrincipalSecret' in the parameters"),
];

#[test]
fn every_template_evaluates() {
    let Some(folder) = real_data::folder("arm-quickstart") else { return };
    let collection = Collection::read(&folder);
    let links = collection.links();
    let mut totals = Totals::default();
    let mut problems: BTreeSet<String> = BTreeSet::new();
    for path in collection.templates() {
        let deployment = collection.evaluate(path, &links);
        totals.templates += 1;
        totals.resources += deployment.resources.len();
        totals.unresolved_links += deployment.unresolved_links.len();
        for unresolved in &deployment.unresolved_links {
            assert!(!collection.has(&unresolved.link), "{path}: the file of {:?} is here", unresolved.link);
        }
        problems.extend(deployment.problems.iter().map(ToString::to_string));
        deployment.resources.iter().for_each(|resource| count_rules(path, resource, &mut totals));
    }
    println!("{totals:#?}");
    assert_faults(&problems);
    assert_totals(&totals);
}

/// Every problem is a known fault, and every known fault is found.
fn assert_faults(problems: &BTreeSet<String>) {
    let is = |problem: &str, (file, part): &(&str, &str)| problem.starts_with(file) && problem.contains(part);
    for problem in problems {
        assert!(FAULTS.iter().any(|fault| is(problem, fault)), "not a fault of the template: {problem}");
    }
    for fault in FAULTS {
        assert!(problems.iter().any(|problem| is(problem, fault)), "not found: {fault:?}");
    }
}

fn assert_totals(totals: &Totals) {
    assert!(totals.templates >= 177, "{totals:?}");
    assert!(totals.resources >= 1_468, "{totals:?}");
    assert!(totals.groups >= 209, "{totals:?}");
    assert!(totals.rules >= 433, "{totals:?}");
    assert!(totals.rule_properties >= 3_717, "{totals:?}");
    // One address is that of a public IP which does not exist yet; everything else waits for the caller.
    assert!(totals.live <= 1, "{totals:#?}");
    assert!(totals.unset <= 23, "{totals:#?}");
}

fn count_rules(path: &str, resource: &Resource, totals: &mut Totals) {
    if resource.is(NSG) {
        totals.groups += 1;
        let list = resource.properties().and_then(|properties| properties.get("securityRules"));
        if let Some(list) = list.filter(|list| list.as_unknown().is_some()) {
            count_unknown(path, "securityRules", list, totals);
        }
    }
    for rule in rules(resource) {
        totals.rules += 1;
        for (key, value) in rule.as_object().map_or(&[][..], |map| map.members()) {
            totals.rule_properties += 1;
            if !value.is_known() {
                count_unknown(path, key, value, totals);
            }
        }
    }
}

fn count_unknown(path: &str, key: &str, value: &Value, totals: &mut Totals) {
    let unknowns = value.unknowns();
    let mut reasons = unknowns.iter().flat_map(|(unknown, _)| unknown.reasons());
    let unset = |reason: &Reason| matches!(reason, Reason::ParameterWithoutValue(_));
    let live = |reason: &Reason| matches!(reason, Reason::LiveResource(_));
    for reason in reasons.clone() {
        assert!(unset(reason) || live(reason), "{path}: {key} need not be unknown: {reason}");
        *totals.reasons.entry(format!("{path}: {key}: {reason}")).or_default() += 1;
    }
    if reasons.any(live) {
        totals.live += 1;
    } else {
        assert!(!path.ends_with("/azuredeploy.json"), "{path}: {key}: a main template has all its values");
        totals.unset += 1;
    }
}
