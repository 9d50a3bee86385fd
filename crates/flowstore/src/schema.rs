//! The columns of the store: names, types and what may be missing. `docs/flows.md` says what they mean.
//!
//! Types are those that DuckDB and Spark read without being told anything: signed integers, text, booleans, moments in UTC. Texts are
//! dictionaries in memory, as they are in the files. Files with other columns are
//! refused; whoever changes a column here changes [`VERSION`] and reads both.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Number of the schema, in each file's metadata.
pub const VERSION: &str = "1";
/// Key of [`VERSION`] in a file's metadata.
pub const VERSION_KEY: &str = "palisade.schema";
/// Key of the list of files whose records a file holds, after compaction.
pub const REPLACES_KEY: &str = "palisade.replaces";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A moment, in milliseconds.
    Moment,
    /// A text.
    Text,
    /// A number of 32 bits.
    Number,
    /// A number of 64 bits.
    Count,
    /// Yes or no.
    Flag,
}

impl Holds {
    /// Its type in memory.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Moment => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Self::Text => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Self::Number => DataType::Int32,
            Self::Count => DataType::Int64,
            Self::Flag => DataType::Boolean,
        }
    }
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Whether a record may have nothing in it.
    pub is_optional: bool,
}

const fn must(name: &'static str, holds: Holds) -> Column {
    Column { name, holds, is_optional: false }
}

const fn may(name: &'static str, holds: Holds) -> Column {
    Column { name, holds, is_optional: true }
}

/// Every column, in the order of the files.
pub const COLUMNS: [Column; 44] = [
    must("time", Holds::Moment),
    must("kind", Holds::Text),
    may("began", Holds::Moment),
    may("last", Holds::Moment),
    must("direction", Holds::Text),
    must("protocol", Holds::Number),
    must("local_address", Holds::Text),
    must("local_port", Holds::Number),
    must("remote_address", Holds::Text),
    must("remote_port", Holds::Number),
    may("icmp_type", Holds::Number),
    may("icmp_code", Holds::Number),
    may("packets_to_destination", Holds::Count),
    may("bytes_to_destination", Holds::Count),
    may("packets_to_source", Holds::Count),
    may("bytes_to_source", Holds::Count),
    may("flow_packets_to_destination", Holds::Count),
    may("flow_bytes_to_destination", Holds::Count),
    may("flow_packets_to_source", Holds::Count),
    may("flow_bytes_to_source", Holds::Count),
    may("tcp_flags_to_destination", Holds::Number),
    may("tcp_flags_to_source", Holds::Number),
    may("generation", Holds::Count),
    may("audited", Holds::Flag),
    may("midstream", Holds::Flag),
    must("format", Holds::Text),
    may("nic", Holds::Text),
    may("nic_id", Holds::Text),
    may("interface", Holds::Text),
    may("slot", Holds::Count),
    may("mac", Holds::Text),
    may("resource", Holds::Text),
    may("layer", Holds::Text),
    may("nsg", Holds::Text),
    may("rule", Holds::Text),
    may("rules", Holds::Text),
    may("reason", Holds::Text),
    may("cause", Holds::Text),
    may("state", Holds::Text),
    may("encryption", Holds::Text),
    may("log", Holds::Text),
    may("log_list", Holds::Number),
    may("log_place", Holds::Number),
    may("log_tuple", Holds::Text),
];

/// The column of this name.
pub fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

/// The place of the column of this name.
pub(crate) fn place(name: &str) -> Option<usize> {
    COLUMNS.iter().position(|column| column.name == name)
}

/// All columns as Arrow knows them.
pub(crate) fn arrow() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let field = |column: &Column| Field::new(column.name, column.holds.data_type(), column.is_optional);
        Arc::new(Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>()))
    });
    SCHEMA.clone()
}
