//! `palisade endpoint add`: an inbound NAT rule, and the machine's interface that names it.
//!
//! No port is public by accident: without `--public-port` it is a random high one, and a management port needs a list of sources.
//! What was begun and cannot be ended is taken back.

use std::{collections::BTreeSet, net::IpAddr, ops::RangeInclusive};

use palisade_client::{Client, Precondition};
use palisade_model::MANAGEMENT_PORTS;
use palisade_net::{Family, Prefix};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    COLUMNS,
    book::{Book, Frontend, is_same, told},
    remove::change,
};
use crate::commands::remote::{
    jit::find::{elements, machine, string},
    rows,
    writing::WriteArgs,
};
use crate::{exit::Exit, exit::Failure, output, output::Format};

/// Ports that nobody has by rights (RFC 6335): the random one is of these.
const RANDOM_PORTS: RangeInclusive<u64> = 49_152..=65_534;
/// Public ports that are tried first.
const TRIED_FIRST: [u16; 2] = [22, 3389];

/// Options of `add`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  palisade endpoint add vm1 443 --public-port 443 --address 203.0.113.7\n  palisade endpoint add \
                        vm1 3389 --from 198.51.100.0/24\n\nAn NSG must allow the machine's own port from the sender's address. For \
                        management, `palisade connect` needs no public port at all."
)]
pub struct Arguments {
    /// Virtual machine, by name or id
    #[arg(value_name = "VM")]
    machine: String,
    /// Port of the machine
    #[arg(value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Port that is reached; without it, a random free one of 49152 to 65534
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=65_534))]
    public_port: Option<u16>,
    /// UDP and not TCP
    #[arg(long)]
    udp: bool,
    /// Address or prefix that may use it; without it, any. A management port (22, 3389, 5985, 5986) must have one
    #[arg(long = "from", value_name = "PREFIX")]
    sources: Vec<Prefix>,
    /// Address that is reached, of a load balancer; one is made if none has it. Not needed where there is only one
    #[arg(long, value_name = "ADDRESS")]
    address: Option<IpAddr>,
    /// Resource group of the machine
    #[arg(long, short = 'g', value_name = "NAME")]
    resource_group: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Adds the endpoint.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    check(arguments)?;
    let client = arguments.write.client()?;
    let machine = machine(&client, &arguments.machine, arguments.resource_group.as_deref())?;
    let book = Book::read(&client)?;
    let frontend = match find_frontend(arguments, &book, &machine)? {
        Some(frontend) => frontend,
        None => make_frontend(arguments, &client, &machine)?,
    };
    let target = target(&client, &machine, frontend.address)?;
    let rule = put_rule(arguments, &client, &frontend, &string(&machine, "name"), &book)?;
    let id = string(&rule, "id");
    let linked = change(&client, &arguments.write, &target, |rules| {
        rules.retain(|one| !is_same(&one["id"], &id));
        rules.push(json!({"id": id}));
    });
    if let Err(failure) = linked {
        // A rule that leads nowhere is of no use, and its port would be taken.
        let undone = client.delete(&id, Precondition::Always);
        if undone.is_err() {
            eprintln!("{id} stays and leads nowhere (remove it with `palisade endpoint remove`)");
        }
        return Err(failure);
    }
    let endpoint = told(&rule, Some(frontend.address), machine["id"].as_str(), Some(&target));
    match arguments.write.form() {
        Format::Json => output::json(&endpoint)?,
        Format::Table => rows::table(COLUMNS, &[endpoint])?,
    }
    Ok(Exit::Clean)
}

/// What can be said without asking anybody.
fn check(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { port, sources, .. } = arguments;
    let is_for_all = sources.is_empty() || sources.iter().any(|prefix| prefix.length() == 0);
    if MANAGEMENT_PORTS.contains(port) && is_for_all {
        return Err(Failure::input(format!(
            "port {port} is a management port and not opened to everybody (add --from PREFIX for those who may use it, or \
             use `palisade connect {} {port}`, which needs no public port)",
            arguments.machine
        )));
    }
    if let Some(public) = arguments.public_port.filter(|public| TRIED_FIRST.contains(public)) {
        eprintln!(
            "public port {public} is tried at every address of the Internet (leave --public-port out for a random one)"
        );
    }
    Ok(())
}

/// The frontend that is meant; `None` if one must be made.
fn find_frontend(arguments: &Arguments, book: &Book, machine: &Value) -> Result<Option<Frontend>, Failure> {
    let location = string(machine, "location");
    let mut near = book.frontends();
    near.retain(|frontend| frontend.location.eq_ignore_ascii_case(&location));
    if let Some(address) = arguments.address {
        near.retain(|frontend| frontend.address == address);
        return Ok((!near.is_empty()).then(|| near.remove(0)));
    }
    match near.len() {
        1 => Ok(near.pop()),
        0 => Err(Failure::input(format!(
            "no load balancer in {location} has an address (add --address ADDRESS, by which this machine's host is reached)"
        ))),
        _ => Err(Failure::input(format!(
            "several addresses are there (add --address ADDRESS): {}",
            near.iter().map(|frontend| frontend.address.to_string()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// A load balancer with this public address, beside the machine.
fn make_frontend(arguments: &Arguments, client: &Client, machine: &Value) -> Result<Frontend, Failure> {
    let address = arguments.address.expect("without an address none is made");
    let (machine_id, location) = (string(machine, "id"), string(machine, "location"));
    let group = machine_id.split("/providers/").next().unwrap_or_default();
    let name = format!("endpoints-{}", address.to_string().replace([':', '.'], "-"));
    let version = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let public = format!("{group}/providers/Microsoft.Network/publicIPAddresses/{name}");
    let balancer = format!("{group}/providers/Microsoft.Network/loadBalancers/{name}");
    let frontend = json!({"name": "frontend", "properties": {"publicIPAddress": {"id": public}}});
    let bodies = [
        (
            &public,
            json!({"location": location, "sku": {"name": "Standard"}, "properties": {
                "ipAddress": address, "publicIPAllocationMethod": "Static", "publicIPAddressVersion": version}}),
        ),
        (
            &balancer,
            json!({"location": location, "sku": {"name": "Standard"},
                "properties": {"frontendIPConfigurations": [frontend]}}),
        ),
    ];
    for (id, body) in bodies {
        let written = client.put(id, &body, Precondition::IfAbsent)?;
        arguments.write.settle(
            client,
            &format!("writing {id}"),
            &written.warnings,
            written.operation.as_ref(),
        )?;
    }
    let id = format!("{balancer}/frontendIPConfigurations/frontend");
    Ok(Frontend { id, balancer, location, address })
}

/// The IP configuration of a machine that has an address of a frontend's family, the primary one first.
fn target(client: &Client, machine: &Value, frontend: IpAddr) -> Result<String, Failure> {
    let mut nics: Vec<&Value> =
        elements(&machine["properties"]["networkProfile"]["networkInterfaces"]).collect();
    nics.sort_by_key(|nic| nic["properties"]["primary"] != true);
    for nic in nics {
        let nic = client.get(&string(nic, "id"))?;
        let mut own: Vec<&Value> = elements(&nic["properties"]["ipConfigurations"]).collect();
        own.sort_by_key(|one| one["properties"]["primary"] != true);
        let fits = |one: &&&Value| {
            let address = one["properties"]["privateIPAddress"].as_str();
            let address = address.and_then(|text| text.parse::<IpAddr>().ok());
            address.is_some_and(|address| Family::of(address) == Family::of(frontend))
        };
        if let Some(found) = own.iter().find(fits) {
            return Ok(string(found, "id"));
        }
    }
    Err(Failure::input(format!(
        "{} has no address of the family of {frontend} (give its interface one)",
        string(machine, "id")
    )))
}

/// Writes the rule under a name that says what it is.
fn put_rule(
    arguments: &Arguments,
    client: &Client,
    frontend: &Frontend,
    machine: &str,
    book: &Book,
) -> Result<Value, Failure> {
    let taken = book.taken(&frontend.id);
    let public = match arguments.public_port {
        Some(port) => port.into(),
        None => random_port(&taken, Uuid::new_v4().as_u128())
            .ok_or_else(|| Failure::input(format!("every high port of {} is taken", frontend.address)))?,
    };
    let protocol = if arguments.udp { "Udp" } else { "Tcp" };
    let name = format!("{machine}-{}-{}", protocol.to_lowercase(), arguments.port);
    let id = format!("{}/inboundNatRules/{name}", frontend.balancer);
    let mut properties = json!({
        "frontendIPConfiguration": {"id": frontend.id},
        "protocol": protocol,
        "frontendPort": public,
        "backendPort": arguments.port,
    });
    if !arguments.sources.is_empty() {
        let sources: Vec<String> = arguments.sources.iter().map(ToString::to_string).collect();
        properties["allowedSourceAddressPrefixes"] = json!(sources);
    }
    if client.find(&id)?.is_some() {
        return Err(Failure::input(format!(
            "there is an endpoint {name} already (see `palisade endpoint list`; take it away with `palisade endpoint remove {name}`)"
        )));
    }
    let written = client.put(&id, &json!({ "properties": properties }), Precondition::IfAbsent)?;
    arguments.write.settle(
        client,
        &format!("writing {id}"),
        &written.warnings,
        written.operation.as_ref(),
    )?;
    Ok(written.resource)
}

/// A free port, by a random number.
fn random_port(taken: &BTreeSet<u64>, random: u128) -> Option<u64> {
    let free: Vec<u64> = RANDOM_PORTS.filter(|port| !taken.contains(port)).collect();
    let place = random.checked_rem(free.len() as u128)?;
    free.get(usize::try_from(place).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_port_is_high_and_free() {
        let none = BTreeSet::new();
        for random in [0, 1, 16_383, u128::MAX] {
            assert!(RANDOM_PORTS.contains(&random_port(&none, random).expect("all are free")));
        }
        let all_but_one: BTreeSet<u64> = RANDOM_PORTS.filter(|port| *port != 50_001).collect();
        assert_eq!(random_port(&all_but_one, 77), Some(50_001));
        assert_eq!(random_port(&RANDOM_PORTS.collect(), 77), None);
    }
}
