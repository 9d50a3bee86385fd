//! Virtual machine scale sets: each interface configuration stands for the interfaces of all instances.
//!
//! The instances' addresses are given out at run time, so the interface has none; group, subnet and application security
//! groups are the same for every instance, and that is what its rules depend on.

use palisade_model::ResourceId;
use palisade_model::spec::{At, Given, NicSpec, PublicIpSpec, Reference};

use super::nic::ip_configuration;
use super::{Resource, element_id, note_uncertain};
use crate::estate::fields::Reader;
use crate::estate::index::List;
use crate::estate::item::Item;

/// The interfaces of a scale set's network profile.
pub(super) fn interfaces(reader: &mut Reader, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let Some(profile) = resource.item.path(&["virtualMachineProfile", "networkProfile"]) else { return };
    let list = reader.objects(profile, "networkInterfaceConfigurations", &resource.id);
    for (index, element) in list.into_iter().enumerate() {
        let name = reader.some_name(element);
        let id = element_id(&resource.id, "networkInterfaces", Some(&name), index);
        let configurations = reader.objects(element, "ipConfigurations", &id);
        let spec = NicSpec {
            name,
            nsg: reader.reference(element, "networkSecurityGroup"),
            ip_configurations: configurations
                .into_iter()
                .map(|item| {
                    let mut configuration = ip_configuration(reader, item, &id);
                    configuration.public_ip = public_ip(reader, item, &id);
                    configuration
                })
                .collect(),
            mac: None,
            ip_forwarding: reader.given_flag(element, "enableIPForwarding"),
            disable_tcp_state_tracking: reader.given_flag(element, "disableTcpStateTracking"),
            private_endpoint: false,
            tags: reader.tags(resource.item),
            place: element.place(),
            id: id.clone(),
        };
        reader.index.keep(List::Nics, &mut reader.spec.nics, &id, spec);
    }
}

/// The public address that each instance gets, if any.
fn public_ip(reader: &mut Reader, item: Item<'_>, nic: &ResourceId) -> Option<Reference> {
    let configuration = item.property("publicIPAddressConfiguration")?;
    let name = reader.some_name(configuration);
    let id = element_id(nic, "publicIPAddresses", Some(&name), 0);
    let place = configuration.place();
    let sku = configuration.get("sku").and_then(|sku| reader.text(sku, "name"));
    let spec = PublicIpSpec { id: id.clone(), name, sku, address: None, place: place.clone() };
    reader.index.keep(List::PublicIps, &mut reader.spec.public_ips, &id, spec);
    Some(At { value: Given::Known(id), place })
}
