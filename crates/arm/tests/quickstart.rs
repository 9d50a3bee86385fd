//! Every template of a real collection: all parse, all evaluate, and what stays unknown is what only a live
//! deployment could say.
//!
//! The collection is not part of the repository. Set `PALISADE_REAL_DATA`, or keep it beside the repository;
//! without it the test says so and checks nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use palisade_arm::json::{self, Document};
use palisade_arm::template::{
    Deployment, DeploymentContext, Folder, Input, Reason, Resource, Value, evaluate,
};

const NSG: &str = "Microsoft.Network/networkSecurityGroups";
const RULE: &str = "Microsoft.Network/networkSecurityGroups/securityRules";

/// The collection's folder, or `None` with the reason printed.
fn collection() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("PALISADE_REAL_DATA").map_or(beside, PathBuf::from);
    let folder = data.join("arm-quickstart");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {} is not there (set PALISADE_REAL_DATA)", folder.display());
    None
}

/// All JSON files under a folder, as paths relative to it.
fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("the folder can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                found.push(path.strip_prefix(folder).expect("it is under the folder").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// A top folder of the collection with all its files parsed.
struct Tree {
    name: String,
    files: BTreeMap<String, Document>,
}

impl Tree {
    fn read(folder: &Path) -> Self {
        let name = folder.file_name().expect("a named folder").to_string_lossy().into_owned();
        let files = json_files(folder)
            .into_iter()
            .map(|path| {
                let bytes = fs::read(folder.join(&path)).expect("the file can be read");
                let path = path.to_string_lossy().replace('\\', "/");
                let shown = format!("{name}/{path}");
                let document = json::parse(&shown, &bytes).unwrap_or_else(|e| panic!("{shown}: {e}"));
                (path, document)
            })
            .collect();
        Self { name, files }
    }

    fn base_uri(&self) -> String {
        format!("https://raw.githubusercontent.com/Azure/azure-quickstart-templates/master/{}/", self.name)
    }

    fn evaluate(&self, path: &str) -> Deployment {
        let mut links = Folder::new(&self.name, self.base_uri());
        for (path, document) in &self.files {
            links.insert(path, document);
        }
        let parameters = self.files.get(&path.replace(".json", ".parameters.json"));
        let parameters: Vec<&Document> = parameters.into_iter().collect();
        let context = DeploymentContext {
            template_uri: Some(format!("{}{path}", self.base_uri())),
            ..DeploymentContext::default()
        };
        evaluate(&Input {
            template: &self.files[path],
            parameters: &parameters,
            context: &context,
            links: &links,
        })
    }

    fn templates(&self) -> impl Iterator<Item = &String> {
        self.files.iter().filter(|(_, d)| is_template(d)).map(|(path, _)| path)
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

#[derive(Default, Debug)]
struct Totals {
    templates: usize,
    resources: usize,
    groups: usize,
    rules: usize,
    rule_properties: usize,
    unknown_properties: usize,
    unknown_lists: usize,
    unresolved_links: usize,
}

#[test]
fn every_template_evaluates() {
    let Some(folder) = collection() else { return };
    let mut totals = Totals::default();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut folders: Vec<PathBuf> =
        fs::read_dir(&folder).expect("the collection can be read").flatten().map(|e| e.path()).collect();
    folders.sort();
    for folder in folders.iter().filter(|f| f.is_dir()) {
        let tree = Tree::read(folder);
        for path in tree.templates() {
            let deployment = tree.evaluate(path);
            totals.templates += 1;
            totals.resources += deployment.resources.len();
            totals.unresolved_links += deployment.unresolved_links.len();
            problems.extend(deployment.problems.iter().map(ToString::to_string));
            for resource in &deployment.resources {
                count_rules(resource, &mut totals, &mut reasons, &tree.name);
            }
        }
    }
    println!("{totals:#?}");
    for (reason, count) in &reasons {
        println!("  {count:4} {reason}");
    }
    for problem in &problems {
        println!("problem: {problem}");
    }
}

fn count_rules(
    resource: &Resource,
    totals: &mut Totals,
    reasons: &mut BTreeMap<String, usize>,
    tree: &str,
) {
    if resource.is(NSG) {
        totals.groups += 1;
        if let Some(unknown) =
            resource.properties().and_then(|p| p.get("securityRules").unwrap_or(p).as_unknown())
        {
            totals.unknown_lists += 1;
            *reasons.entry(format!("{tree}: rules {:?}", unknown.reasons())).or_default() += 1;
        }
    }
    for rule in rules(resource) {
        totals.rules += 1;
        for (key, value) in rule.as_object().map_or(&[][..], |map| map.members()) {
            totals.rule_properties += 1;
            if value.is_known() {
                continue;
            }
            totals.unknown_properties += 1;
            for (unknown, _) in value.unknowns() {
                let why: Vec<String> = unknown.reasons().iter().map(Reason::to_string).collect();
                *reasons.entry(format!("{tree}: {key}: {}", why.join(", "))).or_default() += 1;
            }
        }
    }
}
