//! What Network Watcher answers, and what an interface's effective rules and routes are.
//!
//! [`answer`] finds the documents that a question is about and hands them to functions that know no world: an [`Estate`] and JSON
//! in, JSON out. Every answer is of one revision. Nothing here changes anything, and the time is an argument. Reference: docs/arm.md,
//! "What Network Watcher answers".

mod diagnostic;
mod effective;
mod flow;
mod input;
pub mod own;
mod region;
mod routes;
mod rules;
mod tags;
#[cfg(test)]
mod tests;
mod topology;

use std::net::IpAddr;

use palisade_model::{Estate, Nic, ResourceId};
use palisade_net::Prefix;
use serde_json::{Value, json};

use crate::{ControlError, World, kinds};
use input::{Body, invalid, list, member, reference};
use routes::RouteSources;

pub use diagnostic::PROFILES_MAX;
pub use tags::PAGE_PREFIXES_MAX;

/// A question, with the body that the client sent.
#[derive(Debug, Clone, PartialEq)]
pub enum WatcherRequest {
    /// `networkInterfaces/{nic}/effectiveNetworkSecurityGroups`.
    EffectiveNetworkSecurityGroups {
        /// The interface.
        nic: ResourceId,
    },
    /// `networkInterfaces/{nic}/effectiveRouteTable`.
    EffectiveRouteTable {
        /// The interface.
        nic: ResourceId,
    },
    /// `networkWatchers/{watcher}/ipFlowVerify`.
    IpFlowVerify {
        /// Target, direction, protocol, addresses and ports.
        body: Value,
    },
    /// `networkWatchers/{watcher}/nextHop`.
    NextHop {
        /// Target and addresses.
        body: Value,
    },
    /// `networkWatchers/{watcher}/securityGroupView`.
    SecurityGroupView {
        /// The target.
        body: Value,
    },
    /// `networkWatchers/{watcher}/networkConfigurationDiagnostic`.
    NetworkConfigurationDiagnostic {
        /// Target and profiles.
        body: Value,
    },
    /// `networkWatchers/{watcher}/topology`.
    Topology {
        /// Subscription of the watcher.
        subscription: String,
        /// The target group, network or subnet.
        body: Value,
        /// Id of the answer.
        id: String,
    },
    /// `locations/{location}/serviceTags`.
    ServiceTags {
        /// Subscription.
        subscription: String,
        /// Location, which is echoed: tags are the same everywhere.
        location: String,
        /// Tags that earlier pages had.
        skip: usize,
    },
    /// `virtualNetworks/{network}/CheckIPAddressAvailability`.
    CheckIpAddressAvailability {
        /// The network.
        network: ResourceId,
        /// The address asked about.
        address: String,
    },
}

/// The present, for rules with a window and for stamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970.
    pub seconds: u32,
    /// The same in RFC 3339.
    pub stamp: String,
}

/// A page of an answer, and how many entries to skip for the next, of a list that has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The answer.
    pub value: Value,
    /// What to skip for the next page.
    pub next: Option<usize>,
}

/// Answers a question from one state of the world.
pub fn answer(world: &World, request: &WatcherRequest, now: &Moment) -> Result<Answer, ControlError> {
    use WatcherRequest as Ask;
    let value = match request {
        Ask::EffectiveNetworkSecurityGroups { nic } => {
            let machine = Machine::of_nic(world, nic)?;
            effective::network_security_groups(&machine.estate, machine.only()?)
        }
        Ask::EffectiveRouteTable { nic } => {
            let machine = Machine::of_nic(world, nic)?;
            machine.with_routes(world, machine.only()?, |sources| Ok(routes::table(sources)))?
        }
        Ask::IpFlowVerify { body } => {
            let machine = Machine::of_target(world, body)?;
            flow::verify(&machine.estate, &machine.nics()?, body, now.seconds)?
        }
        Ask::NextHop { body } => next_hop(world, body)?,
        Ask::SecurityGroupView { body } => {
            let machine = Machine::of_target(world, body)?;
            effective::security_group_view(&machine.estate, &machine.nics()?, |id| world.render(id))
        }
        Ask::NetworkConfigurationDiagnostic { body } => {
            let machine = Machine::of_target(world, body)?;
            diagnostic::diagnose(&machine.estate, machine.only()?, body, now.seconds)?
        }
        Ask::Topology { subscription, body, id } => topology_of(world, subscription, body, id, now)?,
        Ask::ServiceTags { subscription, location, skip } => {
            let (value, next) = tags::list(world.tags(), subscription, location, *skip);
            return Ok(Answer { value, next });
        }
        Ask::CheckIpAddressAvailability { network, address } => availability(world, network, address)?,
    };
    Ok(Answer { value, next: None })
}

/// Interfaces that are asked about, in their estate.
struct Machine {
    ids: Vec<ResourceId>,
    estate: Estate,
}

impl Machine {
    fn of_nic(world: &World, nic: &ResourceId) -> Result<Self, ControlError> {
        world.document(nic).ok_or_else(|| ControlError::not_found(nic))?;
        Ok(Self { estate: world.estate(std::slice::from_ref(nic))?, ids: vec![nic.clone()] })
    }

    /// The interfaces of `targetResourceId`, which is a virtual machine or an interface.
    fn of_target(world: &World, body: &Value) -> Result<Self, ControlError> {
        let target = Body(body).id("targetResourceId")?;
        let document = world.document(&target).ok_or_else(|| ControlError::not_found(&target))?;
        if document.kind().name == kinds::NIC {
            return Self::of_nic(world, &target);
        }
        if document.kind().name != kinds::VM {
            let expected = "the id of a virtual machine or of a network interface";
            return Err(invalid("targetResourceId", &target.as_str().into(), expected));
        }
        let named = list(document.body(), &["properties", "networkProfile", "networkInterfaces"]).iter();
        let ids: Vec<ResourceId> =
            named.filter_map(|nic| member(nic, "id")?.as_str()).map(ResourceId::new).collect();
        if ids.is_empty() {
            let message = format!("Virtual machine {target} has no network interface to ask about.");
            return Err(ControlError::bad("TargetHasNoNetworkInterface", message).about("targetResourceId"));
        }
        if let Some(missing) = ids.iter().find(|id| world.document(id).is_none()) {
            return Err(ControlError::not_found(missing));
        }
        Ok(Self { estate: world.estate(&ids)?, ids })
    }

    fn nics(&self) -> Result<Vec<&Nic>, ControlError> {
        self.ids.iter().map(|id| self.nic(id)).collect()
    }

    fn nic(&self, id: &ResourceId) -> Result<&Nic, ControlError> {
        self.estate.nics().find(|nic| nic.id() == id).ok_or_else(|| ControlError::not_found(id))
    }

    /// The interface, where the question is about one.
    fn only(&self) -> Result<&Nic, ControlError> {
        match self.ids.as_slice() {
            [only] => self.nic(only),
            several => {
                let names: Vec<&str> = several.iter().map(ResourceId::as_str).collect();
                let message = format!(
                    "The target virtual machine has several network interfaces. Name one of them as the target: {}.",
                    names.join(", ")
                );
                Err(ControlError::bad("TargetNicRequired", message).about("targetResourceId"))
            }
        }
    }

    /// Calls `ask` with the documents that the routes of an interface come from.
    fn with_routes<T>(
        &self,
        world: &World,
        nic: &Nic,
        ask: impl FnOnce(&RouteSources<'_>) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
        let subnet = effective::subnet_of(nic).ok_or_else(|| ControlError::not_found(nic.id()))?;
        let network = subnet.parent().and_then(|id| world.render(&id));
        let network = network.ok_or_else(|| ControlError::not_found(subnet))?;
        let table = routes::table_of(&network, subnet).and_then(|id| world.render(&id));
        ask(&RouteSources { network: &network, table: table.as_ref(), tags: self.estate.tags() })
    }
}

fn next_hop(world: &World, body: &Value) -> Result<Value, ControlError> {
    let machine = Machine::of_target(world, body)?;
    let body = Body(body);
    let (source, destination) = (body.address("sourceIPAddress")?, body.address("destinationIPAddress")?);
    if source.is_ipv4() != destination.is_ipv4() {
        let expected = "an address of the same family as sourceIPAddress";
        return Err(invalid("destinationIPAddress", &destination.to_string().into(), expected));
    }
    let named = body.id_or_none("targetNicResourceId")?;
    let nic = flow::owner(&machine.estate, &machine.nics()?, named.as_ref(), source, "sourceIPAddress")?;
    machine.with_routes(world, nic, |sources| Ok(routes::next_hop(sources, destination)))
}

fn topology_of(
    world: &World,
    subscription: &str,
    body: &Value,
    id: &str,
    now: &Moment,
) -> Result<Value, ControlError> {
    let target = reference(body, &["targetSubnet"]).or_else(|| reference(body, &["targetVirtualNetwork"]));
    let group = match (&target, Body(body).text_or_none("targetResourceGroupName")?) {
        (Some(target), _) => {
            let named = target.segment("resourceGroups").zip(target.segment("subscriptions"));
            let (group, subscription) = named.ok_or_else(|| ControlError::not_found(target))?;
            ResourceId::new(&format!("/subscriptions/{subscription}/resourceGroups/{group}"))
        }
        (None, Some(name)) => {
            ResourceId::new(&format!("/subscriptions/{subscription}/resourceGroups/{name}"))
        }
        (None, None) => return Err(input::missing("targetResourceGroupName")),
    };
    if world.document(&group).is_none() {
        return Err(ControlError::group_not_found(group.name()));
    }
    if let Some(target) = target.as_ref().filter(|target| world.document(target).is_none()) {
        return Err(ControlError::not_found(target));
    }
    let rendered = world.resources(&group).into_iter().filter_map(|id| world.render(&id));
    let of_network = |resource: &Value| {
        let kind = member(resource, "type").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        kind.starts_with("microsoft.network/") || kind.eq_ignore_ascii_case(kinds::VM)
    };
    let concerned =
        |resource: &Value| target.as_ref().is_none_or(|target| topology::concerns(resource, target));
    let resources: Vec<Value> =
        rendered.filter(|resource| of_network(resource) && concerned(resource)).collect();
    Ok(topology::topology(&resources, id, &now.stamp))
}

/// Whether an address of a network is free, and a few that are if it is not.
fn availability(world: &World, network: &ResourceId, address: &str) -> Result<Value, ControlError> {
    let rendered = world.render(network).ok_or_else(|| ControlError::not_found(network))?;
    let asked: IpAddr =
        address.parse().map_err(|_| invalid("ipAddress", &address.into(), "an IP address"))?;
    let subnets = list(&rendered, &["properties", "subnets"]).iter();
    let prefixes: Vec<Prefix> = subnets.flat_map(routes::subnet_prefixes).collect();
    let is_free = |address: IpAddr| world.holder(network, address).is_none();
    let Some(prefix) = prefixes.iter().find(|prefix| prefix.contains(asked)) else {
        let message = format!(
            "The private IP address {address} does not belong to the range of a subnet of {network}."
        );
        return Err(ControlError::bad("PrivateIPAddressNotInAnySubnet", message).about("ipAddress"));
    };
    let usable = routes::usable(*prefix);
    let is_usable = usable.contains(asked);
    if is_usable && is_free(asked) {
        return Ok(json!({"available": true, "availableIPAddresses": [], "isPlatformReserved": false}));
    }
    let free: Vec<String> = routes::first_of(&usable)
        .filter(|address| is_free(*address))
        .take(SUGGESTED)
        .map(|a| a.to_string())
        .collect();
    Ok(json!({"available": false, "availableIPAddresses": free, "isPlatformReserved": !is_usable}))
}

/// How many free addresses are suggested, as Azure does.
const SUGGESTED: usize = 5;
