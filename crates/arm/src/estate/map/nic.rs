//! Network interfaces, their IP configurations, and public IP addresses.

use palisade_model::ResourceId;
use palisade_model::spec::{Given, IpConfigurationSpec, NicSpec, PublicIpSpec, Reference};

use super::{Resource, note_uncertain};
use crate::estate::fields::Reader;
use crate::estate::index::List;
use crate::estate::item::Item;

pub(super) fn nic(reader: &mut Reader, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let item = resource.item;
    let configurations = reader.objects(item, "ipConfigurations", &resource.id);
    let spec = NicSpec {
        id: resource.id.clone(),
        name: resource.name(reader),
        nsg: reader.reference(item, "networkSecurityGroup"),
        ip_configurations: configurations
            .into_iter()
            .map(|element| ip_configuration(reader, element, &resource.id))
            .collect(),
        mac: reader.text(item, "macAddress"),
        ip_forwarding: reader.given_flag(item, "enableIPForwarding"),
        disable_tcp_state_tracking: reader.given_flag(item, "disableTcpStateTracking"),
        private_endpoint: item.property("privateEndpoint").is_some(),
        tags: reader.tags(item),
        place: resource.place(),
    };
    reader.index.keep(List::Nics, &mut reader.spec.nics, &resource.id, spec);
}

/// An IP configuration of an interface or of a scale set's interface.
pub(super) fn ip_configuration(reader: &mut Reader, item: Item<'_>, nic: &ResourceId) -> IpConfigurationSpec {
    let version = reader.text(item, "privateIPAddressVersion");
    let version = version.and_then(|text| text.value.known().cloned());
    IpConfigurationSpec {
        name: reader.some_name(item),
        private_address: reader.filled_text(item, "privateIPAddress"),
        subnet: reader.reference(item, "subnet"),
        public_ip: reader.reference(item, "publicIPAddress"),
        asgs: groups(reader, item, nic),
        nat_rules: nat_rules(reader, item),
        primary: reader.flag(item, "primary", nic),
        ipv6: version.is_some_and(|version| version.eq_ignore_ascii_case("IPv6")),
        place: item.place(),
    }
}

/// The application security groups; one unknown reference stands for an unknown list.
fn groups(reader: &mut Reader, item: Item<'_>, nic: &ResourceId) -> Vec<Reference> {
    let Some(list) = reader.references(item, "applicationSecurityGroups") else { return Vec::new() };
    match list.value {
        Given::Known(groups) => groups,
        Given::Unknown(reason) => {
            reader.unknown(format!("applicationSecurityGroups of {nic}"), reason.clone(), list.place.clone());
            vec![Reference { value: Given::Unknown(reason), place: list.place }]
        }
    }
}

/// The inbound NAT rules that lead here; of a list that is not known none is known to.
fn nat_rules(reader: &mut Reader, item: Item<'_>) -> Vec<Reference> {
    let list = reader.references(item, "loadBalancerInboundNatRules");
    list.map_or_else(Vec::new, |list| match list.value {
        Given::Known(rules) => rules,
        Given::Unknown(reason) => vec![Reference { value: Given::Unknown(reason), place: list.place }],
    })
}

pub(super) fn public_ip(reader: &mut Reader, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let item = resource.item;
    let spec = PublicIpSpec {
        id: resource.id.clone(),
        name: resource.name(reader),
        sku: item.get("sku").and_then(|sku| reader.text(sku, "name")),
        address: reader.filled_text(item, "ipAddress"),
        place: resource.place(),
    };
    reader.index.keep(List::PublicIps, &mut reader.spec.public_ips, &resource.id, spec);
}
