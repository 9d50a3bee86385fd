//! The end of an instance: every interface is released and nothing stays behind.
//!
//! The one place that opens machines, and only when a person asks for it.

use std::fs;
use std::io;

use palisade_datapath::{Config, Datapath, Error};

use crate::endpoints::{nft, tracked};
use crate::error::{AgentError, Context};
use crate::instance::Instance;
use crate::state::State;

/// Stops enforcement at every interface of the instance, and removes its pins and its state. Nothing happens if there is
/// none.
///
/// # Errors
/// [`AgentError::Busy`] if its agent is alive, or what the kernel says.
pub fn remove(instance: &Instance) -> Result<(), AgentError> {
    let _lock = instance.lock()?;
    close_endpoints(instance)?;
    if !instance.pin_dir.exists() {
        return forget(instance);
    }
    match Datapath::open(&Config::new(&instance.pin_dir)) {
        Ok(datapath) => {
            datapath.remove()?;
            forget(instance)
        }
        // Another version's pins: without them the kernel lets go of what they held.
        Err(Error::Version { .. } | Error::Damaged { .. }) => {
            let dir = &instance.pin_dir;
            fs::remove_dir_all(dir).context(|| format!("remove {}", dir.display()))?;
            forget(instance)
        }
        Err(error) => Err(error.into()),
    }
}

/// Releases every interface, and removes endpoints, pins and state.
pub(crate) fn release(datapath: Datapath, instance: &Instance) -> Result<(), AgentError> {
    close_endpoints(instance)?;
    datapath.remove()?;
    forget(instance)
}

/// Removes the table of endpoints, if the state tells of one, and ends what came through it. Nobody shall be let in to a machine that is
/// guarded no longer, so that comes first.
fn close_endpoints(instance: &Instance) -> Result<(), AgentError> {
    let Some(state) = State::read(instance)? else { return Ok(()) };
    let table = instance.table();
    let removed = match state.translation {
        None => Ok(()),
        Some(_) => nft::remove(&table).map_err(|error| error.to_string()),
    };
    let ended = removed.and_then(|()| tracked::cut(&state.opened).map_err(|error| error.to_string()));
    ended.map(|_| ()).map_err(|why| AgentError::Endpoints { table, why })
}

/// Removes the state.
fn forget(instance: &Instance) -> Result<(), AgentError> {
    let path = instance.state_file();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
