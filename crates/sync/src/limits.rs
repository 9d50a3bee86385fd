//! How much one side takes from the other.
//!
//! Both sides hold them: a sender that respects them is never cut off by a receiver that does.

/// Documents of one host.
pub const DOCUMENTS_MAX: usize = 100_000;
/// Bytes of all documents of one host together.
pub const TOTAL_BYTES_MAX: usize = 512 << 20;
/// Bytes of one document. A list of all service tags is the largest there is.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 20;
/// Bytes of a document's key.
pub const KEY_BYTES_MAX: usize = 2_048;
/// A sender begins another [`crate::Change`] once one has so many bytes.
pub const CHANGE_BYTES: usize = 1 << 20;
/// Bytes of one message: a change that is not full yet, and the largest document.
pub const MESSAGE_BYTES_MAX: usize = CHANGE_BYTES + DOCUMENT_BYTES_MAX + (1 << 20);
/// Records of one [`crate::FlowBatch`].
pub const FLOW_RECORDS_MAX: usize = 16_384;
/// Different shapes of one [`crate::FlowBatch`].
pub const FLOW_SHAPES_MAX: usize = 4_096;
/// Bytes of one [`crate::FlowBatch`].
pub const FLOW_BATCH_BYTES_MAX: usize = 8 << 20;
/// Batches that a host may have under way to its server: two a second while the storage takes its five.
pub const FLOW_WINDOW: u32 = 16;
/// Interfaces in one [`crate::Inventory`].
pub const INTERFACES_MAX: usize = 4_096;
/// NICs in one [`crate::Report`].
pub const NICS_MAX: usize = 4_096;
/// Bytes of a sentence in a report: an error, a note.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// Bytes of a [`crate::TunnelWanted`]'s id.
pub const TUNNEL_ID_BYTES: usize = 16;
/// Bytes of one message of a tunnel.
pub const TUNNEL_CHUNK_BYTES: usize = 32 << 10;
/// Messages of a tunnel that wait to be sent, each way and at each side.
pub const TUNNEL_WAITING_MAX: usize = 8;
