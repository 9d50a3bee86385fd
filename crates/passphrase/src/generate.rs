//! Passphrases of words that were drawn, each as likely as any other.
//!
//! The words are BIP-39's 2,048 English ones: no two begin with the same four letters, so one that was written down badly
//! can still be read. A word is 11 bits, and since 2,048 is a power of two no draw is more likely than another.

use bip39::Language;
use zeroize::Zeroizing;

/// How many words are possible, and how many are usual: 77 bits, which no list of guesses comes near.
pub const WORDS: (std::ops::RangeInclusive<usize>, usize) = (5..=24, 7);
/// What stands between words if nothing else is asked for.
pub const SEPARATOR: &str = "-";
/// Bits of one word.
const WORD_BITS: usize = 11;

/// A passphrase that was drawn.
#[derive(Debug)]
pub struct Generated {
    /// The words; wiped when it is dropped.
    pub passphrase: Zeroizing<String>,
    /// Bits of randomness in it, whatever the separator.
    pub bits: usize,
}

/// Why none was drawn.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError<E> {
    /// Too few or too many words.
    #[error("{0} words are too few or too many (give {first} to {last})", first = WORDS.0.start(), last = WORDS.0.end())]
    Words(usize),
    /// No randomness.
    #[error("there is no randomness: {0}")]
    Random(E),
}

/// Draws so many words from randomness that `fill` gives.
///
/// # Errors
/// If the number of words is out of bounds, or there is no randomness.
pub fn generate<E>(
    words: usize,
    separator: &str,
    fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<Generated, GenerateError<E>> {
    if !WORDS.0.contains(&words) {
        return Err(GenerateError::Words(words));
    }
    let mut random = Zeroizing::new(vec![0_u8; words * 2]);
    fill(&mut random).map_err(GenerateError::Random)?;
    let list = Language::English.word_list();
    // Room for all of it, so that nothing is copied and left behind when it grows.
    let longest = list.iter().map(|word| word.len()).max().unwrap_or_default();
    let mut passphrase = Zeroizing::new(String::with_capacity(words * (longest + separator.len())));
    for (place, pair) in random.chunks_exact(2).enumerate() {
        if place > 0 {
            passphrase.push_str(separator);
        }
        let drawn = usize::from(u16::from_le_bytes([pair[0], pair[1]]));
        passphrase.push_str(list[drawn % list.len()]);
    }
    Ok(Generated { passphrase, bits: words * WORD_BITS })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, convert::Infallible};

    use super::*;
    use crate::{Needed, strength};

    fn of(bytes: &[u8], words: usize) -> String {
        let fill = |random: &mut [u8]| -> Result<(), Infallible> {
            random.iter_mut().zip(bytes.iter().cycle()).for_each(|(to, from)| *to = *from);
            Ok(())
        };
        generate(words, SEPARATOR, fill).expect("it is possible").passphrase.as_str().to_owned()
    }

    #[test]
    fn every_word_is_drawn_by_as_many_pairs_of_bytes() {
        let list = Language::English.word_list();
        assert_eq!(list.len(), 1 << WORD_BITS);
        assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), list.len());
        assert_eq!(usize::from(u16::MAX) + 1, list.len() * 32);
        assert_eq!(of(&[0, 0], 5), ["abandon"; 5].join("-"));
        assert_eq!(of(&[0xff, 0x07], 5), ["zoo"; 5].join("-"));
    }

    #[test]
    fn what_is_drawn_suffices_for_the_exposed() {
        let drawn = of(&[0x1c, 0xa9, 0x44, 0x02, 0xd7, 0x63, 0xbb, 0x31, 0x0e, 0x58], *WORDS.0.start());
        assert!(strength(&drawn, &[]).suffices(Needed::Exposed), "{drawn}");
    }

    #[test]
    fn bounds_and_missing_randomness_are_told() {
        let nothing = |_: &mut [u8]| Err("the pool is dry");
        for words in [0, 4, 25, usize::MAX] {
            assert_eq!(
                generate(words, "-", nothing).expect_err("out of bounds"),
                GenerateError::Words(words)
            );
        }
        let dry = generate(7, "-", nothing).expect_err("no randomness");
        assert_eq!(dry, GenerateError::Random("the pool is dry"));
    }
}
