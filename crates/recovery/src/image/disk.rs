//! An image as a disk whose file systems are read.

use std::{cell::RefCell, collections::BTreeMap, error::Error as _};

use palisade_guest::disk::Disk;

use super::{Image, ImageError};

/// Bytes of an image that are read at once, and how many such pieces are kept: file systems ask for a few bytes here and there, again and again.
const PIECE: u64 = 1 << 14;
const PIECE_LENGTH: usize = PIECE as usize;
const PIECES: u64 = 8_192;

/// An image, of one layer or several.
#[derive(Debug)]
pub struct ImageDisk {
    image: Image,
    /// Pieces by the last part of their number.
    kept: RefCell<BTreeMap<u64, (u64, Vec<u8>)>>,
}

impl ImageDisk {
    /// An image as a disk.
    pub const fn new(image: Image) -> Self {
        Self { image, kept: RefCell::new(BTreeMap::new()) }
    }

    /// Fills a buffer from one piece.
    fn read_piece(&self, number: u64, from: usize, into: &mut [u8]) -> Result<(), String> {
        let mut kept = self.kept.borrow_mut();
        let place = number % PIECES;
        if kept.get(&place).is_none_or(|(own, _)| *own != number) {
            let length = (self.image.size() - number * PIECE).min(PIECE);
            let mut bytes = vec![0; usize::try_from(length).expect("a piece is small")];
            let read = self.image.read(&mut bytes, number * PIECE);
            read.map_err(|error| told(&error))?;
            kept.insert(place, (number, bytes));
        }
        into.copy_from_slice(&kept[&place].1[from..from + into.len()]);
        Ok(())
    }
}

impl Disk for ImageDisk {
    fn size(&self) -> u64 {
        self.image.size()
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> Result<(), String> {
        let end = place.checked_add(into.len() as u64).filter(|end| *end <= self.image.size());
        end.ok_or_else(|| format!("byte {place} is beyond the end of the disk"))?;
        let mut done = 0;
        while done < into.len() {
            let at = place + done as u64;
            let from = at % PIECE;
            let pieces = (into.len() - done) / PIECE_LENGTH;
            if from == 0 && pieces > 0 {
                // Whole pieces are of files, which are read once.
                let part = &mut into[done..done + pieces * PIECE_LENGTH];
                self.image.read(part, at).map_err(|error| told(&error))?;
                done += part.len();
                continue;
            }
            let count = usize::try_from(PIECE - from).expect("a piece is small").min(into.len() - done);
            let from = usize::try_from(from).expect("a piece is small");
            self.read_piece(at / PIECE, from, &mut into[done..done + count])?;
            done += count;
        }
        Ok(())
    }
}

/// An error with its cause.
fn told(error: &ImageError) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
