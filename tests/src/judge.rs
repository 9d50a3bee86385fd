//! What the kernel program should answer, predicted from the blobs that it is given.
//!
//! [`Model::walk`] asks [`BlobView`]s in the order in which the program asks its blobs; [`Truth`] says what the oracle's
//! answer means in the program's terms, and [`crate::origins`] which rules the blobs' rows come from. Tests compare them;
//! none of them uses another.

use std::net::IpAddr;

use palisade_abi::verdict::{Action, LAYERS, Layer as Place, Reason};
use palisade_classify::{
    Decision, Engine, Hit, Reason as Why, Shadow, Verdict,
    blob::{BlobView, Fragment},
    enforce::{DirectionBlobs, LayerBlob, PolicyBlobs},
    oracle,
};
use palisade_datapath::{LAYERS_INBOUND, LAYERS_OUTBOUND};
use palisade_model::{EffectiveLayer, EffectivePolicy, Layer, Mode};
use palisade_net::{Direction, Flow, Protocol};

/// Checked blobs of one interface.
#[derive(Debug)]
pub struct Model<'a> {
    inbound: [Option<List<'a>>; LAYERS],
    outbound: [Option<List<'a>>; LAYERS],
    audit: bool,
}

#[derive(Debug)]
struct List<'a> {
    view: BlobView<'a>,
    audit: bool,
    keep: bool,
}

/// What the layers say of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// What the program counts for the flow's first packet.
    pub reason: Reason,
    /// The row of each layer that matched.
    pub rows: [Option<u16>; LAYERS],
    /// The first denial that audit let pass.
    pub would: Option<Reason>,
    /// The layer and the row that denies.
    pub would_row: Option<(usize, u16)>,
    /// The second in which a row that allowed it ends.
    pub until: Option<u32>,
    /// A list that denies had no say, since it keeps its flows.
    pub kept: bool,
    /// That denial is one of a list in audit, and a rule in audit would have been asked before and allow.
    pub overruled: bool,
}

impl Default for Walk {
    /// Nothing was asked yet.
    fn default() -> Self {
        let rows = [None; LAYERS];
        let (would, would_row) = (None, None);
        Self { reason: Reason::Allowed, rows, would, would_row, until: None, kept: false, overruled: false }
    }
}

impl Walk {
    /// Notes what a layer's row would deny for; the first counts.
    fn note(&mut self, layer: usize, denial: Option<(Reason, usize)>) {
        if let Some((reason, row)) = denial.filter(|_| self.would.is_none()) {
            (self.would, self.would_row) = (Some(reason), Some((layer, number(row))));
        }
    }

    /// The rows by which the kernel tells that it would be denied.
    pub fn told(&self) -> [Option<u16>; LAYERS] {
        let mut rows = self.rows;
        if let Some((layer, row)) = self.would_row {
            rows[layer] = Some(row);
        }
        rows
    }
}

impl<'a> Model<'a> {
    /// Checks the blobs.
    ///
    /// # Panics
    /// If one contradicts itself.
    pub fn of(blobs: &'a PolicyBlobs) -> Self {
        let list = |layer: &'a LayerBlob| List {
            view: BlobView::parse(&layer.blob).expect("compiled blobs are sound"),
            audit: layer.audit,
            keep: !layer.flush,
        };
        let lists = |blobs: &'a DirectionBlobs| blobs.each_ref().map(|layer| layer.as_ref().map(list));
        Self { inbound: lists(&blobs.inbound), outbound: lists(&blobs.outbound), audit: false }
    }

    /// The same for an interface that is in audit as a whole, or not.
    #[must_use]
    pub fn with_audit(self, audit: bool) -> Self {
        Self { audit, ..self }
    }

    /// Asks layer by layer at `now`, as `bpf/policy.h` does.
    pub fn walk(&self, flow: &Flow, now: u32) -> Walk {
        self.ask(flow, now, false)
    }

    /// The same for a flow that is judged again: a list that keeps its flows denies none of them.
    pub fn walk_again(&self, flow: &Flow, now: u32) -> Walk {
        self.ask(flow, now, true)
    }

    fn ask(&self, flow: &Flow, now: u32, again: bool) -> Walk {
        let mut walk = Walk::default();
        for (index, place, list) in self.lists(flow.direction()) {
            let found = list.view.lookup(flow, now);
            let shadow = found.shadow.map(|(row, action)| denial(action, place).map(|reason| (reason, row)));
            let Some((row, action)) = found.rule else {
                walk.note(index, shadow.flatten());
                if place == Place::Admin {
                    continue;
                }
                return Walk { reason: denied_at(place), ..walk };
            };
            walk.rows[index] = Some(number(row));
            let denial = denial(action, place);
            if denial.is_some() && again && list.keep {
                walk.note(index, shadow.flatten());
                walk.kept = true;
                continue;
            }
            if let Some(reason) = denial.filter(|_| !(list.audit || self.audit)) {
                return Walk { reason, ..walk };
            }
            walk.overruled |= list.audit && walk.would.is_none() && denial.is_some() && shadow == Some(None);
            walk.note(index, shadow.flatten());
            walk.note(index, denial.map(|reason| (reason, row)));
            if denial.is_none() {
                walk.until = earlier(walk.until, found.until);
            }
            if action == Action::AlwaysAllow {
                break;
            }
        }
        let reason = if walk.would.is_some() { Reason::Audited } else { Reason::Allowed };
        Walk { reason, ..walk }
    }

    /// What the program counts for a later fragment: it passes if it may be a part of something allowed, or of an answer to
    /// that.
    pub fn fragment(
        &self,
        direction: Direction,
        protocol: Protocol,
        ends: (IpAddr, IpAddr),
        now: u32,
    ) -> Reason {
        let (there, back) = (ends, (ends.1, ends.0));
        let permits = |direction, ends| self.permits_fragment(direction, protocol, ends, now);
        match permits(direction, there) || permits(opposite(direction), back) {
            true => Reason::LaterFragment,
            false if self.audit => Reason::Audited,
            false => Reason::Fragment,
        }
    }

    fn permits_fragment(
        &self,
        direction: Direction,
        protocol: Protocol,
        (source, destination): (IpAddr, IpAddr),
        now: u32,
    ) -> bool {
        for (_, place, list) in self.lists(direction).filter(|(.., list)| !(list.audit || self.audit)) {
            match list.view.fragment(source, destination, protocol, now) {
                Fragment::Allow => {}
                Fragment::Miss if place == Place::Admin => {}
                Fragment::AlwaysAllow => return true,
                Fragment::Deny | Fragment::Miss => return false,
            }
        }
        true
    }

    fn lists(&self, direction: Direction) -> impl Iterator<Item = (usize, Place, &List<'a>)> {
        let lists = match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        };
        let present = lists.iter().zip(places(direction)).enumerate();
        present.filter_map(|(index, (list, place))| Some((index, place, list.as_ref()?)))
    }
}

fn number(row: usize) -> u16 {
    u16::try_from(row).expect("a blob has at most 1,024 rules")
}

/// The other direction.
pub const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Inbound => Direction::Outbound,
        Direction::Outbound => Direction::Inbound,
    }
}

/// The sooner of two moments of which each may never come.
pub fn earlier(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    a.into_iter().chain(b).min()
}

/// Where the lists of a direction stand, in the order in which they are asked.
pub(crate) const fn places(direction: Direction) -> [Place; LAYERS] {
    match direction {
        Direction::Inbound => LAYERS_INBOUND,
        Direction::Outbound => LAYERS_OUTBOUND,
    }
}

/// Where a layer's list stands.
pub(crate) const fn place_of(layer: Layer) -> Place {
    match layer {
        Layer::Admin => Place::Admin,
        Layer::Subnet => Place::Subnet,
        Layer::NetworkInterface | Layer::PublicAddress => Place::NetworkInterface,
    }
}

const fn denial(action: Action, place: Place) -> Option<Reason> {
    match action {
        Action::Allow | Action::AlwaysAllow => None,
        Action::Closed => Some(Reason::PublicAddressClosed),
        Action::Deny => Some(denied_at(place)),
    }
}

const fn denied_at(place: Place) -> Reason {
    match place {
        Place::Admin => Reason::AdminDeny,
        Place::Subnet => Reason::SubnetDeny,
        Place::NetworkInterface => Reason::NetworkInterfaceDeny,
    }
}

/// Which list of a direction gives this reason.
fn position(reason: Reason, direction: Direction) -> Option<usize> {
    let closed = (reason == Reason::PublicAddressClosed).then_some(Place::NetworkInterface);
    places(direction).iter().position(|place| closed == Some(*place) || denied_at(*place) == reason)
}

/// What the oracle says of a policy, and of the same with everything enforced.
#[derive(Debug)]
pub struct Truth {
    engine: Engine,
    enforced: EffectivePolicy,
}

/// What the oracle says of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgment {
    /// The answer.
    pub decision: Decision,
    /// What the program counts for a first packet, audit aside: why it passes or drops.
    pub reason: Reason,
    /// What it would drop for if nothing were in audit; nothing for what passes anyway.
    pub would: Option<Reason>,
}

impl Judgment {
    /// The same at an interface that is in audit as a whole: what is denied passes, and the first denial is what it would
    /// drop for.
    #[must_use]
    pub fn with_audit(self, direction: Direction) -> Self {
        if !self.reason.is_drop() {
            return self;
        }
        // At one place, what is in audit stands before what decides.
        let denials = self.would.into_iter().chain([self.reason]);
        let would = denials.min_by_key(|reason| position(*reason, direction));
        Self { reason: Reason::Allowed, would, ..self }
    }

    /// What the program counts for a first packet.
    pub fn counted(&self) -> Reason {
        if self.reason == Reason::Allowed && self.would.is_some() { Reason::Audited } else { self.reason }
    }
}

impl Truth {
    /// The oracle's view of `policy`.
    ///
    /// # Panics
    /// If the policy is larger than an interface's may be.
    pub fn of(policy: EffectivePolicy) -> Self {
        let enforced = EffectivePolicy {
            inbound: enforce_all(&policy.inbound),
            outbound: enforce_all(&policy.outbound),
            services: policy.services.clone(),
        };
        Self { engine: Engine::new(policy).expect("generated policies are within the limits"), enforced }
    }

    /// The policy.
    pub const fn policy(&self) -> &EffectivePolicy {
        self.engine.policy()
    }

    /// What is said of a flow at `now`. Oracle and engine agree on the way.
    ///
    /// # Panics
    /// If they do not, if the answer is not known, or if what the oracle says of audit is not what it says without.
    pub fn judge(&self, flow: &Flow, now: u32) -> Judgment {
        let decision = oracle::decide(self.policy(), flow, now);
        assert_ne!(decision.verdict, Verdict::Unknown, "{flow:?} at {now}: {decision:?}");
        assert_eq!(self.engine.decide(flow, now), decision, "{flow:?} at {now}");
        let enforced = oracle::decide(&self.enforced, flow, now);
        let shadow = decision.shadow.map_or(decision.verdict, |Shadow { verdict, .. }| verdict);
        assert_eq!(enforced.verdict, shadow, "{flow:?} at {now}: {decision:?} {enforced:?}");
        let would = reason(&enforced, &self.enforced, flow.direction());
        Judgment {
            decision,
            reason: reason(&decision, self.policy(), flow.direction()),
            would: would.is_drop().then_some(would),
        }
    }
}

/// The layers with nothing in audit: an NSG that is enforced opens the public address.
fn enforce_all(layers: &[EffectiveLayer]) -> Vec<EffectiveLayer> {
    let opens = layers.iter().any(|layer| layer.mode == Mode::Audit);
    let stay = layers.iter().filter(|layer| !(opens && layer.layer == Layer::PublicAddress));
    let mut enforced: Vec<EffectiveLayer> = stay.cloned().collect();
    for layer in &mut enforced {
        layer.mode = Mode::Enforce;
        layer.rules.iter_mut().for_each(|rule| rule.mode = Mode::Enforce);
    }
    enforced
}

/// What the program counts for a flow of which the oracle says `decision`, audit aside.
fn reason(decision: &Decision, policy: &EffectivePolicy, direction: Direction) -> Reason {
    match (decision.verdict, decision.reason, decision.hit) {
        (Verdict::Unknown, ..) => panic!("a policy that is not fully known is never enforced"),
        (_, Why::LinkControl, _) => Reason::LinkControl,
        (Verdict::Allow, ..) => Reason::Allowed,
        (_, Why::PublicAddressClosed, _) => Reason::PublicAddressClosed,
        (Verdict::Deny, _, Hit::Rule { layer, .. } | Hit::Exempt { layer }) => {
            denied_at(place_of(policy.layers(direction)[layer].layer))
        }
        (Verdict::Deny, _, Hit::Nothing) => panic!("every list ends with a rule that matches everything"),
    }
}
