//! Azure's limits per region and subscription, as constants.
//!
//! Source: <https://learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits>.

/// NSGs.
pub const NSGS_MAX: usize = 5_000;
/// Rules of one NSG.
pub const RULES_PER_NSG_MAX: usize = 1_000;
/// Addresses and ranges on one side of all rules of one NSG.
pub const ADDRESSES_PER_NSG_SIDE_MAX: usize = 4_000;
/// Tags of one resource.
pub const TAGS_PER_RESOURCE_MAX: usize = 50;
/// Application security groups.
pub const ASGS_MAX: usize = 3_000;
/// Application security groups of one IP configuration.
pub const ASGS_PER_IP_CONFIGURATION_MAX: usize = 20;
/// Application security groups on one side of a rule.
pub const ASGS_PER_RULE_SIDE_MAX: usize = 10;
/// Distinct application security groups in all rules of one NSG.
pub const ASGS_PER_NSG_MAX: usize = 100;
/// IP configurations in one application security group.
pub const IP_CONFIGURATIONS_PER_ASG_MAX: usize = 4_000;
/// Virtual networks.
pub const VIRTUAL_NETWORKS_MAX: usize = 1_000;
/// Subnets of one virtual network.
pub const SUBNETS_PER_NETWORK_MAX: usize = 3_000;
/// Peerings of one virtual network.
pub const PEERINGS_PER_NETWORK_MAX: usize = 500;
/// Route tables.
pub const ROUTE_TABLES_MAX: usize = 200;
/// Routes of one route table.
pub const ROUTES_PER_TABLE_MAX: usize = 400;
/// Characters of a rule's description.
pub const DESCRIPTION_LENGTH_MAX: usize = 140;
/// Lowest number, and so the strongest, that a user's rule may have.
pub const PRIORITY_MIN: u16 = 100;
/// Highest number of a user's rule.
pub const PRIORITY_MAX: u16 = 4_096;
/// Lowest number of a security admin rule.
pub const ADMIN_PRIORITY_MIN: u16 = 1;
/// Shortest idle timeout of a virtual network, in minutes.
pub const FLOW_TIMEOUT_MINUTES_MIN: i64 = 4;
/// Longest idle timeout of a virtual network, in minutes.
pub const FLOW_TIMEOUT_MINUTES_MAX: i64 = 30;
/// Inbound NAT rules of one load balancer.
pub const NAT_RULES_PER_BALANCER_MAX: usize = 1_500;
/// Highest port of a frontend.
pub const FRONTEND_PORT_MAX: u16 = 65_534;
/// Prefixes that may use one endpoint; Azure has no such list.
pub const SOURCES_PER_ENDPOINT_MAX: usize = 1_000;
/// New destinations per second of a throttle. Not one of Azure's limits, like the next one.
pub const THROTTLE_RATE_MAX: u32 = 1_000;
/// Addresses of a throttle's working set.
pub const WORKING_SET_MAX: u32 = 32;
