//! Short ways to write estates: a rule is a line, a network has subnets, a subnet has machines.

use palisade_analysis::{
    Limits,
    findings::{Finding, Findings, findings},
};
use palisade_classify::{Verdict, oracle};
use palisade_model::{
    EffectivePolicy, Estate, ResourceId, TagCatalog,
    spec::{
        At, EstateSpec, Given, IpConfigurationSpec, NicSpec, NsgSpec, Reference, RuleSpec, SideSpec,
        SubnetSpec, Text, TextList, VirtualNetworkSpec,
    },
};

use crate::small::NOW;

/// `name priority direction access protocol source ports destination ports`; lists are written with commas.
pub fn rule(line: &str) -> RuleSpec {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [name, priority, direction, access, protocol, source, source_ports, destination, destination_ports] =
        fields[..]
    else {
        panic!("a rule has nine fields: {line}")
    };
    RuleSpec {
        priority: Some(Text::known(priority)),
        direction: Some(Text::known(direction)),
        access: Some(Text::known(access)),
        protocol: Some(Text::known(protocol)),
        source: side(source, source_ports),
        destination: side(destination, destination_ports),
        ..RuleSpec::new(name)
    }
}

fn side(addresses: &str, ports: &str) -> SideSpec {
    let list = |text: &str| -> TextList { At::known(text.split(',').map(Text::known).collect::<Vec<_>>()) };
    let mut side = SideSpec::default();
    match addresses.strip_prefix("asg:") {
        Some(group) => side.groups = Some(At::known(vec![to(group)])),
        None if addresses == "?" => side.address_prefix = Some(Text::unknown("parameter \"p\" has no value")),
        None if addresses.contains(',') => side.address_prefixes = Some(list(addresses)),
        None => side.address_prefix = Some(Text::known(addresses)),
    }
    match ports.contains(',') {
        true => side.port_ranges = Some(list(ports)),
        false => side.port_range = Some(Text::known(ports)),
    }
    side
}

pub fn id(name: &str) -> ResourceId {
    ResourceId::new(&format!("/s/{name}"))
}

fn to(name: &str) -> Reference {
    Reference { value: Given::Known(id(name)), place: palisade_model::Place::default() }
}

/// An estate, written.
#[derive(Default)]
pub struct Written(pub EstateSpec);

impl Written {
    /// A machine `vm` at 10.0.1.4, in a subnet with an NSG of these rules.
    pub fn one(rules: &[&str]) -> Self {
        Self::default()
            .nsg("nsg", rules)
            .network(&[("web", "10.0.1.0/24", "nsg")])
            .nic("vm", "web", "10.0.1.4", "")
    }

    /// An NSG of these rules.
    pub fn nsg(mut self, name: &str, rules: &[&str]) -> Self {
        let rules = rules.iter().map(|line| rule(line)).collect();
        self.0.nsgs.push(NsgSpec { rules, ..NsgSpec::new(id(name)) });
        self
    }

    /// Network `net` (10.0.0.0/16) with subnets of a name, a prefix and an NSG.
    pub fn network(mut self, subnets: &[(&str, &str, &str)]) -> Self {
        let net = id("net");
        let subnets = subnets.iter().map(|(name, prefix, nsg)| SubnetSpec {
            address_prefixes: Some(At::known(vec![Text::known(*prefix)])),
            nsg: (!nsg.is_empty()).then(|| to(nsg)),
            ..SubnetSpec::new(net.child("subnets", name))
        });
        self.0.virtual_networks.push(VirtualNetworkSpec {
            address_prefixes: Some(At::known(vec![Text::known("10.0.0.0/16")])),
            subnets: subnets.collect(),
            ..VirtualNetworkSpec::new(net)
        });
        self
    }

    /// A machine with an interface of a name, in a subnet, with an address or none yet, and an NSG of its own or none.
    pub fn nic(mut self, name: &str, subnet: &str, address: &str, nsg: &str) -> Self {
        let configuration = IpConfigurationSpec {
            private_address: (!address.is_empty()).then(|| Text::known(address)),
            subnet: Some(At::known(id("net").child("subnets", subnet))),
            ..IpConfigurationSpec::new("c", id("net").child("subnets", subnet))
        };
        self.0.nics.push(NicSpec {
            nsg: (!nsg.is_empty()).then(|| to(nsg)),
            ip_configurations: vec![configuration],
            ..NicSpec::new(id(name))
        });
        self
    }

    pub fn estate(&self) -> Estate {
        let (estate, problems) = Estate::validate(&self.0, TagCatalog::default());
        estate.unwrap_or_else(|| panic!("{problems:#?}"))
    }

    pub fn found(&self) -> Findings {
        let estate = self.estate();
        let found = findings(&estate, NOW, Limits::default()).expect("small estates are simple");
        confirm(&estate, &found);
        found
    }

    /// Ids that begin so, with the rules that they are about.
    pub fn ids(&self, begin: &str) -> Vec<String> {
        let found = self.found().findings;
        let wanted = found.iter().filter(|finding| finding.check.id.starts_with(begin));
        wanted.map(told).collect()
    }
}

/// `ID rule`
pub fn told(finding: &Finding) -> String {
    let rule = finding.subject.rule.as_deref().and_then(|path| path.rsplit('/').next());
    rule.map_or_else(|| finding.check.id.to_owned(), |rule| format!("{} {rule}", finding.check.id))
}

/// Every witness of exposure passes at each interface that the finding names, and every other one is decided.
pub fn confirm(estate: &Estate, found: &Findings) {
    for finding in &found.findings {
        let Some(flow) = &finding.witness else { continue };
        let decide = |policy: &EffectivePolicy| oracle::decide_by_rules(policy, flow, NOW).verdict;
        let is_open = finding.check.id.starts_with("PAL-EXPOSURE") || finding.check.id.starts_with("PAL-E");
        for nic in &finding.subject.nics {
            let nic = estate.nics().find(|known| known.id() == nic).expect("it is in the estate");
            let verdict = decide(&estate.effective(nic));
            assert!(!is_open || verdict == Verdict::Allow, "{finding:#?}");
        }
        if let (true, true, Some(nsg)) = (is_open, finding.subject.nics.is_empty(), &finding.subject.nsg) {
            let nsg = estate.nsg(nsg).expect("it is in the estate");
            assert_eq!(decide(&estate.effective_alone(nsg, None)), Verdict::Allow, "{finding:#?}");
        }
    }
}
