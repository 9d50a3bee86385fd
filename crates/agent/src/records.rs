//! Flow records for a server: made of what the kernel tells, all the time, and kept until the server has them.
//!
//! The loop fills a batch ([`Recorder`]); a full one, or one that is a second old, goes to a thread that writes it to the
//! [`Spool`] on disk, and from there over the connection ([`Outbox`]). Nobody waits for the step after his own: where one is
//! too slow the oldest records are lost, and their number becomes a record. Invariants: what was acknowledged is durable at the
//! server; what was spooled and not acknowledged is sent again; a batch that is torn is never read.
//!
//! Reference: docs/adr/0032-flow-records-are-spooled.md.

mod encoder;
mod outbox;
mod recorder;
mod segment;
mod spool;

pub use encoder::Encoder;
pub use outbox::Outbox;
pub use recorder::Recorder;
pub use spool::{Cursor, SEGMENT_BYTES, SPOOL_BYTES, Spool};

/// Records were lost because the kernel's ring was full, or one NIC caused too many.
pub(crate) const BY_KERNEL: &str = "kernel";
/// Records were lost because they came faster than the disk takes them.
const BY_MEMORY: &str = "memory";
/// Records were lost because the spool was full, or the disk did not take them.
const BY_SPOOL: &str = "spool";
