//! The rule set as two ipsets, for what is denied and for what is allowed, and a chain of iptables that asks both.

use std::fmt::Write as _;

use palisade_net::{Family, Protocol};

use super::TO_MACHINE;
use crate::rules::RuleSet;

/// What `ipset restore` reads. A range of ports becomes an element for each port, as ipset stores it.
pub fn sets(set: &RuleSet) -> String {
    let family = match set.family {
        Family::V4 => "inet",
        Family::V6 => "inet6",
    };
    let mut text = String::new();
    for name in ["denied", "allowed"] {
        writeln!(text, "create {name} hash:net,port family {family} maxelem 1000000")
            .expect("writing to a string cannot fail");
    }
    for line in set.lines() {
        let name = if line.allows { "allowed" } else { "denied" };
        let protocol = if line.protocol == Protocol::UDP { "udp" } else { "tcp" };
        writeln!(text, "add {name} {},{protocol}:{}", line.source, line.ports)
            .expect("writing to a string cannot fail");
    }
    text
}

/// What `iptables-restore` reads, of either kind and family.
pub fn chain() -> String {
    format!(
        "*filter\n:FORWARD DROP\n\
         -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
         -A FORWARD -m conntrack --ctstate INVALID -j DROP\n\
         -A FORWARD -i {TO_MACHINE} -j ACCEPT\n\
         -A FORWARD -o {TO_MACHINE} -m set --match-set denied src,dst -j DROP\n\
         -A FORWARD -o {TO_MACHINE} -m set --match-set allowed src,dst -j ACCEPT\n\
         COMMIT\n"
    )
}
