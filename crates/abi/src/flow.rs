//! Flows: what the kernel remembers of a connection that the policy let begin.
//!
//! A flow belongs to one NIC. Its key is normalised by the NIC's side, not by the order of addresses: *local* is the
//! endpoint behind the interface (the source of a packet from the VM, the destination of a packet to it). Both
//! directions of a connection share a key, while a packet that a virtual appliance sends out again through the
//! interface it came in by has another one and is judged by the other direction's rules. Ports are in host order,
//! addresses as on the wire.
//!
//! *The table.* A hash of the key names two buckets. A bucket has [`BUCKET_WAYS`] tags; the flow of way `w` in bucket `b` is
//! the flow `b * BUCKET_WAYS + w`. A tag is 0 for a free way, [`TAG_BUSY`] while someone writes the flow, and else the upper half of
//! the hash. Who begins a flow holds the lock of its first bucket, so that a key is never there twice; ways are taken
//! by compare-and-swap on the tag, since another bucket's holder may want the same one. Looking up takes no lock.
//!
//! *Who may change `last_seen`*: a packet of a live flow stores the time; who revives an ended flow, or removes it, must first
//! win a compare-and-swap on it. Removal waits [`SWEEP_GRACE_TICKS`] beyond the end, so that no packet that found the flow
//! alive is still at work on it.

shared_codes! {
    /// Which way a packet goes, seen from the virtual machine.
    pub enum Direction ("DIRECTION_") {
        /// From the virtual machine.
        Outbound = 0,
        /// To the virtual machine.
        Inbound = 1,
    }
}

shared_codes! {
    /// How far a flow has come; each state has its idle timeout.
    pub enum FlowState ("FLOW_") {
        /// UDP: only the originator has sent.
        UdpOpen = 0,
        /// UDP: both sides have sent.
        UdpAnswered = 1,
        /// An ICMP query and its answers.
        Icmp = 2,
        /// Any other protocol.
        Other = 3,
        /// TCP: the originator's SYN was seen.
        SynSent = 4,
        /// TCP: the responder's SYN was seen.
        SynReceived = 5,
        /// TCP: the handshake is over, or the flow was met in the middle.
        Established = 6,
        /// TCP: the originator has sent its FIN.
        FinOriginator = 7,
        /// TCP: the responder has sent its FIN.
        FinResponder = 8,
        /// TCP: both FINs were seen. Packets pass and do not prolong the flow; a SYN is judged anew.
        TimeWait = 9,
        /// TCP: a RST was seen. Packets pass and do not prolong the flow; a SYN is judged anew.
        Closed = 10,
        /// Policy ended the flow. Its packets drop, and every one of them prolongs the memory of that.
        Cut = 11,
    }
}

/// Default idle timeouts in seconds, indexed by [`FlowState`].
///
/// Azure documents one number, four minutes without a packet; it holds for every flow that is in use. For established
/// TCP it documents an end only where `flowTimeoutInMinutes` is set; without it, RFC 5382 (REQ-5) gives the least time
/// after which a middlebox may forget a connection: 2 hours and 4 minutes. Flows that nobody answered and connections that
/// are closing end sooner, so that they do not fill the table; five seconds after a RST are the DASH pipeline's.
pub const FLOW_TIMEOUTS_S: [u32; FLOW_STATES] = [60, 240, 30, 240, 30, 60, 7_440, 120, 120, 30, 5, 240];

shared_constants! {
    /// Number of [`FlowState`]s.
    pub const FLOW_STATES: usize = 12;
    /// Flows of one bucket.
    pub const BUCKET_WAYS: usize = 7;
    /// Tag of a way whose flow is being written. Tags of flows are greater.
    pub const TAG_BUSY: u32 = 1;
    /// How often a lock is tried before the new flow is refused.
    pub const LOCK_TRIES: u32 = 256;
    /// In [`Flow::rules`]: the layer had no rule list, was not asked, or had no rule for the packet.
    pub const RULE_NONE: u16 = 0xffff;
    /// [`Flow::last_seen`] once somebody took the flow to remove it.
    pub const FLOW_CLAIMED: u64 = u64::MAX;
    /// A flow is removed only so many ticks after its end: no packet that found it alive is still under way.
    pub const SWEEP_GRACE_TICKS: u64 = 250;

    /// The flow passes only because what would deny it is in audit.
    pub const FLOW_AUDITED: u8 = 1;
    /// The local address is not one that the NIC owns: what the VM sends in this flow is checked packet by packet.
    pub const FLOW_FOREIGN: u8 = 2;
    /// The flow was met in the middle of a connection.
    pub const FLOW_MIDSTREAM: u8 = 4;
    /// The RST that closed the flow came from the responder. A genuine one is the last that its sender sends.
    pub const FLOW_RESET_BY_RESPONDER: u8 = 8;
    /// Of a flow that was cut: the time of a rule ended it, and not a change of policy.
    pub const FLOW_ENDED_BY_TIME: u8 = 16;

    /// In [`FlowKey::seen`]: the end of the connection was told when its packets closed it, before its place is free.
    pub const FLOW_END_TOLD: u32 = 1 << 16;
    /// In [`FlowKey::seen`]: it was told that the originator is done and the responder goes on.
    pub const FLOW_HALF_CLOSE_TOLD: u32 = 1 << 17;
    /// In [`FlowKey::seen`]: one packet that passed after the end was told. They are counted up to 2^13 and a few.
    pub const FLOW_LATE_PACKET: u32 = 1 << 18;
    /// So many packets after its end are what was under way; a flow that had more is told of again when it leaves the table.
    pub const FLOW_LATE_MAX: u32 = 8;

    /// Ticks for which a denial is counted before it is told again.
    pub const DENIAL_TICKS: u64 = 2500;
    /// Events of denials that one NIC may cause in one tick; more are counted, not told.
    pub const DENIAL_EVENTS_MAX: u32 = 64;
}

shared_structs! {
    /// Identity of a flow. IPv4 addresses are in the first word; the others are zero.
    pub struct FlowKey {
        /// Slot of the NIC.
        pub slot: u32,
        /// Port behind the interface; identifier of an ICMP query; 0 for protocols without ports.
        pub local_port: u16,
        /// The other port; 0 for ICMP and for protocols without ports.
        pub remote_port: u16,
        /// IANA protocol number.
        pub protocol: u8,
        /// Type of the request of an ICMP query; otherwise 0.
        pub query: u8,
        /// [`Direction`] of the request of an ICMP query; otherwise 0.
        pub query_direction: u8,
        /// 4 or 6.
        pub family: u8,
        /// Not part of the identity, and 0 in a name. In the table and in events: TCP flags of the packets that passed, the
        /// originator's in the low byte and the responder's in the next; of a packet that began no flow, its own in the low one.
        /// Above them [`FLOW_END_TOLD`], and what passed since then in units of [`FLOW_LATE_PACKET`].
        pub seen: u32,
        /// Address behind the interface, as on the wire.
        pub local: [u32; 4],
        /// The other address, as on the wire.
        pub remote: [u32; 4],
    }

    /// What is known of a flow: two cache lines. Times are kernel ticks (jiffies) where nothing else is said.
    pub struct Flow {
        /// Its identity; does not change while the way's tag names a flow.
        pub key: FlowKey,
        /// Generation of the NIC's policy that judged it last.
        pub generation: u64,
        /// When a packet last prolonged it; [`FLOW_CLAIMED`] once it is being removed.
        pub last_seen: u64,
        /// Packets from the originator, and from the responder.
        pub packets: [u64; 2],
        /// Bytes from the originator, and from the responder.
        pub bytes: [u64; 2],
        /// When it began.
        pub created: u64,
        /// Second since 1970 at which a rule begins or ends to hold, so that the flow is judged again; [`crate::arena::NEVER`].
        pub recheck: u32,
        /// Second since 1970 at which a rule that admitted it ends to hold; [`crate::arena::NEVER`].
        pub until: u32,
        /// Ticks after `last_seen` at which it ends.
        pub timeout: u32,
        /// [`FlowState`]; changed by compare-and-swap.
        pub state: u32,
        /// Index of the rule that each layer decided by, in evaluation order of the flow's direction; [`RULE_NONE`].
        pub rules: [u16; 3],
        /// [`Direction`] of the first packet.
        pub direction: u8,
        /// `FLOW_*` bits.
        pub flags: u8,
    }

    /// The tags of [`BUCKET_WAYS`] flows.
    pub struct FlowBucket {
        /// 1 while someone begins a flow whose first bucket this is.
        pub lock: u32,
        /// Tags.
        pub tags: [u32; BUCKET_WAYS],
    }

    /// A denial that one CPU remembers, so that the same packet again costs one look-up.
    pub struct Denial {
        /// The packet, as the flow that it would begin.
        pub key: FlowKey,
        /// Low half of the generation that denied it; 0 for a free entry.
        pub generation: u32,
        /// Packets since the denial was last told.
        pub packets: u32,
        /// Low half of the tick at which it was told.
        pub told: u32,
        /// Rule that denied it.
        pub rule: u16,
        /// [`Direction`] of the packet.
        pub direction: u8,
        /// [`crate::verdict::Reason`].
        pub reason: u8,
    }
}
