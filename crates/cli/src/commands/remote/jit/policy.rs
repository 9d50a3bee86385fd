//! `palisade jit policy`: ports of a machine become doors. The machine's entry in the policy of its group and region is put
//! in place of the one before; other machines and all requests stay.

use palisade_client::Precondition;
use serde_json::{Value, json};

use super::{
    door,
    find::{elements, is_named, string},
};
use crate::commands::remote::{
    RequestArgs,
    overriding::{self, OverrideArgs},
    wait::WaitArgs,
};
use crate::{exit::Exit, exit::Failure, output, output::Format};

/// Options of `policy`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  palisade jit policy vm1 --port 22 --port 3389 --max 3h\n  palisade jit policy vm1 --port \
                        3389 --max 1h --approval --from 192.0.2.0/24\n  palisade jit policy vm1 --remove"
)]
pub struct Arguments {
    /// Virtual machine, by name or id
    #[arg(value_name = "VM")]
    machine: String,
    /// Port to close, with /udp or /any if it is not TCP
    #[arg(long = "port", value_name = "PORT", required_unless_present = "remove", value_parser = door::port)]
    ports: Vec<door::Port>,
    /// Longest time that may be asked for: 5m to 1d
    #[arg(long, value_name = "TIME", default_value = "3h", value_parser = door::time)]
    max: door::Time,
    /// Address or prefix that it may be opened to; without it, any
    #[arg(long = "from", value_name = "PREFIX")]
    sources: Vec<String>,
    /// Somebody else must approve each request
    #[arg(long)]
    approval: bool,
    /// Take the machine out of the policy; its NSGs alone decide then
    #[arg(long, conflicts_with_all = ["ports", "sources", "approval"])]
    remove: bool,
    /// Name of the policy
    #[arg(long, value_name = "NAME", default_value = "default")]
    policy: String,
    /// Resource group of the machine
    #[arg(long, short = 'g', value_name = "NAME")]
    resource_group: Option<String>,
    #[command(flatten)]
    overriding: OverrideArgs,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    request: RequestArgs,
}

/// Writes the policy.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.overriding.on(arguments.request.client()?);
    let machine = machine(arguments, &client)?;
    let (machine_id, location) = (string(&machine, "id"), string(&machine, "location"));
    let group = machine_id.split("/providers/").next().unwrap_or_default();
    let id = format!(
        "{group}/providers/Microsoft.Security/locations/{location}/jitNetworkAccessPolicies/{}",
        arguments.policy
    );
    let stored = client.find(&id)?;
    let kept = stored.iter().flat_map(|stored| elements(&stored["properties"]["virtualMachines"]));
    let mut machines: Vec<Value> =
        kept.filter(|one| !is_named(&string(one, "id"), &machine_id)).cloned().collect();
    if !arguments.remove {
        machines.push(json!({"id": machine_id, "ports": ports(arguments)}));
    }
    if machines.is_empty() {
        let deleted = client.delete(&id, Precondition::Always)?;
        overriding::tell(&deleted.warnings);
        arguments.wait.wait(&client, &format!("deleting {id}"), deleted.operation.as_ref())?;
        eprintln!("deleted {id}: it has no machine left");
        return Ok(Exit::Clean);
    }
    let mut body = stored.unwrap_or_else(|| json!({"kind": "Basic", "properties": {}}));
    body["properties"]["virtualMachines"] = machines.into();
    let written = client.put(&id, &body, Precondition::Always)?;
    overriding::tell(&written.warnings);
    arguments.wait.wait(&client, &format!("writing {id}"), written.operation.as_ref())?;
    match arguments.request.form() {
        Format::Json => output::json(&written.resource)?,
        Format::Table => output::line(&id)?,
    }
    Ok(Exit::Clean)
}

/// The virtual machine, as the server has it.
fn machine(arguments: &Arguments, client: &palisade_client::Client) -> Result<Value, Failure> {
    let name = &arguments.machine;
    if name.starts_with('/') {
        return Ok(client.get(name)?);
    }
    let group =
        arguments.resource_group.as_ref().map(|group| format!("/resourceGroups/{group}")).unwrap_or_default();
    let path = format!(
        "/subscriptions/{}{group}/providers/Microsoft.Compute/virtualMachines",
        client.subscription()
    );
    let mut found = client.list(&path)?;
    found.retain(|one| is_named(&string(one, "id"), name));
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Failure::input(format!("ResourceNotFound: there is no virtual machine named {name:?}"))),
        _ => Err(Failure::input(format!("{name:?} is in several groups (add --resource-group)"))),
    }
}

fn ports(arguments: &Arguments) -> Vec<Value> {
    let port = |port: &door::Port| {
        let mut body = json!({
            "number": port.number,
            "protocol": port.protocol.as_deref().unwrap_or("TCP"),
            "maxRequestAccessDuration": arguments.max.to_string(),
        });
        match arguments.sources.is_empty() {
            true => body["allowedSourceAddressPrefix"] = "*".into(),
            false => body["allowedSourceAddressPrefixes"] = json!(arguments.sources),
        }
        if arguments.approval {
            body["requiresApproval"] = true.into();
        }
        body
    };
    arguments.ports.iter().map(port).collect()
}
