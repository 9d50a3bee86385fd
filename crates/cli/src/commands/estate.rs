//! Loads the estate that a command names, and tells of it on stderr.

use palisade_agent::load::{self, EstateSources, Loaded};
use palisade_arm::template::DeploymentContext;

use crate::{args::EstateArgs, exit::Failure};

/// Warnings of one code that are printed before the rest is only counted.
const WARNINGS_SHOWN: usize = 5;

/// Reads and checks the files; prints warnings and what stays unknown to stderr.
pub fn load(arguments: &EstateArgs) -> Result<Loaded, Failure> {
    let loaded = load::estate(&sources(arguments))
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
    let default = DeploymentContext::default();
    let or = |given: &Option<String>, placeholder: String| given.clone().unwrap_or(placeholder);
    EstateSources {
        paths: arguments.estate.clone(),
        parameters: arguments.reading.parameters.clone(),
        service_tags: arguments.reading.service_tags.clone(),
        context: DeploymentContext {
            subscription_id: or(&arguments.reading.subscription, default.subscription_id),
            resource_group: or(&arguments.reading.resource_group, default.resource_group),
            location: or(&arguments.reading.location, default.location),
            ..DeploymentContext::default()
        },
    }
}
