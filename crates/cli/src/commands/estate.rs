//! Loads the estate that a command names, and tells of it on stderr.

use std::path::PathBuf;

use palisade_agent::load::{self, EstateSources, Loaded};
use palisade_arm::template::DeploymentContext;

use crate::{
    args::{EstateArgs, ReadingArgs},
    exit::Failure,
};

/// Warnings of one code that are printed before the rest is only counted.
const WARNINGS_SHOWN: usize = 5;

/// Reads and checks the files; prints warnings and what stays unknown to stderr.
pub fn load(arguments: &EstateArgs) -> Result<Loaded, Failure> {
    read(&sources(arguments))
}

/// The same of files that are named in another way.
pub fn read(sources: &EstateSources) -> Result<Loaded, Failure> {
    let loaded = load::estate(sources)
        .map_err(|error| Failure::inputs(error.problems.iter().filter(|problem| problem.is_error)))?;
    for (shown, warning) in loaded.warnings.iter().enumerate() {
        if shown == WARNINGS_SHOWN {
            eprintln!("warning: and {} more", loaded.warnings.len() - shown);
            break;
        }
        eprintln!("warning: {warning}");
    }
    Ok(loaded)
}

/// The files that the options name, and where their templates are deployed to.
pub fn sources(arguments: &EstateArgs) -> EstateSources {
    sources_of(&arguments.estate, &arguments.reading)
}

/// Some paths, read with the options.
pub fn sources_of(paths: &[PathBuf], reading: &ReadingArgs) -> EstateSources {
    let default = DeploymentContext::default();
    let or = |given: &Option<String>, placeholder: String| given.clone().unwrap_or(placeholder);
    EstateSources {
        paths: paths.to_vec(),
        parameters: reading.parameters.clone(),
        service_tags: reading.service_tags.clone(),
        context: DeploymentContext {
            subscription_id: or(&reading.subscription, default.subscription_id),
            resource_group: or(&reading.resource_group, default.resource_group),
            location: or(&reading.location, default.location),
            ..DeploymentContext::default()
        },
        ..EstateSources::default()
    }
}
