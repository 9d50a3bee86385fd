//! One truth: the oracle, the compiled engine, the policy blobs and the kernel program agree on generated estates.
//!
//! Each estate's policy is compiled and published, and each flow becomes a frame that the kernel judges. Compared are the
//! verdict, the layer that decided, the rule that decided, and what the kernel remembers of an allowed flow. The test fails if an
//! outcome that a decision can have was not reached.

use std::{collections::BTreeMap, net::IpAddr};

use palisade_abi::{
    flow::{Direction as Way, RULE_NONE},
    verdict::Reason,
};
use palisade_classify::{
    Engine, Verdict, enforce,
    generate::{Random, estate},
    oracle,
};
use palisade_model::{EffectivePolicy, Mode, is_link_control};
use palisade_net::{
    Direction, Family, Flow,
    packet::{self, Packet, Transport},
};
use palisade_tests::{
    judge::{self, Model, Origins, Walk},
    kernel::Kernel,
    outcomes::Outcomes,
    tally::Tally,
    wire,
};

const ESTATES: u64 = 500;
const FLOWS: usize = 300;
const CASES_MIN: u64 = 100_000;
/// How often each outcome must be reached, so that none is an accident of one seed.
const LEAST: u64 = 25;

#[test]
fn oracle_engine_blobs_and_kernel_agree() {
    let Some(mut kernel) = Kernel::open() else { return };
    let mut outcomes = Outcomes::default();
    let mut counts = Tally::default();
    for seed in 0..ESTATES {
        let world = estate::known(seed, FLOWS);
        if has_list_in_audit(&world.policy) {
            continue;
        }
        let subject = Subject::of(world.policy, seed);
        subject.compare(&mut kernel, world.flows, &mut outcomes, &mut counts);
    }
    println!("compared, oracle = engine = blobs = kernel, over {ESTATES} estates:{counts}");
    println!("outcomes reached:{}", outcomes.tally());
    counts.require("cases", ["all"], CASES_MIN);
    use Reason::{AdminDeny, Allowed, LinkControl, NetworkInterfaceDeny, PublicAddressClosed, SubnetDeny};
    let reasons = [Allowed, LinkControl, AdminDeny, SubnetDeny, NetworkInterfaceDeny, PublicAddressClosed];
    counts.require("kernel", reasons, LEAST);
    outcomes.require_all(LEAST);
}

/// Whether a whole list only counts: a blob does not tell that, and what surrounds it is not compared here.
fn has_list_in_audit(policy: &EffectivePolicy) -> bool {
    Direction::ALL
        .into_iter()
        .any(|direction| policy.layers(direction).iter().any(|layer| layer.mode == Mode::Audit))
}

/// A policy in all its forms.
struct Subject {
    seed: u64,
    engine: Engine,
    blobs: enforce::PolicyBlobs,
    origins: Origins,
}

/// One flow, what begins it, and what must become of it.
struct Case {
    flow: Flow,
    packet: Packet,
    frame: Vec<u8>,
    reason: Reason,
    /// What the layers say; nothing for link control, of which none is asked.
    walk: Option<Walk>,
}

impl Subject {
    fn of(policy: EffectivePolicy, seed: u64) -> Self {
        let blobs = enforce::compile(&policy).expect("known policies can be enforced");
        let origins = Origins::of(&policy);
        let engine = Engine::new(policy).expect("known policies can be compiled");
        Self { seed, engine, blobs, origins }
    }

    fn compare(&self, kernel: &mut Kernel, flows: Vec<Flow>, outcomes: &mut Outcomes, counts: &mut Tally) {
        kernel.publish(&self.blobs);
        let model = Model::of(&self.blobs);
        let mut random = Random::new(self.seed);
        let mut left: Vec<Case> = flows
            .into_iter()
            .filter(wire::exists)
            .map(|flow| self.case(flow, &model, &mut random, outcomes))
            .collect();
        while !left.is_empty() {
            let (batch, later) = strangers(left);
            kernel.forget_flows();
            let observed = kernel.judge(batch.iter().map(|case| (case.flow.direction(), &case.frame[..])));
            for (case, observed) in batch.iter().zip(observed) {
                assert_eq!(observed.reason, case.reason, "{}", self.about(case));
                assert_eq!(observed.passes, !case.reason.is_drop(), "{}", self.about(case));
                counts.count("cases", "all");
                counts.count("kernel", observed.reason);
            }
            self.compare_flows(kernel, &batch, counts);
            left = later;
        }
    }

    /// Asks all that can be asked without the kernel.
    fn case(&self, flow: Flow, model: &Model<'_>, random: &mut Random, outcomes: &mut Outcomes) -> Case {
        let policy = self.engine.policy();
        let decision = oracle::decide(policy, &flow, 0);
        assert_ne!(decision.verdict, Verdict::Unknown, "estate {}: {flow:?}", self.seed);
        assert_eq!(self.engine.decide(&flow, 0), decision, "estate {}: {flow:?}", self.seed);
        outcomes.count(policy, &flow, &decision);
        let reason = judge::reason(&decision, policy, flow.direction());
        let walk = (!is_link_control(&flow)).then(|| model.walk(&flow));
        if let Some(walk) = walk {
            assert_eq!(walk.reason, reason, "estate {}: {flow:?} {decision:?}", self.seed);
            let agree = self.origins.agree(decision.hit, &walk, flow.direction());
            assert!(agree, "estate {}: {flow:?} {decision:?} {walk:?}", self.seed);
        }
        let packet = wire::packet(&flow, random);
        let frame = packet.build().expect("the packet can be written");
        let parsed = packet::parse(&frame).expect("what was written can be read");
        assert_eq!(parsed.to_flow(flow.direction()), Some(flow), "{packet:?}");
        Case { flow, packet, frame, reason, walk }
    }

    /// What the kernel remembers: the allowed flows and no others, each with the rules that allowed it.
    fn compare_flows(&self, kernel: &Kernel, batch: &[Case], counts: &mut Tally) {
        let mut remembered: BTreeMap<(IpAddr, IpAddr), _> =
            kernel.flows().into_iter().map(|entry| ((entry.id.local.0, entry.id.remote.0), entry)).collect();
        for case in batch.iter().filter(|case| begins_flow(case)) {
            let pair = (case.flow.local(), case.flow.remote());
            let entry =
                remembered.remove(&pair).unwrap_or_else(|| panic!("no flow for {}", self.about(case)));
            let walk = case.walk.expect("a flow that rules allowed was judged");
            let way = match case.flow.direction() {
                Direction::Inbound => Way::Inbound,
                Direction::Outbound => Way::Outbound,
            };
            let rules = walk.rows.map(|row| (row != RULE_NONE).then_some(row));
            assert_eq!(
                (entry.direction, entry.id.protocol, entry.rules),
                (way, case.flow.protocol().0, rules),
                "{}",
                self.about(case)
            );
            counts.count("flows", "remembered");
        }
        assert!(remembered.is_empty(), "estate {}: {remembered:?}", self.seed);
    }

    fn about(&self, case: &Case) -> String {
        let decision = oracle::decide(self.engine.policy(), &case.flow, 0);
        format!("estate {}: {:?}, {decision:?}, {:02x?}", self.seed, case.flow, case.frame)
    }
}

/// Takes cases of which none can belong to a flow that another one began: no two are between the same addresses.
fn strangers(cases: Vec<Case>) -> (Vec<Case>, Vec<Case>) {
    let mut pairs = std::collections::BTreeSet::new();
    cases.into_iter().partition(|case| {
        pairs.len() < Kernel::FLOWS_MAX as usize && pairs.insert((case.flow.local(), case.flow.remote()))
    })
}

/// Whether the packet begins a flow: it is allowed, and of ICMP only a query does.
fn begins_flow(case: &Case) -> bool {
    let passes = matches!(case.reason, Reason::Allowed | Reason::Audited);
    passes
        && match case.packet.transport {
            Transport::Icmp { family, kind, .. } if family == case.flow.family() => match family {
                Family::V4 => matches!(kind, 8 | 13 | 15 | 17),
                Family::V6 => kind == 128,
            },
            _ => true,
        }
}
