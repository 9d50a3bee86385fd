//! Builds a [`Table`] field by field.
//!
//! The only file of the compiler that reads rows. The port rules repeat those of [`Row::matches`] on sets instead of
//! values; the differential tests hold the two together.

use std::collections::HashMap;

use palisade_abi::policy::PolicyHeader;
use palisade_net::{AddressSet, PortSet, Protocol, ProtocolMatch, RangeSet};

use super::{
    Sides, Table,
    address::{Address, AddressClasses},
    error::{CompileError, Field, Limits},
    port::{PageIndex, PageInterner, ProtocolClasses, ProtocolEntry, SourcePortClasses},
    sweep::sweep,
    vectors::{Bits, Interner, flip},
};
use crate::Row;

/// See [`Table::compile`].
pub(super) fn compile(rows: &[Row], limits: &Limits) -> Result<Table, CompileError> {
    let limits = limits.clamped();
    if rows.len() > limits.rows {
        return Err(CompileError::Rows { rows: rows.len(), max: limits.rows });
    }
    let compiler = Compiler { rows, limits };
    let table = Table {
        actions: rows.iter().map(|row| row.action).collect(),
        v4: compiler.sides(AddressSet::v4, Field::SourceV4, Field::DestinationV4)?,
        v6: compiler.sides(AddressSet::v6, Field::SourceV6, Field::DestinationV6)?,
        protocols: compiler.protocols()?,
        source_ports: compiler.source_ports()?,
    };
    match table.size() {
        bytes if bytes > limits.bytes => Err(CompileError::Bytes { bytes, max: limits.bytes }),
        _ => Ok(table),
    }
}

/// See [`Table::size`].
pub(super) fn size(table: &Table) -> usize {
    // Sections are padded to eight bytes; there are fewer than sixty of them.
    const PADDING: usize = 60 * 8;
    size_of::<PolicyHeader>()
        + PADDING
        + table.actions.len()
        + table.v4.source.size()
        + table.v4.destination.size()
        + table.v6.source.size()
        + table.v6.destination.size()
        + table.protocols.size()
        + table.source_ports.as_ref().map_or(0, SourcePortClasses::size)
}

/// A port space has no more intervals than ports.
const PORTS: usize = 1 << 16;

struct Compiler<'a> {
    rows: &'a [Row],
    limits: Limits,
}

impl<'a> Compiler<'a> {
    fn interner(&self, field: Field) -> Interner {
        Interner::new(field, self.rows.len().div_ceil(64), self.limits.classes)
    }

    /// The two address fields of one family. A row that names no address of the family on one side cannot match in it,
    /// so that its other side is left out too.
    fn sides<T: Address + 'a>(
        &self,
        half: fn(&AddressSet) -> &RangeSet<T>,
        source: Field,
        destination: Field,
    ) -> Result<Sides<T>, CompileError> {
        let alive = || {
            let pairs = self.rows.iter().map(|row| (half(&row.sources), half(&row.destinations)));
            pairs.enumerate().filter(|(_, (from, to))| !from.is_empty() && !to.is_empty())
        };
        Ok(Sides {
            source: self.side(source, alive().map(|(row, (from, _))| (row, from)))?,
            destination: self.side(destination, alive().map(|(row, (_, to))| (row, to)))?,
        })
    }

    fn side<T: Address + 'a>(
        &self,
        field: Field,
        sets: impl Iterator<Item = (usize, &'a RangeSet<T>)>,
    ) -> Result<AddressClasses<T>, CompileError> {
        let mut interner = self.interner(field);
        let intervals = sweep(sets, &mut interner, self.limits.intervals)?;
        Ok(AddressClasses::new(intervals, interner.into_vectors()))
    }

    fn protocols(&self) -> Result<ProtocolClasses, CompileError> {
        let mut builder = ProtocolBuilder::new(self.interner(Field::Protocol));
        let mut unnamed = None;
        let mut entries = [ProtocolEntry::Class(0); 256];
        for (number, entry) in (0u8..=255).zip(&mut entries) {
            let protocol = Protocol(number);
            let named = self.names(protocol);
            *entry = match unnamed {
                Some(shared) if !named => shared,
                _ => builder.entry(self.rows, protocol)?,
            };
            if !named {
                unnamed = Some(*entry);
            }
        }
        Ok(builder.finish(entries))
    }

    /// Whether the protocol must be looked at on its own. No row tells the other protocols apart.
    fn names(&self, protocol: Protocol) -> bool {
        protocol.has_ports()
            || protocol.is_icmp()
            || self.rows.iter().any(|row| row.protocol == ProtocolMatch::Number(protocol))
    }

    fn source_ports(&self) -> Result<Option<SourcePortClasses>, CompileError> {
        if self.rows.iter().all(|row| row.source_ports.is_full()) {
            return Ok(None);
        }
        let mut interner = self.interner(Field::SourcePort);
        let mut unrestricted = Bits::default();
        let full = self.rows.iter().enumerate().filter(|(_, row)| row.source_ports.is_full());
        full.for_each(|(row, _)| flip(&mut unrestricted, row));
        // First, because packets without ports have class 0.
        interner.class(&unrestricted, 1)?;
        let sets = self.rows.iter().map(|row| &row.source_ports).enumerate();
        let intervals = sweep(sets, &mut interner, PORTS)?;
        let mut pages = PageInterner::default();
        let index = pages.index(&intervals);
        Ok(Some(SourcePortClasses { index, pages: pages.into_pages(), vectors: interner.into_vectors() }))
    }
}

/// The destination ports (or ICMP types) at which `row` can match `protocol`; `None` if it cannot.
fn destination_ports(row: &Row, protocol: Protocol) -> Option<&PortSet> {
    let by_value = protocol.has_ports() || (protocol.is_icmp() && row.protocol != ProtocolMatch::Any);
    let possible = row.protocol.matches(protocol) && (by_value || row.destination_ports.is_full());
    possible.then_some(&row.destination_ports)
}

/// Collects the protocols' entries; protocols with equal ports share one index.
struct ProtocolBuilder {
    interner: Interner,
    pages: PageInterner,
    indices: Vec<PageIndex>,
    known: HashMap<PageIndex, usize>,
}

impl ProtocolBuilder {
    fn new(interner: Interner) -> Self {
        Self { interner, pages: PageInterner::default(), indices: Vec::new(), known: HashMap::new() }
    }

    fn entry(&mut self, rows: &[Row], protocol: Protocol) -> Result<ProtocolEntry, CompileError> {
        let sets = rows.iter().enumerate();
        let sets = sets.filter_map(|(i, row)| Some((i, destination_ports(row, protocol)?)));
        let intervals = sweep(sets, &mut self.interner, PORTS)?;
        if let [class] = intervals.classes[..] {
            return Ok(ProtocolEntry::Class(class));
        }
        let index = self.pages.index(&intervals);
        let position = *self.known.entry(index).or_insert(self.indices.len());
        if position == self.indices.len() {
            self.indices.push(index);
        }
        Ok(ProtocolEntry::Ports(position))
    }

    fn finish(self, entries: [ProtocolEntry; 256]) -> ProtocolClasses {
        let (pages, vectors) = (self.pages.into_pages(), self.interner.into_vectors());
        ProtocolClasses { entries, indices: self.indices, pages, vectors }
    }
}
