//! Load balancers: the addresses at which they listen, and whether machines behind them see these addresses.
//!
//! Which machines are behind one is not read: an NSG sees the machine's own address, whoever sent the packet on.

use palisade_model::ResourceId;
use palisade_model::spec::{FrontendSpec, LoadBalancerSpec, MappingSpec};

use super::{Resource, element_id, note_uncertain};
use crate::estate::fields::Reader;
use crate::estate::index::List;
use crate::estate::item::Item;

/// Lists of a load balancer that pass on what its frontends receive.
const MAPPINGS: [&str; 3] = ["loadBalancingRules", "inboundNatRules", "inboundNatPools"];

pub(super) fn balancer(reader: &mut Reader, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let (item, id) = (resource.item, &resource.id);
    let frontends = reader.objects(item, "frontendIPConfigurations", id).into_iter().enumerate();
    let frontends = frontends.map(|(index, element)| frontend(reader, element, id, index)).collect();
    let mut mappings = Vec::new();
    for list in MAPPINGS {
        let elements = reader.objects(item, list, id);
        mappings.extend(elements.into_iter().map(|element| mapping(reader, element, id)));
    }
    let mappings_known =
        MAPPINGS.iter().all(|list| item.property(list).is_none_or(|list| list.items().is_some()));
    let spec =
        LoadBalancerSpec { id: id.clone(), frontends, mappings, mappings_known, place: resource.place() };
    reader.index.keep(List::LoadBalancers, &mut reader.spec.load_balancers, id, spec);
}

/// An inbound NAT rule that is a resource of its own. Without its load balancer it says nothing.
pub(super) fn child(reader: &mut Reader, resource: &Resource<'_>) {
    let Some(parent) = resource.parent(reader) else { return };
    let Some(at) = reader.index.find(List::LoadBalancers, &parent) else { return };
    let mapping = mapping(reader, resource.item, &resource.id);
    reader.spec.load_balancers[at].mappings.push(mapping);
}

fn frontend(reader: &mut Reader, item: Item<'_>, balancer: &ResourceId, index: usize) -> FrontendSpec {
    let name = reader.some_name(item);
    FrontendSpec {
        id: element_id(balancer, "frontendIPConfigurations", Some(&name), index),
        private_address: reader.filled_text(item, "privateIPAddress"),
        place: item.place(),
    }
}

fn mapping(reader: &mut Reader, item: Item<'_>, owner: &ResourceId) -> MappingSpec {
    MappingSpec {
        frontend: reader.reference(item, "frontendIPConfiguration"),
        floating: reader.truth(item, "enableFloatingIP", owner, false),
        place: item.place(),
    }
}
