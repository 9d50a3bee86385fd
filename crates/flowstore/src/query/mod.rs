//! Questions about a store: which records, grouped how, and what they come to.

mod filter;
mod groups;
mod open;
mod question;
mod read;
mod scan;
mod sums;
mod texts;

pub use filter::{Filter, NIC, Term, Test};
pub use groups::Value;
pub use question::{Answer, Group, Key, Measure, Question, ask};
pub use read::records;
pub use scan::Scanned;

pub(crate) use open::OpenFile;
pub(crate) use read::records_of as read_whole;
pub(crate) use scan::open_all;
