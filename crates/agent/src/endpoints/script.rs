//! The text that nftables is given: one table, replaced whole in one transaction.
//!
//! It is made of typed values only: addresses, prefixes and numbers, and a name of which every character is checked. Senders that
//! are not listed are dropped before the translation and at every packet, so that a source that is taken off the list is cut off
//! in the middle of a connection. Reference: nft(8).

use std::fmt::Write as _;
use std::net::IpAddr;

use palisade_model::Endpoint;
use palisade_net::{Family, Prefix, Protocol};

/// What all names of tables begin with.
const PREFIX: &str = "palisade-";
/// Longest name of a table that is made; nftables takes 255 bytes.
const NAME_LENGTH_MAX: usize = 200;

/// The table of an instance of this name. Characters that nftables does not take are replaced.
pub(crate) fn table_name(instance: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let letters = instance.chars().map(|letter| if fits(letter) { letter } else { '_' });
    PREFIX.chars().chain(letters).take(NAME_LENGTH_MAX).collect()
}

/// The text that removes a table, whether there is one or not.
pub(crate) fn removal(table: &str) -> String {
    format!("table inet {table}\ndelete table inet {table}\n")
}

/// The text that makes a table of these endpoints, in place of the one that may be there.
pub(crate) fn of(table: &str, endpoints: &[&Endpoint]) -> String {
    let mut text = removal(table);
    let _ = writeln!(text, "table inet {table} {{");
    for (number, endpoint) in endpoints.iter().enumerate() {
        if let Sources::Listed(prefixes) = Sources::of(endpoint) {
            set(&mut text, number, endpoint, &prefixes);
        }
    }
    // Before the translation, while the frontend's address still stands in the packet, and after connections are tracked.
    text.push_str("  chain sources {\n    type filter hook prerouting priority -150; policy accept;\n");
    for (number, endpoint) in endpoints.iter().enumerate() {
        let unlisted = match Sources::of(endpoint) {
            Sources::All => continue,
            Sources::Listed(_) => format!("{} saddr != @sources{number} ", family(endpoint)),
            Sources::Nobody => String::new(),
        };
        for transport in endpoint.protocol.transports() {
            let _ = writeln!(text, "    {} {unlisted}drop", place(endpoint, *transport));
        }
    }
    text.push_str("  }\n  chain translate {\n    type nat hook prerouting priority -100; policy accept;\n");
    for endpoint in endpoints {
        for transport in endpoint.protocol.transports() {
            let (place, family) = (place(endpoint, *transport), family(endpoint));
            let _ = writeln!(text, "    {place} dnat {family} to {}", target(endpoint));
        }
    }
    text.push_str("  }\n}\n");
    text
}

/// Who may use an endpoint, of its own family.
enum Sources {
    All,
    Listed(Vec<Prefix>),
    Nobody,
}

impl Sources {
    fn of(endpoint: &Endpoint) -> Self {
        let Some(sources) = &endpoint.sources else { return Self::All };
        let family = Family::of(endpoint.frontend);
        let own = sources.prefixes().into_iter().filter(|prefix| prefix.family() == family);
        match own.collect::<Vec<_>>() {
            none if none.is_empty() => Self::Nobody,
            // The whole family as one prefix: a set would hold nothing but everything.
            all if all[0].length() == 0 => Self::All,
            listed => Self::Listed(listed),
        }
    }
}

fn set(text: &mut String, number: usize, endpoint: &Endpoint, prefixes: &[Prefix]) {
    let kind = match Family::of(endpoint.frontend) {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    };
    let elements: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
    let _ = writeln!(
        text,
        "  set sources{number} {{\n    type {kind}\n    flags interval\n    elements = {{ {} }}\n  }}",
        elements.join(", ")
    );
}

fn family(endpoint: &Endpoint) -> &'static str {
    match Family::of(endpoint.frontend) {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

/// The packets that an endpoint is about, as they come.
fn place(endpoint: &Endpoint, transport: Protocol) -> String {
    let name = if transport == Protocol::TCP { "tcp" } else { "udp" };
    format!("{} daddr {} {name} dport {}", family(endpoint), endpoint.frontend, endpoint.public_port)
}

fn target(endpoint: &Endpoint) -> String {
    match endpoint.address {
        IpAddr::V4(address) => format!("{address}:{}", endpoint.private_port),
        IpAddr::V6(address) => format!("[{address}]:{}", endpoint.private_port),
    }
}
