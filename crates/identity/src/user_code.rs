//! User codes: what a person reads off one device and types on another.
//!
//! Consonants only, so that no word comes out and nothing is misread. The last four are derived from the others with a key
//! that only servers have: a code that was mistyped or made up is told from one that was issued, without remembering any.
//! Reference: RFC 8628 section 6.1.

use std::fmt;

use crate::keys::{KeyError, KeyRing};
use crate::random;

const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters that are random.
const RANDOM: usize = 8;
/// Letters that are derived.
const DERIVED: usize = 4;
/// Letters between two dashes.
const GROUP: usize = 4;

/// A code that a server has issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    /// A new code.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate(ring: &KeyRing) -> Result<Self, KeyError> {
        let mut code = String::with_capacity(RANDOM + DERIVED);
        while code.len() < RANDOM {
            // Bytes from 240 on would make the first letters more likely.
            let [byte] = random::bytes::<1>()?;
            if byte < 240 {
                code.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
            }
        }
        let tail = derive(ring, &code);
        Ok(Self(code + &tail))
    }

    /// Reads what a person has typed: case, dashes and spaces do not count.
    #[must_use]
    pub fn read(ring: &KeyRing, typed: &str) -> Option<Self> {
        let kept = |letter: &char| !letter.is_whitespace() && *letter != '-';
        let code: String =
            typed.chars().filter(kept).take(RANDOM + DERIVED + 1).collect::<String>().to_ascii_uppercase();
        let sound = code.len() == RANDOM + DERIVED && code.bytes().all(|byte| LETTERS.contains(&byte));
        (sound && derive(ring, &code[..RANDOM]) == code[RANDOM..]).then_some(Self(code))
    }

    /// What it is filed under.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        crate::fingerprint(&self.0)
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<&str> = (0..self.0.len()).step_by(GROUP).map(|at| &self.0[at..at + GROUP]).collect();
        f.write_str(&groups.join("-"))
    }
}

fn derive(ring: &KeyRing, code: &str) -> String {
    let sealed = ring.seal(code);
    let letter = |at: usize| {
        let digits = &sealed[at * 8..at * 8 + 8];
        let number = usize::from_str_radix(digits, 16).expect("a fingerprint is hexadecimal digits");
        char::from(LETTERS[number % LETTERS.len()])
    };
    (0..DERIVED).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::UserCode;
    use crate::keys::KeyRing;

    #[test]
    fn a_code_is_known_however_it_is_typed_and_no_other_is() {
        let ring = KeyRing::generate(0).unwrap();
        let code = UserCode::generate(&ring).unwrap();
        let shown = code.to_string();
        assert_eq!(shown.len(), 14, "{shown}");
        for typed in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', ""),
            format!(" {} ", shown.replace('-', " ")),
        ] {
            assert_eq!(UserCode::read(&ring, &typed), Some(code.clone()), "{typed}");
        }
        let first = if shown.starts_with('B') { "C" } else { "B" };
        for typed in
            ["", "BCDF", &format!("{first}{}", &shown[1..]), &format!("{shown}B"), "ÄÄÄÄÄÄ", "AAAA-AAAA-AAAA"]
        {
            assert_eq!(UserCode::read(&ring, typed), None, "{typed}");
        }
        assert_eq!(UserCode::read(&KeyRing::generate(0).unwrap(), &shown), None, "another server's");
        assert!(UserCode::read(&ring.rotated(1).unwrap(), &shown).is_some(), "a new key changes nothing");
    }
}
