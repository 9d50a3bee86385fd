//! Which rules would leave a door open in Azure, where a policy's deny comes after older rules; and what a policy cannot close here.

use std::collections::BTreeSet;

use palisade_guard::access::{Door, Policy};
use palisade_model::{Access, EffectiveLayer, EffectiveRule, Layer, Ports, ResourceId};
use palisade_net::{Direction, PortRange, PortSet, Protocol, ProtocolMatch};
use serde_json::{Value, json};

use super::doors::interfaces;
use crate::{ControlError, World};

/// What is told of a policy when it is written.
#[derive(Debug, Default)]
pub(crate) struct Overridden {
    /// Rules of NSGs that it stands before, for the document.
    pub(crate) rules: Vec<Value>,
    /// The same, and what it cannot close, for people.
    pub(crate) warnings: Vec<ControlError>,
}

/// Looks at the lists of every interface that a policy is about, as they are without it.
pub(crate) fn overridden(world: &World, policy: &Policy, now: u32) -> Result<Overridden, ControlError> {
    let mut found = Overridden::default();
    for machine in policy.machines() {
        let nics: Vec<ResourceId> = interfaces(world, &machine.id).into_iter().collect();
        if nics.is_empty() {
            let message = format!(
                "No network interface belongs to {}: nothing is closed until one names it as its virtualMachine, or the virtual \
                 machine is a resource that names one.",
                machine.id
            );
            found
                .warnings
                .push(ControlError::bad("JitMachineHasNoInterface", message).about(machine.id.as_str()));
            continue;
        }
        let estate = world.estate(&nics)?;
        let mut told = BTreeSet::new();
        for nic in estate.nics().filter(|nic| nics.contains(nic.id())) {
            let addresses = estate.addresses_of(nic);
            let layers = estate.effective(nic);
            for layer in layers.layers(Direction::Inbound) {
                let matters = |rule: &&EffectiveRule| {
                    rule.window.expires_at().is_none_or(|end| now < end)
                        && rule.destination.may().intersects(addresses.may())
                        && !rule.source.may().is_empty()
                };
                for rule in layer.rules.iter().filter(matters) {
                    let opened = machine.doors.iter().filter(|door| opens(layer, rule, door));
                    for door in opened
                        .filter(|door| told.insert((layer.source.clone(), rule.path.clone(), door.port)))
                    {
                        found.tell(&machine.id, door, layer, rule);
                    }
                }
            }
        }
    }
    Ok(found)
}

/// Whether a rule that a user wrote lets some packets through a door.
fn opens(layer: &EffectiveLayer, rule: &EffectiveRule, door: &Door) -> bool {
    let access = match layer.layer {
        Layer::Admin => Access::AlwaysAllow,
        Layer::Subnet | Layer::NetworkInterface if rule.path.starts_with("securityRules/") => Access::Allow,
        Layer::Subnet | Layer::NetworkInterface | Layer::PublicAddress => return false,
    };
    let both = |protocol: Protocol| {
        rule.protocol.known().is_none_or(|of_rule| of_rule.matches(protocol))
            && door.protocol.matches(protocol)
    };
    let port: PortSet = PortRange::new(door.port, door.port).into_iter().collect();
    let is_of_port = match &rule.destination_ports {
        Ports::Known(ports) => ports.intersects(&port),
        Ports::Unknown => true,
    };
    // Its own doors are security admin rules here, and no user's.
    let is_ours = rule.collection.is_some() && rule.window.expires_at().is_some();
    rule.access.known() == Some(access)
        && [Protocol::TCP, Protocol::UDP].into_iter().any(both)
        && is_of_port
        && !is_ours
}

impl Overridden {
    fn tell(&mut self, machine: &ResourceId, door: &Door, layer: &EffectiveLayer, rule: &EffectiveRule) {
        let list = layer.source.as_ref().map_or("", |source| source.as_str());
        let what = format!("{} of {list}", rule.path);
        let port = protocol_and_port(door);
        if layer.layer == Layer::Admin {
            let message = format!(
                "Security admin rule {what} always allows {port} of {machine}: it stands before the policy, which does not close \
                 the port to what the rule is about."
            );
            self.warnings.push(ControlError::bad("JitPortLeftOpen", message).about(list));
            return;
        }
        let message = format!(
            "Rule {what} allows {port} of {machine}. In Azure it would leave the port open; here the policy stands before it and \
             closes the port."
        );
        self.warnings.push(ControlError::bad("JitRuleOverridden", message).about(list));
        self.rules.push(json!({
            "networkSecurityGroup": {"id": list},
            "rule": rule.path,
            "priority": rule.priority.known().map(palisade_model::Priority::get),
            "virtualMachine": {"id": machine.as_str()},
            "number": door.port,
        }));
    }
}

fn protocol_and_port(door: &Door) -> String {
    match door.protocol {
        ProtocolMatch::Any => format!("port {}", door.port),
        protocol => format!("{protocol} port {}", door.port),
    }
}
