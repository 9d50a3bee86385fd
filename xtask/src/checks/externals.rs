//! A package from elsewhere is named only by the members that the table lists for it.
//!
//! The list is per crate, not per workspace, so that a library of the low layers does not gain a dependency
//! because a binary has it.

use super::Input;
use crate::externals::{EXTERNALS, External};
use crate::problem::Problem;
use crate::workspace::{Member, Section};

const TABLE: &str = "xtask/src/externals.rs";

pub(super) fn check(input: &Input) -> Vec<Problem> {
    compare(&input.workspace.members, EXTERNALS)
}

fn compare(members: &[Member], table: &[External]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in members {
        for dependency in member.dependencies.iter().filter(|dependency| !dependency.internal) {
            let row = table.iter().find(|row| row.name == dependency.name);
            let permitted =
                row.is_some_and(|row| users(row, dependency.section).contains(&member.name.as_str()));
            if !permitted {
                problems.push(Problem::new(
                    &member.name,
                    format!("the dependency {} is not in the table", dependency.name),
                    format!("do without it, or list the crate for it in {TABLE} and say why"),
                ));
            }
        }
    }
    problems.extend(table.iter().flat_map(|row| unneeded(members, row)));
    problems
}

fn users(row: &External, section: Section) -> &'static [&'static str] {
    match section {
        Section::Code => row.code,
        Section::Tests => row.tests,
    }
}

/// Permissions that no manifest needs any more, and rows without a reason.
fn unneeded(members: &[Member], row: &External) -> Vec<Problem> {
    let mut problems = Vec::new();
    if row.why.is_empty() {
        problems.push(Problem::new(
            row.name,
            "the table gives no reason for it",
            format!("write it in {TABLE}"),
        ));
    }
    for section in [Section::Code, Section::Tests] {
        for user in users(row, section) {
            let names = |member: &Member| {
                member.name == *user
                    && member
                        .dependencies
                        .iter()
                        .any(|found| found.name == row.name && found.section == section)
            };
            if !members.iter().any(names) {
                problems.push(Problem::new(
                    *user,
                    format!(
                        "the table permits the dependency {}, which the manifest does not have",
                        row.name
                    ),
                    format!("remove the permission from {TABLE}"),
                ));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{member, text};

    const TABLE: &[External] = &[External { name: "serde", why: "read JSON", code: &["a"], tests: &["b"] }];

    fn check(members: &[Member]) -> Vec<String> {
        text(&compare(members, TABLE))
    }

    #[test]
    fn dependencies_as_in_the_table_pass() {
        assert_eq!(check(&[member("a", &["serde"]), member("b", &["t:serde"])]), [""; 0]);
    }

    #[test]
    fn an_unknown_package_and_an_unlisted_user_fail() {
        let found = check(&[member("a", &["serde", "rand"]), member("b", &["t:serde", "serde"])]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("a: the dependency rand is not in the table (do without it"),
            "{found:?}"
        );
        assert!(found[1].starts_with("b: the dependency serde"), "{found:?}");
    }

    #[test]
    fn a_permission_nobody_uses_fails() {
        let found = check(&[member("a", &[]), member("b", &["t:serde"])]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("a: the table permits the dependency serde"), "{found:?}");
    }

    #[test]
    fn a_row_without_reason_fails() {
        let row = External { name: "serde", why: "", code: &[], tests: &[] };
        assert_eq!(unneeded(&[], &row).len(), 1);
    }
}
