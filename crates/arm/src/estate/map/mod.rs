//! From ARM resources to the model's specs, one file for each family of types.
//!
//! Resources come in any order and from any file; parents are mapped before their children, and a child that was given
//! both inside its parent and alone is one, the later standing for both. Types that say nothing about who may reach whom
//! are left out, and counted by the caller. Property names: docs/semantics.md, "Resource model".

mod admin;
mod gateway;
mod group;
mod load_balancer;
mod network;
mod nic;
mod nsg;
mod route;
mod scale_set;
mod throttle;

pub(super) use admin::NetworkGroups;
pub(super) use gateway::Gateways;

use palisade_model::spec::{At, Given, OwnList, Text};
use palisade_model::{Place, ResourceId};

use super::fields::Reader;
use super::item::Item;

/// A resource before it is mapped.
#[derive(Debug, Clone)]
pub(super) struct Resource<'a> {
    /// Full type in lower case, such as `microsoft.network/virtualnetworks/subnets`.
    pub(super) kind: String,
    /// Id; it may have holes, which [`Reader::symbols`] then knows.
    pub(super) id: ResourceId,
    /// The object.
    pub(super) item: Item<'a>,
    /// Why the resource may not exist.
    pub(super) uncertain: Option<String>,
    /// Whether it stands for an unknown number of copies; it is uncertain then.
    pub(super) repeated: bool,
}

impl Resource<'_> {
    /// How deep the type is: 1 for a resource, 2 for its child.
    pub(super) fn depth(&self) -> usize {
        self.kind.matches('/').count()
    }

    pub(super) fn place(&self) -> Place {
        self.item.place()
    }

    /// The resource's own name: the last part of its id.
    pub(super) fn name(&self, reader: &Reader) -> Text {
        let place = self.item.get("name").unwrap_or(self.item).place();
        let name = self.id.name();
        let value = match reader.symbols.get(&self.id) {
            Some(reason) if name.contains('{') => Given::Unknown(format!("{name}: {reason}")),
            _ => Given::Known(name.to_owned()),
        };
        At { value, place }
    }

    /// The parent's id, if the type is that of a child.
    fn parent(&self, reader: &mut Reader) -> Option<ResourceId> {
        let parent = self.id.parent()?;
        if let Some(reason) = reader.symbols.get(&self.id).cloned()
            && parent.as_str().contains('{')
        {
            reader.symbols.insert(parent.clone(), reason);
        }
        Some(parent)
    }
}

/// What resources tell that other resources need: gathered in a first pass, used when all is read.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) gateways: Gateways,
    pub(super) groups: NetworkGroups,
}

impl Gathered {
    /// For an input that has everything there is.
    pub(super) fn complete() -> Self {
        Self { groups: NetworkGroups::complete(), ..Self::default() }
    }
}

/// Maps one resource; false if its type is none that is read.
pub(super) fn resource(reader: &mut Reader, gathered: &mut Gathered, resource: &Resource<'_>) -> bool {
    let kind = resource.kind.strip_prefix("microsoft.").unwrap_or(&resource.kind);
    match kind {
        "network/networksecuritygroups" => nsg::group(reader, resource),
        "network/networksecuritygroups/securityrules" => nsg::child(reader, resource),
        "network/applicationsecuritygroups" => group::group(reader, resource),
        "network/applicationsecuritygroups/addressprefixsets" => group::prefix_set(reader, resource),
        "network/virtualnetworks" => network::network(reader, resource),
        "network/virtualnetworks/subnets" => network::subnet_child(reader, resource),
        "network/virtualnetworks/virtualnetworkpeerings" => network::peering_child(reader, resource),
        "network/networkinterfaces" => nic::nic(reader, resource),
        "network/publicipaddresses" => nic::public_ip(reader, resource),
        "network/loadbalancers" => load_balancer::balancer(reader, resource),
        "network/loadbalancers/inboundnatrules" => load_balancer::child(reader, resource),
        "network/routetables" => route::table(reader, resource),
        "network/routetables/routes" => route::child(reader, resource),
        "network/virtualnetworkgateways" => {
            gateway::virtual_gateway(reader, &mut gathered.gateways, resource);
        }
        "network/localnetworkgateways" => gateway::local_gateway(reader, &mut gathered.gateways, resource),
        "network/connections" => gateway::connection(reader, &mut gathered.gateways, resource),
        "network/networkmanagers/networkgroups" => admin::network_group(&mut gathered.groups, resource),
        "network/networkmanagers/networkgroups/staticmembers" => {
            admin::static_member(reader, &mut gathered.groups, resource);
        }
        "network/networkmanagers/securityadminconfigurations/rulecollections" => {
            admin::collection(reader, &mut gathered.groups, resource);
        }
        "network/networkmanagers/securityadminconfigurations/rulecollections/rules" => {
            admin::rule_child(reader, resource);
        }
        "palisade.network/isolation" => admin::own_list(reader, resource, OwnList::Quarantine),
        "palisade.network/lockedout" => admin::own_list(reader, resource, OwnList::Lockout),
        "palisade.network/timedaccess" => admin::own_list(reader, resource, OwnList::Door),
        "palisade.network/throttled" => throttle::throttle(reader, resource),
        "compute/virtualmachinescalesets" => scale_set::interfaces(reader, resource),
        _ => return false,
    }
    true
}

/// Notes that a resource may not exist, for kinds whose spec has no field for it.
fn note_uncertain(reader: &mut Reader, resource: &Resource<'_>) {
    if let Some(reason) = &resource.uncertain {
        let reason = format!("whether it exists is not known: {reason}");
        reader.unknown(resource.id.as_str(), reason, resource.place());
    }
}

/// The id of an element of a parent's list. An unknown name begins with its expression, which is all that tells it from
/// its neighbours; an element without a name is told from them by its index.
fn element_id(parent: &ResourceId, kind: &str, name: Option<&Text>, index: usize) -> ResourceId {
    match name.map(|name| &name.value) {
        Some(Given::Known(name)) => parent.child(kind, name),
        Some(Given::Unknown(reason)) if reason.contains("}: ") => {
            let symbol = reason.split_once(": ").map_or(reason.as_str(), |(symbol, _)| symbol);
            parent.child(kind, symbol)
        }
        _ => parent.child(kind, &format!("{{{index}}}")),
    }
}
