//! The flow table as this process sees it: read from the shared memory while packets change it.
//!
//! Reading takes no lock and holds up no packet. A flow's identity does not change while its tag names it, so a copy
//! counts only if the tag is the same afterwards; its counters and times may be of slightly different moments.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::atomic::{Ordering, fence},
};

use palisade_abi::{
    arena::NEVER,
    flow::{
        BUCKET_WAYS, Direction, FLOW_AUDITED, FLOW_END_TOLD, FLOW_ENDED_BY_TIME, FLOW_FOREIGN, FLOW_LATE_MAX,
        FLOW_LATE_PACKET, FLOW_MIDSTREAM, Flow, FlowBucket, FlowKey, FlowState, RULE_NONE, TAG_BUSY,
    },
    verdict::LAYERS,
};

use crate::memory::{mapping::Mapping, regions::Regions};

/// Which packets belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId {
    /// Slot of the NIC.
    pub slot: u32,
    /// IANA protocol number.
    pub protocol: u8,
    /// Type of an ICMP query, and which way it goes.
    pub query: Option<(u8, Direction)>,
    /// Address and port behind the interface; for an ICMP query the port is its identifier.
    pub local: (IpAddr, u16),
    /// The other address and port.
    pub remote: (IpAddr, u16),
}

/// One flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowEntry {
    /// Which packets belong to it.
    pub id: FlowId,
    /// Direction of the first packet.
    pub direction: Direction,
    /// How far it has come.
    pub state: FlowState,
    /// Index of the rule that each layer decided by, in evaluation order of the flow's direction.
    pub rules: [Option<u16>; LAYERS],
    /// It passes only because what would deny it is in audit.
    pub audited: bool,
    /// Its local address is not one that the NIC owns.
    pub foreign: bool,
    /// It was met in the middle of a connection.
    pub midstream: bool,
    /// The time of a rule cut it, and not a change of policy.
    pub ended_by_time: bool,
    /// Generation of the policy that judged it last.
    pub generation: u64,
    /// Packets from the originator, and from the responder.
    pub packets: [u64; 2],
    /// Bytes from the originator, and from the responder.
    pub bytes: [u64; 2],
    /// TCP flags of the packets that passed, from the originator and from the responder.
    pub tcp_flags: [u8; 2],
    /// Its end was told as its packets closed it, and hardly anything has passed since.
    pub end_told: bool,
    /// Kernel tick at which it began.
    pub created: u64,
    /// Kernel tick at which a packet last prolonged it.
    pub last_seen: u64,
    /// Ticks after `last_seen` at which it ends.
    pub timeout: u32,
    /// Second since 1970 at which a rule that admitted it ends to hold.
    pub until: Option<u32>,
}

impl FlowId {
    /// What there is to tell of a frame that is no IP packet, or was not read as one.
    pub(crate) fn of_frame(slot: u32) -> Self {
        let nobody = (IpAddr::from(Ipv4Addr::UNSPECIFIED), 0);
        Self { slot, protocol: 0, query: None, local: nobody, remote: nobody }
    }

    /// Reads a key; `None` if it is of no family.
    pub(crate) fn of(key: &FlowKey) -> Option<Self> {
        let address = |words: &[u32; 4]| match key.family {
            4 => Some(IpAddr::from(Ipv4Addr::from(words[0].to_ne_bytes()))),
            6 => {
                let mut bytes = [0; 16];
                for (target, word) in bytes.chunks_exact_mut(4).zip(words) {
                    target.copy_from_slice(&word.to_ne_bytes());
                }
                Some(Ipv6Addr::from(bytes).into())
            }
            _ => None,
        };
        let query = if key.query == 0 { None } else { Direction::from_number(key.query_direction) };
        Some(Self {
            slot: key.slot,
            protocol: key.protocol,
            query: query.map(|direction| (key.query, direction)),
            local: (address(&key.local)?, key.local_port),
            remote: (address(&key.remote)?, key.remote_port),
        })
    }
}

impl FlowEntry {
    /// Reads a flow; `None` if its codes are none.
    pub(crate) fn of(flow: &Flow) -> Option<Self> {
        Some(Self {
            id: FlowId::of(&flow.key)?,
            direction: Direction::from_number(flow.direction)?,
            state: u8::try_from(flow.state).ok().and_then(FlowState::from_number)?,
            rules: rules(flow.rules),
            audited: flow.flags & FLOW_AUDITED != 0,
            foreign: flow.flags & FLOW_FOREIGN != 0,
            midstream: flow.flags & FLOW_MIDSTREAM != 0,
            ended_by_time: flow.flags & FLOW_ENDED_BY_TIME != 0,
            generation: flow.generation,
            packets: flow.packets,
            bytes: flow.bytes,
            tcp_flags: tcp_flags(&flow.key),
            end_told: is_end_told(&flow.key),
            created: flow.created,
            last_seen: flow.last_seen,
            timeout: flow.timeout,
            until: (flow.until != NEVER).then_some(flow.until),
        })
    }

    /// Whether no packet belongs to it any more at this kernel tick.
    pub fn is_over(&self, tick: u64) -> bool {
        self.last_seen.saturating_add(self.timeout.into()) < tick
    }
}

/// TCP flags that were seen, from the originator and from the responder.
pub(crate) fn tcp_flags(key: &FlowKey) -> [u8; 2] {
    let [originator, responder, ..] = key.seen.to_le_bytes();
    [originator, responder]
}

/// As the kernel program decides it: bpf/event.h.
fn is_end_told(key: &FlowKey) -> bool {
    key.seen & FLOW_END_TOLD != 0 && key.seen / FLOW_LATE_PACKET <= FLOW_LATE_MAX
}

/// Rules by layer as the kernel notes them.
pub(crate) fn rules(noted: [u16; LAYERS]) -> [Option<u16>; LAYERS] {
    noted.map(|rule| (rule != RULE_NONE).then_some(rule))
}

/// The table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FlowTable<'m> {
    memory: &'m Mapping,
    regions: &'m Regions,
}

/// A place for one flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// Where its tag is.
    pub tag: u32,
    /// Where the flow is.
    pub flow: u32,
}

impl<'m> FlowTable<'m> {
    pub(crate) fn new(memory: &'m Mapping, regions: &'m Regions) -> Self {
        Self { memory, regions }
    }

    /// Every way that holds a flow, with a copy of it.
    pub(crate) fn flows(self) -> impl Iterator<Item = (Way, u32, Flow)> + use<'m> {
        let ways = (0..self.regions.bucket_count)
            .flat_map(|bucket| (0..BUCKET_WAYS as u32).map(move |way| (bucket, way)));
        ways.filter_map(move |(bucket, way)| {
            let place = self.way(bucket, way);
            let (tag, flow) = self.read(place)?;
            Some((place, tag, flow))
        })
    }

    fn way(&self, bucket: u32, way: u32) -> Way {
        let tags = std::mem::offset_of!(FlowBucket, tags) as u32;
        Way {
            tag: self.regions.buckets + bucket * size_of::<FlowBucket>() as u32 + tags + 4 * way,
            flow: self.regions.flows + (bucket * BUCKET_WAYS as u32 + way) * size_of::<Flow>() as u32,
        }
    }

    /// The flow of a way and its tag; `None` if there is none, or it changed hands while it was read.
    pub(crate) fn read(&self, way: Way) -> Option<(u32, Flow)> {
        let tag = self.memory.word(way.tag);
        let before = tag.load(Ordering::Acquire);
        if before <= TAG_BUSY {
            return None;
        }
        let flow = self.memory.load::<Flow>(way.flow);
        fence(Ordering::Acquire);
        (tag.load(Ordering::Relaxed) == before).then_some((before, flow))
    }
}
