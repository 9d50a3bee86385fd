//! `palisade agent --discover`: the machines that run on this host, and how to register their interfaces.

use std::collections::BTreeSet;
use std::str::FromStr;

use palisade_agent::machines::{Card, Machine};
use palisade_agent::running_machines;
use palisade_model::{HOST_TAG, INTERFACE_TAG};

use super::{DiscoverArgs, ServerArgs};
use crate::{exit::Exit, exit::Failure, output, output::Format};

/// Longest name of a NIC in Azure.
const NIC_NAME_LENGTH_MAX: usize = 80;

/// Where NICs are to be made.
#[derive(Debug, Clone)]
pub struct Subnet {
    group: String,
    network: String,
    subnet: String,
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [group, network, subnet] if parts.iter().all(|part| is_plain(part)) => {
                Ok(Self { group: group.to_owned(), network: network.to_owned(), subnet: subnet.to_owned() })
            }
            _ => Err("write RESOURCE-GROUP/VIRTUAL-NETWORK/SUBNET".to_owned()),
        }
    }
}

/// Whether a word means itself to a shell, and may be a name in Azure.
fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Prints what was found.
pub fn run(arguments: &DiscoverArgs, server: &ServerArgs) -> Result<Exit, Failure> {
    let machines = running_machines().map_err(Failure::caused_by)?;
    if let Some(subnet) = &arguments.register {
        for command in commands(&machines, &server.name()?, subnet) {
            output::line(command)?;
        }
        return Ok(Exit::Clean);
    }
    match arguments.format {
        Format::Json => output::json(&machines)?,
        Format::Table => {
            let rows: Vec<_> = cards(&machines).map(|(machine, card)| row(machine, card)).collect();
            output::table(["MACHINE", "HYPERVISOR", "PROCESS", "INTERFACE", "MAC"], &rows)?;
        }
    }
    Ok(Exit::Clean)
}

fn cards(machines: &[Machine]) -> impl Iterator<Item = (&Machine, &Card)> {
    machines.iter().flat_map(|machine| machine.cards.iter().map(move |card| (machine, card)))
}

fn row(machine: &Machine, card: &Card) -> [String; 5] {
    let mac = card.mac.map_or_else(|| "-".to_owned(), |mac| mac.to_string());
    let hypervisor = machine.hypervisor.name().to_owned();
    [machine.name.clone(), hypervisor, machine.pid.to_string(), card.interface.clone(), mac]
}

/// One command for each card, which makes a NIC and ties it to this host and to the interface by tags. An interface whose
/// name a shell could take for something else is left out.
fn commands(machines: &[Machine], host: &str, subnet: &Subnet) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let plain = cards(machines).filter(|(_, card)| is_plain(&card.interface));
    let command = |(machine, card): (&Machine, &Card)| {
        let Subnet { group, network, subnet } = subnet;
        let name = nic_name(machine, card, &mut taken);
        format!(
            "az network nic create --resource-group {group} --name {name} --vnet-name {network} --subnet {subnet} \
             --tags {HOST_TAG}={host} {INTERFACE_TAG}={}",
            card.interface
        )
    };
    plain.map(command).collect()
}

/// A name of a NIC: the machine's, with the interface's where a machine has several.
fn nic_name(machine: &Machine, card: &Card, taken: &mut BTreeSet<String>) -> String {
    let clean = |text: &str| -> String {
        let replaced =
            text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' });
        replaced.skip_while(|c| !c.is_ascii_alphanumeric()).take(NIC_NAME_LENGTH_MAX / 2).collect()
    };
    let short = format!("{}-nic", clean(&machine.name));
    let name = if machine.cards.len() == 1 && !taken.contains(&short) {
        short
    } else {
        format!("{}-{}", clean(&machine.name), clean(&card.interface))
    };
    taken.insert(name.clone());
    name
}

#[cfg(test)]
mod tests {
    use palisade_agent::machines::Hypervisor;

    use super::*;

    fn machine(name: &str, interfaces: &[&str]) -> Machine {
        let card = |interface: &&str| Card { interface: (*interface).to_owned(), mac: None };
        let cards = interfaces.iter().map(card).collect();
        Machine { name: name.to_owned(), hypervisor: Hypervisor::Qemu, pid: 7, cards }
    }

    #[test]
    fn each_interface_has_a_command_and_no_two_the_same_name() {
        let subnet: Subnet = "rg/net/web".parse().unwrap();
        let machines =
            [machine("a", &["tap0"]), machine("a", &["tap1"]), machine("b $(x)", &["tap2", "tap3", "t;x"])];
        let commands = commands(&machines, "h1", &subnet);
        let begin = "az network nic create --resource-group rg --name ";
        let names: Vec<&str> = commands
            .iter()
            .map(|line| line.strip_prefix(begin).unwrap().split(' ').next().unwrap())
            .collect();
        assert_eq!(names, ["a-nic", "a-tap1", "b---x--tap2", "b---x--tap3"]);
        assert!(
            commands[0]
                .ends_with(" --vnet-name net --subnet web --tags palisade-host=h1 palisade-interface=tap0"),
            "{commands:?}"
        );
    }

    #[test]
    fn a_subnet_has_three_plain_parts() {
        for wrong in ["", "a", "a/b", "a/b/c/d", "a//c", "a/b/$(c)", "a b/c/d"] {
            assert!(wrong.parse::<Subnet>().is_err(), "{wrong}");
        }
    }
}
