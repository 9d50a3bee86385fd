//! Flow records on one connection: how far was sent, and how much the server takes.
//!
//! Nothing is sent before the server has said that it takes records, and never more than its window. What it has not said to be
//! durable when the connection ends is sent again on the next one.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::sync::Arc;

use palisade_sync::{FlowBatch, FlowsKept};

use crate::records::{Cursor, Outbox};

/// What was sent and is not known to be durable.
pub(super) struct Sending {
    outbox: Arc<Outbox>,
    cursor: Cursor,
    /// Batches that may be under way.
    window: usize,
    under_way: VecDeque<(Vec<u8>, u64)>,
}

impl Sending {
    /// Nothing is sent yet.
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox, cursor: Cursor::default(), window: 0, under_way: VecDeque::new() }
    }

    /// The next batch to send, once there is one and the server takes it. What was waited for stays if the wait is given up.
    pub(super) async fn next(&mut self) -> io::Result<FlowBatch> {
        if self.under_way.len() >= self.window {
            pending::<()>().await;
        }
        loop {
            // A batch is a few hundred kilobytes, and mostly still in memory: reading it holds this thread up for less than a
            // change to another one.
            if let Some((cursor, batch)) = self.outbox.next(self.cursor)? {
                self.cursor = cursor;
                self.under_way.push_back((batch.stream.clone(), batch.sequence));
                return Ok(batch);
            }
            self.outbox.spooled().await;
        }
    }

    /// The server has said what it says first. If it takes records, that was the first of it.
    pub(super) fn settle(&self) {
        self.outbox.want(self.window > 0);
    }

    /// Takes in what the server has.
    pub(super) fn kept(&mut self, kept: &FlowsKept) -> io::Result<()> {
        self.window = kept.window as usize;
        self.settle();
        let place = self
            .under_way
            .iter()
            .position(|(stream, sequence)| (&stream[..], *sequence) == (&kept.stream[..], kept.sequence));
        let Some(place) = place else { return Ok(()) };
        self.under_way.drain(..=place);
        self.outbox.kept(&kept.stream, kept.sequence)
    }
}
