//! The benchmark measures what it says; `--nocapture` prints the figures of this machine.

use palisade_classify::{Row, blob, generate, table::Limits};
use palisade_net::Direction;

use super::rig::{LOOPBACK, Rig, SLOT, layer, nic, tcp};
use crate::{
    LayerPolicy, Sizes,
    bench::{self, BenchError, Workload},
};

fn frames(destination: &str, hosts: std::ops::Range<u16>) -> Vec<Vec<u8>> {
    let frame = |port: u16| {
        let source = if destination.starts_with('[') {
            format!("[fd00::4]:{port}")
        } else {
            format!("10.0.0.4:{port}")
        };
        tcp(&source, destination, "S").build().expect("the packet can be written")
    };
    hosts.map(frame).collect()
}

/// About `count` rules of the shape that NSGs have. Only the last ones match the benchmark's packets: the first list
/// allows them all, so that the second is always asked.
fn rules(count: usize, allow_all: bool) -> std::sync::Arc<[u8]> {
    let mut rows: Vec<Row> = generate::policy(&generate::Shape::nsg(count), 7);
    rows.truncate(count);
    rows.retain(|row| {
        let flow = |text: &str| {
            let (address, port) = (text.parse().expect("an address"), 443);
            let local = if text.contains(':') { "fd00::4" } else { "10.0.0.4" };
            palisade_net::Flow::between(
                Direction::Outbound,
                palisade_net::Protocol::TCP,
                (local.parse().expect("an address"), 1000),
                (address, port),
            )
            .expect("one family")
        };
        ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"].iter().all(|to| !row.matches(&flow(to), 0))
    });
    let denied = ["deny tcp * 192.0.2.2/32 443", "deny tcp * 2001:db8::2/128 443"];
    rows.extend(denied.into_iter().filter(|_| !allow_all).chain(["allow * * * *"]).map(super::rig::row));
    blob::compile(&rows, &Limits::default()).expect("within limits").into()
}

#[test]
fn figures_are_measured_for_both_families() {
    let sizes = Sizes { flows: 1 << 16, slots: 16 };
    for mut rig in Rig::each_with(|config| config.sizes = sizes) {
        for count in [10, 1000] {
            let mut policy = nic(LOOPBACK, SLOT);
            policy.outbound[1] = Some(LayerPolicy::new("open", rules(count, true)));
            policy.outbound[2] = Some(LayerPolicy::new("closed", rules(count, false)));
            for (family, allowed, denied) in [
                ("IPv4", "192.0.2.1:443", "192.0.2.2:443"),
                ("IPv6", "[2001:db8::1]:443", "[2001:db8::2]:443"),
            ] {
                let (allowed, denied) = (frames(allowed, 1000..3000), frames(denied, 1000..1010));
                let workload = Workload { policy: &policy, allowed: &allowed, denied: &denied };
                let figures = bench::measure(&mut rig.datapath, &workload).expect("the workload fits");
                println!("{count} rules, {family}: {figures:.0?}");
                assert!(
                    figures.empty < figures.established && figures.established < figures.created,
                    "{figures:?}"
                );
            }
        }
    }
}

#[test]
fn packets_that_do_not_fit_the_rules_are_refused() {
    for mut rig in Rig::each() {
        let mut policy = nic(LOOPBACK, SLOT);
        policy.outbound[2] = Some(layer(&["allow * * * *"]));
        let some = frames("192.0.2.1:443", 1000..1002);
        let mut measure = |allowed: &[Vec<u8>], denied: &[Vec<u8>]| {
            bench::measure(&mut rig.datapath, &Workload { policy: &policy, allowed, denied })
                .expect_err("it is refused")
        };
        assert!(matches!(measure(&some, &some), BenchError::Unfit { list: "denied", index: 0, .. }));
        assert!(matches!(measure(&[], &some), BenchError::Empty { list: "allowed" }));
    }
}
