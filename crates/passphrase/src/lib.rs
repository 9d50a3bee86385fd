//! How hard a passphrase is to guess, and passphrases that are.
//!
//! Strength is the number of guesses of somebody who knows what people choose: words, names, dates, rows of keys, and
//! what letters are replaced by. It must not keep a passphrase, print one that it was given, or choose without randomness
//! that it is given. What is kept here is wiped when it is dropped; the estimator's own copies are not.
//! Reference: Wheeler, zxcvbn, USENIX Security 2016.

mod generate;
mod strength;

pub use generate::{GenerateError, Generated, SEPARATOR, WORDS, generate};
pub use strength::{LENGTH_MAX, Needed, Strength, strength};
