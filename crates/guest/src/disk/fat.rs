//! FAT12, FAT16 and FAT32, read only. Reference: Microsoft, "FAT: General Overview of On-Disk Format", 1.03.
//!
//! A reader of ours: `fatfs`, which writes our drives of settings, takes two off cluster numbers that nobody has checked, wants to write, and
//! follows a folder that runs in a circle without end. Here a chain has no more clusters than its file, a folder no more than 2 MiB.

use std::{cell::RefCell, rc::Rc};

use super::{
    Disk,
    partitions::Partition,
    tree::{self, Handle, Kind, Listed, Status, Tree},
};
use crate::{Files, FilesError, Meta};

/// Bytes of a folder: 65,536 entries of 32.
const FOLDER_MAX: u64 = 1 << 21;
const ENTRY: usize = 32;
/// Bytes of the table that are read at once.
const PIECE: u64 = 4_096;

/// How wide the numbers of the table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Twelve,
    Sixteen,
    ThirtyTwo,
}

/// A file system.
pub(super) struct Fat {
    disk: Rc<dyn Disk>,
    partition: Partition,
    width: Width,
    /// Bytes of a cluster.
    cluster: u64,
    /// How many clusters there are; their numbers begin with 2.
    clusters: u32,
    /// Where the first table is, in bytes, and how long.
    table: (u64, u64),
    /// Where the first folder is, if it has a place of its own, and how long.
    root: (u64, u64),
    /// Where it begins, if it is a chain.
    root_cluster: u32,
    /// Where cluster 2 is.
    data: u64,
    piece: RefCell<(u64, Vec<u8>)>,
}

fn half(bytes: &[u8], at: usize) -> u64 {
    u64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn word(bytes: &[u8], at: usize) -> u64 {
    half(bytes, at) | half(bytes, at + 2) << 16
}

impl Fat {
    pub(super) fn open(disk: Rc<dyn Disk>, partition: &Partition) -> Result<Self, String> {
        let mut boot = [0; 512];
        partition.read_at(disk.as_ref(), 0, &mut boot)?;
        let sector = half(&boot, 11);
        let cluster = sector * u64::from(boot[13]);
        let either = |short: u64, long: u64| if short == 0 { long } else { short };
        let total = either(half(&boot, 19), word(&boot, 32)) * sector;
        let table_length = either(half(&boot, 22), word(&boot, 36)) * sector;
        let table = half(&boot, 14) * sector;
        let root_length = (half(&boot, 17) * ENTRY as u64).next_multiple_of(sector.max(1));
        let root = table + u64::from(boot[16]) * table_length;
        let data = root + root_length;
        let is_sound = (512..=4_096).contains(&sector)
            && sector.is_power_of_two()
            && boot[13].is_power_of_two()
            && table > 0
            && table_length > 0
            && boot[16] > 0
            && data < total
            && total <= partition.length();
        if !is_sound {
            return Err("its boot record is wrong".to_owned());
        }
        let clusters = u32::try_from((total - data) / cluster).map_err(|error| error.to_string())?;
        let width = match clusters {
            ..4_085 => Width::Twelve,
            4_085..65_525 => Width::Sixteen,
            65_525.. => Width::ThirtyTwo,
        };
        let root_cluster =
            if width == Width::ThirtyTwo { u32::try_from(word(&boot, 44)).expect("it is a word") } else { 0 };
        let partition = partition.clone();
        let piece = RefCell::default();
        let (table, root) = ((table, table_length), (root, root_length));
        Ok(Self { disk, partition, width, cluster, clusters, table, root, root_cluster, data, piece })
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> Result<(), String> {
        self.partition.read_at(self.disk.as_ref(), place, into)
    }

    /// A byte of the table.
    fn table_byte(&self, at: u64) -> Result<u32, String> {
        if at >= self.table.1 {
            return Err("its table is too short".to_owned());
        }
        let mut piece = self.piece.borrow_mut();
        let start = at - at % PIECE;
        if piece.0 != start || piece.1.is_empty() {
            let mut bytes = vec![0; usize::try_from(PIECE.min(self.table.1 - start)).expect("it is small")];
            self.read_at(self.table.0 + start, &mut bytes)?;
            *piece = (start, bytes);
        }
        Ok(u32::from(piece.1[usize::try_from(at - start).expect("it is small")]))
    }

    /// The cluster behind one; `None` at the end of a chain.
    fn next(&self, cluster: u32) -> Result<Option<u32>, String> {
        let number = u64::from(cluster);
        let bytes = |at: u64, count: u64| {
            (0..count).try_fold(0, |whole, byte| Ok(whole | self.table_byte(at + byte)? << (8 * byte)))
        };
        let (next, last): (Result<u32, String>, u32) = match self.width {
            Width::Twelve => {
                (bytes(number + number / 2, 2).map(|both| both >> (4 * (number % 2)) & 0xfff), 0xff8)
            }
            Width::Sixteen => (bytes(number * 2, 2), 0xfff8),
            Width::ThirtyTwo => (bytes(number * 4, 4).map(|word| word & 0x0fff_ffff), 0x0fff_fff8),
        };
        let next = next?;
        Ok((next < last).then_some(next))
    }

    /// Hands on what a chain holds, up to so many bytes; whether there were as many.
    fn chain(&self, first: u32, length: u64, sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<bool, String> {
        let mut cluster = Some(first);
        let mut left = length;
        let mut buffer = vec![0; usize::try_from(self.cluster).map_err(|error| error.to_string())?];
        while left > 0 {
            let Some(number) = cluster else { return Ok(false) };
            if number < 2 || number - 2 >= self.clusters {
                return Err(format!("its chain leads to cluster {number}, which is none"));
            }
            let part = &mut buffer[..usize::try_from(left.min(self.cluster)).expect("it is below a cluster")];
            self.read_at(self.data + u64::from(number - 2) * self.cluster, part)?;
            if !sink(part) {
                return Ok(true);
            }
            left -= part.len() as u64;
            cluster = self.next(number)?;
        }
        Ok(true)
    }

    /// The entries of a folder, as they stand there.
    fn entries(&self, cluster: u32) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        if cluster == 0 && self.width != Width::ThirtyTwo {
            bytes.resize(usize::try_from(self.root.1.min(FOLDER_MAX)).expect("it is small"), 0);
            self.read_at(self.root.0, &mut bytes)?;
            return Ok(bytes);
        }
        let first = if cluster == 0 { self.root_cluster } else { cluster };
        let mut is_ended = false;
        let mut take = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            is_ended = piece.chunks_exact(ENTRY).any(|entry| entry[0] == 0);
            !is_ended
        };
        let is_longer = self.chain(first, FOLDER_MAX, &mut take)?;
        if is_longer && !is_ended {
            return Err(format!("the folder has more than {FOLDER_MAX} bytes, or runs in a circle"));
        }
        Ok(bytes)
    }
}

/// The parts of a long name, which stand before the entry that they name, the last first.
#[derive(Default)]
struct Long {
    units: Vec<u16>,
    sum: u8,
    next: u8,
}

impl Long {
    fn add(&mut self, entry: &[u8]) {
        let order = entry[0];
        if order & 0x40 != 0 {
            *self = Self { units: Vec::new(), sum: entry[13], next: order & 0x3f };
        }
        if self.next == 0 || order & 0x3f != self.next || entry[13] != self.sum {
            *self = Self::default();
            return;
        }
        let places = (1..11).step_by(2).chain((14..26).step_by(2)).chain((28..32).step_by(2));
        let part = places.map(|at| u16::from_le_bytes([entry[at], entry[at + 1]]));
        self.units.splice(0..0, part);
        self.next -= 1;
    }

    /// The name, if all its parts were there and are those of the short name.
    fn take(&mut self, short: &[u8]) -> Option<Vec<u8>> {
        let long = std::mem::take(self);
        let sum = short.iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        if long.next != 0 || long.units.is_empty() || long.sum != sum {
            return None;
        }
        let end = long.units.iter().position(|unit| *unit == 0).unwrap_or(long.units.len());
        Some(tree::wide(&long.units[..end]))
    }
}

/// The name of eight and three characters.
fn short_name(entry: &[u8]) -> Vec<u8> {
    let part = |part: &[u8], is_lower: bool| {
        let end = part.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        let mut part = part[..end].to_vec();
        if is_lower {
            part.make_ascii_lowercase();
        }
        part
    };
    let mut name = part(&entry[..8], entry[12] & 0x08 != 0);
    if name.first() == Some(&5) {
        name[0] = 0xe5;
    }
    let ending = part(&entry[8..11], entry[12] & 0x10 != 0);
    if !ending.is_empty() {
        name.push(b'.');
        name.extend(ending);
    }
    name
}

/// When an entry was written, taken for universal time, in nanoseconds since 1970.
fn modified(entry: &[u8]) -> Option<i128> {
    let (time, date) = (half(entry, 22), half(entry, 24));
    let (year, month, day) = (1980 + (date >> 9), date >> 5 & 0xf, date & 0x1f);
    if !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    // Days since 1970 of a date of the Gregorian calendar, counted in years that begin in March.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + (time >> 11) * 3_600 + (time >> 5 & 0x3f) * 60 + (time & 0x1f) * 2;
    Some(i128::from(seconds) * 1_000_000_000)
}

const FOLDER: u8 = 0x10;
const LABEL: u8 = 0x08;
const LONG_NAME: u8 = 0x0f;

impl Tree for Fat {
    fn root(&self) -> Handle {
        Handle(vec![0; 8])
    }

    fn list(&self, folder: &Handle) -> Result<Vec<Listed>, String> {
        let bytes = self.entries(u32::try_from(word(&folder.0, 0)).expect("it is a word"))?;
        let mut listed = Vec::new();
        let mut long = Long::default();
        for entry in bytes.chunks_exact(ENTRY).take_while(|entry| entry[0] != 0) {
            if entry[0] == 0xe5 {
                long = Long::default();
            } else if entry[11] & 0x3f == LONG_NAME {
                long.add(entry);
            } else if entry[11] & LABEL == 0 && !entry.starts_with(b".") {
                let name = long.take(&entry[..11]).unwrap_or_else(|| short_name(entry));
                let is_folder = entry[11] & FOLDER != 0;
                let (kind, size) = if is_folder { (Kind::Folder, 0) } else { (Kind::File, word(entry, 28)) };
                let status = Status { kind, size, mode: None, owner: None, modified: modified(entry) };
                // Only FAT32 has the upper half of the number.
                let upper = if self.width == Width::ThirtyTwo { &entry[20..22] } else { &[0, 0] };
                let handle = Handle([&entry[26..28], upper, &entry[28..32]].concat());
                // A folder at cluster 0 would be the first one again, without end.
                let is_circle = is_folder && word(&handle.0, 0) == 0;
                let status = if is_circle { Err("it has no place".to_owned()) } else { Ok(status) };
                listed.push(Listed { name: tree::escaped(&name), handle, status });
            }
        }
        tree::bounded(listed.len())?;
        Ok(listed)
    }

    fn contents(&self, file: &Handle, sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), String> {
        let first = u32::try_from(word(&file.0, 0)).expect("it is a word");
        match self.chain(first, word(&file.0, 4), sink)? {
            true => Ok(()),
            false => Err("it ends before its size says".to_owned()),
        }
    }
}

impl Files for Fat {
    fn read(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, FilesError> {
        tree::read(self, path, max)
    }

    fn names(&self, path: &str) -> Result<Vec<String>, FilesError> {
        tree::names(self, path)
    }

    fn meta(&self, path: &str) -> Result<Option<Meta>, FilesError> {
        tree::meta(self, path)
    }
}
