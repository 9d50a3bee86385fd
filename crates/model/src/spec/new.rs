//! Resources with an id and nothing else, to begin with: for generators and tests, which have no file.
//!
//! What stands here has no place in an input and surely exists.

use super::{
    AdminCollectionSpec, AdminRuleSpec, AsgSpec, At, FrontendSpec, Given, IpConfigurationSpec,
    LoadBalancerSpec, MappingSpec, NatRuleSpec, NicSpec, NsgSpec, OwnList, PeeringSpec, Place, PublicIpSpec,
    RouteSpec, RouteTableSpec, RuleSpec, SubnetSpec, Text, VirtualNetworkSpec,
};
use crate::{ResourceId, Truth};

impl<T> At<Given<T>> {
    /// A known value without a place.
    pub fn known(value: impl Into<T>) -> Self {
        Self { value: Given::Known(value.into()), place: Place::default() }
    }

    /// An unknown value without a place.
    pub fn unknown(reason: &str) -> Self {
        Self { value: Given::Unknown(reason.to_owned()), place: Place::default() }
    }
}

fn name(id: &ResourceId) -> Text {
    Text::known(id.name())
}

impl NsgSpec {
    /// An NSG without rules of its own.
    pub fn new(id: ResourceId) -> Self {
        Self {
            name: name(&id),
            id,
            location: None,
            flush_connection: None,
            rules: Vec::new(),
            rules_unknown: None,
            tags: None,
            certain: true,
            place: Place::default(),
        }
    }
}

impl RuleSpec {
    /// A rule without fields.
    pub fn new(name: &str) -> Self {
        Self { name: Some(Text::known(name)), certain: true, ..Self::default() }
    }
}

impl AsgSpec {
    /// An application security group without prefixes.
    pub fn new(id: ResourceId) -> Self {
        Self { name: name(&id), id, address_prefixes: Vec::new(), place: Place::default() }
    }
}

impl VirtualNetworkSpec {
    /// A network without addresses.
    pub fn new(id: ResourceId) -> Self {
        Self {
            name: name(&id),
            id,
            address_prefixes: None,
            subnets: Vec::new(),
            peerings: Vec::new(),
            flow_timeout_minutes: None,
            place: Place::default(),
        }
    }
}

impl SubnetSpec {
    /// A subnet without addresses.
    pub fn new(id: ResourceId) -> Self {
        Self {
            name: name(&id),
            id,
            address_prefixes: None,
            nsg: None,
            route_table: None,
            private_endpoint_policies: None,
            delegations: Vec::new(),
            place: Place::default(),
        }
    }
}

impl PeeringSpec {
    /// A peering that lets traffic through, as Azure's defaults have it.
    pub fn new(remote: ResourceId) -> Self {
        Self {
            name: name(&remote),
            remote: Some(At::known(remote)),
            remote_prefixes: None,
            allow_access: Truth::Yes,
            state: None,
            use_remote_gateways: Truth::No,
            place: Place::default(),
        }
    }
}

impl RouteTableSpec {
    /// A route table without routes.
    pub fn new(id: ResourceId) -> Self {
        Self {
            name: name(&id),
            id,
            routes: Vec::new(),
            disable_gateway_propagation: Truth::No,
            place: Place::default(),
        }
    }
}

impl RouteSpec {
    /// A route to a prefix or a tag.
    pub fn new(name: &str, prefix: &str, next_hop_type: &str) -> Self {
        Self {
            name: Text::known(name),
            address_prefix: Some(Text::known(prefix)),
            next_hop_type: Some(Text::known(next_hop_type)),
            place: Place::default(),
        }
    }
}

impl NicSpec {
    /// An interface without IP configurations.
    pub fn new(id: ResourceId) -> Self {
        Self {
            name: name(&id),
            id,
            nsg: None,
            ip_configurations: Vec::new(),
            mac: None,
            ip_forwarding: None,
            disable_tcp_state_tracking: None,
            private_endpoint: false,
            tags: None,
            place: Place::default(),
        }
    }
}

impl IpConfigurationSpec {
    /// An IP configuration in a subnet; the deployment assigns its address.
    pub fn new(name: &str, subnet: ResourceId) -> Self {
        Self {
            name: Text::known(name),
            private_address: None,
            subnet: Some(At::known(subnet)),
            public_ip: None,
            asgs: Vec::new(),
            nat_rules: Vec::new(),
            primary: None,
            ipv6: false,
            place: Place::default(),
        }
    }
}

impl PublicIpSpec {
    /// A public address that does not name its SKU.
    pub fn new(id: ResourceId) -> Self {
        Self { name: name(&id), id, sku: None, address: None, place: Place::default() }
    }
}

impl LoadBalancerSpec {
    /// A load balancer that listens nowhere.
    pub fn new(id: ResourceId) -> Self {
        Self {
            id,
            frontends: Vec::new(),
            mappings: Vec::new(),
            mappings_known: true,
            nat_rules: Vec::new(),
            place: Place::default(),
        }
    }
}

impl FrontendSpec {
    /// A frontend at an address of its network.
    pub fn new(id: ResourceId, address: &str) -> Self {
        Self { id, private_address: Some(Text::known(address)), public_ip: None, place: Place::default() }
    }
}

impl NatRuleSpec {
    /// A rule that leads from nowhere to nowhere.
    pub fn new(id: ResourceId) -> Self {
        Self {
            id,
            frontend: None,
            protocol: None,
            frontend_port: None,
            backend_port: None,
            sources: None,
            target: None,
            floating: Truth::No,
            is_of_pool: false,
            certain: true,
            place: Place::default(),
        }
    }
}

impl MappingSpec {
    /// A rule that passes on what a frontend receives, with the machines' own addresses.
    pub fn new(frontend: ResourceId) -> Self {
        Self { frontend: Some(At::known(frontend)), floating: Truth::No, place: Place::default() }
    }
}

impl AdminCollectionSpec {
    /// A collection without rules for some networks.
    pub fn new(id: ResourceId, networks: impl IntoIterator<Item = ResourceId>) -> Self {
        let networks: Vec<_> = networks.into_iter().map(At::known).collect();
        Self {
            name: name(&id),
            id,
            virtual_networks: At::known(networks),
            interface: None,
            own_list: OwnList::default(),
            rules: Vec::new(),
            place: Place::default(),
        }
    }
}

impl AdminRuleSpec {
    /// A security admin rule about anything; it says neither what it does nor when.
    pub fn new(name: &str) -> Self {
        Self {
            name: Text::known(name),
            protocol: Some(Text::known("Any")),
            sources: Vec::new(),
            destinations: Vec::new(),
            source_port_ranges: Vec::new(),
            destination_port_ranges: Vec::new(),
            access: None,
            priority: None,
            direction: None,
            expires_at: None,
            place: Place::default(),
        }
    }
}
