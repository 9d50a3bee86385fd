//! Lets packets of many flows arrive at an interface, made in the kernel, one after the other on the calling thread.
//!
//! The kernel runs a program of ours on live frames (`BPF_F_TEST_XDP_LIVE_FRAMES`) and hands them to the stack as a driver
//! would, in batches. The program writes the whole frame each time, since its memory comes back changed from the
//! packet before, and puts the flow's port and address into it: no generator's process, socket or copy is measured.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};
use palisade_net::{Family, packet::Packet};

use super::{
    asm::{Alu, Program, Reg, Width},
    sys::{self, Kind, Shared},
};

/// XDP_DROP and XDP_PASS.
const DROP: i32 = 1;
const PASS: i32 = 2;

/// Where the shared value has what; eight bytes each, the frame behind.
mod field {
    pub(super) const NEXT: usize = 0;
    pub(super) const MASK: usize = 8;
    pub(super) const FACTOR: usize = 16;
    pub(super) const PORT_BITS: usize = 24;
    pub(super) const PORT_MASK: usize = 32;
    pub(super) const PORT: usize = 40;
    pub(super) const ADDRESS: usize = 48;
    pub(super) const FRAME: usize = 64;
}

/// Odd, so that multiplying by it permutes the numbers below a power of two.
const SCATTER: u64 = 0x9e37_79b1;
/// Where an IPv4 header has its identification.
const IPV4_IDENTIFICATION: i16 = 14 + 4;

/// Which end of the packets differs from flow to flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The sender.
    Source,
    /// The receiver.
    Destination,
}

/// Which flows the packets belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flows {
    /// How many there are, as a power of two.
    pub bits: u32,
    /// How many of those bits choose the port; the others choose the address.
    pub port_bits: u32,
    /// The lowest port.
    pub port: u16,
    /// The lower half of the lowest address; the addresses must not leave the /16 (or /112).
    pub address: u16,
}

/// Makes packets at one interface.
#[derive(Debug)]
pub struct Injector {
    shared: Shared,
    program: OwnedFd,
    frame: Vec<u8>,
    ifindex: u32,
    flows: Flows,
}

impl Injector {
    /// Packets like `packet`, of the given flows, at an interface of the network namespace in which it is then run.
    ///
    /// # Errors
    /// If the kernel refuses the program.
    pub fn new(packet: &Packet, end: End, flows: Flows, ifindex: u32) -> io::Result<Self> {
        let family = Family::of(packet.source);
        let frame = frame(packet, end, flows)?;
        let shared = Shared::new(field::FRAME + frame.len())?;
        let program = sys::load(Kind::Xdp, &program(&shared, frame.len(), family, end))?;
        let injector = Self { shared, program, frame, ifindex, flows };
        injector.start_at(0)?;
        Ok(injector)
    }

    /// The next packet is that of the flow with this number; packets then go through the flows in a scattered order.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn start_at(&self, number: u64) -> io::Result<()> {
        let Flows { bits, port_bits, port, address } = self.flows;
        let mut value = vec![0; field::FRAME];
        let mut put = |at: usize, number: u64| value[at..at + 8].copy_from_slice(&number.to_ne_bytes());
        put(field::NEXT, number);
        put(field::MASK, (1 << bits) - 1);
        put(field::FACTOR, SCATTER);
        put(field::PORT_BITS, port_bits.into());
        put(field::PORT_MASK, (1 << port_bits) - 1);
        put(field::PORT, port.into());
        put(field::ADDRESS, address.into());
        value.extend(&self.frame);
        self.shared.write(&value)
    }

    /// Sends packets and says how much processor time of this thread they took, with everything that the stack did to
    /// them on the way.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn send(&self, packets: u32) -> io::Result<Duration> {
        let before = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
        sys::run_live(self.program.as_fd(), &self.frame, self.ifindex, packets)?;
        Ok(Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?)
            .saturating_sub(Duration::from(before)))
    }
}

/// The frame, filled up to whole words with payload, and so that every address leaves the IPv4 checksum as it is.
fn frame(packet: &Packet, end: End, flows: Flows) -> io::Result<Vec<u8>> {
    let build =
        |packet: &Packet| packet.build().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error));
    let mut packet = packet.clone();
    // The identification makes up for the address: their sum is the same for every flow.
    let address = match end {
        End::Source => packet.source,
        End::Destination => packet.destination,
    };
    debug_assert_eq!(low_half(address), flows.address, "the packet is that of the first flow");
    packet.identification = u32::from(!flows.address);
    let length = build(&packet)?.len();
    packet.payload.resize(packet.payload.len() + length.next_multiple_of(8) - length, 0);
    build(&packet)
}

/// The last two bytes of an address.
pub fn low_half(address: std::net::IpAddr) -> u16 {
    match address {
        std::net::IpAddr::V4(address) => u32::from(address) as u16,
        std::net::IpAddr::V6(address) => u128::from(address) as u16,
    }
}

/// Writes the frame, and the next flow's port and address into it.
fn program(shared: &Shared, length: usize, family: Family, end: End) -> Program {
    let [context, data, limit, value, number, scratch] = [1, 2, 3, 6, 7, 8].map(Reg);
    let at = |field: usize| i16::try_from(field).expect("fields are near");
    let mut program = Program::default();
    program
        .load(Width::Word, data, context, 0)
        .load(Width::Word, limit, context, 4)
        .register(Alu::Move, scratch, data)
        .constant(Alu::Add, scratch, i32::try_from(length).expect("frames are short"))
        .return_if_greater(scratch, limit, DROP)
        .map_value(value, shared.descriptor());
    for word in (0..length).step_by(8) {
        program.load(Width::Double, scratch, value, at(field::FRAME + word));
        program.store(Width::Double, data, at(word), scratch);
    }
    // number = (next++ & mask) * factor & mask
    program
        .load(Width::Double, number, value, at(field::NEXT))
        .register(Alu::Move, scratch, number)
        .constant(Alu::Add, scratch, 1)
        .store(Width::Double, value, at(field::NEXT), scratch)
        .load(Width::Double, scratch, value, at(field::FACTOR))
        .register(Alu::Multiply, number, scratch)
        .load(Width::Double, scratch, value, at(field::MASK))
        .register(Alu::And, number, scratch);
    let (port, address) = places(family, end);
    program
        .load(Width::Double, scratch, value, at(field::PORT_MASK))
        .register(Alu::And, scratch, number)
        .load(Width::Double, limit, value, at(field::PORT))
        .register(Alu::Add, scratch, limit)
        .to_network_order(scratch)
        .store(Width::Half, data, port, scratch)
        .load(Width::Double, scratch, value, at(field::PORT_BITS))
        .register(Alu::ShiftRight, number, scratch)
        .load(Width::Double, scratch, value, at(field::ADDRESS))
        .register(Alu::Add, number, scratch)
        .to_network_order(number)
        .store(Width::Half, data, address, number);
    if family == Family::V4 {
        program.constant(Alu::Xor, number, 0xffff).store(Width::Half, data, IPV4_IDENTIFICATION, number);
    }
    program.end(PASS);
    program
}

/// Where a frame has the port and the last two bytes of the address of one end.
const fn places(family: Family, end: End) -> (i16, i16) {
    match (family, end) {
        (Family::V4, End::Source) => (34, 28),
        (Family::V4, End::Destination) => (36, 32),
        (Family::V6, End::Source) => (54, 36),
        (Family::V6, End::Destination) => (56, 52),
    }
}
