//! The flow store: flow records as Parquet files, by day, hour and group of interfaces, in a folder, on S3 or on Azure Blob.
//!
//! [`FlowWriter`] takes records and writes files that are in view whole or not at all. Readers pass over files, row groups and pages that
//! cannot answer, and hold no more than one row group a thread. Others may read the same folder: the columns are those of
//! [`schema::COLUMNS`] and mean what `docs/flows.md` says. It must not judge a flow, and it reads no clock.

mod columns;
mod encode;
mod error;
pub mod exchange;
mod file;
mod hash;
mod http;
pub mod limits;
mod partition;
pub mod query;
mod record;
mod rows;
pub mod schema;
mod staging;
mod store;
mod text;
mod upkeep;
mod writer;

pub use error::StoreError;
pub use partition::{GROUPS, Partition, group_of};
pub use record::{Kind, Labels, ListedRule, Record, Unkept, format_named, format_word};
pub use store::{Store, StoredFile};
pub use upkeep::{Retention, Upkeep, compact, retain};
pub use writer::{FlowWriter, WriterOptions, Written};
