//! Virtual networks, subnets and peerings, both inside the network and as resources of their own.

use palisade_model::ResourceId;
use palisade_model::spec::{At, Given, PeeringSpec, SubnetSpec, Text, VirtualNetworkSpec};

use super::{Resource, element_id, note_uncertain};
use crate::estate::fields::Reader;
use crate::estate::index::List;
use crate::estate::item::Item;

/// Why the address space of a network that the input does not hold is not known.
const ABSENT_PARENT: &str = "the input has parts of this virtual network but not the network itself";

pub(super) fn network(reader: &mut Reader, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let item = resource.item;
    let space = item.property("addressSpace");
    let mut spec = VirtualNetworkSpec {
        id: resource.id.clone(),
        name: resource.name(reader),
        address_prefixes: space.and_then(|space| reader.texts(space, "addressPrefixes")),
        subnets: Vec::new(),
        peerings: Vec::new(),
        flow_timeout_minutes: reader.integer(item, "flowTimeoutInMinutes"),
        place: resource.place(),
    };
    let (mut subnets, mut peerings) = (Vec::new(), Vec::new());
    for (index, element) in reader.objects(item, "subnets", &resource.id).into_iter().enumerate() {
        let name = reader.some_name(element);
        let id = element_id(&resource.id, "subnets", Some(&name), index);
        inherit_symbol(reader, &resource.id, &id, name.value.known().is_none());
        spec.subnets.push(subnet(reader, element, id.clone(), name));
        subnets.push(id);
    }
    let elements = reader.objects(item, "virtualNetworkPeerings", &resource.id);
    for (index, element) in elements.into_iter().enumerate() {
        let name = reader.some_name(element);
        let id = element_id(&resource.id, "virtualNetworkPeerings", Some(&name), index);
        spec.peerings.push(peering(reader, element, &id, name));
        peerings.push(id);
    }
    let network = reader.index.keep(List::Networks, &mut reader.spec.virtual_networks, &resource.id, spec);
    reader.index.children(List::Subnets, network, subnets);
    reader.index.children(List::Peerings, network, peerings);
}

/// A child's id has the holes of its parent's.
fn inherit_symbol(reader: &mut Reader, parent: &ResourceId, child: &ResourceId, nameless: bool) {
    let reason = reader.symbols.get(parent).cloned();
    let reason = reason.or_else(|| nameless.then(|| "its name is not known".to_owned()));
    if let Some(reason) = reason {
        reader.symbols.entry(child.clone()).or_insert(reason);
    }
}

/// The network a child belongs to; a stand-in of unknown address space if the input does not hold it.
fn parent(reader: &mut Reader, resource: &Resource<'_>) -> Option<usize> {
    let id = resource.parent(reader)?;
    if let Some(network) = reader.index.find(List::Networks, &id) {
        return Some(network);
    }
    let place = resource.place();
    reader.unknown(id.as_str(), ABSENT_PARENT, place.clone());
    let stub = Resource { id: id.clone(), ..resource.clone() };
    let spec = VirtualNetworkSpec {
        name: stub.name(reader),
        id: id.clone(),
        address_prefixes: Some(At { value: Given::Unknown(ABSENT_PARENT.to_owned()), place: place.clone() }),
        subnets: Vec::new(),
        peerings: Vec::new(),
        flow_timeout_minutes: None,
        place,
    };
    Some(reader.index.keep(List::Networks, &mut reader.spec.virtual_networks, &id, spec))
}

/// A subnet that is a resource of its own.
pub(super) fn subnet_child(reader: &mut Reader, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let Some(network) = parent(reader, resource) else { return };
    let name = resource.name(reader);
    let subnet = subnet(reader, resource.item, resource.id.clone(), name);
    let subnets = &mut reader.spec.virtual_networks[network].subnets;
    reader.index.put(List::Subnets, network, subnets, &resource.id, subnet);
}

/// A peering that is a resource of its own.
pub(super) fn peering_child(reader: &mut Reader, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let Some(network) = parent(reader, resource) else { return };
    let name = resource.name(reader);
    let peering = peering(reader, resource.item, &resource.id, name);
    let peerings = &mut reader.spec.virtual_networks[network].peerings;
    reader.index.put(List::Peerings, network, peerings, &resource.id, peering);
}

/// A subnet, wherever it stands.
fn subnet(reader: &mut Reader, item: Item<'_>, id: ResourceId, name: Text) -> SubnetSpec {
    let delegations = reader.objects(item, "delegations", &id);
    SubnetSpec {
        delegations: delegations.into_iter().filter_map(|one| reader.text(one, "serviceName")).collect(),
        id,
        name,
        address_prefixes: reader.one_or_many(item, "addressPrefix", "addressPrefixes"),
        nsg: reader.reference(item, "networkSecurityGroup"),
        route_table: reader.reference(item, "routeTable"),
        private_endpoint_policies: reader.text(item, "privateEndpointNetworkPolicies"),
        place: item.place(),
    }
}

/// A peering, wherever it stands.
fn peering(reader: &mut Reader, item: Item<'_>, id: &ResourceId, name: Text) -> PeeringSpec {
    let space =
        item.property("remoteVirtualNetworkAddressSpace").or_else(|| item.property("remoteAddressSpace"));
    PeeringSpec {
        name,
        remote: reader.reference(item, "remoteVirtualNetwork"),
        remote_prefixes: space.and_then(|space| reader.texts(space, "addressPrefixes")),
        allow_access: reader.truth(item, "allowVirtualNetworkAccess", id, true),
        state: reader.text(item, "peeringState"),
        use_remote_gateways: reader.truth(item, "useRemoteGateways", id, false),
        place: item.place(),
    }
}
