//! Partitions of a disk. References: UEFI specification, section 5 (GPT); the master boot record as every BIOS reads it.

use super::Disk;

const SECTOR: u64 = 512;
/// Partitions of one disk.
const PARTITIONS_MAX: usize = 128;
const GPT_MAGIC: &[u8] = b"EFI PART";
/// Kinds of an extended partition, and of the one that guards a GUID partition table.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
const GUARD: u8 = 0xee;

/// A part of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partition {
    /// From 1; 0 is the whole disk.
    number: usize,
    start: u64,
    length: u64,
}

impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.number {
            0 => f.write_str("the whole disk"),
            number => write!(f, "partition {number}"),
        }
    }
}

impl Partition {
    /// Bytes of it.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    pub(super) const fn is_whole(&self) -> bool {
        self.number == 0
    }

    /// Its bytes on the disk.
    pub(super) const fn span(&self) -> std::ops::Range<u64> {
        self.start..self.start + self.length
    }

    /// Reads bytes of it, which all lie in it.
    pub(super) fn read_at(&self, disk: &dyn Disk, place: u64, into: &mut [u8]) -> Result<(), String> {
        let end = place.checked_add(into.len() as u64).filter(|end| *end <= self.length);
        end.ok_or_else(|| format!("byte {place} is beyond {self}"))?;
        disk.read_at(self.start + place, into)
    }
}

/// The whole disk, and all partitions that lie on it.
pub(super) fn all(disk: &dyn Disk) -> Vec<Partition> {
    let whole = Partition { number: 0, start: 0, length: disk.size() };
    let spans = guid(disk).or_else(|| boot_record(disk)).unwrap_or_default();
    let fits = |(start, length): &(u64, u64)| {
        *start > 0 && *length > 0 && start.checked_add(*length).is_some_and(|end| end <= disk.size())
    };
    let partitions = spans.into_iter().filter(fits).take(PARTITIONS_MAX).enumerate();
    let partitions =
        partitions.map(|(number, (start, length))| Partition { number: number + 1, start, length });
    std::iter::once(whole).chain(partitions).collect()
}

fn sector(disk: &dyn Disk, number: u64) -> Option<[u8; SECTOR as usize]> {
    let mut bytes = [0; SECTOR as usize];
    disk.read_at(number.checked_mul(SECTOR)?, &mut bytes).ok()?;
    Some(bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?).into())
}

/// Places and lengths of a GUID partition table, in bytes.
fn guid(disk: &dyn Disk) -> Option<Vec<(u64, u64)>> {
    let header = sector(disk, 1).filter(|header| header.starts_with(GPT_MAGIC))?;
    let (table, count, size) = (long(&header, 72)?, word(&header, 80)?, word(&header, 84)?);
    if !(128..=4_096).contains(&size) {
        return None;
    }
    let mut spans = Vec::new();
    for number in 0..count.min(PARTITIONS_MAX as u64) {
        let place = table.checked_mul(SECTOR)?.checked_add(number * size)?;
        let mut entry = [0; 48];
        disk.read_at(place, &mut entry).ok()?;
        let (first, last) = (long(&entry, 32)?, long(&entry, 40)?);
        if entry[..16] != [0; 16] && first <= last {
            spans.push((first.checked_mul(SECTOR)?, (last - first + 1).checked_mul(SECTOR)?));
        }
    }
    Some(spans)
}

/// Kinds, places and lengths in a boot record, in sectors.
fn entries(record: &[u8]) -> Option<Vec<(u8, u64, u64)>> {
    let is_one = record.get(510..512)? == [0x55, 0xaa];
    let of = |at: usize| Some((*record.get(at + 4)?, word(record, at + 8)?, word(record, at + 12)?));
    is_one
        .then(|| [446, 462, 478, 494].into_iter().filter_map(of).filter(|(kind, _, _)| *kind != 0).collect())
}

/// Places and lengths of a master boot record, in bytes.
fn boot_record(disk: &dyn Disk) -> Option<Vec<(u64, u64)>> {
    let mut spans = Vec::new();
    for (kind, start, length) in entries(&sector(disk, 0)?)? {
        if EXTENDED.contains(&kind) {
            logical(disk, start, &mut spans);
        } else if kind != GUARD {
            spans.push((start * SECTOR, length * SECTOR));
        }
    }
    Some(spans)
}

/// Logical partitions: each has a record of its own, which names the next, counted from the first.
fn logical(disk: &dyn Disk, first: u64, spans: &mut Vec<(u64, u64)>) {
    let mut record = first;
    for _ in 0..PARTITIONS_MAX {
        let Some(entries) = sector(disk, record).and_then(|record| entries(&record)) else { return };
        let mut next = None;
        for (kind, start, length) in entries {
            if EXTENDED.contains(&kind) {
                next = Some(first + start);
            } else {
                spans.push(((record + start) * SECTOR, length * SECTOR));
            }
        }
        match next {
            Some(place) if place > record => record = place,
            _ => return,
        }
    }
}
