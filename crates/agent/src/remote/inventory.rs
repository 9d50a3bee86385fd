//! What an agent tells its server of the interfaces that could be a machine's, so that the server knows whose NICs are here.
//!
//! The agent decides by itself which interface is which NIC; this only has to name every host that could be concerned.

use palisade_sync::limits::INTERFACES_MAX;
use palisade_sync::{Interface, Inventory};

use super::report::text;
use crate::interfaces;

/// The interfaces of a host, in the order of their names.
pub fn of(host: &interfaces::Inventory) -> Inventory {
    let links = host.links.iter().filter(|link| link.kind.enforced_as().is_ok()).map(|link| Interface {
        name: link.name.clone(),
        alias: text(link.alias.clone().unwrap_or_default()),
        macs: link.mac.iter().map(ToString::to_string).collect(),
        note: link.kind.to_string(),
    });
    // A machine that has such a device is here too, and its server is to hear that nothing can be enforced there.
    let bypasses = host.bypasses.iter().map(|device| Interface {
        name: text(device.names.first().cloned().unwrap_or_default()),
        alias: String::new(),
        macs: device.mac.iter().map(ToString::to_string).collect(),
        note: text(format!("{device}: not enforced, {}", device.why())),
    });
    let mut interfaces: Vec<Interface> = links.chain(bypasses).collect();
    interfaces.sort_by(|a, b| a.name.cmp(&b.name));
    interfaces.truncate(INTERFACES_MAX);
    Inventory { interfaces }
}
