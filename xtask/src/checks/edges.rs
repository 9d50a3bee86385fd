//! Members depend on members only as the table says, and always downward.
//!
//! Both directions are compared: an edge that the table does not know is a new coupling nobody reviewed, and an
//! edge that only the table knows hides the next one.

use super::Input;
use crate::architecture::{CRATES, Crate, SIDEWAYS, Sideways};
use crate::problem::Problem;
use crate::workspace::{Member, Section};

const TABLE: &str = "xtask/src/architecture.rs";

pub(super) fn check(input: &Input) -> Vec<Problem> {
    compare(&input.workspace.members, CRATES, SIDEWAYS)
}

fn compare(members: &[Member], table: &[Crate], sideways: &[Sideways]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in members {
        match table.iter().find(|row| row.name == member.name) {
            Some(row) => problems.extend(surplus(member, row, table, sideways)),
            None => problems.push(Problem::new(
                &member.name,
                "the crate has no layer",
                format!("give it a row in {TABLE}, with the reason in the commit"),
            )),
        }
    }
    for row in table {
        match members.iter().find(|member| member.name == row.name) {
            Some(member) => problems.extend(absent(member, row)),
            None => problems.push(Problem::new(
                row.name,
                "the table has a row for a crate that is not in the workspace",
                format!("remove the row from {TABLE}"),
            )),
        }
    }
    problems
}

/// Edges of the manifest that the table forbids.
fn surplus(member: &Member, row: &Crate, table: &[Crate], sideways: &[Sideways]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for edge in member.dependencies.iter().filter(|dependency| dependency.internal) {
        let named = match edge.section {
            Section::Code => row.uses,
            Section::Tests => row.tests_use,
        };
        if !named.contains(&edge.name.as_str()) {
            problems.push(Problem::new(
                &member.name,
                format!("the edge {} -> {} is not in the table", member.name, edge.name),
                format!("move the code to where the edge exists, or propose the edge in {TABLE}"),
            ));
        }
        if let Some(target) = table.iter().find(|candidate| candidate.name == edge.name) {
            problems.extend(upward(row, target, sideways));
        }
    }
    problems
}

fn upward(from: &Crate, to: &Crate, sideways: &[Sideways]) -> Option<Problem> {
    let listed = sideways.iter().any(|edge| edge.from == from.name && edge.to == to.name);
    if to.layer < from.layer || (to.layer == from.layer && listed) {
        return None;
    }
    Some(Problem::new(
        from.name,
        format!("the edge {} -> {} goes from layer {} to layer {}", from.name, to.name, from.layer, to.layer),
        "arrows point down: move what is shared into a lower crate",
    ))
}

/// Edges of the table that the manifest does not have.
fn absent(member: &Member, row: &Crate) -> Vec<Problem> {
    let has = |name: &str, section| {
        member.dependencies.iter().any(|dependency| dependency.name == name && dependency.section == section)
    };
    let code = row.uses.iter().filter(|name| !has(name, Section::Code));
    let tests = row.tests_use.iter().filter(|name| !has(name, Section::Tests));
    code.chain(tests)
        .map(|name| {
            Problem::new(
                row.name,
                format!("the table permits {} -> {name}, which the manifest does not have", row.name),
                format!("remove it from {TABLE}: what is permitted and unused comes back unnoticed"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{member, text};

    const TWO: &[Crate] = &[
        Crate { name: "low", layer: 0, uses: &[], tests_use: &[] },
        Crate { name: "high", layer: 1, uses: &["low"], tests_use: &[] },
    ];

    fn check(members: &[Member], table: &[Crate]) -> Vec<String> {
        text(&compare(members, table, SIDEWAYS))
    }

    #[test]
    fn a_workspace_as_in_the_table_passes() {
        assert_eq!(check(&[member("low", &[]), member("high", &["^low"])], TWO), [""; 0]);
    }

    #[test]
    fn a_new_edge_names_the_crate_the_edge_and_the_remedy() {
        let found = check(&[member("low", &["^high"]), member("high", &["^low"])], TWO);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("low: the edge low -> high is not in the table (move the code"),
            "{found:?}"
        );
        assert!(found[1].contains("from layer 0 to layer 1 (arrows point down"), "{found:?}");
    }

    #[test]
    fn a_permission_for_code_is_none_for_tests_and_the_reverse() {
        let found = check(&[member("low", &[]), member("high", &["t:^low"])], TWO);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].contains("permits high -> low, which the manifest does not have"), "{found:?}");
    }

    #[test]
    fn a_crate_without_row_and_a_row_without_crate_fail() {
        let found = check(&[member("low", &[]), member("new", &[])], TWO);
        assert!(found[0].starts_with("new: the crate has no layer"), "{found:?}");
        assert!(found[1].starts_with("high: the table has a row"), "{found:?}");
    }

    #[test]
    fn edges_within_a_layer_must_be_listed() {
        let table = &[
            Crate { name: "left", layer: 1, uses: &["right"], tests_use: &[] },
            Crate { name: "right", layer: 1, uses: &[], tests_use: &[] },
        ];
        let members = [member("left", &["^right"]), member("right", &[])];
        assert_eq!(compare(&members, table, &[Sideways { from: "left", to: "right" }]), []);
        assert_eq!(compare(&members, table, &[]).len(), 1);
    }

    #[test]
    fn every_sideways_edge_is_one() {
        let layer = |name| CRATES.iter().find(|row| row.name == name).map(|row| row.layer);
        for edge in SIDEWAYS {
            assert_eq!(layer(edge.from), layer(edge.to), "{} -> {}", edge.from, edge.to);
        }
    }
}
