//! A walk over everything in a spec that has a place, refers to something or may be unknown.
//!
//! The passes that run when all files are read share it: settling references whose ids have holes, counting what is
//! unknown, and comparing two specs without regard to where they stand.

use std::collections::BTreeMap;

use palisade_model::spec::{
    AdminCollectionSpec, AdminRuleSpec, AsgSpec, At, EstateSpec, FrontendSpec, Given, IpConfigurationSpec,
    LearnedPrefixesSpec, LoadBalancerSpec, MappingSpec, NatRuleSpec, NicSpec, NsgSpec, PeeringSpec,
    PublicIpSpec, RouteSpec, RouteTableSpec, RuleSpec, SideSpec, SubnetSpec, ThrottleSpec, Unknown,
    VirtualNetworkSpec,
};
use palisade_model::{Place, ResourceId};

/// What is done on the way.
pub(super) trait Visit {
    /// At each place.
    fn place(&mut self, _place: &mut Place) {}
    /// At each reference; a reason turns it into an unknown.
    fn reference(&mut self, _id: &ResourceId) -> Option<String> {
        None
    }
    /// At each unknown.
    fn unknown(&mut self, _reason: &str) {}
}

/// What can be walked.
pub(super) trait Walk {
    /// Visits all of it; a reason says that what holds it must become unknown.
    fn walk(&mut self, visit: &mut impl Visit) -> Option<String>;
}

impl Walk for Place {
    fn walk(&mut self, visit: &mut impl Visit) -> Option<String> {
        visit.place(self);
        None
    }
}

impl Walk for ResourceId {
    fn walk(&mut self, visit: &mut impl Visit) -> Option<String> {
        visit.reference(self)
    }
}

impl Walk for String {
    fn walk(&mut self, _: &mut impl Visit) -> Option<String> {
        None
    }
}

impl Walk for i64 {
    fn walk(&mut self, _: &mut impl Visit) -> Option<String> {
        None
    }
}

impl Walk for bool {
    fn walk(&mut self, _: &mut impl Visit) -> Option<String> {
        None
    }
}

impl<T: Walk> Walk for Given<T> {
    fn walk(&mut self, visit: &mut impl Visit) -> Option<String> {
        if let Self::Known(value) = self
            && let Some(reason) = value.walk(visit)
        {
            *self = Self::Unknown(reason);
        }
        if let Self::Unknown(reason) = self {
            visit.unknown(reason);
        }
        None
    }
}

impl<T: Walk> Walk for At<T> {
    fn walk(&mut self, visit: &mut impl Visit) -> Option<String> {
        visit.place(&mut self.place);
        self.value.walk(visit)
    }
}

impl<T: Walk> Walk for Option<T> {
    fn walk(&mut self, visit: &mut impl Visit) -> Option<String> {
        self.as_mut().and_then(|value| value.walk(visit))
    }
}

impl<T: Walk> Walk for Vec<T> {
    fn walk(&mut self, visit: &mut impl Visit) -> Option<String> {
        for value in self {
            value.walk(visit);
        }
        None
    }
}

impl<T: Walk> Walk for BTreeMap<String, T> {
    fn walk(&mut self, visit: &mut impl Visit) -> Option<String> {
        for value in self.values_mut() {
            value.walk(visit);
        }
        None
    }
}

macro_rules! walk {
    ($( $spec:ident { $( $field:ident ),+ } )+) => { $(
        impl Walk for $spec {
            fn walk(&mut self, visit: &mut impl Visit) -> Option<String> {
                $( self.$field.walk(visit); )+
                None
            }
        }
    )+ };
}

walk! {
    EstateSpec {
        nsgs, asgs, virtual_networks, route_tables, nics, public_ips, load_balancers, learned_prefixes, admin_collections, throttles, unknowns
    }
    Unknown { place }
    ThrottleSpec { throttle, interface, per_second, working_set, expires_at, place }
    NsgSpec { name, location, flush_connection, rules, tags, place }
    RuleSpec {
        name, description, protocol, source, destination, access, priority, direction, not_before, expires_at, mode,
        place
    }
    SideSpec { address_prefix, address_prefixes, groups, port_range, port_ranges }
    AsgSpec { name, address_prefixes, place }
    VirtualNetworkSpec { name, address_prefixes, subnets, peerings, flow_timeout_minutes, place }
    SubnetSpec { name, address_prefixes, nsg, route_table, private_endpoint_policies, place }
    PeeringSpec { name, remote, remote_prefixes, state, place }
    RouteTableSpec { name, routes, place }
    RouteSpec { name, address_prefix, next_hop_type, place }
    NicSpec {
        name, nsg, ip_configurations, mac, ip_forwarding, disable_tcp_state_tracking, tags, place
    }
    IpConfigurationSpec { name, private_address, subnet, public_ip, asgs, nat_rules, place }
    PublicIpSpec { name, sku, address, place }
    LoadBalancerSpec { frontends, mappings, nat_rules, place }
    FrontendSpec { private_address, public_ip, place }
    MappingSpec { frontend, place }
    NatRuleSpec { frontend, protocol, frontend_port, backend_port, sources, target, place }
    LearnedPrefixesSpec { virtual_network, address_prefixes }
    AdminCollectionSpec { name, virtual_networks, interface, rules, place }
    AdminRuleSpec {
        name, protocol, sources, destinations, source_port_ranges, destination_port_ranges, access, priority,
        direction, expires_at, place
    }
}

/// Clears places, so that what is left tells two specs apart by content.
struct Forget;

impl Visit for Forget {
    fn place(&mut self, place: &mut Place) {
        *place = Place::default();
    }
}

/// A text that is equal for two specs that differ in nothing but places.
pub(super) fn content<T: Walk + Clone + std::fmt::Debug>(spec: &T) -> String {
    let mut spec = spec.clone();
    spec.walk(&mut Forget);
    format!("{spec:?}")
}

/// Collects why parts are unknown.
#[derive(Debug, Default)]
pub(super) struct Reasons(pub(super) Vec<String>);

impl Visit for Reasons {
    fn unknown(&mut self, reason: &str) {
        self.0.push(reason.to_owned());
    }
}
