//! What can be enforced, and what is refused by name.

use std::collections::BTreeMap;

use palisade_abi::verdict::Action;
use palisade_classify::{
    blob::BlobView,
    enforce::{self, EnforceError, LayerBlob, PolicyBlobs},
};
use palisade_model::{
    Estate, ResourceId, TagCatalog,
    spec::{
        At, EstateSpec, IpConfigurationSpec, NicSpec, NsgSpec, PublicIpSpec, RuleSpec, SideSpec, SubnetSpec,
        Text, VirtualNetworkSpec,
    },
};
use palisade_net::{Direction, Flow, Protocol};

fn id(text: &str) -> ResourceId {
    ResourceId::new(text)
}

/// Outbound rules to a destination, numbered from 100.
fn rules(count: usize, destination: &str) -> Vec<RuleSpec> {
    let side = |address: &str| SideSpec {
        address_prefix: Some(Text::known(address)),
        port_range: Some(Text::known("*")),
        ..SideSpec::default()
    };
    let rule = |number: usize| RuleSpec {
        protocol: Some(Text::known("*")),
        source: side("*"),
        destination: side(destination),
        access: Some(Text::known("Deny")),
        priority: Some(Text::known((100 + number).to_string())),
        direction: Some(Text::known("Outbound")),
        ..RuleSpec::new(&format!("r{number}"))
    };
    (0..count).map(rule).collect()
}

/// Compiles the policy of an interface whose NSG has these rules, after a change of the estate.
fn compile(rules: Vec<RuleSpec>, change: impl FnOnce(&mut EstateSpec)) -> Result<PolicyBlobs, EnforceError> {
    let prefixes = || Some(At::known(vec![Text::known("10.0.0.0/16")]));
    let subnet = SubnetSpec { address_prefixes: prefixes(), ..SubnetSpec::new(id("/vnets/a/subnets/s")) };
    let network = VirtualNetworkSpec {
        address_prefixes: prefixes(),
        subnets: vec![subnet],
        ..VirtualNetworkSpec::new(id("/vnets/a"))
    };
    let configuration = IpConfigurationSpec {
        private_address: Some(Text::known("10.0.0.4")),
        ..IpConfigurationSpec::new("c", id("/vnets/a/subnets/s"))
    };
    let nic = NicSpec {
        nsg: Some(At::known(id("/nsgs/web"))),
        ip_configurations: vec![configuration],
        ..NicSpec::new(id("/nics/n"))
    };
    let mut spec = EstateSpec {
        nsgs: vec![NsgSpec { rules, ..NsgSpec::new(id("/nsgs/web")) }],
        virtual_networks: vec![network],
        nics: vec![nic],
        ..EstateSpec::default()
    };
    change(&mut spec);
    let (estate, problems) = Estate::validate(&spec, TagCatalog::default());
    let estate = estate.unwrap_or_else(|| panic!("{problems:#?}"));
    let nic = estate.nics().next().expect("the estate has one interface");
    enforce::compile(&estate.effective(nic))
}

fn error(result: Result<PolicyBlobs, EnforceError>) -> String {
    result.expect_err("it cannot be enforced").to_string()
}

#[test]
fn an_nsg_of_a_thousand_rules_fits() {
    let blobs = compile(rules(1_000, "10.0.0.0/8"), |_| {}).expect("Azure takes a thousand rules");
    let rows = |layer: &Option<LayerBlob>| {
        layer.as_ref().map(|layer| BlobView::parse(&layer.blob).expect("sound").rules())
    };
    // The defaults, and a row for each protocol of each platform service.
    assert_eq!(blobs.outbound.each_ref().map(rows), [None, Some(1_000 + 3 + 5), None]);
    assert_eq!(blobs.inbound.each_ref().map(rows), [None, None, Some(3)]);
}

/// A rule that names a platform tag takes a row more for each protocol of the service.
#[test]
fn too_many_rules_about_the_platform_are_refused_by_name() {
    let named = |count| {
        let mut all = rules(1_000, "10.0.0.0/8");
        let platform = rules(count, "AzurePlatformDNS");
        all.splice(..count, platform);
        compile(all, |_| {})
    };
    assert!(named(8).is_ok());
    assert_eq!(
        error(named(9)),
        "web: 1026 rules in one direction, at most 1024 can be enforced (remove or merge rules)"
    );
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let unknown = compile(rules(1, "Storage"), |_| {});
    assert_eq!(
        error(unknown),
        "web: securityRules/r0 is not fully known, so it cannot be enforced (give the missing value, tag file or \
         resource)"
    );
    let gone = compile(Vec::new(), |spec| spec.nsgs.clear());
    assert_eq!(
        error(gone),
        "web: <the NSG is not in the input> is not fully known, so it cannot be enforced (give the missing value, \
         tag file or resource)"
    );
    let perhaps = compile(Vec::new(), |spec| spec.nsgs[0].certain = false);
    assert_eq!(
        error(perhaps),
        "web may not exist, so it cannot be enforced (give the condition's parameters)"
    );
    let nowhere = compile(Vec::new(), |spec| spec.virtual_networks.clear());
    let nowhere = error(nowhere);
    let expected = "the subnet's NSG: <subnet /vnets/a/subnets/s is not in the input> is not fully known";
    assert!(nowhere.starts_with(expected), "{nowhere}");
    let sku = compile(Vec::new(), |spec| {
        spec.nics[0].nsg = None;
        spec.nics[0].ip_configurations[0].public_ip = Some(At::known(id("/ips/p")));
        spec.public_ips =
            vec![PublicIpSpec { sku: Some(At::unknown("parameter")), ..PublicIpSpec::new(id("/ips/p")) }];
    });
    assert_eq!(
        error(sku),
        "the public address may not exist, so it cannot be enforced (give the condition's parameters)"
    );
}

/// Priorities, services and audit show in the names of the blob's rules.
#[test]
fn each_rule_of_a_blob_has_a_name() {
    let blobs = compile(rules(2, "AzurePlatformDNS"), |_| {}).expect("everything is known");
    let [_, Some(list), _] = &blobs.outbound else { panic!("the interface has an NSG") };
    assert_eq!((list.name.as_deref(), list.audit, list.flush), (Some("web"), false, true));
    let service = |rule: &str| [rule; 2].map(|rule| format!("securityRules/{rule}"));
    let passes = [enforce::PLATFORM_TRAFFIC; 2].map(str::to_owned);
    let dns = [service("r0"), service("r1"), passes].concat();
    assert_eq!(list.rules[..6], dns);
    let own = ["securityRules/r0", "securityRules/r1", "defaultSecurityRules/AllowVnetOutBound"];
    assert_eq!(list.rules[9..12], own);
    assert_eq!(list.rules.len(), BlobView::parse(&list.blob).expect("sound").rules());
}

/// An NSG in audit leaves a public address closed: both stand in one list, and only the latter decides.
#[test]
fn an_nsg_in_audit_stands_beside_the_public_address_that_stays_closed() {
    let blobs = compile(rules(1, "10.0.0.0/8"), |spec| {
        let audit = BTreeMap::from([("palisade-mode".to_owned(), Text::known("Audit"))]);
        spec.nsgs[0].tags = Some(At::known(audit));
        spec.nics[0].ip_configurations[0].public_ip = Some(At::known(id("/ips/p")));
        let sku = Some(Text::known("Standard"));
        spec.public_ips = vec![PublicIpSpec { sku, ..PublicIpSpec::new(id("/ips/p")) }];
    })
    .expect("everything is known");
    let [None, None, Some(inbound)] = &blobs.inbound else { panic!("one list stands") };
    assert!(!inbound.audit, "the public address decides");
    let view = BlobView::parse(&inbound.blob).expect("sound");
    let flow = |source: &str| {
        let [source, destination] = [source, "10.0.0.4"].map(|text| text.parse().expect("an address"));
        Flow::new(Direction::Inbound, Protocol::TCP, (source, 1), (destination, 22)).expect("one family")
    };
    let actions = |source| {
        let found = view.lookup(&flow(source), 0);
        (found.rule.map(|(_, action)| action), found.shadow.map(|(_, action)| action))
    };
    assert_eq!(actions("198.51.100.7"), (Some(Action::Closed), Some(Action::Deny)));
    assert_eq!(actions("10.0.0.5"), (Some(Action::Allow), Some(Action::Allow)));
    let [None, Some(outbound), None] = &blobs.outbound else { panic!("one list stands") };
    assert!(outbound.audit, "the NSG stands alone");
}
