//! The tables of a qcow2 image: every entry judged, every cluster owned once.
//!
//! Invariant: after a survey, no entry leads out of the file, into a table, or to a cluster that something else has. A library that follows
//! such tables reads what they say, however it is written. One table is held at a time; what is remembered is two bits a cluster.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use thiserror::Error;

use super::{header::Header, refusal::Refusal};

/// Clusters of a file that are kept track of: 16 TiB with clusters of 64 KiB.
pub const CLUSTERS_MAX: u64 = 1 << 28;
/// Guest data that an image may unfold into.
pub const DATA_MAX: u64 = 1 << 40;
/// Compressed clusters of an image.
pub const COMPRESSED_MAX: usize = 1 << 24;

/// Bytes that can be read at an offset.
pub trait ReadAt {
    /// Fills the buffer.
    ///
    /// # Errors
    /// As the file's; also where it ends before the buffer does.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = from.checked_add(buffer.len()).and_then(|to| self.get(from..to));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Why tables could not be judged.
#[derive(Debug, Error)]
pub enum SurveyError {
    /// They are wrong.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What the tables of an image say of its file.
#[derive(Debug)]
pub struct Survey {
    cluster_bits: u32,
    data: Bits,
    /// Guest data, in bytes.
    pub data_bytes: u64,
}

impl Survey {
    /// Whether every byte of a range of the file is what the guest sees as its data.
    pub fn is_data(&self, from: u64, to: u64) -> bool {
        (from >> self.cluster_bits..to.div_ceil(1 << self.cluster_bits)).all(|cluster| self.data.has(cluster))
    }

    /// Goes over all tables of an image whose file has `length` bytes.
    ///
    /// # Errors
    /// The first entry that is refused, or the file's own error.
    pub fn of(file: &(impl ReadAt + ?Sized), length: u64, header: &Header) -> Result<Self, SurveyError> {
        let clusters = length.div_ceil(header.cluster());
        if clusters > CLUSTERS_MAX {
            return Err(Refusal::FileTooLarge { clusters, max: CLUSTERS_MAX }.into());
        }
        let mut surveyor = Surveyor {
            file,
            header,
            length,
            used: Bits::new(clusters),
            data: Bits::new(clusters),
            data_bytes: 0,
            compressed: Vec::new(),
        };
        surveyor.used.set(0);
        surveyor.refcounts()?;
        surveyor.guest()?;
        surveyor.settle_compressed()?;
        Ok(Self { cluster_bits: header.cluster_bits, data: surveyor.data, data_bytes: surveyor.data_bytes })
    }
}

struct Surveyor<'f, F: ?Sized> {
    file: &'f F,
    header: &'f Header,
    length: u64,
    used: Bits,
    data: Bits,
    data_bytes: u64,
    /// Where compressed clusters begin and end in the file, and the entry that says so.
    compressed: Vec<(u64, u64, u64)>,
}

/// Bits of an entry that hold an offset of the file.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
const ZERO: u64 = 1;
/// The header's fields, for errors about what they name.
const L1_FIELD: u64 = 40;
const REFCOUNT_FIELD: u64 = 48;

impl<F: ReadAt + ?Sized> Surveyor<'_, F> {
    /// The table of reference counts and the blocks that it names. What they count is QEMU's matter: it is needed to write.
    fn refcounts(&mut self) -> Result<(), SurveyError> {
        let (at, bytes) = (self.header.refcount_offset, self.header.refcount_bytes);
        self.own(REFCOUNT_FIELD, at, bytes)?;
        let table = self.table(at, bytes)?;
        for (entry, value) in entries(at, &table) {
            if value & 0x1ff != 0 {
                return Err(Refusal::Reserved { entry, value }.into());
            }
            if value != 0 {
                self.own(entry, value, self.header.cluster())?;
            }
        }
        Ok(())
    }

    fn guest(&mut self) -> Result<(), SurveyError> {
        let (at, bytes) = (self.header.l1_offset, self.header.l1_entries * 8);
        self.own(L1_FIELD, at, bytes)?;
        let first = self.table(at, bytes)?;
        for (index, (entry, value)) in entries(at, &first).enumerate() {
            if value & !(OFFSET | COPIED) != 0 {
                return Err(Refusal::Reserved { entry, value }.into());
            }
            let target = value & OFFSET;
            if target == 0 {
                continue;
            }
            let guest = index as u64 * self.header.l1_reach();
            if guest >= self.header.size {
                return Err(Refusal::Target { entry, target }.into());
            }
            self.own(entry, target, self.header.cluster())?;
            let second = self.table(target, self.header.cluster())?;
            for (index, (entry, value)) in entries(target, &second).enumerate() {
                self.cluster(entry, value, guest + index as u64 * self.header.cluster())?;
            }
        }
        Ok(())
    }

    /// One cluster of the guest.
    fn cluster(&mut self, entry: u64, value: u64, guest: u64) -> Result<(), SurveyError> {
        if value == 0 {
            return Ok(());
        }
        if value & COMPRESSED != 0 {
            return self.compressed(entry, value);
        }
        let flags = if self.header.version >= 3 { ZERO } else { 0 };
        if value & !(OFFSET | COPIED | flags) != 0 {
            return Err(Refusal::Reserved { entry, value }.into());
        }
        let target = value & OFFSET;
        if target == 0 {
            return Ok(());
        }
        self.own(entry, target, self.header.cluster())?;
        if value & ZERO == 0 {
            self.count()?;
            // What is after the disk's end, the guest cannot see.
            if guest + self.header.cluster() <= self.header.size {
                self.data.set(target >> self.header.cluster_bits);
            }
        }
        Ok(())
    }

    /// A compressed cluster: it shares clusters of the file with others of its kind, and with nothing else.
    fn compressed(&mut self, entry: u64, value: u64) -> Result<(), SurveyError> {
        let bits = 62 - (self.header.cluster_bits - 8);
        let target = value & ((1 << bits) - 1);
        let sectors = (value & !(COPIED | COMPRESSED)) >> bits;
        let end = (target & !511) + (sectors + 1) * 512;
        // The last sector need not be written whole.
        if value & COPIED != 0
            || target == 0
            || target >= self.length
            || end > self.length.next_multiple_of(512)
        {
            return Err(Refusal::Target { entry, target }.into());
        }
        if self.compressed.len() == COMPRESSED_MAX {
            return Err(Refusal::Bomb { max: DATA_MAX }.into());
        }
        self.compressed.push((target, end, entry));
        Ok(self.count()?)
    }

    /// Two entries with one compressed cluster are how a small file unfolds into a large disk; and nothing else may be where they are.
    fn settle_compressed(&mut self) -> Result<(), SurveyError> {
        self.compressed.sort_unstable();
        let twice = self.compressed.windows(2).find(|pair| pair[0].0 == pair[1].0);
        if let Some(&[_, (target, _, entry)]) = twice {
            return Err(Refusal::Overlap { entry, target }.into());
        }
        for &(target, end, entry) in &self.compressed {
            let mut clusters = target >> self.header.cluster_bits..end.div_ceil(self.header.cluster());
            if clusters.any(|cluster| self.used.has(cluster)) {
                return Err(Refusal::Overlap { entry, target }.into());
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Refusal> {
        self.data_bytes += self.header.cluster();
        if self.data_bytes > DATA_MAX { Err(Refusal::Bomb { max: DATA_MAX }) } else { Ok(()) }
    }

    /// Takes clusters for one owner.
    fn own(&mut self, entry: u64, target: u64, bytes: u64) -> Result<(), Refusal> {
        let end = target
            .checked_add(bytes)
            .filter(|&end| end <= self.length.next_multiple_of(self.header.cluster()));
        let (Some(end), true) = (end, target.is_multiple_of(self.header.cluster())) else {
            return Err(Refusal::Target { entry, target });
        };
        for cluster in target >> self.header.cluster_bits..end.div_ceil(self.header.cluster()) {
            if self.used.has(cluster) {
                return Err(Refusal::Overlap { entry, target });
            }
            self.used.set(cluster);
        }
        Ok(())
    }

    /// A table's bytes; its size has been limited.
    fn table(&self, at: u64, bytes: u64) -> Result<Vec<u8>, SurveyError> {
        if at.checked_add(bytes).is_none_or(|end| end > self.length) {
            return Err(Refusal::Truncated { offset: at }.into());
        }
        let mut table = vec![0; usize::try_from(bytes).expect("tables are small")];
        self.file.read_at(&mut table, at)?;
        Ok(table)
    }
}

/// The entries of a table and where each stands in the file.
fn entries(at: u64, table: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    table.chunks_exact(8).enumerate().map(move |(index, bytes)| {
        (at + index as u64 * 8, u64::from_be_bytes(bytes.try_into().expect("chunks of eight bytes")))
    })
}

/// A set of clusters.
#[derive(Debug)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(count: u64) -> Self {
        Self(vec![0; usize::try_from(count / 64 + 1).expect("the count is limited")])
    }

    fn has(&self, bit: u64) -> bool {
        usize::try_from(bit / 64)
            .ok()
            .and_then(|word| self.0.get(word))
            .is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    fn set(&mut self, bit: u64) {
        if let Some(word) = usize::try_from(bit / 64).ok().and_then(|word| self.0.get_mut(word)) {
            *word |= 1 << (bit % 64);
        }
    }
}
