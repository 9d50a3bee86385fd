//! The policy blob: one resolved rule list of one direction, compiled to classes and bit vectors.
//!
//! A packet's source address, destination address, (protocol, destination port), source port and the time are each mapped to
//! a *record*, which holds one bit a rule, in evaluation order. The first bit set in the AND of the records is the rule that
//! matches. Design and measurements: `docs/adr/0003`, ABV (Baboescu, Varghese, SIGCOMM 2001). All offsets here count from the
//! start of the blob, so that a blob is position independent and equal policies are equal bytes. Blobs are 8-byte aligned and
//! immutable once published.
//!
//! ```text
//! PolicyHeader
//!   addresses           entries: IPv4 source and destination (key: the address),
//!                       IPv6 source and destination (key: the upper half; behind ENTRY_HALF: the lower half)
//!   protocols_offset    u32[256] entries (key: destination port, or ICMP type)
//!   fragments_offset    u32[256] records: the rules that match some port of the protocol
//!   source_ports        entry (key: source port of TCP and UDP), and the record of what has none
//!   actions_offset      u8[rules] Action
//!   sets_offset         u64[words] each of SET_AUDIT, SET_WHOLE, SET_ALLOW, SET_ALWAYS
//!   times_offset        u32[times_count] seconds, ascending: where a window begins or ends
//!   time_records_offset u32[times_count + 1] records; record i holds from boundary i - 1 up to boundary i
//!   expires_offset      u32[rules] seconds: when the rule ends, or TIME_NEVER
//! ```
//!
//! *Records.* A [`Record`] and the `u64` words of its bit vector that are not zero, in order. Bit `r % 64` of word `r / 64`
//! is rule `r`. Word `w` exists if bit `w` of the summary is set; then nibble `w` of `ranks` is its place. Records with equal
//! vectors are one record.
//!
//! *Entries.* The high bits of an entry (`ENTRY_*`, one a kind) tell what is at its offset, which is the other bits. A [`Grid`] leads to
//! one of the entries that follow it. A list of one or two starts leads to `entries[n]`, where `n` starts are not above the
//! key; what is too much is filled with the last entry and the largest start. Lists are wide (`u64`) in IPv6 and narrow
//! (`u32`) elsewhere. No path has more than `key bits / GRID_STEP_BITS` grids, and offsets descend on it.

shared_constants! {
    /// First word of a policy blob ("PLSD").
    pub const POLICY_MAGIC: u32 = 0x504c_5344;
    /// Rules of one direction in one blob: 1,000 of the user's, three default rules, and a reserve for the platform's.
    pub const POLICY_RULES_MAX: usize = 1024;
    /// Words of the longest vector.
    pub const POLICY_WORDS_MAX: usize = POLICY_RULES_MAX / 64;
    /// Classes of one field at most: its distinct vectors.
    pub const POLICY_CLASSES_MAX: usize = 1 << 18;
    /// Intervals of one address field at most.
    pub const ADDRESS_INTERVALS_MAX: usize = 1 << 20;
    /// Boundaries of windows in one blob at most: two a rule.
    pub const POLICY_TIMES_MAX: usize = 2 * POLICY_RULES_MAX;
    /// A rule is in audit.
    pub const POLICY_AUDIT: u32 = 1;
    /// A rule restricts the source port.
    pub const POLICY_SOURCE_PORTS: u32 = 2;
    /// A rule has a window.
    pub const POLICY_TIMES: u32 = 4;
    /// A sequence in which every six bits in a row are another number (de Bruijn): times a single bit, its upper six bits
    /// tell the bit's position.
    pub const BIT_SEQUENCE: u64 = 0x03f7_9d71_b4cb_0a89;
    /// Bytes of one blob at most; a larger policy is refused with its size.
    pub const POLICY_BYTES_MAX: usize = 64 << 20;
    /// Index in [`PolicyHeader::addresses`] of the IPv4 source; the destination is the next one.
    pub const ADDRESSES_V4: usize = 0;
    /// Index in [`PolicyHeader::addresses`] of the IPv6 source; the destination is the next one.
    pub const ADDRESSES_V6: usize = 2;
    /// The bits of an entry that are its kind; the others are an offset.
    pub const ENTRY_KIND: u32 = 0xe000_0000;
    /// The entry is the offset of a record.
    pub const ENTRY_RECORD: u32 = 0;
    /// The entry leads to a grid.
    pub const ENTRY_GRID: u32 = 0x8000_0000;
    /// The entry leads to a list.
    pub const ENTRY_LIST: u32 = 0x4000_0000;
    /// The entry leads to another entry, by which the lower half of an IPv6 address is looked up.
    pub const ENTRY_HALF: u32 = 0x2000_0000;
    /// Starts of a list.
    pub const LIST_STARTS: usize = 2;
    /// Bits of the key that each grid on a path settles at least.
    pub const GRID_STEP_BITS: u32 = 4;
    /// Upper half of [`Record::head`].
    pub const RECORD_MARK: u32 = 0x5243_0000;
    /// Position in the rule sets of the rules in audit: they decide nothing.
    pub const SET_AUDIT: usize = 0;
    /// Position in the rule sets of the rules that restrict no port.
    pub const SET_WHOLE: usize = 1;
    /// Position in the rule sets of the rules that allow and leave the word to the next layer.
    pub const SET_ALLOW: usize = 2;
    /// Position in the rule sets of the rules that always allow.
    pub const SET_ALWAYS: usize = 3;
    /// Number of rule sets.
    pub const SETS: usize = 4;
    /// The second that no clock reaches.
    pub const TIME_NEVER: u32 = u32::MAX;
}

/// The position of a single bit, by the upper six bits of its product with [`BIT_SEQUENCE`].
pub const BIT_POSITIONS: [u8; 64] = {
    let mut positions = [0; 64];
    let mut bit = 0;
    while bit < 64 {
        positions[((BIT_SEQUENCE << bit) >> 58) as usize] = bit;
        bit += 1;
    }
    positions
};

shared_structs! {
    /// First bytes of a blob.
    pub struct PolicyHeader {
        /// [`POLICY_MAGIC`].
        pub magic: u32,
        /// [`crate::ABI_VERSION`].
        pub version: u32,
        /// Bytes of the whole blob.
        pub size: u32,
        /// Rules in it.
        pub rules: u32,
        /// Words a vector: `ceil(rules / 64)`.
        pub words: u32,
        /// `POLICY_*` bits: what there is to do beside the addresses and the protocol.
        pub flags: u32,
        /// Entries: IPv4 source, IPv4 destination, IPv6 source, IPv6 destination.
        pub addresses: [u32; 4],
        /// Offset of the protocols' entries, indexed by IANA number.
        pub protocols_offset: u32,
        /// Entry of the source ports of TCP and UDP; 0 if no rule restricts them, and the field is not looked up.
        pub source_ports: u32,
        /// Record of packets without source port; 0 like the above.
        pub no_source_port: u32,
        /// Offset of the actions, one [`crate::verdict::Action`] byte a rule.
        pub actions_offset: u32,
        /// Boundaries in time; 0 if every rule is always in force, and time is not looked up.
        pub times_count: u32,
        /// Offset of the boundaries; 0 like the above.
        pub times_offset: u32,
        /// Offset of the records of the intervals between the boundaries; 0 like the above.
        pub time_records_offset: u32,
        /// Offset of the seconds in which rules end; 0 like the above.
        pub expires_offset: u32,
        /// Offset of the records of later fragments, indexed by protocol.
        pub fragments_offset: u32,
        /// Offset of the rule sets.
        pub sets_offset: u32,
        /// [`BIT_POSITIONS`]: the kernel program has no memory of its own for constants.
        pub bit_positions: [u8; 64],
    }

    /// The vector of one class; its words follow.
    pub struct Record {
        /// Nibble `w` is the place of word `w` among those that follow.
        pub ranks: u64,
        /// [`RECORD_MARK`], and in the lower half the summary: bit `w` is set if word `w` is not zero.
        pub head: u32,
        /// Number of words that follow.
        pub count: u32,
    }

    /// Even steps over the keys from `base` on; `steps + 2` entries follow: for key `k` in step `(k - base) >> shift` that
    /// entry, for keys behind all steps entry `steps`, and for keys below `base` entry `steps + 1`. The steps end with
    /// the keys or before, so that a difference below zero is never taken for a step.
    pub struct Grid {
        /// First key of the first step.
        pub base: u64,
        /// Logarithm of a step's width.
        pub shift: u32,
        /// Number of steps.
        pub steps: u32,
    }

    /// One or two starts.
    pub struct NarrowList {
        /// Ascending.
        pub starts: [u32; LIST_STARTS],
        /// Where the key goes that no start is above of, then one start, and so on.
        pub entries: [u32; LIST_STARTS + 1],
        /// Zero.
        pub reserved: u32,
    }

    /// One or two starts of half an IPv6 address.
    pub struct WideList {
        /// Ascending.
        pub starts: [u64; LIST_STARTS],
        /// As in [`NarrowList`].
        pub entries: [u32; LIST_STARTS + 1],
        /// Zero.
        pub reserved: u32,
    }
}
