//! Rows compiled to classes and bit vectors: the same answer as asking row after row, in constant time.
//!
//! Each field of a packet (source, destination, protocol with destination port, source port) falls into one of a few
//! classes; all packets of a class are alike to every row. A class carries one bit a row, and the first bit set in
//! all fields is the row that matches (ABV: Baboescu and Varghese, SIGCOMM 2001). It must not know how the kernel
//! lays the tables out in memory; [`crate::blob`] does.
//! Invariant: [`Table::first_match`] names the first row for which [`Row::matches`] holds.

mod address;
mod compile;
mod error;
mod port;
mod sweep;
mod vectors;

use std::{iter, net::IpAddr};

use palisade_abi::verdict::Action;
use palisade_net::Flow;

pub(crate) use address::{Address, AddressClasses, search_steps};
pub use error::{CompileError, Field, Limits};
pub(crate) use port::{PAGE, Page, PageIndex, ProtocolClasses, ProtocolEntry, SourcePortClasses};
pub(crate) use vectors::{Vectors, first_common};

use crate::Row;

/// The rules of one direction, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub(crate) actions: Vec<Action>,
    pub(crate) v4: Sides<u32>,
    pub(crate) v6: Sides<u128>,
    pub(crate) protocols: ProtocolClasses,
    /// `None` when no row restricts the source port.
    pub(crate) source_ports: Option<SourcePortClasses>,
}

/// The two address fields of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sides<T> {
    pub(crate) source: AddressClasses<T>,
    pub(crate) destination: AddressClasses<T>,
}

impl Table {
    /// Compiles `rows`, which stand in the order of their priority.
    ///
    /// # Errors
    /// [`CompileError`] names the limit that the rows exceed.
    pub fn compile(rows: &[Row], limits: &Limits) -> Result<Self, CompileError> {
        compile::compile(rows, limits)
    }

    /// The first row that matches the first packet of `flow`.
    pub fn first_match(&self, flow: &Flow) -> Option<usize> {
        self.first_match_from(flow, 0)
    }

    /// The first row at or after `start` that matches the first packet of `flow`.
    pub fn first_match_from(&self, flow: &Flow, start: usize) -> Option<usize> {
        self.matches_from(flow, start).next()
    }

    /// Every row at or after `start` that matches the first packet of `flow`, in order.
    pub(crate) fn matches_from(&self, flow: &Flow, start: usize) -> impl Iterator<Item = usize> + use<'_> {
        let (source, destination) = match (flow.source(), flow.destination()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => self.v4.vectors(from.into(), to.into()),
            (IpAddr::V6(from), IpAddr::V6(to)) => self.v6.vectors(from.into(), to.into()),
            _ => unreachable!("the addresses of a flow are of one family"),
        };
        let protocol = self.protocols.vector(flow.protocol(), flow.destination_port());
        let ports = self.source_ports.as_ref();
        let port = ports.map(|ports| ports.vector(flow.protocol(), flow.source_port()));
        let mut next = start;
        iter::from_fn(move || {
            let row = match port {
                None => first_common([source, destination, protocol], next),
                Some(port) => first_common([source, destination, protocol, port], next),
            }?;
            next = row + 1;
            Some(row)
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.actions.len()
    }

    /// What row `row` does; `None` if there is no such row.
    pub fn action(&self, row: usize) -> Option<Action> {
        self.actions.get(row).copied()
    }

    /// Bytes of the tables, before equal ones are shared; the encoded blob is not larger.
    pub fn size(&self) -> usize {
        compile::size(self)
    }
}

impl<T: Address> Sides<T> {
    fn vectors(&self, source: T, destination: T) -> (vectors::Vector<'_>, vectors::Vector<'_>) {
        (self.source.vector(source), self.destination.vector(destination))
    }
}
