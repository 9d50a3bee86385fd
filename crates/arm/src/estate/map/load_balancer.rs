//! Load balancers: the addresses at which they listen, whether machines behind them see these addresses, and inbound NAT
//! rules, which are endpoints of machines.
//!
//! Which machines are in a backend pool is not read: an NSG sees the machine's own address, whoever sent the packet on. Which
//! machine an inbound NAT rule leads to is told by the machine's interface, and by the rule in what Azure puts out.

use palisade_model::ResourceId;
use palisade_model::spec::{FrontendSpec, LoadBalancerSpec, MappingSpec, NatRuleSpec};

use super::{Resource, element_id, note_uncertain};
use crate::estate::fields::Reader;
use crate::estate::index::List;
use crate::estate::item::Item;

/// Lists of a load balancer that pass on what its frontends receive.
const MAPPINGS: [&str; 3] = ["loadBalancingRules", NAT_RULES, "inboundNatPools"];
/// The list of them that leads to one machine each.
const NAT_RULES: &str = "inboundNatRules";
/// Who may use an inbound NAT rule: a property that Azure does not have.
const SOURCES: &str = "allowedSourceAddressPrefixes";

pub(super) fn balancer(reader: &mut Reader, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let (item, id) = (resource.item, &resource.id);
    let frontends = reader.objects(item, "frontendIPConfigurations", id).into_iter().enumerate();
    let frontends = frontends.map(|(index, element)| frontend(reader, element, id, index)).collect();
    let (mut mappings, mut nat_rules) = (Vec::new(), Vec::new());
    for list in MAPPINGS {
        for (index, element) in reader.objects(item, list, id).into_iter().enumerate() {
            let mapping = mapping(reader, element, id);
            if list == NAT_RULES {
                let name = reader.some_name(element);
                let id = element_id(id, NAT_RULES, Some(&name), index);
                nat_rules.push(nat_rule(reader, element, id, &mapping, resource.uncertain.is_none()));
            }
            mappings.push(mapping);
        }
    }
    let mappings_known =
        MAPPINGS.iter().all(|list| item.property(list).is_none_or(|list| list.items().is_some()));
    let ids = nat_rules.iter().map(|rule| rule.id.clone()).collect();
    let place = resource.place();
    let spec = LoadBalancerSpec { id: id.clone(), frontends, mappings, mappings_known, nat_rules, place };
    let at = reader.index.keep(List::LoadBalancers, &mut reader.spec.load_balancers, id, spec);
    reader.index.children(List::NatRules, at, ids);
}

/// An inbound NAT rule that is a resource of its own. Without its load balancer it says nothing.
pub(super) fn child(reader: &mut Reader, resource: &Resource<'_>) {
    let Some(parent) = resource.parent(reader) else { return };
    let Some(at) = reader.index.find(List::LoadBalancers, &parent) else { return };
    note_uncertain(reader, resource);
    let id = &resource.id;
    let mapping = mapping(reader, resource.item, id);
    let rule = nat_rule(reader, resource.item, id.clone(), &mapping, resource.uncertain.is_none());
    let balancer = &mut reader.spec.load_balancers[at];
    balancer.mappings.push(mapping);
    reader.index.put(List::NatRules, at, &mut balancer.nat_rules, id, rule);
}

fn frontend(reader: &mut Reader, item: Item<'_>, balancer: &ResourceId, index: usize) -> FrontendSpec {
    let name = reader.some_name(item);
    FrontendSpec {
        id: element_id(balancer, "frontendIPConfigurations", Some(&name), index),
        private_address: reader.filled_text(item, "privateIPAddress"),
        public_ip: reader.reference(item, "publicIPAddress"),
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

fn nat_rule(
    reader: &mut Reader,
    item: Item<'_>,
    id: ResourceId,
    mapping: &MappingSpec,
    certain: bool,
) -> NatRuleSpec {
    NatRuleSpec {
        id,
        frontend: mapping.frontend.clone(),
        protocol: reader.text(item, "protocol"),
        frontend_port: reader.integer(item, "frontendPort"),
        backend_port: reader.integer(item, "backendPort"),
        sources: reader.texts(item, SOURCES),
        target: reader.reference(item, "backendIPConfiguration"),
        floating: mapping.floating,
        is_of_pool: item.property("backendAddressPool").is_some(),
        certain,
        place: item.place(),
    }
}
