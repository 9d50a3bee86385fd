//! The real answers to what [`crate::policy`] and [`crate::guard`] ask: who enforces, an agent alone or a control plane with its
//! agent, which then watches too, and the oracle that predicts.
//!
//! Enforcer and oracle know nothing of each other, so that a matrix compares two independent readings of one estate: what the kernel
//! does with packets, and what the naive evaluator says about the same files.

pub mod agent;
pub mod control;
mod guard;
pub mod oracle;

use palisade_agent::load::EstateSources;

use crate::policy::EstateFiles;

/// The files of a lab's estate, as the loader takes them.
pub fn sources(files: &EstateFiles) -> EstateSources {
    EstateSources {
        paths: vec![files.template.clone()],
        parameters: vec![files.parameters.clone()],
        service_tags: vec![files.service_tags.clone()],
        ..EstateSources::default()
    }
}
