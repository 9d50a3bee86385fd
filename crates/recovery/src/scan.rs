//! Makes trees of what a guest reads, and of what else is in the files.
//!
//! A disk's content tree is over what the guest sees. It says nothing of tables, of leaked clusters and of layers that others cover; these are in
//! a tree of each file, which leaves out what the content tree has. Together they cover every byte of every file. Blocks are hashed on
//! as many threads as there are processors.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    image::{Image, ImageError, Layer},
    merkle::{BLOCK, Hash, Tree, TreeError, leaf},
};

/// Bytes that a thread takes at once.
const PORTION: u64 = 16 << 20;
const BLOCK_BYTES: usize = BLOCK as usize;
static ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];

/// Told how many bytes of data more have been hashed; from several threads.
pub type Progress<'p> = &'p (dyn Fn(u64) + Sync);

/// Why a tree could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The image failed.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// More than is kept track of.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// The tree of what a guest reads.
///
/// # Errors
/// The image's, or more than a tree holds.
pub fn content(image: &Image, progress: Progress<'_>) -> Result<Tree, ScanError> {
    over(image.size(), progress, &|from, to| {
        let mut blocks = Blocks::default();
        let mut at = from;
        while at < to {
            let (alike, is_zero) = image.extent(at, to - at)?;
            if !is_zero {
                blocks.take(at, at + alike);
            }
            at += alike;
        }
        blocks.hash(
            |buffer, offset| {
                let length = (image.size() - offset).min(BLOCK);
                image.read(&mut buffer[..length as usize], offset).map(|()| length)
            },
            progress,
        )
    })
}

/// The tree of what a file of a disk has beside guest data. `is_covered` says that another layer is above it, so that nothing of it need be
/// in the content tree.
///
/// # Errors
/// The file's, or more than a tree holds.
pub fn rest(layer: &Layer, is_covered: bool, progress: Progress<'_>) -> Result<Tree, ScanError> {
    let is_elsewhere = |from: u64, to: u64| {
        !is_covered && layer.survey.as_ref().is_none_or(|survey| survey.is_data(from, to.min(layer.length)))
    };
    over(layer.length, progress, &|from, to| {
        let mut blocks = Blocks::default();
        let mut at = from;
        while at < to {
            let (alike, is_hole) = layer.hole(at, to - at)?;
            if !is_hole {
                blocks.take(at, at + alike);
            }
            at += alike;
        }
        blocks.0.retain(|&block| !is_elsewhere(block * BLOCK, (block + 1) * BLOCK));
        let failed = |source| ImageError::Io { path: layer.path.clone(), source };
        blocks.hash(|buffer, offset| read_up_to(layer.file(), buffer, offset).map_err(failed), progress)
    })
}

/// Compares the blocks of a file that a tree has with the file, whatever the file is by now; the numbers of those that differ.
///
/// # Errors
/// The file's.
pub fn differing(file: &File, tree: &Tree) -> io::Result<Vec<u64>> {
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut differing = Vec::new();
    for (block, hash) in tree.leaves() {
        let length = read_up_to(file, &mut buffer, block * BLOCK)?;
        buffer[length as usize..].fill(0);
        if leaf(&buffer) != *hash {
            differing.push(*block);
        }
    }
    Ok(differing)
}

/// Fills a buffer as far as the file goes.
fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<u64> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled as u64)
}

/// Numbers of blocks that have data, in order.
#[derive(Default)]
struct Blocks(Vec<u64>);

impl Blocks {
    fn take(&mut self, from: u64, to: u64) {
        let next = self.0.last().map_or(0, |last| last + 1);
        self.0.extend((from / BLOCK).max(next)..to.div_ceil(BLOCK));
    }

    /// Reads and hashes them; `read` says how many bytes of the buffer it filled.
    fn hash(
        &self,
        read: impl Fn(&mut [u8], u64) -> Result<u64, ImageError>,
        progress: Progress<'_>,
    ) -> Result<Vec<(u64, Hash)>, ImageError> {
        let mut buffer = vec![0; BLOCK_BYTES];
        let mut leaves = Vec::with_capacity(self.0.len());
        for &block in &self.0 {
            let length = read(&mut buffer, block * BLOCK)?;
            buffer[length as usize..].fill(0);
            if buffer[..] != ZEROS[..] {
                leaves.push((block, leaf(&buffer)));
            }
        }
        progress(self.0.len() as u64 * BLOCK);
        Ok(leaves)
    }
}

type Portion = Vec<(u64, Hash)>;

/// Lets threads take portions of a disk until there are none.
fn over(
    size: u64,
    progress: Progress<'_>,
    portion: &(dyn Fn(u64, u64) -> Result<Portion, ImageError> + Sync),
) -> Result<Tree, ScanError> {
    progress(0);
    let next = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let done: Mutex<Result<Vec<(u64, Portion)>, ImageError>> = Mutex::new(Ok(Vec::new()));
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let from = next.fetch_add(PORTION, Ordering::Relaxed);
            if from >= size {
                return;
            }
            let result = portion(from, (from + PORTION).min(size));
            let mut done = done.lock().expect("nobody panics with it");
            match (result, &mut *done) {
                (Ok(leaves), Ok(all)) if !leaves.is_empty() => all.push((from, leaves)),
                (Err(error), Ok(_)) => {
                    failed.store(true, Ordering::Relaxed);
                    *done = Err(error);
                }
                _ => {}
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let mut all = done.into_inner().expect("nobody panics with it")?;
    all.sort_unstable_by_key(|&(from, _)| from);
    Ok(Tree::new(size, all.into_iter().flat_map(|(_, leaves)| leaves).collect())?)
}
