//! Values of a template's instance: how many, of which types, then one after the other.
//!
//! Texts and numbers become texts; a document stays where it is; what no field of ours has (times, bytes) is
//! nothing.

use super::{Bad, CUT, Chunk, TEXT_MAX};

/// Values of one instance.
const VALUES_MAX: usize = 1_024;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// One text, or those of a list.
    Texts(Vec<String>),
    /// A document between two places.
    Document {
        begin: usize,
        end: usize,
    },
    Nothing,
}

/// The values at a place, and what comes behind them.
pub(super) fn read(chunk: Chunk<'_>, at: usize) -> Result<(Vec<Value>, usize), Bad> {
    let count = chunk.u32(at).ok_or(CUT)? as usize;
    if count > VALUES_MAX {
        return Err("it has too many values");
    }
    let mut place = at + 4 + 4 * count;
    let mut values = Vec::with_capacity(count);
    for number in 0..count {
        let kind_at = at + 4 + 4 * number;
        let size = usize::from(chunk.u16(kind_at).ok_or(CUT)?);
        let kind = *chunk.bytes.get(kind_at + 2).ok_or(CUT)?;
        let bytes = chunk.bytes.get(place..place + size).ok_or(CUT)?;
        values.push(of(kind, bytes, place));
        place += size;
    }
    Ok((values, place))
}

/// One value of a type.
fn of(kind: u8, bytes: &[u8], place: usize) -> Value {
    let text = |text: String| Value::Texts(vec![text]);
    match kind {
        0x01 => text(wide(bytes)),
        0x02 => text(String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()),
        // Signed numbers are no fields of ours, but positive ones look the same.
        0x03..=0x0a => text(number(bytes).to_string()),
        0x13 => sid(bytes).map_or(Value::Nothing, text),
        0x14 | 0x15 => text(format!("{:#x}", number(bytes))),
        0x21 => Value::Document { begin: place, end: place + bytes.len() },
        0x81 => Value::Texts(wide(bytes).split('\0').map(str::to_owned).collect()),
        _ => Value::Nothing,
    }
}

/// Little-endian, of any length up to eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// An identifier of security: revision, how many numbers, the authority, the numbers.
fn sid(bytes: &[u8]) -> Option<String> {
    let (head, numbers) = bytes.split_first_chunk::<8>()?;
    let authority = head[2..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let numbers = numbers.chunks_exact(4).take(head[1].into()).map(|part| format!("-{}", number(part)));
    Some(format!("S-{}-{authority}{}", head[0], numbers.collect::<String>()))
}

/// UTF-16, without what fills it up.
pub(super) fn wide(bytes: &[u8]) -> String {
    let units: Vec<u16> =
        bytes.chunks_exact(2).take(TEXT_MAX).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_type() {
        let one = |text: &str| Value::Texts(vec![text.to_owned()]);
        let wide: Vec<u8> = "admin".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(of(0x01, &wide, 0), one("admin"));
        assert_eq!(of(0x08, &[3, 0, 0, 0], 0), one("3"));
        assert_eq!(of(0x06, &[0x11, 0x12], 0), one("4625"));
        assert_eq!(of(0x14, &[0x6a, 0, 0, 0xc0], 0), one("0xc000006a"));
        let list: Vec<u8> = "sa\0no\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(of(0x81, &list, 0), Value::Texts(vec!["sa".to_owned(), "no".to_owned()]));
        assert_eq!(of(0x21, &[1, 2], 7), Value::Document { begin: 7, end: 9 });
        assert_eq!(of(0x13, &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0], 0), one("S-1-5-18"));
        assert_eq!(of(0x11, &[0; 8], 0), Value::Nothing);
    }
}
