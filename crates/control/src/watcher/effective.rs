//! The effective rules of an interface, and the security group view of a virtual machine.
//!
//! Everything comes from [`EffectivePolicy`]: this only writes it in Azure's shapes. An interface without any NSG has an
//! empty list, as in Azure.

use palisade_model::{EffectiveLayer, EffectivePolicy, Estate, Layer, Nic, ResourceId};
use palisade_net::Direction;
use serde_json::{Value, json};

use super::own;
use super::rules::{self, Dialect};

/// `effectiveNetworkSecurityGroups`: one entry for each rule list that holds at `nic`, in the order of inbound evaluation.
pub fn network_security_groups(estate: &Estate, nic: &Nic) -> Value {
    let policy = estate.effective(nic);
    let entries = [Layer::Admin, Layer::Subnet, Layer::NetworkInterface].into_iter().filter_map(|place| {
        let layers = both(&policy, place);
        let source = layers.into_iter().flatten().find_map(|layer| layer.source.as_ref())?;
        let (group, association) = match place {
            Layer::Admin => match own::manager_of(source) {
                Some(manager) => (manager.clone(), json!({"networkManager": {"id": manager.as_str()}})),
                None => (source.clone(), at_interface(nic)),
            },
            Layer::Subnet => {
                let subnet = subnet_of(nic).map(ResourceId::as_str);
                (source.clone(), json!({"subnet": {"id": subnet}}))
            }
            _ => (source.clone(), at_interface(nic)),
        };
        Some(json!({
            "networkSecurityGroup": {"id": group.as_str()},
            "association": association,
            "effectiveSecurityRules": rules::all(layers, Dialect::Path),
            "tagMap": rules::tag_map(layers),
        }))
    });
    let mut answer = json!({"value": entries.collect::<Vec<_>>()});
    if let Some(throttle) = nic.throttle() {
        answer["palisade"] = json!({"throttle": own::of_throttle(throttle)});
    }
    answer
}

fn at_interface(nic: &Nic) -> Value {
    json!({"networkInterface": {"id": nic.id().as_str()}})
}

/// `securityGroupView` of the interfaces of one machine. `document` renders an NSG as `GET` answers it.
pub fn security_group_view(
    estate: &Estate,
    nics: &[&Nic],
    document: impl Fn(&ResourceId) -> Option<Value>,
) -> Value {
    let rules_of = |id: &ResourceId, key: &str| {
        let found = document(id).and_then(|mut nsg| nsg.get_mut("properties")?.get_mut(key).map(Value::take));
        found.unwrap_or_else(|| json!([]))
    };
    let one = |nic: &&Nic| {
        let policy = estate.effective(nic);
        let source =
            |place| both(&policy, place).into_iter().flatten().find_map(|layer| layer.source.clone());
        let (at_nic, at_subnet) = (source(Layer::NetworkInterface), source(Layer::Subnet));
        let association = |nsg: &Option<ResourceId>, at: Option<&ResourceId>| {
            let nsg = nsg.as_ref()?;
            Some(json!({"id": at?.as_str(), "securityRules": rules_of(nsg, "securityRules")}))
        };
        let effective = [Layer::Admin, Layer::Subnet, Layer::NetworkInterface];
        let effective =
            effective.into_iter().flat_map(|place| rules::all(both(&policy, place), Dialect::Log));
        let default = at_nic.as_ref().or(at_subnet.as_ref());
        json!({
            "id": nic.id().as_str(),
            "securityRuleAssociations": {
                "networkInterfaceAssociation": association(&at_nic, Some(nic.id())),
                "subnetAssociation": association(&at_subnet, subnet_of(nic)),
                "defaultSecurityRules": default.map_or_else(|| json!([]), |id| rules_of(id, "defaultSecurityRules")),
                "effectiveSecurityRules": effective.collect::<Vec<_>>(),
            },
        })
    };
    json!({"networkInterfaces": nics.iter().map(one).collect::<Vec<_>>()})
}

/// The rule lists of one place: inbound and outbound.
fn both(policy: &EffectivePolicy, place: Layer) -> [Option<&EffectiveLayer>; 2] {
    [Direction::Inbound, Direction::Outbound]
        .map(|direction| policy.layers(direction).iter().find(|layer| layer.layer == place))
}

/// The subnet of an interface's primary IP configuration.
pub(super) fn subnet_of(nic: &Nic) -> Option<&ResourceId> {
    nic.ip_configurations().first()?.subnet()?.known()
}
