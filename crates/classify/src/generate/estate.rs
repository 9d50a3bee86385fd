//! Whole estates made from a seed, with an interface to ask about and flows that lie on the edges of its rules.
//!
//! [`known`] makes estates of which everything is known, so that they can be enforced; [`any`] leaves parts open; in those of [`answered`]
//! answers to alerts are in force at the interface. All use what the model has: rules of both NSGs and of security admin collections, windows, audit, application security groups, tags from
//! a file and computed ones, peerings, gateways, routes, public addresses. The same seed gives the same estate.

mod answers;
mod flows;
mod pool;
mod rules;

use std::collections::BTreeMap;

use palisade_model::{
    EffectivePolicy, Estate, Nic, ResourceId, TagCatalog,
    spec::{
        AdminCollectionSpec, AsgSpec, At, EstateSpec, Given, IpConfigurationSpec, LearnedPrefixesSpec,
        NicSpec, NsgSpec, PeeringSpec, PublicIpSpec, Reference, RouteSpec, RouteTableSpec, SubnetSpec, Text,
        TextList, VirtualNetworkSpec,
    },
};
use palisade_net::{Flow, Prefix};

use super::Random;

/// The moments at which its rules answer alike or not: both sides of each end of a window, and the ends of time.
pub const MOMENTS: [u32; 7] =
    [0, 1_799_999_999, 1_800_000_000, 1_800_000_001, 1_800_003_599, 1_800_003_600, u32::MAX];

/// An estate, and what to ask it.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The estate.
    pub estate: Estate,
    /// The interface that the flows pass.
    pub nic: ResourceId,
    /// The rules that hold there.
    pub policy: EffectivePolicy,
    /// First packets, most of them on the edges of the rules.
    pub flows: Vec<Flow>,
}

/// An estate of which everything is known, and `flows` flows.
pub fn known(seed: u64, flows: usize) -> Generated {
    generate(seed, flows, 0, false)
}

/// An estate of which everything is known, with answers to alerts and time-limited access, and `flows` flows.
pub fn answered(seed: u64, flows: usize) -> Generated {
    generate(seed, flows, 0, true)
}

/// An estate of which some parts are open, and `flows` flows.
pub fn any(seed: u64, flows: usize) -> Generated {
    // Few open parts leave most answers sure, and many leave none; both are of use.
    generate(seed, flows, if seed.is_multiple_of(4) { 12 } else { 2 }, false)
}

fn generate(seed: u64, flows: usize, open_percent: usize, answered: bool) -> Generated {
    let mut maker = Maker { random: Random::new(seed), open_percent };
    let mut spec = maker.estate();
    if answered {
        spec.admin_collections.extend(maker.own_lists());
        spec.throttles = maker.throttles();
    }
    let tags = maker.catalog();
    let (estate, problems) = Estate::validate(&spec, tags);
    let estate =
        estate.unwrap_or_else(|| panic!("seed {seed} made an estate that is refused: {problems:#?}"));
    let nic: &Nic = estate.nics_named("n").first().expect("every estate has the interface n");
    let (nic, policy) = (nic.id().clone(), estate.effective(nic));
    let flows = flows::aimed(&policy, flows, &mut maker.random);
    Generated { estate, nic, policy, flows }
}

fn id(text: &str) -> ResourceId {
    ResourceId::new(text)
}

fn texts(list: &[&str]) -> TextList {
    At::known(list.iter().map(|text| Text::known(*text)).collect::<Vec<_>>())
}

/// Makes parts of an estate.
struct Maker {
    random: Random,
    /// Percent of the parts that are left open.
    open_percent: usize,
}

impl Maker {
    /// Whether the next part is left open.
    fn leaves_open(&mut self) -> bool {
        self.random.chance(self.open_percent)
    }

    /// `value`, unless it is left open.
    fn given<T>(&mut self, value: T) -> At<Given<T>> {
        if self.leaves_open() { At::unknown("left open") } else { At::known(value) }
    }

    fn estate(&mut self) -> EstateSpec {
        let mut nics = vec![self.interface("n", ["10.0.0.4", "fd00::4"])];
        for (name, addresses) in [
            ("m", ["10.0.0.5", "fd00::5"]),
            ("o", ["10.0.0.128", "fd00::ffff"]),
            ("p", ["10.0.0.255", "fd00::1:0"]),
        ] {
            nics.push(self.interface(name, addresses));
        }
        EstateSpec {
            nsgs: vec![self.nsg("/nsgs/subnet"), self.nsg("/nsgs/nic")],
            asgs: self.groups(),
            virtual_networks: self.networks(),
            route_tables: vec![self.route_table()],
            nics,
            public_ips: self.public_ips(),
            load_balancers: Vec::new(),
            learned_prefixes: self.learned(),
            admin_collections: self.admin(),
            throttles: Vec::new(),
            unknowns: Vec::new(),
        }
    }

    fn nsg(&mut self, name: &str) -> NsgSpec {
        let spec = NsgSpec::new(id(name));
        let rules = self.rules();
        let rules_unknown = self.leaves_open().then(|| "left open".to_owned());
        let tags = self.random.chance(20).then(|| {
            let mode = self.given("Audit".to_owned());
            At::known(BTreeMap::from([("palisade-mode".to_owned(), mode)]))
        });
        let certain = !self.leaves_open();
        NsgSpec { rules, rules_unknown, tags, certain, ..spec }
    }

    /// Groups `a` and `b` have members; `empty` has none.
    fn groups(&mut self) -> Vec<AsgSpec> {
        let mut groups = vec![AsgSpec::new(id("/asgs/a")), AsgSpec::new(id("/asgs/empty"))];
        if !self.leaves_open() {
            let prefixes =
                if self.random.chance(30) { vec![Text::known("192.0.2.0/28")] } else { Vec::new() };
            groups.push(AsgSpec { address_prefixes: prefixes, ..AsgSpec::new(id("/asgs/b")) });
        }
        groups
    }

    fn interface(&mut self, name: &str, addresses: [&str; 2]) -> NicSpec {
        let groups: Vec<_> =
            ["/asgs/a", "/asgs/b"].into_iter().filter(|_| self.random.chance(40)).map(id).collect();
        let configurations = addresses.map(|address| {
            let mut spec = IpConfigurationSpec::new(address, id("/vnets/home/subnets/s"));
            spec.asgs = groups.iter().cloned().map(At::known).collect();
            spec.private_address = (!self.leaves_open()).then(|| Text::known(address));
            if name == "n" && self.random.chance(40) {
                spec.public_ip = Some(self.given(id("/ips/p")));
            }
            spec
        });
        let nsg = (name == "n" && self.random.chance(65)).then(|| self.attachment("/nsgs/nic"));
        NicSpec {
            nsg,
            ip_configurations: configurations.into(),
            ..NicSpec::new(id(&format!("/nics/{name}")))
        }
    }

    fn attachment(&mut self, nsg: &str) -> Reference {
        let found = if self.leaves_open() { "/nsgs/gone" } else { nsg };
        self.given(id(found))
    }

    fn networks(&mut self) -> Vec<VirtualNetworkSpec> {
        let mut subnet = SubnetSpec {
            address_prefixes: Some(texts(&["10.0.0.0/24", "fd00::/64"])),
            ..SubnetSpec::new(id("/vnets/home/subnets/s"))
        };
        if self.random.chance(65) {
            subnet.nsg = Some(self.attachment("/nsgs/subnet"));
        }
        if self.random.chance(30) {
            subnet.route_table = Some(self.given(id("/tables/t")));
        }
        let mut home = VirtualNetworkSpec {
            address_prefixes: Some(self.given(["10.0.0.0/16", "fd00::/48"].map(Text::known).into())),
            subnets: vec![subnet],
            ..VirtualNetworkSpec::new(id("/vnets/home"))
        };
        if self.random.chance(50) {
            let mut peering = PeeringSpec::new(id("/vnets/peer"));
            peering.allow_access = self.random.chance(80).into();
            peering.state = self.random.chance(50).then(|| self.given("Connected".to_owned()));
            peering.use_remote_gateways = self.random.chance(30).into();
            home.peerings.push(peering);
        }
        let peer = VirtualNetworkSpec {
            address_prefixes: Some(texts(&["10.1.0.0/16", "fd01::/48", "131.107.0.0/16"])),
            ..VirtualNetworkSpec::new(id("/vnets/peer"))
        };
        vec![home, peer]
    }

    fn route_table(&mut self) -> RouteTableSpec {
        let mut prefixes = vec!["172.16.0.0/12", "2001:db8::/32"];
        if self.random.chance(20) {
            prefixes.push("0.0.0.0/0");
        }
        let routes = prefixes.into_iter().enumerate();
        RouteTableSpec {
            routes: routes.map(|(n, p)| RouteSpec::new(&format!("r{n}"), p, "VirtualAppliance")).collect(),
            disable_gateway_propagation: self.random.chance(50).into(),
            ..RouteTableSpec::new(id("/tables/t"))
        }
    }

    fn public_ips(&mut self) -> Vec<PublicIpSpec> {
        let sku = *self.random.pick(&["Basic", "Standard", "Standard"]);
        vec![PublicIpSpec { sku: Some(self.given(sku.to_owned())), ..PublicIpSpec::new(id("/ips/p")) }]
    }

    fn learned(&mut self) -> Vec<LearnedPrefixesSpec> {
        let network = *self.random.pick(&["/vnets/home", "/vnets/peer", "/vnets/peer"]);
        let prefixes = texts(&["192.168.0.0/16", "52.0.0.0/8"]);
        vec![LearnedPrefixesSpec { virtual_network: self.given(id(network)), address_prefixes: prefixes }]
    }

    fn admin(&mut self) -> Vec<AdminCollectionSpec> {
        if self.random.chance(60) {
            return Vec::new();
        }
        let rules = self.admin_rules();
        let mut collection =
            AdminCollectionSpec { rules, ..AdminCollectionSpec::new(id("/admin/c"), [id("/vnets/home")]) };
        if self.leaves_open() {
            collection.virtual_networks = At::unknown("left open");
        }
        vec![collection]
    }

    /// A small tag file; without one, its tags are open. Sometimes it replaces a computed tag.
    fn catalog(&mut self) -> TagCatalog {
        if self.leaves_open() {
            return TagCatalog::default();
        }
        let mut tags = vec![
            ("Storage", vec!["20.0.0.0/24", "20.0.2.0/23", "2603:1000::/32"]),
            ("Sql.WestUS", vec!["20.0.0.128/25", "2603:1000:4::/48"]),
        ];
        if self.random.chance(10) {
            tags.push(("Internet", vec!["1.0.0.0/8", "8.0.0.0/7", "2000::/3"]));
        }
        if self.random.chance(10) {
            tags.push(("AzurePlatformIMDS", vec!["168.63.129.16/32", "169.254.169.254/32"]));
        }
        TagCatalog::new(tags.into_iter().map(|(name, prefixes)| {
            let prefix = |text: &str| text.parse::<Prefix>().expect("prefixes of this file are canonical");
            (name.parse().expect("names of this file are tags"), prefixes.into_iter().map(prefix).collect())
        }))
    }
}
