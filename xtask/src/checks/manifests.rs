//! Manifests inherit: one version, one edition, one set of lints, and one line per package from elsewhere.
//!
//! `cargo metadata` shows the result of inheriting and not whether it was inherited, so the text is read. Our
//! manifests write one key a line, which this check thereby keeps.

use super::Input;
use crate::problem::Problem;
use crate::tree::File;
use crate::workspace::Member;

/// Keys of `[package]` that every member takes from the workspace.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

const ROOT: &str = "Cargo.toml";

pub(super) fn check(input: &Input) -> Vec<Problem> {
    let manifest = |folder: &str| input.files.iter().find(|file| file.path == format!("{folder}/{ROOT}"));
    let members = &input.workspace.members;
    let mut problems: Vec<Problem> =
        members.iter().filter_map(|member| manifest(&member.folder)).flat_map(judge).collect();
    if let Some(root) = input.files.iter().find(|file| file.path == ROOT) {
        problems.extend(unneeded(root, members));
    }
    problems
}

fn judge(manifest: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for key in INHERITED {
        if !has(manifest, "package", &format!("{key}.workspace = true")) {
            let remedy = format!("write `{key}.workspace = true`");
            problems.push(Problem::new(&manifest.path, format!("{key} is not the workspace's"), remedy));
        }
    }
    if !entries(manifest).any(|entry| entry.section == "package" && entry.text.starts_with("description = "))
    {
        problems.push(Problem::new(
            &manifest.path,
            "the crate has no purpose",
            "write its `description`, one line",
        ));
    }
    if !has(manifest, "lints", "workspace = true") {
        let remedy = "write `[lints]` with `workspace = true`";
        problems.push(Problem::new(&manifest.path, "the lints are not the workspace's", remedy));
    }
    let own = entries(manifest).filter(|entry| {
        entry.section.ends_with("dependencies") && !entry.text.replace(' ', "").contains("workspace=true")
    });
    problems.extend(own.map(|entry| {
        let what = format!("`{}` is not the workspace's", entry.text);
        Problem::at(&manifest.path, entry.line, what, "name the version in the root manifest, once")
    }));
    problems
}

/// Lines of the root manifest's dependency table that no member uses.
fn unneeded(root: &File, members: &[Member]) -> Vec<Problem> {
    let used =
        |name: &str| members.iter().flat_map(|member| &member.dependencies).any(|found| found.name == name);
    entries(root)
        .filter(|entry| entry.section == "workspace.dependencies")
        .filter_map(|entry| {
            let name = entry.text.split(['=', '.']).next().unwrap_or_default().trim();
            let what = || format!("no member uses {name}");
            (!used(name)).then(|| Problem::at(&root.path, entry.line, what(), "remove the line"))
        })
        .collect()
}

struct Entry<'a> {
    section: &'a str,
    text: &'a str,
    line: usize,
}

/// Every `key = value` line with the section it stands in.
fn entries(manifest: &File) -> impl Iterator<Item = Entry<'_>> {
    let mut section = "";
    manifest.lines().filter_map(move |(line, text)| {
        let text = text.trim();
        if let Some(header) = text.strip_prefix('[') {
            section = header.trim_matches(['[', ']']);
        }
        (text.contains('=') && !text.starts_with(['#', '['])).then_some(Entry { section, text, line })
    })
}

fn has(manifest: &File, section: &str, text: &str) -> bool {
    entries(manifest).any(|entry| entry.section == section && entry.text == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, member, text};

    const GOOD: &str = "[package]\nname = \"a\"\ndescription = \"Values\"\nversion.workspace = true\n\
        edition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\n\
        publish.workspace = true\n[lints]\nworkspace = true\n[dependencies]\nserde.workspace = true\n\
        clap = { workspace = true, optional = true }\n";

    fn check(manifest: &str) -> Vec<String> {
        text(&judge(&file("crates/a/Cargo.toml", manifest)))
    }

    #[test]
    fn a_manifest_that_inherits_passes() {
        assert_eq!(check(GOOD), [""; 0]);
    }

    #[test]
    fn each_missing_line_fails() {
        for key in INHERITED {
            let found =
                check(&GOOD.replace(&format!("\n{key}.workspace = true"), &format!("\n{key} = \"1\"")));
            assert!(
                found.len() == 1 && found[0].contains(&format!("{key} is not the workspace's")),
                "{found:?}"
            );
        }
        assert!(check(&GOOD.replace("[lints]", "[other]"))[0].contains("the lints are not"));
        assert!(check(&GOOD.replace("description", "#"))[0].contains("no purpose"));
    }

    #[test]
    fn an_own_version_fails_with_its_line() {
        let found = check(&GOOD.replace("serde.workspace = true", "serde = \"1\""));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/a/Cargo.toml:12: `serde = \"1\"` is not"), "{found:?}");
    }

    #[test]
    fn a_version_nobody_uses_fails() {
        let root = file("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\nrand = \"1\"\n");
        let found = text(&unneeded(&root, &[member("a", &["serde"])]));
        assert_eq!(found, ["Cargo.toml:3: no member uses rand (remove the line)"]);
    }
}
