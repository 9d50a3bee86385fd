//! Different flows of one family: keys and tallies in two columns, and an index over the keys.
//!
//! Judging reads all keys and few tallies, so they are apart. The index has a place of 32 bits a flow, probed one after the other;
//! the hash is seeded, because whoever sends packets chooses what is in a log. Invariant: no two keys are equal; a closed
//! table is in order.

use std::hash::{BuildHasher as _, RandomState};

use palisade_net::{Flow, Protocol};

use super::{AddressBits, Context, ObservedFlow, Tally};

/// A place of the index without a flow.
const FREE: u32 = u32::MAX;

/// What makes two flows different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key<A> {
    pub(crate) source: A,
    pub(crate) destination: A,
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) context: u32,
    pub(crate) protocol: Protocol,
}

impl<A: AddressBits> Key<A> {
    pub(crate) const fn new(
        (source, destination): (A, A),
        (source_port, destination_port): (u16, u16),
        protocol: Protocol,
        context: u32,
    ) -> Self {
        Self { source, destination, source_port, destination_port, context, protocol }
    }

    /// The flow.
    pub(crate) fn flow(&self, contexts: &[Context]) -> Flow {
        let direction = contexts[self.context as usize].direction;
        let source = (self.source.address(), self.source_port);
        let destination = (self.destination.address(), self.destination_port);
        Flow::new(direction, self.protocol, source, destination).expect("both are of one family")
    }

    pub(super) fn observed(&self, contexts: &[Context], tally: Tally) -> ObservedFlow {
        let Context { place, saying, .. } = contexts[self.context as usize];
        ObservedFlow { place, flow: self.flow(contexts), saying, tally }
    }

    fn order(&self) -> (u64, A, A, u16) {
        let service = u64::from(self.protocol.0) << 16 | u64::from(self.destination_port);
        (u64::from(self.context) << 32 | service, self.source, self.destination, self.source_port)
    }

    fn hash(&self, seed: u64) -> u64 {
        let [a, b] = self.source.halves();
        let [c, d] = self.destination.halves();
        let ports = u64::from(self.source_port) << 16 | u64::from(self.destination_port);
        let rest = ports << 32 | u64::from(self.context) ^ u64::from(self.protocol.0) << 24;
        let addresses = fold(a ^ seed, c.rotate_left(32) ^ 0x9e37_79b9_7f4a_7c15);
        let addresses = if b | d == 0 { addresses } else { fold(addresses ^ b, d ^ seed) };
        fold(addresses ^ rest, seed | 1)
    }
}

/// The two halves of a product, folded into one (as in wyhash and foldhash).
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// What is kept of a flow.
pub(crate) trait Sum: Copy {
    /// Adds what is known of the same flow.
    fn add(&mut self, other: &Self);
}

/// Flows of one family.
#[derive(Debug, Clone)]
pub(crate) struct Table<A, S = Tally> {
    pub(crate) keys: Vec<Key<A>>,
    pub(crate) tallies: Vec<S>,
    index: Vec<u32>,
    seed: u64,
}

impl<A, S> Default for Table<A, S> {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            tallies: Vec::new(),
            index: Vec::new(),
            seed: RandomState::new().hash_one(0),
        }
    }
}

impl<A: AddressBits, S: Sum> Table<A, S> {
    /// Adds to the flow's tally.
    pub(crate) fn add(&mut self, key: Key<A>, tally: &S) {
        // At most three quarters of the index are taken.
        if 4 * (self.keys.len() + 1) > 3 * self.index.len() {
            self.grow();
        }
        let place = self.find(&key);
        match self.index[place] {
            FREE => {
                self.index[place] = u32::try_from(self.keys.len()).expect("there is a limit of flows");
                self.keys.push(key);
                self.tallies.push(*tally);
            }
            known => self.tallies[known as usize].add(tally),
        }
    }

    /// Puts flows of one place, service and pair of addresses side by side, and gives the memory of the index back: nothing is
    /// added any more. What is judged one after the other is then alike, and its rules are at hand.
    pub(crate) fn close(&mut self) {
        self.index = Vec::new();
        let mut order: Vec<_> = (0u32..).zip(&self.keys).map(|(at, key)| (key.order(), at)).collect();
        order.sort_unstable();
        self.keys = order.iter().map(|(_, at)| self.keys[*at as usize]).collect();
        self.tallies = order.iter().map(|(_, at)| self.tallies[*at as usize]).collect();
    }

    /// The place of a key in the index, or the free place that it would have.
    fn find(&self, key: &Key<A>) -> usize {
        let mask = self.index.len() - 1;
        let mut place = key.hash(self.seed) as usize & mask;
        while self.index[place] != FREE && self.keys[self.index[place] as usize] != *key {
            place = (place + 1) & mask;
        }
        place
    }

    fn grow(&mut self) {
        /// Places of the first index.
        const SMALLEST: usize = 1 << 10;
        self.index = vec![FREE; (2 * self.index.len()).max(SMALLEST)];
        for (number, key) in (0u32..).zip(&self.keys) {
            let mask = self.index.len() - 1;
            let mut place = key.hash(self.seed) as usize & mask;
            while self.index[place] != FREE {
                place = (place + 1) & mask;
            }
            self.index[place] = number;
        }
    }
}
