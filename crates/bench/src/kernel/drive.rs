//! Runs a program at an interface's hook on packets of many flows, timed by the kernel, without an interface.
//!
//! A test run repeats one packet. Here it repeats a program of ours that first writes the next flow's port and address into the
//! packet and then goes on with the program that is measured, so that flows begin and vary while the clock runs.
//! What ours costs is found by driving an empty program the same way.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use palisade_abi::flow::Direction;
use palisade_datapath::{TestPacket, time_program};
use palisade_net::{Family, packet::Packet};

use super::{
    asm::Program,
    flows::{End, Flows, REGISTERS, Series, Writer},
    sys::{self, Kind, Target},
};
use crate::{
    clock::processor_time,
    error::{Context, Result},
};

/// The loopback interface: test runs need one that exists, and it sees no packet of theirs.
pub const INTERFACE: u32 = 1;

/// TCX_NEXT, and TCX_DROP.
const NEXT: i32 = -1;
const DROP: i32 = 2;
/// Where `struct __sk_buff` has the packet's start and end.
const PACKET: (i16, i16) = (76, 80);

/// Drives one program.
#[derive(Debug)]
pub struct Driver {
    direction: Direction,
    series: Series,
    writer: Writer,
    program: OwnedFd,
    _target: Target,
}

impl Driver {
    /// Drives packets like `packet`, which go in this direction and are of the given flows, through a program for that direction.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new(
        driven: BorrowedFd<'_>,
        direction: Direction,
        packet: &Packet,
        flows: Flows,
    ) -> io::Result<Self> {
        let end = match direction {
            Direction::Inbound => End::Source,
            Direction::Outbound => End::Destination,
        };
        let series = Series::new(packet, end, flows)?;
        let writer = Writer::new(Family::of(packet.source), end)?;
        let target = Target::new(driven)?;
        let mut program = Program::default();
        writer.find_frame(&mut program, PACKET, DROP);
        writer.write_flow(&mut program);
        program.tail_call(REGISTERS.context, target.descriptor()).end(DROP);
        let program = sys::load(kind(direction), &program)?;
        Ok(Self { direction, series, writer, program, _target: target })
    }

    /// Drives the next packets through the program; nanoseconds of the processor a packet, the system call's share included.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn cost(&self, packets: u32) -> Result<f64> {
        let clock = || processor_time().context(|| "read the processor time of a thread".into());
        let before = clock()?;
        self.run(packets)?;
        Ok((clock()? - before).as_nanos() as f64 / f64::from(packets))
    }

    /// Drives the next packets through the program; nanoseconds a packet that go by meanwhile, by the kernel's clock.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn run(&self, packets: u32) -> Result<u32> {
        self.writer.set(&self.series, packets).context(|| "choose the flows of packets".into())?;
        let packet = TestPacket {
            direction: self.direction,
            ifindex: INTERFACE,
            bytes: self.series.frame(),
            segments: (0, 0),
        };
        Ok(time_program(self.program.as_fd(), &packet, packets)?)
    }
}

/// The shortest program that there is for a direction: it lets every packet pass.
///
/// # Errors
/// If the kernel refuses.
pub fn empty(direction: Direction) -> io::Result<OwnedFd> {
    let mut program = Program::default();
    program.end(NEXT);
    sys::load(kind(direction), &program)
}

/// Where packets of a direction are seen: a tail call goes only to a program for the same place.
const fn kind(direction: Direction) -> Kind {
    match direction {
        Direction::Outbound => Kind::Ingress,
        Direction::Inbound => Kind::Egress,
    }
}
