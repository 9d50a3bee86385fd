//! Inbound NAT rules of public frontends.

use palisade_analysis::findings::{Finding, Severity};
use palisade_model::spec::{At, FrontendSpec, LoadBalancerSpec, NatRuleSpec, PublicIpSpec, Text};

use super::support::{Written, id};

const ALLOW_RDP: &str = "rdp 100 Inbound Allow Tcp * * * 3389";
const DENY_ALL: &str = "none 100 Inbound Deny * * * * *";

/// A machine behind a load balancer with a public address, and a rule that leads to it.
fn translated(rules: &[&str], public_port: i64, private_port: i64) -> Written {
    let mut estate = Written::one(rules);
    let frontend = id("lb/frontendIPConfigurations/f");
    let rule = NatRuleSpec {
        frontend: Some(At::known(frontend.clone())),
        protocol: Some(Text::known("Tcp")),
        frontend_port: Some(At::known(public_port)),
        backend_port: Some(At::known(private_port)),
        target: Some(At::known(id("vm").child("ipConfigurations", "c"))),
        ..NatRuleSpec::new(id("lb").child("inboundNatRules", "nat"))
    };
    let mut frontend = FrontendSpec::new(frontend, "");
    (frontend.private_address, frontend.public_ip) = (None, Some(At::known(id("ip"))));
    estate.0.public_ips.push(PublicIpSpec::new(id("ip")));
    let (frontends, nat_rules) = (vec![frontend], vec![rule]);
    estate.0.load_balancers.push(LoadBalancerSpec {
        frontends,
        nat_rules,
        ..LoadBalancerSpec::new(id("lb"))
    });
    estate
}

fn rule(estate: &mut Written) -> &mut NatRuleSpec {
    &mut estate.0.load_balancers[0].nat_rules[0]
}

fn found(estate: &Written) -> Vec<Finding> {
    let found = estate.found().findings;
    found.into_iter().filter(|finding| finding.check.id.starts_with("PAL-ENDPOINT")).collect()
}

fn ids(estate: &Written) -> Vec<(&'static str, Severity)> {
    found(estate).iter().map(|finding| (finding.check.id, finding.severity)).collect()
}

const PORT: (&str, Severity) = ("PAL-ENDPOINT-PUBLIC-PORT", Severity::Warning);
const SOURCES: (&str, Severity) = ("PAL-ENDPOINT-ANY-SOURCE", Severity::Note);

#[test]
fn ports_that_everybody_tries_are_told_wherever_they_lead() {
    for port in [22, 3389] {
        assert_eq!(ids(&translated(&[ALLOW_RDP], port, 3389)), [PORT, SOURCES], "{port}");
        let mut listed = translated(&[ALLOW_RDP], port, 3389);
        rule(&mut listed).sources = Some(At::known(vec![Text::known("198.51.100.0/24")]));
        assert_eq!(ids(&listed), [PORT], "{port}");
    }
    let web = "web 100 Inbound Allow Tcp * * * 443";
    assert_eq!(ids(&translated(&[web], 22, 443)), [PORT]);
    assert_eq!(ids(&translated(&[web], 50_001, 443)), []);
    for private in [22, 3389, 5985, 5986] {
        let let_in = format!("it 100 Inbound Allow Tcp * * * {private}");
        assert_eq!(ids(&translated(&[&let_in], 50_001, private)), [SOURCES], "{private}");
    }
}

#[test]
fn the_witness_is_a_packet_after_the_translation() {
    let mut estate = translated(&[ALLOW_RDP], 3389, 3389);
    rule(&mut estate).sources = Some(At::known(vec![Text::known("198.51.100.0/24")]));
    let [finding] = &found(&estate)[..] else { panic!("one finding") };
    let flow = finding.witness.expect("NSGs let it pass");
    assert_eq!((flow.destination().to_string(), flow.destination_port()), ("10.0.1.4".into(), 3389));
    assert!(flow.source().to_string().starts_with("198.51.100."), "{flow:?}");
    assert_eq!(
        finding.message,
        "nat has public port 3389, which leads to port 3389; NSGs let public sources pass"
    );
    assert_eq!(finding.subject.anchor(), Some(&id("lb").child("inboundNatRules", "nat")));
}

#[test]
fn what_no_public_source_passes_matters_less() {
    let closed = translated(&[DENY_ALL], 3389, 3389);
    let [port, _] = &found(&closed)[..] else { panic!("two findings") };
    assert_eq!((port.severity, port.witness), (Severity::Note, None));
    assert!(port.message.ends_with("; NSGs let no public source pass"), "{}", port.message);
    // Only the network's own sources are listed.
    let mut inner = translated(&[ALLOW_RDP], 3389, 3389);
    rule(&mut inner).sources = Some(At::known(vec![Text::known("10.0.0.0/8")]));
    assert_eq!(ids(&inner), [(PORT.0, Severity::Note)]);
}

#[test]
fn what_is_not_known_is_open_and_no_finding() {
    let open = |change: &dyn Fn(&mut Written)| {
        let mut estate = translated(&[ALLOW_RDP], 3389, 3389);
        change(&mut estate);
        let all = estate.found();
        let told = all.open.iter().any(|open| open.place == id("lb").child("inboundNatRules", "nat"));
        (ids(&estate), told)
    };
    let none = Vec::new();
    assert_eq!(open(&|estate| rule(estate).frontend_port = Some(At::unknown("p"))), (none.clone(), true));
    assert_eq!(open(&|estate| rule(estate).certain = false), (none.clone(), true));
    assert_eq!(open(&|estate| rule(estate).frontend = None), (none.clone(), true));
    let inner = |estate: &mut Written| {
        let frontend = &mut estate.0.load_balancers[0].frontends[0];
        (frontend.private_address, frontend.public_ip) = (Some(Text::known("10.0.1.9")), None);
    };
    assert_eq!(open(&inner), (none, false), "it is reached from inside only");
    // The port is told though the machine is not known.
    let (told, _) = open(&|estate| rule(estate).target = None);
    assert_eq!(told, [PORT, SOURCES]);
}
