//! From a [`Table`] to bytes.
//!
//! Sections follow the header in a fixed order, each aligned to eight bytes; a section whose bytes were already written
//! is not written again, which makes equal tables of both sides or families, and equal port tables, cost nothing.
//! Invariant: equal tables give equal bytes.

use palisade_abi::{
    ABI_VERSION, Pod,
    policy::{AddressTable, POLICY_MAGIC, PROTOCOL_PORT_TABLE, PolicyHeader, PortTable, VectorSet},
};

use crate::table::{
    Address, AddressClasses, Page, PageIndex, ProtocolClasses, ProtocolEntry, Table, Vectors,
};

/// Sections start at multiples of this, the largest alignment that the layout asks for.
const ALIGNMENT: usize = 8;

/// The policy blob of `table`.
pub fn encode(table: &Table) -> Vec<u8> {
    let mut sections = Sections::new();
    let addresses = [
        sections.addresses(&table.v4.source),
        sections.addresses(&table.v4.destination),
        sections.addresses(&table.v6.source),
        sections.addresses(&table.v6.destination),
    ];
    let mut header = PolicyHeader {
        magic: POLICY_MAGIC,
        version: ABI_VERSION,
        rules: to_u32(table.rows()),
        words: to_u32(table.protocols.vectors.words),
        actions_offset: sections.write(table.actions.iter().map(|&action| action as u8).collect()),
        protocol_offset: sections.protocols(&table.protocols),
        protocol_vectors: sections.vectors(&table.protocols.vectors),
        addresses,
        ..PolicyHeader::default()
    };
    if let Some(ports) = &table.source_ports {
        header.has_source_ports = 1;
        let pages = sections.pages(&ports.pages);
        header.source_ports = sections.port_table(&ports.index, pages);
        header.source_port_vectors = sections.vectors(&ports.vectors);
    }
    sections.finish(header)
}

/// Numbers that know their bytes in the blob.
trait Encode: Copy {
    fn encode(self, out: &mut Vec<u8>);
}

impl Encode for u16 {
    fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
}

impl Encode for u32 {
    fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
}

impl Encode for u64 {
    fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
}

/// Two u64, the high half first, so that halves compare in the order of addresses.
impl Encode for u128 {
    fn encode(self, out: &mut Vec<u8>) {
        ((self >> 64) as u64).encode(out);
        (self as u64).encode(out);
    }
}

/// The blob so far, with room for the header at its front.
struct Sections {
    bytes: Vec<u8>,
    /// Offset and length of each section.
    known: Vec<(usize, usize)>,
}

impl Sections {
    fn new() -> Self {
        let mut sections = Self { bytes: vec![0; size_of::<PolicyHeader>()], known: Vec::new() };
        sections.align();
        sections
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
    }

    /// Writes a section, or finds it, and returns its offset.
    fn write(&mut self, section: Vec<u8>) -> u32 {
        let mut same = self.known.iter().filter(|&&(at, length)| self.bytes[at..at + length] == section);
        if let Some(&(at, _)) = same.next() {
            return to_u32(at);
        }
        let at = self.bytes.len();
        self.known.push((at, section.len()));
        self.bytes.extend(section);
        self.align();
        to_u32(at)
    }

    fn numbers<T: Encode>(&mut self, numbers: &[T]) -> u32 {
        let mut section = Vec::with_capacity(size_of_val(numbers));
        numbers.iter().for_each(|number| number.encode(&mut section));
        self.write(section)
    }

    fn vectors(&mut self, vectors: &Vectors) -> VectorSet {
        VectorSet {
            summaries_offset: self.numbers(&vectors.summaries),
            vectors_offset: self.numbers(&vectors.bits),
            classes: to_u32(vectors.classes()),
            reserved: 0,
        }
    }

    fn addresses<T: Address + Encode>(&mut self, table: &AddressClasses<T>) -> AddressTable {
        AddressTable {
            root_bits: table.root_bits,
            root_offset: self.numbers(&table.root),
            count: to_u32(table.starts.len()),
            starts_offset: self.numbers(&table.starts),
            classes_offset: self.numbers(&table.classes),
            search_steps: table.search_steps,
            vectors: self.vectors(&table.vectors),
        }
    }

    fn pages(&mut self, pages: &[Page]) -> u32 {
        self.numbers(pages.as_flattened())
    }

    fn port_table(&mut self, index: &PageIndex, pages: u32) -> PortTable {
        PortTable { pages_offset: self.numbers(index), classes_offset: pages }
    }

    fn protocols(&mut self, protocols: &ProtocolClasses) -> u32 {
        let pages = self.pages(&protocols.pages);
        let table = |index| {
            let table = self.port_table(index, pages);
            self.write(table.as_bytes().to_vec())
        };
        let tables: Vec<u32> = protocols.indices.iter().map(table).collect();
        let entries = protocols.entries.map(|entry| match entry {
            ProtocolEntry::Class(class) => u32::from(class),
            ProtocolEntry::Ports(table) => PROTOCOL_PORT_TABLE | tables[table],
        });
        self.numbers(&entries)
    }

    fn finish(mut self, header: PolicyHeader) -> Vec<u8> {
        let header = PolicyHeader { size: to_u32(self.bytes.len()), ..header };
        self.bytes[..size_of::<PolicyHeader>()].copy_from_slice(header.as_bytes());
        self.bytes
    }
}

/// A count or an offset of a blob.
fn to_u32(value: usize) -> u32 {
    u32::try_from(value).expect("a compiled table is limited to POLICY_BYTES_MAX")
}
