//! Who lives in the lab: four virtual machines in three subnets, and six hosts outside.
//!
//! Plain tables and no behaviour. The addresses of the machines are those of `examples/lab/azuredeploy.json`; a test
//! holds the two together. Outside addresses were chosen by what the `Internet` tag contains: 198.51.100.0/24 and
//! 203.0.113.0/24 are in it although they are reserved for documentation, 2e00::/16 is global unicast that nobody
//! has been given, and the update server has addresses that Microsoft publishes under `AzureUpdateDelivery`. All of
//! them exist only inside the lab's own namespaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_net::Family;

/// One address in each family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The IPv4 address.
    pub v4: Ipv4Addr,
    /// The IPv6 address.
    pub v6: Ipv6Addr,
}

/// A subnet of the lab's virtual network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    /// Its name in the template, which also names bridge and router port.
    pub name: &'static str,
    /// The router's address in it, the first of the subnet as in Azure.
    pub gateway: Addresses,
}

/// A virtual machine's side of a host.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// The NIC's name in the template; also the alias of the interface on the hypervisor's side.
    pub nic: &'static str,
    /// The subnet it is in.
    pub subnet: &'static Subnet,
    /// Its public addresses, which the router translates.
    pub public: Option<Addresses>,
}

/// A host of the lab.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// Its name, the last part of its namespace's name.
    pub name: &'static str,
    /// The addresses on its own interface.
    pub addresses: Addresses,
    /// Present for the machines that policy protects, absent for the outside.
    pub machine: Option<Machine>,
}

const fn addresses(v4: [u8; 4], v6: [u16; 8]) -> Addresses {
    let ([a, b, c, d], [e, f, g, h, i, j, k, l]) = (v4, v6);
    Addresses { v4: Ipv4Addr::new(a, b, c, d), v6: Ipv6Addr::new(e, f, g, h, i, j, k, l) }
}

/// Private addresses of the virtual network, 10.20.0.0/16 and fd00:20::/48.
const fn inside(subnet: u8, host: u8) -> Addresses {
    addresses([10, 20, subnet, host], [0xfd00, 0x20, 0, subnet as u16, 0, 0, 0, host as u16])
}

/// The digits of a decimal number as a hexadecimal one, so that both addresses of a host read alike.
const fn same_digits(number: u8) -> u16 {
    let number = number as u16;
    ((number / 100) << 8) | ((number / 10 % 10) << 4) | (number % 10)
}

/// Addresses in 198.51.100.0/24 and 2e00:100::/32: subscribers of an access provider, and the public addresses.
const fn access(host: u8) -> Addresses {
    addresses([198, 51, 100, host], [0x2e00, 0x100, 0, 0, 0, 0, 0, same_digits(host)])
}

/// Addresses in 203.0.113.0/24 and 2e00:113::/32: servers on the Internet.
const fn hosting(host: u8) -> Addresses {
    addresses([203, 0, 113, host], [0x2e00, 0x113, 0, 0, 0, 0, 0, same_digits(host)])
}

/// The web tier's subnet.
const WEB: Subnet = Subnet { name: "web", gateway: inside(1, 1) };
/// The database tier's subnet.
const DB: Subnet = Subnet { name: "db", gateway: inside(2, 1) };
/// The administrators' subnet.
const MGMT: Subnet = Subnet { name: "mgmt", gateway: inside(3, 1) };
/// All subnets.
pub(crate) const SUBNETS: [&Subnet; 3] = [&WEB, &DB, &MGMT];
/// The IPv4 space of the virtual network.
pub const NETWORK_V4: &str = "10.20.0.0/16";
/// The IPv6 space of the virtual network.
pub const NETWORK_V6: &str = "fd00:20::/48";
/// What machines without a public address are translated to on their way out.
pub(crate) const SHARED_EGRESS: Addresses = access(9);

const fn machine(nic: &'static str, subnet: &'static Subnet, public: Option<Addresses>) -> Option<Machine> {
    Some(Machine { nic, subnet, public })
}

/// Every host, the machines first.
pub const HOSTS: [Host; 10] = [
    // Web server with a public address.
    Host { name: "web1", addresses: inside(1, 4), machine: machine("web1-nic", &WEB, Some(access(10))) },
    // Web server behind it.
    Host { name: "web2", addresses: inside(1, 5), machine: machine("web2-nic", &WEB, None) },
    // Database server.
    Host { name: "db1", addresses: inside(2, 4), machine: machine("db1-nic", &DB, None) },
    // Jump host with a public address.
    Host { name: "mgmt1", addresses: inside(3, 4), machine: machine("mgmt1-nic", &MGMT, Some(access(11))) },
    // A web site.
    Host { name: "www", addresses: hosting(80), machine: None },
    // Update server, inside AzureUpdateDelivery.
    Host {
        name: "update",
        addresses: addresses([13, 95, 26, 4], [0x2603, 0x1020, 0x200, 0, 0, 0, 0x682f, 0xa455]),
        machine: None,
    },
    // Command-and-control look-alike.
    Host { name: "c2", addresses: hosting(166), machine: None },
    // A customer of the web site.
    Host { name: "customer", addresses: access(23), machine: None },
    // The administrator's office.
    Host { name: "office", addresses: access(40), machine: None },
    // An attacker.
    Host { name: "attacker", addresses: access(66), machine: None },
];

/// The host of this name.
pub fn host(name: &str) -> Option<&'static Host> {
    HOSTS.iter().find(|host| host.name == name)
}

impl Addresses {
    /// The address of one family.
    pub fn of(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.v4.into(),
            Family::V6 => self.v6.into(),
        }
    }

    /// A locally administered hardware address that shows the IPv4 address.
    pub fn mac(&self) -> String {
        let [a, b, c, d] = self.v4.octets();
        format!("02:50:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
    }
}

impl Host {
    /// The address others use to reach this host: outsiders the public one where there is one.
    ///
    /// An outsider reaches a machine without a public address under its private one. No real Internet routes that;
    /// the lab's does, so that nothing but policy stands between any two hosts.
    pub fn address_for(&self, from: &Host, family: Family) -> IpAddr {
        let public = self.machine.and_then(|machine| machine.public).filter(|_| from.machine.is_none());
        public.unwrap_or(self.addresses).of(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_unique_and_short_enough_for_interfaces() {
        for (index, host) in HOSTS.iter().enumerate() {
            assert!(host.name.len() <= "abcdefghijk".len(), "{}", host.name);
            for other in &HOSTS[index + 1..] {
                assert_ne!(host.name, other.name);
                assert_ne!(host.addresses, other.addresses);
            }
        }
    }

    #[test]
    fn only_outsiders_use_public_addresses() {
        let [web1, web2, attacker] = ["web1", "web2", "attacker"].map(|name| host(name).expect("listed"));
        assert_eq!(web1.address_for(attacker, Family::V4).to_string(), "198.51.100.10");
        assert_eq!(web1.address_for(web2, Family::V4).to_string(), "10.20.1.4");
        assert_eq!(web2.address_for(attacker, Family::V6).to_string(), "fd00:20:0:1::5");
    }
}
