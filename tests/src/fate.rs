//! What becomes of a flow when policy changes or time passes, by `docs/semantics.md`, "Existing flows", and the oracle.
//!
//! A flow is judged as it began, whichever way its packet goes, and by the lists that take part: a list that keeps its flows has
//! a say only once a rule that admitted the flow has ended. It must not know when the kernel program judges a flow again: it says
//! what that must come to.

use palisade_abi::{
    flow::{Direction as Way, FlowState},
    verdict::{LAYERS, Reason},
};
use palisade_classify::enforce::{self, DirectionBlobs, LayerBlob, PolicyBlobs};
use palisade_datapath::FlowEntry;
use palisade_model::{EffectiveLayer, EffectivePolicy};
use palisade_net::{
    Direction, Flow, Protocol,
    packet::{Packet, TcpFlags, Transport, parse},
};

use crate::judge::{Truth, place_of};

/// A policy that is in force for a while.
#[derive(Debug)]
pub struct Stage {
    /// What the kernel program is given.
    pub blobs: PolicyBlobs,
    whole: Truth,
    /// The same without the lists that keep their flows.
    taking_part: Truth,
}

/// What a packet of a flow meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The flow goes on.
    GoesOn,
    /// It is cut, or stays so.
    Cut,
    /// The packet begins something, whatever was before, and is counted so.
    Anew(Reason),
}

impl Stage {
    /// The stage of a policy of which everything is known.
    ///
    /// # Panics
    /// If it cannot be enforced.
    pub fn of(policy: EffectivePolicy) -> Self {
        let taking_part = EffectivePolicy {
            inbound: without_kept(&policy.inbound),
            outbound: without_kept(&policy.outbound),
            services: policy.services.clone(),
        };
        Self {
            blobs: enforce::compile(&policy).expect("a known policy can be enforced"),
            whole: Truth::of(policy),
            taking_part: Truth::of(taking_part),
        }
    }

    /// Whether a list of a direction keeps its flows.
    pub fn keeps(&self, direction: Direction) -> bool {
        let lists = [&self.whole, &self.taking_part].map(|truth| truth.policy().layers(direction).len());
        lists[0] != lists[1]
    }

    /// Whether flows that `before` admitted are to be judged again.
    pub fn flushes(&self, before: &Self) -> bool {
        let directions =
            [(&before.blobs.inbound, &self.blobs.inbound), (&before.blobs.outbound, &self.blobs.outbound)];
        directions.into_iter().any(|(old, new)| (0..LAYERS).any(|place| flushes(old, new, place)))
    }

    /// Whether every list denies nothing of the flow at `now`, those that keep their flows included.
    pub fn admits(&self, flow: &Flow, now: u32) -> bool {
        !self.whole.judge(flow, now).reason.is_drop()
    }

    /// Whether a flow that was admitted before would go on, if it was judged again at `now`.
    pub fn lets_live(&self, entry: &FlowEntry, now: u32) -> bool {
        let flow = flow_of(entry);
        let truth = if has_ended(entry, now) { &self.whole } else { &self.taking_part };
        !truth.judge(&flow, now).reason.is_drop()
    }

    /// What a packet must meet that comes at `now`, after `before` was in force; all of it, where nothing says whether the
    /// flow is judged again.
    pub fn fates(
        &self,
        before: &Self,
        entry: &FlowEntry,
        packet: &Packet,
        direction: Direction,
        now: u32,
    ) -> Vec<Fate> {
        if begins_anew(entry, packet, direction) {
            let frame = packet.build().expect("the packet can be written");
            let flow =
                parse(&frame).ok().and_then(|parsed| parsed.to_flow(direction)).expect("it is of a flow");
            return vec![Fate::Anew(self.whole.judge(&flow, now).reason)];
        }
        let fate = |lives| if lives { Fate::GoesOn } else { Fate::Cut };
        let (is, will) = (fate(entry.state != FlowState::Cut), fate(self.lets_live(entry, now)));
        // A change that is not for existing flows does not reach them by itself, but time may.
        let is_quiet = !self.flushes(before) && self.blobs != before.blobs;
        if is_quiet && is != will { vec![is, will] } else { vec![will] }
    }
}

/// Whether a rule that admitted the flow has ended.
pub fn has_ended(entry: &FlowEntry, now: u32) -> bool {
    entry.until.is_some_and(|until| until <= now)
}

/// The first packet of a flow, as rules see it.
pub fn flow_of(entry: &FlowEntry) -> Flow {
    let id = entry.id;
    let direction = match entry.direction {
        Way::Inbound => Direction::Inbound,
        Way::Outbound => Direction::Outbound,
    };
    let (local, remote) = match (id.query, direction) {
        (None, _) => (id.local.1, id.remote.1),
        (Some((kind, _)), Direction::Inbound) => (kind.into(), 0),
        (Some((kind, _)), Direction::Outbound) => (0, kind.into()),
    };
    Flow::between(direction, Protocol(id.protocol), (id.local.0, local), (id.remote.0, remote))
        .expect("the addresses of a flow are of one family")
}

/// Whether a packet of a direction comes from who began the flow.
pub fn is_from_originator(entry: &FlowEntry, direction: Direction) -> bool {
    flow_of(entry).direction() == direction
}

/// Whether the packet is a new connection in place of the one that is there: a SYN where that was cut, or from the responder
/// once it has answered (`docs/semantics.md`, "State").
fn begins_anew(entry: &FlowEntry, packet: &Packet, direction: Direction) -> bool {
    let is_syn = matches!(packet.transport, Transport::Tcp { flags: TcpFlags::SYN, .. });
    let has_answered = entry.state != FlowState::SynSent;
    is_syn && (entry.state == FlowState::Cut || (!is_from_originator(entry, direction) && has_answered))
}

/// The layers that have a say when a flow is judged again. Two layers at one place are one list, which keeps its flows only if
/// both do.
fn without_kept(layers: &[EffectiveLayer]) -> Vec<EffectiveLayer> {
    let flushes = |layer: &EffectiveLayer| {
        let here = |other: &&EffectiveLayer| place_of(other.layer) == place_of(layer.layer);
        layers.iter().filter(here).any(|other| other.flush)
    };
    layers.iter().filter(|layer| flushes(layer)).cloned().collect()
}

/// Whether the list at a place changed, and its change is for flows that exist: an NSG that goes is asked whether it flushed,
/// any other whether it does now.
fn flushes(old: &DirectionBlobs, new: &DirectionBlobs, place: usize) -> bool {
    let says = |list: &LayerBlob| (list.blob.clone(), list.audit, list.flush);
    match (&old[place], &new[place]) {
        (None, None) => false,
        (Some(old), None) => old.flush,
        (None, Some(new)) => new.flush,
        (Some(old), Some(new)) => new.flush && says(old) != says(new),
    }
}
