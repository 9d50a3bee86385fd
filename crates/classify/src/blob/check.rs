//! Proves that lookups in a blob stay inside it and find what the layout says.
//!
//! 1. Header: magic, version, size, counts.
//! 2. Vectors before the classes that point at them, so that a class is compared with a count that holds.
//! 3. Tables: ascending starts, a root that agrees with them, pages and classes that exist.
//!
//! Anything that the layout defines exactly is compared exactly, so that damage shows even where it would be harmless.

use palisade_abi::{
    ABI_VERSION,
    policy::{
        ADDRESS_INTERVALS_MAX, ADDRESS_ROOT_BITS_MAX, ADDRESSES_V4, ADDRESSES_V6, AddressTable,
        POLICY_BYTES_MAX, POLICY_CLASSES_MAX, POLICY_MAGIC, POLICY_RULES_MAX, PROTOCOL_PORT_TABLE,
        PolicyHeader, PortTable, VectorSet,
    },
    verdict::Action,
};
use palisade_net::Protocol;

use super::{
    error::BlobError,
    reader::{Reader, Start},
};
use crate::table::{PAGE, search_steps};

/// The header of a blob that is sound.
pub(super) fn check(reader: Reader<'_>) -> Result<PolicyHeader, BlobError> {
    let header = header(reader)?;
    let check = Check { reader, rules: header.rules as usize, words: header.words as usize };
    check.actions(header.actions_offset)?;
    for table in &header.addresses[ADDRESSES_V4..ADDRESSES_V4 + 2] {
        check.addresses::<u32>(table)?;
    }
    for table in &header.addresses[ADDRESSES_V6..ADDRESSES_V6 + 2] {
        check.addresses::<u128>(table)?;
    }
    check.vectors(&header.protocol_vectors)?;
    check.protocols(header.protocol_offset, header.protocol_vectors.classes)?;
    match header.has_source_ports {
        0 => {
            let is_zero = header.source_ports == PortTable::default()
                && header.source_port_vectors == VectorSet::default();
            let offset = header.source_ports.pages_offset;
            require(is_zero, "offset of the unused source-port table", offset)?;
        }
        1 => {
            check.vectors(&header.source_port_vectors)?;
            check.ports(&header.source_ports, header.source_port_vectors.classes)?;
        }
        other => return Err(BlobError::Number { what: "source-port flag", value: other }),
    }
    Ok(header)
}

fn header(reader: Reader<'_>) -> Result<PolicyHeader, BlobError> {
    let actual = reader.bytes.len();
    let header: PolicyHeader = reader.structure(0).ok_or(BlobError::Short(actual))?;
    if header.magic != POLICY_MAGIC {
        return Err(BlobError::Magic(header.magic));
    }
    if header.version != ABI_VERSION {
        return Err(BlobError::Version(header.version));
    }
    if header.size as usize != actual || actual > POLICY_BYTES_MAX {
        return Err(BlobError::Size { stated: header.size, actual });
    }
    require(header.rules as usize <= POLICY_RULES_MAX, "number of rules", header.rules)?;
    require(header.words == header.rules.div_ceil(64), "number of words", header.words)?;
    Ok(header)
}

fn require(holds: bool, what: &'static str, value: u32) -> Result<(), BlobError> {
    if holds { Ok(()) } else { Err(BlobError::Number { what, value }) }
}

struct Check<'a> {
    reader: Reader<'a>,
    rules: usize,
    words: usize,
}

impl Check<'_> {
    /// That `count` elements of `size` bytes at `offset` are behind the header, inside the blob, and aligned.
    fn section(&self, what: &'static str, offset: u32, count: usize, size: usize) -> Result<(), BlobError> {
        let bytes = count.saturating_mul(size);
        let start = offset as usize;
        let inside = start >= size_of::<PolicyHeader>()
            && start.checked_add(bytes).is_some_and(|end| end <= self.reader.bytes.len());
        // An IPv6 start is two u64, so nothing needs more than eight.
        if inside && start.is_multiple_of(size.min(8)) {
            Ok(())
        } else {
            Err(BlobError::Section { what, offset, bytes })
        }
    }

    fn actions(&self, offset: u32) -> Result<(), BlobError> {
        self.section("actions", offset, self.rules, 1)?;
        all("action", self.rules, |rule| self.reader.u8(offset, rule).and_then(Action::from_number).is_some())
    }

    fn vectors(&self, set: &VectorSet) -> Result<(), BlobError> {
        let classes = set.classes as usize;
        require((1..=POLICY_CLASSES_MAX).contains(&classes), "number of classes", set.classes)?;
        require(set.reserved == 0, "reserved word", set.reserved)?;
        self.section("summaries", set.summaries_offset, classes, 4)?;
        self.section("vectors", set.vectors_offset, classes * self.words, 8)?;
        all("vector", classes, |class| self.vector_is_sound(set, class).is_some_and(|sound| sound))
    }

    /// Whether the summary tells which words are zero, and no bit stands for a rule that does not exist.
    fn vector_is_sound(&self, set: &VectorSet, class: usize) -> Option<bool> {
        let mut summary = 0;
        let mut last = 0;
        for word in 0..self.words {
            last = self.reader.u64(set.vectors_offset, class * self.words + word)?;
            summary |= u32::from(last != 0) << word;
        }
        let spare_bits = match self.rules % 64 {
            0 => 0,
            used => u64::MAX << used,
        };
        Some(self.reader.u32(set.summaries_offset, class)? == summary && last & spare_bits == 0)
    }

    fn addresses<T: Start>(&self, table: &AddressTable) -> Result<(), BlobError> {
        self.vectors(&table.vectors)?;
        let count = table.count as usize;
        require((1..=ADDRESS_INTERVALS_MAX).contains(&count), "number of intervals", table.count)?;
        self.section("interval starts", table.starts_offset, count, T::SIZE)?;
        self.section("interval classes", table.classes_offset, count, 2)?;
        let start = |index| self.reader.start::<T>(table.starts_offset, index);
        all("interval start", count, |index| match index.checked_sub(1) {
            None => start(0) == Some(T::MIN),
            Some(previous) => start(previous) < start(index),
        })?;
        all("interval class", count, |index| {
            self.reader
                .u16(table.classes_offset, index)
                .is_some_and(|class| u32::from(class) < table.vectors.classes)
        })?;
        let widest = if table.root_bits == 0 { count } else { self.root::<T>(table)? };
        require(table.search_steps == search_steps(widest), "number of search steps", table.search_steps)
    }

    /// Checks the root against the starts; returns the candidates of the widest bucket.
    fn root<T: Start>(&self, table: &AddressTable) -> Result<usize, BlobError> {
        let bits = table.root_bits;
        require(bits <= ADDRESS_ROOT_BITS_MAX, "number of root bits", bits)?;
        let buckets = 1usize << bits;
        self.section("root", table.root_offset, buckets + 1, 4)?;
        let entry = |bucket| self.reader.u32(table.root_offset, bucket);
        let start = |index| self.reader.start::<T>(table.starts_offset, index as usize);
        let (mut previous, mut widest) = (0, 1);
        for (bucket, number) in (0u32..).take(buckets).enumerate() {
            let wrong = BlobError::Element { what: "root entry", index: bucket };
            let index = entry(bucket).filter(|index| (previous..table.count).contains(index)).ok_or(wrong)?;
            let first = T::first_of(number, bits);
            let is_last = index + 1 == table.count || start(index + 1) > Some(first);
            if start(index) > Some(first) || !is_last {
                return Err(wrong);
            }
            widest = widest.max(index - previous + 1);
            previous = index;
        }
        if entry(buckets) != Some(table.count - 1) {
            return Err(BlobError::Element { what: "root entry", index: buckets });
        }
        Ok(widest.max(table.count - previous) as usize)
    }

    fn protocols(&self, offset: u32, classes: u32) -> Result<(), BlobError> {
        self.section("protocols", offset, 256, 4)?;
        let mut checked = None;
        for number in 0..=255 {
            let index = usize::from(number);
            let wrong = BlobError::Element { what: "protocol", index };
            let entry = self.reader.u32(offset, index).ok_or(wrong)?;
            if entry & PROTOCOL_PORT_TABLE == 0 {
                if entry >= classes {
                    return Err(wrong);
                }
                continue;
            }
            let protocol = Protocol(number);
            if !protocol.has_ports() && !protocol.is_icmp() {
                return Err(wrong);
            }
            let table = entry & !PROTOCOL_PORT_TABLE;
            // TCP and UDP usually share a table.
            if checked.replace(table) != Some(table) {
                self.section("port table", table, 1, size_of::<PortTable>())?;
                self.ports(&self.reader.structure(table).ok_or(wrong)?, classes)?;
            }
        }
        Ok(())
    }

    fn ports(&self, table: &PortTable, classes: u32) -> Result<(), BlobError> {
        self.section("page indices", table.pages_offset, PAGE, 2)?;
        let mut pages = Vec::with_capacity(PAGE);
        for index in 0..PAGE {
            let wrong = BlobError::Element { what: "page index", index };
            pages.push(usize::from(self.reader.u16(table.pages_offset, index).ok_or(wrong)?));
        }
        pages.sort_unstable();
        pages.dedup();
        let last = pages.last().map_or(0, |last| last + 1);
        self.section("pages", table.classes_offset, last * PAGE, 2)?;
        pages.into_iter().try_for_each(|page| {
            all("port class", PAGE, |low| {
                let class = self.reader.u16(table.classes_offset, page * PAGE + low);
                class.is_some_and(|class| u32::from(class) < classes)
            })
        })
    }
}

/// That every element of a section is as it should be.
fn all(what: &'static str, count: usize, is_sound: impl Fn(usize) -> bool) -> Result<(), BlobError> {
    (0..count).find(|&index| !is_sound(index)).map_or(Ok(()), |index| Err(BlobError::Element { what, index }))
}
