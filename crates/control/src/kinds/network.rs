//! Networks and what stands around them: the kinds that decide who may reach whom.

use super::{
    ASG, Collection, FLOW_LOG, Field, Kind, Link, NETWORK, NIC, NSG, PEERING, PREFIX_SET, PUBLIC_IP, ROUTE,
    ROUTE_TABLE, RULE, SUBNET, Shape, WATCHER,
};

static NSG_LINK: Link = Link { kinds: &[NSG], is_local: true };
static ASG_LINK: Link = Link { kinds: &[ASG], is_local: true };
pub(super) static SUBNET_LINK: Link = Link { kinds: &[SUBNET], is_local: true };
pub(super) static PUBLIC_IP_LINK: Link = Link { kinds: &[PUBLIC_IP], is_local: true };
static TABLE_LINK: Link = Link { kinds: &[ROUTE_TABLE], is_local: true };
static NETWORK_LINK: Link = Link { kinds: &[NETWORK], is_local: false };
static LOGGED_LINK: Link = Link { kinds: &[NSG, NETWORK, SUBNET, NIC], is_local: true };

pub(super) const STATE: Field = Field::read_only("provisioningState");
pub(super) const GUID: Field = Field::read_only("resourceGuid");
pub(super) const SKU: Field =
    Field::new("sku", Shape::Object(&[Field::new("name", Shape::Text), Field::new("tier", Shape::Text)]));

/// Network security groups.
pub(super) static NSGS: Kind = Kind {
    name: NSG,
    label: "Network security group",
    is_located: true,
    envelope: &[],
    properties: &[
        STATE,
        GUID,
        Field::read_only("defaultSecurityRules"),
        Field::read_only("networkInterfaces"),
        Field::read_only("subnets"),
        Field::read_only("flowLogs"),
        Field::new("flushConnection", Shape::Flag),
    ],
    collections: &[Collection {
        segment: "securityRules",
        kind: &RULES,
        is_inlined: true,
        is_kept_if_absent: false,
    }],
    is_tagged: true,
};

static RULES: Kind = Kind {
    name: RULE,
    label: "Security rule",
    is_located: false,
    envelope: &[],
    properties: &[
        STATE,
        Field::new("description", Shape::Text),
        Field::new("protocol", Shape::Text),
        Field::new("sourcePortRange", Shape::Text),
        Field::new("sourcePortRanges", Shape::Texts),
        Field::new("destinationPortRange", Shape::Text),
        Field::new("destinationPortRanges", Shape::Texts),
        Field::new("sourceAddressPrefix", Shape::Text),
        Field::new("sourceAddressPrefixes", Shape::Texts),
        Field::new("sourceApplicationSecurityGroups", Shape::References(&ASG_LINK)),
        Field::new("destinationAddressPrefix", Shape::Text),
        Field::new("destinationAddressPrefixes", Shape::Texts),
        Field::new("destinationApplicationSecurityGroups", Shape::References(&ASG_LINK)),
        Field::new("access", Shape::Text),
        Field::new("priority", Shape::Integer),
        Field::new("direction", Shape::Text),
        Field::new("notBefore", Shape::Text),
        Field::new("expiresAt", Shape::Text),
        Field::new("mode", Shape::Text),
    ],
    collections: &[],
    is_tagged: false,
};

/// Application security groups.
pub(super) static ASGS: Kind = Kind {
    name: ASG,
    label: "Application security group",
    is_located: true,
    envelope: &[],
    properties: &[STATE, GUID],
    collections: &[Collection {
        segment: "addressPrefixSets",
        kind: &PREFIX_SETS,
        is_inlined: false,
        is_kept_if_absent: false,
    }],
    is_tagged: true,
};

static PREFIX_SETS: Kind = Kind {
    name: PREFIX_SET,
    label: "Address prefix set",
    is_located: false,
    envelope: &[],
    properties: &[STATE, Field::new("addressPrefixes", Shape::Texts)],
    collections: &[],
    is_tagged: false,
};

const SPACE: Shape = Shape::Object(&[Field::new("addressPrefixes", Shape::Texts)]);

/// Virtual networks.
pub(super) static NETWORKS: Kind = Kind {
    name: NETWORK,
    label: "Virtual network",
    is_located: true,
    envelope: &[],
    properties: &[
        STATE,
        GUID,
        Field::read_only("flowLogs"),
        Field::new("addressSpace", SPACE),
        Field::new("dhcpOptions", Shape::Object(&[Field::new("dnsServers", Shape::Texts)])),
        Field::new("flowTimeoutInMinutes", Shape::Integer),
        Field::new("enableDdosProtection", Shape::Flag),
        Field::new("enableVmProtection", Shape::Flag),
    ],
    collections: &[
        Collection { segment: "subnets", kind: &SUBNETS, is_inlined: true, is_kept_if_absent: true },
        Collection {
            segment: "virtualNetworkPeerings",
            kind: &PEERINGS,
            is_inlined: true,
            is_kept_if_absent: true,
        },
    ],
    is_tagged: true,
};

static SUBNETS: Kind = Kind {
    name: SUBNET,
    label: "Subnet",
    is_located: false,
    envelope: &[],
    properties: &[
        STATE,
        Field::read_only("ipConfigurations"),
        Field::read_only("ipConfigurationProfiles"),
        Field::read_only("privateEndpoints"),
        Field::read_only("resourceNavigationLinks"),
        Field::read_only("serviceAssociationLinks"),
        Field::read_only("purpose"),
        Field::new("addressPrefix", Shape::Text),
        Field::new("addressPrefixes", Shape::Texts),
        Field::new("networkSecurityGroup", Shape::Reference(&NSG_LINK)),
        Field::new("routeTable", Shape::Reference(&TABLE_LINK)),
        Field::new("privateEndpointNetworkPolicies", Shape::Text),
        Field::new("privateLinkServiceNetworkPolicies", Shape::Text),
        Field::new("defaultOutboundAccess", Shape::Flag),
    ],
    collections: &[],
    is_tagged: false,
};

static PEERINGS: Kind = Kind {
    name: PEERING,
    label: "Virtual network peering",
    is_located: false,
    envelope: &[],
    properties: &[
        STATE,
        GUID,
        Field::read_only("peeringState"),
        Field::read_only("peeringSyncLevel"),
        Field::read_only("remoteVirtualNetworkEncryption"),
        Field::new("allowVirtualNetworkAccess", Shape::Flag),
        Field::new("allowForwardedTraffic", Shape::Flag),
        Field::new("allowGatewayTransit", Shape::Flag),
        Field::new("useRemoteGateways", Shape::Flag),
        Field::new("remoteVirtualNetwork", Shape::Reference(&NETWORK_LINK)),
        Field::new("remoteAddressSpace", SPACE),
        Field::new("remoteVirtualNetworkAddressSpace", SPACE),
    ],
    collections: &[],
    is_tagged: false,
};

/// Network interfaces.
pub(super) static NICS: Kind = Kind {
    name: NIC,
    label: "Network interface",
    is_located: true,
    envelope: &[],
    properties: &[
        STATE,
        GUID,
        Field::new("virtualMachine", Shape::Reference(&super::security::MACHINE)),
        Field::read_only("hostedWorkloads"),
        Field::read_only("tapConfigurations"),
        Field::read_only("defaultOutboundConnectivityEnabled"),
        Field::new("macAddress", Shape::Text),
        Field::new("primary", Shape::Flag),
        Field::new("enableIPForwarding", Shape::Flag),
        Field::new("enableAcceleratedNetworking", Shape::Flag),
        Field::new("disableTcpStateTracking", Shape::Flag),
        Field::new("networkSecurityGroup", Shape::Reference(&NSG_LINK)),
        Field::new("ipConfigurations", Shape::Elements(IP_CONFIGURATION)),
    ],
    collections: &[],
    is_tagged: true,
};

const IP_CONFIGURATION: &[Field] = &[
    STATE,
    Field::new("privateIPAddress", Shape::Text),
    Field::new("privateIPAddressPrefixLength", Shape::Integer),
    Field::new("privateIPAddressVersion", Shape::Text),
    Field::new("privateIPAllocationMethod", Shape::Text),
    Field::new("primary", Shape::Flag),
    Field::new("subnet", Shape::Reference(&SUBNET_LINK)),
    Field::new("publicIPAddress", Shape::Reference(&PUBLIC_IP_LINK)),
    Field::new("applicationSecurityGroups", Shape::References(&ASG_LINK)),
    Field::new("loadBalancerInboundNatRules", Shape::References(&super::balancer::NAT_RULE_LINK)),
];

/// Public IP addresses.
pub(super) static PUBLIC_IPS: Kind = Kind {
    name: PUBLIC_IP,
    label: "Public IP address",
    is_located: true,
    envelope: &[SKU],
    properties: &[
        STATE,
        GUID,
        Field::read_only("ipConfiguration"),
        Field::new("ipAddress", Shape::Text),
        Field::new(
            "dnsSettings",
            Shape::Object(&[Field::new("domainNameLabel", Shape::Text), Field::read_only("fqdn")]),
        ),
        Field::new("idleTimeoutInMinutes", Shape::Integer),
        Field::new("publicIPAllocationMethod", Shape::Text),
        Field::new("publicIPAddressVersion", Shape::Text),
    ],
    collections: &[],
    is_tagged: true,
};

/// Route tables.
pub(super) static ROUTE_TABLES: Kind = Kind {
    name: ROUTE_TABLE,
    label: "Route table",
    is_located: true,
    envelope: &[],
    properties: &[
        STATE,
        GUID,
        Field::read_only("subnets"),
        Field::new("disableBgpRoutePropagation", Shape::Flag),
        Field::new("disablePeeringRoute", Shape::Text),
    ],
    collections: &[Collection {
        segment: "routes",
        kind: &ROUTES,
        is_inlined: true,
        is_kept_if_absent: false,
    }],
    is_tagged: true,
};

static ROUTES: Kind = Kind {
    name: ROUTE,
    label: "Route",
    is_located: false,
    envelope: &[],
    properties: &[
        STATE,
        Field::read_only("hasBgpOverride"),
        Field::new("addressPrefix", Shape::Text),
        Field::new("nextHopType", Shape::Text),
        Field::new("nextHopIpAddress", Shape::Text),
    ],
    collections: &[],
    is_tagged: false,
};

/// Network watchers.
pub(super) static WATCHERS: Kind = Kind {
    name: WATCHER,
    label: "Network watcher",
    is_located: true,
    envelope: &[],
    properties: &[STATE, Field::read_only("runningOperationIds")],
    collections: &[Collection {
        segment: "flowLogs",
        kind: &FLOW_LOGS,
        is_inlined: false,
        is_kept_if_absent: false,
    }],
    is_tagged: true,
};

static FLOW_LOGS: Kind = Kind {
    name: FLOW_LOG,
    label: "Flow log",
    is_located: true,
    envelope: &[],
    properties: &[
        STATE,
        Field::read_only("targetResourceGuid"),
        Field::new("targetResourceId", Shape::Id(&LOGGED_LINK)),
        Field::new("storageId", Shape::Text),
        Field::new("enabled", Shape::Flag),
        Field::new(
            "retentionPolicy",
            Shape::Object(&[Field::new("days", Shape::Integer), Field::new("enabled", Shape::Flag)]),
        ),
        Field::new(
            "format",
            Shape::Object(&[Field::new("type", Shape::Text), Field::new("version", Shape::Integer)]),
        ),
    ],
    collections: &[],
    is_tagged: true,
};
