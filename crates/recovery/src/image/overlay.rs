//! Writes an empty qcow2 overlay: a header, reference counts for the few clusters there are, and a first table of zeros.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::Path,
};

use super::{Format, MAGIC};
use crate::files::sync_folder;

const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Bytes of the disk that an entry of the first table stands for.
const REACH: u64 = CLUSTER * CLUSTER / 8;
const HEADER_LENGTH: u32 = 104;

/// Writes an overlay of `size` bytes for the file `name` of its own folder, durable before this returns. A file that is there is replaced.
///
/// # Errors
/// The file system's.
pub fn write_overlay(path: &Path, size: u64, name: &str, format: Format) -> io::Result<()> {
    let entries = size.div_ceil(REACH);
    let first_table = (entries * 8).div_ceil(CLUSTER).max(1);
    // The header, the table of counts, a block of counts, the first table.
    let clusters = 3 + first_table;
    let mut bytes = header(size, name, format, u32::try_from(entries).map_err(io::Error::other)?);
    bytes.resize(CLUSTER as usize, 0);
    bytes.extend((2 * CLUSTER).to_be_bytes());
    bytes.resize(2 * CLUSTER as usize, 0);
    (0..clusters).for_each(|_| bytes.extend(1_u16.to_be_bytes()));
    bytes.resize((clusters * CLUSTER) as usize, 0);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    sync_folder(path)
}

fn header(size: u64, name: &str, format: Format, entries: u32) -> Vec<u8> {
    let format = format.name().as_bytes();
    let extension = 8 + format.len().next_multiple_of(8);
    let name_at = u64::from(HEADER_LENGTH) + extension as u64 + 8;
    let mut bytes = MAGIC.to_vec();
    bytes.extend(3_u32.to_be_bytes());
    bytes.extend(name_at.to_be_bytes());
    bytes.extend((name.len() as u32).to_be_bytes());
    bytes.extend(CLUSTER_BITS.to_be_bytes());
    bytes.extend(size.to_be_bytes());
    bytes.extend(0_u32.to_be_bytes());
    bytes.extend(entries.to_be_bytes());
    bytes.extend((3 * CLUSTER).to_be_bytes());
    bytes.extend(CLUSTER.to_be_bytes());
    bytes.extend(1_u32.to_be_bytes());
    // No snapshots, no features; counts of 16 bits.
    bytes.resize(96, 0);
    bytes.extend(4_u32.to_be_bytes());
    bytes.extend(HEADER_LENGTH.to_be_bytes());
    bytes.extend(0xe279_2aca_u32.to_be_bytes());
    bytes.extend((format.len() as u32).to_be_bytes());
    bytes.extend(format);
    // The end of the extensions is eight bytes of zeros.
    bytes.resize(name_at as usize, 0);
    bytes.extend(name.as_bytes());
    bytes
}
