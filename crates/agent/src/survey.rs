//! What is on this host: where nothing can be enforced, for `palisade doctor`, and which machines run. Asked of the system
//! now, whether an agent lives or not.
//!
//! It changes nothing. Which NICs there are is what the last agent wrote down; without that, devices are still found.

use crate::error::{AgentError, Context};
use crate::instance::Instance;
use crate::interfaces::bypass::{Bypass, Roots};
use crate::interfaces::matching::match_nics;
use crate::interfaces::{Inventory, dump};
use crate::machines::{self, Machine, Places};
use crate::state::State;
use crate::status::NotEnforced;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Devices whose frames pass the host's network stack by.
    pub bypasses: Vec<Bypass>,
    /// NICs that have such a device, or an interface of a kind that cannot be enforced.
    pub not_enforced: Vec<NotEnforced>,
}

/// The machines that run on this host, whether an agent lives or not.
///
/// # Errors
/// If the interfaces cannot be listed.
pub fn machines() -> Result<Vec<Machine>, AgentError> {
    let links = dump::links().context(|| "list the network interfaces".into())?;
    Ok(machines::find(&Places::default(), &links))
}

/// Looks at this host.
///
/// # Errors
/// If the interfaces cannot be listed.
pub fn survey(instance: &Instance) -> Result<Survey, AgentError> {
    // Who may not read the state is told of devices only, as where there is none.
    let identities = State::read(instance).ok().flatten().unwrap_or_default().identities;
    let tags = identities.iter().filter_map(|nic| nic.interface.as_deref());
    let host = Inventory::take(&Roots::default(), tags).context(|| "list the network interfaces".into())?;
    let (not_enforced, _) = NotEnforced::split(match_nics(&identities, &host).problems);
    Ok(Survey { bypasses: host.bypasses, not_enforced })
}
