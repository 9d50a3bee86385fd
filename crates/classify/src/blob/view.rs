//! Lookups in a checked blob: the software model of the kernel program.
//!
//! Every lookup reads the encoded bytes by offset and index, in the order in which the kernel program reads them.

use std::net::IpAddr;

use palisade_abi::{
    policy::{
        ADDRESSES_V4, ADDRESSES_V6, AddressTable, PROTOCOL_PORT_TABLE, PolicyHeader, PortTable, VectorSet,
    },
    verdict::Action,
};
use palisade_net::{Flow, Protocol};

use super::{
    check,
    error::BlobError,
    reader::{Reader, Start},
};

/// A policy blob whose every offset, count and class was checked.
#[derive(Debug, Clone, Copy)]
pub struct BlobView<'a> {
    reader: Reader<'a>,
    header: PolicyHeader,
}

impl<'a> BlobView<'a> {
    /// Checks that `bytes` are a policy blob in which no lookup can go astray.
    ///
    /// # Errors
    /// [`BlobError`] names the first thing that is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BlobError> {
        let reader = Reader { bytes };
        let header = check::check(reader)?;
        Ok(Self { reader, header })
    }

    /// Number of rules.
    pub const fn rules(&self) -> usize {
        self.header.rules as usize
    }

    /// The bytes.
    pub const fn bytes(&self) -> &'a [u8] {
        self.reader.bytes
    }

    /// What rule `rule` does; `None` if there is no such rule.
    pub fn action(&self, rule: usize) -> Option<Action> {
        let inside = rule < self.rules();
        inside
            .then(|| self.reader.u8(self.header.actions_offset, rule))
            .flatten()
            .and_then(Action::from_number)
    }

    /// The first rule that matches the first packet of `flow`, and what it does.
    pub fn first_match(&self, flow: &Flow) -> Option<(usize, Action)> {
        let rule = self.first_rule(flow)?;
        Some((rule, self.action(rule).expect("check() read every action, and no bit above the last rule")))
    }

    fn first_rule(&self, flow: &Flow) -> Option<usize> {
        let [source, destination] = match (flow.source(), flow.destination()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => self.sides(ADDRESSES_V4, u32::from(from), u32::from(to)),
            (IpAddr::V6(from), IpAddr::V6(to)) => self.sides(ADDRESSES_V6, u128::from(from), u128::from(to)),
            _ => unreachable!("the addresses of a flow are of one family"),
        };
        let class = self.protocol_class(flow.protocol(), flow.destination_port());
        let protocol = self.vector(&self.header.protocol_vectors, class);
        if self.header.has_source_ports == 0 {
            return first_common([source, destination, protocol]);
        }
        let class = self.source_port_class(flow.protocol(), flow.source_port());
        first_common([source, destination, protocol, self.vector(&self.header.source_port_vectors, class)])
    }

    fn sides<T: Start>(&self, tables: usize, source: T, destination: T) -> [Vector<'a>; 2] {
        [
            self.address(&self.header.addresses[tables], source),
            self.address(&self.header.addresses[tables + 1], destination),
        ]
    }

    fn address<T: Start>(&self, table: &AddressTable, address: T) -> Vector<'a> {
        let (mut low, mut high) = if table.root_bits == 0 {
            (0, table.count - 1)
        } else {
            let bucket = address.bucket(table.root_bits);
            (
                checked(self.reader.u32(table.root_offset, bucket)),
                checked(self.reader.u32(table.root_offset, bucket + 1)),
            )
        };
        for _ in 0..table.search_steps {
            let middle = (low + high).div_ceil(2);
            if checked(self.reader.start::<T>(table.starts_offset, middle as usize)) <= address {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        self.vector(&table.vectors, checked(self.reader.u16(table.classes_offset, low as usize)))
    }

    fn protocol_class(&self, protocol: Protocol, port: u16) -> u16 {
        let entry = checked(self.reader.u32(self.header.protocol_offset, usize::from(protocol.0)));
        if entry & PROTOCOL_PORT_TABLE == 0 {
            return u16::try_from(entry).expect("check() compared the entry with the number of classes");
        }
        let table: PortTable = checked(self.reader.structure(entry & !PROTOCOL_PORT_TABLE));
        self.port_class(&table, port)
    }

    fn source_port_class(&self, protocol: Protocol, port: u16) -> u16 {
        if protocol.has_ports() { self.port_class(&self.header.source_ports, port) } else { 0 }
    }

    fn port_class(&self, table: &PortTable, port: u16) -> u16 {
        let [high, low] = port.to_be_bytes().map(usize::from);
        let page = checked(self.reader.u16(table.pages_offset, high));
        checked(self.reader.u16(table.classes_offset, usize::from(page) * 256 + low))
    }

    fn vector(&self, set: &VectorSet, class: u16) -> Vector<'a> {
        let summary = checked(self.reader.u32(set.summaries_offset, usize::from(class)));
        let first_word = usize::from(class) * self.header.words as usize;
        Vector { reader: self.reader, summary, offset: set.vectors_offset, first_word }
    }
}

/// A value that [`check`] proved to be inside the blob.
fn checked<T>(value: Option<T>) -> T {
    value.expect("check() proved that lookups stay inside the blob")
}

/// Where the vector of one class is.
#[derive(Clone, Copy)]
struct Vector<'a> {
    reader: Reader<'a>,
    summary: u32,
    offset: u32,
    first_word: usize,
}

impl Vector<'_> {
    fn word(&self, word: usize) -> u64 {
        checked(self.reader.u64(self.offset, self.first_word + word))
    }
}

/// The first bit that is set in every vector.
fn first_common<const N: usize>(vectors: [Vector<'_>; N]) -> Option<usize> {
    let mut summary = vectors.iter().fold(u32::MAX, |all, vector| all & vector.summary);
    while summary != 0 {
        let word = summary.trailing_zeros() as usize;
        let bits = vectors.iter().fold(u64::MAX, |all, vector| all & vector.word(word));
        if bits != 0 {
            return Some(word * 64 + bits.trailing_zeros() as usize);
        }
        summary &= summary - 1;
    }
    None
}
