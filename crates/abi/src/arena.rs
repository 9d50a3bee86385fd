//! The arena: the one piece of memory that holds everything a packet is judged by.
//!
//! The root is at offset 0. `Root::active` is the offset of the snapshot in force; storing another offset there
//! changes the policy of every NIC of the host between two packets. What a snapshot refers to is never changed after
//! it was published, and its memory is reused only after an RCU grace period. Offsets count from the arena's start.

use crate::{flow::FLOW_STATES, verdict::LAYERS};

shared_constants! {
    /// First word of the arena ("PLSA").
    pub const ARENA_MAGIC: u32 = 0x504c_5341;
    /// Arena size in 4,096-byte pages: 1 GiB of address space; memory is used only where something was written.
    pub const ARENA_PAGES: u32 = 262_144;
    /// The NIC table is probed this far; the publisher grows it until no entry is farther from its place.
    pub const NIC_PROBES_MAX: u32 = 8;
    /// NICs of one host at most.
    pub const NICS_MAX: usize = 4096;
    /// Counter slot of packets on interfaces without a descriptor; the slots of NICs start at 1.
    pub const SLOT_UNKNOWN: u32 = 0;
    /// The NIC's interface shows the VM's packets on egress (macvtap) instead of ingress (tap, veth).
    pub const NIC_INVERTED: u32 = 1;
}

shared_structs! {
    /// First bytes of the arena.
    pub struct Root {
        /// [`ARENA_MAGIC`].
        pub magic: u32,
        /// [`crate::ABI_VERSION`].
        pub version: u32,
        /// Offset of the snapshot in force; 0 before the first publish: everything drops.
        pub active: u32,
        /// Hash of the object file that the pinned programs come from.
        pub program: u32,
    }

    /// One published policy of the whole host.
    pub struct Snapshot {
        /// Number of the policy; grows with every publish.
        pub generation: u64,
        /// Offset of the NIC table.
        pub nics_offset: u32,
        /// Entries of the NIC table minus one; a power of two minus one. A NIC's place is `ifindex & nics_mask`.
        pub nics_mask: u32,
        /// NICs in the table.
        pub nics: u32,
        /// Bytes of the snapshot with its NIC table.
        pub size: u32,
        /// Ticks without a packet after which a flow ends, indexed by [`crate::flow::FlowState`].
        pub timeouts: [u32; FLOW_STATES],
        /// Zero.
        pub reserved: u32,
    }

    /// One NIC's policy.
    pub struct NicDescriptor {
        /// Interface index on this host; 0 for a free entry.
        pub ifindex: u32,
        /// Number that the NIC keeps as long as the host knows it: index of its counters, part of its flows' keys.
        pub slot: u32,
        /// Generation at which this NIC's policy last changed; flows remember the one that admitted them.
        pub generation: u64,
        /// Generation at which the slot came to this NIC; flows that an older one admitted belong to another NIC.
        pub since: u64,
        /// `NIC_*` bits.
        pub flags: u32,
        /// Zero; fills the descriptor to one cache line.
        pub reserved: [u32; 3],
        /// Offsets of the blobs for packets to the VM, in evaluation order admin, subnet, NIC; 0 for no such layer.
        pub inbound: [u32; LAYERS],
        /// Offsets of the blobs for packets from the VM, in evaluation order admin, NIC, subnet; 0 for no such layer.
        pub outbound: [u32; LAYERS],
    }
}
