//! Files that are read: their footers first, then only the parts that are asked for.

use std::{
    io::Cursor,
    ops::Range,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::{ParquetMetaData, ParquetMetaDataReader},
        reader::{ChunkReader, Length},
        statistics::Statistics,
    },
};

use super::filter::{Filter, Test};
use crate::{
    StoreError,
    schema::{self, COLUMNS, REPLACES_KEY},
    store::{Store, StoredFile},
};

/// Bytes at the end of a file that are read first; a footer of ours is smaller.
const TAIL_BYTES: u64 = 64 << 10;

/// A file whose footer was read.
#[derive(Debug, Clone)]
pub(crate) struct OpenFile {
    pub(crate) file: StoredFile,
    pub(crate) metadata: ArrowReaderMetadata,
}

impl OpenFile {
    pub(crate) fn read(store: &Store, file: StoredFile) -> Result<Self, StoreError> {
        let failed = |error| StoreError::file(&file.path, "read", error);
        let mut reader = ParquetMetaDataReader::new();
        let mut wanted = TAIL_BYTES.min(file.bytes);
        loop {
            let tail = store.get(&file.path, file.bytes - wanted..file.bytes)?;
            match reader.try_parse_sized(&tail, file.bytes) {
                Ok(()) => break,
                Err(ParquetError::NeedMoreData(needed))
                    if (needed as u64) > wanted && (needed as u64) <= file.bytes =>
                {
                    wanted = needed as u64;
                }
                Err(error) => return Err(failed(error)),
            }
        }
        let metadata = reader.finish().map_err(failed)?;
        let metadata = with_our_types(metadata, &file)?;
        Ok(Self { file, metadata })
    }

    pub(crate) fn parquet(&self) -> &Arc<ParquetMetaData> {
        self.metadata.metadata()
    }

    /// Records in it.
    pub(crate) fn records(&self) -> u64 {
        self.parquet().file_metadata().num_rows().cast_unsigned()
    }

    /// The files in whose place it stands.
    pub(crate) fn replaces(&self) -> impl Iterator<Item = &str> {
        let pairs = self.parquet().file_metadata().key_value_metadata();
        let found = pairs.into_iter().flatten().find(|pair| pair.key == REPLACES_KEY);
        found.and_then(|pair| pair.value.as_deref()).unwrap_or_default().lines()
    }

    /// Whether the statistics of a row group say that nothing in it passes.
    pub(crate) fn excludes(&self, group: usize, filter: &Filter) -> bool {
        let outside = |column: &str, ranges: &[(i64, i64)]| {
            let Some((least, most)) = self.bounds(group, column) else { return false };
            ranges.iter().all(|(first, last)| *last < least || *first > most)
        };
        let until = i64::try_from(filter.to_ms).unwrap_or(i64::MAX).saturating_sub(1);
        let from = i64::try_from(filter.from_ms).unwrap_or(i64::MAX);
        outside("time", &[(from, until)])
            || filter.terms.iter().any(|term| match &term.is {
                Test::Number(ranges) => term.columns.iter().all(|column| outside(column, ranges)),
                _ => false,
            })
    }

    /// Whether every record of a row group is in the time that is asked for.
    pub(crate) fn is_within(&self, group: usize, filter: &Filter) -> bool {
        self.bounds(group, "time").is_some_and(|(least, most)| {
            (filter.from_ms..filter.to_ms).contains(&least.cast_unsigned())
                && (filter.from_ms..filter.to_ms).contains(&most.cast_unsigned())
        })
    }

    /// The least and the most that a column of numbers holds in a row group.
    fn bounds(&self, group: usize, column: &str) -> Option<(i64, i64)> {
        let chunk = self.parquet().row_group(group).column(schema::place(column)?);
        match chunk.statistics()? {
            Statistics::Int32(stats) => Some(((*stats.min_opt()?).into(), (*stats.max_opt()?).into())),
            Statistics::Int64(stats) => Some((*stats.min_opt()?, *stats.max_opt()?)),
            _ => None,
        }
    }
}

/// Reads columns as ours whoever wrote them; another program may have put the files together anew.
fn with_our_types(metadata: ParquetMetaData, file: &StoredFile) -> Result<ArrowReaderMetadata, StoreError> {
    let foreign = |problem: String| StoreError::Foreign { file: file.path.clone(), problem };
    let metadata = Arc::new(metadata);
    let columns = metadata.file_metadata().schema_descr().num_columns();
    if columns != COLUMNS.len() {
        return Err(foreign(format!("has {columns} columns, not {}", COLUMNS.len())));
    }
    let options = ArrowReaderOptions::new().with_schema(schema::arrow());
    ArrowReaderMetadata::try_new(metadata, options)
        .map_err(|error| foreign(format!("has other columns: {error}")))
}

/// The bytes of the columns of one row group, fetched column by column when they are first asked for.
#[derive(Clone)]
pub(crate) struct RowGroupBytes(Arc<Parts>);

struct Parts {
    store: Store,
    path: String,
    length: u64,
    columns: Vec<(Range<u64>, OnceLock<Bytes>)>,
    failure: Mutex<Option<StoreError>>,
}

impl RowGroupBytes {
    pub(crate) fn new(store: &Store, open: &OpenFile, group: usize) -> Self {
        let chunks = open.parquet().row_group(group).columns().iter();
        let columns = chunks.map(|chunk| {
            let (start, length) = chunk.byte_range();
            (start..start + length, OnceLock::new())
        });
        let (path, length) = (open.file.path.clone(), open.file.bytes);
        let (store, columns) = (store.clone(), columns.collect());
        Self(Arc::new(Parts { store, path, length, columns, failure: Mutex::default() }))
    }

    /// Why the last column that was asked for could not be fetched, if it was the storage's fault; it is told once.
    pub(crate) fn failure(&self) -> Option<StoreError> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Bytes that were fetched.
    pub(crate) fn fetched(&self) -> u64 {
        self.0.columns.iter().filter_map(|(_, bytes)| bytes.get()).map(|bytes| bytes.len() as u64).sum()
    }

    /// What a column has from `start` on.
    fn column(&self, start: u64) -> ParquetResult<Bytes> {
        let column = self.0.columns.iter().find(|(range, _)| range.contains(&start));
        let (range, bytes) =
            column.ok_or_else(|| ParquetError::General(format!("byte {start} belongs to no column")))?;
        let whole = match bytes.get() {
            Some(whole) => whole,
            None => {
                let fetched = self.0.store.get(&self.0.path, range.clone());
                let fetched = fetched.map_err(|error| {
                    let told = ParquetError::General(error.to_string());
                    *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    told
                })?;
                bytes.get_or_init(|| fetched)
            }
        };
        Ok(whole.slice((start - range.start) as usize..))
    }
}

impl Length for RowGroupBytes {
    fn len(&self) -> u64 {
        self.0.length
    }
}

impl ChunkReader for RowGroupBytes {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(Cursor::new(self.column(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let rest = self.column(start)?;
        if rest.len() < length {
            return Err(ParquetError::EOF(format!("a column ends after {} bytes, not {length}", rest.len())));
        }
        Ok(rest.slice(..length))
    }
}
