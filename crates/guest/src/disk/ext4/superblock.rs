//! The superblock: how large everything is and where, and which features a file system has. What is not known here is refused by name.

use super::{
    numbers::{both, le16, le32},
    sum::crc32c,
};

/// Where it stands on the partition, and its bytes.
pub(super) const PLACE: u64 = 1_024;
pub(super) const SIZE: usize = 1_024;

/// Features that change what is written, and whether they are known here.
const FEATURES: [(u32, &str, bool); 16] = [
    (0x1, "compression", false),
    (0x2, "filetype", true),
    (0x4, "needs_recovery", true),
    (0x8, "journal_dev", false),
    (0x10, "meta_bg", true),
    (0x40, "extent", true),
    (0x80, "64bit", true),
    (0x100, "mmp", true),
    (0x200, "flex_bg", true),
    (0x400, "ea_inode", true),
    (0x1000, "dirdata", false),
    (0x2000, "metadata_csum_seed", true),
    (0x4000, "large_dir", true),
    (0x8000, "inline_data", true),
    (0x1_0000, "encrypt", true),
    (0x2_0000, "casefold", true),
];

/// What the reader asks for, of features that change what is written.
mod incompatible {
    pub(super) const RECOVER: u32 = 0x4;
    pub(super) const META_GROUPS: u32 = 0x10;
    pub(super) const WIDE: u32 = 0x80;
    pub(super) const SEED: u32 = 0x2000;
    pub(super) const LARGE_FOLDERS: u32 = 0x4000;
}

/// Of the others: copies of the superblock in few groups, in two, and sums of metadata.
const SPARSE: u32 = 0x1;
const SPARSE_TWO: u32 = 0x200;
const METADATA_SUMS: u32 = 0x400;

/// What a superblock says, checked.
#[derive(Debug, Clone)]
pub(super) struct Superblock {
    /// Bytes of a block.
    pub(super) block: usize,
    /// Blocks.
    pub(super) blocks: u64,
    /// Inodes; their numbers begin with 1.
    pub(super) inodes: u32,
    pub(super) inodes_per_group: u32,
    /// Bytes of an inode, and of the description of a group.
    pub(super) inode: usize,
    pub(super) descriptor: usize,
    /// With what sums of metadata begin; `None` if there are none.
    pub(super) seed: Option<u32>,
    /// The inode of the journal; 0 if it is elsewhere.
    pub(super) journal: u32,
    first_block: u64,
    blocks_per_group: u64,
    first_meta_group: u64,
    backups: [u64; 2],
    compatible: u32,
    incompatible: u32,
    read_only: u32,
}

impl Superblock {
    /// Reads it, for a partition of so many bytes.
    pub(super) fn read(bytes: &[u8; SIZE], partition: u64) -> Result<Self, String> {
        let word = |at: usize| le32(bytes, at);
        // The first revision had no features, and inodes of one size.
        let is_old = word(0x4c) == 0;
        let feature = |at: usize| if is_old { 0 } else { word(at) };
        let (compatible, incompatible, read_only) = (feature(0x5c), feature(0x60), feature(0x64));
        refuse(incompatible)?;
        let is_wide = incompatible & incompatible::WIDE != 0;
        let descriptor = if is_wide { usize::from(le16(bytes, 0xfe)) } else { 32 };
        let system = Self {
            block: 1 << (10 + word(0x18).min(7)),
            blocks: both(word(0x04), if is_wide { word(0x150) } else { 0 }),
            inodes: word(0x00),
            inodes_per_group: word(0x28),
            inode: if is_old { 128 } else { usize::from(le16(bytes, 0x58)) },
            descriptor,
            seed: seed(bytes, incompatible, read_only)?,
            journal: word(0xe0),
            first_block: word(0x14).into(),
            blocks_per_group: word(0x20).into(),
            first_meta_group: word(0x104).into(),
            backups: [word(0x24c).into(), word(0x250).into()],
            compatible,
            incompatible,
            read_only,
        };
        system.check(is_wide, partition)?;
        Ok(system)
    }

    fn check(&self, is_wide: bool, partition: u64) -> Result<(), String> {
        let is_sound = self.block <= 1 << 16
            && self.first_block <= 1
            && self.blocks > self.first_block
            && self.blocks_per_group > 0
            && self.inodes_per_group > 0
            && u64::from(self.inodes) <= self.groups().saturating_mul(self.inodes_per_group.into())
            && self.inode.is_power_of_two()
            && (128..=self.block).contains(&self.inode)
            && (!is_wide || (self.descriptor.is_power_of_two() && (64..=1_024).contains(&self.descriptor)))
            && (!self.has(incompatible::META_GROUPS) || self.first_meta_group <= self.descriptions());
        if !is_sound {
            return Err("its superblock is wrong".to_owned());
        }
        match self.blocks.checked_mul(self.block as u64) {
            Some(size) if size <= partition => Ok(()),
            _ => Err(format!(
                "it says that it has {} blocks of {} bytes, which is more than there is",
                self.blocks, self.block
            )),
        }
    }

    fn has(&self, feature: u32) -> bool {
        self.incompatible & feature != 0
    }

    /// Whether what stands in the journal is newer than what stands elsewhere.
    pub(super) fn is_dirty(&self) -> bool {
        self.has(incompatible::RECOVER)
    }

    /// Whether folders may have more than 4 GiB.
    pub(super) fn has_large_folders(&self) -> bool {
        self.has(incompatible::LARGE_FOLDERS)
    }

    pub(super) fn groups(&self) -> u64 {
        (self.blocks - self.first_block).div_ceil(self.blocks_per_group)
    }

    /// Blocks in which groups are described.
    fn descriptions(&self) -> u64 {
        self.groups().div_ceil((self.block / self.descriptor) as u64)
    }

    /// The block in which a group is described, and the place in it.
    pub(super) fn description(&self, group: u64) -> (u64, usize) {
        let in_one = (self.block / self.descriptor) as u64;
        let (table, within) = (group / in_one, (group % in_one) as usize * self.descriptor);
        let own = PLACE / self.block as u64;
        if !self.has(incompatible::META_GROUPS) || table < self.first_meta_group {
            return (own + table + 1, within);
        }
        // Each piece of the table stands in the first of the groups that it describes, behind a copy of the superblock.
        let first = table.saturating_mul(in_one);
        let is_beside_own = own == 1 && table == 0 && self.first_block == 0;
        let copies = u64::from(self.has_copy(first)) + u64::from(is_beside_own);
        (self.first_block + first.saturating_mul(self.blocks_per_group) + copies, within)
    }

    /// Whether a group begins with a copy of the superblock.
    fn has_copy(&self, group: u64) -> bool {
        let is_power = |base: u64| {
            let mut power = base;
            while power < group {
                power = power.saturating_mul(base);
            }
            power == group
        };
        match group {
            0 => true,
            _ if self.compatible & SPARSE_TWO != 0 => self.backups.contains(&group),
            1 => true,
            _ => self.read_only & SPARSE == 0 || [3, 5, 7].into_iter().any(is_power),
        }
    }
}

/// Refuses features that are not known, by name.
fn refuse(incompatible: u32) -> Result<(), String> {
    let known = FEATURES.iter().filter(|(_, _, is_known)| *is_known);
    let rest = known.fold(incompatible, |rest, (bit, _, _)| rest & !bit);
    if rest == 0 {
        return Ok(());
    }
    let named = FEATURES.iter().filter(|(bit, _, _)| rest & bit != 0);
    let unnamed = named.clone().fold(rest, |rest, (bit, _, _)| rest & !bit);
    let mut names: Vec<String> = named.map(|(_, name, _)| (*name).to_owned()).collect();
    if unnamed != 0 {
        names.push(format!("{unnamed:#x}"));
    }
    Err(format!("it has features that are not read: {}", names.join(", ")))
}

/// With what sums begin, if there are any; that of the superblock itself is checked.
fn seed(bytes: &[u8; SIZE], incompatible: u32, read_only: u32) -> Result<Option<u32>, String> {
    const CRC32C: u8 = 1;
    if read_only & METADATA_SUMS == 0 {
        return Ok(None);
    }
    if bytes[0x175] != CRC32C {
        return Err(format!("its sums are of kind {}, which is not known", bytes[0x175]));
    }
    if crc32c(!0, &bytes[..0x3fc]) != le32(bytes, 0x3fc) {
        return Err("the sum of its superblock is wrong".to_owned());
    }
    let is_told = incompatible & incompatible::SEED != 0;
    Ok(Some(if is_told { le32(bytes, 0x270) } else { crc32c(!0, &bytes[0x68..0x78]) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_features_are_named() {
        assert_eq!(refuse(0x3_e7d6), Ok(()));
        let refused = refuse(0x8000_1009).unwrap_err();
        assert!(refused.ends_with("compression, journal_dev, dirdata, 0x80000000"), "{refused}");
    }
}
