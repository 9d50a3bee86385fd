//! Records from and to the formats of others: Azure's flow logs, and the lines of our own hosts.

mod azure;
mod export;
mod import;
mod line;
mod names;
mod running;
mod tuple;

pub use export::{ExportError, Exported, Shape, export};
pub use import::{ImportError, Imported, import};
