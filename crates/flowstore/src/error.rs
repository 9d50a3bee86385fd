//! Why a store could not do what it was asked.

use crate::record::Unkept;

/// What went wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An address that is none.
    #[error("the store \"{given}\" {problem} (give a folder, s3://BUCKET/PATH or az://CONTAINER/PATH)")]
    Address {
        /// What was given.
        given: String,
        /// What is wrong with it.
        problem: String,
    },
    /// What the store is kept in failed.
    #[error("{what} in the store {store}")]
    Storage {
        /// The store's address.
        store: String,
        /// What was tried.
        what: String,
        /// Why it failed.
        source: Box<object_store::Error>,
    },
    /// A file of the store is not one of ours, or is broken.
    #[error("the file {file} of the store cannot be {what}")]
    File {
        /// Its path in the store.
        file: String,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: Box<parquet::errors::ParquetError>,
    },
    /// A file has other columns than ours, or other values in them.
    #[error(
        "the file {file} of the store {problem} (it was not written by this program; take it out of the store)"
    )]
    Foreign {
        /// Its path in the store.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A record that no column can hold.
    #[error("a record cannot be kept: {0}")]
    Record(#[from] Unkept),
    /// A limit was reached.
    #[error("there are more than {max} {what} ({remedy})")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: u64,
        /// What to do.
        remedy: &'static str,
    },
    /// The runtime that waits for storage cannot be started.
    #[error("cannot start the thread that waits for storage")]
    Runtime(#[source] std::io::Error),
}

impl StoreError {
    /// Whether the question was wrong, and not the storage.
    pub const fn is_input(&self) -> bool {
        matches!(self, Self::Address { .. } | Self::Record(_) | Self::TooMuch { .. })
    }

    /// Whether a file is gone that was there when files were listed: it was compacted, or is too old.
    pub(crate) fn is_gone(&self) -> bool {
        let Self::Storage { source, .. } = self else { return false };
        matches!(**source, object_store::Error::NotFound { .. })
    }

    pub(crate) fn file(file: &str, what: &'static str, source: parquet::errors::ParquetError) -> Self {
        Self::File { file: file.to_owned(), what, source: Box::new(source) }
    }
}
