//! One file of a store: records in, the bytes of a Parquet file out.
//!
//! Texts and small numbers are dictionaries, moments are differences, and Snappy packs what it makes smaller. Statistics of row groups and
//! dictionaries let a reader pass over what cannot answer it. It must not know where the bytes go.

use std::sync::{Arc, LazyLock};

use parquet::{
    arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{WriterProperties, WriterPropertiesPtr, WriterVersion},
        writer::SerializedFileWriter,
    },
    schema::types::SchemaDescriptor,
};

use crate::{
    columns::{PAGE_ROWS, RowGroup},
    limits::{DICTIONARY_BYTES, ROW_GROUP_RECORDS},
    record::Record,
    schema::{self, REPLACES_KEY, VERSION, VERSION_KEY},
};

/// The bytes of a file of these records, which stands in the place of some others.
pub(crate) fn of(records: &[Record], replaces: &[&str]) -> Result<Vec<u8>, ParquetError> {
    static SHAPE: LazyLock<(SchemaDescriptor, WriterPropertiesPtr)> = LazyLock::new(shape);
    let (schema, properties) = &*SHAPE;
    let mut writer = SerializedFileWriter::new(Vec::new(), schema.root_schema_ptr(), properties.clone())?;
    if !replaces.is_empty() {
        writer.append_key_value_metadata(KeyValue::new(REPLACES_KEY.to_owned(), replaces.join("\n")));
    }
    let mut pages = records.chunks(PAGE_ROWS).peekable();
    while pages.peek().is_some() {
        let mut group = RowGroup::new();
        while group.rows() < ROW_GROUP_RECORDS
            && group.dictionary_bytes() < DICTIONARY_BYTES
            && let Some(page) = pages.next()
        {
            group.add(page)?;
        }
        let mut open = writer.next_row_group()?;
        for column in group.close(schema.columns()) {
            let (bytes, close) = column?;
            open.append_column(&bytes, close)?;
        }
        open.close()?;
    }
    writer.into_inner()
}

/// The schema and what else stands in each file.
fn shape() -> (SchemaDescriptor, WriterPropertiesPtr) {
    let arrow = schema::arrow();
    let version = KeyValue::new(VERSION_KEY.to_owned(), VERSION.to_owned());
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by(concat!("palisade ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(vec![version]))
        .build();
    add_encoded_arrow_schema_to_metadata(&arrow, &mut properties);
    let schema = ArrowSchemaConverter::new().convert(&arrow).expect("every column has a type in Parquet");
    (schema, Arc::new(properties))
}
