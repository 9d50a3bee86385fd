//! Load balancers: their addresses and their inbound NAT rules, which are endpoints of machines.
//!
//! Pools, probes and the other rules of a load balancer are kept and echoed; nothing here acts on them.

use super::network::{GUID, PUBLIC_IP_LINK, SKU, STATE, SUBNET_LINK};
use super::{Collection, Field, Kind, LOAD_BALANCER, Link, NAT_RULE, Shape};

/// A frontend is a part of its load balancer and no resource: whether it is there is checked with the load balancer.
static FRONTEND_LINK: Link = Link { kinds: &[], is_local: true };
/// An inbound NAT rule that an interface names.
pub(super) static NAT_RULE_LINK: Link = Link { kinds: &[NAT_RULE], is_local: true };

/// Load balancers.
pub(super) static LOAD_BALANCERS: Kind = Kind {
    name: LOAD_BALANCER,
    label: "Load balancer",
    is_located: true,
    envelope: &[SKU],
    properties: &[
        STATE,
        GUID,
        Field::new("frontendIPConfigurations", Shape::Elements(FRONTEND)),
        Field::new("backendAddressPools", Shape::Elements(OTHER)),
        Field::new("loadBalancingRules", Shape::Elements(OTHER)),
        Field::new("probes", Shape::Elements(OTHER)),
        Field::new("outboundRules", Shape::Elements(OTHER)),
        Field::new("inboundNatPools", Shape::Elements(OTHER)),
    ],
    collections: &[Collection {
        segment: "inboundNatRules",
        kind: &NAT_RULES,
        is_inlined: true,
        is_kept_if_absent: false,
    }],
    is_tagged: true,
};

/// Of a part that nothing here acts on, what the server adds is told from what its owner wrote.
const OTHER: &[Field] = &[STATE];

const FRONTEND: &[Field] = &[
    STATE,
    Field::read_only("inboundNatRules"),
    Field::read_only("inboundNatPools"),
    Field::read_only("loadBalancingRules"),
    Field::read_only("outboundRules"),
    Field::new("privateIPAddress", Shape::Text),
    Field::new("privateIPAddressVersion", Shape::Text),
    Field::new("privateIPAllocationMethod", Shape::Text),
    Field::new("subnet", Shape::Reference(&SUBNET_LINK)),
    Field::new("publicIPAddress", Shape::Reference(&PUBLIC_IP_LINK)),
];

static NAT_RULES: Kind = Kind {
    name: NAT_RULE,
    label: "Inbound NAT rule",
    is_located: false,
    envelope: &[],
    properties: &[
        STATE,
        Field::read_only("backendIPConfiguration"),
        Field::new("frontendIPConfiguration", Shape::Reference(&FRONTEND_LINK)),
        Field::new("protocol", Shape::Text),
        Field::new("frontendPort", Shape::Integer),
        Field::new("backendPort", Shape::Integer),
        Field::new("idleTimeoutInMinutes", Shape::Integer),
        Field::new("enableFloatingIP", Shape::Flag),
        Field::new("enableTcpReset", Shape::Flag),
        Field::new("allowedSourceAddressPrefixes", Shape::Texts),
    ],
    collections: &[],
    is_tagged: false,
};
