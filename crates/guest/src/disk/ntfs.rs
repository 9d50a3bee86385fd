//! NTFS, read only. Reference: Linux's NTFS documentation (linux-ntfs, "NTFS Documentation"), compared with `mkntfs` and `ntfscp`.
//!
//! A reader of ours: the crate `ntfs` 0.4.0 panicked on 6 of 6,000 disks whose records had been changed, does not know a table of files in many parts,
//! and gives what is stored of a compressed file for the file. Here every offset is checked, a file has no more parts than [`PARTS_MAX`], and no
//! block of an index is read twice. The journal (`$LogFile`) is not replayed: what is only there is not seen. Files of the file system itself
//! (`$MFT` and so on) are not listed.

mod index;
mod record;
mod runs;

use std::rc::Rc;

use super::{
    Disk,
    partitions::Partition,
    tree::{self, Handle, Kind, Listed, Status, Tree},
};
use crate::{Files, FilesError, Meta};
use record::{Attribute, Body};
use runs::Runs;

/// Records that one file may be spread over.
const PARTS_MAX: usize = 1_024;
/// Bytes of a list of attributes.
const LIST_MAX: u64 = 1 << 18;
/// Where the first folder is, and below which number the file system has its own files.
const ROOT: u64 = 5;
const FIRST_FILE: u64 = 24;
/// Bytes that are read at once.
const PIECE: u64 = 1 << 16;

/// Kinds of attributes.
mod kind {
    pub(super) const STANDARD: u32 = 0x10;
    pub(super) const LIST: u32 = 0x20;
    pub(super) const DATA: u32 = 0x80;
    pub(super) const INDEX_ROOT: u32 = 0x90;
    pub(super) const INDEX: u32 = 0xa0;
    pub(super) const REPARSE: u32 = 0xc0;
}

/// A file system.
pub(super) struct Ntfs {
    disk: Rc<dyn Disk>,
    partition: Partition,
    /// Bytes of a cluster, and of a record.
    cluster: u64,
    record: u64,
    table: Runs,
}

/// A file: its record and what belongs to it.
struct Record {
    attributes: Vec<Attribute>,
    is_folder: bool,
}

/// What an attribute holds, wherever.
enum Stream {
    Resident(Vec<u8>),
    Runs(Runs),
}

impl Stream {
    fn size(&self) -> u64 {
        match self {
            Self::Resident(bytes) => bytes.len() as u64,
            Self::Runs(runs) => runs.size,
        }
    }
}

impl Record {
    /// Attributes of a kind and a name, in the order of their places.
    fn stream(&self, kind: u32, name: &[u16]) -> Result<Option<Stream>, String> {
        let parts: Vec<&Attribute> =
            self.attributes.iter().filter(|part| part.kind == kind && part.name == name).collect();
        match parts.first().map(|part| &part.body) {
            None => Ok(None),
            Some(Body::Resident(bytes)) => Ok(Some(Stream::Resident(bytes.clone()))),
            Some(Body::Runs(_)) => {
                let runs = parts.iter().filter_map(|part| match &part.body {
                    Body::Runs(runs) => Some(runs),
                    Body::Resident(_) => None,
                });
                runs::joined(runs.collect()).map(|runs| Some(Stream::Runs(runs)))
            }
        }
    }

    /// Whether what is stored of a stream is not what is read of it.
    fn is_packed(&self, name: &[u16]) -> bool {
        const PACKED: u16 = 0x00ff;
        const ENCRYPTED: u16 = 0x4000;
        let of = |part: &&Attribute| part.kind == kind::DATA && part.name == name;
        self.attributes.iter().find(of).is_some_and(|part| part.flags & (PACKED | ENCRYPTED) != 0)
    }

    /// What stands in place of the file's data, if something does.
    fn reparse(&self) -> Option<u32> {
        let body = self.attributes.iter().find(|part| part.kind == kind::REPARSE).map(|part| &part.body)?;
        match body {
            Body::Resident(bytes) => bytes.first_chunk().map(|tag| u32::from_le_bytes(*tag)),
            Body::Runs(_) => Some(0),
        }
    }

    fn is_link(&self) -> bool {
        const MOUNT: u32 = 0xa000_0003;
        const SYMBOLIC: u32 = 0xa000_000c;
        matches!(self.reparse(), Some(MOUNT | SYMBOLIC))
    }

    fn status(&self, name: &[u16]) -> Result<Status, String> {
        let kind = match self.is_folder {
            _ if self.is_link() => Kind::Link,
            true => Kind::Folder,
            false => Kind::File,
        };
        let data = if kind == Kind::File { self.stream(kind::DATA, name)? } else { None };
        let times = self.stream(kind::STANDARD, &[])?;
        let modified = times.and_then(|times| match times {
            Stream::Resident(bytes) => record::long(&bytes, 8),
            Stream::Runs(_) => None,
        });
        // Steps of 100 ns since 1601.
        let since_1970 = |time: u64| (i128::from(time) - 116_444_736_000_000_000) * 100;
        Ok(Status {
            kind,
            size: data.map_or(0, |data| data.size()),
            mode: None,
            owner: None,
            modified: modified.map(since_1970),
        })
    }

    /// Names of the streams beside the file's own.
    fn streams(&self) -> Vec<Vec<u16>> {
        let data = self.attributes.iter().filter(|part| part.kind == kind::DATA && !part.name.is_empty());
        let mut names: Vec<Vec<u16>> = data.map(|part| part.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Ntfs {
    pub(super) fn open(disk: Rc<dyn Disk>, partition: &Partition) -> Result<Self, String> {
        let mut boot = [0; 512];
        partition.read_at(disk.as_ref(), 0, &mut boot)?;
        let sector = u64::from(u16::from_le_bytes([boot[11], boot[12]]));
        // Above 128 the number is a negative power of two.
        let factor =
            if boot[13] > 0x80 { 1 << (256 - u32::from(boot[13])).min(31) } else { u64::from(boot[13]) };
        let cluster = sector.saturating_mul(factor);
        let per_record = i8::from_le_bytes([boot[0x40]]);
        let record = match per_record {
            1.. => cluster.saturating_mul(u64::from(per_record.unsigned_abs())),
            _ => 1_u64 << u32::from(per_record.unsigned_abs()).min(31),
        };
        let is_sound = sector.is_power_of_two()
            && (512..=1 << 21).contains(&cluster)
            && cluster.is_power_of_two()
            && (512..=1 << 16).contains(&record)
            && record.is_power_of_two();
        if !is_sound {
            return Err("its boot record is wrong".to_owned());
        }
        let place = record::long(&boot, 0x30).unwrap_or_default();
        // The first record tells where all are; until it has been read, itself is all there is.
        let first = record.div_ceil(cluster);
        let table = Runs::single(place, first, record);
        let mut system = Self { disk, partition: partition.clone(), cluster, record, table };
        // A table in many parts tells in a record of its own where its rest is, which stands in its first part.
        for _ in 0..2 {
            let whole = system.parts(0, system.table.size > record)?;
            match whole.stream(kind::DATA, &[])? {
                Some(Stream::Runs(runs)) => system.table = runs,
                _ => return Err("its table of files has no place".to_owned()),
            }
        }
        Ok(system)
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> Result<(), String> {
        self.partition.read_at(self.disk.as_ref(), place, into)
    }

    /// Reads from runs; what is nowhere reads as zeros.
    fn read_runs(&self, runs: &Runs, place: u64, into: &mut [u8]) -> Result<(), String> {
        let mut done = 0;
        while done < into.len() {
            let at = place + done as u64;
            let (found, alike) = runs.at(at, self.cluster)?;
            let count = usize::try_from(alike).unwrap_or(usize::MAX).min(into.len() - done);
            match found {
                Some(found) => self.read_at(found, &mut into[done..done + count])?,
                None => into[done..done + count].fill(0),
            }
            done += count;
        }
        Ok(())
    }

    /// One record as it stands in the table.
    fn one(&self, number: u64) -> Result<record::One, String> {
        let place = number.checked_mul(self.record).filter(|place| *place < self.table.size);
        let place = place.ok_or_else(|| format!("there is no record {number}"))?;
        let mut bytes = vec![0; usize::try_from(self.record).expect("a record is small")];
        self.read_runs(&self.table, place, &mut bytes)?;
        record::One::read(bytes, number)
    }

    /// A file with all its parts.
    fn file(&self, number: u64) -> Result<Record, String> {
        self.parts(number, true)
    }

    fn parts(&self, number: u64, is_whole: bool) -> Result<Record, String> {
        let own = self.one(number)?;
        if own.base != 0 {
            return Err(format!("record {number} is a part of another file"));
        }
        let mut file = Record { attributes: own.attributes, is_folder: own.is_folder };
        let list = if is_whole { file.stream(kind::LIST, &[])? } else { None };
        let Some(list) = list else { return Ok(file) };
        let mut others = record::listed(&self.bytes(&list, LIST_MAX)?)?;
        others.retain(|other| *other != number);
        others.sort_unstable();
        others.dedup();
        if others.len() > PARTS_MAX {
            return Err(format!("record {number} has more than {PARTS_MAX} parts"));
        }
        for other in others {
            let part = self.one(other)?;
            if part.base != number {
                return Err(format!("record {other} is no part of {number}"));
            }
            file.attributes.extend(part.attributes);
        }
        Ok(file)
    }

    /// All that a stream holds.
    fn bytes(&self, stream: &Stream, max: u64) -> Result<Vec<u8>, String> {
        match stream {
            Stream::Resident(bytes) => Ok(bytes.clone()),
            Stream::Runs(runs) if runs.size > max => Err(format!("it has more than {max} bytes")),
            Stream::Runs(runs) => {
                let mut bytes = vec![0; usize::try_from(runs.size).map_err(|error| error.to_string())?];
                self.read_runs(runs, 0, &mut bytes)?;
                Ok(bytes)
            }
        }
    }

    /// Hands on what is read of runs: zeros behind what was ever written.
    fn hand_on(&self, runs: &Runs, sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), String> {
        let mut buffer = vec![0; usize::try_from(PIECE).expect("it is small")];
        let mut place = 0;
        while place < runs.size {
            let count = (runs.size - place).min(PIECE);
            let part = &mut buffer[..usize::try_from(count).expect("it is small")];
            let written =
                usize::try_from(runs.written.saturating_sub(place).min(count)).expect("it is small");
            self.read_runs(runs, place, &mut part[..written])?;
            part[written..].fill(0);
            if !sink(part) {
                return Ok(());
            }
            place += count;
        }
        Ok(())
    }

    /// Hands on what is stored, and where nothing is, how much of it.
    fn hand_on_stored(&self, runs: &Runs, sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), String> {
        let mut buffer = vec![0; usize::try_from(PIECE).expect("it is small")];
        for (place, length) in runs.places(self.cluster) {
            let Some(place) = place else {
                if !sink(&length.to_le_bytes()) {
                    return Ok(());
                }
                continue;
            };
            let mut done = 0;
            while done < length {
                let count = usize::try_from((length - done).min(PIECE)).expect("it is small");
                self.read_at(place + done, &mut buffer[..count])?;
                if !sink(&buffer[..count]) {
                    return Ok(());
                }
                done += count as u64;
            }
        }
        Ok(())
    }
}

/// A handle is the number of a record, and the name of a stream.
fn handle(number: u64, stream: &[u16]) -> Handle {
    let name = stream.iter().flat_map(|unit| unit.to_le_bytes());
    Handle(number.to_le_bytes().into_iter().chain(name).collect())
}

fn meant(handle: &Handle) -> (u64, Vec<u16>) {
    let number = record::long(&handle.0, 0).unwrap_or_default();
    let name = handle.0.get(8..).unwrap_or_default().chunks_exact(2);
    (number, name.map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect())
}

impl Tree for Ntfs {
    fn root(&self) -> Handle {
        handle(ROOT, &[])
    }

    fn list(&self, folder: &Handle) -> Result<Vec<Listed>, String> {
        let mut listed = Vec::new();
        for entry in index::entries(self, meant(folder).0)? {
            if entry.number < FIRST_FILE {
                continue;
            }
            let name = tree::escaped(&tree::wide(&entry.name));
            let file = self.one(entry.number).and_then(|one| match one.sequence == entry.sequence {
                true => self.file(entry.number),
                false => Err(format!("record {} is of another file by now", entry.number)),
            });
            let status = file.as_ref().map_err(Clone::clone).and_then(|file| file.status(&[]));
            for stream in file.as_ref().map(Record::streams).unwrap_or_default() {
                let beside = tree::escaped(&tree::wide(&stream));
                let status = file.as_ref().map_err(Clone::clone).and_then(|file| file.status(&stream));
                let status = status.map(|status| Status { kind: Kind::File, ..status });
                let name = format!("{name}:{beside}");
                listed.push(Listed { name, handle: handle(entry.number, &stream), status });
            }
            listed.push(Listed { name, handle: handle(entry.number, &[]), status });
            tree::bounded(listed.len())?;
        }
        Ok(listed)
    }

    fn contents(&self, file: &Handle, sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), String> {
        let (number, name) = meant(file);
        let file = self.file(number)?;
        let stream =
            if file.is_link() { file.stream(kind::REPARSE, &[])? } else { file.stream(kind::DATA, &name)? };
        match stream {
            None => Ok(()),
            Some(Stream::Resident(bytes)) => {
                sink(&bytes);
                Ok(())
            }
            Some(Stream::Runs(runs)) if file.is_packed(&name) => self.hand_on_stored(&runs, sink),
            Some(Stream::Runs(runs)) => self.hand_on(&runs, sink),
        }
    }
}

impl Files for Ntfs {
    fn read(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, FilesError> {
        if let Some(found) = tree::find(self, path)? {
            let (number, name) = meant(&found.handle);
            let file = self.file(number).map_err(|why| FilesError::new(path, why))?;
            if file.is_packed(&name) || (file.reparse().is_some() && name.is_empty()) {
                return Err(FilesError::new(
                    path,
                    "it is compressed, encrypted or a link, which is not read",
                ));
            }
        }
        tree::read(self, path, max)
    }

    fn names(&self, path: &str) -> Result<Vec<String>, FilesError> {
        tree::names(self, path)
    }

    fn meta(&self, path: &str) -> Result<Option<Meta>, FilesError> {
        tree::meta(self, path)
    }
}
