//! Inodes: what is known of a file beside its name.

use super::{
    inline,
    numbers::{both, le16, le32},
    sum::{crc32c, crc32c_without},
    superblock::Superblock,
};
use crate::disk::{Kind, Status};

/// Bytes in which an inode says where its data is, or has them.
pub(super) const ROOM: usize = 60;
/// Bytes that every inode has; what is behind tells how long it is.
const OLD_SIZE: usize = 128;

/// What is set of a file.
mod flag {
    pub(super) const ENCRYPTED: u32 = 0x800;
    pub(super) const INDEXED: u32 = 0x1000;
    pub(super) const EXTENTS: u32 = 0x8_0000;
    pub(super) const INLINE: u32 = 0x1000_0000;
    pub(super) const FOLDED: u32 = 0x4000_0000;
}

pub(super) struct Inode {
    pub(super) number: u32,
    pub(super) kind: Kind,
    /// Bytes of it.
    pub(super) size: u64,
    /// Where its data is.
    pub(super) room: [u8; ROOM],
    /// Its data, if they are in the inode.
    pub(super) inline: Option<Vec<u8>>,
    /// With what sums of its metadata begin, if there are sums.
    pub(super) seed: Option<u32>,
    mode: u16,
    flags: u32,
    owner: (u32, u32),
    modified: i128,
}

impl Inode {
    /// Reads what stands in the table of inodes.
    pub(super) fn read(number: u32, bytes: &[u8], system: &Superblock) -> Result<Self, String> {
        let seed = system.seed.map(|seed| {
            let of_number = crc32c(seed, &number.to_le_bytes());
            crc32c(of_number, &bytes[0x64..0x68])
        });
        if seed.is_some_and(|seed| !has_right_sum(bytes, seed)) {
            return Err(format!("the sum of inode {number} is wrong"));
        }
        let mode = le16(bytes, 0x00);
        let kind = match mode >> 12 {
            0x8 => Kind::File,
            0x4 => Kind::Folder,
            0xa => Kind::Link,
            0x1 | 0x2 | 0x6 | 0xc => Kind::Other,
            other => return Err(format!("inode {number} is of kind {other:#x}, which there is not")),
        };
        // Elsewhere the upper half is something else.
        let is_long = kind == Kind::File || (kind == Kind::Folder && system.has_large_folders());
        let size = both(le32(bytes, 0x04), if is_long { le32(bytes, 0x6c) } else { 0 });
        let flags = le32(bytes, 0x20);
        let room: [u8; ROOM] = bytes[0x28..0x28 + ROOM].try_into().expect("it is as long");
        let inline = if flags & flag::INLINE == 0 {
            None
        } else {
            let behind = &bytes[(OLD_SIZE + extra(bytes)).min(bytes.len())..];
            Some(inline::data(&room, behind, size).map_err(|why| format!("inode {number}: {why}"))?)
        };
        let id = |low: usize, high: usize| u32::from(le16(bytes, low)) | u32::from(le16(bytes, high)) << 16;
        let owner = (id(0x02, 0x78), id(0x18, 0x7a));
        Ok(Self { number, kind, size, room, inline, seed, mode, flags, owner, modified: modified(bytes) })
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Whether the room is the root of a tree of extents, and not a list of blocks.
    pub(super) fn has_extents(&self) -> bool {
        self.has(flag::EXTENTS)
    }

    /// Whether what is stored is not what was written: contents, names and where links lead.
    pub(super) fn is_encrypted(&self) -> bool {
        self.has(flag::ENCRYPTED)
    }

    /// Whether its first block is the root of a tree of names.
    pub(super) fn is_indexed(&self) -> bool {
        self.has(flag::INDEXED)
    }

    /// Whether its names are found without regard to case.
    pub(super) fn is_folded(&self) -> bool {
        self.has(flag::FOLDED)
    }

    /// What it holds, if that is in the inode: data, or where a short link leads, which stands in the room.
    pub(super) fn inside(&self) -> Option<&[u8]> {
        let is_short = self.kind == Kind::Link && self.size < ROOM as u64;
        let room = || is_short.then(|| &self.room[..usize::try_from(self.size).expect("it is short")]);
        self.inline.as_deref().or_else(room)
    }

    /// Permissions.
    pub(super) fn permissions(&self) -> u32 {
        u32::from(self.mode & 0o7777)
    }

    /// Number of the owner.
    pub(super) const fn owner(&self) -> u32 {
        self.owner.0
    }

    /// What is told of it.
    pub(super) fn status(&self) -> Status {
        Status {
            kind: self.kind,
            size: if self.kind == Kind::Folder { 0 } else { self.size },
            mode: Some(self.permissions()),
            owner: Some(self.owner),
            modified: Some(self.modified),
        }
    }
}

/// Bytes behind the old ones that have a meaning.
fn extra(bytes: &[u8]) -> usize {
    if bytes.len() > OLD_SIZE { usize::from(le16(bytes, OLD_SIZE)) } else { 0 }
}

/// Whether a number that stands up to there has a meaning.
fn reaches(bytes: &[u8], end: usize) -> bool {
    end <= bytes.len() && end <= OLD_SIZE + extra(bytes)
}

/// Half of the sum stands where every inode has a place for it.
fn has_right_sum(bytes: &[u8], seed: u32) -> bool {
    let (old, new) = bytes.split_at(OLD_SIZE);
    let sum = crc32c_without(seed, old, 0x7c..0x7e);
    let low = u32::from(le16(bytes, 0x7c));
    if reaches(bytes, 0x84) {
        crc32c_without(sum, new, 2..4) == low | u32::from(le16(bytes, 0x82)) << 16
    } else {
        crc32c(sum, new) & 0xffff == low
    }
}

/// When it was written: seconds with a sign, and behind the old bytes two bits more of them, and nanoseconds.
fn modified(bytes: &[u8]) -> i128 {
    let seconds = i128::from(le32(bytes, 0x10).cast_signed());
    let more = if reaches(bytes, 0x8c) { le32(bytes, 0x88) } else { 0 };
    (seconds + (i128::from(more & 3) << 32)) * 1_000_000_000 + i128::from(more >> 2)
}
