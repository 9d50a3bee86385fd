//! Which findings are asked for.

use palisade_analysis::findings::{Check, checks::GENERAL, services::SERVICES};

use super::suppressions;
use crate::exit::Failure;

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
    /// The selection of these ids; each must stand for a check.
    pub fn new(only: &[String], skip: &[String]) -> Result<Self, Failure> {
        for name in only.iter().chain(skip) {
            if !all().any(|check| is_named(check, name)) {
                let message = format!("there is no finding \"{name}\" (docs/check.md lists them)");
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
