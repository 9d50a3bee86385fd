//! The template that is written: rules, and where they come from.
//!
//! Metadata says by which tag files and which log the rules were made, so that a later run can be compared. Invariant: the same
//! estate, log, tags and options give the same bytes.

use std::{fs, path::Path};

use palisade_arm::{
    service_tags,
    write::{self, Written},
};
use palisade_model::{
    ResourceId,
    spec::{EstateSpec, RuleSpec},
};
use serde_json::{Value, json};

use crate::{args::ReadingArgs, commands::log::Log, exit::Failure};

/// What goes into a template.
pub enum Contents<'a> {
    /// Whole NSGs.
    Groups(Vec<&'a ResourceId>),
    /// Rules as resources of their own.
    Rules(Vec<(&'a ResourceId, &'a [RuleSpec])>),
}

/// The template.
pub fn template(
    command: &str,
    contents: &Contents<'_>,
    spec: &EstateSpec,
    (log, reading): (&Log, &ReadingArgs),
) -> Result<Value, Failure> {
    let written: Result<Vec<Written>, _> = match contents {
        Contents::Groups(ids) => {
            spec.nsgs.iter().filter(|nsg| ids.contains(&&nsg.id)).map(write::group).collect()
        }
        Contents::Rules(groups) => {
            let rules = groups.iter().flat_map(|(nsg, rules)| rules.iter().map(move |rule| (nsg, rule)));
            rules.map(|(nsg, rule)| write::rule(nsg, rule)).collect()
        }
    };
    let logged = log.document();
    let metadata = json!({
        "generator": format!("palisade {command}"),
        "serviceTags": reading.service_tags.iter().map(|file| tag_file(file)).collect::<Vec<_>>(),
        "log": { "first": logged["first"], "last": logged["last"], "records": logged["records"] },
    });
    let template = written.and_then(|resources| write::template(resources, &metadata));
    template.map_err(Failure::input)
}

/// Version of a tag file. It was read before, so what cannot be read now says nothing.
fn tag_file(path: &Path) -> Value {
    let read = fs::read_to_string(path).ok().and_then(|text| service_tags::read(&text).ok());
    let version = read.as_ref().and_then(|read| read.change_number);
    json!({
        "file": path.file_name().map(|name| name.to_string_lossy()),
        "cloud": read.as_ref().map(|read| read.cloud.as_str()),
        "changeNumber": version,
    })
}

/// Writes a template to a file.
pub fn save(path: &Path, template: &Value) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::other_side(format!("{}: {error}", path.display()));
    let text = serde_json::to_string_pretty(template)?;
    fs::write(path, text + "\n").map_err(failed)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
