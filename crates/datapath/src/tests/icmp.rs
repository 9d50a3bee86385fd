//! ICMP: queries make flows, errors relate to them, everything else is judged on its own.

use palisade_abi::verdict::Reason;
use palisade_net::packet::{IcmpBody, Packet, Quoted};

use super::rig::{Rig, icmp, tcp, udp};

pub(super) fn query(id: u16) -> IcmpBody {
    IcmpBody::Query { id }
}

pub(super) fn about(packet: &Packet) -> IcmpBody {
    let transport = packet.transport.clone();
    IcmpBody::Error(Some(Box::new(Quoted {
        source: packet.source,
        destination: packet.destination,
        transport,
    })))
}

#[test]
fn only_the_answer_to_a_query_passes() {
    for rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        for (vm, peer, request, reply) in [
            ("10.0.0.4", "192.0.2.1", 8, 0),
            ("10.0.0.4", "192.0.2.1", 13, 14),
            ("fd00::4", "2001:db8::1", 128, 129),
        ] {
            assert_eq!(rig.inbound(&icmp(peer, vm, reply, query(7))), Reason::SubnetDeny);
            assert_eq!(rig.outbound(&icmp(vm, peer, request, query(7))), Reason::Allowed);
            assert_eq!(rig.inbound(&icmp(peer, vm, reply, query(7))), Reason::Established);
            assert_eq!(rig.inbound(&icmp(peer, vm, reply, query(8))), Reason::SubnetDeny);
            // The peer's own query with the same number is another flow.
            assert_eq!(rig.inbound(&icmp(peer, vm, request, query(7))), Reason::SubnetDeny);
        }
    }
}

#[test]
fn an_answer_to_no_query_begins_nothing() {
    for rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        assert_eq!(rig.outbound(&icmp("10.0.0.4", "192.0.2.1", 0, query(7))), Reason::Allowed);
        assert_eq!(rig.outbound(&icmp("10.0.0.4", "192.0.2.1", 5, IcmpBody::Other)), Reason::Allowed);
        assert_eq!(rig.flows(), []);
        assert_eq!(rig.inbound(&icmp("192.0.2.1", "10.0.0.4", 8, query(7))), Reason::SubnetDeny);
    }
}

#[test]
fn errors_about_a_flow_pass_to_its_sender() {
    for rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        let cases = [
            (tcp("10.0.0.4:1000", "192.0.2.1:80", "S"), "198.51.100.1", [3, 11, 12]),
            (udp("10.0.0.4:1000", "192.0.2.1:53"), "198.51.100.1", [3, 11, 12]),
            (icmp("10.0.0.4", "192.0.2.1", 8, query(9)), "198.51.100.1", [3, 11, 12]),
            (tcp("[fd00::4]:1000", "[2001:db8::1]:80", "S"), "2001:db8::9", [1, 2, 4]),
            (icmp("fd00::4", "2001:db8::1", 128, query(9)), "2001:db8::9", [1, 3, 4]),
        ];
        for (sent, router, kinds) in cases {
            let vm = sent.source.to_string();
            for kind in kinds {
                assert_eq!(
                    rig.inbound(&icmp(router, &vm, kind, about(&sent))),
                    Reason::SubnetDeny,
                    "{sent:?}"
                );
            }
            assert_eq!(rig.outbound(&sent), Reason::Allowed);
            let flows = rig.flows();
            for kind in kinds {
                assert_eq!(rig.inbound(&icmp(router, &vm, kind, about(&sent))), Reason::Related, "{sent:?}");
            }
            assert_eq!(rig.flows().len(), flows.len());
        }
    }
}

#[test]
fn errors_that_do_not_fit_are_judged_by_the_rules() {
    for rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        let sent = udp("10.0.0.4:1000", "192.0.2.1:53");
        assert_eq!(rig.outbound(&sent), Reason::Allowed);
        let judged = |packet: Packet| assert_eq!(rig.inbound(&packet), Reason::SubnetDeny, "{packet:?}");
        // To someone else than the quoted sender; about another flow; about the answer, which this side never sent; not
        // an error; without a quote.
        judged(icmp("198.51.100.1", "10.0.0.5", 3, about(&sent)));
        judged(icmp("198.51.100.1", "10.0.0.4", 3, about(&udp("10.0.0.4:1001", "192.0.2.1:53"))));
        judged(icmp("198.51.100.1", "192.0.2.1", 3, about(&udp("192.0.2.1:53", "10.0.0.4:1000"))));
        judged(icmp("198.51.100.1", "10.0.0.4", 5, IcmpBody::Other));
        judged(icmp("198.51.100.1", "10.0.0.4", 3, IcmpBody::Error(None)));
    }
}

#[test]
fn errors_of_the_vm_about_what_it_received_pass() {
    for rig in Rig::each_with_rules(&["allow udp * * 53"], &["deny * * * *"]) {
        let received = udp("192.0.2.1:1000", "10.0.0.4:53");
        assert_eq!(rig.inbound(&received), Reason::Allowed);
        assert_eq!(rig.outbound(&icmp("10.0.0.4", "192.0.2.1", 3, about(&received))), Reason::Related);
    }
}
