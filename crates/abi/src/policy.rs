//! The policy blob: one resolved rule list of one direction, compiled to classes and bit vectors.
//!
//! A packet's source address, destination address, (protocol, destination port) and source port are each mapped to
//! a *class*. Each class has a bit vector with one bit a rule, in evaluation order; the first bit set in the AND of
//! the four vectors is the rule that matches. Design and measurements: `docs/adr/0003`, ABV (Baboescu, Varghese,
//! SIGCOMM 2001). All offsets here count from the start of the blob, so that a blob is position independent and
//! equal policies are equal bytes. Blobs are 8-byte aligned and immutable once published.
//!
//! ```text
//! PolicyHeader
//!   addresses[0..2]   IPv4 source and destination        AddressTable -> root, starts, classes, vectors
//!   addresses[2..4]   IPv6 source and destination
//!   protocol_offset   u32[256]: PROTOCOL_PORT_TABLE | offset of a PortTable, or the class itself
//!   source_ports      PortTable shared by the protocols with ports
//!   actions_offset    u8[rules]: Action
//! ```
//!
//! *Vectors.* A vector set is `classes` vectors of `words` little-endian u64, preceded by one u32 summary a class:
//! bit *i* of the summary is set when word *i* is not zero. Bit `r % 64` of word `r / 64` is rule `r`. Sections with equal
//! bytes may be one section.
//!
//! *Address lookup.* `starts` holds the sorted first addresses of `count` intervals that cover the whole family
//! (u32 host order, or 16 bytes as two u64 in host order, high half first); `classes` (u16) is parallel to it. If
//! `root_bits > 0`, `root[a >> (width - root_bits)]` is the index of the last interval that starts at or before the
//! first address of that bucket, and the next root entry bounds the search: the root has `2^root_bits + 1` entries
//! (u32), the last one being `count - 1`. The interval is the last one in `[root[b], root[b + 1]]` whose start is not above the address.
//!
//! *Port lookup.* `PortTable.pages[port >> 8]` (u16) is the index of a page of 256 classes (u16).

shared_constants! {
    /// First word of a policy blob ("PLSD").
    pub const POLICY_MAGIC: u32 = 0x504c_5344;
    /// Rules of one direction in one blob: 1,000 of the user's, three default rules, and a reserve for the platform's.
    pub const POLICY_RULES_MAX: usize = 1024;
    /// Words of the longest vector.
    pub const POLICY_WORDS_MAX: usize = POLICY_RULES_MAX / 64;
    /// Set in a protocol entry whose other bits are the offset of a port table; otherwise the entry is a class.
    pub const PROTOCOL_PORT_TABLE: u32 = 1 << 31;
    /// Classes of one field at most; a class is a u16.
    pub const POLICY_CLASSES_MAX: usize = 65_535;
    /// Intervals of one address table at most; bounds the search in the kernel.
    pub const ADDRESS_INTERVALS_MAX: usize = 1 << 20;
    /// Largest `root_bits`.
    pub const ADDRESS_ROOT_BITS_MAX: u32 = 16;
    /// Index in [`PolicyHeader::addresses`] of the IPv4 source table; the destination table is the next one.
    pub const ADDRESSES_V4: usize = 0;
    /// Index in [`PolicyHeader::addresses`] of the IPv6 source table; the destination table is the next one.
    pub const ADDRESSES_V6: usize = 2;
    /// Bytes of one blob at most; a larger policy is refused with its size.
    pub const POLICY_BYTES_MAX: usize = 64 << 20;
}

shared_structs! {
    /// The vectors of one field.
    pub struct VectorSet {
        /// Offset of the summaries, u32 a class.
        pub summaries_offset: u32,
        /// Offset of the vectors, `words` u64 a class.
        pub vectors_offset: u32,
        /// Number of classes.
        pub classes: u32,
        /// Zero.
        pub reserved: u32,
    }

    /// From an address of one family to its class.
    pub struct AddressTable {
        /// Bits of the address that index the root; 0 means no root: the whole table is searched.
        pub root_bits: u32,
        /// Offset of the root, u32 entries.
        pub root_offset: u32,
        /// Number of intervals, at least 1.
        pub count: u32,
        /// Offset of the interval starts.
        pub starts_offset: u32,
        /// Offset of the interval classes, u16.
        pub classes_offset: u32,
        /// Halvings that one search needs at most: the smallest `n` with `2^n >= w`. Here `w` is the number of candidates of the
        /// widest bucket: `root[b + 1] - root[b] + 1`, or `count` without a root.
        pub search_steps: u32,
        /// The vectors of the classes.
        pub vectors: VectorSet,
    }

    /// From a port to its class.
    pub struct PortTable {
        /// Offset of the 256 page indices, u16.
        pub pages_offset: u32,
        /// Offset of the pages, 256 u16 each.
        pub classes_offset: u32,
    }

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
        /// 1 if any rule restricts the source port; otherwise that field is not looked up.
        pub has_source_ports: u32,
        /// Offset of the actions, one [`crate::verdict::Action`] byte a rule.
        pub actions_offset: u32,
        /// Offset of the 256 protocol entries, u32, indexed by IANA number. TCP, UDP, ICMP and ICMPv6 may have a port table;
        /// that of ICMP is indexed by the ICMP type.
        pub protocol_offset: u32,
        /// Vectors of the (protocol, destination port) classes.
        pub protocol_vectors: VectorSet,
        /// Source ports of TCP and UDP. Other protocols have source-port class 0: the rules that name no source port. Zero,
        /// like the vectors below, if no rule restricts the source port.
        pub source_ports: PortTable,
        /// Vectors of the source-port classes.
        pub source_port_vectors: VectorSet,
        /// Address tables: IPv4 source, IPv4 destination, IPv6 source, IPv6 destination.
        pub addresses: [AddressTable; 4],
    }
}
