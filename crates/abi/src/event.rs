//! Events: what the kernel program tells as it happens, through a ring buffer.
//!
//! The ring never holds up a packet: when it is full an event is lost, and counted. The program tells the end of a TCP
//! connection as its packets close it, and of flows whose place it takes; all other ends are told by the sweep, which reads the
//! table itself.

use crate::flow::FlowKey;

shared_codes! {
    /// What happened.
    pub enum EventKind ("EVENT_") {
        /// A flow began.
        Begin = 0,
        /// A TCP connection was closed, or a flow is over and its place was given away before the sweep came.
        End = 1,
        /// Packets were denied: `packets[0]` of them since the denial was last told.
        Deny = 2,
        /// A change of policy ended a flow, or, with [`crate::flow::FLOW_ENDED_BY_TIME`], the time of a rule.
        Cut = 3,
        /// A flow passes only because what would deny it is in audit.
        WouldDeny = 4,
        /// A limit refused a new flow; `reason` says which.
        Limit = 5,
        /// The originator of a TCP connection has closed its side, and the responder answers without closing its own.
        HalfClose = 6,
    }
}

shared_constants! {
    /// Bytes of the ring.
    pub const EVENT_RING_BYTES: u32 = 1 << 22;
}

shared_structs! {
    /// One event.
    pub struct Event {
        /// The flow, or the one that a denied packet would have begun.
        pub key: FlowKey,
        /// Generation of the policy in force; for [`EventKind::End`] that of the NIC's policy that judged the flow last, by
        /// which its rules are named.
        pub generation: u64,
        /// Kernel tick at which it happened.
        pub tick: u64,
        /// Tick at which the flow began.
        pub created: u64,
        /// Packets from the originator, and from the responder.
        pub packets: [u64; 2],
        /// Bytes from the originator, and from the responder.
        pub bytes: [u64; 2],
        /// Rule that each layer decided by, in evaluation order of `direction`; for [`EventKind::Deny`], [`EventKind::Cut`] and
        /// [`EventKind::WouldDeny`] the one that denies, or would, is that of the layer which `reason` names.
        pub rules: [u16; 3],
        /// [`EventKind`].
        pub kind: u8,
        /// [`crate::verdict::Reason`].
        pub reason: u8,
        /// [`crate::flow::Direction`] of the flow's first packet, or of the denied one.
        pub direction: u8,
        /// [`crate::flow::FlowState`].
        pub state: u8,
        /// `FLOW_*` bits.
        pub flags: u8,
        /// Zero.
        pub reserved: [u8; 5],
    }
}
