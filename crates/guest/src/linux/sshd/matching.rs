//! What a `Match` asks of a connection: patterns of users, groups and hosts, and prefixes of addresses.

use std::net::IpAddr;

use super::line::token;
use crate::pattern::matches_name;

/// A connection, as far as it is known; what is not known matches nothing but `all`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// The account.
    pub user: Option<String>,
    /// Groups of the account.
    pub groups: Vec<String>,
    /// Name of the client.
    pub host: Option<String>,
    /// Address of the client.
    pub address: Option<IpAddr>,
    /// Address that it came to.
    pub local_address: Option<IpAddr>,
    /// Port that it came to.
    pub local_port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Criterion {
    User(String),
    Group(String),
    Host(String),
    Address(Vec<Addresses>),
    LocalAddress(Vec<Addresses>),
    LocalPort(u16),
    /// Routing domains are not known from files.
    RoutingDomain,
}

/// The conditions of one `Match`; without any it holds for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    text: String,
    criteria: Vec<Criterion>,
}

impl Condition {
    /// Reads what stands behind `Match`.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let bad = || format!("Match {text}: it is not understood");
        let mut criteria = Vec::new();
        let mut rest = text;
        let mut is_all = false;
        while !rest.is_empty() && !rest.starts_with('#') {
            let (name, behind) = token(rest).ok_or_else(bad)?;
            rest = behind;
            if name.eq_ignore_ascii_case("all") {
                let is_alone = criteria.is_empty() && !is_all && (rest.is_empty() || rest.starts_with('#'));
                if !is_alone {
                    return Err(format!("Match {text}: all stands alone"));
                }
                is_all = true;
                continue;
            }
            let (value, behind) = token(rest)
                .filter(|(value, _)| !value.is_empty() && !value.starts_with('#'))
                .ok_or_else(bad)?;
            rest = behind;
            criteria.push(Criterion::read(&name, value).ok_or_else(bad)?);
        }
        if criteria.is_empty() && !is_all {
            return Err("Match has no conditions".to_owned());
        }
        Ok(Self { text: text.to_owned(), criteria })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) const fn is_all(&self) -> bool {
        self.criteria.is_empty()
    }

    /// Whether it holds for a connection, or where none is known.
    pub(super) fn matches(&self, connection: Option<&Connection>) -> bool {
        let holds = |criterion: &Criterion| connection.is_some_and(|connection| criterion.holds(connection));
        self.criteria.iter().all(holds)
    }
}

impl Criterion {
    fn read(name: &str, value: String) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "user" => Self::User(value),
            "group" => Self::Group(value),
            "host" => Self::Host(value.to_ascii_lowercase()),
            "address" => Self::Address(addresses(&value)?),
            "localaddress" => Self::LocalAddress(addresses(&value)?),
            "localport" => Self::LocalPort(value.parse().ok().filter(|port| *port != 0)?),
            "rdomain" => Self::RoutingDomain,
            _ => return None,
        })
    }

    fn holds(&self, connection: &Connection) -> bool {
        let one = |text: &Option<String>, patterns: &str| {
            text.as_ref().is_some_and(|text| is_listed(text, patterns))
        };
        match self {
            Self::User(patterns) => one(&connection.user, patterns),
            Self::Host(patterns) => {
                one(&connection.host.as_ref().map(|host| host.to_ascii_lowercase()), patterns)
            }
            Self::Group(patterns) => is_group_listed(&connection.groups, patterns),
            Self::Address(list) => connection.address.is_some_and(|address| is_within(address, list)),
            Self::LocalAddress(list) => {
                connection.local_address.is_some_and(|address| is_within(address, list))
            }
            Self::LocalPort(port) => connection.local_port == Some(*port),
            Self::RoutingDomain => false,
        }
    }
}

/// A part of a list of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Addresses {
    is_negated: bool,
    what: AddressPattern,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum AddressPattern {
    Prefix(IpAddr, u32),
    Text(String),
}

/// A list of prefixes and patterns; `None` if sshd refuses it.
fn addresses(list: &str) -> Option<Vec<Addresses>> {
    list.split(',')
        .map(|part| {
            let (is_negated, part) = part.strip_prefix('!').map_or((false, part), |part| (true, part));
            let what = match part.split_once('/') {
                Some((address, length)) => {
                    let (address, length) = (address.parse::<IpAddr>().ok()?, length.parse::<u32>().ok()?);
                    AddressPattern::Prefix(address, is_clean(address, length).then_some(length)?)
                }
                None if part.is_empty() => return None,
                None => match part.parse::<IpAddr>() {
                    Ok(address) => AddressPattern::Prefix(address, bits(address).1),
                    Err(_) => AddressPattern::Text(part.to_ascii_lowercase()),
                },
            };
            Some(Addresses { is_negated, what })
        })
        .collect()
}

/// An address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

/// The bits of an address before those of its hosts.
fn network(address: IpAddr, length: u32) -> u128 {
    let (number, width) = bits(address);
    number.checked_shr(width.saturating_sub(length)).unwrap_or(0)
}

/// Whether a prefix is one, without bits behind its length, which sshd refuses.
fn is_clean(address: IpAddr, length: u32) -> bool {
    let (number, width) = bits(address);
    let hosts = width.checked_sub(length);
    hosts.is_some_and(|hosts| number.trailing_zeros() >= hosts || hosts == 0)
}

/// A part that is negated and matches decides at once.
fn is_within(address: IpAddr, list: &[Addresses]) -> bool {
    let mut is_found = false;
    for part in list {
        let matches = match &part.what {
            AddressPattern::Prefix(prefix, length) => {
                prefix.is_ipv4() == address.is_ipv4()
                    && network(*prefix, *length) == network(address, *length)
            }
            AddressPattern::Text(pattern) => matches_name(&address.to_string(), pattern),
        };
        if matches && part.is_negated {
            return false;
        }
        is_found |= matches;
    }
    is_found
}

/// Whether patterns between commas name a text; one that is negated and matches decides.
fn is_listed(text: &str, patterns: &str) -> bool {
    listed(text, patterns) == Some(true)
}

/// Whether a list says that a text is meant, is not meant, or nothing.
fn listed(text: &str, patterns: &str) -> Option<bool> {
    let mut found = None;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches_name(text, pattern) => return Some(false),
            None if matches_name(text, pattern) => found = Some(true),
            _ => {}
        }
    }
    found
}

/// One group that is not meant decides against all others.
fn is_group_listed(groups: &[String], patterns: &str) -> bool {
    let found: Vec<Option<bool>> = groups.iter().map(|group| listed(group, patterns)).collect();
    found.contains(&Some(true)) && !found.contains(&Some(false))
}
