//! The script: one rule a block, family and protocol, behind which everything is blocked.

use std::{fmt::Write as _, net::IpAddr};

use palisade_net::{AddressSet, Direction, PortSet, Protocol};

use super::{Allowed, TooManyBlocks, allowed};
use crate::Plain;

/// Addresses of one rule.
const ADDRESSES_MAX: usize = 1_000;
/// What stands before the rules, and behind them. The group that stays is Core Networking: neighbour discovery, DHCP.
const HEAD: &str = "# Made by palisade export. Run it in the machine, as an administrator.\n$ErrorActionPreference = 'Stop'\n\
    $group = 'Palisade'\n$core = '@FirewallAPI.dll,-25000'\n\
    Get-NetFirewallRule -Group $group -ErrorAction SilentlyContinue | Remove-NetFirewallRule\n\
    function Allow($name, $direction, $more) {\n  \
    New-NetFirewallRule -Name $name -DisplayName $name -Group $group -Direction $direction -Action Allow @more | Out-Null\n}\n";
const TAIL: &str = "Get-NetFirewallRule -PolicyStore PersistentStore -Enabled True |\n  \
    Where-Object { $_.Group -ne $group -and $_.Group -ne $core } | Disable-NetFirewallRule\n\
    Set-NetFirewallProfile -All -Enabled True -DefaultInboundAction Block -DefaultOutboundAction Block\n";

/// The script that makes these rules those of Windows.
///
/// # Errors
/// [`TooManyBlocks`].
pub fn script(plain: &Plain) -> Result<String, TooManyBlocks> {
    let mut text = HEAD.to_owned();
    for (number, rule) in allowed(plain)?.iter().enumerate() {
        write_rule(&mut text, number + 1, rule);
    }
    text.push_str(TAIL);
    Ok(text)
}

/// What a family's part of a set is called.
type Ranges = fn(&AddressSet) -> Vec<String>;

/// A rule for each family in which it holds, and for each thousand addresses.
fn write_rule(text: &mut String, number: usize, rule: &Allowed) {
    // Control messages are of one family; Windows is not asked for them with addresses of the other.
    let is_of_other = |other: Protocol| rule.protocols == [other];
    let families = [(v4 as Ranges, Protocol::ICMPV6), (v6, Protocol::ICMP)];
    let is_any = rule.remote.is_full() && rule.local.is_full();
    let sets: Vec<(Vec<String>, Vec<String>)> = if is_any {
        vec![(vec!["Any".to_owned()], vec!["Any".to_owned()])]
    } else {
        let own = families.iter().filter(|(_, other)| !is_of_other(*other));
        own.map(|(ranges, _)| (ranges(&rule.remote), ranges(&rule.local))).collect()
    };
    let mut part = 0;
    for (remote, local) in sets {
        for remote in remote.chunks(ADDRESSES_MAX) {
            for local in local.chunks(ADDRESSES_MAX) {
                part += 1;
                let name = format!("palisade-{number}-{part}");
                one(text, &name, rule, &list(remote), &list(local));
            }
        }
    }
}

fn one(text: &mut String, name: &str, rule: &Allowed, remote: &str, local: &str) {
    let direction = match rule.direction {
        Direction::Inbound => "Inbound",
        Direction::Outbound => "Outbound",
    };
    let addresses = format!("RemoteAddress = {remote}; LocalAddress = {local}");
    let mut line = |line: String| writeln!(text, "{line}").expect("writing to a string cannot fail");
    match rule.protocols[..] {
        [] => line(format!("Allow '{name}' {direction} @{{ {addresses} }}")),
        [protocol] => {
            let ports = ports(protocol, rule);
            let protocol = word(protocol);
            line(format!("Allow '{name}' {direction} @{{ Protocol = '{protocol}'; {addresses}{ports} }}"));
        }
        ref several => {
            let numbers: Vec<String> = several.iter().map(|protocol| protocol.0.to_string()).collect();
            line(format!("foreach ($number in {}) {{", numbers.join(", ")));
            line(format!(
                "  Allow \"{name}-$number\" {direction} @{{ Protocol = $number; {addresses} }}\n}}"
            ));
        }
    }
}

fn word(protocol: Protocol) -> String {
    match protocol {
        Protocol::TCP => "TCP".to_owned(),
        Protocol::UDP => "UDP".to_owned(),
        Protocol::ICMP => "ICMPv4".to_owned(),
        Protocol::ICMPV6 => "ICMPv6".to_owned(),
        Protocol(number) => number.to_string(),
    }
}

/// Ports as Windows names them, by whose they are; types of control messages.
fn ports(protocol: Protocol, rule: &Allowed) -> String {
    if protocol.is_icmp() {
        if rule.destination_ports.is_full() {
            return String::new();
        }
        let types =
            rule.destination_ports.ranges().iter().flat_map(|(from, to)| *from..=(*to).min(u8::MAX.into()));
        return format!("; IcmpType = {}", list(&types.map(|kind| kind.to_string()).collect::<Vec<_>>()));
    }
    let (remote, local) = match rule.direction {
        Direction::Inbound => (&rule.source_ports, &rule.destination_ports),
        Direction::Outbound => (&rule.destination_ports, &rule.source_ports),
    };
    let of = |name: &str, set: &PortSet| {
        let ranges: Vec<String> = set.ranges().iter().map(|(from, to)| range(from, to)).collect();
        if set.is_full() { String::new() } else { format!("; {name} = {}", list(&ranges)) }
    };
    of("RemotePort", remote) + &of("LocalPort", local)
}

fn v4(set: &AddressSet) -> Vec<String> {
    // Windows takes no prefix of length zero.
    if set.v4().is_full() {
        return ["0.0.0.0/1", "128.0.0.0/1"].map(str::to_owned).to_vec();
    }
    set.v4()
        .ranges()
        .iter()
        .map(|(from, to)| range(&IpAddr::V4((*from).into()), &IpAddr::V4((*to).into())))
        .collect()
}

fn v6(set: &AddressSet) -> Vec<String> {
    if set.v6().is_full() {
        return ["::/1", "8000::/1"].map(str::to_owned).to_vec();
    }
    set.v6()
        .ranges()
        .iter()
        .map(|(from, to)| range(&IpAddr::V6((*from).into()), &IpAddr::V6((*to).into())))
        .collect()
}

fn range<T: std::fmt::Display + PartialEq>(from: &T, to: &T) -> String {
    if from == to { from.to_string() } else { format!("{from}-{to}") }
}

/// An array of PowerShell.
fn list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("'{item}'")).collect();
    format!("@({})", quoted.join(", "))
}
