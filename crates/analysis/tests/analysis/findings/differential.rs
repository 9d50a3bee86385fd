//! Generated estates: every packet from outside that the oracle lets in is told of, and nothing else is.

use palisade_analysis::{
    Limits,
    findings::{Finding, checks, findings, services::SERVICES},
};
use palisade_classify::{
    Verdict,
    generate::estate::{self, MOMENTS},
    oracle,
};
use palisade_model::{ComputedTag, Estate, Layer};
use palisade_net::{AddressSet, Direction, Flow};

use crate::cases;

/// Public addresses of no network of the estate.
fn foreign(estate: &Estate) -> AddressSet {
    let set = |tag: ComputedTag| tag.fixed_addresses().expect("it is the same everywhere");
    let public = set(ComputedTag::Internet).difference(&set(ComputedTag::AzureLoadBalancer));
    estate.virtual_networks().fold(public, |rest, network| rest.difference(network.addresses().must()))
}

/// Whether findings about an interface tell of a flow.
fn is_told(found: &[&Finding], flow: &Flow) -> bool {
    let has = |id: &str| found.iter().any(|finding| finding.check.id == id);
    let of_service = SERVICES.iter().any(|service| {
        service.ports(flow.protocol()).contains(flow.destination_port()) && has(service.check.id)
    });
    // What no service is about is told if its rule lets nothing else in.
    let is_listed =
        SERVICES.iter().any(|service| service.ports(flow.protocol()).contains(flow.destination_port()));
    of_service || has(checks::ALL_PORTS.id) || (!is_listed && !found.is_empty())
}

#[test]
fn what_the_oracle_lets_in_is_told() {
    let (mut told, mut closed, mut unknown) = (0, 0, 0);
    for seed in 0..cases(150) {
        let generated = if seed % 2 == 0 { estate::known(seed, 300) } else { estate::any(seed, 300) };
        let now = MOMENTS[seed as usize % MOMENTS.len()];
        let estate = &generated.estate;
        let all = findings(estate, now, Limits::default()).expect("generated lists are simple");
        let is_about = |finding: &&Finding| finding.subject.nics.contains(&generated.nic);
        let of_entry = |finding: &&Finding| {
            finding.check.id.starts_with("PAL-EXPOSURE") || finding.check.id == checks::INGRESS.id
        };
        let found: Vec<&Finding> = all.findings.iter().filter(is_about).filter(of_entry).collect();
        for finding in &found {
            let flow = finding.witness.expect("packets are claimed");
            let verdict = oracle::decide_by_rules(&generated.policy, &flow, now).verdict;
            assert_eq!(verdict, Verdict::Allow, "seed {seed}: {finding:#?}");
        }
        let is_nsg = |layer: Layer| matches!(layer, Layer::Subnet | Layer::NetworkInterface);
        if !generated.policy.inbound.iter().any(|layer| is_nsg(layer.layer)) {
            continue;
        }
        let nic = estate.nics().find(|nic| *nic.id() == generated.nic).expect("it is there");
        let (public, own) = (foreign(estate), estate.addresses_of(nic));
        let inbound = generated.flows.iter().filter(|flow| flow.direction() == Direction::Inbound);
        for flow in inbound.filter(|flow| flow.protocol().has_ports()) {
            let is_asked = public.contains(flow.source()) && own.must().contains(flow.destination());
            if !is_asked {
                continue;
            }
            match oracle::decide_by_rules(&generated.policy, flow, now).verdict {
                Verdict::Allow => {
                    assert!(is_told(&found, flow), "seed {seed}: {flow:?} {found:#?}");
                    told += 1;
                }
                Verdict::Deny => closed += 1,
                Verdict::Unknown => {
                    let is_said = all.open.iter().any(|open| open.place == generated.nic);
                    let is_listed = SERVICES
                        .iter()
                        .any(|service| service.ports(flow.protocol()).contains(flow.destination_port()));
                    assert!(is_said || !is_listed, "seed {seed}: {flow:?}");
                    unknown += 1;
                }
            }
        }
    }
    assert!(told > 20 && closed > 20 && unknown > 5, "{told} {closed} {unknown}");
}
