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

/// Stops enforcement at every interface of the instance, and removes its pins, its state, and its folder if nothing else is in
/// it. Nothing happens if there is none.
///
/// # Errors
/// [`AgentError::Busy`] if its agent is alive, or what the kernel says.
pub fn remove(instance: &Instance) -> Result<(), AgentError> {
    let lock = instance.lock()?;
    close_endpoints(instance)?;
    if instance.pin_dir.exists() {
        match Datapath::open(&Config::new(&instance.pin_dir)) {
            Ok(datapath) => datapath.remove()?,
            // Another version's pins: without them the kernel lets go of what they held.
            Err(Error::Version { .. } | Error::Damaged { .. }) => {
                let dir = &instance.pin_dir;
                fs::remove_dir_all(dir).context(|| format!("remove {}", dir.display()))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    forget(instance)?;
    lock.vacate(&instance.state_dir);
    Ok(())
}

/// Releases every interface, and removes endpoints, pins and state.
pub(crate) fn release(datapath: Datapath, instance: &Instance) -> Result<(), AgentError> {
    close_endpoints(instance)?;
    datapath.remove()?;
    forget(instance)?;
    // The agent's own lock is gone with it; another agent may have begun meanwhile.
    if let Ok(lock) = instance.lock() {
        lock.vacate(&instance.state_dir);
    }
    Ok(())
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

/// Removes the state, and the socket of an agent that was killed.
fn forget(instance: &Instance) -> Result<(), AgentError> {
    for path in [instance.state_file(), instance.events_socket()] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).context(|| format!("remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}
