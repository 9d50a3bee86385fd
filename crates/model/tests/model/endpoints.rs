//! Inbound NAT rules: what becomes an endpoint, what stays open and why, and what is refused.

use palisade_model::{
    Code, Endpoint, EndpointProtocol, InboundNatRule, TagCatalog, Truth,
    spec::{At, EstateSpec, FrontendSpec, Given, LoadBalancerSpec, NatRuleSpec, PublicIpSpec, Reference},
};
use palisade_net::{AddressSet, Prefix};

use crate::support::{accept, codes, id, network, nic, problems, text, texts, to};

/// The reference to a rule.
pub fn named(rule: &str) -> Reference {
    At::known(id("/lbs/lb").child("inboundNatRules", rule))
}

const RULE: &str = "/lbs/lb/inboundNatRules/rdp";
const OUTER: &str = "/lbs/lb/frontendIPConfigurations/outer";

/// A rule of the frontend with the public address, Tcp 50001 to 3389.
pub fn rule(name: &str) -> NatRuleSpec {
    NatRuleSpec {
        frontend: Some(to(OUTER)),
        protocol: Some(text("Tcp")),
        frontend_port: Some(At::known(50_001)),
        backend_port: Some(At::known(3389)),
        ..NatRuleSpec::new(id("/lbs/lb").child("inboundNatRules", name))
    }
}

/// A load balancer with these rules at a public address and at one of its network, and a machine that names the rule `rdp`.
pub fn estate(nat_rules: Vec<NatRuleSpec>) -> EstateSpec {
    let mut outer = FrontendSpec::new(id(OUTER), "");
    (outer.private_address, outer.public_ip) = (None, Some(to("/ips/p")));
    let inner = FrontendSpec::new(id("/lbs/lb/frontendIPConfigurations/inner"), "10.0.0.9");
    let balancer =
        LoadBalancerSpec { frontends: vec![outer, inner], nat_rules, ..LoadBalancerSpec::new(id("/lbs/lb")) };
    let public = PublicIpSpec { address: Some(text("203.0.113.7")), ..PublicIpSpec::new(id("/ips/p")) };
    let mut machine = nic("vm", "v", "10.0.0.4");
    machine.ip_configurations[0].nat_rules = vec![named("rdp")];
    EstateSpec {
        virtual_networks: vec![network("v", "10.0.0.0/16")],
        nics: vec![machine],
        public_ips: vec![public],
        load_balancers: vec![balancer],
        ..EstateSpec::default()
    }
}

fn only(spec: &EstateSpec) -> InboundNatRule {
    let estate = accept(spec, TagCatalog::default());
    estate.inbound_nat_rules().next().expect("there is one").clone()
}

/// The spec of one rule, changed, and why it is no endpoint.
fn open(change: impl FnOnce(&mut EstateSpec)) -> String {
    let mut spec = estate(vec![rule("rdp")]);
    change(&mut spec);
    only(&spec).endpoint().expect_err("it is open").to_owned()
}

fn the_rule(spec: &mut EstateSpec) -> &mut NatRuleSpec {
    &mut spec.load_balancers[0].nat_rules[0]
}

#[test]
fn a_rule_that_an_interface_names_is_an_endpoint() {
    let mut spec = estate(vec![rule("rdp")]);
    the_rule(&mut spec).sources = Some(texts("198.51.100.0/24,2001:db8::7"));
    let found = only(&spec);
    assert_eq!((found.is_public(), found.nic()), (Truth::Yes, Some(&id("/nics/vm"))));
    let prefix = |text: &str| text.parse::<Prefix>().expect("a prefix");
    let sources: AddressSet = ["198.51.100.0/24", "2001:db8::7"].into_iter().map(prefix).collect();
    let expected = Endpoint {
        frontend: "203.0.113.7".parse().expect("an address"),
        protocol: EndpointProtocol::Tcp,
        public_port: 50_001,
        address: "10.0.0.4".parse().expect("an address"),
        private_port: 3389,
        sources: Some(sources),
    };
    assert_eq!(found.endpoint(), Ok(&expected));
}

#[test]
fn what_azure_puts_out_names_the_interface_in_the_rule() {
    let mut spec = estate(vec![rule("rdp")]);
    spec.nics[0].ip_configurations[0].nat_rules.clear();
    the_rule(&mut spec).target = Some(to("/nics/VM/ipConfigurations/C"));
    the_rule(&mut spec).frontend = Some(to("/lbs/lb/frontendIPConfigurations/inner"));
    let found = only(&spec);
    assert_eq!(found.is_public(), Truth::No);
    let endpoint = found.endpoint().expect("all is known");
    assert_eq!((endpoint.frontend.to_string(), endpoint.sources.clone()), ("10.0.0.9".into(), None));
}

#[test]
fn what_is_not_known_is_said_and_never_guessed() {
    let text_is = |told: String, expected: &str| assert_eq!(told, expected);
    text_is(open(|spec| spec.public_ips.clear()), "/ips/p is not in the input");
    text_is(open(|spec| spec.public_ips[0].address = None), "/ips/p has no address yet");
    text_is(open(|spec| spec.public_ips[0].address = Some(text("?"))), "parameter \"p\" has no value");
    text_is(open(|spec| the_rule(spec).frontend = None), "its frontend is not known");
    text_is(
        open(|spec| spec.nics[0].ip_configurations[0].private_address = None),
        "/nics/vm/ipConfigurations/c has no address yet",
    );
    text_is(
        open(|spec| spec.nics[0].ip_configurations[0].private_address = Some(text("10.0.0.16/28"))),
        "/nics/vm/ipConfigurations/c has a block of addresses and no single one",
    );
    text_is(
        open(|spec| spec.nics[0].ip_configurations[0].nat_rules.clear()),
        "no interface names it (add it to loadBalancerInboundNatRules of the machine's IP configuration)",
    );
    text_is(
        open(|spec| the_rule(spec).frontend_port = Some(At::unknown("parameter \"p\" has no value"))),
        "frontendPort is not known: parameter \"p\" has no value",
    );
    text_is(open(|spec| the_rule(spec).protocol = None), "protocol is not known: it is not given");
    text_is(
        open(|spec| the_rule(spec).sources = Some(texts("10.0.0.0/8,?"))),
        "allowedSourceAddressPrefixes is not known: parameter \"p\" has no value",
    );
    text_is(open(|spec| the_rule(spec).certain = false), "whether it exists is not known");
    text_is(open(|spec| the_rule(spec).floating = Truth::Maybe), "enableFloatingIP is not known");
}

#[test]
fn what_is_not_done_here_is_said() {
    assert_eq!(
        open(|spec| the_rule(spec).floating = Truth::Yes),
        "floating IP is not done here (turn enableFloatingIP off)"
    );
    assert_eq!(
        open(|spec| the_rule(spec).is_of_pool = true),
        "it maps ports to a pool (write one rule for each machine)"
    );
    assert_eq!(
        open(|spec| the_rule(spec).protocol = Some(text("Quic"))),
        "protocol is not known: Quic is not done here (write Udp)"
    );
    assert_eq!(
        open(|spec| spec.public_ips[0].address = Some(text("2001:db8::1"))),
        "2001:db8::1 and 10.0.0.4 are not of one family (give the machine an address of the frontend's)"
    );
}

#[test]
fn ports_protocols_and_sources_are_checked() {
    let refused = |change: &dyn Fn(&mut NatRuleSpec)| {
        let mut spec = estate(vec![rule("rdp")]);
        change(the_rule(&mut spec));
        problems(&spec).into_iter().map(|problem| problem.message).collect::<Vec<_>>()
    };
    for port in [0, 65_535, -1, 70_000] {
        let told = refused(&|rule| rule.frontend_port = Some(At::known(port)));
        assert_eq!(told, [format!("frontendPort {port} of {RULE} is outside 1 to 65534")]);
    }
    let told = refused(&|rule| rule.backend_port = Some(At::known(0)));
    assert_eq!(told, [format!("backendPort 0 of {RULE} is outside 1 to 65535")]);
    assert!(refused(&|rule| rule.backend_port = Some(At::known(65_535))).is_empty());
    let told = refused(&|rule| rule.protocol = Some(text("Icmp")));
    assert_eq!(told, [format!("protocol \"Icmp\" of {RULE} is not one of Tcp, Udp, All or Quic")]);
    let told = refused(&|rule| rule.sources = Some(texts("")));
    assert!(told[0].contains("allowedSourceAddressPrefixes") && told[0].contains("is empty"), "{told:?}");
    for wrong in ["10.0.0.1/8", "Internet", "x; drop"] {
        assert_eq!(refused(&|rule| rule.sources = Some(texts(wrong))).len(), 1, "{wrong}");
    }
    let many: Vec<String> = (0..=1_000_u32).map(|n| format!("10.0.{}.{}", n / 250, n % 250)).collect();
    assert_eq!(refused(&|rule| rule.sources = Some(texts(&many.join(",")))).len(), 1);
    assert!(refused(&|rule| rule.sources = Some(texts(&many[1..].join(",")))).is_empty());
}

#[test]
fn a_star_among_the_sources_is_everybody() {
    let mut spec = estate(vec![rule("rdp")]);
    the_rule(&mut spec).sources = Some(texts("10.0.0.0/8,*"));
    assert_eq!(only(&spec).sources(), None);
}

#[test]
fn ports_are_taken_once() {
    let second = |change: &dyn Fn(&mut NatRuleSpec)| {
        let mut other = rule("other");
        other.backend_port = Some(At::known(22));
        change(&mut other);
        codes(&estate(vec![rule("rdp"), other]))
    };
    assert_eq!(second(&|_| {}), [Code::PalFrontendPortTaken]);
    assert_eq!(second(&|rule| rule.protocol = Some(text("All"))), [Code::PalFrontendPortTaken]);
    assert_eq!(second(&|rule| rule.protocol = Some(text("Udp"))), []);
    assert_eq!(second(&|rule| rule.frontend_port = Some(At::known(50_002))), []);
    assert_eq!(second(&|rule| rule.frontend = Some(to("/lbs/lb/frontendIPConfigurations/inner"))), []);
    // Of two that may not both exist nobody knows.
    assert_eq!(second(&|rule| rule.certain = false), []);
    assert_eq!(second(&|rule| rule.frontend_port = Some(At::unknown("p"))), []);
}

#[test]
fn an_estate_in_error_has_rules_of_which_nothing_is_known() {
    let mut spec = estate(vec![rule("rdp")]);
    the_rule(&mut spec).backend_port = Some(At::known(0));
    let salvaged = palisade_model::Estate::validate_leniently(&spec, TagCatalog::default());
    assert_eq!(salvaged.left_out.len(), 1);
    let found = salvaged.estate.inbound_nat_rules().next().expect("it is there");
    assert!(!found.is_certain() && found.is_public() == Truth::Maybe);
    assert!(matches!(found.public_port(), Given::Unknown(_)) && found.endpoint().is_err());
}
