//! The flow store as a whole: what is written, read, asked, exchanged, compacted, and killed in between.

mod exchange;
mod pages;
#[allow(dead_code, reason = "it serves the tests of several crates")]
#[path = "../../../arm/tests/support/real_data.rs"]
mod real_data;
mod store;
mod support;
mod upkeep;
