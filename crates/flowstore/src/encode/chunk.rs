//! One column of a row group as it is written: its pages, one after the other, and the dictionary that goes before them.
//!
//! Pages are of version 2, each compressed by Snappy only where that makes it a good deal smaller: packed bits do not shrink, and who reads
//! them has nothing to undo. It must not know what the values mean.

use bytes::Bytes;
use parquet::{
    basic::{Compression, Encoding, PageType},
    column::{
        page::{CompressedPage, Page, PageWriteSpec, PageWriter},
        writer::ColumnCloseResult,
    },
    errors::{ParquetError, Result},
    file::{
        metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats},
        statistics::Statistics,
        writer::{SerializedPageWriter, TrackedWrite},
    },
    schema::types::ColumnDescPtr,
};
use snap::raw::Encoder;

use super::bits;

/// The pages of a column.
pub(super) struct Chunk {
    pages: TrackedWrite<Vec<u8>>,
    index: OffsetIndexBuilder,
    is_optional: bool,
    rows: u64,
    nulls: u64,
    /// Bytes before compression.
    plain_bytes: u64,
    /// Pages by how their values are encoded.
    encoded: Vec<PageEncodingStats>,
    snappy: Encoder,
}

/// A dictionary whose entries stand one after the other.
pub(super) struct Entries {
    pub(super) bytes: Vec<u8>,
    pub(super) count: usize,
}

/// Which rows of a page have a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Presence<'p> {
    /// So many rows, and all of them.
    All(usize),
    /// So many rows, and none of them.
    None(usize),
    /// Those with a 1, not those with a 0; so many have one.
    Some(&'p [u32], usize),
}

impl<'p> Presence<'p> {
    /// Of rows of which so many have a value.
    pub(crate) const fn of(levels: &'p [u32], values: usize) -> Self {
        match values {
            0 => Self::None(levels.len()),
            _ if values == levels.len() => Self::All(values),
            _ => Self::Some(levels, values),
        }
    }

    const fn rows(self) -> usize {
        match self {
            Self::All(rows) | Self::None(rows) => rows,
            Self::Some(levels, _) => levels.len(),
        }
    }

    const fn nulls(self) -> usize {
        match self {
            Self::All(_) => 0,
            Self::None(rows) => rows,
            Self::Some(levels, values) => levels.len() - values,
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::All(rows) => bits::run(out, 1, rows, 1),
            Self::None(rows) => bits::run(out, 0, rows, 1),
            Self::Some(levels, _) => bits::hybrid(out, levels, 1),
        }
    }
}

impl Chunk {
    pub(super) fn new(is_optional: bool) -> Self {
        Self {
            pages: TrackedWrite::new(Vec::new()),
            index: OffsetIndexBuilder::new(),
            is_optional,
            rows: 0,
            nulls: 0,
            plain_bytes: 0,
            encoded: Vec::new(),
            snappy: Encoder::new(),
        }
    }

    /// Adds a page of these rows.
    ///
    /// # Errors
    /// If it is larger than a page may be.
    pub(super) fn add(&mut self, presence: Presence<'_>, encoding: Encoding, values: &[u8]) -> Result<()> {
        let (rows, nulls) = (presence.rows(), presence.nulls());
        let mut body = Vec::with_capacity(values.len() + 16);
        if self.is_optional {
            presence.write(&mut body);
        }
        let levels = body.len();
        let packed =
            self.snappy.compress_vec(values).map_err(|error| ParquetError::External(error.into()))?;
        let is_compressed = packed.len() < values.len() - values.len() / 8;
        body.extend_from_slice(if is_compressed { &packed } else { values });
        let page = Page::DataPageV2 {
            buf: body.into(),
            num_values: count(rows)?,
            encoding,
            num_nulls: count(nulls)?,
            num_rows: count(rows)?,
            def_levels_byte_len: count(levels)?,
            rep_levels_byte_len: 0,
            is_compressed,
            statistics: None,
        };
        let written = self.write(page, levels + values.len(), encoding)?;
        self.index.append_row_count(rows as i64);
        self.index.append_offset_and_size(
            written.offset.cast_signed(),
            count(written.compressed_size)?.cast_signed(),
        );
        self.rows += rows as u64;
        self.nulls += nulls as u64;
        Ok(())
    }

    fn write(&mut self, page: Page, plain_bytes: usize, encoding: Encoding) -> Result<PageWriteSpec> {
        let page_type = page.page_type();
        let page = CompressedPage::new(page, plain_bytes);
        let written = SerializedPageWriter::new(&mut self.pages).write_page(page)?;
        self.plain_bytes += written.uncompressed_size as u64;
        let is_same =
            |known: &&mut PageEncodingStats| known.page_type == page_type && known.encoding == encoding;
        match self.encoded.iter_mut().find(is_same) {
            Some(known) => known.count += 1,
            None => self.encoded.push(PageEncodingStats { page_type, encoding, count: 1 }),
        }
        Ok(written)
    }

    /// Rows without a value so far.
    pub(super) const fn nulls(&self) -> u64 {
        self.nulls
    }

    /// The column's bytes, the dictionary first, and what a row group says of it.
    ///
    /// # Errors
    /// If the dictionary is larger than a page may be.
    pub(super) fn close(
        mut self,
        column: ColumnDescPtr,
        entries: Option<Entries>,
        statistics: Statistics,
    ) -> Result<(Bytes, ColumnCloseResult)> {
        let mut all = Vec::new();
        if let Some(Entries { bytes, count: entries }) = entries {
            let data = std::mem::replace(&mut self.pages, TrackedWrite::new(Vec::new()));
            let packed =
                self.snappy.compress_vec(&bytes).map_err(|error| ParquetError::External(error.into()))?;
            let buf = packed.into();
            let (num_values, encoding) = (count(entries)?, Encoding::PLAIN);
            self.write(
                Page::DictionaryPage { buf, num_values, encoding, is_sorted: false },
                bytes.len(),
                encoding,
            )?;
            all = std::mem::replace(&mut self.pages, data).into_inner()?;
        }
        let dictionary_bytes = all.len();
        all.append(&mut self.pages.into_inner()?);
        let mut encodings: Vec<Encoding> = self.encoded.iter().map(|pages| pages.encoding).collect();
        encodings.push(Encoding::RLE);
        self.encoded.sort_by_key(|pages| pages.page_type != PageType::DICTIONARY_PAGE);
        let metadata = ColumnChunkMetaData::builder(column)
            .set_compression(Compression::SNAPPY)
            .set_encodings(encodings)
            .set_page_encoding_stats(self.encoded)
            .set_total_compressed_size(all.len() as i64)
            .set_total_uncompressed_size(self.plain_bytes.cast_signed())
            .set_num_values(self.rows.cast_signed())
            .set_statistics(statistics)
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: all.len() as u64,
            rows_written: self.rows,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(self.index.build()),
        };
        Ok((all.into(), close.update_dictionary_location(dictionary_bytes)?))
    }
}

fn count(number: usize) -> Result<u32> {
    match i32::try_from(number) {
        Ok(number) => Ok(number.cast_unsigned()),
        Err(_) => {
            Err(ParquetError::General(format!("a page has {number} bytes or values, more than {}", i32::MAX)))
        }
    }
}
