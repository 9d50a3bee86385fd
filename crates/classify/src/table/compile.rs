//! Builds a [`Table`] field by field.
//!
//! The only file of the compiler that reads rows. The port rules repeat those of [`Row::matches`] on sets instead of
//! values; the differential tests hold the two together, and so does [`crate::proof`] before a policy is published.

use std::collections::HashMap;

use palisade_abi::policy::TIME_NEVER;
use palisade_model::Window;
use palisade_net::{AddressSet, Number, PortSet, Protocol, ProtocolMatch, RangeSet};

use super::{
    Classes, Intervals, Protocols, Sides, SourcePorts, Table, Times,
    error::{CompileError, Field, Limits},
    has_values,
    sweep::sweep,
    vectors::{Bits, Interner, bits_of},
};
use crate::Row;

/// See [`Table::compile`].
pub(super) fn compile(rows: &[Row], limits: &Limits) -> Result<Table, CompileError> {
    let limits = limits.clamped();
    if rows.len() > limits.rows {
        return Err(CompileError::Rows { rows: rows.len(), max: limits.rows });
    }
    let compiler = Compiler { rows, limits };
    Ok(Table {
        actions: rows.iter().map(|row| row.action).collect(),
        audit: bits_of(rows.iter().map(|row| row.audit)),
        whole: bits_of(rows.iter().map(is_whole)),
        v4: compiler.sides(AddressSet::v4, Field::SourceV4, Field::DestinationV4)?,
        v6: compiler.sides(AddressSet::v6, Field::SourceV6, Field::DestinationV6)?,
        protocols: compiler.protocols()?,
        source_ports: compiler.source_ports()?,
        times: compiler.times()?,
    })
}

/// A port space has no more intervals than ports.
const PORTS: usize = 1 << 16;

fn is_whole(row: &Row) -> bool {
    row.source_ports.is_full() && row.destination_ports.is_full()
}

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
    fn sides<T: Number + 'a>(
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

    fn side<T: Number + 'a>(
        &self,
        field: Field,
        sets: impl Iterator<Item = (usize, &'a RangeSet<T>)>,
    ) -> Result<Classes<T>, CompileError> {
        let mut interner = self.interner(field);
        let intervals = sweep(sets, &mut interner, self.limits.intervals)?;
        Ok(Classes { intervals, vectors: interner.into_vectors() })
    }

    fn protocols(&self) -> Result<Protocols, CompileError> {
        let mut builder = ProtocolBuilder::new(self.interner(Field::Protocol));
        let (mut entries, mut fragments) = ([0; 256], [0; 256]);
        let mut unnamed = None;
        for number in 0..=255 {
            let protocol = Protocol(number);
            let named = self.names(protocol);
            let (entry, fragment) = match unnamed {
                Some(shared) if !named => shared,
                _ => builder.protocol(self.rows, protocol)?,
            };
            entries[usize::from(number)] = entry;
            fragments[usize::from(number)] = fragment;
            if !named {
                unnamed = Some((entry, fragment));
            }
        }
        Ok(Protocols { entries, fragments, ports: builder.ports, vectors: builder.interner.into_vectors() })
    }

    /// Whether the protocol must be looked at on its own. No row tells the other protocols apart.
    fn names(&self, protocol: Protocol) -> bool {
        has_values(protocol) || self.rows.iter().any(|row| row.protocol == ProtocolMatch::Number(protocol))
    }

    fn source_ports(&self) -> Result<Option<SourcePorts>, CompileError> {
        if self.rows.iter().all(|row| row.source_ports.is_full()) {
            return Ok(None);
        }
        let mut interner = self.interner(Field::SourcePort);
        let unrestricted = bits_of(self.rows.iter().map(|row| row.source_ports.is_full()));
        let portless = interner.class(&unrestricted, 1)?;
        let sets = self.rows.iter().map(|row| &row.source_ports).enumerate();
        let intervals = sweep(sets, &mut interner, PORTS)?;
        let classes = Classes { intervals, vectors: interner.into_vectors() };
        Ok(Some(SourcePorts { classes, portless }))
    }

    fn times(&self) -> Result<Option<Times>, CompileError> {
        let windows = || self.rows.iter().map(|row| row.window);
        if windows().all(Window::is_always) {
            return Ok(None);
        }
        let mut interner = self.interner(Field::Time);
        let edges = windows().flat_map(|window| [window.not_before(), window.expires_at()]);
        let mut starts: Vec<u32> = edges.flatten().chain([0]).collect();
        starts.sort_unstable();
        starts.dedup();
        let class = |&start: &u32| {
            interner.class(&bits_of(windows().map(|window| window.contains(start))), starts.len())
        };
        let classes = starts.iter().map(class).collect::<Result<_, _>>()?;
        let expires = windows().map(|window| window.expires_at().unwrap_or(TIME_NEVER)).collect();
        let classes = Classes { intervals: Intervals { starts, classes }, vectors: interner.into_vectors() };
        Ok(Some(Times { classes, expires }))
    }
}

/// The destination ports (or ICMP types) at which `row` can match `protocol`; `None` if it cannot.
fn destination_ports(row: &Row, protocol: Protocol) -> Option<&PortSet> {
    let by_value = protocol.has_ports() || (protocol.is_icmp() && row.protocol != ProtocolMatch::Any);
    let possible = row.protocol.matches(protocol) && (by_value || row.destination_ports.is_full());
    possible.then_some(&row.destination_ports)
}

/// Whether `row` matches packets of `protocol` at some pair of ports.
fn matches_somewhere(row: &Row, protocol: Protocol) -> bool {
    let from = row.source_ports.is_full() || (protocol.has_ports() && !row.source_ports.is_empty());
    from && destination_ports(row, protocol).is_some_and(|ports| !ports.is_empty())
}

/// Collects the protocols' entries; protocols with equal ports share one.
struct ProtocolBuilder {
    interner: Interner,
    ports: Vec<Intervals<u16>>,
    known: HashMap<Intervals<u16>, usize>,
}

impl ProtocolBuilder {
    fn new(interner: Interner) -> Self {
        Self { interner, ports: Vec::new(), known: HashMap::new() }
    }

    /// The position of the protocol's intervals, and the class of its fragments.
    fn protocol(&mut self, rows: &[Row], protocol: Protocol) -> Result<(usize, u32), CompileError> {
        let sets = rows.iter().enumerate();
        let sets = sets.filter_map(|(i, row)| Some((i, destination_ports(row, protocol)?)));
        let intervals = sweep(sets, &mut self.interner, PORTS)?;
        let fragments: Bits = bits_of(rows.iter().map(|row| matches_somewhere(row, protocol)));
        let fragment = self.interner.class(&fragments, 1)?;
        let position = *self.known.entry(intervals.clone()).or_insert(self.ports.len());
        if position == self.ports.len() {
            self.ports.push(intervals);
        }
        Ok((position, fragment))
    }
}
