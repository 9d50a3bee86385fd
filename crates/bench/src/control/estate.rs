//! The estates that are measured: names, ids and bodies, and how they come into a server.

use std::{sync::atomic::AtomicUsize, sync::atomic::Ordering, thread};

use palisade_client::{Client, Patience, Precondition, Written};
use serde_json::{Value, json};

use crate::error::Result;

/// Where everything is.
const LOCATION: &str = "westeurope";
/// The only group.
const GROUP: &str = "bench";
/// Clients that fill an estate.
const FILLERS: usize = 16;

/// Ids under the subscription of a client.
#[derive(Debug, Clone)]
pub(super) struct Ids {
    group: String,
}

impl Ids {
    /// Those that a client sees.
    pub(super) fn of(client: &Client) -> Self {
        Self { group: format!("/subscriptions/{}/resourceGroups/{GROUP}", client.subscription()) }
    }

    /// The group.
    pub(super) fn group(&self) -> &str {
        &self.group
    }

    fn network(&self, kind: &str, name: &str) -> String {
        format!("{}/providers/Microsoft.Network/{kind}/{name}", self.group)
    }

    /// The network that everything is in.
    pub(super) fn vnet(&self) -> String {
        self.network("virtualNetworks", "vnet")
    }

    /// Its only subnet.
    pub(super) fn subnet(&self) -> String {
        format!("{}/subnets/all", self.vnet())
    }

    /// An NSG, by its number.
    pub(super) fn nsg(&self, number: usize) -> String {
        self.network("networkSecurityGroups", &format!("nsg-{number}"))
    }

    /// A rule of an NSG.
    pub(super) fn rule(&self, nsg: usize, name: &str) -> String {
        format!("{}/securityRules/{name}", self.nsg(nsg))
    }

    /// A network interface, by its number.
    pub(super) fn nic(&self, number: usize) -> String {
        self.network("networkInterfaces", &format!("nic-{number}"))
    }
}

/// A group.
pub(super) fn group() -> Value {
    json!({ "location": LOCATION })
}

/// A network of 65,536 addresses with one subnet.
pub(super) fn vnet() -> Value {
    json!({ "location": LOCATION, "properties": {
        "addressSpace": { "addressPrefixes": ["10.0.0.0/15"] },
        "subnets": [{ "name": "all", "properties": { "addressPrefix": "10.0.0.0/15" } }],
    } })
}

/// An NSG with so many rules of its own.
pub(super) fn nsg(rules: usize) -> Value {
    let rule = |number: usize| json!({ "name": format!("rule-{number}"), "properties": properties(number) });
    json!({ "location": LOCATION, "properties": {
        "securityRules": (0..rules).map(rule).collect::<Vec<_>>(),
    } })
}

/// A rule, different for each number; priorities repeat after 3,997.
pub(super) fn rule(number: usize) -> Value {
    json!({ "properties": properties(number) })
}

fn properties(number: usize) -> Value {
    json!({
        "protocol": "Tcp", "access": "Allow", "direction": "Inbound", "priority": 100 + number % 3_997,
        "sourceAddressPrefix": format!("198.51.{}.{}", number / 256 % 256, number % 256), "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": (1 + number % 65_535).to_string(),
    })
}

/// A network interface behind an NSG, with resource tags.
pub(super) fn nic(ids: &Ids, nsg: usize, tags: &Value) -> Value {
    json!({ "location": LOCATION, "tags": tags, "properties": {
        "networkSecurityGroup": { "id": ids.nsg(nsg) },
        "ipConfigurations": [{ "name": "ipconfig1", "properties": { "subnet": { "id": ids.subnet() } } }],
    } })
}

/// Writes a resource without a condition.
pub(super) fn put(client: &Client, id: &str, body: &Value) -> Result<Written> {
    Ok(client.put(id, body, Precondition::Always)?)
}

/// Writes a resource and waits until it is in force.
pub(super) fn put_in_force(client: &Client, id: &str, body: &Value) -> Result<()> {
    let written = put(client, id, body)?;
    if let Some(operation) = &written.operation {
        client.wait(operation, Patience::default(), |_| ())?;
    }
    Ok(())
}

/// The group and the network, which everything else needs.
pub(super) fn lay(client: &Client) -> Result<Ids> {
    let ids = Ids::of(client);
    put(client, ids.group(), &group())?;
    put(client, &ids.vnet(), &vnet())?;
    Ok(ids)
}

/// Does something for each number below a bound, by several clients at once.
pub(super) fn fill(
    client: &Client,
    count: usize,
    one: impl Fn(&Client, usize) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        let client = Client::of(client.profile())?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            one(&client, number)?;
        }
    };
    thread::scope(|scope| {
        let fillers: Vec<_> = (0..FILLERS).map(|_| scope.spawn(work)).collect();
        fillers.into_iter().try_for_each(|filler| filler.join().expect("a filler does not panic"))
    })
}
