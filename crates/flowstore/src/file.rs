//! One file of a store: records in, the bytes of a Parquet file out.
//!
//! Texts and small numbers are dictionaries, moments are differences, pages are compressed by Snappy. Statistics of row groups and
//! dictionaries let a reader pass over what cannot answer it. It must not know where the bytes go.

use std::sync::LazyLock;

use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder},
    },
    schema::types::ColumnPath,
};

use crate::{
    columns::{self, CHUNK_ROWS},
    limits::ROW_GROUP_RECORDS,
    record::Record,
    schema::{self, COLUMNS, Holds, REPLACES_KEY, VERSION, VERSION_KEY},
};

/// Bytes of the dictionary of one column of a row group: beyond, values stand for themselves. A reader that groups by a column
/// counts keys of dictionaries, which is many times faster than texts.
const DICTIONARY_BYTES: usize = 8 << 20;
/// The same for numbers, of which many are different.
const NUMBERS_BYTES: usize = 256 << 10;

/// The bytes of a file of these records, which stands in the place of some others.
pub(crate) fn of(records: &[Record], replaces: &[&str]) -> Result<Vec<u8>, ParquetError> {
    let mut writer = ArrowWriter::try_new(Vec::new(), schema::arrow(), Some(properties().clone()))?;
    if !replaces.is_empty() {
        writer.append_key_value_metadata(KeyValue::new(REPLACES_KEY.to_owned(), replaces.join("\n")));
    }
    for chunk in records.chunks(CHUNK_ROWS) {
        writer.write(&columns::of(chunk))?;
    }
    writer.into_inner()
}

fn properties() -> &'static WriterProperties {
    static PROPERTIES: LazyLock<WriterProperties> = LazyLock::new(|| {
        let version = KeyValue::new(VERSION_KEY.to_owned(), VERSION.to_owned());
        let all = WriterProperties::builder()
            .set_created_by(concat!("palisade ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(vec![version]))
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_max_row_group_row_count(Some(ROW_GROUP_RECORDS))
            .set_write_batch_size(CHUNK_ROWS)
            .set_dictionary_page_size_limit(DICTIONARY_BYTES);
        COLUMNS.iter().fold(all, encoded).build()
    });
    &PROPERTIES
}

fn encoded(properties: WriterPropertiesBuilder, column: &schema::Column) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(column.name);
    match column.holds {
        Holds::Moment => properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
        Holds::Count => properties.set_column_dictionary_page_size_limit(path, NUMBERS_BYTES),
        Holds::Text | Holds::Number | Holds::Flag => properties,
    }
}
