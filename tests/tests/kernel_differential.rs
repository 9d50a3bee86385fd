//! One truth: the oracle, the compiled engine, the policy blobs and the kernel program agree on generated estates, on either
//! kind of memory.
//!
//! Each estate's policy is compiled and published, and each flow becomes a frame that the kernel judges at one of the
//! moments at which windows begin and end. Compared are the verdict, the layer that decided, the rule that decided, what would
//! be denied if nothing were in audit, and what the kernel remembers of an allowed flow. The test fails if an outcome that a
//! decision can have was not reached.

use std::collections::{BTreeMap, BTreeSet};

use palisade_abi::verdict::Reason;
use palisade_classify::{
    Hit, enforce,
    generate::{
        Random,
        estate::{self, MOMENTS},
    },
    oracle,
};
use palisade_datapath::{FlowId, Outcome};
use palisade_model::{EffectivePolicy, Window, is_link_control};
use palisade_net::{
    Flow,
    packet::{self, Packet},
};
use palisade_tests::{
    judge::{Judgment, Model, Truth, Walk},
    kernel::{self, Kernel},
    origins::Origins,
    outcomes::Outcomes,
    tally::Tally,
    wire,
};

const ESTATES: u64 = 420;
const FLOWS: usize = 330;
/// One estate in so many is judged on both kinds of memory, the others on one.
const BOTH: u64 = 10;
/// One interface in so many is in audit.
const AUDITED: u64 = 7;
const CASES_MIN: u64 = 100_000;
/// How often each outcome must be reached, so that none is an accident of one seed.
const LEAST: u64 = 25;

#[test]
fn oracle_engine_blobs_and_kernel_agree() {
    let parts = Kernel::on_each(|kernel, share| {
        let mut reached = Reached::default();
        let estates = (0..ESTATES).filter(|seed| seed.is_multiple_of(BOTH) || share.has(*seed));
        estates.for_each(|seed| compare_estate(seed, kernel, &mut reached));
        reached
    });
    let Some(all) = parts.into_iter().reduce(Reached::and) else { return };
    all.check();
}

/// What the comparison reached.
#[derive(Debug, Default)]
struct Reached {
    outcomes: Outcomes,
    counts: Tally,
}

impl Reached {
    fn and(mut self, other: Self) -> Self {
        self.outcomes.add(other.outcomes);
        self.counts.add(other.counts);
        self
    }

    fn check(&self) {
        println!("compared, oracle = engine = blobs = kernel, over {ESTATES} estates:{}", self.counts);
        println!("outcomes reached:{}", self.outcomes.tally());
        self.counts.require("cases", ["all"], CASES_MIN);
        use Reason::{
            AdminDeny, Allowed, Audited, LinkControl, NetworkInterfaceDeny, PublicAddressClosed, SubnetDeny,
        };
        let denials = [AdminDeny, SubnetDeny, NetworkInterfaceDeny, PublicAddressClosed];
        let reasons = [[Allowed, LinkControl, Audited].as_slice(), &denials].concat();
        self.counts.require("arena", &reasons, LEAST);
        self.counts.require("array", &reasons, LEAST);
        self.counts.require("would", denials, LEAST);
        self.counts.require("flows", ["remembered", "until a moment"], LEAST);
        self.outcomes.require_all(LEAST);
    }
}

fn compare_estate(seed: u64, kernel: &mut Kernel, reached: &mut Reached) {
    let world = estate::known(seed, FLOWS);
    let audit = seed % AUDITED == AUDITED / 2;
    let blobs = enforce::compile(&world.policy).expect("known policies can be enforced");
    let truth = Truth::of(world.policy);
    let subject = Subject {
        seed,
        audit,
        timeless: without_windows(truth.policy()),
        origins: Origins::of(truth.policy()),
        in_force: Model::of(&blobs),
        model: Model::of(&blobs).with_audit(audit),
        truth: &truth,
    };
    kernel.publish_with(&blobs, |nic| nic.audit = audit);
    let mut random = Random::new(seed);
    let mut cases: BTreeMap<u32, Vec<Case>> = BTreeMap::new();
    let flows = world.flows.into_iter().filter(wire::exists);
    for (flow, now) in flows.zip(MOMENTS.into_iter().cycle()) {
        cases.entry(now).or_default().push(subject.case(flow, now, &mut random, &mut reached.outcomes));
    }
    for (now, mut left) in cases {
        while !left.is_empty() {
            let (batch, later) = strangers(left);
            subject.compare(kernel, now, &batch, &mut reached.counts);
            left = later;
        }
    }
}

/// The same rules as if they held at all times.
fn without_windows(policy: &EffectivePolicy) -> EffectivePolicy {
    let mut policy = policy.clone();
    let layers = policy.inbound.iter_mut().chain(&mut policy.outbound);
    layers.flat_map(|layer| &mut layer.rules).for_each(|rule| rule.window = Window::ALWAYS);
    policy
}

/// A policy in all its forms.
struct Subject<'p> {
    seed: u64,
    /// The interface is in audit as a whole.
    audit: bool,
    truth: &'p Truth,
    timeless: EffectivePolicy,
    origins: Origins<'p>,
    /// The blobs at an interface that is not in audit: it decides as the oracle does.
    in_force: Model<'p>,
    /// The blobs at this interface.
    model: Model<'p>,
}

/// One flow, what begins it, and what must become of it.
struct Case {
    flow: Flow,
    packet: Packet,
    frame: Vec<u8>,
    judgment: Judgment,
    /// What the layers say; nothing for link control, of which none is asked.
    walk: Option<Walk>,
    /// The flow that the packet is of, if it is of one.
    id: Option<FlowId>,
}

impl Case {
    /// What the kernel must count.
    fn reason(&self) -> Reason {
        self.walk.map_or(Reason::LinkControl, |walk| walk.reason)
    }

    /// The flow that the kernel must remember.
    fn begins(&self) -> Option<FlowId> {
        let passes = matches!(self.reason(), Reason::Allowed | Reason::Audited);
        self.id.filter(|_| passes && wire::begins(&self.packet))
    }
}

impl Subject<'_> {
    /// Asks all that can be asked without the kernel.
    fn case(&self, flow: Flow, now: u32, random: &mut Random, outcomes: &mut Outcomes) -> Case {
        let judgment = self.truth.judge(&flow, now);
        outcomes.count(self.truth.policy(), &flow, &judgment, self.audit);
        let timeless = oracle::decide(&self.timeless, &flow, now);
        if let Hit::Rule { layer, rule } = timeless.hit {
            let rules = &self.truth.policy().layers(flow.direction())[layer].rules;
            outcomes.count_window(rules[rule].window, now);
        }
        let walk = (!is_link_control(&flow)).then(|| self.walk(&flow, now, &judgment));
        let packet = wire::packet(&flow, random);
        let frame = packet.build().expect("the packet can be written");
        let parsed = packet::parse(&frame).unwrap_or_else(|error| panic!("{error}: {packet:?}"));
        assert_eq!(parsed.to_flow(flow.direction()), Some(flow), "{packet:?}");
        let id = wire::flow_of(&packet, flow.direction());
        Case { flow, packet, frame, judgment, walk, id }
    }

    /// What the blobs say, which is what the oracle says.
    fn walk(&self, flow: &Flow, now: u32, judgment: &Judgment) -> Walk {
        let direction = flow.direction();
        let about = || format!("estate {}: {flow:?} at {now}, {judgment:?}", self.seed);
        let in_force = self.in_force.walk(flow, now);
        assert!(self.origins.agree(judgment.decision.hit, &in_force, direction), "{} {in_force:?}", about());
        let judgment = if self.audit { judgment.with_audit(direction) } else { *judgment };
        let walk = self.model.walk(flow, now);
        assert_eq!(walk.until, self.origins.until(&walk, direction), "{} {walk:?}", about());
        // Where a rule in audit would allow what its list, in audit too, denies, the oracle tells what would be without any
        // audit, and the kernel program what would be if the list were enforced.
        if walk.overruled && !judgment.reason.is_drop() {
            assert_eq!(walk.reason, Reason::Audited, "{}", about());
            return walk;
        }
        assert_eq!(walk.reason, judgment.counted(), "{} {walk:?}", about());
        if walk.reason == Reason::Audited {
            assert_eq!(walk.would, judgment.would, "{} {walk:?}", about());
        }
        walk
    }

    /// Judges cases of which none explains another.
    fn compare(&self, kernel: &mut Kernel, now: u32, batch: &[Case], counts: &mut Tally) {
        let frames = batch.iter().map(|case| (case.flow.direction(), &case.frame[..]));
        let observed = kernel.judge_afresh(now, &frames);
        let memory = kernel.memory_name();
        for (case, observed) in batch.iter().zip(observed) {
            self.check(case, now, observed);
            counts.count("cases", "all");
            counts.count(memory, observed.reason);
            if case.walk.is_some_and(|walk| walk.overruled) {
                counts.count("audit", "a rule would allow, its list would not");
            }
        }
        self.compare_events(kernel, batch, counts);
        self.compare_flows(kernel, now, batch, counts);
        self.compare_again(kernel, now, batch, counts);
    }

    fn check(&self, case: &Case, now: u32, observed: Outcome) {
        assert_eq!(observed.reason, case.reason(), "{}", self.about(case, now));
        assert_eq!(observed.passes, !case.reason().is_drop(), "{}", self.about(case, now));
    }

    /// What the kernel tells: each flow that passes only by audit once, with what it would drop it for, and by which row.
    fn compare_events(&self, kernel: &mut Kernel, batch: &[Case], counts: &mut Tally) {
        let told: Vec<_> =
            kernel.take_events().iter().map(|event| (event.flow, event.reason, event.rules)).collect();
        let audited = batch.iter().filter(|case| case.reason() == Reason::Audited);
        let expected: Vec<_> =
            audited.filter_map(|case| Some((case.begins()?, case.walk?.would?, case.walk?.told()))).collect();
        assert_eq!(told, expected, "estate {}", self.seed);
        expected.iter().for_each(|(_, reason, _)| counts.count("would", reason));
    }

    /// What the kernel remembers: the allowed flows and no others, each with the rules that allowed it.
    fn compare_flows(&self, kernel: &Kernel, now: u32, batch: &[Case], counts: &mut Tally) {
        let mut remembered = kernel.flows();
        for case in batch {
            let Some(id) = case.begins() else { continue };
            let entry =
                remembered.remove(&id).unwrap_or_else(|| panic!("no flow for {}", self.about(case, now)));
            let walk = case.walk.expect("a flow that rules allowed was judged");
            assert_eq!(
                (entry.direction, entry.rules, entry.audited, entry.until),
                (kernel::way(case.flow.direction()), walk.rows, walk.would.is_some(), walk.until),
                "{}",
                self.about(case, now)
            );
            counts.count("flows", if walk.until.is_some() { "until a moment" } else { "remembered" });
        }
        assert!(remembered.is_empty(), "estate {}: {remembered:?}", self.seed);
    }

    /// What was denied is denied again, for the same reason, whether or not the kernel remembers that.
    fn compare_again(&self, kernel: &Kernel, now: u32, batch: &[Case], counts: &mut Tally) {
        let denied: Vec<_> = batch.iter().filter(|case| case.reason().is_drop()).collect();
        let frames = denied.iter().map(|case| (case.flow.direction(), &case.frame[..]));
        let observed = kernel.judge(frames);
        if !kernel.is_time(now) {
            return;
        }
        for (case, observed) in denied.iter().zip(observed) {
            self.check(case, now, observed);
            counts.count("cases", "denied again");
        }
    }

    fn about(&self, case: &Case, now: u32) -> String {
        let Case { flow, frame, judgment, walk, .. } = case;
        format!("estate {} at {now}: {flow:?}, {judgment:?}, {walk:?}, {frame:02x?}", self.seed)
    }
}

/// Takes cases of which none can belong to a flow that another one began.
fn strangers(cases: Vec<Case>) -> (Vec<Case>, Vec<Case>) {
    let mut flows = BTreeSet::new();
    cases.into_iter().partition(|case| case.id.is_none_or(|id| flows.insert(id)))
}
