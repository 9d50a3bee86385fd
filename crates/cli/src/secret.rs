//! Secrets that people give to commands: typed without an echo, or the first line of standard input.
//!
//! Never an argument, which others of the machine can see and the shell remembers. What is held here is wiped when it is dropped.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use zeroize::Zeroizing;

use crate::exit::Failure;

/// A line that is longer is no secret.
const LINE_MAX: usize = 4_096;

/// Asks for a secret on a terminal, or reads it.
///
/// # Errors
/// If there is none, or it is too long or no UTF-8.
pub fn read(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let secret = match io::stdin().is_terminal() {
        true => Zeroizing::new(rpassword::prompt_password(prompt)?),
        false => first_line(&mut io::stdin().lock())?,
    };
    if secret.is_empty() {
        return Err(Failure::input("no secret was given (write it to the first line of standard input)"));
    }
    Ok(secret)
}

fn first_line(input: &mut impl io::BufRead) -> Result<Zeroizing<String>, Failure> {
    // Room for all of it at once, so that nothing is copied and left behind when it grows.
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_MAX + 1));
    input.take(LINE_MAX as u64 + 1).read_until(b'\n', &mut line)?;
    if line.len() > LINE_MAX {
        return Err(Failure::input(format!("the first line is longer than {LINE_MAX} bytes")));
    }
    let text = std::str::from_utf8(&line).map_err(|_| Failure::input("the first line is not UTF-8"))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_secret_without_its_end() {
        for input in ["a secret \nand more", "a secret \r\n", "a secret "] {
            let read = first_line(&mut input.as_bytes()).expect("it is a line");
            assert_eq!(read.as_str(), "a secret ");
        }
        assert!(first_line(&mut &[0xff, b'\n'][..]).is_err());
        assert!(first_line(&mut &vec![b'x'; LINE_MAX + 1][..]).is_err());
    }
}
