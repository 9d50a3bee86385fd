//! Files that are sent to a server: JSON as Azure's tools write it, comments and all, told apart by what is in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use palisade_arm::json;
use serde_json::Value;

use crate::exit::Failure;

/// What a file holds.
#[derive(Debug)]
pub enum Body {
    /// An ARM template.
    Template(Value),
    /// Resources with their ids.
    Resources(Vec<Value>),
}

/// The files that are meant: those named, and the JSON files of folders that are named, without parameter files.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
        let mut found: Vec<_> =
            entries.into_iter().map(|entry| entry.path()).filter(|path| is_body(path)).collect();
        found.sort();
        files.append(&mut found);
    }
    if files.is_empty() {
        return Err(Failure::input("there is no JSON file in what was named"));
    }
    Ok(files)
}

fn is_body(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.is_file() && name.ends_with(".json") && !name.ends_with(".parameters.json")
}

/// Reads a file and tells what it holds.
pub fn read(path: &Path) -> Result<Body, Failure> {
    let value = read_json(path)?;
    let schema = value["$schema"].as_str().unwrap_or_default().to_lowercase();
    if schema.contains("deploymenttemplate.json")
        || (value["resources"].is_array() && value["contentVersion"].is_string())
    {
        return Ok(Body::Template(value));
    }
    let mut resources = Vec::new();
    flatten(path, value, &mut resources)?;
    Ok(Body::Resources(resources))
}

/// Reads JSON with comments and trailing commas.
pub fn read_json(path: &Path) -> Result<Value, Failure> {
    let shown = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| Failure::input(format!("{shown}: {error}")))?;
    let document = json::parse(&shown, &bytes).map_err(Failure::input)?;
    if let Some(twice) = document.duplicates.first() {
        let (key, first, second) = (&twice.key, &twice.first, &twice.second);
        return Err(Failure::input(format!(
            "{shown}:{}: {key:?} stood already in line {} (take one out)",
            second.line, first.line
        )));
    }
    Ok(Value::from(&document.root))
}

/// One resource, a list of them, or the wrapping that lists come in.
fn flatten(path: &Path, value: Value, into: &mut Vec<Value>) -> Result<(), Failure> {
    match value {
        Value::Array(items) => items.into_iter().try_for_each(|item| flatten(path, item, into)),
        Value::Object(mut object) if object.contains_key("id") => {
            object.remove("$schema");
            into.push(Value::Object(object));
            Ok(())
        }
        Value::Object(mut object) => match ["value", "data"].iter().find_map(|key| object.remove(*key)) {
            Some(list @ Value::Array(_)) => flatten(path, list, into),
            _ => Err(Failure::input(format!(
                "{}: neither a template, nor a resource with an `id`, nor a list of these",
                path.display()
            ))),
        },
        _ => Err(Failure::input(format!("{}: it holds no object", path.display()))),
    }
}
