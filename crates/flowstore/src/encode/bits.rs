//! Numbers in as few bits as they need: Parquet's hybrid of runs and packed bits, and packed differences.
//!
//! Reference: <https://github.com/apache/parquet-format/blob/master/Encodings.md>, RLE = 3 and DELTA_BINARY_PACKED = 5.

/// Equal values from which on a run is shorter than packed bits.
const RUN: usize = 16;
/// Differences of one block, and of each of its parts that have a width of their own.
const BLOCK: usize = 128;
const PART: usize = 32;

/// Bits that numbers up to this one need.
pub(super) const fn width(most: u64) -> u32 {
    u64::BITS - most.leading_zeros()
}

/// Appends numbers of so many bits, lowest bits first; the last byte is filled with zeros.
pub(super) fn pack(out: &mut Vec<u8>, values: impl Iterator<Item = u64>, width: u32) {
    let (mut open, mut bits) = (0_u128, 0);
    for value in values {
        open |= u128::from(value) << bits;
        bits += width;
        if bits >= u64::BITS {
            out.extend_from_slice(&(open as u64).to_le_bytes());
            open >>= u64::BITS;
            bits -= u64::BITS;
        }
    }
    out.extend_from_slice(&open.to_le_bytes()[..bits.div_ceil(8) as usize]);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(out: &mut Vec<u8>, value: i64) {
    varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends numbers of so many bits as runs of equal ones, and packed where there are none.
pub(super) fn hybrid(out: &mut Vec<u8>, values: &[u32], width: u32) {
    let (mut packed, mut at) = (0, 0);
    while at < values.len() {
        let first = values[at];
        let run = values[at..].iter().take_while(|value| **value == first).count();
        if run < RUN {
            // Packed bits come in groups of eight.
            at = (at + 8).min(values.len());
            continue;
        }
        groups(out, &values[packed..at], width);
        self::run(out, first, run, width);
        at += run;
        packed = at;
    }
    groups(out, &values[packed..], width);
}

/// Appends the same number of so many bits so many times.
pub(super) fn run(out: &mut Vec<u8>, value: u32, times: usize, width: u32) {
    varint(out, (times as u64) << 1);
    out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Appends groups of eight packed numbers; the last is filled with zeros.
fn groups(out: &mut Vec<u8>, values: &[u32], width: u32) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(8);
    varint(out, (groups as u64) << 1 | 1);
    let end = out.len() + groups * width as usize;
    pack(out, values.iter().map(|value| u64::from(*value)), width);
    out.resize(end, 0);
}

/// Appends numbers as differences from one to the next. Those of a column of 32 bits wrap there, as readers expect.
pub(super) fn differences(out: &mut Vec<u8>, values: &[i64], is_narrow: bool) {
    let wrapped = |value: i64| if is_narrow { i64::from(value as i32) } else { value };
    let mask = if is_narrow { u64::from(u32::MAX) } else { u64::MAX };
    varint(out, BLOCK as u64);
    varint(out, (BLOCK / PART) as u64);
    varint(out, values.len() as u64);
    zigzag(out, values.first().copied().unwrap_or(0));
    let mut open = [0_i64; BLOCK];
    for block in values.get(1..).unwrap_or_default().chunks(BLOCK).zip(values.chunks(BLOCK)) {
        let (block, before) = block;
        let open = &mut open[..block.len()];
        for (open, (value, before)) in open.iter_mut().zip(block.iter().zip(before)) {
            *open = wrapped(value.wrapping_sub(*before));
        }
        let least = open.iter().copied().min().unwrap_or(0);
        zigzag(out, least);
        let above = |difference: &i64| difference.wrapping_sub(least).cast_unsigned() & mask;
        let widths = out.len();
        out.resize(widths + BLOCK / PART, 0);
        for (place, part) in open.chunks(PART).enumerate() {
            let width = width(part.iter().map(above).fold(0, |bits, value| bits | value));
            out[widths + place] = width as u8;
            let end = out.len() + PART / 8 * width as usize;
            pack(out, part.iter().map(above), width);
            out.resize(end, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrids_are_those_of_the_specification() {
        let of = |values: &[u32], width| {
            let mut out = Vec::new();
            hybrid(&mut out, values, width);
            out
        };
        assert_eq!(of(&[], 3), [0_u8; 0]);
        assert_eq!(of(&[0, 1, 2, 3, 4, 5, 6, 7], 3), [3, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
        assert_eq!(of(&[5; 100], 3), [200, 1, 5], "a run");
        assert_eq!(of(&[0; 20], 0), [40], "a run of what needs no bits");
        assert_eq!(of(&[1, 1, 0], 1), [3, 0b011], "a group is filled");
        let mixed = [vec![1, 0, 1, 0, 1, 0, 1, 0], vec![1; 17], vec![0, 1]].concat();
        assert_eq!(of(&mixed, 1), [3, 0b0101_0101, 34, 1, 3, 0b10]);
        assert_eq!(of(&[300; 16], 9), [32, 44, 1], "the value of a run has whole bytes");
    }

    #[test]
    fn differences_are_those_of_the_specification() {
        let of = |values: &[i64], is_narrow| {
            let mut out = Vec::new();
            differences(&mut out, values, is_narrow);
            out
        };
        let head = |count, first| [0x80, 1, 4, count, first];
        assert_eq!(of(&[], false), head(0, 0));
        assert_eq!(of(&[-1], false), head(1, 1));
        assert_eq!(of(&[1, 2, 3, 4, 5], false), [&head(5, 2)[..], &[2, 0, 0, 0, 0]].concat());
        let second =
            [&head(8, 14)[..], &[3, 2, 0, 0, 0], &[0b1100_0000, 0b11_1111, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(of(&[7, 5, 3, 1, 2, 3, 4, 5], false), second, "the second example of the page");
        let wide = i64::from(i32::MAX) - i64::from(i32::MIN);
        assert_eq!(of(&[i32::MIN.into(), i32::MAX.into()], true)[9..], [1, 0, 0, 0, 0], "{wide} wraps to -1");
        assert_eq!(of(&[i64::MIN, i64::MAX], false)[14..], [1, 0, 0, 0, 0]);
    }
}
