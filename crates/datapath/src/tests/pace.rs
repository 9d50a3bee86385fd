//! The rate of new destinations: the kernel against the oracle, on packets with times of their own.
//!
//! The kernel reads its own clock, and tells in memory what it read. Time passes between two packets by dating back what the bucket
//! remembers: to the nanosecond, and without waiting.

use std::{
    collections::BTreeMap,
    mem::offset_of,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    thread,
};

use palisade_abi::{
    arena::{NEVER, NicPace, WORKING_SET_MAX},
    flow::Direction,
    verdict::Reason,
};
use palisade_classify::{generate::Random, oracle::Pace};
use palisade_net::packet::{IcmpBody, Packet};

use super::{
    limits::stay_at,
    rig::{LOOPBACK, Rig, SLOT, icmp, tcp, udp},
};
use crate::{Error, Limits, NicPolicy, Plane, TestPacket, Throttle, Watch};

const VM: &str = "10.0.0.4:1000";
const OPEN: &[&str] = &["allow * * * *"];
const SECOND: u64 = 1_000_000_000;

fn throttled(per_second: u32, working_set: u32, until: u32) -> impl Fn(&mut NicPolicy) {
    move |nic| nic.throttle = Some(Throttle { per_second, working_set, until })
}

/// What the kernel remembers.
fn pace(rig: &Rig) -> NicPace {
    rig.datapath.observer.memory().read(rig.datapath.observer.regions().pace(SLOT))
}

/// Lets time pass for the throttle alone.
fn pass_time(rig: &Rig, by: u64) {
    let at = rig.datapath.observer.regions().pace(SLOT) + offset_of!(NicPace, full_at) as u32;
    let full_at = pace(rig).full_at.saturating_sub(by);
    rig.datapath.observer.memory().write(at, &full_at.to_ne_bytes());
}

/// The first packet to a host of a network, over IPv4 or IPv6.
fn first_packet(number: u8, port: u16, six: bool) -> (Packet, IpAddr) {
    let (own, host): (&str, IpAddr) = if six {
        ("[fd00::4]:1000", Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into()).into())
    } else {
        (VM, Ipv4Addr::new(192, 0, 2, number).into())
    };
    let to = std::net::SocketAddr::new(host, port).to_string();
    (if port.is_multiple_of(2) { tcp(own, &to, "S") } else { udp(own, &to) }, host)
}

fn scan(rig: &Rig, numbers: impl Iterator<Item = u8>) -> Vec<Reason> {
    numbers.map(|number| rig.outbound(&first_packet(number, 22, false).0)).collect()
}

fn passed(reasons: &[Reason]) -> usize {
    reasons.iter().filter(|reason| **reason == Reason::Allowed).count()
}

#[test]
fn the_kernel_decides_as_the_oracle_does() {
    for mut rig in Rig::each() {
        let mut random = Random::new(6);
        let mut reached = BTreeMap::new();
        for round in 0..60 {
            let set = *random.pick(&[1, 2, 3, 5, 8, WORKING_SET_MAX]);
            let per_second = *random.pick(&[1, 2, 3, 10, 1000]);
            // Another `until` does not begin anew; none at all in between does.
            rig.publish(OPEN, OPEN);
            rig.publish_with(OPEN, OPEN, throttled(per_second, set as u32, NEVER));
            let mut oracle = Pace::new(SECOND.div_ceil(per_second.into()), set);
            let (mut passed_time, hosts) = (0, *random.pick(&[4, 8, 60]));
            for step in 0..200_u16 {
                if random.chance(40) {
                    let interval = SECOND / u64::from(per_second);
                    let by = interval * random.below(5) as u64 / 2 + random.below(3) as u64;
                    passed_time += by;
                    pass_time(&rig, by);
                }
                let (packet, host) =
                    first_packet(random.below(hosts) as u8, 1000 + 200 * round + step, random.chance(30));
                let reason = rig.outbound(&packet);
                let admits = oracle.admits(pace(&rig).asked + passed_time, host);
                let expected = if admits { Reason::Allowed } else { Reason::Throttled };
                assert_eq!(reason, expected, "{per_second}/s, {set} of {hosts}, round {round} step {step}");
                *reached.entry(reason).or_insert(0) += 1;
            }
            rig.datapath.clear_flows().expect("the flows are removed");
        }
        assert!(reached.len() == 2 && reached.values().all(|count| *count > 1000), "{reached:?}");
    }
}

#[test]
fn nothing_but_new_destinations_is_held_up() {
    for mut rig in Rig::each() {
        rig.publish(&["allow tcp * * 22"], OPEN);
        let old = tcp(VM, "198.51.100.1:443", "S");
        assert_eq!(rig.outbound(&old), Reason::Allowed);
        rig.publish_with(&["allow tcp * * 22"], OPEN, throttled(1, 2, NEVER));
        let reasons = scan(&rig, 0..50);
        assert_eq!((passed(&reasons), reasons[2]), (2, Reason::Throttled));
        // Live connections, and answers to what comes in.
        assert_eq!(rig.inbound(&tcp("198.51.100.1:443", VM, "SA")), Reason::Established);
        assert_eq!(rig.outbound(&tcp(VM, "198.51.100.1:443", "A")), Reason::Established);
        assert_eq!(rig.inbound(&tcp("203.0.113.9:5000", "10.0.0.4:22", "S")), Reason::Allowed);
        assert_eq!(rig.outbound(&tcp("10.0.0.4:22", "203.0.113.9:5000", "SA")), Reason::Established);
        // Other ports of the working set; what begins no flow costs a token too.
        assert_eq!(rig.outbound(&udp(VM, "192.0.2.1:53")), Reason::Allowed);
        assert_eq!(
            rig.outbound(&icmp("10.0.0.4", "192.0.2.7", 0, IcmpBody::Query { id: 1 })),
            Reason::Throttled
        );
        assert_eq!(rig.outbound(&icmp("10.0.0.4", "192.0.2.7", 3, IcmpBody::Other)), Reason::Throttled);
        // What the rules deny costs nothing.
        rig.publish_with(OPEN, &["deny * * 192.0.2.9/32 *", "allow * * * *"], throttled(1, 2, NEVER));
        pass_time(&rig, SECOND);
        assert_eq!(scan(&rig, [9, 10].into_iter()), [Reason::SubnetDeny, Reason::Allowed]);
        // The link's upkeep is not asked.
        let solicitation = palisade_net::packet::Discovery::solicitation(
            (palisade_net::Mac([2; 6]), "fd00::4".parse().expect("an address")),
            "fd00::1".parse().expect("an address"),
        );
        assert_eq!(rig.outbound(&solicitation.to_packet()), Reason::LinkControl);
    }
}

#[test]
fn it_ends_at_its_time_and_goes_on_through_other_changes() {
    for mut rig in Rig::each() {
        rig.datapath.set_anchor(crate::wall_clock_anchor().expect("there is a clock"));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is later");
        let now = u32::try_from(now.as_secs()).expect("before 2106");
        rig.publish_with(OPEN, OPEN, throttled(1, 3, now + 600));
        assert_eq!(passed(&scan(&rig, 0..20)), 3);
        // Other rules, another end: what it knows stays.
        rig.publish_with(OPEN, &["allow tcp * * *"], throttled(1, 3, now + 900));
        assert_eq!(passed(&scan(&rig, 20..40)), 0);
        let shift = 901 * SECOND;
        rig.datapath.set_anchor(crate::wall_clock_anchor().expect("there is a clock").wrapping_add(shift));
        assert_eq!(passed(&scan(&rig, 20..40)), 20, "it has ended");
        rig.datapath.set_anchor(crate::wall_clock_anchor().expect("there is a clock"));
        assert_eq!(passed(&scan(&rig, 40..60)), 0);
        rig.publish(OPEN, OPEN);
        assert_eq!(passed(&scan(&rig, 60..80)), 20, "it is released");
        // Other numbers begin anew.
        rig.publish_with(OPEN, OPEN, throttled(1, 4, NEVER));
        assert_eq!(passed(&scan(&rig, 80..100)), 4);
    }
}

#[test]
fn a_nic_in_audit_is_only_told_of() {
    for mut rig in Rig::each() {
        rig.publish_with(OPEN, OPEN, |nic| {
            throttled(1, 2, NEVER)(nic);
            nic.audit = true;
        });
        let reasons = scan(&rig, 0..10);
        assert_eq!((passed(&reasons), reasons[2]), (2, Reason::Audited));
        assert_eq!(rig.outbound(&icmp("10.0.0.4", "192.0.2.70", 3, IcmpBody::Other)), Reason::Audited);
        let counters = rig.datapath.counters(SLOT).expect("counters are readable");
        assert_eq!(counters.flows_audited, 8);
    }
}

#[test]
fn numbers_beyond_the_limits_are_refused() {
    for mut rig in Rig::each() {
        for (per_second, set) in [(0, 5), (1001, 5), (1, 0), (1, WORKING_SET_MAX as u32 + 1)] {
            let mut nic = NicPolicy::new(LOOPBACK, SLOT);
            throttled(per_second, set, NEVER)(&mut nic);
            let error = rig.datapath.publish(&[nic]).expect_err("it is out of range");
            assert!(matches!(error, Error::Throttle { slot: SLOT, .. }), "{error}");
        }
    }
}

/// Two CPUs ask at once: not one destination more than there are tokens.
#[test]
fn two_cpus_let_no_more_pass_than_one() {
    for mut rig in Rig::each() {
        for _ in 0..20 {
            rig.publish(OPEN, OPEN);
            rig.publish_with(OPEN, OPEN, |nic| {
                throttled(1, WORKING_SET_MAX as u32, NEVER)(nic);
                nic.limits = Limits { flows: 1000, half_open: 1000 };
            });
            let datapath = &rig.datapath;
            thread::scope(|scope| {
                for cpu in 0..2 {
                    scope.spawn(move || {
                        stay_at(cpu);
                        for number in 0..100 {
                            let (packet, _) = first_packet(number + 100 * cpu as u8, 22, false);
                            let bytes = &packet.build().expect("the packet can be written");
                            let direction = Direction::Outbound;
                            let packet = TestPacket { direction, ifindex: LOOPBACK, bytes, segments: (0, 0) };
                            datapath.time_packet(&packet, 1).expect("the kernel takes the packet");
                        }
                    });
                }
            });
            // One second at most has passed.
            let flows = rig.flows().len();
            assert!((WORKING_SET_MAX..=WORKING_SET_MAX + 1).contains(&flows), "{flows}");
            rig.datapath.clear_flows().expect("the flows are removed");
        }
    }
}
