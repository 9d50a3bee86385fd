//! A large estate from a seed: one network, many subnets, more NSGs than subnets, and interfaces of which most have one of
//! their own.
//!
//! NSGs choose services from one list and addresses from one pool, as people do, but every NSG is different. It must not know
//! what is asked of the estate.

use palisade_classify::generate::Random;
use palisade_model::{
    Estate, ResourceId, TagCatalog,
    spec::{
        At, EstateSpec, IpConfigurationSpec, NicSpec, NsgSpec, RuleSpec, SideSpec, SubnetSpec, Text,
        VirtualNetworkSpec,
    },
};

use crate::error::{Error, Result};

/// How large the estate is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Interfaces.
    pub nics: usize,
    /// Subnets, of 4,096 addresses each; at most 4,096, and no more than NSGs.
    pub subnets: usize,
    /// NSGs.
    pub nsgs: usize,
    /// Rules of an NSG in each direction, without the default ones.
    pub rules: usize,
    /// Percent of the interfaces that have an NSG of their own.
    pub guarded: usize,
}

/// What rules are about: protocols, and ports or ranges of them.
const SERVICES: usize = 40;
/// Parts of subnets, and prefixes elsewhere, that rules name.
const POOL: usize = 900;

/// The estate.
///
/// # Errors
/// If it is refused: it is larger than Azure's limits.
pub fn estate(size: Size, seed: u64) -> Result<Estate> {
    let mut maker = Maker { size, random: Random::new(seed), pool: Vec::new(), services: Vec::new() };
    maker.pool = (0..POOL).map(|number| maker.prefix(number)).collect();
    maker.services = (0..SERVICES).map(|number| maker.service(number)).collect();
    let spec = EstateSpec {
        nsgs: (0..size.nsgs).map(|number| maker.nsg(number)).collect(),
        virtual_networks: vec![maker.network()],
        nics: (0..size.nics).map(|number| maker.nic(number)).collect(),
        ..EstateSpec::default()
    };
    let (estate, problems) = Estate::validate(&spec, TagCatalog::default());
    let refused = || problems.first().map_or_else(String::new, |problem| problem.message.clone());
    estate.ok_or_else(|| Error::File { path: "a generated estate".into(), reason: refused() })
}

struct Maker {
    size: Size,
    random: Random,
    pool: Vec<String>,
    services: Vec<(&'static str, String)>,
}

fn id(kind: &str, number: usize) -> ResourceId {
    ResourceId::new(&format!("/{kind}/{kind}{number}"))
}

fn subnet(number: usize) -> ResourceId {
    ResourceId::new(&format!("/vnets/v/subnets/s{number}"))
}

/// An address of a subnet.
fn address(subnet: usize, offset: usize) -> String {
    format!("10.{}.{}.{}", subnet / 16, subnet % 16 * 16 + offset / 256, offset % 256)
}

impl Maker {
    fn network(&self) -> VirtualNetworkSpec {
        let subnets = (0..self.size.subnets).map(|number| SubnetSpec {
            address_prefixes: Some(At::known(vec![Text::known(format!("{}/20", address(number, 0)))])),
            nsg: Some(At::known(id("nsgs", number))),
            ..SubnetSpec::new(subnet(number))
        });
        VirtualNetworkSpec {
            address_prefixes: Some(At::known(vec![Text::known("10.0.0.0/8")])),
            subnets: subnets.collect(),
            ..VirtualNetworkSpec::new(ResourceId::new("/vnets/v"))
        }
    }

    fn nic(&mut self, number: usize) -> NicSpec {
        let home = number % self.size.subnets;
        let offset = 4 + number / self.size.subnets * 16 + self.random.below(16);
        let mut own = IpConfigurationSpec::new("c", subnet(home));
        own.private_address = Some(Text::known(address(home, offset)));
        let guarded = self.random.chance(self.size.guarded);
        let nsg = guarded.then(|| At::known(id("nsgs", self.random.below(self.size.nsgs))));
        NicSpec { nsg, ip_configurations: vec![own], ..NicSpec::new(id("nics", number)) }
    }

    fn nsg(&mut self, number: usize) -> NsgSpec {
        let ways = [("Inbound", 0), ("Outbound", self.size.rules)];
        let rules =
            ways.into_iter().flat_map(|(way, first)| (0..self.size.rules).map(move |n| (way, first, n)));
        let rules: Vec<(&str, usize, usize)> = rules.collect();
        let rules =
            rules.into_iter().map(|(way, first, number)| self.rule(way, first + number, 100 + number));
        NsgSpec { rules: rules.collect(), ..NsgSpec::new(id("nsgs", number)) }
    }

    fn rule(&mut self, way: &str, name: usize, priority: usize) -> RuleSpec {
        let (protocol, ports) = self.random.pick(&self.services).clone();
        let access = if self.random.chance(30) { "Deny" } else { "Allow" };
        let peers = self.side(15, "*");
        let own = self.side(60, &ports);
        let (source, destination) = match way {
            "Inbound" => (peers, own),
            _ => (
                SideSpec { port_range: Some(Text::known("*")), ..own },
                SideSpec { port_range: Some(Text::known(ports)), ..peers },
            ),
        };
        RuleSpec {
            name: Some(Text::known(format!("r{name}"))),
            protocol: Some(Text::known(protocol)),
            source,
            destination,
            access: Some(Text::known(access)),
            priority: Some(Text::known(priority.to_string())),
            direction: Some(Text::known(way)),
            certain: true,
            ..RuleSpec::default()
        }
    }

    /// Anything in so many of a hundred cases, else one to four prefixes of the pool.
    fn side(&mut self, anything: usize, ports: &str) -> SideSpec {
        let port_range = Some(Text::known(ports));
        if self.random.chance(anything) {
            let address_prefix = Some(Text::known("*"));
            return SideSpec { address_prefix, port_range, ..SideSpec::default() };
        }
        let mut chosen: Vec<String> = Vec::new();
        for _ in 0..=self.random.below(4) {
            let prefix = self.random.pick(&self.pool).clone();
            if !chosen.contains(&prefix) {
                chosen.push(prefix);
            }
        }
        let list = chosen.into_iter().map(Text::known).collect::<Vec<_>>();
        SideSpec { address_prefixes: Some(At::known(list)), port_range, ..SideSpec::default() }
    }

    /// A subnet, a part of one, or a prefix of the Internet. No two overlap, so that lists of them are taken.
    fn prefix(&mut self, number: usize) -> String {
        let subnets = self.size.subnets;
        match number {
            whole if whole < subnets / 2 => format!("{}/20", address(whole, 0)),
            part if part < 700 => {
                let half = subnets / 2;
                let (home, part) = (half + part % (subnets - half).max(1), part / subnets.max(1) % 4);
                format!("{}/22", address(home, part * 1024))
            }
            _ => format!("{}.{}.0.0/16", 20 + number % 30, number / 30),
        }
    }

    fn service(&mut self, number: usize) -> (&'static str, String) {
        const WELL_KNOWN: [u16; 12] = [22, 53, 80, 88, 135, 389, 443, 445, 1433, 3389, 5432, 8080];
        let port = match WELL_KNOWN.get(number) {
            Some(port) => *port,
            None => u16::try_from(9_000 + number * 50).expect("services are few"),
        };
        match number % 8 {
            7 => ("*", "*".to_owned()),
            6 => ("Udp", port.to_string()),
            5 => ("Tcp", format!("{port}-{}", port + 20)),
            _ => ("Tcp", port.to_string()),
        }
    }
}
