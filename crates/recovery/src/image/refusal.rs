//! Why an image is not read through: every attack on the image itself, by its name.

use thiserror::Error;

/// What is wrong with an image. Offsets are bytes of its file.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Said to be qcow2, and is not.
    #[error("it does not begin as qcow2 does (name its format: raw)")]
    NotQcow2,
    /// A raw disk whose guest wrote the beginning of another format into it.
    #[error("it begins as qcow2 does but its name says raw (say which it is: raw:PATH or qcow2:PATH)")]
    Ambiguous,
    /// A format that nobody named.
    #[error("its name does not tell its format (say it: raw:PATH or qcow2:PATH)")]
    UnknownFormat,
    /// A version from the future or the past.
    #[error("qcow2 version {version} is not read (convert it with qemu-img convert -O qcow2)")]
    Version {
        /// The version.
        version: u32,
    },
    /// Clusters of a size that the format does not have.
    #[error("clusters of 2^{bits} bytes: the format has 2^9 to 2^21")]
    ClusterBits {
        /// Power of two.
        bits: u32,
    },
    /// A structure that ends after its file or cluster.
    #[error("what should be at offset {offset} is not in the file")]
    Truncated {
        /// Where.
        offset: u64,
    },
    /// A header that overlaps what follows.
    #[error("a header of {length} bytes is none that the format has")]
    HeaderLength {
        /// Said length.
        length: usize,
    },
    /// An extension that runs out of the header.
    #[error("the header extension at offset {offset} runs out of the header")]
    Extension {
        /// Where it begins.
        offset: u64,
    },
    /// A disk of no size, of a broken one, or of one that nobody has.
    #[error("a disk of {size} bytes: wanted are a multiple of 512, at least one, and at most {max}")]
    VirtualSize {
        /// Said size.
        size: u64,
        /// Limit.
        max: u64,
    },
    /// A header that was resized without its tables.
    #[error("the first table has {entries} entries, the disk needs {needed} (the header was resized)")]
    FirstTableShort {
        /// Entries there are.
        entries: u64,
        /// Entries needed.
        needed: u64,
    },
    /// A table of a size that would only eat memory.
    #[error("the {table} has {bytes} bytes: wanted are at least 1 and at most {max}")]
    TableSize {
        /// Which table.
        table: &'static str,
        /// Its bytes.
        bytes: u64,
        /// Limit.
        max: u64,
    },
    /// Reference counts of a width that the format does not have.
    #[error("reference counts of 2^{order} bits: the format has at most 64 bits")]
    RefcountOrder {
        /// Power of two.
        order: u32,
    },
    /// Guest data in another file, which may be any file of the host.
    #[error("its data is in an external file (convert it with qemu-img convert -O qcow2)")]
    ExternalDataFile,
    /// Marked by QEMU as damaged.
    #[error("it is marked corrupt (repair a copy with qemu-img check -r all)")]
    Corrupt,
    /// Its reference counts were not written.
    #[error("it was not closed (stop the machine, or run qemu-img check -r leaks)")]
    Dirty,
    /// Clusters that are compressed in another way than with zlib.
    #[error("its clusters are compressed with zstd (convert it with qemu-img convert -O qcow2)")]
    Compression,
    /// Parts of clusters that are allocated one by one.
    #[error("it has extended table entries (convert it with qemu-img convert -O qcow2)")]
    ExtendedEntries,
    /// Features that one must know to read the image.
    #[error("it needs features that are not known: {bits:#x}")]
    UnknownFeatures {
        /// The bits of the header.
        bits: u64,
    },
    /// Data that cannot be read without a secret.
    #[error("it is encrypted (method {method}); only what can be read can be proven")]
    Encrypted {
        /// 1 AES, 2 LUKS.
        method: u32,
    },
    /// States inside the file that a revert would keep.
    #[error("it holds {count} internal snapshots (delete them with qemu-img snapshot -d, or convert it)")]
    Snapshots {
        /// How many.
        count: u32,
    },
    /// A name with bytes that do not belong into one.
    #[error("its backing file has no name that can be read")]
    BackingName,
    /// A backing file that is somewhere else, or something else than a file.
    #[error(
        "its backing file {name:?} {why} (only a plain relative name below the folder of the disk is followed)"
    )]
    BackingPath {
        /// As the header names it.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A backing file whose format one would have to guess.
    #[error(
        "its backing file {name:?} has the format {format:?}: wanted is raw or qcow2 (qemu-img rebase -u -F names it)"
    )]
    BackingFormat {
        /// As the header names it.
        name: String,
        /// As the header names it, or nothing.
        format: String,
    },
    /// More layers than anybody needs.
    #[error("more than {max} layers")]
    TooManyLayers {
        /// Limit.
        max: usize,
    },
    /// A layer that stands on itself.
    #[error("its layers stand on each other in a circle")]
    Circle,
    /// Layers that are not of one disk.
    #[error("the disk has {top} bytes and the layer below it {below} (the header was resized)")]
    LayerSizes {
        /// Size of the upper layer.
        top: u64,
        /// Size of the one below.
        below: u64,
    },
    /// Something that is no file.
    #[error("it is not a regular file")]
    NotAFile,
    /// A file of more clusters than are kept track of.
    #[error("its file has {clusters} clusters, more than {max} (convert it to clusters of 64 KiB)")]
    FileTooLarge {
        /// Clusters of the file.
        clusters: u64,
        /// Limit.
        max: u64,
    },
    /// A table or cluster that does not begin where one can.
    #[error("the entry at offset {entry} names {target:#x}, which is no cluster of the file")]
    Target {
        /// Where the entry is.
        entry: u64,
        /// What it names.
        target: u64,
    },
    /// Bits that the format keeps at zero.
    #[error("the entry at offset {entry} has reserved bits: {value:#018x}")]
    Reserved {
        /// Where the entry is.
        entry: u64,
        /// Its value.
        value: u64,
    },
    /// A cluster that two owners have: what the guest writes here changes there.
    #[error("the entry at offset {entry} names the cluster at {target:#x}, which something else has too")]
    Overlap {
        /// Where the entry is.
        entry: u64,
        /// The cluster.
        target: u64,
    },
    /// A small file that unfolds into a large disk.
    #[error("its tables unfold into more than {max} bytes of data (a sparse bomb)")]
    Bomb {
        /// Limit.
        max: u64,
    },
}
