//! Answers compared with a reference that tries every packet, and with themselves.
//!
//! `PALISADE_CASES` multiplies how many random policies are tried.

mod answers;
mod diagrams;
mod diffs;
mod estates;
mod explain;
mod findings;
mod intents;
mod least;
mod lists;
mod matrix;
mod memos;
mod networks;
mod reaches;
mod real;
#[path = "../../../arm/tests/support/real_data.rs"]
mod real_data;
mod reference;
mod second;
mod small;
mod what_if;

/// How many cases to try, where usually `usual` are.
fn cases(usual: u64) -> u64 {
    let times =
        std::env::var("PALISADE_CASES").map_or(1, |text| text.parse().expect("PALISADE_CASES is a number"));
    usual * times
}
