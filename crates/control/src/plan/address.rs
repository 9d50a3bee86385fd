//! Private addresses of interfaces: those that are asked for are checked, the others are given out.
//!
//! Azure keeps the first four addresses of a subnet and the last one for itself; the first free one from the fifth on is
//! given. An address is held in its whole virtual network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_model::ResourceId;
use palisade_net::Prefix;
use serde_json::{Map, Value};

use super::check::is_word;
use crate::world::Document;
use crate::{ControlError, World};

/// Addresses at the beginning of a subnet that nobody is given.
const RESERVED: u128 = 4;

/// Gives every IP configuration of an interface an address.
pub(super) fn assign(
    world: &World,
    nic: &ResourceId,
    own: &mut Map<String, Value>,
    stored: Option<&Document>,
) -> Result<(), ControlError> {
    let configurations = own
        .get_mut("properties")
        .and_then(|properties| properties.get_mut("ipConfigurations"))
        .and_then(Value::as_array_mut);
    let Some(configurations) = configurations.filter(|configurations| !configurations.is_empty()) else {
        let message = format!("Network interface {nic} must have one or more IP configurations.");
        return Err(ControlError::bad("NetworkInterfaceMustHaveAtLeastOneIpConfiguration", message)
            .about("properties.ipConfigurations"));
    };
    let mut taken = Vec::new();
    for configuration in configurations {
        let Some(address) = one(world, nic, configuration, stored, &taken)? else { continue };
        taken.push(address);
        if let Some(properties) = configuration.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("privateIPAddress".to_owned(), address.to_string().into());
        }
    }
    Ok(())
}

/// The address of one configuration; `None` if it says a whole block, or its subnet is not to be found.
fn one(
    world: &World,
    nic: &ResourceId,
    configuration: &Value,
    stored: Option<&Document>,
    taken: &[IpAddr],
) -> Result<Option<IpAddr>, ControlError> {
    let properties = &configuration["properties"];
    let Some(subnet) = properties["subnet"]["id"].as_str().map(ResourceId::new) else {
        let name = configuration["name"].as_str().unwrap_or_default();
        let message =
            format!("IP configuration {} does not name a subnet.", nic.child("ipConfigurations", name));
        return Err(ControlError::bad("SubnetNotSpecified", message).about("properties.subnet"));
    };
    let Some(document) = world.document(&subnet) else { return Ok(None) };
    let place = Place { world, nic, network: subnet.parent().unwrap_or_else(|| subnet.clone()), taken };
    let is_v6 = is_word(&properties["privateIPAddressVersion"], "IPv6");
    let prefixes = prefixes(document);
    if let Some(asked) = properties["privateIPAddress"].as_str().filter(|text| !text.is_empty()) {
        // A block, or what is no address at all, is the model's to judge.
        let Ok(address) = asked.parse() else { return Ok(None) };
        place.check(address, &subnet, &prefixes)?;
        return Ok(Some(address));
    }
    if is_word(&properties["privateIPAllocationMethod"], "Static") {
        let message = "A private IP address must be given where the allocation method is Static.";
        return Err(
            ControlError::bad("PrivateIPAddressNotSpecified", message).about("properties.privateIPAddress")
        );
    }
    if let Some(before) = before(stored, configuration, &subnet) {
        return Ok(Some(before));
    }
    let mut own = prefixes.iter().filter(|prefix| is_v6_of(**prefix) == is_v6);
    own.find_map(|prefix| place.first_free(*prefix)).map(Some).ok_or_else(|| {
        let message = format!(
            "Subnet {subnet} does not have enough capacity for 1 IP addresses. Add a prefix, or use another subnet."
        );
        ControlError::bad("SubnetIsFull", message)
    })
}

/// The address that a configuration of this name had in the same subnet.
fn before(stored: Option<&Document>, configuration: &Value, subnet: &ResourceId) -> Option<IpAddr> {
    let configurations = stored?.properties()["ipConfigurations"].as_array()?;
    let same = |other: &&Value| {
        let name = |value: &Value| value["name"].as_str().map(str::to_ascii_lowercase);
        let in_subnet = other["properties"]["subnet"]["id"].as_str().map(ResourceId::new);
        name(other) == name(configuration) && in_subnet.as_ref() == Some(subnet)
    };
    configurations.iter().find(same)?["properties"]["privateIPAddress"].as_str()?.parse().ok()
}

/// Where an address is wanted.
struct Place<'a> {
    world: &'a World,
    nic: &'a ResourceId,
    network: ResourceId,
    /// Addresses of the interface's other configurations.
    taken: &'a [IpAddr],
}

impl Place<'_> {
    fn check(&self, address: IpAddr, subnet: &ResourceId, prefixes: &[Prefix]) -> Result<(), ControlError> {
        let Some(prefix) = prefixes.iter().find(|prefix| prefix.contains(address)) else {
            let shown: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
            let message = format!(
                "Private static IP address {address} does not belong to the range of subnet prefix {} of {subnet}.",
                shown.join(", ")
            );
            return Err(ControlError::bad("PrivateIPAddressNotInSubnet", message));
        };
        if is_reserved(address, *prefix) {
            let message = format!(
                "Private static IP address {address} falls within reserved IP range of subnet prefix {prefix}."
            );
            return Err(ControlError::bad("PrivateIPAddressInReservedRange", message));
        }
        let holder = self.world.holder(&self.network, address).filter(|holder| *holder != self.nic);
        let holder = holder.or_else(|| self.taken.contains(&address).then_some(self.nic));
        if let Some(holder) = holder {
            let message = format!("IP address {address} is already allocated to resource {holder}.");
            return Err(ControlError::bad("PrivateIPAddressIsAllocated", message));
        }
        Ok(())
    }

    fn first_free(&self, prefix: Prefix) -> Option<IpAddr> {
        let (first, last) = bounds(prefix);
        let (first, last) = (first.checked_add(RESERVED)?, last.checked_sub(1)?);
        let held = self.world.held(&self.network, address(first, prefix), address(last, prefix));
        // Addresses in use come in order, so the first gap is the first free one.
        let mut wanted = first;
        for held in held.map(number) {
            while wanted < held && self.taken.contains(&address(wanted, prefix)) {
                wanted += 1;
            }
            if wanted < held {
                break;
            }
            wanted = wanted.max(held + 1);
        }
        while self.taken.contains(&address(wanted, prefix)) {
            wanted += 1;
        }
        (wanted <= last).then(|| address(wanted, prefix))
    }
}

/// The prefixes of a subnet.
pub(super) fn prefixes(subnet: &Document) -> Vec<Prefix> {
    let properties = subnet.properties();
    let many = properties["addressPrefixes"].as_array().filter(|list| !list.is_empty());
    let texts = many.map_or_else(
        || properties["addressPrefix"].as_str().into_iter().collect::<Vec<_>>(),
        |list| list.iter().filter_map(Value::as_str).collect(),
    );
    texts.into_iter().filter_map(|text| Prefix::parse_truncating(text).ok()).collect()
}

fn is_reserved(address: IpAddr, prefix: Prefix) -> bool {
    let ((first, last), at) = (bounds(prefix), number(address));
    // A subnet that is a single address or a pair has none to spare.
    last - first >= RESERVED && (at < first + RESERVED || at == last)
}

/// The first and the last address of a prefix as numbers.
fn bounds(prefix: Prefix) -> (u128, u128) {
    (number(prefix.address()), number(prefix.last()))
}

fn is_v6_of(prefix: Prefix) -> bool {
    prefix.address().is_ipv6()
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The address of a number in the family of a prefix.
fn address(number: u128, prefix: Prefix) -> IpAddr {
    match u32::try_from(number) {
        Ok(number) if !is_v6_of(prefix) => IpAddr::V4(Ipv4Addr::from(number)),
        _ => IpAddr::V6(Ipv6Addr::from(number)),
    }
}
