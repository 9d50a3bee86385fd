//! What is wrong with bytes that are not a policy blob.
//!
//! These errors mean damage or a bug, not a user's mistake: the remedy is always to compile the policy again.

/// Why bytes are not a policy blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// Fewer bytes than a header.
    #[error("policy blob of {0} bytes is shorter than its header")]
    Short(usize),
    /// The first word is another.
    #[error("policy blob starts with {0:#010x} instead of its magic number")]
    Magic(u32),
    /// Written for another layout.
    #[error("policy blob has layout version {0}, this build reads {version} (compile the policy again)", version = palisade_abi::ABI_VERSION)]
    Version(u32),
    /// The header states another size, or the size is above the limit.
    #[error("policy blob states {stated} bytes and has {actual}")]
    Size {
        /// Bytes according to the header.
        stated: u32,
        /// Bytes there are.
        actual: usize,
    },
    /// A number in a header is outside its range.
    #[error("policy blob: {what} is {value}")]
    Number {
        /// Which number.
        what: &'static str,
        /// What it is.
        value: u32,
    },
    /// A section is not inside the blob, or not aligned.
    #[error("policy blob: {what} at offset {offset} with {bytes} bytes is not an aligned part of it")]
    Section {
        /// Which section.
        what: &'static str,
        /// Where it starts.
        offset: u32,
        /// How long it is.
        bytes: usize,
    },
    /// An element of a section contradicts the rest.
    #[error("policy blob: {what} {index} is inconsistent")]
    Element {
        /// Which section.
        what: &'static str,
        /// Position in the section.
        index: usize,
    },
}
