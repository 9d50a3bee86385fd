//! `palisade get`: a resource, or a list of resources.

use std::io;

use serde_json::Value;

use super::{
    RequestArgs,
    ids::{ResourceArgs, Target},
    rows::{self, NOTHING, first, segment, text},
};
use crate::{exit::Exit, exit::Failure, output, output::Format};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  palisade get\n  palisade get nsg --resource-group web\n  palisade get nsg web-nsg\n  \
                        palisade get rule web-nsg/allow-ssh --format json"
)]
pub struct Arguments {
    #[command(flatten)]
    resource: ResourceArgs,
    #[command(flatten)]
    request: RequestArgs,
}

/// Prints what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.request.client()?;
    match (arguments.resource.target(&client)?, arguments.request.form()) {
        (Target::One(id), Format::Json) => output::json(&client.get(&id)?)?,
        (Target::One(id), Format::Table) => one(&client.get(&id)?)?,
        (Target::Many(path), Format::Json) => output::json(&client.list(&path)?)?,
        (Target::Many(path), Format::Table) => many(&client.list(&path)?)?,
    }
    Ok(Exit::Clean)
}

fn many(items: &[Value]) -> io::Result<()> {
    if items.iter().any(is_rule) {
        return rules(items);
    }
    rows::table(
        [
            ("NAME", |item| text(item, "/name")),
            ("TYPE", |item| text(item, "/type")),
            ("GROUP", |item| segment(item, "/id", "resourceGroups")),
            ("LOCATION", |item| text(item, "/location")),
            ("STATE", |item| text(item, "/properties/provisioningState")),
        ],
        items,
    )
}

fn one(resource: &Value) -> io::Result<()> {
    if is_rule(resource) {
        return rules(std::slice::from_ref(resource));
    }
    let labels = [
        ("name", "/name"),
        ("type", "/type"),
        ("id", "/id"),
        ("location", "/location"),
        ("tags", "/tags"),
        ("state", "/properties/provisioningState"),
        ("etag", "/etag"),
    ];
    rows::members(resource, &labels)?;
    let lists = ["/properties/securityRules", "/properties/defaultSecurityRules"];
    let all: Vec<_> =
        lists.iter().filter_map(|list| resource.pointer(list)?.as_array()).flatten().cloned().collect();
    if all.is_empty() {
        return Ok(());
    }
    output::line("")?;
    rules(&all)
}

fn is_rule(item: &Value) -> bool {
    item.pointer("/properties/access").is_some() && item.pointer("/properties/priority").is_some()
}

/// Rules in the order in which they are tried.
fn rules(items: &[Value]) -> io::Result<()> {
    let mut items = items.to_vec();
    items.sort_by_key(|item| {
        let properties = &item["properties"];
        (properties["direction"].to_string(), properties["priority"].as_u64())
    });
    rows::table(
        [
            ("DIRECTION", |item| text(item, "/properties/direction")),
            ("PRIORITY", |item| text(item, "/properties/priority")),
            ("NAME", |item| text(item, "/name")),
            ("ACCESS", |item| text(item, "/properties/access")),
            ("PROTOCOL", |item| text(item, "/properties/protocol")),
            ("SOURCE", |item| end(item, "source")),
            ("DESTINATION", |item| end(item, "destination")),
            ("PORTS", |item| {
                first(item, &["/properties/destinationPortRange", "/properties/destinationPortRanges"])
            }),
        ],
        &items,
    )
}

/// One end of a rule: addresses, or the groups that stand for them.
fn end(rule: &Value, side: &str) -> String {
    let pointers = ["AddressPrefix", "AddressPrefixes"].map(|suffix| format!("/properties/{side}{suffix}"));
    let addresses = first(rule, &pointers.each_ref().map(String::as_str));
    if addresses != NOTHING {
        return addresses;
    }
    let groups =
        rule.pointer(&format!("/properties/{side}ApplicationSecurityGroups")).and_then(Value::as_array);
    let names: Vec<_> = groups
        .into_iter()
        .flatten()
        .map(|group| segment(group, "/id", "applicationSecurityGroups"))
        .collect();
    if names.is_empty() { NOTHING.to_owned() } else { names.join(",") }
}
