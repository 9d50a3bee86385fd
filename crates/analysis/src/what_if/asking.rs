//! What is asked of flows that have their place, direction, protocol and destination port in common.
//!
//! It must not remember an answer.

use palisade_net::{Direction, Flow, Protocol};

use super::{
    Count, WhatIf,
    judge::{Class, Group, Pair},
    lists::{Lists, Matching},
};
use crate::observed::{AddressBits, Context, Key};

/// Flows of one context, protocol and destination port, and the rules there.
pub(super) struct Asking<'a> {
    pub(super) context: Context,
    contexts: &'a [Context],
    pub(super) class: &'a Class,
    /// The number of what is remembered of such flows.
    pub(super) memory: usize,
    protocol: Protocol,
    port: u16,
    tells_types: bool,
    now: u32,
}

impl<'a> Asking<'a> {
    pub(super) fn new<A>(what_if: &'a WhatIf<'a>, key: &Key<A>) -> Self {
        let observed = what_if.observed;
        let context = observed.contexts[key.context as usize];
        let class = what_if.class_of[context.place];
        Self {
            context,
            contexts: &observed.contexts,
            class: &what_if.classes[class],
            memory: 2 * class + usize::from(context.direction == Direction::Outbound),
            protocol: key.protocol,
            port: key.destination_port,
            tells_types: observed.sayings()[context.saying].by.format.tells_types(),
            now: what_if.now,
        }
    }

    /// The protocol, if its log does not tell types.
    pub(super) fn all_types(&self) -> Option<Protocol> {
        (!self.tells_types && self.protocol.is_icmp()).then_some(self.protocol)
    }

    /// Protocol and port, so far as rules tell them apart; all types are `None`.
    pub(super) fn service(&self, lists: &Lists) -> (u8, Option<u32>) {
        (self.protocol.0, self.all_types().is_none().then(|| lists.port(self.port)))
    }

    /// The rules that match the service.
    pub(super) fn serving(&self, lists: &Lists) -> Matching {
        let types = if self.all_types().is_some() { 0..=u8::MAX.into() } else { self.port..=self.port };
        let flow = |port| {
            // Neither addresses nor source ports are looked at.
            let any = std::net::Ipv4Addr::UNSPECIFIED.into();
            let flow = Flow::new(self.context.direction, self.protocol, (any, 0), (any, port));
            flow.expect("both addresses are of one family")
        };
        let flows: Vec<Flow> = types.map(flow).collect();
        lists.serving((&self.class.policies(), self.context.direction), &flows, self.now)
    }

    /// Whether a flow is judged by itself: what passes for the sake of the link no rule tells.
    pub(super) fn is_alone<A>(&self, key: &Key<A>) -> bool {
        /// Services of the link have ports below, at both ends.
        const WELL_KNOWN: u16 = 1024;
        let is_low = key.source_port < WELL_KNOWN && self.port < WELL_KNOWN;
        self.protocol == Protocol::ICMPV6 || (self.protocol == Protocol::UDP && is_low)
    }

    pub(super) fn pair<A: AddressBits>(&self, key: &Key<A>) -> Pair {
        self.class.pair(&key.flow(self.contexts), self.tells_types, self.now)
    }

    pub(super) const fn group(&self, pair: Pair, witness: usize) -> Group {
        Group { context: self.context, pair, count: Count::none(witness) }
    }
}
