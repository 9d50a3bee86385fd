//! Test runs: the kernel program on packets of the caller's making, without an interface.
//!
//! The program reports to nobody why it decided: the reason is read from the counters of the packet's slot, which no
//! other traffic may touch meanwhile.

use std::os::fd::{AsFd, BorrowedFd};

use palisade_abi::{arena::SLOT_UNKNOWN, flow::Direction, verdict::Reason};

use crate::{
    counters::SlotCounters,
    datapath::Datapath,
    error::{Context, Error},
    plane::Watch,
    sys,
};

/// Bytes of `struct __sk_buff`, and where the fields of it are that a test run takes.
const CONTEXT_BYTES: usize = 192;
const CONTEXT_IFINDEX: usize = 40;
const CONTEXT_GSO_SEGMENTS: usize = 164;
const CONTEXT_GSO_SIZE: usize = 176;
/// What the program returns for a packet that goes on: TCX_NEXT.
const PASS: u32 = u32::MAX;

/// A packet to be judged.
#[derive(Debug, Clone, Copy)]
pub struct TestPacket<'b> {
    /// Which way it goes.
    pub direction: Direction,
    /// Interface on which it is seen; it must exist in this network namespace.
    pub ifindex: u32,
    /// From the Ethernet header on.
    pub bytes: &'b [u8],
    /// Segments that it stands for, and the payload of each; (0, 0) for an ordinary packet.
    pub segments: (u32, u32),
}

/// What became of a test packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it passes.
    pub passes: bool,
    /// Why.
    pub reason: Reason,
    /// Mean time of one run, by the kernel's clock.
    pub duration_ns: u32,
}

impl Datapath {
    /// Judges one packet.
    ///
    /// # Errors
    /// If the kernel refuses the packet (it must have an Ethernet header and fit a page), or other traffic was counted
    /// on the same slot.
    pub fn run_packet(&self, packet: &TestPacket<'_>) -> Result<Outcome, Error> {
        let mut outcomes = self.run_packets([*packet])?;
        Ok(outcomes.pop().expect("one packet has one outcome"))
    }

    /// Judges packets one after the other: about a microsecond and a half each.
    ///
    /// # Errors
    /// As [`Self::run_packet`].
    pub fn run_packets<'b>(
        &self,
        packets: impl IntoIterator<Item = TestPacket<'b>>,
    ) -> Result<Vec<Outcome>, Error> {
        let slots: std::collections::HashMap<u32, u32> =
            self.nics().iter().map(|nic| (nic.ifindex, nic.slot)).collect();
        let mut before: Option<(u32, SlotCounters)> = None;
        let mut outcomes = Vec::new();
        for packet in packets {
            let slot = slots.get(&packet.ifindex).copied().unwrap_or(SLOT_UNKNOWN);
            let counters = match before.take() {
                Some((known, counters)) if known == slot => counters,
                _ => self.counters(slot)?,
            };
            let run = run(self.program(packet.direction), &packet, 1)?;
            let after = self.counters(slot)?;
            let reason = counted(&counters, &after, packet.direction)
                .ok_or(Error::Ambiguous { ifindex: packet.ifindex })?;
            outcomes.push(Outcome { passes: run.value == PASS, reason, duration_ns: run.duration_ns });
            before = Some((slot, after));
        }
        Ok(outcomes)
    }

    /// The program that packets of a direction meet: where an interface is [`crate::NicKind::Direct`], those from the VM
    /// where they arrive, those to it where they leave.
    pub fn program(&self, direction: Direction) -> BorrowedFd<'_> {
        match direction {
            Direction::Outbound => self.programs.from_vm.as_fd(),
            Direction::Inbound => self.programs.to_vm.as_fd(),
        }
    }

    /// Runs a packet `repeat` times, without looking at the counters.
    #[cfg(test)]
    pub(crate) fn time_packet(&self, packet: &TestPacket<'_>, repeat: u32) -> Result<u32, Error> {
        time_program(self.program(packet.direction), packet, repeat)
    }
}

/// Runs any program for packets on a packet so many times; nanoseconds a run, by the kernel's clock.
///
/// # Errors
/// If the kernel refuses the packet, or the program is not one for packets.
pub fn time_program(program: BorrowedFd<'_>, packet: &TestPacket<'_>, repeat: u32) -> Result<u32, Error> {
    run(program, packet, repeat).map(|run| run.duration_ns)
}

fn run(program: BorrowedFd<'_>, packet: &TestPacket<'_>, repeat: u32) -> Result<sys::TestRun, Error> {
    sys::run_packet(program, packet.bytes, &context(packet), repeat)
        .context(|| format!("run a test packet on interface {}", packet.ifindex))
}

/// The `__sk_buff` of a packet.
fn context(packet: &TestPacket<'_>) -> [u8; CONTEXT_BYTES] {
    let mut context = [0; CONTEXT_BYTES];
    let mut put = |at: usize, value: u32| context[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    put(CONTEXT_IFINDEX, packet.ifindex);
    put(CONTEXT_GSO_SEGMENTS, packet.segments.0);
    put(CONTEXT_GSO_SIZE, packet.segments.1);
    context
}

/// The one reason that was counted between two readings.
fn counted(before: &SlotCounters, after: &SlotCounters, direction: Direction) -> Option<Reason> {
    let (before, after) = (before.direction(direction), after.direction(direction));
    let mut grown = after
        .reasons
        .iter()
        .filter(|(reason, packets)| before.reasons.get(reason) != Some(packets))
        .map(|(reason, _)| *reason);
    let reason = grown.next()?;
    grown.next().is_none().then_some(reason)
}
