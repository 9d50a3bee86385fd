//! The rule set as nftables rulesets: one chain of rules, or one verdict map.

use std::fmt::Write as _;

use palisade_net::{Family, PortRange, Protocol};

use super::TO_MACHINE;
use crate::rules::{Line, RuleSet};

/// One rule after the other.
pub fn linear(set: &RuleSet) -> String {
    let mut rules = String::new();
    let keyword = keyword(set.family);
    for line in set.lines() {
        let (protocol, ports) = (protocol(line.protocol), range(line.ports));
        writeln!(rules, "    {keyword} saddr {} {protocol} dport {ports} {}", line.source, verdict(&line))
            .expect("writing to a string cannot fail");
    }
    ruleset("", &rules)
}

/// One look-up in a map from address, protocol and port intervals to verdicts.
pub fn sets(set: &RuleSet) -> String {
    let (keyword, kind) = match set.family {
        Family::V4 => (keyword(set.family), "ipv4_addr"),
        Family::V6 => (keyword(set.family), "ipv6_addr"),
    };
    let elements: Vec<String> = set
        .lines()
        .map(|line| {
            let (protocol, ports) = (protocol(line.protocol), range(line.ports));
            format!("{} . {protocol} . {ports} : {}", line.source, verdict(&line))
        })
        .collect();
    let map = format!(
        "  map clients {{\n    type {kind} . inet_proto . inet_service : verdict\n    flags interval\n    \
         elements = {{\n      {}\n    }}\n  }}\n",
        elements.join(",\n      ")
    );
    ruleset(&map, &format!("    {keyword} saddr . meta l4proto . th dport vmap @clients\n"))
}

/// The way of every packet; `rules` are those about new connections to the machine.
fn ruleset(declarations: &str, rules: &str) -> String {
    format!(
        "table inet firewall {{\n{declarations}  chain machine {{\n{rules}  }}\n  chain forward {{\n    \
         type filter hook forward priority filter; policy drop;\n    \
         ct state vmap {{ established : accept, related : accept, invalid : drop }}\n    \
         iifname \"{TO_MACHINE}\" accept\n    oifname \"{TO_MACHINE}\" jump machine\n  }}\n}}\n"
    )
}

const fn keyword(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

fn protocol(protocol: Protocol) -> &'static str {
    if protocol == Protocol::UDP { "udp" } else { "tcp" }
}

const fn verdict(line: &Line) -> &'static str {
    if line.allows { "accept" } else { "drop" }
}

fn range(ports: PortRange) -> String {
    ports.to_string()
}
