//! Runs a program at an interface's hook on packets of many flows, timed by the kernel, without an interface.
//!
//! A test run repeats one packet. Here it repeats a program of ours that first writes the next flow's port and address into the
//! packet and then goes on with the program that is measured, so that flows begin and vary while the clock runs.
//! What ours costs is found by driving an empty program the same way.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use palisade_net::{Family, packet::Packet};

use super::{
    asm::Program,
    flows::{End, Flows, REGISTERS, Series, Writer},
    sys::{self, Kind, Target},
};

/// TCX_NEXT, and TCX_DROP.
const NEXT: i32 = -1;
const DROP: i32 = 2;
/// Where `struct __sk_buff` has the packet's start and end.
const PACKET: (i16, i16) = (76, 80);

/// On which side of an interface the driven program stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where packets arrive.
    Ingress,
    /// Where packets leave.
    Egress,
}

impl Side {
    const fn kind(self) -> Kind {
        match self {
            Self::Ingress => Kind::Ingress,
            Self::Egress => Kind::Egress,
        }
    }
}

/// Drives one program.
#[derive(Debug)]
pub struct Driver {
    series: Series,
    writer: Writer,
    program: OwnedFd,
    ifindex: u32,
    _target: Target,
}

impl Driver {
    /// Packets like `packet`, of the given flows, seen at an interface, which must exist and sees nothing of it.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new(
        driven: BorrowedFd<'_>,
        side: Side,
        packet: &Packet,
        end: End,
        flows: Flows,
        ifindex: u32,
    ) -> io::Result<Self> {
        let series = Series::new(packet, end, flows)?;
        let writer = Writer::new(Family::of(packet.source), end)?;
        let target = Target::new(driven)?;
        let mut program = Program::default();
        writer.find_frame(&mut program, PACKET, DROP);
        writer.write_flow(&mut program);
        program.tail_call(REGISTERS.context, target.descriptor()).end(DROP);
        let program = sys::load(side.kind(), &program)?;
        Ok(Self { series, writer, program, ifindex, _target: target })
    }

    /// Drives the next packets through the program; nanoseconds a packet.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn run(&self, packets: u32) -> io::Result<u32> {
        self.writer.set(&self.series, packets)?;
        sys::run_alone(self.program.as_fd(), self.series.frame(), self.ifindex, packets)
    }
}

/// The shortest program that there is for a side: it lets every packet pass.
///
/// # Errors
/// If the kernel refuses.
pub fn empty(side: Side) -> io::Result<OwnedFd> {
    let mut program = Program::default();
    program.end(NEXT);
    sys::load(side.kind(), &program)
}
