//! What the kernel program tells as it happens, read from its ring buffer.
//!
//! The ring is memory that this process shares with the kernel: the kernel writes records and says how far it came, the
//! one consumer reads them and says how far it came. Reading never waits and wakes nobody; an event for which there was
//! no room is counted in [`crate::SlotCounters::events_lost`]. Layout: `kernel/bpf/ringbuf.c`.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use libbpf_rs::{MapCore, MapHandle};
use palisade_abi::{
    event::{self, EventKind},
    flow::{Direction, FLOW_AUDITED, FLOW_ENDED_BY_TIME, FLOW_MIDSTREAM, FlowState},
    verdict::{LAYERS, Reason},
};

use crate::{
    error::{Context, Error},
    flows::{self, FlowId},
};

/// Pages before the records: the consumer's position, and the producer's.
const PAGE: usize = 4096;
/// Bytes of a record's header, the first word of which is the length and these bits.
const HEADER: u64 = 8;
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// Why.
    pub reason: Reason,
    /// The flow, or the one that a denied packet would have begun. Of a frame that is no IP packet, as of ARP, the addresses
    /// are unspecified.
    pub flow: FlowId,
    /// Direction of the flow's first packet, or of the denied one.
    pub direction: Direction,
    /// How far the flow has come.
    pub state: FlowState,
    /// Index of the rule that each layer decided by, in evaluation order of the direction. What denies, or would if it were not
    /// in audit, is that of the layer which the reason names.
    pub rules: [Option<u16>; LAYERS],
    /// It passes only because what would deny it is in audit.
    pub audited: bool,
    /// The flow was met in the middle of a connection.
    pub midstream: bool,
    /// Generation of the policy in force; of a flow that ended, of the NIC's policy that judged it last.
    pub generation: u64,
    /// Kernel tick at which it happened.
    pub tick: u64,
    /// Kernel tick at which the flow began.
    pub created: u64,
    /// Packets from the originator, and from the responder. For [`EventKind::Deny`] those that the first counts were denied
    /// since it was last told.
    pub packets: [u64; 2],
    /// Bytes from the originator, and from the responder.
    pub bytes: [u64; 2],
    /// TCP flags of the packets that passed, from the originator and from the responder; of a packet that began no flow, its
    /// own.
    pub tcp_flags: [u8; 2],
    /// The time of a rule cut the flow, and not a change of policy.
    pub ended_by_time: bool,
}

impl Event {
    fn of(told: &event::Event) -> Option<Self> {
        Some(Self {
            kind: EventKind::from_number(told.kind)?,
            reason: Reason::from_number(told.reason)?,
            flow: FlowId::of(&told.key).unwrap_or_else(|| FlowId::of_frame(told.key.slot)),
            direction: Direction::from_number(told.direction)?,
            state: FlowState::from_number(told.state)?,
            rules: flows::rules(told.rules),
            audited: told.flags & FLOW_AUDITED != 0,
            midstream: told.flags & FLOW_MIDSTREAM != 0,
            generation: told.generation,
            tick: told.tick,
            created: told.created,
            packets: told.packets,
            bytes: told.bytes,
            tcp_flags: flows::tcp_flags(&told.key),
            ended_by_time: told.flags & FLOW_ENDED_BY_TIME != 0,
        })
    }
}

/// The reading end of the ring. There is one: what it has read is gone.
#[derive(Debug)]
pub(crate) struct Events {
    /// The consumer's page; this process writes it.
    consumer: Mapped,
    /// The producer's page, then the records twice, so that none is torn at the end.
    producer: Mapped,
    ring_bytes: u64,
}

impl Events {
    pub(crate) fn open(map: &MapHandle) -> Result<Self, Error> {
        let ring_bytes = map.max_entries() as usize;
        let (read, write) = (libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE);
        let mapped = |protection, offset, bytes| {
            Mapped::new(map, protection, offset, bytes).context(|| "map the ring of events".into())
        };
        Ok(Self {
            consumer: mapped(write, 0, PAGE)?,
            producer: mapped(read, PAGE, PAGE + 2 * ring_bytes)?,
            ring_bytes: ring_bytes as u64,
        })
    }

    /// Reads events until there is none or `limit` were read; how many it gave to the sink.
    pub(crate) fn drain(&mut self, limit: usize, sink: &mut dyn FnMut(Event)) -> usize {
        let mut position = self.consumer.wide(0).load(Ordering::Relaxed);
        let end = self.producer.wide(0).load(Ordering::Acquire);
        let mut told = 0;
        while position < end && told < limit {
            let place = PAGE + (position & (self.ring_bytes - 1)) as usize;
            let length = self.producer.word(place).load(Ordering::Acquire);
            if length & BUSY != 0 {
                break;
            }
            let bytes = (length & !DISCARDED) as usize;
            if length & DISCARDED == 0
                && let Some(event) =
                    self.producer.read(place + HEADER as usize, bytes).as_ref().and_then(Event::of)
            {
                sink(event);
                told += 1;
            }
            position += (HEADER + bytes as u64).next_multiple_of(8);
            self.consumer.wide(0).store(position, Ordering::Release);
        }
        told
    }
}

/// A part of the ring that is mapped.
#[derive(Debug)]
struct Mapped {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping is ours as long as the value lives, and every access to it is checked.
unsafe impl Send for Mapped {}
// SAFETY: as above; through a shared reference only the positions and whole records are read.
unsafe impl Sync for Mapped {}

impl Mapped {
    fn new(map: &MapHandle, protection: i32, offset: usize, bytes: usize) -> io::Result<Self> {
        let fd = map.as_fd().as_raw_fd();
        let offset = offset as libc::off_t;
        // SAFETY: a new mapping of a map that is borrowed during the call; it replaces nothing.
        let base =
            unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, libc::MAP_SHARED, fd, offset) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast::<u8>()).expect("the kernel chose the address");
        Ok(Self { base, bytes })
    }

    fn at<T>(&self, offset: usize) -> *mut T {
        assert!(offset + size_of::<T>() <= self.bytes && offset.is_multiple_of(align_of::<T>()));
        // SAFETY: the assertion keeps the result inside the mapping.
        unsafe { self.base.as_ptr().add(offset).cast() }
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: in bounds and aligned; the kernel accesses it as a word too.
        unsafe { AtomicU32::from_ptr(self.at(offset)) }
    }

    fn wide(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: as above.
        unsafe { AtomicU64::from_ptr(self.at(offset)) }
    }

    /// A record; `None` if it is of another length.
    fn read(&self, offset: usize, bytes: usize) -> Option<event::Event> {
        // SAFETY: in bounds; the kernel does not change a record that it has handed over.
        (bytes == size_of::<event::Event>())
            .then(|| unsafe { self.at::<event::Event>(offset).read_unaligned() })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and every reference into it borrowed from `self`.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}
