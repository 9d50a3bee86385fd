//! Real inputs, none of them ours: every file loads, and the counts say how much of it is known without a deployment.
//!
//! The files lie beside the repository and are not part of it; where they are absent these tests say so and pass.

#[path = "support/real_data.rs"]
mod real_data;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use palisade_arm::estate::{Document, Options, ReadResult, read};
use palisade_arm::service_tags;
use palisade_model::Severity;
use palisade_model::{Estate, TagCatalog};

/// Every JSON file below a folder, with names relative to `base`.
fn documents(folder: &Path, base: &Path) -> Vec<Document> {
    let document = |path: &PathBuf| {
        let name = path.strip_prefix(base).expect("below the base").to_string_lossy().into_owned();
        Document::new(name, std::fs::read_to_string(path).expect("the file is text"))
    };
    real_data::json_files(folder).iter().map(document).collect()
}

#[derive(Default)]
struct Totals {
    files: usize,
    templates: usize,
    resources: usize,
    nsgs: usize,
    open: usize,
    rules: usize,
    resolved: usize,
    errors: usize,
}

impl Totals {
    fn add(&mut self, result: &ReadResult) {
        let summary = &result.summary;
        self.files += summary.files;
        self.templates += summary.templates;
        self.resources += summary.resources;
        self.nsgs += summary.nsgs;
        self.open += summary.open_nsgs.len();
        self.rules += summary.rules;
        self.resolved += summary.rules_resolved;
        for rule in &summary.unresolved {
            println!(
                "{}: rule {:?} of {}: {}",
                rule.place,
                rule.rule,
                rule.nsg.name(),
                rule.reasons.join("; ")
            );
        }
        for (nsg, reason) in &summary.open_nsgs {
            println!("further rules of {}: {reason}", nsg.name());
        }
        for problem in &result.problems {
            println!("{:?} {problem}", problem.severity);
            self.errors += usize::from(problem.severity == Severity::Error);
        }
    }

    fn print(&self, what: &str) {
        println!(
            "{what}: {} files, {} templates, {} resources, {} NSGs ({} with further rules), {} rules, {} fully resolved, \
             {} errors",
            self.files,
            self.templates,
            self.resources,
            self.nsgs,
            self.open,
            self.rules,
            self.resolved,
            self.errors
        );
    }
}

#[test]
fn quickstart_templates_load() {
    let Some(root) = real_data::folder("arm-quickstart") else { return };
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(&root).expect("lists").map(|entry| entry.expect("reads").path()).collect();
    folders.sort();
    let mut totals = Totals::default();
    for folder in &folders {
        let result = read(&documents(folder, &root), &Options::default());
        totals.add(&result);
        let (estate, problems) = Estate::validate(&result.spec, TagCatalog::default());
        assert!(estate.is_some(), "{}: {problems:#?}", folder.display());
    }
    totals.print("arm-quickstart");
    assert_eq!(totals.errors, 0, "every file loads");
    assert!(totals.templates >= folders.len(), "each folder has a template");
    assert!(
        totals.rules >= 428 && totals.resolved >= 414,
        "all but those that need a deployment are resolved"
    );
}

#[test]
fn linter_samples_load() {
    let Some(root) = real_data::folder("arm-lint") else { return };
    let mut totals = Totals::default();
    for document in documents(&root, &root) {
        let result = read(&[document], &Options::default());
        assert!(result.summary.nsgs > 0, "each sample has a group");
        totals.add(&result);
    }
    totals.print("arm-lint");
}

#[test]
fn terraform_plans_load() {
    let Some(root) = real_data::folder("terraform-plan") else { return };
    let mut totals = Totals::default();
    for document in documents(&root, &root) {
        let result = read(&[document], &Options::default());
        assert_eq!((result.summary.nsgs, result.summary.rules, result.summary.rules_resolved), (2, 1, 1));
        totals.add(&result);
    }
    totals.print("terraform-plan");
}

#[test]
fn service_tag_files_load_quickly() {
    let Some(root) = real_data::folder("service-tags") else { return };
    for document in documents(&root, &root) {
        let start = Instant::now();
        let file = service_tags::read(&document.file.text).expect("the file reads");
        let took = start.elapsed();
        let prefixes: usize = file.tags.iter().map(|tag| tag.prefixes.len()).sum();
        println!("{}: {} tags, {prefixes} prefixes in {took:?}", document.file.name, file.tags.len());
        assert!(file.tags.len() > 3_000 && prefixes > 90_000);
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}
