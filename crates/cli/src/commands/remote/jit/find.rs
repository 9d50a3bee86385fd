//! Which policy, which machine, which request is meant: looked up in what the server lists.

use palisade_client::Client;
use serde_json::{Value, json};

use crate::{exit::Failure, nearest};

/// The virtual machine of a name or id, as the server has it; in one group, or in any.
pub fn machine(client: &Client, name: &str, group: Option<&str>) -> Result<Value, Failure> {
    resource(client, name, group, &[("Microsoft.Compute/virtualMachines", "virtual machine")])
}

/// A machine, and the policy that closes its port.
pub struct Place {
    pub policy: String,
    pub machine: String,
}

/// All policies of the subscription.
pub fn policies(client: &Client) -> Result<Vec<Value>, Failure> {
    let path = format!(
        "/subscriptions/{}/providers/Microsoft.Security/jitNetworkAccessPolicies",
        client.subscription()
    );
    Ok(client.list(&path)?)
}

/// The only policy with these ports of a machine.
pub fn policy_of(
    client: &Client,
    machine: &str,
    ports: &[u16],
    group: Option<&str>,
) -> Result<Place, Failure> {
    let mut found: Vec<Place> = Vec::new();
    for policy in policies(client)? {
        if group.is_some_and(|group| !string(&policy, "id").to_lowercase().contains(&in_group(group))) {
            continue;
        }
        for entry in elements(&policy["properties"]["virtualMachines"]) {
            let has = |port: &u16| elements(&entry["ports"]).any(|own| own["number"] == *port);
            if is_named(&string(entry, "id"), machine) && ports.iter().all(has) {
                found.push(Place { policy: string(&policy, "id"), machine: string(entry, "id") });
            }
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Failure::input(format!(
            "no policy has port {} of {machine:?} (make one with `palisade jit policy`)",
            ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
        ))),
        _ => Err(Failure::input(format!(
            "several policies have it (add --resource-group, or give the machine's id): {}",
            found.iter().map(|place| place.policy.as_str()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// The policy that a request was made under.
pub fn policy_with(client: &Client, request: &str) -> Result<String, Failure> {
    let has = |policy: &Value| {
        elements(&policy["properties"]["requests"])
            .any(|one| string(one, "name").eq_ignore_ascii_case(request))
    };
    let found = policies(client)?.into_iter().find(has);
    let missing = || {
        Failure::input(format!(
            "JitRequestNotFound: there is no request {request:?} (see `palisade jit history`)"
        ))
    };
    found.map(|policy| string(&policy, "id")).ok_or_else(missing)
}

/// Requests of all policies, oldest first; of one machine, or of all.
pub fn requests(client: &Client, machine: Option<&str>, only_alive: bool) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    for policy in policies(client)? {
        for request in elements(&policy["properties"]["requests"]) {
            let machines = || elements(&request["virtualMachines"]);
            let is_of = machine.is_none_or(|name| machines().any(|one| is_named(&string(one, "id"), name)));
            let is_alive = machines()
                .flat_map(|one| elements(&one["ports"]))
                .any(|port| matches!(port["state"].as_str(), Some("Active" | "Pending")));
            if is_of && (is_alive || !only_alive) {
                let mut request = request.clone();
                request["policy"] = policy["id"].clone();
                all.push(request);
            }
        }
    }
    all.sort_by_key(|request| string(request, "startTimeUtc"));
    Ok(all)
}

/// The doors of requests, one row each.
pub fn doors(requests: &[Value]) -> Vec<Value> {
    let mut rows = Vec::new();
    for request in requests {
        for machine in elements(&request["virtualMachines"]) {
            for port in elements(&machine["ports"]) {
                let from =
                    port.get("allowedSourceAddressPrefix").or(port.get("allowedSourceAddressPrefixes"));
                rows.push(json!({
                    "name": request["name"],
                    "state": port["state"],
                    "machine": string(machine, "id").rsplit('/').next(),
                    "port": format!("{}/{}", port["number"], string(port, "protocol").to_lowercase()),
                    "from": from,
                    "until": port.get("closedTimeUtc").unwrap_or(&port["endTimeUtc"]),
                    "requestor": request["requestor"],
                    "approver": request["approver"],
                    "justification": request["justification"],
                }));
            }
        }
    }
    rows
}

/// The only resource with this name, of the first of these types that has one; of one group, or of all.
pub fn resource(
    client: &Client,
    name: &str,
    group: Option<&str>,
    types: &[(&str, &str)],
) -> Result<Value, Failure> {
    if name.starts_with('/') {
        return Ok(client.get(name)?);
    }
    let group = group.map(|group| format!("/resourceGroups/{group}")).unwrap_or_default();
    let mut others = Vec::new();
    for (kind, _) in types {
        let path = format!("/subscriptions/{}{group}/providers/{kind}", client.subscription());
        let (mut found, rest): (Vec<_>, Vec<_>) =
            client.list(&path)?.into_iter().partition(|one| is_named(&string(one, "id"), name));
        others.extend(rest.iter().map(|one| string(one, "name")));
        match found.len() {
            0 => {}
            1 => return Ok(found.remove(0)),
            _ => return Err(Failure::input(format!("{name:?} is in several groups (add --resource-group)"))),
        }
    }
    let labels: Vec<&str> = types.iter().map(|(_, label)| *label).collect();
    Err(unknown(name, &labels.join(" or "), others.iter().map(String::as_str)))
}

/// Refuses the name of a virtual machine that nothing knows: no resource is it, no interface and no policy names it. For lists that are
/// empty, so that a slip of the pen is not taken for peace.
pub fn must_be_known(client: &Client, name: &str) -> Result<(), Failure> {
    let all = |kind: &str| client.list(&format!("/subscriptions/{}/providers/{kind}", client.subscription()));
    let mut ids: Vec<String> =
        all("Microsoft.Compute/virtualMachines")?.iter().map(|one| string(one, "id")).collect();
    for nic in all("Microsoft.Network/networkInterfaces")? {
        ids.push(string(&nic["properties"]["virtualMachine"], "id"));
    }
    for policy in policies(client)? {
        ids.extend(elements(&policy["properties"]["virtualMachines"]).map(|one| string(one, "id")));
    }
    if ids.iter().any(|id| is_named(id, name)) {
        return Ok(());
    }
    Err(unknown(name, "virtual machine", ids.iter().filter_map(|id| id.rsplit('/').next())))
}

/// There is nothing of this name; the nearest that there is.
fn unknown<'a>(name: &str, what: &str, known: impl IntoIterator<Item = &'a str>) -> Failure {
    let hint = nearest::hint(name, known);
    Failure::input(format!("ResourceNotFound: there is no {what} named {name:?}{hint}"))
}

/// Whether an id is what a user named: itself, or its last part.
pub fn is_named(id: &str, name: &str) -> bool {
    id.eq_ignore_ascii_case(name) || id.rsplit('/').next().is_some_and(|own| own.eq_ignore_ascii_case(name))
}

pub fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub fn string(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn in_group(group: &str) -> String {
    format!("/resourcegroups/{}/", group.to_lowercase())
}
