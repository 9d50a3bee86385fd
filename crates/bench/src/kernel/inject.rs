//! Lets packets of many flows arrive at an interface, made in the kernel, one after the other on the calling thread.
//!
//! The kernel runs a program of ours on live frames (`BPF_F_TEST_XDP_LIVE_FRAMES`) and hands them to the stack as a driver
//! would, in batches. The program writes the whole frame each time, since its memory comes back changed from the
//! packet before: no generator's process, socket or copy is measured.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use palisade_net::{Family, packet::Packet};

use super::{
    asm::Program,
    flows::{End, Flows, Series, Writer},
    sys::{self, Kind},
};
use crate::clock::processor_time;

/// XDP_DROP and XDP_PASS.
const DROP: i32 = 1;
const PASS: i32 = 2;
/// Where `struct xdp_md` has the packet's start and end.
const PACKET: (i16, i16) = (0, 4);

/// Makes packets of one family: a program for each end that may differ from packet to packet.
#[derive(Debug)]
pub struct Generator {
    ends: [Maker; 2],
}

#[derive(Debug)]
struct Maker {
    end: End,
    writer: Writer,
    program: OwnedFd,
    _anchor: OwnedFd,
}

impl Generator {
    /// Loads the programs, and attaches them to two interfaces of this network namespace that see no packet: a program that is
    /// attached nowhere would make the kernel wait for a grace period at the begin and the end of each run.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new(family: Family, anchors: [u32; 2]) -> io::Result<Self> {
        let maker = |end, anchor| {
            let writer = Writer::new(family, end)?;
            let mut program = Program::default();
            writer.find_frame(&mut program, PACKET, DROP);
            writer.write_frame(&mut program);
            writer.write_flow(&mut program);
            program.end(PASS);
            let program = sys::load(Kind::Xdp, &program)?;
            let _anchor = sys::attach(Kind::Xdp, program.as_fd(), anchor)?;
            Ok::<_, io::Error>(Maker { end, writer, program, _anchor })
        };
        Ok(Self { ends: [maker(End::Source, anchors[0])?, maker(End::Destination, anchors[1])?] })
    }

    fn maker(&self, end: End) -> &Maker {
        self.ends.iter().find(|maker| maker.end == end).expect("there is one for each end")
    }
}

/// Lets packets of one series arrive at one interface.
#[derive(Debug)]
pub struct Injector {
    generator: Arc<Generator>,
    series: Series,
    end: End,
    ifindex: u32,
}

impl Injector {
    /// Packets like `packet`, of the generator's family and of the given flows, at an interface of the network namespace in
    /// which it is then run.
    ///
    /// # Errors
    /// If the packet cannot be written.
    pub fn new(
        generator: &Arc<Generator>,
        packet: &Packet,
        end: End,
        flows: Flows,
        ifindex: u32,
    ) -> io::Result<Self> {
        Ok(Self { generator: Arc::clone(generator), series: Series::new(packet, end, flows)?, end, ifindex })
    }

    /// Sends packets and says how much processor time of this thread they took, with everything that the stack did to
    /// them on the way. No other injector of the same generator may send meanwhile.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn send(&self, packets: u32) -> io::Result<Duration> {
        let maker = self.generator.maker(self.end);
        maker.writer.set(&self.series, packets)?;
        let before = processor_time()?;
        sys::run_live(maker.program.as_fd(), self.series.frame(), self.ifindex, packets)?;
        Ok(processor_time()? - before)
    }
}
