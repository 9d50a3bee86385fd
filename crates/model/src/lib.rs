//! The model: what a network security group, a tag and a virtual network are, and which rules hold at an interface.
//!
//! [`spec`] is what a user wrote, [`Estate`] is what survived validation, and [`effective`] says which rules hold at a
//! network interface, with names resolved to sets of addresses. It must not decide what a packet's fate is (that is
//! `classify`), do I/O, or read a clock. Semantics and deviations from Azure: `docs/semantics.md`.

mod bounds;
pub mod calendar;
mod defaults;
pub mod effective;
mod endpoint;
mod estate;
mod flow_record;
mod guards;
mod id;
pub mod limits;
mod mode;
mod next_hop;
mod nic;
mod places;
mod platform;
mod problem;
mod rule;
pub mod spec;
mod tags;
mod throttle;
mod validate;
mod window;

pub use bounds::{Addresses, Ports, Truth};
pub use defaults::{default_rules, is_default};
pub use effective::{EffectiveLayer, EffectivePolicy, EffectiveRule, GroupMembers, Layer, SharedLists};
pub use endpoint::{Endpoint, EndpointProtocol, InboundNatRule, MANAGEMENT_PORTS};
pub use estate::{Estate, Frontend, LoadBalancer, Nsg, PublicIpSku, Subnet, VirtualNetwork};
pub use flow_record::{
    FlowLogFormat, FlowOrigin, FlowPhase, FlowRecord, FlowTraffic, LOGGED_RULE_MAX, LoggedDecision,
};
pub use guards::Guards;
pub use id::{NAME_LENGTH_MAX, ResourceId, is_valid_name};
pub use mode::Mode;
pub use next_hop::{NextHop, NextHops};
pub use nic::{HOST_TAG, INTERFACE_TAG, IpConfiguration, Nic};
pub use places::Places;
pub use platform::{PlatformService, is_link_control, platform_addresses};
pub use problem::{Code, Problem, Severity};
pub use rule::{Access, AddressField, Maybe, Priority, Rule, Side};
pub use spec::Place;
pub use tags::{ComputedTag, TagAddresses, TagCatalog, TagName, TagNameError};
pub use throttle::{Pace, Throttle};
pub use validate::{LeftOut, Salvaged, is_own_tag, rule_of_tag};
pub use window::Window;
