//! Flows: what the kernel remembers of a connection that the policy let begin.
//!
//! A flow belongs to one NIC. Its key is normalised by the NIC's side, not by the order of addresses: *local* is the
//! endpoint behind the interface (the source of a packet from the VM, the destination of a packet to it). Both
//! directions of a connection share a key, while a packet that a virtual appliance sends out again through the
//! interface it came in by has another one and is judged by the other direction's rules. Ports are in host order,
//! addresses as on the wire.

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
    }
}

/// Default idle timeouts in seconds, indexed by [`FlowState`].
///
/// Azure documents one number, four minutes without a packet; it holds for every flow that is in use. Flows that
/// nobody answered and connections that are closing end sooner, so that they do not fill the table; five seconds
/// after a RST are the DASH pipeline's.
pub const FLOW_TIMEOUTS_S: [u32; FLOW_STATES] = [60, 240, 30, 240, 30, 60, 240, 120, 120, 30, 5];

shared_constants! {
    /// Number of [`FlowState`]s.
    pub const FLOW_STATES: usize = 11;
    /// In [`Flow::rules`]: the layer had no rule list, or was not asked.
    pub const RULE_NONE: u16 = 0xffff;
    /// The sweep removes a flow only so many ticks after its end: no packet that found it alive is still under way.
    pub const SWEEP_GRACE_TICKS: u64 = 250;
}

shared_structs! {
    /// Identity of an IPv4 flow.
    pub struct FlowKeyV4 {
        /// Slot of the NIC.
        pub slot: u32,
        /// Address behind the interface, as on the wire.
        pub local: u32,
        /// The other address, as on the wire.
        pub remote: u32,
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
        /// Zero.
        pub reserved: u8,
    }

    /// Identity of an IPv6 flow.
    pub struct FlowKeyV6 {
        /// Slot of the NIC.
        pub slot: u32,
        /// Address behind the interface, as on the wire.
        pub local: [u32; 4],
        /// The other address, as on the wire.
        pub remote: [u32; 4],
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
        /// Zero.
        pub reserved: u8,
    }

    /// What is known of a flow. Times are kernel ticks (jiffies).
    pub struct Flow {
        /// Generation of the NIC's policy that admitted it.
        pub generation: u64,
        /// When it began.
        pub created: u64,
        /// When a packet last prolonged it; [`u64::MAX`] once the sweep has claimed it.
        pub last_seen: u64,
        /// Packets from the originator, and from the responder.
        pub packets: [u64; 2],
        /// Bytes from the originator, and from the responder.
        pub bytes: [u64; 2],
        /// Ticks after `last_seen` at which it ends.
        pub timeout: u32,
        /// Index of the rule that each layer decided by, in evaluation order of the flow's direction.
        pub rules: [u16; 3],
        /// [`FlowState`].
        pub state: u8,
        /// [`Direction`] of the first packet.
        pub direction: u8,
        /// How many layers were asked before the verdict was final.
        pub layers_asked: u32,
    }
}
