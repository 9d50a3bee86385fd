//! Proves that lookups in a blob stay inside it and find what the layout says.
//!
//! 1. Header: magic, version, size, counts.
//! 2. Arrays: actions, rule sets, times; each inside, aligned, and in agreement with the others.
//! 3. Entries: every path from a field ends at a sound record, and no path is longer than the kernel program follows.
//!
//! Anything that the layout defines exactly is compared exactly, so that damage shows even where it would be harmless. That
//! the records are those of the rules is not its business: [`crate::proof`] shows it.

mod entries;

use palisade_abi::{
    ABI_VERSION,
    policy::{
        ADDRESSES_V4, ADDRESSES_V6, BIT_POSITIONS, POLICY_AUDIT, POLICY_BYTES_MAX, POLICY_MAGIC,
        POLICY_RULES_MAX, POLICY_SOURCE_PORTS, POLICY_TIMES, POLICY_TIMES_MAX, PolicyHeader, SET_ALLOW,
        SET_ALWAYS, SET_AUDIT, SETS,
    },
    verdict::Action,
};
use palisade_net::Protocol;

use self::entries::{Entries, Key};
use super::{error::BlobError, reader::Reader};
use crate::table::has_values;

/// The header of a blob that is sound.
pub(super) fn check(reader: Reader<'_>) -> Result<PolicyHeader, BlobError> {
    let header = header(reader)?;
    let check = Check { reader, header };
    check.actions()?;
    check.sets()?;
    let mut entries = Entries::new(reader, &header);
    for entry in &header.addresses[ADDRESSES_V4..ADDRESSES_V4 + 2] {
        entries.walk("IPv4 address", *entry, Key::V4)?;
    }
    for entry in &header.addresses[ADDRESSES_V6..ADDRESSES_V6 + 2] {
        entries.walk("IPv6 address", *entry, Key::Upper)?;
    }
    check.protocols(&mut entries)?;
    check.source_ports(&mut entries)?;
    check.times(&mut entries)?;
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
    require(header.times_count as usize <= POLICY_TIMES_MAX, "number of times", header.times_count)?;
    require(header.flags & !(POLICY_AUDIT | POLICY_SOURCE_PORTS | POLICY_TIMES) == 0, "flags", header.flags)?;
    all("bit position", header.bit_positions.len(), |bit| header.bit_positions[bit] == BIT_POSITIONS[bit])?;
    Ok(header)
}

fn require(holds: bool, what: &'static str, value: u32) -> Result<(), BlobError> {
    if holds { Ok(()) } else { Err(BlobError::Number { what, value }) }
}

/// That `count` elements of `size` bytes at `offset` are behind the header, inside the blob, and aligned.
fn section(
    reader: Reader<'_>,
    what: &'static str,
    offset: u32,
    count: usize,
    size: usize,
) -> Result<(), BlobError> {
    let bytes = count.saturating_mul(size);
    let start = offset as usize;
    let inside = start >= size_of::<PolicyHeader>()
        && start.checked_add(bytes).is_some_and(|end| end <= reader.bytes.len());
    if inside && start.is_multiple_of(size_of::<u64>()) {
        Ok(())
    } else {
        Err(BlobError::Section { what, offset, bytes })
    }
}

/// That every element of a section is as it should be.
fn all(what: &'static str, count: usize, is_sound: impl Fn(usize) -> bool) -> Result<(), BlobError> {
    (0..count).find(|&index| !is_sound(index)).map_or(Ok(()), |index| Err(BlobError::Element { what, index }))
}

struct Check<'a> {
    reader: Reader<'a>,
    header: PolicyHeader,
}

impl Check<'_> {
    const fn rules(&self) -> usize {
        self.header.rules as usize
    }

    fn actions(&self) -> Result<(), BlobError> {
        let offset = self.header.actions_offset;
        section(self.reader, "actions", offset, self.rules(), 1)?;
        all("action", self.rules(), |rule| self.action(rule).is_some())
    }

    fn action(&self, rule: usize) -> Option<Action> {
        self.reader.u8(self.header.actions_offset, rule).and_then(Action::from_number)
    }

    /// Two of the sets repeat the actions; the others only must name no rule that does not exist.
    fn sets(&self) -> Result<(), BlobError> {
        let (offset, words) = (self.header.sets_offset, self.header.words as usize);
        section(self.reader, "rule sets", offset, SETS * words, 8)?;
        let set = |set: usize, word: usize| self.reader.u64(offset, set * words + word).unwrap_or(u64::MAX);
        let bit = |index, rule: usize| set(index, rule / 64) >> (rule % 64) & 1 == 1;
        all("rule set", self.rules(), |rule| {
            bit(SET_ALLOW, rule) == (self.action(rule) == Some(Action::Allow))
                && bit(SET_ALWAYS, rule) == (self.action(rule) == Some(Action::AlwaysAllow))
        })?;
        let spare = spare_bits(self.rules());
        all("rule set", SETS, |index| words == 0 || set(index, words - 1) & spare == 0)?;
        let has_audit = (0..words).any(|word| set(SET_AUDIT, word) != 0);
        self.flag(POLICY_AUDIT, has_audit)
    }

    fn flag(&self, flag: u32, is_set: bool) -> Result<(), BlobError> {
        require((self.header.flags & flag != 0) == is_set, "flags", self.header.flags)
    }

    fn protocols(&self, entries: &mut Entries<'_>) -> Result<(), BlobError> {
        let (offset, fragments) = (self.header.protocols_offset, self.header.fragments_offset);
        section(self.reader, "protocols", offset, 256, 4)?;
        section(self.reader, "fragments", fragments, 256, 4)?;
        for number in 0..=u8::MAX {
            let index = usize::from(number);
            let key = if has_values(Protocol(number)) { Key::Port } else { Key::None };
            let wrong = BlobError::Element { what: "protocol", index };
            entries.walk("protocol", self.reader.u32(offset, index).ok_or(wrong)?, key)?;
            entries.walk("fragment", self.reader.u32(fragments, index).ok_or(wrong)?, Key::None)?;
        }
        Ok(())
    }

    fn source_ports(&self, entries: &mut Entries<'_>) -> Result<(), BlobError> {
        let PolicyHeader { source_ports, no_source_port, .. } = self.header;
        self.flag(POLICY_SOURCE_PORTS, source_ports != 0)?;
        if source_ports == 0 {
            return require(no_source_port == 0, "record of the unused source ports", no_source_port);
        }
        entries.walk("source port", source_ports, Key::Port)?;
        entries.walk("source port", no_source_port, Key::None)
    }

    fn times(&self, entries: &mut Entries<'_>) -> Result<(), BlobError> {
        let PolicyHeader { times_count, times_offset, time_records_offset, expires_offset, .. } = self.header;
        let count = times_count as usize;
        self.flag(POLICY_TIMES, count != 0)?;
        if count == 0 {
            let offsets = [times_offset, time_records_offset, expires_offset];
            return offsets.into_iter().try_for_each(|o| require(o == 0, "offset of the unused times", o));
        }
        section(self.reader, "times", times_offset, count, 4)?;
        section(self.reader, "time records", time_records_offset, count + 1, 4)?;
        section(self.reader, "rules' ends", expires_offset, self.rules(), 4)?;
        let time = |index| self.reader.u32(times_offset, index);
        all("time", count, |index| match index.checked_sub(1) {
            None => time(0) > Some(0),
            Some(previous) => time(previous) < time(index),
        })?;
        for index in 0..=count {
            let wrong = BlobError::Element { what: "time record", index };
            entries.walk("time", self.reader.u32(time_records_offset, index).ok_or(wrong)?, Key::None)?;
        }
        Ok(())
    }
}

/// The bits of the last word that stand for no rule.
const fn spare_bits(rules: usize) -> u64 {
    match rules % 64 {
        0 => 0,
        used => u64::MAX << used,
    }
}
