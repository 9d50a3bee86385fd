//! Sets of services in words: `tcp/443 (https)`, `udp/*`, `icmp`, `all but tcp/25 (smtp)`.

use palisade_net::{Family, Protocol, RangeSet};

use super::services::Services;
use crate::{
    Terms,
    bits::Bits,
    region,
    space::{Kind, Space},
};

/// Names of services that people know by name, by protocol and port (IANA, and the words of Azure's portal).
const NAMES: [(Protocol, u16, &str); 36] = [
    (Protocol::TCP, 20, "ftp-data"),
    (Protocol::TCP, 21, "ftp"),
    (Protocol::TCP, 22, "ssh"),
    (Protocol::TCP, 23, "telnet"),
    (Protocol::TCP, 25, "smtp"),
    (Protocol::TCP, 53, "dns"),
    (Protocol::UDP, 53, "dns"),
    (Protocol::UDP, 67, "dhcp"),
    (Protocol::TCP, 80, "http"),
    (Protocol::TCP, 88, "kerberos"),
    (Protocol::UDP, 88, "kerberos"),
    (Protocol::UDP, 123, "ntp"),
    (Protocol::TCP, 135, "rpc"),
    (Protocol::TCP, 139, "netbios"),
    (Protocol::UDP, 161, "snmp"),
    (Protocol::TCP, 389, "ldap"),
    (Protocol::TCP, 443, "https"),
    (Protocol::TCP, 445, "smb"),
    (Protocol::UDP, 500, "ike"),
    (Protocol::UDP, 514, "syslog"),
    (Protocol::TCP, 587, "submission"),
    (Protocol::TCP, 636, "ldaps"),
    (Protocol::TCP, 1433, "sql"),
    (Protocol::TCP, 1521, "oracle"),
    (Protocol::TCP, 1688, "kms"),
    (Protocol::TCP, 2049, "nfs"),
    (Protocol::TCP, 3306, "mysql"),
    (Protocol::TCP, 3389, "rdp"),
    (Protocol::UDP, 3389, "rdp"),
    (Protocol::TCP, 5432, "postgresql"),
    (Protocol::TCP, 5985, "winrm"),
    (Protocol::TCP, 5986, "winrm-https"),
    (Protocol::TCP, 6379, "redis"),
    (Protocol::TCP, 6443, "kubernetes"),
    (Protocol::TCP, 9200, "elasticsearch"),
    (Protocol::TCP, 27017, "mongodb"),
];

/// The service of a name such as `ssh`: its protocols, each with its port.
pub fn named(name: &str) -> impl Iterator<Item = (Protocol, u16)> {
    let found = NAMES.iter().filter(move |(_, _, known)| known.eq_ignore_ascii_case(name));
    found.map(|(protocol, port, _)| (*protocol, *port))
}

impl Services {
    /// A set of atoms in words, or what is not in it if that takes fewer.
    pub(super) fn words(&self, set: &[u64]) -> Terms {
        let all = self.all();
        let rest: Vec<u64> = all.iter().zip(set).map(|(all, inside)| all & !inside).collect();
        if rest.iter().all(|word| *word == 0) {
            return Terms::All;
        }
        let inside = self.terms(set);
        let outside = self.terms(&rest);
        if outside.len() < inside.len() { Terms::AllBut(outside) } else { Terms::Of(inside) }
    }

    fn terms(&self, set: &[u64]) -> Vec<String> {
        let mut terms = Vec::new();
        for (kind, (space, fields)) in self.kinds.iter().enumerate() {
            let atoms = self.atoms.iter().enumerate().filter(|(_, atom)| atom.kind == kind);
            let inside = atoms.filter(|(number, _)| set[number / 64] >> (number % 64) & 1 == 1);
            let products = inside.flat_map(|(_, atom)| &atom.cells).map(|cell| {
                let one = |field: usize| {
                    let mut bits = Bits::none(fields[field].len());
                    bits.insert(cell[field]);
                    bits
                };
                // The port that receives is what people look for: it is joined last, and so the first to be told apart.
                vec![one(1), one(2), one(0)]
            });
            for product in region::merge(products.collect()) {
                let values = |at: usize, field: usize| -> RangeSet<u128> {
                    fields[field].ranges_of(&product[at]).collect()
                };
                let (to, from, protocols) = (values(0, 1), values(1, 2), values(2, 0));
                terms.extend(product_terms(*space, &protocols, &to, &from));
            }
        }
        terms
    }
}

/// Protocols with the same ports: a term for each protocol and range of ports.
fn product_terms(
    space: Space,
    protocols: &RangeSet<u128>,
    to: &RangeSet<u128>,
    from: &RangeSet<u128>,
) -> Vec<String> {
    let number = |value: u128| u16::try_from(value).expect("ports and protocols have at most 16 bits");
    let protocol = |value: u128| Protocol(u8::try_from(value).expect("protocols are numbers to 255"));
    let all = || protocols.ranges().iter().flat_map(|&(first, last)| first..=last).map(protocol);
    match space.kind {
        Kind::Ports => {
            let is_whole = |set: &RangeSet<u128>| set.ranges() == [(0, u16::MAX.into())];
            let sent = if is_whole(from) { String::new() } else { format!(" from port {}", list(from)) };
            let terms = |protocol: Protocol| -> Vec<String> {
                let name = protocol.to_string().to_ascii_lowercase();
                if is_whole(to) {
                    return vec![format!("{name}/*{sent}")];
                }
                let range = |&(first, last): &(u128, u128)| match first == last {
                    true => format!("{name}/{first}{}{sent}", well_known(protocol, number(first))),
                    false => format!("{name}/{first}-{last}{sent}"),
                };
                to.ranges().iter().map(range).collect()
            };
            all().flat_map(terms).collect()
        }
        Kind::Types => {
            let name = if space.family == Family::V4 { "icmp" } else { "icmpv6" };
            let own = Protocol::icmp_of(space.family);
            let is_whole = to.ranges() == [(0, u8::MAX.into())];
            let types = if is_whole { String::new() } else { format!(" type {}", list(to)) };
            // A rule's `Icmp` is that of both families; the other one's is not worth a word beside the own.
            match all().find(|protocol| *protocol == own) {
                Some(_) => vec![format!("{name}{types}")],
                None => all().map(|protocol| format!("protocol {}{types}", protocol.0)).collect(),
            }
        }
        Kind::Bare
            if *protocols
                == space.protocols().ranges().iter().map(|&(a, b)| (a.into(), b.into())).collect() =>
        {
            vec!["other protocols".to_owned()]
        }
        Kind::Bare => {
            let (named, other): (Vec<Protocol>, Vec<Protocol>) =
                all().partition(|protocol| protocol.to_string().starts_with(char::is_alphabetic));
            let mut terms: Vec<String> = named.iter().map(|p| p.to_string().to_ascii_lowercase()).collect();
            if !other.is_empty() {
                let numbers = other.iter().map(|p| (u128::from(p.0), u128::from(p.0))).collect();
                terms.push(format!("protocol {}", list(&numbers)));
            }
            terms
        }
    }
}

fn well_known(protocol: Protocol, port: u16) -> String {
    let found = NAMES.iter().find(|(of, known, _)| (*of, *known) == (protocol, port));
    found.map_or_else(String::new, |(_, _, name)| format!(" ({name})"))
}

fn list(set: &RangeSet<u128>) -> String {
    let range = |&(first, last): &(u128, u128)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    set.ranges().iter().map(range).collect::<Vec<_>>().join(",")
}
