//! How much a log may be. A limit that is reached is an error that names it.

/// Limits of one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files.
    pub files: u64,
    /// Bytes of all files together, compressed ones unpacked.
    pub bytes: u64,
    /// Flow tuples and lines of all files together.
    pub flows: u64,
    /// Different origins: interfaces by rules.
    pub origins: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { files: 100_000, bytes: 1 << 38, flows: 1 << 31, origins: 1 << 20 }
    }
}

/// Problems that are kept in words; all are counted.
pub const PROBLEMS_KEPT: usize = 100;
/// How much larger a compressed file may become: logs shrink to a twentieth, and what shrinks more was made to.
pub const UNPACKED_RATIO_MAX: u64 = 200;
/// Bytes to which any compressed file may be unpacked, however small it is.
pub const UNPACKED_ALWAYS: u64 = 1 << 24;
/// Longest text in a log, in bytes.
pub const STRING_MAX: usize = 1 << 16;
/// Bytes of a line that are passed over to come to the next one, where a record cannot be read.
pub const LINE_SKIPPED_MAX: usize = 1 << 26;
/// How deep values may be nested.
pub const DEPTH_MAX: usize = 32;
/// Flows of Palisade's hosts whose counters are remembered at a time.
pub const RUNNING_MAX: usize = 1 << 20;
/// Largest file of connections, in bytes: it is held in memory.
pub const CONNECTION_FILE_MAX: u64 = 1 << 31;
/// Connections of one file.
pub const CONNECTIONS_MAX: usize = 8_000_000;
