//! Columns as they are in a Parquet file.
//!
//! The writer of the `parquet` crate takes every value of every column through a hash of its bytes. Here a text that many records share is
//! hashed once, an address as a number, and a page of equal values is a run; what comes out is the same format, and files are put together
//! by that crate. A column is given page by page and closed. It must not know what a record is.

mod bits;
mod chunk;
mod numbers;
mod texts;

pub(crate) use self::{
    chunk::Presence,
    numbers::{Flags, Numbers},
    texts::{NONE, Texts},
};
