//! Counts what is forwarded out of an interface, and swallows it and all else that leaves there.
//!
//! It stands behind the firewall that is measured. A packet that was injected and that it did not count was dropped
//! by the firewall, and nothing of a receiver's work is in the measurement.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use super::{
    asm::{Alu, Program, Reg, Width},
    sys::{self, Kind, Shared},
};

/// TC_ACT_SHOT.
const DROP: i32 = 2;
/// Where `struct __sk_buff` has the interface that a packet arrived at; 0 if it is the router's own.
const ARRIVED_AT: i16 = 36;

/// A sink at an interface; the interface is as before once the value is dropped.
#[derive(Debug)]
pub struct Sink {
    counter: Shared,
    _link: OwnedFd,
}

impl Sink {
    /// Puts a sink at an interface of this network namespace, behind every other program there.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn attach(ifindex: u32) -> io::Result<Self> {
        let counter = Shared::new(8)?;
        let [context, one, arrived_at] = [1, 2, 3].map(Reg);
        let mut program = Program::default();
        program
            .load(Width::Word, arrived_at, context, ARRIVED_AT)
            .constant(Alu::Move, one, 1)
            .return_if_greater(one, arrived_at, DROP)
            .map_value(context, counter.descriptor())
            .add_atomically(context, 0, one)
            .end(DROP);
        let program = sys::load(Kind::Egress, &program)?;
        Ok(Self { counter, _link: sys::attach(Kind::Egress, program.as_fd(), ifindex)? })
    }

    /// Packets that came so far.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn count(&self) -> io::Result<u64> {
        let bytes = self.counter.read()?;
        Ok(u64::from_ne_bytes(bytes.try_into().expect("the counter has eight bytes")))
    }
}
