//! The lines of a flow file.
//!
//! One line is in memory at a time, and none is longer than a limit: a longer one is skipped and answered as such. Blank lines
//! are skipped, and so is a byte order mark at the start. What a line says is not looked at here.

use std::io::{self, BufRead, Read};

use super::question::LineError;

/// Longest line of a flow file, in bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// What some editors write at the start of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads lines into one buffer.
pub struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    is_first: bool,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `input`.
    pub const fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), is_first: true }
    }

    /// The next line that is not blank, or that it is too long; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Result<&[u8], LineError>>> {
        loop {
            self.buffer.clear();
            // One byte more than the limit tells a line that is too long from one that just fits.
            let mut line = Read::take(&mut self.input, LINE_BYTES_MAX + 1);
            if line.read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            if self.buffer.len() as u64 > LINE_BYTES_MAX && !self.buffer.ends_with(b"\n") {
                self.input.skip_until(b'\n')?;
                self.is_first = false;
                return Ok(Some(Err(LineError::too_long(LINE_BYTES_MAX))));
            }
            let mark = if std::mem::take(&mut self.is_first) { BYTE_ORDER_MARK } else { b"" };
            let start = if self.buffer.starts_with(mark) { mark.len() } else { 0 };
            if !self.buffer[start..].trim_ascii().is_empty() {
                return Ok(Some(Ok(&self.buffer[start..])));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a text: each line, or the code of what is wrong with it.
    fn read(text: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(text);
        let mut all = Vec::new();
        while let Some(line) = lines.next().expect("a slice can be read") {
            all.push(match line {
                Ok(line) => String::from_utf8_lossy(line.trim_ascii()).into_owned(),
                Err(error) => error.code.to_owned(),
            });
        }
        all
    }

    #[test]
    fn blank_lines_and_a_byte_order_mark_are_skipped() {
        assert_eq!(read(b""), Vec::<String>::new());
        assert_eq!(read(b"\n \r\n\t\n"), Vec::<String>::new());
        assert_eq!(read("\u{feff}a\r\n\r\nb".as_bytes()), ["a", "b"]);
        assert_eq!(read("a\n\u{feff}b\n".as_bytes()), ["a", "\u{feff}b"], "only at the start");
    }

    #[test]
    fn a_line_that_is_too_long_does_not_end_the_file() {
        let limit = usize::try_from(LINE_BYTES_MAX).expect("the limit fits");
        let fits = "x".repeat(limit);
        for (line, expected) in [(fits.clone(), fits.clone()), (format!("{fits}y"), "LineTooLong".to_owned())]
        {
            assert_eq!(read(format!("a\n{line}\nb").as_bytes()), ["a", expected.as_str(), "b"]);
            assert_eq!(read(line.as_bytes()), [expected]);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_a_line() {
        assert_eq!(read(b"\xff\xfe{}\na").len(), 2);
    }
}
