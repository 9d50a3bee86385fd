//! Marvin32, the hash of entries in transaction logs: Microsoft's, published with .NET's source and in US patent 8,555,075.

/// The seed of registry logs.
const SEED: u64 = 0x82EF_4D88_7A4E_55C5;

/// The hash of bytes in a registry log.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    seeded(SEED, bytes)
}

fn seeded(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = State(low(seed), low(seed >> 32));
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        state.mix(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    }
    // What is left over ends with a mark.
    let rest = words.remainder();
    let last = rest.iter().rev().fold(0x80, |last: u32, byte| last << 8 | u32::from(*byte));
    state.mix(last);
    state.mix(0);
    u64::from(state.0) | u64::from(state.1) << 32
}

struct State(u32, u32);

impl State {
    fn mix(&mut self, word: u32) {
        let Self(low, high) = self;
        *low = low.wrapping_add(word);
        *high ^= *low;
        *low = low.rotate_left(20).wrapping_add(*high);
        *high = high.rotate_left(9) ^ *low;
        *low = low.rotate_left(27).wrapping_add(*high);
        *high = high.rotate_left(19);
    }
}

/// The lower half.
fn low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).expect("it is masked")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors that travel with implementations of the hash.
    #[test]
    fn known_hashes() {
        let cases: [(&[u8], u64); 5] = [
            (&[], 0x30ED_35C1_00CD_3C7D),
            (&[0xAF], 0x48E7_3FC7_7D75_DDC1),
            (&[0xE7, 0x0F], 0xB5F6_E1FC_485D_BFF8),
            (&[0x37, 0xF4, 0x95], 0xF0B0_7C78_9B8C_F7E8),
            (&[0x86, 0x42, 0xDC, 0x59], 0x7008_F2E8_7E9C_F556),
        ];
        for (bytes, expect) in cases {
            assert_eq!(seeded(0x004F_B61A_001B_DBCC, bytes), expect, "{bytes:x?}");
        }
    }
}
