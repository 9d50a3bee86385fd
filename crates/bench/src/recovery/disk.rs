//! A qcow2 disk of a wanted shape, written without a tool: runs of data that nothing compresses, holes between them.
//!
//! Clusters have 64 KiB. Header, reference counts and both levels of tables come first, then the data in the order of the guest. Reference: QEMU,
//! docs/interop/qcow2.txt.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use palisade_classify::generate::Random;
use palisade_recovery::image::{Format, MAGIC};

/// Bytes of a cluster.
pub(super) const CLUSTER: u64 = 1 << 16;
/// Clusters of data that stand beside each other: 1 MiB, as a file system writes.
const RUN: u64 = 16;
/// Entries of a table, and of a block of reference counts.
const ENTRIES: u64 = CLUSTER / 8;
const COUNTS: u64 = CLUSTER / 2;
/// The bit of an entry that says that nothing else refers to its cluster.
const COPIED: u64 = 1 << 63;
const VERSION: u32 = 3;
const HEADER_LENGTH: u32 = 104;
const FORMAT_EXTENSION: u32 = 0xe279_2aca;

/// What a disk holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Bytes that a guest sees.
    pub size: u64,
    /// Bytes of data among them.
    pub data: u64,
    /// Where its data comes from.
    pub seed: u64,
}

impl Shape {
    /// Writes the disk; what it does not hold is read from `backing`, a file of the same folder.
    pub(super) fn write(self, path: &Path, backing: Option<(&str, Format)>) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let plan = Plan::of(self);
        padded(&mut out, &self.header(&plan, backing))?;
        let blocks: Vec<u64> = (0..plan.count_blocks).map(|block| (2 + block) * CLUSTER).collect();
        padded(&mut out, &big_endian(blocks))?;
        let counts: Vec<u8> = (0..plan.first_data + self.clusters()).flat_map(|_| [0, 1]).collect();
        padded(&mut out, &counts)?;
        let tables = (0..plan.tables).map(|table| COPIED | ((plan.first_table + table) * CLUSTER));
        padded(&mut out, &big_endian(tables))?;
        let mut entries = vec![0; (plan.tables * ENTRIES) as usize];
        for cluster in 0..self.clusters() {
            entries[(self.guest(cluster) / CLUSTER) as usize] =
                COPIED | ((plan.first_data + cluster) * CLUSTER);
        }
        padded(&mut out, &big_endian(entries))?;
        noise(&mut out, self.data, self.seed)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    /// Where the guest sees what stands at an offset of the file; nothing if that is no data.
    pub(super) fn seen_at(self, offset: u64) -> Option<u64> {
        let data = offset.checked_sub(Plan::of(self).first_data * CLUSTER)?;
        Some(self.guest(data / CLUSTER) + data % CLUSTER)
    }

    const fn clusters(self) -> u64 {
        self.data / CLUSTER
    }

    /// Where in the disk a cluster of data is.
    const fn guest(self, cluster: u64) -> u64 {
        let stride = self.size / self.data * RUN;
        (cluster / RUN * stride + cluster % RUN) * CLUSTER
    }

    fn header(self, plan: &Plan, backing: Option<(&str, Format)>) -> Vec<u8> {
        // Behind the header: the format of the backing file, the end of the extensions, the name.
        let name_at = backing.map_or(0, |_| u64::from(HEADER_LENGTH) + 24);
        let name_length = backing.map_or(0, |(name, _)| name.len() as u32);
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_be_bytes());
        bytes.extend(name_at.to_be_bytes());
        bytes.extend(name_length.to_be_bytes());
        bytes.extend(CLUSTER.ilog2().to_be_bytes());
        bytes.extend(self.size.to_be_bytes());
        bytes.extend(0_u32.to_be_bytes());
        bytes.extend((plan.tables as u32).to_be_bytes());
        bytes.extend(((plan.first_table - 1) * CLUSTER).to_be_bytes());
        bytes.extend(CLUSTER.to_be_bytes());
        bytes.extend(1_u32.to_be_bytes());
        // No snapshots, no features; counts of 16 bits.
        bytes.resize(96, 0);
        bytes.extend(4_u32.to_be_bytes());
        bytes.extend(HEADER_LENGTH.to_be_bytes());
        if let Some((name, format)) = backing {
            bytes.extend(FORMAT_EXTENSION.to_be_bytes());
            bytes.extend((format.name().len() as u32).to_be_bytes());
            bytes.extend(format.name().as_bytes());
            bytes.resize(name_at as usize, 0);
            bytes.extend(name.as_bytes());
        }
        bytes
    }
}

/// Where what stands in the file, in clusters.
struct Plan {
    count_blocks: u64,
    tables: u64,
    first_table: u64,
    first_data: u64,
}

impl Plan {
    fn of(shape: Shape) -> Self {
        let tables = shape.size.div_ceil(CLUSTER * ENTRIES);
        // Header, table of counts and first table; blocks of counts count themselves too.
        let others = 3 + tables + shape.clusters();
        let count_blocks = (others + others.div_ceil(COUNTS) + 1).div_ceil(COUNTS);
        let first_table = 3 + count_blocks;
        Self { count_blocks, tables, first_table, first_data: first_table + tables }
    }
}

/// Writes so many bytes of noise.
pub(super) fn noise(out: &mut impl Write, bytes: u64, seed: u64) -> io::Result<()> {
    let mut random = Random::new(seed);
    (0..bytes / 8).try_for_each(|_| out.write_all(&random.next().to_le_bytes()))
}

/// Writes bytes, and zeros up to the end of the cluster.
fn padded(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    let missing = bytes.len().next_multiple_of(CLUSTER as usize) - bytes.len();
    out.write_all(&vec![0; missing])
}

fn big_endian(numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
    numbers.into_iter().flat_map(u64::to_be_bytes).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use palisade_recovery::image::{Image, Place};

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_guest_sees_the_data_where_it_should() {
        let folder = Scratch::make(&std::env::temp_dir()).unwrap();
        let at = |name: &str| folder.path().join(name);
        let shape = Shape { size: 1 << 30, data: 4 << 20, seed: 1 };
        std::fs::write(at("below.raw"), [7; 512]).unwrap();
        File::options().write(true).open(at("below.raw")).unwrap().set_len(shape.size).unwrap();
        shape.write(&at("disk.qcow2"), Some(("below.raw", Format::Raw))).unwrap();
        shape.write(&at("alone.qcow2"), None).unwrap();
        let file = File::open(at("disk.qcow2")).unwrap();
        for name in ["disk.qcow2", "alone.qcow2"] {
            let image = Image::open(&Place::new(at(name), Format::Qcow2)).unwrap();
            let length = file.metadata().unwrap().len();
            let mut seen = 0;
            for offset in (0..length).step_by(CLUSTER as usize) {
                let Some(guest) = shape.seen_at(offset) else { continue };
                let (mut stored, mut read) = ([0; 64], [0; 64]);
                file.read_exact_at(&mut stored, offset).unwrap();
                image.read(&mut read, guest).unwrap();
                assert_eq!(stored, read, "{name} at {offset}");
                seen += CLUSTER;
            }
            assert_eq!(seen, shape.data);
        }
    }
}
