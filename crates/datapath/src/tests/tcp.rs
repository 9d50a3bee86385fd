//! TCP connections from SYN to the end, and what a new SYN means in between.

use palisade_abi::{
    flow::Direction,
    flow::FlowState::{
        self, Closed, Established, FinOriginator, FinResponder, SynReceived, SynSent, TimeWait,
    },
    verdict::Reason,
};

use palisade_classify::generate::Random;

use super::rig::{Rig, SLOT, tcp, wait};
use crate::{NicPolicy, Timeouts, Watch};

const VM: &str = "10.0.0.4:1000";
const PEER: &str = "192.0.2.1:443";

/// Plays a connection: `>` from the VM, `<` to it, with the state after each segment.
fn check(rig: &mut Rig, segments: &[(&str, &str, FlowState)]) {
    rig.datapath.clear_flows().expect("the flows are removed");
    for (index, (side, flags, state)) in segments.iter().enumerate() {
        let reason = if *side == ">" {
            rig.outbound(&tcp(VM, PEER, flags))
        } else {
            rig.inbound(&tcp(PEER, VM, flags))
        };
        let expected = if index == 0 { Reason::Allowed } else { Reason::Established };
        assert_eq!(reason, expected, "{segments:?} at {index}");
        assert_eq!(rig.flow().state, *state, "{segments:?} at {index}");
    }
}

fn created(rig: &Rig) -> u64 {
    rig.datapath.counters(SLOT).expect("counters are readable").flows_created
}

#[test]
fn states_follow_the_segments() {
    for mut rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        let open = [(">", "S", SynSent), ("<", "SA", SynReceived), (">", "A", Established)];
        let with = |rest: &[(&'static str, &'static str, FlowState)]| [&open[..], rest].concat();
        check(
            &mut rig,
            &with(&[(">", "FA", FinOriginator), ("<", "A", FinOriginator), ("<", "FA", TimeWait)]),
        );
        check(
            &mut rig,
            &with(&[("<", "FA", FinResponder), ("<", "FA", FinResponder), (">", "FA", TimeWait)]),
        );
        check(&mut rig, &with(&[("<", "A", Established), (">", "R", Closed), ("<", "A", Closed)]));
        check(&mut rig, &[(">", "S", SynSent), (">", "S", SynSent), ("<", "RA", Closed)]);
        // Both sides open at once.
        check(&mut rig, &[(">", "S", SynSent), ("<", "S", SynReceived), (">", "A", Established)]);
        // Met in the middle, and at the end.
        rig.publish_with(&["deny * * * *"], &["allow * * * *"], |nic| nic.loose_tcp = true);
        check(&mut rig, &[(">", "A", Established), ("<", "A", Established)]);
        check(&mut rig, &[(">", "FA", FinOriginator), ("<", "FA", TimeWait), (">", "A", TimeWait)]);
    }
}

#[test]
fn a_syn_on_a_closing_connection_is_judged_anew() {
    for mut rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        for end in ["FA", "RA"] {
            check(&mut rig, &[(">", "S", SynSent), ("<", "SA", SynReceived), (">", "A", Established)]);
            let before = created(&rig);
            rig.outbound(&tcp(VM, PEER, end));
            // From the other side it is a new inbound connection, which the rules deny.
            assert_eq!(rig.inbound(&tcp(PEER, VM, "S")), Reason::SubnetDeny);
            assert_eq!(rig.outbound(&tcp(VM, PEER, "S")), Reason::Allowed);
            assert_eq!((rig.flow().state, rig.flow().packets), (SynSent, [1, 0]));
            assert_eq!(created(&rig), before + 1);
        }
    }
}

#[test]
fn a_syn_of_the_responder_is_judged_anew_and_harms_nothing() {
    for mut rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        check(&mut rig, &[(">", "S", SynSent), ("<", "SA", SynReceived), (">", "A", Established)]);
        assert_eq!(rig.inbound(&tcp(PEER, VM, "S")), Reason::SubnetDeny);
        assert_eq!(rig.inbound(&tcp(PEER, VM, "A")), Reason::Established);
        assert_eq!(rig.flow().state, Established);
    }
}

/// What a flow remembers of flags is what a naive book keeps of the packets that passed, side by side, since it began.
#[test]
fn flags_are_remembered_by_side() {
    const BITS: [(&str, u8); 6] = [("S", 2), ("SA", 18), ("A", 16), ("FA", 17), ("R", 4), ("RA", 20)];
    for mut rig in Rig::each() {
        let (mut random, mut told) = (Random::new(7), [0; 2]);
        let (mut begun, mut both) = (0, 0);
        // Whoever sends a SYN may begin anew.
        rig.publish(&["allow * * * *"], &["allow * * * *"]);
        rig.outbound(&tcp(VM, PEER, "S"));
        let mut book = [2, 0];
        for _ in 0..4_000 {
            let (flags, bits) = *random.pick(&BITS);
            let is_out = random.chance(50);
            let reason = match is_out {
                true => rig.outbound(&tcp(VM, PEER, flags)),
                false => rig.inbound(&tcp(PEER, VM, flags)),
            };
            let flow = rig.flow();
            let is_originator = is_out == (flow.direction == Direction::Outbound);
            match reason {
                Reason::Allowed => (book, begun) = ([bits, 0], begun + 1),
                Reason::Established => book[usize::from(!is_originator)] |= bits,
                other => panic!("{other:?}"),
            }
            assert_eq!(flow.tcp_flags, book, "{flags} {reason:?} {:?}", flow.state);
            both += u32::from(told != book && book[1] != 0);
            told = book;
        }
        assert!(begun > 300 && both > 300, "{begun} began, {both} changed with an answer");
    }
}

#[test]
fn closing_ends_soon_and_traffic_does_not_prolong_it() {
    for mut rig in Rig::each() {
        let at_once = |nic: &mut NicPolicy| nic.timeouts = Timeouts::default().with(Closed, 0);
        rig.publish_with(&["deny * * * *"], &["allow * * * *"], at_once);
        rig.outbound(&tcp(VM, PEER, "S"));
        rig.inbound(&tcp(PEER, VM, "RA"));
        // The other side's segments ride the dying flow until its end, and are then judged as what they are.
        wait("the flow to end", || rig.outbound(&tcp(VM, PEER, "A")) == Reason::MidStream);
    }
}
