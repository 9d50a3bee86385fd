//! What the server has of endpoints: load balancers with their rules, public addresses, and the interfaces that rules lead to.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_client::Client;
use serde_json::{Value, json};

use crate::{
    commands::remote::jit::find::{elements, is_named, string},
    exit::Failure,
    nearest,
};

/// What a subscription has.
pub struct Book {
    balancers: Vec<Value>,
    addresses: Vec<Value>,
    nics: Vec<Value>,
}

/// An address that can be reached, of a load balancer.
pub struct Frontend {
    /// Id of the frontend.
    pub id: String,
    /// Id of the load balancer.
    pub balancer: String,
    /// Its region.
    pub location: String,
    /// The address.
    pub address: IpAddr,
}

impl Book {
    /// Asks the server.
    pub fn read(client: &Client) -> Result<Self, Failure> {
        let list = |kind: &str| {
            client
                .list(&format!("/subscriptions/{}/providers/Microsoft.Network/{kind}", client.subscription()))
        };
        Ok(Self {
            balancers: list("loadBalancers")?,
            addresses: list("publicIPAddresses")?,
            nics: list("networkInterfaces")?,
        })
    }

    /// Frontends with a known address.
    pub fn frontends(&self) -> Vec<Frontend> {
        let mut all = Vec::new();
        for balancer in &self.balancers {
            for frontend in elements(&balancer["properties"]["frontendIPConfigurations"]) {
                all.extend(self.address(frontend).map(|address| Frontend {
                    id: string(frontend, "id"),
                    balancer: string(balancer, "id"),
                    location: string(balancer, "location"),
                    address,
                }));
            }
        }
        all
    }

    /// Ports of an address that rules have, of any protocol: a port that differs in the protocol only would be read wrong.
    pub fn taken(&self, frontend: &str) -> BTreeSet<u64> {
        let rules = self.balancers.iter().flat_map(|one| elements(&one["properties"]["inboundNatRules"]));
        let own =
            rules.filter(|rule| is_same(&rule["properties"]["frontendIPConfiguration"]["id"], frontend));
        own.filter_map(|rule| rule["properties"]["frontendPort"].as_u64()).collect()
    }

    /// The rule of a name or id.
    pub fn rule(&self, named: &str) -> Result<&Value, Failure> {
        let rules = self.balancers.iter().flat_map(|one| elements(&one["properties"]["inboundNatRules"]));
        let (found, others): (Vec<&Value>, Vec<&Value>) =
            rules.partition(|rule| is_named(&string(rule, "id"), named));
        match found[..] {
            [one] => Ok(one),
            [] => Err(Failure::input(format!(
                "ResourceNotFound: there is no endpoint {named:?}{} (see `palisade endpoint list`)",
                nearest::hint(named, others.iter().filter_map(|rule| rule["name"].as_str()))
            ))),
            _ => Err(Failure::input(format!(
                "several endpoints are named {named:?} (give the id): {}",
                found.iter().map(|rule| string(rule, "id")).collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    /// All endpoints as they are told, or those of one machine.
    pub fn endpoints(&self, machine: Option<&str>) -> Vec<Value> {
        let rules = self.balancers.iter().flat_map(|balancer| {
            elements(&balancer["properties"]["inboundNatRules"]).map(move |rule| (balancer, rule))
        });
        let told = rules.map(|(balancer, rule)| self.endpoint(balancer, rule));
        told.filter(|endpoint| machine.is_none_or(|name| is_named(&string(endpoint, "machineId"), name)))
            .collect()
    }

    fn endpoint(&self, balancer: &Value, rule: &Value) -> Value {
        let properties = &rule["properties"];
        let mut frontends = elements(&balancer["properties"]["frontendIPConfigurations"]);
        let frontend =
            frontends.find(|one| is_same(&properties["frontendIPConfiguration"]["id"], &string(one, "id")));
        let target = properties["backendIPConfiguration"]["id"].as_str().unwrap_or_default();
        let nic = target.split("/ipConfigurations/").next().unwrap_or_default();
        let mut nics = self.nics.iter();
        let machine =
            nics.find(|one| is_same(&one["id"], nic)).map(|one| &one["properties"]["virtualMachine"]["id"]);
        let machine = machine.and_then(Value::as_str);
        told(
            rule,
            frontend.and_then(|one| self.address(one)),
            machine,
            (!target.is_empty()).then_some(target),
        )
    }

    fn address(&self, frontend: &Value) -> Option<IpAddr> {
        let properties = &frontend["properties"];
        let public = &properties["publicIPAddress"]["id"];
        let mut addresses = self.addresses.iter();
        let public = addresses.find(|one| is_same(public, &string(one, "id")));
        let text = public.map_or(&properties["privateIPAddress"], |one| &one["properties"]["ipAddress"]);
        text.as_str()?.parse().ok()
    }
}

/// A rule as it is told.
pub fn told(rule: &Value, address: Option<IpAddr>, machine: Option<&str>, target: Option<&str>) -> Value {
    let properties = &rule["properties"];
    json!({
        "name": rule["name"],
        "id": rule["id"],
        "protocol": properties["protocol"],
        "sources": properties["allowedSourceAddressPrefixes"],
        "address": address,
        "publicPort": properties["frontendPort"],
        "machine": machine.and_then(|id| id.rsplit('/').next()),
        "machineId": machine,
        "target": target,
        "port": properties["backendPort"],
    })
}

/// Whether a value is an id, compared without case.
pub fn is_same(value: &Value, id: &str) -> bool {
    value.as_str().is_some_and(|own| own.eq_ignore_ascii_case(id))
}
