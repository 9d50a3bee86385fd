//! Small random estates: one network, two subnets, up to four interfaces, a few rules.

use palisade_classify::generate::Random;
use palisade_model::{
    Estate, ResourceId, TagCatalog,
    spec::{
        AsgSpec, At, EstateSpec, Given, IpConfigurationSpec, NicSpec, NsgSpec, Place, RuleSpec, SideSpec,
        SubnetSpec, Text, VirtualNetworkSpec,
    },
};

/// Addresses that interfaces of each subnet have; those after the third are assigned.
pub const ADDRESSES: [[&str; 6]; 2] = [
    ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.9"],
    ["10.0.0.20", "10.0.0.21", "10.0.0.22", "10.0.0.23", "10.0.0.24", "10.0.0.25"],
];

pub struct Maker {
    pub random: Random,
    pub open_percent: usize,
}

fn id(kind: &str, name: &str) -> ResourceId {
    ResourceId::new(&format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/{kind}/{name}"))
}

fn network() -> ResourceId {
    id("virtualNetworks", "net")
}

pub fn validated(spec: &EstateSpec) -> Estate {
    let (estate, problems) = Estate::validate(spec, TagCatalog::new([]));
    estate.unwrap_or_else(|| panic!("{problems:#?}"))
}

impl Maker {
    pub fn estate(&mut self) -> EstateSpec {
        let nsgs: Vec<NsgSpec> = (0..3).map(|number| self.nsg(number)).collect();
        let subnets = [("a", "10.0.0.0/28"), ("b", "10.0.0.16/28")].map(|(name, prefix)| SubnetSpec {
            address_prefixes: Some(At::known(vec![Text::known(prefix)])),
            nsg: self
                .random
                .chance(60)
                .then(|| At::known(id("networkSecurityGroups", self.one(&["s0", "s1"])))),
            ..SubnetSpec::new(network().child("subnets", name))
        });
        let network = VirtualNetworkSpec {
            address_prefixes: Some(At::known(vec![Text::known("10.0.0.0/24")])),
            subnets: subnets.into(),
            ..VirtualNetworkSpec::new(network())
        };
        let count = 1 + self.random.below(3);
        let nics: Vec<NicSpec> = (0..count).map(|number| self.nic(number)).collect();
        let at_subnets = network.subnets.iter().filter_map(|subnet| subnet.nsg.as_ref());
        let attached: Vec<ResourceId> = at_subnets
            .chain(nics.iter().filter_map(|nic| nic.nsg.as_ref()))
            .filter_map(|nsg| nsg.value.known().cloned())
            .collect();
        EstateSpec {
            // What VirtualNetwork means to one that is attached to nothing is not known.
            nsgs: nsgs.into_iter().filter(|nsg: &NsgSpec| attached.contains(&nsg.id)).collect(),
            asgs: vec![AsgSpec::new(id("applicationSecurityGroups", "g"))],
            virtual_networks: vec![network],
            nics,
            ..EstateSpec::default()
        }
    }

    fn one<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.random.below(words.len())]
    }

    fn nic(&mut self, number: usize) -> NicSpec {
        let subnet = self.random.below(2);
        let is_open = self.random.chance(self.open_percent);
        let address = (!is_open).then(|| Text::known(ADDRESSES[subnet][number]));
        let groups = self.random.chance(40).then(|| At::known(id("applicationSecurityGroups", "g")));
        let configuration = IpConfigurationSpec {
            private_address: address,
            asgs: groups.into_iter().collect(),
            ..IpConfigurationSpec::new("c", network().child("subnets", ["a", "b"][subnet]))
        };
        let nsg =
            self.random.chance(50).then(|| At::known(id("networkSecurityGroups", self.one(&["s1", "s2"]))));
        let id = id("networkInterfaces", &format!("n{number}"));
        NicSpec { nsg, ip_configurations: vec![configuration], ..NicSpec::new(id) }
    }

    fn nsg(&mut self, number: usize) -> NsgSpec {
        let count = self.random.below(5);
        NsgSpec {
            rules: (0..count).map(|number| self.rule(number)).collect(),
            ..NsgSpec::new(id("networkSecurityGroups", &format!("s{number}")))
        }
    }

    fn rule(&mut self, number: usize) -> RuleSpec {
        let is_open = self.random.chance(self.open_percent / 3);
        let access = if is_open { At::unknown("open") } else { At::known(self.one(&["Allow", "Deny"])) };
        let port = self.one(&["*", "*", "22", "443"]);
        let protocol = self.one(&["*", "*", "Tcp", "Icmp"]);
        let port = if protocol == "Icmp" { "*" } else { port };
        RuleSpec {
            protocol: Some(Text::known(protocol)),
            access: Some(access),
            priority: Some(Text::known(format!("{}", 100 + number))),
            direction: Some(Text::known(self.one(&["Inbound", "Outbound"]))),
            source: self.side("*"),
            destination: self.side(port),
            ..RuleSpec::new(&format!("r{number}"))
        }
    }

    fn side(&mut self, port: &str) -> SideSpec {
        let words = [
            "*",
            "*",
            "Internet",
            "VirtualNetwork",
            "10.0.0.0/28",
            "10.0.0.16/28",
            "10.0.0.4",
            "10.0.0.20",
            "8.8.8.0/24",
            "group",
        ];
        let mut side = SideSpec { port_range: Some(Text::known(port)), ..SideSpec::default() };
        match self.one(&words) {
            "group" => {
                let group = At::known(id("applicationSecurityGroups", "g"));
                side.groups = Some(At { value: Given::Known(vec![group]), place: Place::default() });
            }
            word => side.address_prefix = Some(Text::known(word)),
        }
        side
    }

    /// One way in which what is open may turn out.
    pub fn settled(&mut self, spec: &EstateSpec) -> EstateSpec {
        let mut spec = spec.clone();
        for (number, nic) in spec.nics.iter_mut().enumerate() {
            for configuration in &mut nic.ip_configurations {
                let subnet = configuration.subnet.as_ref().and_then(|subnet| subnet.value.known());
                let subnet = usize::from(subnet.expect("it is known").name() == "b");
                let at = if self.random.chance(50) { number } else { 3 + number };
                configuration.private_address.get_or_insert_with(|| Text::known(ADDRESSES[subnet][at]));
            }
        }
        for rule in spec.nsgs.iter_mut().flat_map(|nsg| &mut nsg.rules) {
            let access = rule.access.as_mut().expect("every rule has one");
            if access.value.known().is_none() {
                *access = Text::known(self.one(&["Allow", "Deny"]));
            }
        }
        spec
    }
}
