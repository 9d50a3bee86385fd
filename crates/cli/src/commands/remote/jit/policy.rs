//! `palisade jit policy`: ports of a machine become doors. The machine's entry in the policy of its group and region is put
//! in place of the one before; other machines and all requests stay.

use std::io;

use palisade_client::{Client, ClientError, Precondition};
use serde_json::{Value, json};

use super::{
    door,
    find::{elements, is_named, machine, string},
};
use crate::commands::remote::writing::WriteArgs;
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
    write: WriteArgs,
}

/// How often to begin again when somebody else wrote the policy in between.
const ATTEMPTS: u32 = 5;

/// Writes the policy.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.write.client()?;
    let machine = machine(&client, &arguments.machine, arguments.resource_group.as_deref())?;
    let mut attempt = 1;
    loop {
        match write(arguments, &client, &machine) {
            Err(Refused::Changed) if attempt < ATTEMPTS => attempt += 1,
            Err(Refused::Changed) => {
                return Err(Failure::other_side("others write the policy again and again (try again)"));
            }
            Err(Refused::Else(failure)) => return Err(failure),
            Ok(exit) => return Ok(exit),
        }
    }
}

/// Why a policy was not written.
enum Refused {
    /// It is not what was read any more.
    Changed,
    Else(Failure),
}

impl From<ClientError> for Refused {
    fn from(error: ClientError) -> Self {
        match error.has_status(412) {
            true => Self::Changed,
            false => Self::Else(error.into()),
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Else(failure)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Else(error.into())
    }
}

/// Reads the policy, and writes it with the machine's entry as it shall be, if it still is what was read.
fn write(arguments: &Arguments, client: &Client, machine: &Value) -> Result<Exit, Refused> {
    let (machine_id, location) = (string(machine, "id"), string(machine, "location"));
    let group = machine_id.split("/providers/").next().unwrap_or_default();
    let id = format!(
        "{group}/providers/Microsoft.Security/locations/{location}/jitNetworkAccessPolicies/{}",
        arguments.policy
    );
    let stored = client.find(&id)?;
    let etag = stored.as_ref().and_then(|stored| stored["etag"].as_str()).map(str::to_owned);
    let unchanged = etag.as_deref().map_or(Precondition::IfAbsent, Precondition::IfMatch);
    let kept = stored.iter().flat_map(|stored| elements(&stored["properties"]["virtualMachines"]));
    let mut machines: Vec<Value> =
        kept.filter(|one| !is_named(&string(one, "id"), &machine_id)).cloned().collect();
    if !arguments.remove {
        machines.push(json!({"id": machine_id, "ports": ports(arguments)}));
    }
    if machines.is_empty() {
        let unchanged = etag.as_deref().map_or(Precondition::Always, Precondition::IfMatch);
        let deleted = client.delete(&id, unchanged)?;
        let what = format!("deleting {id}");
        arguments.write.settle(client, &what, &deleted.warnings, deleted.operation.as_ref())?;
        eprintln!("deleted {id}: it has no machine left");
        return Ok(Exit::Clean);
    }
    let mut body = stored.unwrap_or_else(|| json!({"kind": "Basic", "properties": {}}));
    body["properties"]["virtualMachines"] = machines.into();
    let written = client.put(&id, &body, unchanged)?;
    let what = format!("writing {id}");
    arguments.write.settle(client, &what, &written.warnings, written.operation.as_ref())?;
    match arguments.write.form() {
        Format::Json => output::json(&written.resource)?,
        Format::Table => output::line(&id)?,
    }
    Ok(Exit::Clean)
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
