//! Which findings are asked for.

use palisade_analysis::findings::{Check, checks::GENERAL, services::SERVICES};

use super::suppressions;
use crate::{exit::Failure, nearest};

/// Ids that are wanted, and those that are not.
#[derive(Debug, Default)]
pub struct Selection {
    only: Vec<String>,
    skip: Vec<String>,
}

/// Every check.
pub fn all() -> impl Iterator<Item = &'static Check> {
    let services = SERVICES.iter().map(|service| &service.check);
    GENERAL.iter().copied().chain(services).chain(suppressions::CHECKS)
}

impl Selection {
    /// The selection of these ids; each must stand for one of the checks, which a page lists.
    pub fn of<C: Iterator<Item = &'static Check>>(
        checks: impl Fn() -> C,
        page: &str,
        only: &[String],
        skip: &[String],
    ) -> Result<Self, Failure> {
        for name in only.iter().chain(skip) {
            if !checks().any(|check| is_named(check, name)) {
                let hint = nearest::hint(name, checks().flat_map(|check| beginnings(check.id)));
                let message = format!("there is no finding \"{name}\"{hint} ({page} lists them)");
                return Err(Failure::input(message));
            }
        }
        Ok(Self { only: only.to_vec(), skip: skip.to_vec() })
    }

    /// Whether findings of a check are wanted.
    pub fn wants(&self, check: &Check) -> bool {
        let is_in = |names: &[String]| names.iter().any(|name| is_named(check, name));
        (self.only.is_empty() || is_in(&self.only)) && !is_in(&self.skip)
    }
}

/// An id, and its beginnings that end at a dash and say more than whose it is.
fn beginnings(id: &'static str) -> impl Iterator<Item = &'static str> {
    let dashes = id.match_indices('-').skip(1).map(|(at, _)| &id[..at]);
    dashes.chain([id])
}

/// Whether a text is the id of a check, a beginning of it that ends at a dash, or one of its aliases.
fn is_named(check: &Check, name: &str) -> bool {
    let rest = check
        .id
        .get(..name.len())
        .filter(|start| start.eq_ignore_ascii_case(name))
        .map(|_| &check.id[name.len()..]);
    let begins = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    begins || check.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/check.md"));

    /// The page's rows about a check: its id, and the cells after it.
    fn rows() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
        PAGE.lines().filter_map(|line| {
            let (id, cells) = line.strip_prefix("| `PAL-")?.split_once("` | ")?;
            let id = all().find(|check| check.id.strip_prefix("PAL-") == Some(id))?.id;
            Some((id, cells.trim_end_matches(" |").split(" | ").collect()))
        })
    }

    /// The cells of those rows that stand under a heading.
    fn column(heading: &str) -> BTreeMap<&'static str, &'static str> {
        let headings: Vec<Vec<&str>> = PAGE
            .lines()
            .filter_map(|line| {
                Some(line.strip_prefix("| id | ")?.trim_end_matches(" |").split(" | ").collect())
            })
            .collect();
        let under = |cells: &[&'static str]| {
            let own = headings.iter().find(|own| own.len() == cells.len() && own.contains(&heading))?;
            cells.get(own.iter().position(|name| *name == heading)?).copied()
        };
        rows().filter_map(|(id, cells)| Some((id, under(&cells)?))).collect()
    }

    #[test]
    fn the_page_names_every_check_and_no_other() {
        let is_of_id = |character: char| character.is_ascii_uppercase() || character == '-';
        let named: BTreeSet<&str> =
            PAGE.split(|c| !is_of_id(c)).filter(|word| word.starts_with("PAL-")).collect();
        for check in all() {
            assert!(named.contains(check.id), "docs/check.md does not name {}", check.id);
        }
        for name in named {
            let name = name.trim_end_matches('-');
            assert!(
                all().any(|check| is_named(check, name)),
                "docs/check.md names {name}, which is no check"
            );
        }
    }

    #[test]
    fn the_page_says_of_a_check_what_the_code_says() {
        let severities: BTreeMap<_, _> =
            column("severity at most").into_iter().chain(column("severity")).collect();
        assert!(severities.len() > 50, "{} checks have a row", severities.len());
        for (id, said) in severities {
            let check = all().find(|check| check.id == id).expect("rows are of checks");
            assert!(said.contains(&check.severity.to_string()), "{id}: {said}");
        }
        let aliases = column("aliases");
        for check in all() {
            let said = aliases.get(check.id).copied().unwrap_or_default();
            assert_eq!(said, check.aliases.join(", "), "{}", check.id);
        }
        let ports = |ports: &[u16]| match ports {
            [] => "-".to_owned(),
            ports => ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        let (tcp, udp) = (column("TCP"), column("UDP"));
        for service in SERVICES {
            let said = (tcp.get(service.check.id).copied(), udp.get(service.check.id).copied());
            let (tcp, udp) = (ports(service.tcp), ports(service.udp));
            assert_eq!(said, (Some(&*tcp), Some(&*udp)), "{}", service.check.id);
        }
    }
}
