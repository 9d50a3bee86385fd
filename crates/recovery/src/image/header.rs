//! The header of a qcow2 image, judged before a library may look at the file.
//!
//! It is written by whoever had the disk, the guest's host included. What is not understood whole is refused by name. Reference: QEMU,
//! docs/interop/qcow2.rst. All numbers of the format are big-endian.

use super::refusal::Refusal;

/// What a qcow2 image begins with.
pub const MAGIC: [u8; 4] = *b"QFI\xfb";
/// Bytes that a header, its extensions and its backing name may take: the largest cluster.
pub const HEADER_MAX: usize = 2 << 20;
/// Largest disk that is read, in bytes.
pub const VIRTUAL_SIZE_MAX: u64 = 64 << 40;
/// Bytes of the first table, as QEMU limits it.
pub const L1_BYTES_MAX: u64 = 32 << 20;
/// Bytes of the table of reference counts, as QEMU limits it.
pub const REFCOUNT_TABLE_BYTES_MAX: u64 = 8 << 20;
/// Bytes of a backing file's name, as QEMU limits it.
const BACKING_NAME_MAX: u32 = 1023;

const VERSION_2_LENGTH: usize = 72;
const VERSION_3_LENGTH: usize = 104;
const EXTENSION_END: u32 = 0;
const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;
const EXTENSION_DATA_FILE: u32 = 0x4441_5441;
const EXTENSION_ENCRYPTION: u32 = 0x0537_be77;

const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const DATA_FILE: u64 = 1 << 2;
const COMPRESSION: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;

/// What a qcow2 image says of itself, as far as it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// 2 or 3.
    pub version: u32,
    /// Bytes of the disk.
    pub size: u64,
    /// Bytes of a cluster, as a power of two.
    pub cluster_bits: u32,
    /// What the disk stands on: the name and the format.
    pub backing: Option<(String, String)>,
    /// Where the first table is.
    pub l1_offset: u64,
    /// Entries of the first table.
    pub l1_entries: u64,
    /// Where the table of reference counts is.
    pub refcount_offset: u64,
    /// Its bytes.
    pub refcount_bytes: u64,
}

impl Header {
    /// Bytes of a cluster.
    pub const fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Bytes of the disk that one entry of the first table stands for.
    pub const fn l1_reach(&self) -> u64 {
        1 << (2 * self.cluster_bits - 3)
    }

    /// Reads a header from the first bytes of a file, [`HEADER_MAX`] of them where there are so many.
    ///
    /// # Errors
    /// The first thing that is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let fields = Fields(bytes);
        if bytes.get(..4) != Some(&MAGIC) {
            return Err(Refusal::NotQcow2);
        }
        let version = fields.u32(4)?;
        let cluster_bits = fields.u32(20)?;
        if !(2..=3).contains(&version) {
            return Err(Refusal::Version { version });
        }
        if !(9..=21).contains(&cluster_bits) {
            return Err(Refusal::ClusterBits { bits: cluster_bits });
        }
        let first = &bytes[..bytes.len().min(1 << cluster_bits)];
        let fields = Fields(first);
        let length = fields.features(version)?;
        let mut header = Self {
            version,
            size: fields.u64(24)?,
            cluster_bits,
            backing: None,
            l1_offset: fields.u64(40)?,
            l1_entries: fields.u32(36)?.into(),
            refcount_offset: fields.u64(48)?,
            refcount_bytes: u64::from(fields.u32(56)?) << cluster_bits,
        };
        fields.forbidden()?;
        header.sizes()?;
        let format = fields.extensions(length)?;
        header.backing = fields.backing(format)?;
        Ok(header)
    }

    fn sizes(&self) -> Result<(), Refusal> {
        if self.size == 0 || self.size > VIRTUAL_SIZE_MAX || !self.size.is_multiple_of(512) {
            return Err(Refusal::VirtualSize { size: self.size, max: VIRTUAL_SIZE_MAX });
        }
        let needed = self.size.div_ceil(self.l1_reach());
        if self.l1_entries < needed {
            return Err(Refusal::FirstTableShort { entries: self.l1_entries, needed });
        }
        for (table, bytes, max) in [
            ("first table", self.l1_entries * 8, L1_BYTES_MAX),
            ("table of reference counts", self.refcount_bytes, REFCOUNT_TABLE_BYTES_MAX),
        ] {
            if bytes == 0 || bytes > max {
                return Err(Refusal::TableSize { table, bytes, max });
            }
        }
        Ok(())
    }
}

/// Numbers of the header by their offset.
struct Fields<'b>(&'b [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Result<[u8; N], Refusal> {
        let end = at.checked_add(N).ok_or(Refusal::Truncated { offset: at as u64 })?;
        let found = self.0.get(at..end).ok_or(Refusal::Truncated { offset: at as u64 })?;
        Ok(found.try_into().expect("the slice has this length"))
    }

    fn u32(&self, at: usize) -> Result<u32, Refusal> {
        self.bytes(at).map(u32::from_be_bytes)
    }

    fn u64(&self, at: usize) -> Result<u64, Refusal> {
        self.bytes(at).map(u64::from_be_bytes)
    }

    /// What no image of ours has, in either version.
    fn forbidden(&self) -> Result<(), Refusal> {
        match (self.u32(32)?, self.u32(60)?) {
            (0, 0) => Ok(()),
            (0, count) => Err(Refusal::Snapshots { count }),
            (method, _) => Err(Refusal::Encrypted { method }),
        }
    }

    /// Judges what version 3 adds; where the extensions begin.
    fn features(&self, version: u32) -> Result<usize, Refusal> {
        if version == 2 {
            return Ok(VERSION_2_LENGTH);
        }
        let incompatible = self.u64(72)?;
        for (bit, refusal) in [
            (DATA_FILE, Refusal::ExternalDataFile),
            (CORRUPT, Refusal::Corrupt),
            (DIRTY, Refusal::Dirty),
            (COMPRESSION, Refusal::Compression),
            (EXTENDED_L2, Refusal::ExtendedEntries),
        ] {
            if incompatible & bit != 0 {
                return Err(refusal);
            }
        }
        if incompatible != 0 {
            return Err(Refusal::UnknownFeatures { bits: incompatible });
        }
        let order = self.u32(96)?;
        if order > 6 {
            return Err(Refusal::RefcountOrder { order });
        }
        let length = self.u32(100)? as usize;
        if length < VERSION_3_LENGTH || length > self.0.len() || !length.is_multiple_of(8) {
            return Err(Refusal::HeaderLength { length });
        }
        Ok(length)
    }

    /// Goes over the extensions; the format of the backing file.
    fn extensions(&self, mut at: usize) -> Result<Option<String>, Refusal> {
        let mut format = None;
        // QEMU ends the area of extensions where the backing name begins.
        let end = match self.u64(8)? {
            0 => self.0.len(),
            name => usize::try_from(name).map_or(self.0.len(), |name| name.min(self.0.len())),
        };
        while at + 8 <= end {
            let (kind, length) = (self.u32(at)?, self.u32(at + 4)? as usize);
            let from = at + 8;
            let data = from
                .checked_add(length)
                .filter(|&to| to <= end)
                .and_then(|to| self.0.get(from..to))
                .ok_or(Refusal::Extension { offset: at as u64 })?;
            match kind {
                EXTENSION_END => break,
                EXTENSION_BACKING_FORMAT => format = Some(text(data).ok_or(Refusal::BackingName)?),
                EXTENSION_DATA_FILE => return Err(Refusal::ExternalDataFile),
                EXTENSION_ENCRYPTION => return Err(Refusal::Encrypted { method: 2 }),
                _ => {}
            }
            at = from + length.next_multiple_of(8);
        }
        Ok(format)
    }

    fn backing(&self, format: Option<String>) -> Result<Option<(String, String)>, Refusal> {
        let (offset, length) = (self.u64(8)?, self.u32(16)?);
        if offset == 0 || length == 0 {
            return Ok(None);
        }
        if length > BACKING_NAME_MAX {
            return Err(Refusal::BackingName);
        }
        let from = usize::try_from(offset).map_err(|_| Refusal::Truncated { offset })?;
        let name = from
            .checked_add(length as usize)
            .and_then(|to| self.0.get(from..to))
            .ok_or(Refusal::Truncated { offset })?;
        let name = text(name).ok_or(Refusal::BackingName)?;
        let format =
            format.ok_or_else(|| Refusal::BackingFormat { name: name.clone(), format: String::new() })?;
        Ok(Some((name, format)))
    }
}

/// A name without bytes that mean something to somebody else.
fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}
