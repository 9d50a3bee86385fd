//! The ARM ids of planned resources.
//!
//! A state has them; a plan mostly does not, so they are made from names and from the subscription the caller gives. A name
//! that is not known yet leaves a hole, named after the resource whose name it is, so that ids made from it are equal.

use std::collections::HashMap;

use palisade_model::ResourceId;

use super::AFTER_APPLY;
use super::plan::{Plan, Planned};
use crate::estate::item::hole;
use crate::template::DeploymentContext;

/// What a Terraform type is in ARM.
pub(super) struct Kind {
    terraform: &'static str,
    /// Type, without its namespace and its parent's.
    pub(super) arm: &'static str,
    /// The property that names the parent, and the parent's Terraform type.
    parent: Option<(&'static str, &'static str)>,
}

const KINDS: &[Kind] = &[
    Kind { terraform: "azurerm_network_security_group", arm: "networkSecurityGroups", parent: None },
    Kind {
        terraform: "azurerm_network_security_rule",
        arm: "securityRules",
        parent: Some(("network_security_group_name", "azurerm_network_security_group")),
    },
    Kind { terraform: "azurerm_application_security_group", arm: "applicationSecurityGroups", parent: None },
    Kind { terraform: "azurerm_virtual_network", arm: "virtualNetworks", parent: None },
    Kind {
        terraform: "azurerm_subnet",
        arm: "subnets",
        parent: Some(("virtual_network_name", "azurerm_virtual_network")),
    },
    Kind {
        terraform: "azurerm_virtual_network_peering",
        arm: "virtualNetworkPeerings",
        parent: Some(("virtual_network_name", "azurerm_virtual_network")),
    },
    Kind { terraform: "azurerm_network_interface", arm: "networkInterfaces", parent: None },
    Kind { terraform: "azurerm_public_ip", arm: "publicIPAddresses", parent: None },
    Kind { terraform: "azurerm_route_table", arm: "routeTables", parent: None },
    Kind {
        terraform: "azurerm_route",
        arm: "routes",
        parent: Some(("route_table_name", "azurerm_route_table")),
    },
];

/// The kind of a Terraform type, if it is one that is translated.
pub(super) fn kind(terraform: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.terraform == terraform)
}

impl Kind {
    /// ARM type in lower case.
    pub(super) fn full(&self) -> String {
        let parent =
            self.parent.and_then(|(_, parent)| kind(parent)).map(|parent| format!("{}/", parent.arm));
        format!("microsoft.network/{}{}", parent.unwrap_or_default(), self.arm).to_ascii_lowercase()
    }
}

/// Ids by Terraform address.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<String, (ResourceId, Option<String>)>);

impl Ids {
    pub(super) fn new(plan: &Plan<'_>, context: &DeploymentContext, scope: Option<&str>) -> Self {
        let names = Names { plan, context, scope };
        let id = |planned: &Planned<'_>| {
            let kind = kind(planned.kind)?;
            Some((planned.address.to_owned(), names.id(planned, kind)))
        };
        Self(plan.resources.iter().filter_map(id).collect())
    }

    /// The id of the resource at an address.
    pub(super) fn of(&self, address: &str) -> Option<&ResourceId> {
        self.0.get(address).map(|(id, _)| id)
    }

    /// The id, and why it has holes.
    pub(super) fn entry(&self, address: &str) -> Option<&(ResourceId, Option<String>)> {
        self.0.get(address)
    }
}

/// An id within its subscription.
fn within(id: &str) -> &str {
    let subscription = id.strip_prefix("/subscriptions/");
    subscription.and_then(|rest| rest.split_once('/')).map_or(id, |(_, within)| within)
}

/// What ids are made from.
struct Names<'s, 'a> {
    plan: &'s Plan<'a>,
    context: &'s DeploymentContext,
    scope: Option<&'s str>,
}

impl<'a> Names<'_, 'a> {
    /// The id of a resource, and why it has holes.
    fn id(&self, planned: &Planned<'a>, of: &Kind) -> (ResourceId, Option<String>) {
        if let Some(id) = planned.text("id").filter(|id| !id.is_empty()) {
            return (ResourceId::new(id), None);
        }
        let group = self.name_of(planned, "resource_group_name", "azurerm_resource_group");
        let parent = of.parent.and_then(|(key, parent)| {
            let arm = kind(parent)?.arm;
            Some(format!("{arm}/{}/", self.name_of(planned, key, parent)))
        });
        let id = format!(
            "/subscriptions/{}/resourceGroups/{group}/providers/Microsoft.Network/{}{}/{}",
            self.context.subscription_id,
            parent.unwrap_or_default(),
            of.arm,
            self.own_name(planned)
        );
        // What is replaced under its own name has the id that it had.
        if let Some(prior) = planned.prior_id.filter(|prior| within(prior).eq_ignore_ascii_case(within(&id)))
        {
            return (ResourceId::new(prior), None);
        }
        let holes = id.contains('{').then(|| AFTER_APPLY.to_owned());
        (ResourceId::new(&id), holes)
    }

    /// The name that a property gives, or that of the resource it refers to.
    fn name_of(&self, planned: &Planned<'a>, key: &str, kind: &str) -> String {
        if let Some(name) = planned.text(key) {
            return name.to_owned();
        }
        let expression = planned.expressions.and_then(|expressions| expressions.get(key));
        match self.plan.referred(planned, expression, kind)[..] {
            [one] => self.own_name(one),
            _ => self.hole(planned, key),
        }
    }

    fn own_name(&self, planned: &Planned<'a>) -> String {
        planned.text("name").map_or_else(|| self.hole(planned, "name"), str::to_owned)
    }

    fn hole(&self, planned: &Planned<'a>, key: &str) -> String {
        hole(&format!("{}.{key}", planned.address), self.scope)
    }
}
