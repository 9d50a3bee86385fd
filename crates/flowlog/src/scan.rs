//! JSON token by token, from a stream, as leniently as logs need it.
//!
//! Commas are not asked for: they may be missing, doubled or trailing, as in files that were put together from blocks. A value that
//! nobody wants is skipped. It must not know what a log is. Invariant: memory is bounded by the longest string.

use std::io::{self, Read};

use crate::limits::{DEPTH_MAX, LINE_SKIPPED_MAX, STRING_MAX};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 18;

/// Why there is no next token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It ends in the middle of a value.
    #[error("it ends in the middle of a record")]
    Cut,
    /// It is not JSON.
    #[error("{expected} is expected, not {}", char::from(*.found).escape_default())]
    Unexpected {
        /// What would be right.
        expected: &'static str,
        /// What stands there.
        found: u8,
    },
    /// A string that no log has.
    #[error("a text is longer than {STRING_MAX} bytes")]
    TooLong,
    /// What is no record goes on and on.
    #[error("a line that is no record is longer than {LINE_SKIPPED_MAX} bytes")]
    LongLine,
    /// Arrays in arrays in arrays.
    #[error("values are nested deeper than {DEPTH_MAX}")]
    TooDeep,
}

/// The beginning of a value, or all of one without parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'s> {
    /// An array or an object was entered.
    Open(u8),
    /// A text without its escapes.
    Text(&'s str),
    /// A number, or `true`, `false`, `null`.
    Word(&'s str),
}

/// A place in a stream of JSON.
#[derive(Debug)]
pub(crate) struct Scanner<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The next byte, and the end of those that were read.
    at: usize,
    filled: usize,
    /// Bytes that were taken from the reader.
    taken: u64,
    line: u64,
    /// A string without its escapes.
    plain: Vec<u8>,
}

impl<R: Read> Scanner<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; CHUNK], at: 0, filled: 0, taken: 0, line: 1, plain: Vec::new() }
    }

    /// The line of the next token, from 1.
    pub(crate) const fn line(&self) -> u64 {
        self.line
    }

    /// Bytes that were read.
    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }

    /// Skips the mark that some writers begin UTF-8 with.
    pub(crate) fn skip_mark(&mut self) -> Result<(), ScanError> {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        while self.filled - self.at < MARK.len() && self.fill()? {}
        if self.buffer[self.at..self.filled].starts_with(MARK) {
            self.at += MARK.len();
        }
        Ok(())
    }

    /// Skips what is in front of the next token, and shows its first byte; `None` at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>, ScanError> {
        loop {
            while let Some(&byte) = self.buffer[..self.filled].get(self.at) {
                match byte {
                    b'\n' => self.line += 1,
                    b' ' | b'\t' | b'\r' => {}
                    _ => return Ok(Some(byte)),
                }
                self.at += 1;
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Takes the byte that [`Self::peek`] showed.
    pub(crate) const fn bump(&mut self) {
        self.at += 1;
    }

    /// Goes to the start of the next line; false at the end. A device may have no end, and a file with holes is long in coming to it.
    pub(crate) fn skip_line(&mut self) -> Result<bool, ScanError> {
        let mut skipped = 0;
        loop {
            let rest = &self.buffer[self.at..self.filled];
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                self.at += end + 1;
                self.line += 1;
                return Ok(true);
            }
            skipped += rest.len();
            if skipped > LINE_SKIPPED_MAX {
                return Err(ScanError::LongLine);
            }
            self.at = self.filled;
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// The next key of an object that was entered, as `of` reads it; `None` behind its end.
    pub(crate) fn key<K>(&mut self, of: impl Fn(&str) -> K) -> Result<Option<K>, ScanError> {
        loop {
            match self.next()? {
                b',' => self.bump(),
                b'}' => {
                    self.bump();
                    return Ok(None);
                }
                b'"' => {
                    let key = of(self.string()?);
                    self.expect(b':', "a colon")?;
                    return Ok(Some(key));
                }
                found => return Err(ScanError::Unexpected { expected: "a key", found }),
            }
        }
    }

    /// Whether an array that was entered has a next element; false behind its end.
    pub(crate) fn element(&mut self) -> Result<bool, ScanError> {
        loop {
            match self.next()? {
                b',' => self.bump(),
                b']' => {
                    self.bump();
                    return Ok(false);
                }
                b'}' | b':' => {
                    return Err(ScanError::Unexpected {
                        expected: "an element",
                        found: self.buffer[self.at],
                    });
                }
                _ => return Ok(true),
            }
        }
    }

    /// Enters an array or an object if one is next; skips any other value.
    pub(crate) fn enter(&mut self, opening: u8) -> Result<bool, ScanError> {
        if self.next()? == opening {
            self.bump();
            return Ok(true);
        }
        self.skip()?;
        Ok(false)
    }

    /// A text, a number or a word as `of` reads it; `None` if the value has parts or is null.
    pub(crate) fn scalar<T>(&mut self, of: impl FnOnce(&str) -> T) -> Result<Option<T>, ScanError> {
        match self.next()? {
            b'"' => Ok(Some(of(self.string()?))),
            b'{' | b'[' => self.skip().map(|()| None),
            _ => {
                let word = self.word()?;
                Ok((word != "null").then(|| of(word)))
            }
        }
    }

    /// What is next, as `of` takes it.
    pub(crate) fn token<T>(&mut self, of: impl FnOnce(Token<'_>) -> T) -> Result<T, ScanError> {
        match self.next()? {
            b'"' => Ok(of(Token::Text(self.string()?))),
            bracket @ (b'{' | b'[') => {
                self.bump();
                Ok(of(Token::Open(bracket)))
            }
            _ => Ok(of(Token::Word(self.word()?))),
        }
    }

    /// Skips a value.
    pub(crate) fn skip(&mut self) -> Result<(), ScanError> {
        let mut open = Vec::new();
        loop {
            match self.next()? {
                b'{' | b'[' if open.len() == DEPTH_MAX => return Err(ScanError::TooDeep),
                bracket @ (b'{' | b'[') => {
                    self.bump();
                    // The closing bracket of both stands two behind the opening one in ASCII.
                    open.push(bracket + 2);
                }
                bracket @ (b'}' | b']') if open.last() == Some(&bracket) => {
                    self.bump();
                    open.pop();
                }
                b',' | b':' if !open.is_empty() => {
                    self.bump();
                    continue;
                }
                b'"' => _ = self.string()?,
                _ => _ = self.word()?,
            }
            if open.is_empty() {
                return Ok(());
            }
        }
    }

    /// The next byte that is not white space.
    fn next(&mut self) -> Result<u8, ScanError> {
        self.peek()?.ok_or(ScanError::Cut)
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), ScanError> {
        match self.next()? {
            found if found == byte => {
                self.bump();
                Ok(())
            }
            found => Err(ScanError::Unexpected { expected, found }),
        }
    }

    /// A string, whose opening quote is next.
    fn string(&mut self) -> Result<&str, ScanError> {
        let mut length = 1;
        let mut has_escapes = false;
        loop {
            let rest = &self.buffer[self.at + length..self.filled];
            match rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
                Some(offset) if rest[offset] == b'"' => {
                    length += offset;
                    break;
                }
                // What is escaped may be a quote.
                Some(offset) if offset + 1 < rest.len() => {
                    length += offset + 2;
                    has_escapes = true;
                }
                Some(offset) => {
                    length += offset;
                    self.need_more(length)?;
                }
                None => {
                    length += rest.len();
                    self.need_more(length)?;
                }
            }
        }
        let inside = self.at + 1..self.at + length;
        self.at += length + 1;
        let found = if has_escapes {
            unescape(&self.buffer[inside], &mut self.plain);
            &self.plain
        } else {
            &self.buffer[inside]
        };
        let not_text = ScanError::Unexpected { expected: "UTF-8", found: b'?' };
        std::str::from_utf8(found).map_err(|_| not_text)
    }

    /// A number, or `true`, `false`, `null`.
    fn word(&mut self) -> Result<&str, ScanError> {
        let mut length = 0;
        loop {
            let rest = &self.buffer[self.at + length..self.filled];
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
            match rest.iter().position(|byte| !is_part(byte)) {
                Some(0) if length == 0 => {
                    return Err(ScanError::Unexpected { expected: "a value", found: rest[0] });
                }
                Some(offset) => {
                    length += offset;
                    break;
                }
                None => {
                    length += rest.len();
                    match self.need_more(length) {
                        Err(ScanError::Cut) if length > 0 => break,
                        other => other?,
                    }
                }
            }
        }
        let word = self.at..self.at + length;
        self.at += length;
        Ok(std::str::from_utf8(&self.buffer[word]).expect("it is ASCII"))
    }

    /// Reads on in the middle of a token of which `length` bytes were seen.
    fn need_more(&mut self, length: usize) -> Result<(), ScanError> {
        if length > STRING_MAX {
            return Err(ScanError::TooLong);
        }
        if self.fill()? { Ok(()) } else { Err(ScanError::Cut) }
    }

    /// Reads on, and keeps what was not taken yet; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.at..self.filled, 0);
        self.filled -= self.at;
        self.at = 0;
        if self.filled == self.buffer.len() {
            self.buffer.resize(2 * self.filled, 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    let read = read?;
                    self.filled += read;
                    self.taken += read as u64;
                    return Ok(read > 0);
                }
            }
        }
    }
}

/// A string's content without its escapes. Names in logs have few: what is no character of its own becomes `?`.
fn unescape(text: &[u8], plain: &mut Vec<u8>) {
    plain.clear();
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => plain.push(b'\n'),
            Some(b't') => plain.push(b'\t'),
            Some(b'r') => plain.push(b'\r'),
            Some(b'u') => {
                let digits: Vec<u8> = bytes.by_ref().take(4).copied().collect();
                let code =
                    std::str::from_utf8(&digits).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let character = code.and_then(char::from_u32).unwrap_or('?');
                plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Some(&other) => plain.push(other),
            None => {}
        }
    }
}
