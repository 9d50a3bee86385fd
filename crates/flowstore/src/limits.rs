//! How much a store and its readers may hold. A limit that is reached is an error that names it, or a counted loss.

/// Records of one row group: what a reader skips or reads as one.
pub const ROW_GROUP_RECORDS: usize = 1 << 20;
/// Bytes of the largest dictionary of a row group: beyond, the next row group begins.
pub const DICTIONARY_BYTES: usize = 32 << 20;
/// Records that a writer holds at most before it writes them: about 250 bytes each.
pub const OPEN_RECORDS_MAX: usize = 1 << 19;
/// Records of one file after compaction; files that have as many are left alone.
pub const FILE_RECORDS: u64 = 1 << 20;
/// Files of one store that a reader lists at most.
pub const FILES_MAX: u64 = 1 << 20;
/// Different groups of an answer.
pub const ANSWER_GROUPS_MAX: usize = 1 << 24;
/// Records of one hour, or of one selection in Azure's formats, that an export sorts in memory.
pub const EXPORT_RECORDS_MAX: u64 = 1 << 23;
/// Bytes of an answer of S3 or Azure Blob.
pub const ANSWER_BYTES_MAX: u64 = 1 << 32;
