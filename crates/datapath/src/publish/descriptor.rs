//! A NIC's descriptor: what it becomes beside the one in force, and whether flows are judged again.

use palisade_abi::{
    arena::{
        NIC_AUDIT, NIC_AUDIT_INBOUND, NIC_AUDIT_OUTBOUND, NIC_INVERTED, NIC_KEEP_INBOUND, NIC_KEEP_OUTBOUND,
        NIC_LOOSE_TCP, NicDescriptor,
    },
    verdict::LAYERS,
};

use super::{
    Timing,
    shared::{self, Shared},
};
use crate::{
    memory::published::Published,
    policy::{LayerPolicy, NicKind, NicPolicy},
};

/// Where the layers of one direction are in memory.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Layers {
    pub blobs: [u32; LAYERS],
    pub counters: [u32; LAYERS],
}

/// What is the same for every NIC of a publish.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'p> {
    pub generation: u64,
    pub timing: Timing,
    /// The policy in force.
    pub current: Option<&'p Published>,
}

/// The descriptor of a NIC. `old` is the one in force for its slot.
pub(crate) fn build<'a>(
    nic: &'a NicPolicy,
    [inbound, outbound]: [Layers; 2],
    moment: &Moment<'_>,
    old: Option<&NicDescriptor>,
    shared: &mut Shared<'a>,
) -> NicDescriptor {
    let timeouts = nic.timeouts.ticks(moment.timing.ticks_per_second);
    let before = old.zip(moment.current).and_then(|(old, current)| current.throttle(old));
    let throttle = nic.throttle.map(|own| own.in_memory(moment.generation, before.as_ref()));
    let mut new = NicDescriptor {
        ifindex: nic.ifindex,
        slot: nic.slot,
        generation: moment.generation,
        rejudge: moment.generation,
        since: moment.generation,
        flags: flags(nic),
        guards: nic.guards.bits(),
        mac: nic.mac.map_or([0; 4], |mac| words(mac.0)),
        timeouts: shared.timeouts(timeouts),
        owned: shared.owned(&nic.owned),
        flows_max: nic.limits.flows,
        half_open_max: nic.limits.half_open,
        inbound: inbound.blobs,
        outbound: outbound.blobs,
        inbound_counters: inbound.counters,
        outbound_counters: outbound.counters,
        grace_until: moment.timing.grace_until,
        throttle: throttle.map_or(0, |throttle| shared.throttle(&throttle)),
        reserved: 0,
    };
    let Some((old, current)) = old.zip(moment.current) else { return new };
    (new.since, new.grace_until) = (old.since, old.grace_until);
    let [v4, v6] = shared::ranges(&nic.owned);
    let same_owned = current.owned(old) == Some([&v4, &v6]);
    let same_timeouts = current.timeouts(old) == Some(timeouts);
    if !must_rejudge(old, &new, same_owned) {
        new.rejudge = old.rejudge;
    }
    if same_owned && same_timeouts && throttle == before && comparable(old) == comparable(&new) {
        new.generation = old.generation;
    }
    new
}

/// A descriptor without what changes by itself, and without offsets whose content decides.
fn comparable(nic: &NicDescriptor) -> NicDescriptor {
    NicDescriptor { generation: 0, rejudge: 0, timeouts: 0, owned: 0, throttle: 0, ..*nic }
}

/// Whether flows that were judged under `old` are to be judged again.
fn must_rejudge(old: &NicDescriptor, new: &NicDescriptor, same_owned: bool) -> bool {
    let identity = |nic: &NicDescriptor| (nic.guards, nic.mac, nic.flags & NIC_AUDIT);
    if !same_owned || identity(old) != identity(new) {
        return true;
    }
    layers(old).zip(layers(new)).any(|(old, new)| flushes(&old, &new))
}

/// Every layer of a descriptor, those included that it does not have.
fn layers(nic: &NicDescriptor) -> impl Iterator<Item = Layer> {
    let directions = [
        (&nic.inbound, NIC_AUDIT_INBOUND, NIC_KEEP_INBOUND),
        (&nic.outbound, NIC_AUDIT_OUTBOUND, NIC_KEEP_OUTBOUND),
    ];
    let flags = nic.flags;
    directions.into_iter().flat_map(move |(blobs, audit, keep)| {
        blobs.iter().enumerate().map(move |(place, blob)| Layer {
            blob: *blob,
            audit: flags & audit << place != 0,
            flush: flags & keep << place == 0,
        })
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layer {
    /// Where its rules are; equal rules are at one place. 0 if there is no such layer.
    blob: u32,
    audit: bool,
    flush: bool,
}

/// Whether a layer changed, and its change is for flows that exist too.
fn flushes(old: &Layer, new: &Layer) -> bool {
    match (old.blob, new.blob) {
        (0, 0) => false,
        (_, 0) => old.flush,
        _ => new.flush && old != new,
    }
}

fn flags(nic: &NicPolicy) -> u32 {
    let bit = |is_set: bool, bit: u32| if is_set { bit } else { 0 };
    let layers = |layers: &[Option<LayerPolicy>; LAYERS], audit: u32, keep: u32| {
        (0..LAYERS).fold(0, |flags, place| {
            let layer = layers[place].as_ref();
            flags
                | bit(layer.is_some_and(|layer| layer.audit), audit << place)
                | bit(layer.is_some_and(|layer| !layer.flush), keep << place)
        })
    };
    bit(nic.kind == NicKind::Inverted, NIC_INVERTED)
        | bit(nic.audit, NIC_AUDIT)
        | bit(nic.loose_tcp, NIC_LOOSE_TCP)
        | layers(&nic.inbound, NIC_AUDIT_INBOUND, NIC_KEEP_INBOUND)
        | layers(&nic.outbound, NIC_AUDIT_OUTBOUND, NIC_KEEP_OUTBOUND)
}

/// A MAC address as the kernel program compares it: words as they are on the wire.
fn words([a, b, c, d, e, f]: [u8; 6]) -> [u16; 4] {
    [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]), u16::from_ne_bytes([e, f]), 0]
}
