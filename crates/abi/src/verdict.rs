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
        /// It would have been dropped, if what denies it were not in audit.
        Audited = 4,
        /// A later fragment of a packet between addresses whose traffic some rule may allow.
        LaterFragment = 5,
        /// A security admin rule denied it.
        AdminDeny = 16,
        /// The subnet's NSG denied it.
        SubnetDeny = 17,
        /// The interface's NSG denied it.
        NetworkInterfaceDeny = 18,
        /// A Standard public address without any NSG is closed to the Internet.
        PublicAddressClosed = 19,
        /// The packet belongs to a flow that a change of policy, or the end of a rule's time, has cut.
        PolicyCut = 20,
        /// A TCP packet other than a SYN that belongs to no known connection.
        MidStream = 21,
        /// The VM begins something with a new destination sooner than its throttle allows.
        Throttled = 22,
        /// The interface has no descriptor in the policy in force.
        NoDescriptor = 32,
        /// No policy was ever published, or its layout is of another version.
        NoPolicy = 33,
        /// The packet is too short or contradicts itself.
        Malformed = 34,
        /// The Ethernet type is not one that a virtual machine may use (IPv4, IPv6, ARP).
        UnsupportedEtherType = 35,
        /// A later fragment between addresses whose traffic no rule may allow.
        Fragment = 36,
        /// Both places that the flow table has for the new flow are full.
        FlowTableFull = 37,
        /// A policy blob refers outside itself; it cannot happen unless memory was damaged.
        CorruptPolicy = 38,
        /// The NIC has as many flows as it may have.
        FlowQuota = 39,
        /// The NIC has as many half-open TCP connections as it may have.
        HalfOpenQuota = 40,
        /// The packet carries a VLAN tag.
        VlanTagged = 41,
        /// The frame from the VM does not carry the NIC's MAC address.
        ForeignMac = 48,
        /// The packet from the VM carries an address that the NIC does not own.
        ForeignSource = 49,
        /// An ARP packet from the VM speaks for an address that the NIC does not own.
        ForeignArp = 50,
        /// A neighbour solicitation or advertisement from the VM speaks for an address that the NIC does not own.
        ForeignNeighbour = 51,
        /// The VM answers as a DHCP or DHCPv6 server.
        DhcpServer = 52,
        /// The VM sends a router advertisement or a redirect.
        RouterMessage = 53,
        /// The VM sends in the name of a platform address.
        ForgedPlatform = 54,
        /// The packet names the way it wants to take: source routes of IPv4, routing headers of IPv6.
        SourceRoute = 55,
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
