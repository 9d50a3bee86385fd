//! Gateways and connections: which prefixes outside Azure a virtual network learns.
//!
//! A connection ties a virtual network gateway, whose IP configuration tells the network, to a local network gateway,
//! which lists the prefixes. What comes over BGP or ExpressRoute is known to the live network only, and is said to be
//! unknown. Prefixes of point-to-site clients hang on the gateway itself.

use std::collections::HashMap;

use palisade_model::spec::{At, Given, LearnedPrefixesSpec, Reference, TextList};
use palisade_model::{Place, ResourceId};

use super::{Resource, note_uncertain};
use crate::estate::fields::Reader;
use crate::estate::index::List;
use crate::estate::item::{Item, Look};

/// Gateways and connections, until all are read.
#[derive(Debug, Default)]
pub(in crate::estate) struct Gateways {
    /// Virtual network gateways: the network, and the prefixes of point-to-site clients.
    virtual_gateways: HashMap<ResourceId, (Reference, Option<TextList>)>,
    local_gateways: HashMap<ResourceId, Option<TextList>>,
    connections: HashMap<ResourceId, Connection>,
}

#[derive(Debug)]
struct Connection {
    gateway: Reference,
    remote: Remote,
    place: Place,
}

/// What is at the other end.
#[derive(Debug)]
enum Remote {
    Site(Reference),
    Network(Reference),
    /// Routes come from a protocol.
    Dynamic(&'static str),
}

/// A gateway of a virtual network.
pub(super) fn virtual_gateway(reader: &mut Reader, gateways: &mut Gateways, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let configurations = reader.objects(resource.item, "ipConfigurations", &resource.id);
    let subnet = configurations.into_iter().find_map(|element| reader.reference(element, "subnet"));
    let network = match subnet {
        Some(At { value: Given::Known(subnet), place }) => {
            let value = network_of(reader, &subnet).map_or_else(
                || Given::Unknown(format!("the gateway's subnet {subnet} is in no virtual network")),
                Given::Known,
            );
            At { value, place }
        }
        Some(unknown) => unknown,
        None => return,
    };
    let pool = resource.item.path(&["vpnClientConfiguration", "vpnClientAddressPool"]);
    let clients = pool.and_then(|pool| reader.texts(pool, "addressPrefixes"));
    gateways.virtual_gateways.insert(resource.id.clone(), (network, clients));
}

/// The network a subnet is in; it has the subnet's holes.
fn network_of(reader: &mut Reader, subnet: &ResourceId) -> Option<ResourceId> {
    let network = subnet.parent()?;
    if let Some(reason) = reader.symbols.get(subnet).cloned()
        && network.as_str().contains('{')
    {
        reader.symbols.insert(network.clone(), reason);
    }
    Some(network)
}

/// A gateway that stands for a site outside Azure.
pub(super) fn local_gateway(reader: &mut Reader, gateways: &mut Gateways, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let space = resource.item.property("localNetworkAddressSpace");
    let prefixes = space.and_then(|space| reader.texts(space, "addressPrefixes"));
    gateways.local_gateways.insert(resource.id.clone(), prefixes);
}

/// A connection of two gateways.
pub(super) fn connection(reader: &mut Reader, gateways: &mut Gateways, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let item = resource.item;
    let Some(gateway) = reader.reference(item, "virtualNetworkGateway1") else { return };
    let remote = if is_true(item.property("enableBgp")) {
        Remote::Dynamic("the connection learns its prefixes over BGP")
    } else if let Some(site) = reader.reference(item, "localNetworkGateway2") {
        Remote::Site(site)
    } else if let Some(network) = reader.reference(item, "virtualNetworkGateway2") {
        Remote::Network(network)
    } else {
        Remote::Dynamic("the connection learns its prefixes from an ExpressRoute circuit")
    };
    gateways.connections.insert(resource.id.clone(), Connection { gateway, remote, place: resource.place() });
}

fn is_true(item: Option<Item<'_>>) -> bool {
    item.is_some_and(|item| match item.look() {
        Look::Bool(value) => value,
        Look::Text(text) => text.eq_ignore_ascii_case("true"),
        // An unknown flag may be set.
        Look::Symbol(..) | Look::Unknown(_) => true,
        _ => false,
    })
}

impl Gateways {
    /// Writes what networks learn into the spec, in the order of ids.
    pub(in crate::estate) fn finish(self, reader: &mut Reader) {
        let mut connections: Vec<_> = self.connections.iter().collect();
        connections.sort_by(|a, b| a.0.cmp(b.0));
        for (id, connection) in connections {
            let prefixes = self.learned(reader, connection);
            match self.network(&connection.gateway) {
                Ok(virtual_network) => reader
                    .spec
                    .learned_prefixes
                    .push(LearnedPrefixesSpec { virtual_network, address_prefixes: prefixes }),
                Err(reason) => reader.unknown(id.as_str(), reason, connection.place.clone()),
            }
        }
        let mut gateways: Vec<_> = self.virtual_gateways.into_iter().collect();
        gateways.sort_by(|a, b| a.0.cmp(&b.0));
        for (_, (virtual_network, clients)) in gateways {
            if let Some(address_prefixes) = clients {
                reader.spec.learned_prefixes.push(LearnedPrefixesSpec { virtual_network, address_prefixes });
            }
        }
    }

    /// The network of a gateway, or why it is not known.
    fn network(&self, gateway: &Reference) -> Result<Reference, String> {
        match &gateway.value {
            Given::Unknown(reason) => Err(reason.clone()),
            Given::Known(id) => self
                .virtual_gateways
                .get(id)
                .map(|(network, _)| network.clone())
                .ok_or_else(|| format!("the virtual network gateway {id} is not in the input")),
        }
    }

    /// The prefixes at the other end of a connection.
    fn learned(&self, reader: &Reader, connection: &Connection) -> TextList {
        let unknown =
            |reason: String, place: &Place| At { value: Given::Unknown(reason), place: place.clone() };
        match &connection.remote {
            Remote::Dynamic(reason) => unknown((*reason).to_owned(), &connection.place),
            Remote::Site(site) => match &site.value {
                Given::Unknown(reason) => unknown(reason.clone(), &site.place),
                Given::Known(id) => match self.local_gateways.get(id) {
                    Some(Some(prefixes)) => prefixes.clone(),
                    Some(None) => {
                        unknown(format!("{id} lists no prefixes; it learns them over BGP"), &site.place)
                    }
                    None => {
                        unknown(format!("the local network gateway {id} is not in the input"), &site.place)
                    }
                },
            },
            Remote::Network(gateway) => match self.network(gateway) {
                Err(reason) => unknown(reason, &gateway.place),
                Ok(network) => {
                    let prefixes = network.value.known().and_then(|id| space(reader, id));
                    prefixes.unwrap_or_else(|| {
                        unknown("the network at the other end is not in the input".to_owned(), &gateway.place)
                    })
                }
            },
        }
    }
}

/// The address space of a network of the input.
fn space(reader: &Reader, network: &ResourceId) -> Option<TextList> {
    let index = reader.index.find(List::Networks, network)?;
    reader.spec.virtual_networks.get(index)?.address_prefixes.clone()
}
