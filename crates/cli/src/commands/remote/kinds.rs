//! Short names of the kinds of resources, and the order in which they can be created.
//!
//! A kind that is not here can still be named by its full type.

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The short name.
    pub name: &'static str,
    /// The provider and the type, one segment for each level.
    pub full: &'static str,
}

/// Those with a short name, such that what comes later may refer to what comes earlier.
pub const KINDS: [Kind; 19] = [
    Kind { name: "group", full: "Microsoft.Resources/resourceGroups" },
    Kind { name: "watcher", full: "Microsoft.Network/networkWatchers" },
    Kind { name: "asg", full: "Microsoft.Network/applicationSecurityGroups" },
    Kind { name: "public-ip", full: "Microsoft.Network/publicIPAddresses" },
    Kind { name: "route-table", full: "Microsoft.Network/routeTables" },
    Kind { name: "route", full: "Microsoft.Network/routeTables/routes" },
    Kind { name: "nsg", full: "Microsoft.Network/networkSecurityGroups" },
    Kind { name: "rule", full: "Microsoft.Network/networkSecurityGroups/securityRules" },
    Kind { name: "vnet", full: "Microsoft.Network/virtualNetworks" },
    Kind { name: "subnet", full: "Microsoft.Network/virtualNetworks/subnets" },
    Kind { name: "peering", full: "Microsoft.Network/virtualNetworks/virtualNetworkPeerings" },
    Kind { name: "lb", full: "Microsoft.Network/loadBalancers" },
    Kind { name: "nat-rule", full: "Microsoft.Network/loadBalancers/inboundNatRules" },
    Kind { name: "nic", full: "Microsoft.Network/networkInterfaces" },
    Kind { name: "vm", full: "Microsoft.Compute/virtualMachines" },
    Kind { name: "network-manager", full: "Microsoft.Network/networkManagers" },
    Kind { name: "flow-log", full: "Microsoft.Network/networkWatchers/flowLogs" },
    Kind { name: "intent", full: "Palisade.Network/intents" },
    Kind { name: "tunnel", full: "Palisade.Access/tunnels" },
];

/// The full type that a user means by a short name or by a full type, whatever the case.
pub fn full_type(named: &str) -> Option<&str> {
    let known = KINDS.iter().find(|kind| {
        // A plural is the same question.
        let stem = named.strip_suffix(['s', 'S']).unwrap_or(named);
        [named, stem].iter().any(|word| word.eq_ignore_ascii_case(kind.name))
            || named.eq_ignore_ascii_case(kind.full)
    });
    known.map(|kind| kind.full).or_else(|| (named.contains('/') && named.contains('.')).then_some(named))
}

/// Where a type stands in the order of creation. Unknown ones come last.
pub fn rank(full: &str) -> usize {
    KINDS.iter().position(|kind| kind.full.eq_ignore_ascii_case(full)).unwrap_or(KINDS.len())
}

/// The short names, for messages.
pub fn names() -> String {
    KINDS.map(|kind| kind.name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_short_plural_and_full_names() {
        for named in ["nsg", "NSGs", "microsoft.network/networksecuritygroups"] {
            assert_eq!(full_type(named), Some("Microsoft.Network/networkSecurityGroups"), "{named}");
        }
        assert_eq!(full_type("Microsoft.Other/things"), Some("Microsoft.Other/things"));
        assert_eq!(full_type("thing"), None);
    }

    #[test]
    fn parents_and_what_is_referred_to_come_first() {
        let rank_of = |name| rank(full_type(name).expect("known"));
        for pair in
            ["group", "asg", "nsg", "rule", "vnet", "subnet", "lb", "nat-rule", "nic", "vm"].windows(2)
        {
            assert!(rank_of(pair[0]) < rank_of(pair[1]), "{pair:?}");
        }
    }
}
