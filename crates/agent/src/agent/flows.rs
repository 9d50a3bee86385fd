//! What the kernel tells of flows, handed on to whoever listens; and the sweep, which tells too.
//!
//! With nobody listening the kernel is told to be silent: an event that nobody reads would only fill its ring and count as
//! lost.

use palisade_abi::event::EventKind;
use palisade_datapath::{Plane, Report};

use super::Agent;
use crate::error::AgentError;
use crate::events::{Moment, NameBook, Record};

/// So many events are handed on before the agent looks at other things again.
pub const EVENTS_AT_ONCE_MAX: usize = 10_000;

/// Takes what is told, and what its numbers are called.
pub type Sink<'s> = &'s mut dyn FnMut(&Record, &NameBook);

impl<P: Plane> Agent<P> {
    /// Lets the kernel tell of flows from now on, or be silent.
    pub fn listen(&mut self, listens: bool) {
        if listens {
            // What an agent before left unread is about another time.
            while self.plane.drain_events(EVENTS_AT_ONCE_MAX, &mut |_| {}) > 0 {}
        }
        self.plane.set_events(if listens { EventKind::ALL } else { &[] });
    }

    /// Lets the kernel tell of flows from now on. What an agent before left unread is told too.
    pub fn listen_on(&mut self) {
        self.plane.set_events(EventKind::ALL);
    }

    /// Hands on what the kernel has told; how many events, [`EVENTS_AT_ONCE_MAX`] at most.
    pub fn tell(&mut self, moment: &Moment, sink: Sink<'_>) -> usize {
        let book = &self.book;
        let mut sink = |event| sink(&Record::of_event(&event, moment), book);
        self.plane.drain_events(EVENTS_AT_ONCE_MAX, &mut sink)
    }

    /// Frees the places of flows that are over.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn sweep(&mut self) -> Result<(), AgentError> {
        self.plane.sweep(Report::Ends, &mut |_| {})?;
        self.let_go();
        Ok(())
    }

    /// The same, and tells of the flows that ended; and of those that go on, if the report is to have them.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn sweep_and_tell(
        &mut self,
        report: Report,
        moment: &Moment,
        sink: Sink<'_>,
    ) -> Result<(), AgentError> {
        let book = &self.book;
        self.plane.sweep(report, &mut |found| sink(&Record::of_flow(&found, moment), book))?;
        self.let_go();
        Ok(())
    }

    /// How many events the kernel did not tell since the NICs that are here came.
    ///
    /// # Errors
    /// If the counters cannot be read.
    pub fn events_lost(&self) -> Result<u64, AgentError> {
        let each = self.plane.nics().into_iter().map(|nic| self.plane.counters(nic.slot));
        each.map(|counters| Ok(counters?.events_lost)).sum()
    }

    /// The last counts of rules that are gone would pile up, and nobody asks for them.
    fn let_go(&mut self) {
        drop(self.plane.take_retired());
    }
}
