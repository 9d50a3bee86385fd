//! What an agent tells its server of the interfaces that could be a machine's, so that the server knows whose NICs are here.
//!
//! The agent decides by itself which interface is which NIC; this only has to name every host that could be concerned.

use std::collections::BTreeSet;

use palisade_net::Mac;
use palisade_sync::limits::INTERFACES_MAX;
use palisade_sync::{Interface, Inventory};

use super::report::text;
use crate::interfaces::{self, Link};
use crate::machines::{Card, Machine};

/// The interfaces of a host and the machines behind them, in the order of names.
pub fn of(host: &interfaces::Inventory, machines: &[Machine]) -> Inventory {
    let links = host.links.iter().filter(|link| link.kind.enforced_as().is_ok());
    let links = links.map(|link| interface(link, machines));
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

fn interface(link: &Link, machines: &[Machine]) -> Interface {
    let cards = machines.iter().flat_map(|machine| machine.cards.iter().map(move |card| (machine, card)));
    let behind: Vec<_> = cards.filter(|(_, card)| card.interface == link.name).collect();
    let macs: BTreeSet<Mac> =
        link.mac.into_iter().chain(behind.iter().filter_map(|(_, card)| card.mac)).collect();
    let machine = |(machine, _): &(&Machine, &Card)| {
        format!(" of {} guest {}", machine.hypervisor.name(), machine.name)
    };
    let guests: String = behind.iter().map(machine).collect();
    Interface {
        name: link.name.clone(),
        alias: text(link.alias.clone().unwrap_or_default()),
        macs: macs.iter().map(ToString::to_string).collect(),
        note: text(format!("{}{guests}", link.kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interfaces::LinkKind;
    use crate::machines::Hypervisor;

    #[test]
    fn interfaces_are_told_with_the_machines_behind_them() {
        let link = |name: &str, kind: LinkKind| Link {
            index: 1,
            name: name.to_owned(),
            alias: None,
            mac: Some("fe:54:00:00:00:01".parse().unwrap()),
            kind,
            card: None,
            is_up: true,
        };
        let links = vec![link("vnet0", LinkKind::Tap), link("br0", LinkKind::Other("bridge".to_owned()))];
        let host = interfaces::Inventory { links, bypasses: Vec::new() };
        let card = Card { interface: "vnet0".to_owned(), mac: Some("52:54:00:00:00:01".parse().unwrap()) };
        let machine =
            Machine { name: "web1".to_owned(), hypervisor: Hypervisor::Libvirt, pid: 7, cards: vec![card] };
        let told = of(&host, &[machine]);
        let expect = Interface {
            name: "vnet0".to_owned(),
            alias: String::new(),
            macs: vec!["52:54:00:00:00:01".to_owned(), "fe:54:00:00:00:01".to_owned()],
            note: "tap of libvirt guest web1".to_owned(),
        };
        assert_eq!(told.interfaces, [expect]);
    }
}
