//! Answers about estates given as JSON: the vectors of the documentation, whole answers, and generated estates against the oracle.

#![expect(clippy::needless_pass_by_value, reason = "bodies are written where they are handed over")]

mod generated;
mod golden;
mod questions;
mod vectors;

use palisade_arm::estate::{Document, Options, read};
use palisade_model::{Estate, Nic, ResourceId, Severity, TagCatalog};
use serde_json::{Value, json};

/// Where everything of these tests is.
const GROUP: &str = "/subscriptions/s/resourceGroups/g";

fn id(kind: &str, name: &str) -> String {
    format!("{GROUP}/providers/Microsoft.Network/{kind}/{name}")
}

fn resource(kind: &str, name: &str, properties: Value) -> Value {
    json!({
        "id": id(kind, name),
        "name": name,
        "type": format!("Microsoft.Network/{kind}"),
        "location": "westeurope",
        "properties": properties,
    })
}

/// The checked estate of these resources.
fn estate(resources: &[Value]) -> Estate {
    let text = Value::from(resources.to_vec()).to_string();
    let read = read(&[Document::new("estate.json", text)], &Options::default());
    assert!(!read.has_errors(), "{:#?}", read.problems);
    let (estate, problems) = Estate::validate(&read.spec, TagCatalog::default());
    let errors: Vec<_> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
    estate.unwrap_or_else(|| panic!("{errors:#?}"))
}

fn nic_of<'e>(estate: &'e Estate, name: &str) -> &'e Nic {
    estate.nics().find(|nic| nic.name() == name).expect("the interface is in the estate")
}

/// A rule in the words of the tests: `100 Allow Inbound Tcp Internet * 80`, with an optional name in front.
fn rule(text: &str) -> Value {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [name, priority, access, direction, protocol, source, destination, port] = parts.as_slice() else {
        panic!("{text}");
    };
    let mut properties = json!({
        "priority": priority.parse::<u16>().expect("a priority"),
        "access": access,
        "direction": direction,
        "protocol": protocol,
        "sourcePortRange": "*",
        "destinationPortRange": port,
    });
    for (side, text) in [("source", source), ("destination", destination)] {
        match text.strip_prefix("asg:") {
            Some(group) => {
                properties[format!("{side}ApplicationSecurityGroups")] =
                    json!([{"id": id("applicationSecurityGroups", group)}]);
            }
            None => properties[format!("{side}AddressPrefix")] = json!(text),
        }
    }
    json!({"name": name, "properties": properties})
}

fn nsg(name: &str, rules: &[&str]) -> Value {
    let rules: Vec<Value> = rules.iter().map(|text| rule(text)).collect();
    resource("networkSecurityGroups", name, json!({"securityRules": rules}))
}

/// A network with subnets, each a name, a prefix and perhaps an NSG.
fn network(prefix: &str, subnets: &[(&str, &str, Option<&str>)]) -> Value {
    let subnets: Vec<Value> = subnets
        .iter()
        .map(|(name, prefix, nsg)| {
            let mut properties = json!({"addressPrefix": prefix});
            if let Some(nsg) = nsg {
                properties["networkSecurityGroup"] = json!({"id": id("networkSecurityGroups", nsg)});
            }
            let parent = id("virtualNetworks", "v");
            json!({"id": format!("{parent}/subnets/{name}"), "name": name, "properties": properties})
        })
        .collect();
    let properties = json!({"addressSpace": {"addressPrefixes": [prefix]}, "subnets": subnets});
    resource("virtualNetworks", "v", properties)
}

/// An interface in a subnet of the network, with an address, perhaps an NSG, and groups.
fn interface(name: &str, subnet: &str, address: &str, nsg: Option<&str>, groups: &[&str]) -> Value {
    let groups: Vec<Value> =
        groups.iter().map(|group| json!({"id": id("applicationSecurityGroups", group)})).collect();
    let subnet = format!("{}/subnets/{subnet}", id("virtualNetworks", "v"));
    let mut properties = json!({"ipConfigurations": [{"name": "ipconfig1", "properties": {
        "privateIPAddress": address, "subnet": {"id": subnet}, "applicationSecurityGroups": groups}}]});
    if let Some(nsg) = nsg {
        properties["networkSecurityGroup"] = json!({"id": id("networkSecurityGroups", nsg)});
    }
    resource("networkInterfaces", name, properties)
}

/// The body of an IP flow question: `In tcp 10.0.0.4:80 172.31.0.100:60000`, the local side first.
fn flow_body(text: &str) -> Value {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [direction, protocol, local, remote] = parts.as_slice() else { panic!("{text}") };
    let split = |end: &str| {
        let (address, port) = end.rsplit_once(':').expect("an address and a port");
        (address.to_owned(), port.to_owned())
    };
    let (local, remote) = (split(local), split(remote));
    json!({
        "targetResourceId": "/subscriptions/s/x",
        "direction": if *direction == "In" { "Inbound" } else { "Outbound" },
        "protocol": protocol,
        "localIPAddress": local.0, "localPort": local.1,
        "remoteIPAddress": remote.0, "remotePort": remote.1,
    })
}

/// The answer of IP flow verify in one line: `Allow securityRules/ssh`.
fn verified(estate: &Estate, nic: &str, question: &str) -> String {
    let answer = super::flow::verify(estate, &[nic_of(estate, nic)], &flow_body(question), 0);
    let answer = answer.unwrap_or_else(|error| panic!("{question}: {error}"));
    let access = answer["access"].as_str().expect("an access");
    answer["ruleName"].as_str().map_or_else(|| access.to_owned(), |rule| format!("{access} {rule}"))
}

fn resource_id(kind: &str, name: &str) -> ResourceId {
    ResourceId::new(&id(kind, name))
}
