//! The texts that the tools are given.

use palisade_net::{PortRange, Protocol};

use super::*;
use crate::rules::Rule;

fn set() -> RuleSet {
    let ports = |first, last| PortRange::new(first, last).unwrap();
    let prefixes = |text: &str| text.split(' ').map(|prefix| prefix.parse().unwrap()).collect();
    RuleSet {
        family: Family::V4,
        rules: vec![
            Rule {
                protocol: Protocol::UDP,
                sources: prefixes("10.0.0.0/24"),
                ports: ports(53, 53),
                allows: false,
            },
            Rule {
                protocol: Protocol::TCP,
                sources: prefixes("10.1.0.0/20 10.2.0.7/32"),
                ports: ports(80, 83),
                allows: true,
            },
        ],
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).collect()
}

#[test]
fn a_linear_chain_has_a_rule_for_each_line() {
    let text = nft::linear(&set());
    let expected = [
        "chain machine {",
        "ip saddr 10.0.0.0/24 udp dport 53 drop",
        "ip saddr 10.1.0.0/20 tcp dport 80-83 accept",
        "ip saddr 10.2.0.7/32 tcp dport 80-83 accept",
        "}",
    ];
    assert_eq!(lines(&text)[1..6], expected);
    assert!(text.contains("policy drop;") && text.contains("ct state vmap"), "{text}");
}

#[test]
fn a_verdict_map_has_an_element_for_each_line() {
    let text = nft::sets(&set());
    let elements = [
        "10.0.0.0/24 . udp . 53 : drop,",
        "10.1.0.0/20 . tcp . 80-83 : accept,",
        "10.2.0.7/32 . tcp . 80-83 : accept",
    ];
    assert_eq!(lines(&text)[5..8], elements);
    assert!(text.contains("ip saddr . meta l4proto . th dport vmap @clients"), "{text}");
}

#[test]
fn ipsets_are_apart_by_action() {
    let expected = [
        "create denied hash:net,port family inet maxelem 1000000",
        "create allowed hash:net,port family inet maxelem 1000000",
        "add denied 10.0.0.0/24,udp:53",
        "add allowed 10.1.0.0/20,tcp:80-83",
        "add allowed 10.2.0.7/32,tcp:80-83",
    ];
    assert_eq!(lines(&iptables::sets(&set())), expected);
}

#[test]
fn flower_ends_with_a_filter_that_drops() {
    let text = flower::filters(&set());
    let found = lines(&text);
    assert_eq!(found.len(), 5);
    assert!(
        found[2].ends_with("flower ip_proto tcp src_ip 10.1.0.0/20 dst_port 80-83 action pass"),
        "{text}"
    );
    assert!(found[4].ends_with("pref 2 flower action drop"), "{text}");
}
