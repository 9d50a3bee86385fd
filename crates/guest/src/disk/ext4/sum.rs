//! Sums of ext4 and of its journal: CRC-32C without the last inversion, so that one goes on where another ended.
//!
//! They tell damage and not malice: whoever writes a disk can write its sums.

/// Castagnoli's polynomial, its bits turned.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// What a byte does to a sum, followed by as many bytes of zero as the number of its table.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// The sum of bytes, going on from another; the first begins with `!0`.
pub(super) fn crc32c(sum: u32, bytes: &[u8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has the instructions, as was asked the line before.
        return unsafe { by_processor(sum, bytes) };
    }
    by_tables(sum, bytes)
}

/// By the instruction that processors have for this very sum: metadata is read faster than tables sum it.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn by_processor(sum: u32, bytes: &[u8]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u64};
    let (eights, rest) = bytes.as_chunks::<8>();
    let mut wide = u64::from(sum);
    for eight in eights {
        wide = _mm_crc32_u64(wide, u64::from_le_bytes(*eight));
    }
    let mut sum = u32::try_from(wide).expect("the upper half stays zero");
    for byte in rest {
        sum = _mm_crc32_u8(sum, *byte);
    }
    sum
}

fn by_tables(sum: u32, bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let sum = eights.iter().fold(sum, |sum, eight| {
        let turned = (u64::from_le_bytes(*eight) ^ u64::from(sum)).to_le_bytes();
        (0..8).fold(0, |sum, at| sum ^ TABLES[7 - at][usize::from(turned[at])])
    });
    rest.iter().fold(sum, |sum, byte| sum >> 8 ^ TABLES[0][usize::from(sum.to_le_bytes()[0] ^ byte)])
}

/// The sum of bytes of which some, where the sum itself is written, count as zero.
pub(super) fn crc32c_without(sum: u32, bytes: &[u8], hole: std::ops::Range<usize>) -> u32 {
    const ZEROS: [u8; 4] = [0; 4];
    let sum = crc32c(sum, &bytes[..hole.start]);
    crc32c(crc32c(sum, &ZEROS[..hole.len()]), &bytes[hole.end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_value() {
        // RFC 3720, B.4, and the value that every list of sums gives for these digits.
        assert_eq!(!crc32c(!0, b"123456789"), 0xe306_9283);
        assert_eq!(!crc32c(!0, &[0; 32]), 0x8a91_36aa);
        assert_eq!(!crc32c(crc32c(!0, &[0xff; 5]), &[0xff; 27]), 0x62a8_ab43);
    }

    #[test]
    fn tables_and_processor_agree() {
        let bytes: Vec<u8> = (0..1_000_u32).map(|at| ((at * 31) >> 3) as u8).collect();
        for start in 0..40 {
            assert_eq!(by_tables(start, &bytes[start as usize..]), crc32c(start, &bytes[start as usize..]));
        }
    }

    #[test]
    fn a_hole_counts_as_zeros() {
        assert_eq!(crc32c_without(!0, b"12345678", 2..6), crc32c(!0, b"12\0\0\0\x0078"));
    }
}
