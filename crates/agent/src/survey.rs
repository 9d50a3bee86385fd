//! Where on this host nothing can be enforced, for `palisade doctor`: asked of the system now, whether an agent lives or not.
//!
//! It changes nothing. Which NICs there are is what the last agent wrote down; without that, devices are still found.

use crate::error::{AgentError, Context};
use crate::instance::Instance;
use crate::interfaces::Inventory;
use crate::interfaces::bypass::{Bypass, Roots};
use crate::interfaces::matching::match_nics;
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
