//! The memory that the kernel program and user space share: policy, flows, and what a verdict needs beside them.
//!
//! It is one BPF arena, or one large array on kernels without arenas; everything in it is named by its byte offset from
//! the start. The root is at offset 0. `Root::active` is the offset of the snapshot in force; storing another offset
//! there changes the policy of every NIC of the host between two packets. What a snapshot refers to is never changed
//! after it was published, and its memory is reused only after an RCU grace period. The regions that `Root` names beside
//! it (flows, NIC states, denials) are made once and live as long as the memory.

use crate::verdict::LAYERS;

shared_constants! {
    /// First word of the memory ("PLSA").
    pub const ARENA_MAGIC: u32 = 0x504c_5341;
    /// Arena size in 4,096-byte pages: 1 GiB of address space; memory is used only where something was written.
    pub const ARENA_PAGES: u32 = 262_144;
    /// Bytes of the array that stands in for the arena; all of it is taken when it is made. A power of two.
    pub const ARRAY_BYTES: u32 = 1 << 28;
    /// The NIC table is probed this far; the publisher grows it until no entry is farther from its place.
    pub const NIC_PROBES_MAX: u32 = 8;
    /// NICs of one host at most.
    pub const NICS_MAX: usize = 4096;
    /// Counter slot of packets on interfaces without a descriptor; the slots of NICs start at 1.
    pub const SLOT_UNKNOWN: u32 = 0;
    /// Address ranges of one family that one NIC owns at most: Azure allows 256 addresses.
    pub const OWNED_RANGES_MAX: usize = 512;

    /// The NIC's interface shows the VM's packets on egress (macvtap) instead of ingress (tap, veth).
    pub const NIC_INVERTED: u32 = 1;
    /// Nothing that the policy or a guard says is enforced at the NIC; it is evaluated and counted.
    pub const NIC_AUDIT: u32 = 2;
    /// TCP packets of no known connection go by the rules, whatever their flags.
    pub const NIC_LOOSE_TCP: u32 = 4;
    /// First of `LAYERS` bits, by place in [`NicDescriptor::inbound`]: the layer never denies, it is counted.
    pub const NIC_AUDIT_INBOUND: u32 = 1 << 8;
    /// The same for [`NicDescriptor::outbound`].
    pub const NIC_AUDIT_OUTBOUND: u32 = 1 << 12;
    /// First of `LAYERS` bits, by place in [`NicDescriptor::inbound`]: flows that the layer once admitted are not judged
    /// by it again.
    pub const NIC_KEEP_INBOUND: u32 = 1 << 16;
    /// The same for [`NicDescriptor::outbound`].
    pub const NIC_KEEP_OUTBOUND: u32 = 1 << 20;

    /// Frames from the VM carry the NIC's MAC address.
    pub const GUARD_MAC: u32 = 1;
    /// Packets from the VM carry an address that the NIC owns.
    pub const GUARD_SOURCE: u32 = 1 << 1;
    /// ARP and neighbour discovery from the VM speak for the NIC alone.
    pub const GUARD_NEIGHBOUR: u32 = 1 << 2;
    /// No answers of a DHCP or DHCPv6 server come from the VM.
    pub const GUARD_DHCP_SERVER: u32 = 1 << 3;
    /// No router advertisements and no redirects come from the VM.
    pub const GUARD_ROUTER: u32 = 1 << 4;
    /// Only IPv4, IPv6 and ARP.
    pub const GUARD_ETHER_TYPE: u32 = 1 << 5;
    /// No VLAN tags; without this guard a packet with one tag is judged as if it had none.
    pub const GUARD_VLAN: u32 = 1 << 6;
    /// No packets from the VM in the name of the platform's addresses.
    pub const GUARD_PLATFORM: u32 = 1 << 7;

    /// Addresses of a throttled NIC's working set at most; a power of two.
    pub const WORKING_SET_MAX: usize = 32;

    /// A time that never comes, in seconds since 1970.
    pub const NEVER: u32 = 0xffff_ffff;
}

shared_structs! {
    /// First bytes of the memory.
    pub struct Root {
        /// [`ARENA_MAGIC`].
        pub magic: u32,
        /// [`crate::ABI_VERSION`].
        pub version: u32,
        /// Offset of the snapshot in force; 0 before the first publish: everything drops.
        pub active: u32,
        /// Hash of the object file that the pinned programs come from.
        pub program: u32,
        /// Nanoseconds since 1970 at which `CLOCK_BOOTTIME` was 0, modulo 2^64. Windows of rules are judged by the sum.
        pub anchor: u64,
        /// Kinds of events that are reported: bit `k` for [`crate::event::EventKind`] `k`.
        pub events: u32,
        /// Offset of the flow table's buckets, [`crate::flow::FlowBucket`].
        pub buckets: u32,
        /// How many there are.
        pub bucket_count: u32,
        /// Offset of the flows: [`crate::flow::BUCKET_WAYS`] for each bucket, in the buckets' order.
        pub flows: u32,
        /// Secret odd factors of the flow table's hash, one for each word of a key.
        pub hash_keys: [u64; 6],
        /// Offset of the NIC states, indexed by slot.
        pub nic_states: u32,
        /// Slots there are, [`SLOT_UNKNOWN`] included.
        pub slots: u32,
        /// Offset of the denials: for each CPU, `denial_mask + 1` of [`crate::flow::Denial`].
        pub denials: u32,
        /// Denials remembered by one CPU minus one, a power of two minus one.
        pub denial_mask: u32,
        /// CPUs that have denials; others remember none.
        pub cpus: u32,
        /// Bytes of the memory.
        pub size: u32,
        /// Offset of the paces, [`NicPace`], indexed by slot.
        pub paces: u32,
        /// Zero.
        pub reserved: [u32; 3],
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
        /// Bytes of the snapshot with its NIC table, timeouts and owned addresses.
        pub size: u32,
        /// Zero.
        pub reserved: [u32; 2],
    }

    /// One NIC's policy. The first half is what every packet needs.
    pub struct NicDescriptor {
        /// Interface index on this host; 0 for a free entry.
        pub ifindex: u32,
        /// Number that the NIC keeps as long as the host knows it: index of its counters, part of its flows' keys.
        pub slot: u32,
        /// Generation at which this NIC's policy last changed; flows remember the one that last judged them.
        pub generation: u64,
        /// Flows that an older generation judged last are judged again.
        pub rejudge: u64,
        /// Generation at which the slot came to this NIC; flows that began under an older one belong to another NIC.
        pub since: u64,
        /// `NIC_*` bits.
        pub flags: u32,
        /// `GUARD_*` bits.
        pub guards: u32,
        /// MAC address, as on the wire; the first four bytes and the last two.
        pub mac: [u16; 4],
        /// Offset of the idle timeouts in ticks, one u32 for each [`crate::flow::FlowState`].
        pub timeouts: u32,
        /// Offset of the [`OwnedAddresses`]; 0 for none.
        pub owned: u32,
        /// Flows the NIC may have at one time.
        pub flows_max: u32,
        /// TCP connections it may have at one time whose handshake is not over.
        pub half_open_max: u32,
        /// Offsets of the blobs for packets to the VM, in evaluation order admin, subnet, NIC; 0 for no such layer.
        pub inbound: [u32; LAYERS],
        /// Offsets of the blobs for packets from the VM, in evaluation order admin, NIC, subnet; 0 for no such layer.
        pub outbound: [u32; LAYERS],
        /// Offsets of the rule counters of `inbound`; 0 for none. See [`crate::counters::RuleCounters`].
        pub inbound_counters: [u32; LAYERS],
        /// Offsets of the rule counters of `outbound`.
        pub outbound_counters: [u32; LAYERS],
        /// Tick until which TCP packets of no known connection go by the rules, as under [`NIC_LOOSE_TCP`].
        pub grace_until: u64,
        /// Offset of the [`Throttle`]; 0 for none.
        pub throttle: u32,
        /// Zero; fills the descriptor to two cache lines.
        pub reserved: u32,
    }

    /// Addresses that a NIC owns: sorted ranges, first and last address, in host order. IPv6 addresses are two u64, the high
    /// half first.
    pub struct OwnedAddresses {
        /// Offset of the IPv4 ranges: two u32 each.
        pub v4: u32,
        /// How many.
        pub v4_count: u32,
        /// Offset of the IPv6 ranges: four u64 each.
        pub v6: u32,
        /// How many.
        pub v6_count: u32,
    }

    /// How fast a NIC's VM may begin something with destinations that are not in its working set.
    pub struct Throttle {
        /// Generation at which it began; one of another generation begins with an empty working set and a full bucket.
        pub since: u64,
        /// Nanoseconds in which one new destination may be added.
        pub interval: u64,
        /// Addresses of the working set, and new destinations that may come at once: 1 to [`WORKING_SET_MAX`].
        pub working_set: u32,
        /// Second since 1970 in which it ends; [`NEVER`] if it does not.
        pub until: u32,
    }

    /// What the throttle of a slot remembers. Changed by the kernel program alone, under its lock.
    pub struct NicPace {
        /// 1 while a CPU decides.
        pub lock: u32,
        /// Zero.
        pub reserved: u32,
        /// [`Throttle::since`] of the throttle that it is about.
        pub since: u64,
        /// Nanoseconds of `CLOCK_BOOTTIME` at which the bucket is full again.
        pub full_at: u64,
        /// When it was last asked.
        pub asked: u64,
        /// How often it has let something begin.
        pub turn: u64,
        /// Zero; fills a cache line.
        pub filling: [u64; 3],
        /// The working set: IPv6 addresses, and IPv4 addresses mapped to them (RFC 4291, 2.5.5.2), two words each, as on the wire.
        pub recent: [u64; 2 * WORKING_SET_MAX],
        /// The turn at which each of them was last used; 0 where there is none.
        pub turns: [u64; WORKING_SET_MAX],
    }

    /// What a NIC uses at this moment. Changed by the kernel program and by the sweep, with atomic operations only.
    pub struct NicUsage {
        /// Flows in the table, those included that are over and await the sweep.
        pub flows: u32,
        /// Those of them that are TCP and whose handshake is not over.
        pub half_open: u32,
        /// Tick of the events counted next.
        pub event_tick: u64,
        /// Events of denials in that tick.
        pub events: u32,
        /// Zero; fills a cache line.
        pub reserved: [u32; 11],
    }
}
