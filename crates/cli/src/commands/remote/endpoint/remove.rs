//! `palisade endpoint remove`: the interface forgets the rule first, so that nothing leads anywhere while the rule goes.

use palisade_client::{Client, ClientError, Precondition};
use serde_json::Value;

use super::book::{Book, is_same};
use crate::commands::remote::{jit::find::string, writing::WriteArgs};
use crate::{exit::Exit, exit::Failure};

/// How often to begin again when somebody else wrote an interface in between.
const ATTEMPTS: u32 = 5;
/// Where an IP configuration names its rules.
const RULES: &str = "loadBalancerInboundNatRules";

/// Options of `remove`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  palisade endpoint remove vm1-tcp-443")]
pub struct Arguments {
    /// Name or id of the endpoint, as `endpoint list` prints it
    #[arg(value_name = "ENDPOINT")]
    name: String,
    #[command(flatten)]
    write: WriteArgs,
}

/// Removes the endpoint.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.write.client()?;
    let book = Book::read(&client)?;
    let rule = book.rule(&arguments.name)?;
    let id = string(rule, "id");
    if let Some(target) = rule["properties"]["backendIPConfiguration"]["id"].as_str() {
        change(&client, &arguments.write, target, |rules| rules.retain(|one| !is_same(&one["id"], &id)))?;
    }
    let deleted = client.delete(&id, Precondition::Always)?;
    let what = format!("deleting {id}");
    arguments.write.settle(&client, &what, &deleted.warnings, deleted.operation.as_ref())?;
    eprintln!("deleted {id}");
    Ok(Exit::Clean)
}

/// Changes the rules that an IP configuration names, if it still is what was read.
pub(super) fn change(
    client: &Client,
    write: &WriteArgs,
    target: &str,
    change: impl Fn(&mut Vec<Value>),
) -> Result<(), Failure> {
    let nic = target.split("/ipConfigurations/").next().unwrap_or_default();
    for _ in 0..ATTEMPTS {
        let mut body = client.get(nic)?;
        let etag = string(&body, "etag");
        let configurations = body["properties"]["ipConfigurations"].as_array_mut();
        let Some(own) = configurations.into_iter().flatten().find(|one| is_same(&one["id"], target)) else {
            return Err(Failure::input(format!("ResourceNotFound: {target} is not there any more")));
        };
        let mut rules = own["properties"][RULES].as_array().cloned().unwrap_or_default();
        change(&mut rules);
        own["properties"][RULES] = rules.into();
        match client.put(nic, &body, Precondition::IfMatch(&etag)) {
            Ok(written) => {
                let what = format!("writing {nic}");
                return write.settle(client, &what, &written.warnings, written.operation.as_ref());
            }
            Err(error) if ClientError::has_status(&error, 412) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::other_side(format!("others write {nic} again and again (try again)")))
}
