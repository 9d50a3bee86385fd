//! Settings of the control set that Windows starts with, and policies that override them.

use crate::registry::{Hive, HiveError};

/// A number, and the key and value where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) number: u64,
    pub(super) path: String,
}

/// SYSTEM, and SOFTWARE where it is there.
#[derive(Debug)]
pub(super) struct Settings<'h> {
    pub(super) system: &'h Hive,
    pub(super) software: Option<&'h Hive>,
    /// Name of the control set, such as `ControlSet001`.
    set: String,
}

impl<'h> Settings<'h> {
    pub(super) fn new(system: &'h Hive, software: Option<&'h Hive>) -> Result<Self, HiveError> {
        let current = system.value("Select", "Current")?.and_then(|value| value.number()).unwrap_or(1);
        Ok(Self { system, software, set: format!("ControlSet{current:03}") })
    }

    /// The path of a key of the control set.
    pub(super) fn in_set(&self, key: &str) -> String {
        format!("{}\\{key}", self.set)
    }

    /// A number of the control set.
    pub(super) fn local(&self, key: &str, name: &str) -> Result<Option<Setting>, HiveError> {
        number(self.system, "SYSTEM", &self.in_set(key), name)
    }

    /// A number of SOFTWARE.
    pub(super) fn policy(&self, key: &str, name: &str) -> Result<Option<Setting>, HiveError> {
        self.software.map_or(Ok(None), |software| number(software, "SOFTWARE", key, name))
    }

    /// The number that holds: that of the policy, else that of the control set, else the default.
    pub(super) fn effective(
        &self,
        policy_key: &str,
        key: &str,
        name: &str,
        default: u64,
    ) -> Result<Setting, HiveError> {
        let by_policy = self.policy(policy_key, name)?;
        let set = if by_policy.is_some() { by_policy } else { self.local(key, name)? };
        let path = || format!("SYSTEM\\{}\\{name} (not set)", self.in_set(key));
        Ok(set.unwrap_or_else(|| Setting { number: default, path: path() }))
    }

    /// A text of the control set.
    pub(super) fn text(&self, key: &str, name: &str) -> Result<Option<String>, HiveError> {
        Ok(self.system.value(&self.in_set(key), name)?.and_then(|value| value.text()))
    }
}

fn number(hive: &Hive, name_of_hive: &str, key: &str, name: &str) -> Result<Option<Setting>, HiveError> {
    let number = hive.value(key, name)?.and_then(|value| value.number());
    Ok(number.map(|number| Setting { number, path: format!("{name_of_hive}\\{key}\\{name}") }))
}
