//! Generated estates: IP flow verify is the oracle, and what is said of a region holds for every packet in it.

use palisade_classify::generate::estate::{self, MOMENTS};
use palisade_classify::{Decision, Verdict, oracle};
use palisade_model::is_link_control;
use palisade_net::{AddressSet, Direction, Flow, PortSet, Prefix, Protocol};

use super::super::region::{self, Region};
use super::super::rules::Dialect;
use super::*;

fn host(address: std::net::IpAddr) -> AddressSet {
    [Prefix::host(address)].into_iter().collect()
}

fn ports(first: u16, last: u16) -> PortSet {
    [(first, last)].into_iter().collect()
}

/// The packet alone.
fn point(flow: &Flow) -> Region {
    let end = |address, port| (host(address), ports(port, port));
    let (source, destination) =
        (end(flow.source(), flow.source_port()), end(flow.destination(), flow.destination_port()));
    Region::new(flow.protocol(), (&source.0, &source.1), (&destination.0, &destination.1))
}

/// The packet among neighbours: a prefix around each address, and ports around the destination's.
fn around(flow: &Flow, bits: u8) -> Region {
    let block = |address: std::net::IpAddr| -> AddressSet {
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix =
            Prefix::truncated(address, width - bits.min(width)).expect("the length is within the width");
        [prefix].into_iter().collect()
    };
    let port = flow.destination_port();
    let range = ports(port.saturating_sub(u16::from(bits)), port.saturating_add(u16::from(bits)));
    Region::new(
        flow.protocol(),
        (&block(flow.source()), &ports(flow.source_port(), flow.source_port())),
        (&block(flow.destination()), &range),
    )
}

/// Whether such a packet exists: ICMP is of its own family and has a type, and other protocols without ports have none.
fn is_possible(flow: &Flow) -> bool {
    match flow.protocol() {
        protocol if protocol.has_ports() => true,
        protocol if protocol.is_icmp() => {
            protocol.icmp_family() == Some(flow.family())
                && flow.source_port() == 0
                && flow.destination_port() < 256
        }
        _ => (flow.source_port(), flow.destination_port()) == (0, 0),
    }
}

#[test]
fn a_region_is_judged_as_each_of_its_packets() {
    let (mut points, mut whole, mut mixed) = (0, 0, 0);
    for seed in 0..200 {
        let generated = estate::known(seed, 100);
        let policy = &generated.policy;
        let flows = generated.flows.iter().zip(MOMENTS.into_iter().cycle());
        for (flow, now) in flows.filter(|(flow, _)| !is_link_control(flow)) {
            let verdict = oracle::decide(policy, flow, now).verdict;
            if !is_possible(flow) {
                continue;
            }
            let answer = region::ask(policy, flow.direction(), vec![point(flow)], now).expect("all is known");
            assert_eq!(
                (answer.passes, answer.drops),
                (verdict == Verdict::Allow, verdict == Verdict::Deny),
                "{flow:?}"
            );
            points += 1;
            let answer =
                region::ask(policy, flow.direction(), vec![around(flow, 9)], now).expect("all is known");
            match (answer.passes, answer.drops) {
                (true, false) => assert_eq!(verdict, Verdict::Allow, "{flow:?}"),
                (false, true) => assert_eq!(verdict, Verdict::Deny, "{flow:?}"),
                (true, true) => mixed += 1,
                (false, false) => panic!("nothing became of {flow:?}"),
            }
            whole += 1;
        }
    }
    assert!(
        points > 10_000 && mixed > 500 && whole > mixed + 5_000,
        "{points} points, {mixed} of {whole} mixed"
    );
}

/// What the oracle's decision is called.
fn named(decision: &Decision, generated: &estate::Generated, direction: Direction) -> Option<String> {
    let explanation = decision.explain(&generated.policy, direction);
    Some(Dialect::Path.name(explanation.layer?, explanation.rule?))
}

#[test]
fn ip_flow_verify_is_the_oracle() {
    let (mut allowed, mut denied, mut undetermined) = (0, 0, 0);
    for seed in 0..200 {
        let generated = if seed % 2 == 0 { estate::known(seed, 100) } else { estate::any(seed, 100) };
        let nic = generated.estate.nics().find(|nic| *nic.id() == generated.nic).expect("it was generated");
        let own = generated.estate.addresses_of(nic);
        for flow in generated.flows.iter().filter(|flow| own.must().contains(flow.local())) {
            let protocol = match flow.protocol() {
                Protocol::TCP => "TCP",
                Protocol::UDP => "UDP",
                _ => continue,
            };
            let (local, remote) = match flow.direction() {
                Direction::Inbound => (flow.destination_port(), flow.source_port()),
                Direction::Outbound => (flow.source_port(), flow.destination_port()),
            };
            let body = json!({"direction": flow.direction().to_string(), "protocol": protocol,
                "localIPAddress": flow.local().to_string(), "localPort": local.to_string(),
                "remoteIPAddress": flow.remote().to_string(), "remotePort": remote});
            let decision = oracle::decide(&generated.policy, flow, 7);
            let answer = super::super::flow::verify(&generated.estate, &[nic], &body, 7);
            let rule = named(&decision, &generated, flow.direction());
            match (decision.verdict, answer) {
                (Verdict::Unknown, Err(error)) => {
                    assert_eq!(error.code, "AnswerUndetermined");
                    undetermined += 1;
                }
                (Verdict::Allow, Ok(answer)) => {
                    assert_eq!(
                        (answer["access"].as_str(), answer["ruleName"].as_str()),
                        (Some("Allow"), rule.as_deref())
                    );
                    allowed += 1;
                }
                (Verdict::Deny, Ok(answer)) => {
                    assert_eq!(
                        (answer["access"].as_str(), answer["ruleName"].as_str()),
                        (Some("Deny"), rule.as_deref())
                    );
                    denied += 1;
                }
                (verdict, answer) => panic!("{verdict}: {answer:?}"),
            }
        }
    }
    assert!(allowed > 1_000 && denied > 1_000 && undetermined > 50, "{allowed} {denied} {undetermined}");
}
