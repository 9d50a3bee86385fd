//! Records of files: where their sectors end, what they consist of, and lists of their other parts.

use super::runs::Runs;

const MAGIC: &[u8] = b"FILE";
/// Sectors whose ends are kept elsewhere.
const STRIDE: usize = 512;
const IN_USE: u16 = 1;
const FOLDER: u16 = 2;
/// Of a reference to a record, its number; above is how often the record has been used.
const NUMBER: u64 = (1 << 48) - 1;

pub(super) fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A reference to a record: its number, and how often the record had been used.
pub(super) const fn reference(both: u64) -> (u64, u16) {
    (both & NUMBER, (both >> 48) as u16)
}

/// Puts back the ends of sectors, which show whether all of them were written.
pub(super) fn restore(bytes: &mut [u8], magic: &[u8]) -> Option<()> {
    if !bytes.starts_with(magic) {
        return None;
    }
    let (place, count) = (usize::from(half(bytes, 4)?), usize::from(half(bytes, 6)?));
    if count.checked_sub(1)? != bytes.len() / STRIDE {
        return None;
    }
    let mark = half(bytes, place)?;
    for sector in 1..count {
        let kept = half(bytes, place + 2 * sector)?;
        let end = sector * STRIDE - 2;
        if half(bytes, end)? != mark {
            return None;
        }
        bytes[end..end + 2].copy_from_slice(&kept.to_le_bytes());
    }
    Some(())
}

/// One record.
pub(super) struct One {
    pub(super) attributes: Vec<Attribute>,
    pub(super) is_folder: bool,
    /// How often the record has been used.
    pub(super) sequence: u16,
    /// The record that it is a part of; 0 if it is none.
    pub(super) base: u64,
}

/// Something that a file consists of.
pub(super) struct Attribute {
    pub(super) kind: u32,
    pub(super) name: Vec<u16>,
    pub(super) flags: u16,
    pub(super) body: Body,
}

/// Where it is.
pub(super) enum Body {
    /// In the record.
    Resident(Vec<u8>),
    /// In clusters.
    Runs(Runs),
}

impl One {
    pub(super) fn read(mut bytes: Vec<u8>, number: u64) -> Result<Self, String> {
        let damaged = || format!("record {number} is damaged");
        restore(&mut bytes, MAGIC).ok_or_else(damaged)?;
        let head =
            || Some((half(&bytes, 0x10)?, half(&bytes, 0x14)?, half(&bytes, 0x16)?, long(&bytes, 0x20)?));
        let (sequence, first, flags, base) = head().ok_or_else(damaged)?;
        if flags & IN_USE == 0 {
            return Err(format!("record {number} is free"));
        }
        let attributes = attributes(&bytes, usize::from(first)).ok_or_else(damaged)?;
        Ok(Self { attributes, is_folder: flags & FOLDER != 0, sequence, base: reference(base).0 })
    }
}

fn attributes(bytes: &[u8], first: usize) -> Option<Vec<Attribute>> {
    const END: u32 = u32::MAX;
    let mut attributes = Vec::new();
    let mut at = first;
    while word(bytes, at)? != END {
        let length = word(bytes, at + 4)? as usize;
        // Each is at least as long as its head, so there are no more than fit.
        let part = bytes.get(at..at.checked_add(length.max(24))?)?;
        attributes.push(attribute(part)?);
        at += part.len();
    }
    Some(attributes)
}

fn attribute(part: &[u8]) -> Option<Attribute> {
    let name_place = usize::from(half(part, 10)?);
    let name = part.get(name_place..name_place + 2 * usize::from(part[9]))?;
    let name = name.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    let body = if part[8] == 0 {
        let (length, place) = (word(part, 16)? as usize, usize::from(half(part, 20)?));
        Body::Resident(part.get(place..place.checked_add(length)?)?.to_vec())
    } else {
        Body::Runs(Runs::read(part)?)
    };
    Some(Attribute { kind: word(part, 0)?, name, flags: half(part, 12)?, body })
}

/// The records that a list of attributes names.
pub(super) fn listed(list: &[u8]) -> Result<Vec<u64>, String> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < list.len() {
        let entry = || Some((half(list, at + 4)?, reference(long(list, at + 16)?).0));
        let (length, number) = entry().ok_or("a list of attributes is cut")?;
        if length < 26 {
            return Err("a list of attributes is damaged".to_owned());
        }
        records.push(number);
        at += usize::from(length);
    }
    Ok(records)
}
