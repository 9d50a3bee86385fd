//! Questions about a store: which records, grouped how, and what they come to.

mod filter;
mod groups;
mod open;
mod question;
mod scan;

pub use filter::{Filter, NIC, Term, Test};
pub use groups::Value;
pub use question::{Answer, Group, Key, Measure, Question, ask};
pub use scan::Scanned;

pub(crate) use open::OpenFile;
pub(crate) use scan::{open_all, scan};
