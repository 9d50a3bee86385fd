//! `parseCidr`, `cidrSubnet` and `cidrHost`, for both address families.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Call, Function, Needs};
use crate::template::problem::Fault;
use crate::template::value::{Data, Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "parseCidr", args: (1, 1), needs: Needs::All, returns: Some(Type::Object), run: parse },
    Function {
        name: "cidrSubnet",
        args: (3, 3),
        needs: Needs::All,
        returns: Some(Type::String),
        run: subnet,
    },
    Function { name: "cidrHost", args: (2, 2), needs: Needs::All, returns: Some(Type::String), run: host },
];

/// An address as a number, with the width of its family.
struct Network {
    first: u128,
    prefix: u32,
    bits: u32,
}

impl Network {
    fn read(call: &Call<'_>, index: usize) -> Result<Self, Fault> {
        let text = call.str(index)?;
        let bad = || call.fault(format!("'{text}' is not a network in CIDR notation"));
        let (address, prefix) = text.split_once('/').ok_or_else(bad)?;
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let prefix: u32 = prefix.parse().map_err(|_| bad())?;
        let (value, bits) = match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
            IpAddr::V6(v6) => (u128::from(v6), 128),
        };
        if prefix > bits {
            return Err(bad());
        }
        let mut network = Self { first: value, prefix, bits };
        network.first = value & !network.host_mask();
        Ok(network)
    }

    fn host_mask(&self) -> u128 {
        low_bits(self.bits - self.prefix)
    }

    fn last(&self) -> u128 {
        self.first | self.host_mask()
    }

    fn show(&self, value: u128) -> String {
        if self.bits == 32 {
            std::net::Ipv4Addr::from((value & u128::from(u32::MAX)) as u32).to_string()
        } else {
            std::net::Ipv6Addr::from(value).to_string()
        }
    }
}

/// The lowest `count` bits set; `count` may be the whole width.
fn low_bits(count: u32) -> u128 {
    u128::MAX.checked_shr(128 - count).unwrap_or(0)
}

fn parse(call: &Call<'_>) -> Result<Data, Fault> {
    let network = Network::read(call, 0)?;
    let mask = low_bits(network.bits) & !network.host_mask();
    let mut members: Vec<(Arc<str>, Value)> = vec![
        ("network".into(), call.value(network.show(network.first))),
        ("netmask".into(), call.value(network.show(mask))),
    ];
    if network.bits == 32 {
        members.push(("broadcast".into(), call.value(network.show(network.last()))));
        // Azure leaves out the network's own and the broadcast address where there are any.
        let edge = u128::from(network.prefix < 31);
        members.push(("firstUsable".into(), call.value(network.show(network.first + edge))));
        members.push(("lastUsable".into(), call.value(network.show(network.last() - edge))));
    } else {
        members.push(("firstUsable".into(), call.value(network.show(network.first))));
        members.push(("lastUsable".into(), call.value(network.show(network.last()))));
    }
    members.push(("cidr".into(), call.value(Data::Int(i64::from(network.prefix)))));
    call.object(members)
}

fn subnet(call: &Call<'_>) -> Result<Data, Fault> {
    let network = Network::read(call, 0)?;
    let (prefix, index) = (call.int(1)?, call.int(2)?);
    let Some(prefix) = u32::try_from(prefix).ok().filter(|p| (network.prefix..=network.bits).contains(p))
    else {
        return Err(call.fault(format!(
            "the new prefix length '{prefix}' must lie between {} and {}",
            network.prefix, network.bits
        )));
    };
    let room = low_bits(prefix - network.prefix);
    let Some(index) = u128::try_from(index).ok().filter(|&index| index <= room) else {
        return Err(call.fault(format!("the subnet index '{index}' is not within the network")));
    };
    // A prefix of 0 leaves no room but index 0, and shifting by the whole width is not defined.
    let first = network.first | index.checked_shl(network.bits - prefix).unwrap_or(0);
    call.text(format!("{}/{prefix}", network.show(first)))
}

/// Host 0 is the first usable address.
fn host(call: &Call<'_>) -> Result<Data, Fault> {
    let network = Network::read(call, 0)?;
    let index = call.int(1)?;
    let usable = u128::from(network.bits == 32 && network.prefix < 31);
    let first = network.first + usable;
    let last = network.last() - usable;
    match u128::try_from(index).ok().and_then(|index| first.checked_add(index)).filter(|host| *host <= last) {
        Some(host) => call.text(network.show(host)),
        None => Err(call.fault(format!("the host index '{index}' is not within the network"))),
    }
}
