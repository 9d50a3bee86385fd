//! Codes that cross from the kernel to everything that reports: actions, reasons, layers.
//!
//! It must not decide anything: only names and numbers.

shared_codes! {
    /// What a matching rule does.
    pub enum Action ("ACTION_") {
        /// The packet is dropped without an answer; no later layer is asked.
        Deny = 0,
        /// The layer is content; the next layer is asked.
        Allow = 1,
        /// The packet passes and no later layer is asked (security admin rules only).
        AlwaysAllow = 2,
        /// The packet is dropped because a Standard public address stays closed until an NSG opens it.
        Closed = 3,
    }
}

shared_codes! {
    /// Where in the evaluation a rule list stands. Inbound order: admin, subnet, NIC; outbound: admin, NIC, subnet.
    pub enum Layer ("LAYER_") {
        /// Security admin rules of the virtual network's manager.
        Admin = 0,
        /// The NSG of the subnet.
        Subnet = 1,
        /// The NSG of the network interface.
        NetworkInterface = 2,
    }
}

shared_codes! {
    /// Why the kernel program let a packet pass or dropped it.
    pub enum Reason ("REASON_") {
        /// The packet belongs to a flow that was allowed before.
        Established = 0,
        /// A new flow that every layer allowed.
        Allowed = 1,
        /// An ICMP error about a tracked flow.
        Related = 2,
        /// Traffic that keeps the link working and that rules do not govern: ARP, neighbour discovery, DHCP.
        LinkControl = 3,
        /// A security admin rule denied it.
        AdminDeny = 16,
        /// The subnet's NSG denied it.
        SubnetDeny = 17,
        /// The interface's NSG denied it.
        NetworkInterfaceDeny = 18,
        /// A Standard public address without any NSG is closed to the Internet.
        PublicAddressClosed = 19,
        /// The interface has no descriptor in the policy in force.
        NoDescriptor = 32,
        /// No policy was ever published, or its layout is of another version.
        NoPolicy = 33,
        /// The packet is too short or contradicts itself.
        Malformed = 34,
        /// The Ethernet type is not one that a virtual machine may use (IPv4, IPv6, ARP).
        UnsupportedEtherType = 35,
        /// A fragment that carries no transport header.
        Fragment = 36,
        /// The flow table is full, or the kernel refused the entry.
        FlowTableFull = 37,
        /// A policy blob refers outside itself; it cannot happen unless memory was damaged.
        CorruptPolicy = 38,
    }
}

impl Reason {
    /// Whether a packet with this reason was dropped.
    pub const fn is_drop(self) -> bool {
        self as u8 >= Self::AdminDeny as u8
    }
}

shared_constants! {
    /// Reasons have numbers below this.
    pub const REASONS_MAX: usize = 64;
    /// Layers of the evaluation.
    pub const LAYERS: usize = 3;
}
