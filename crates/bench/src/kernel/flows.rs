//! Packets of many flows from one frame: a flow has a number, and the number chooses a port and an address.
//!
//! Numbers are gone through in a scattered order, so that neighbours in time are no neighbours in a table or in memory.
//! What a program of ours puts into a frame is the port and the last half of the address, of the end that differs from
//! flow to flow; transport checksums are left to the receiver, and there is none.

use std::{
    io,
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use palisade_net::{Family, packet::Packet};

use super::{
    asm::{Alu, Program, Reg, Width},
    sys::Shared,
};

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
/// Where a frame has the identification of an IPv4 header.
const IPV4_IDENTIFICATION: i16 = 14 + 4;

/// The registers that the instructions here use. The context is kept; a program may use the others for itself.
#[derive(Debug)]
pub struct Registers {
    /// The program's context.
    pub context: Reg,
    /// The frame.
    pub data: Reg,
    value: Reg,
    number: Reg,
    scratch: Reg,
    other: Reg,
}

/// The registers, by who survives a call.
pub const REGISTERS: Registers = Registers {
    context: Reg(6),
    data: Reg(2),
    value: Reg(7),
    number: Reg(8),
    scratch: Reg(9),
    other: Reg(3),
};

/// Packets of flows that are made one after the other.
#[derive(Debug)]
pub struct Series {
    frame: Vec<u8>,
    flows: Flows,
    next: AtomicU64,
}

impl Series {
    /// Packets like `packet`, which is one of the first flow.
    ///
    /// # Errors
    /// If it cannot be written, or not within the bytes that all frames of a family have.
    pub fn new(packet: &Packet, end: End, flows: Flows) -> io::Result<Self> {
        Ok(Self { frame: frame(packet, end, flows)?, flows, next: AtomicU64::new(0) })
    }

    /// The frame of the first flow.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// What a program needs for the next `packets` packets; those after go on from there.
    fn take(&self, packets: u32) -> Vec<u8> {
        let Flows { bits, port_bits, port, address } = self.flows;
        let mut value = vec![0; field::FRAME];
        let mut put = |at: usize, number: u64| value[at..at + 8].copy_from_slice(&number.to_ne_bytes());
        put(field::NEXT, self.next.fetch_add(packets.into(), Ordering::Relaxed));
        put(field::MASK, (1 << bits) - 1);
        put(field::FACTOR, SCATTER);
        put(field::PORT_BITS, port_bits.into());
        put(field::PORT_MASK, (1 << port_bits) - 1);
        put(field::PORT, port.into());
        put(field::ADDRESS, address.into());
        value.extend(&self.frame);
        value
    }
}

/// Writes the instructions that make packets of series of one kind, and hands them the series.
#[derive(Debug)]
pub struct Writer {
    shared: Shared,
    family: Family,
    end: End,
}

impl Writer {
    /// For a program about packets of this family and this end of them.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new(family: Family, end: End) -> io::Result<Self> {
        Ok(Self { shared: Shared::new(field::FRAME + length(family))?, family, end })
    }

    /// The program's next packets are the next of this series.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set(&self, series: &Series, packets: u32) -> io::Result<()> {
        self.shared.write(&series.take(packets))
    }

    /// Keeps the context, finds the frame between the two places of the context, and ends with `otherwise` if it is too
    /// short.
    pub fn find_frame(&self, program: &mut Program, (start, end): (i16, i16), otherwise: i32) {
        let Registers { context, data, scratch, other, value, .. } = REGISTERS;
        program
            .register(Alu::Move, context, Reg(1))
            .load(Width::Word, data, context, start)
            .load(Width::Word, other, context, end)
            .register(Alu::Move, scratch, data)
            .constant(Alu::Add, scratch, i32::from(at(length(self.family))))
            .return_if_greater(scratch, other, otherwise)
            .map_value(value, self.shared.descriptor());
    }

    /// Writes the whole frame.
    pub fn write_frame(&self, program: &mut Program) {
        let Registers { data, value, scratch, .. } = REGISTERS;
        for word in (0..length(self.family)).step_by(8) {
            program.load(Width::Double, scratch, value, at(field::FRAME + word));
            program.store(Width::Double, data, at(word), scratch);
        }
    }

    /// Writes the next flow's port and address: its number is `next++ * factor & mask`.
    pub fn write_flow(&self, program: &mut Program) {
        let Registers { data, value, number, scratch, other, .. } = REGISTERS;
        let (port, address) = places(self.family, self.end);
        program
            .load(Width::Double, number, value, at(field::NEXT))
            .register(Alu::Move, scratch, number)
            .constant(Alu::Add, scratch, 1)
            .store(Width::Double, value, at(field::NEXT), scratch)
            .load(Width::Double, scratch, value, at(field::FACTOR))
            .register(Alu::Multiply, number, scratch)
            .load(Width::Double, scratch, value, at(field::MASK))
            .register(Alu::And, number, scratch)
            .load(Width::Double, scratch, value, at(field::PORT_MASK))
            .register(Alu::And, scratch, number)
            .load(Width::Double, other, value, at(field::PORT))
            .register(Alu::Add, scratch, other)
            .swap_to_network(scratch)
            .store(Width::Half, data, port, scratch)
            .load(Width::Double, scratch, value, at(field::PORT_BITS))
            .register(Alu::ShiftRight, number, scratch)
            .load(Width::Double, scratch, value, at(field::ADDRESS))
            .register(Alu::Add, number, scratch)
            .swap_to_network(number)
            .store(Width::Half, data, address, number);
        if self.family == Family::V4 {
            // It makes up for the address: their sum, and so the header's checksum, is the same for every flow.
            program.constant(Alu::Xor, number, 0xffff).store(Width::Half, data, IPV4_IDENTIFICATION, number);
        }
    }
}

/// Bytes of every frame, in whole words: room for the headers of TCP without options.
const fn length(family: Family) -> usize {
    match family {
        Family::V4 => 64,
        Family::V6 => 80,
    }
}

/// The frame, filled up with payload.
fn frame(packet: &Packet, end: End, flows: Flows) -> io::Result<Vec<u8>> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let address = match end {
        End::Source => packet.source,
        End::Destination => packet.destination,
    };
    debug_assert_eq!(low_half(address), flows.address, "the packet is that of the first flow");
    let mut packet = packet.clone();
    packet.identification = u32::from(!flows.address);
    let headers = packet.build().map_err(invalid)?.len();
    let room = length(Family::of(packet.source)).checked_sub(headers);
    packet.payload.resize(room.ok_or(io::ErrorKind::InvalidInput)?, 0);
    packet.build().map_err(invalid)
}

/// The last two bytes of an address.
pub fn low_half(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(address) => u32::from(address) as u16,
        IpAddr::V6(address) => u128::from(address) as u16,
    }
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

fn at(field: usize) -> i16 {
    i16::try_from(field).expect("fields are near")
}
