//! ext2, ext3 and ext4, read only. References: Linux, `Documentation/filesystems/ext4`; compared with `mkfs.ext4`, `debugfs` and the crate `ext4-view`.
//!
//! A reader of ours: `ext4-view` 1.0.0 finds a file by its path only, and reads the folders on the way to it again each time, so that an audit of
//! 20,000 accounts took more than a minute. Here a folder is read once, its names are found by halving, and a comparison goes by the numbers of inodes.
//! A journal that was not replayed is read with the file system ([`journal`]); sums of metadata are checked where there are some. Features that
//! are not known are refused by name. Every number is checked against the file system; nothing that is kept has no limit.

mod blocks;
mod folder;
mod inline;
mod inode;
mod journal;
mod kept;
mod map;
mod numbers;
mod resolve;
mod sum;
mod superblock;

use std::{cell::RefCell, rc::Rc};

use super::{
    Disk,
    partitions::Partition,
    tree::{self, Handle, Kind, Listed, Tree},
};
use crate::{Files, FilesError, Meta, NAMES_MAX};
use blocks::Blocks;
use folder::{FOLDER_MAX, Folder};
use inode::Inode;
use kept::Kept;
use map::Run;
use numbers::{both, le16, le32};
use superblock::Superblock;

/// The number of the first folder.
const ROOT: u32 = 2;
/// Bytes of folders that are kept.
const FOLDERS_MAX: usize = 1 << 26;
/// Tables of inodes whose place is kept.
const TABLES_MAX: usize = 1 << 16;
/// Bytes of a file that are read at once.
const PIECE: u64 = 1 << 17;

/// A file system.
pub(super) struct Ext4 {
    superblock: Superblock,
    blocks: Blocks,
    folders: RefCell<Kept<u32, Rc<Folder>>>,
    tables: RefCell<Kept<u32, u64>>,
}

impl Ext4 {
    pub(super) fn open(disk: Rc<dyn Disk>, partition: &Partition) -> Result<Self, String> {
        let mut bytes = [0; superblock::SIZE];
        partition.read_at(disk.as_ref(), superblock::PLACE, &mut bytes)?;
        let superblock = Superblock::read(&bytes, partition.length())?;
        let blocks = Blocks::new(disk, partition.clone(), &superblock);
        let mut system = Self::new(superblock, blocks);
        if system.superblock.is_dirty() {
            system = system.replayed()?;
        }
        match system.inode(ROOT)?.kind {
            Kind::Folder => Ok(system),
            kind => Err(format!("its first folder is a {}", kind.name())),
        }
    }

    fn new(superblock: Superblock, blocks: Blocks) -> Self {
        let (folders, tables) = (Kept::new(FOLDERS_MAX), Kept::new(TABLES_MAX));
        Self { superblock, blocks, folders: RefCell::new(folders), tables: RefCell::new(tables) }
    }

    /// The same as its journal says that it is; the superblock may stand there too.
    fn replayed(self) -> Result<Self, String> {
        if self.superblock.journal == 0 {
            return Err(
                "its journal, which has the newest of it, is on another disk (run e2fsck where both are)"
                    .to_owned(),
            );
        }
        let journal = self.inode(self.superblock.journal).map_err(|why| format!("its journal: {why}"))?;
        let newest = journal::replayed(&self.blocks, &journal)?;
        let blocks = self.blocks.with(newest);
        let (number, within) =
            (superblock::PLACE / blocks.size as u64, superblock::PLACE as usize % blocks.size);
        let block = blocks.block(number)?;
        let bytes = block[within..].first_chunk().ok_or("its superblock is wrong")?;
        let superblock = Superblock::read(bytes, blocks.partition_length())?;
        if superblock.block != blocks.size || superblock.blocks != blocks.count {
            return Err("its journal has a superblock of another size".to_owned());
        }
        Ok(Self::new(superblock, blocks))
    }

    fn inode(&self, number: u32) -> Result<Inode, String> {
        let system = &self.superblock;
        if number == 0 || number > system.inodes {
            return Err(format!("there is no inode {number}"));
        }
        let (group, index) = ((number - 1) / system.inodes_per_group, (number - 1) % system.inodes_per_group);
        let place = index as usize * system.inode;
        let block = self.table(group)?.saturating_add((place / system.block) as u64);
        let bytes = self.blocks.block(block)?;
        Inode::read(number, &bytes[place % system.block..][..system.inode], system)
    }

    /// The first block of the inodes of a group.
    fn table(&self, group: u32) -> Result<u64, String> {
        if let Some(table) = self.tables.borrow_mut().get(group) {
            return Ok(table);
        }
        let system = &self.superblock;
        let (block, within) = system.description(group.into());
        let block = self.blocks.block(block)?;
        let bytes = &block[within..within + system.descriptor];
        if let Some(seed) = system.seed {
            let sum = sum::crc32c_without(sum::crc32c(seed, &group.to_le_bytes()), bytes, 0x1e..0x20);
            if sum & 0xffff != u32::from(le16(bytes, 0x1e)) {
                return Err(format!("the sum of group {group} is wrong"));
            }
        }
        let high = if bytes.len() > 32 { le32(bytes, 0x28) } else { 0 };
        let table = both(le32(bytes, 0x08), high);
        self.tables.borrow_mut().keep(group, table, 1);
        Ok(table)
    }

    /// The folder that an inode is.
    fn folder(&self, number: u32) -> Result<Rc<Folder>, String> {
        let kept = self.folders.borrow_mut().get(number);
        kept.map_or_else(|| self.read_folder(&self.inode(number)?), Ok)
    }

    fn read_folder(&self, inode: &Inode) -> Result<Rc<Folder>, String> {
        if inode.kind != Kind::Folder {
            return Err(format!("inode {} is no folder", inode.number));
        }
        let bytes = self.bytes(inode, FOLDER_MAX)?;
        let folder = Folder::read(inode, &bytes, self.superblock.block)?;
        let folder = Rc::new(folder);
        self.folders.borrow_mut().keep(inode.number, Rc::clone(&folder), folder.weight());
        Ok(folder)
    }

    /// All that an inode holds.
    fn bytes(&self, inode: &Inode, max: u64) -> Result<Vec<u8>, String> {
        if inode.size > max {
            return Err(format!("inode {}: it has more than {max} bytes", inode.number));
        }
        if let Some(bytes) = inode.inside() {
            return Ok(bytes.to_vec());
        }
        let mut bytes = vec![0; usize::try_from(inode.size).map_err(|error| error.to_string())?];
        let place = |block: u64| block.saturating_mul(self.superblock.block as u64).min(inode.size);
        let place = |block: u64| usize::try_from(place(block)).expect("it is below the size");
        let mut take = |run: Run| {
            let part = place(run.first)..place(run.first + run.length);
            if let Some(from) = run.place.filter(|_| !part.is_empty()) {
                self.blocks.read(from, &mut bytes[part.clone()])?;
            }
            Ok(part.end < bytes.len())
        };
        map::runs(&self.blocks, inode, &mut take)?;
        Ok(bytes)
    }

    /// Hands on what an inode holds, until `sink` answers `false`.
    fn hand_on(&self, inode: &Inode, sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), String> {
        if let Some(bytes) = inode.inside() {
            sink(bytes);
            return Ok(());
        }
        let size = inode.size;
        let block = self.superblock.block as u64;
        let mut buffer = vec![0; usize::try_from(size.min(PIECE)).expect("a piece is small")];
        let mut done = 0;
        let mut wants_more = true;
        // Up to a place: of the disk from a block on, or zeros.
        let mut pass = |from: Option<u64>, until: u64| {
            let start = done;
            while wants_more && done < until {
                let piece = &mut buffer[..usize::try_from((until - done).min(PIECE)).expect("it is small")];
                match from {
                    Some(place) => self.blocks.read(place.saturating_add((done - start) / block), piece)?,
                    None => piece.fill(0),
                }
                done += piece.len() as u64;
                wants_more = sink(piece);
            }
            Ok::<bool, String>(wants_more && done < size)
        };
        let mut take = |run: Run| {
            let (start, end) =
                (run.first.saturating_mul(block), (run.first + run.length).saturating_mul(block));
            Ok(pass(None, start.min(size))? && pass(run.place, end.min(size))?)
        };
        map::runs(&self.blocks, inode, &mut take)?;
        pass(None, size).map(drop)
    }
}

impl Files for Ext4 {
    fn read(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, FilesError> {
        let bad = |why: String| FilesError::new(path, why);
        let Some(inode) = self.resolve(path.as_bytes()).map_err(bad)? else { return Ok(None) };
        if inode.kind != Kind::File {
            return Err(bad("it is no file".to_owned()));
        }
        if inode.is_encrypted() {
            return Err(bad("it is encrypted".to_owned()));
        }
        if inode.size > max as u64 {
            return Err(bad(format!("it has more than {max} bytes")));
        }
        self.bytes(&inode, max as u64).map(Some).map_err(bad)
    }

    fn names(&self, path: &str) -> Result<Vec<String>, FilesError> {
        let bad = |why: String| FilesError::new(path, why);
        let Some(inode) = self.resolve(path.as_bytes()).map_err(bad)? else { return Ok(Vec::new()) };
        if inode.kind != Kind::Folder {
            return Ok(Vec::new());
        }
        let folder = self.folder(inode.number).map_err(bad)?;
        if folder.is_encrypted {
            return Err(bad("its names are encrypted".to_owned()));
        }
        if folder.len() > NAMES_MAX {
            return Err(bad(format!("it has more than {NAMES_MAX} names")));
        }
        Ok(folder.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect())
    }

    fn meta(&self, path: &str) -> Result<Option<Meta>, FilesError> {
        let found = self.resolve(path.as_bytes()).map_err(|why| FilesError::new(path, why))?;
        Ok(found.map(|inode| Meta {
            is_folder: inode.kind == Kind::Folder,
            mode: Some(inode.permissions()),
            owner: Some(inode.owner()),
        }))
    }
}

/// A handle is the number of an inode.
fn handle(number: u32) -> Handle {
    Handle(number.to_le_bytes().to_vec())
}

fn meant(handle: &Handle) -> Result<u32, String> {
    handle.0.first_chunk().map(|number| u32::from_le_bytes(*number)).ok_or_else(|| "it is no file".to_owned())
}

impl Tree for Ext4 {
    fn root(&self) -> Handle {
        handle(ROOT)
    }

    fn list(&self, folder: &Handle) -> Result<Vec<Listed>, String> {
        let folder = self.folder(meant(folder)?)?;
        tree::bounded(folder.len())?;
        let listed = folder.iter().map(|(name, number)| Listed {
            name: tree::escaped(name),
            handle: handle(number),
            status: self.inode(number).map(|inode| inode.status()),
        });
        Ok(listed.collect())
    }

    fn contents(&self, file: &Handle, sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), String> {
        self.hand_on(&self.inode(meant(file)?)?, sink)
    }
}
