//! Resource groups that must be there before anything can be put into them.

use std::collections::BTreeSet;

use palisade_client::{Client, Precondition};
use serde_json::{Value, json};

use super::{Arguments, group_path};
use crate::exit::Failure;

/// Makes groups that are missing, if it was said where.
pub fn ensure(
    client: &Client,
    arguments: &Arguments,
    groups: impl Iterator<Item = String>,
) -> Result<(), Failure> {
    for group in missing(client, arguments, groups)? {
        let path = group["id"].as_str().unwrap_or_default();
        client.put(path, &json!({ "location": group["location"] }), Precondition::Always)?;
        eprintln!("created {path}");
    }
    Ok(())
}

/// Groups that are missing, each with its id and where it would be.
pub fn missing(
    client: &Client,
    arguments: &Arguments,
    groups: impl Iterator<Item = String>,
) -> Result<Vec<Value>, Failure> {
    // Names of groups are compared without case.
    let mut seen = BTreeSet::new();
    let mut missing = Vec::new();
    for group in groups.filter(|group| seen.insert(group.to_lowercase())) {
        let path = group_path(client, &group);
        if client.find(&path)?.is_some() {
            continue;
        }
        let Some(location) = &arguments.location else {
            return Err(Failure::input(format!(
                "ResourceGroupNotFound: there is no group {group:?} (make it, or add --location REGION)"
            )));
        };
        missing.push(json!({ "id": path, "location": location }));
    }
    Ok(missing)
}
