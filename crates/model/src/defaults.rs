//! The six rules that every NSG ends with, under Azure's own names. They cannot be changed, only preceded.

use palisade_net::{Direction, PortSet, ProtocolMatch};

use crate::{
    Access, AddressField, ComputedTag, EffectiveRule, Maybe, Mode, Ports, Priority, Rule, Side, Window,
};

/// Priorities of the default rules: network, exception, rest.
const NETWORK: u16 = 65_000;
const EXCEPTION: u16 = 65_001;
const REST: u16 = 65_500;

/// The default rules of one direction, in order.
pub fn default_rules(direction: Direction) -> [Rule; 3] {
    use AddressField::Any;
    let network = || tag(ComputedTag::VirtualNetwork);
    let rule = |name: &str, priority, access, source, destination, description: &str| Rule {
        name: name.to_owned(),
        description: description.to_owned(),
        priority: Maybe::Known(Priority::of_default(priority)),
        direction: Maybe::Known(direction),
        access: Maybe::Known(access),
        protocol: Maybe::Known(ProtocolMatch::Any),
        source: all_ports(source),
        destination: all_ports(destination),
        window: Window::ALWAYS,
        mode: Mode::Enforce,
        certain: true,
    };
    match direction {
        Direction::Inbound => [
            rule(
                "AllowVnetInBound",
                NETWORK,
                Access::Allow,
                network(),
                network(),
                "Allow inbound traffic from all VMs in VNET",
            ),
            rule(
                "AllowAzureLoadBalancerInBound",
                EXCEPTION,
                Access::Allow,
                tag(ComputedTag::AzureLoadBalancer),
                Any,
                "Allow inbound traffic from azure load balancer",
            ),
            rule("DenyAllInBound", REST, Access::Deny, Any, Any, "Deny all inbound traffic"),
        ],
        Direction::Outbound => [
            rule(
                "AllowVnetOutBound",
                NETWORK,
                Access::Allow,
                network(),
                network(),
                "Allow outbound traffic from all VMs to all VMs in VNET",
            ),
            rule(
                "AllowInternetOutBound",
                EXCEPTION,
                Access::Allow,
                Any,
                tag(ComputedTag::Internet),
                "Allow outbound traffic from all VMs to Internet",
            ),
            rule("DenyAllOutBound", REST, Access::Deny, Any, Any, "Deny all outbound traffic"),
        ],
    }
}

/// Whether a rule's priority is one of the default rules'.
pub fn is_default(rule: &Rule) -> bool {
    is_of_default(rule.priority)
}

impl EffectiveRule {
    /// Whether its priority is one of the default rules'.
    pub fn is_default(&self) -> bool {
        is_of_default(self.priority)
    }
}

fn is_of_default(priority: Maybe<Priority>) -> bool {
    priority.known().is_some_and(|priority| priority.get() >= NETWORK)
}

fn tag(tag: ComputedTag) -> AddressField {
    AddressField::Tag(tag.name().parse().expect("computed tags have valid names"))
}

fn all_ports(addresses: AddressField) -> Side {
    Side { addresses, ports: Ports::Known(PortSet::full()) }
}
