//! The rule set as tc flower filters where packets leave to the machine.
//!
//! Filters of one priority are found by hash, which is right here because no packet matches two. They know no
//! connections: every packet is looked up, and what the machine sends is not filtered.

use std::fmt::Write as _;

use palisade_net::{Family, Protocol};

use super::TO_MACHINE;
use crate::rules::RuleSet;

/// What `tc -batch` reads.
pub fn filters(set: &RuleSet) -> String {
    let family = match set.family {
        Family::V4 => "ip",
        Family::V6 => "ipv6",
    };
    let mut text = format!("qdisc add dev {TO_MACHINE} clsact\n");
    for line in set.lines() {
        let protocol = if line.protocol == Protocol::UDP { "udp" } else { "tcp" };
        let action = if line.allows { "pass" } else { "drop" };
        writeln!(
            text,
            "filter add dev {TO_MACHINE} egress protocol {family} pref 1 flower ip_proto {protocol} \
             src_ip {} dst_port {} action {action}",
            line.source, line.ports
        )
        .expect("writing to a string cannot fail");
    }
    writeln!(text, "filter add dev {TO_MACHINE} egress protocol {family} pref 2 flower action drop")
        .expect("writing to a string cannot fail");
    text
}
