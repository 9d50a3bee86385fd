//! What is looked for: every check with its id, what it is about, what to do, and the ids of other tools' checks that are about
//! the same.
//!
//! An id never changes its meaning and is never used again. What a finding of each claims exactly: `docs/check.md`.

use std::fmt;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Most likely not what was meant.
    Warning,
    /// Open to anyone.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Stable id, such as `PAL-NEVER-MATCHED-SAME-ACTION`.
    pub id: &'static str,
    /// What it is about, as a title.
    pub title: &'static str,
    /// How much a finding usually matters; one of little public space matters less.
    pub severity: Severity,
    /// What to do.
    pub remedy: &'static str,
    /// Ids of other tools' checks that are about the same.
    pub aliases: &'static [&'static str],
}

macro_rules! checks {
    ($( $name:ident = $id:literal, $severity:ident, $title:literal, $remedy:literal, [$($alias:literal),* $(,)?]; )+) => {
        $(
            #[doc = $title]
            pub static $name: Check = Check {
                id: $id, title: $title, severity: Severity::$severity, remedy: $remedy, aliases: &[$($alias),*],
            };
        )+
        /// Every check that is not about one service.
        pub static GENERAL: &[&Check] = &[$(&$name),+];
    };
}

checks! {
    ALL_PORTS = "PAL-EXPOSURE-ALL-PORTS", Error,
        "Public addresses reach every port",
        "Allow only the ports that are offered, and only from the addresses that use them.",
        ["AVD-AZU-0047", "AZR-000137", "network-security-groups-rule-inbound-internet-all", "openAllPorts",
         "network_sg_open_all_ports_to_any_source"];
    UDP = "PAL-EXPOSURE-UDP", Warning,
        "Public addresses reach UDP ports",
        "Allow only the UDP ports that are offered: open UDP services amplify attacks on others.",
        ["CKV_AZURE_77", "network_udp_internet_access_restricted", "network-security-groups-rule-inbound-service-udp",
         "openUDP", "network_security_group_udp_access_restricted"];
    INGRESS = "PAL-PUBLIC-INGRESS", Note,
        "A rule lets public addresses in",
        "If it is not meant for everyone, name the addresses or the service tag that it is meant for.",
        ["AVD-AZU-0047", "AZR-000137", "network-security-groups-rule-inbound-internet-all"];
    EGRESS = "PAL-EGRESS-INTERNET", Note,
        "A machine may open connections to every public address and port",
        "Deny Internet outbound at a low priority and allow what is needed by service tag (see palisade lockdown).",
        ["AVD-AZU-0051"];
    LATERAL = "PAL-LATERAL-MOVEMENT", Note,
        "A machine may open management connections to its network",
        "Deny outbound management ports (SSH, RDP, SMB, WinRM) to VirtualNetwork but from machines that administer others.",
        ["AZR-000139", "c6c7b33d-d7f6-4ab8-8c82-ca0431ecdb7e"];
    SUBNET_OPEN = "PAL-SUBNET-OPEN", Warning,
        "Machines of a subnet reach each other on every port",
        "Deny inbound from the subnet's own prefix but for the ports that its machines need of each other.",
        [];
    NO_NSG = "PAL-SUBNET-NO-NSG", Warning,
        "A subnet has no NSG",
        "Attach an NSG to the subnet.",
        ["CKV2_AZURE_31", "AZR-000263", "network_subnet_nsg_associated"];
    UNGUARDED = "PAL-NIC-UNGUARDED", Error,
        "No NSG governs an interface that has a public address which is open by itself",
        "Attach an NSG to the subnet, or use a Standard public address, which is closed until an NSG opens it.",
        [];
    NIC_NSG = "PAL-NIC-NSG-DIFFERS", Note,
        "Interfaces of one subnet have different NSGs of their own",
        "Keep one NSG a subnet, and tell its machines apart by application security groups.",
        [];
    UNATTACHED = "PAL-NSG-UNATTACHED", Note,
        "An NSG governs nothing in the input",
        "Attach it to a subnet, or delete it.",
        ["AZR-000140"];
    PUBLIC_ADDRESS = "PAL-NIC-PUBLIC-ADDRESS", Note,
        "An interface has a public address of its own",
        "Let it be reached through a load balancer, a gateway or a bastion, and go out through a NAT gateway.",
        ["CKV_AZURE_119", "c1573577-e494-4417-8854-7e119368dc8b", "network_interface_public_ip"];
    FORWARDING = "PAL-NIC-FORWARDING", Note,
        "An interface may send from addresses that are not its own",
        "Turn IP forwarding off unless the machine is a router or a firewall.",
        ["CKV_AZURE_118", "network_ip_forwarding_enabled"];
    ENDPOINT_PORT = "PAL-ENDPOINT-PUBLIC-PORT", Warning,
        "An inbound NAT rule has a public port that everybody tries",
        "Give it a random high port (49152-65534) and a list of sources, or reach the machine without a public port (palisade connect).",
        [];
    ENDPOINT_SOURCES = "PAL-ENDPOINT-ANY-SOURCE", Note,
        "An inbound NAT rule leads to a management port for every source",
        "Name who may use it in allowedSourceAddressPrefixes, or reach the machine without a public port (palisade connect).",
        [];
    DEAD_SAME = "PAL-NEVER-MATCHED-SAME-ACTION", Warning,
        "A rule never decides: rules before it take all that it matches and do the same",
        "Remove the rule.",
        [];
    DEAD_OTHER = "PAL-NEVER-MATCHED-OTHER-ACTION", Warning,
        "A rule never decides: rules before it take all that it matches and do something else",
        "Move the rule before those that hide it if it is meant to hold, or remove it.",
        [];
    DEAD_MIXED = "PAL-NEVER-MATCHED-MIXED", Warning,
        "A rule never decides: rules before it take all that it matches, and some do the same and some do not",
        "Move the rule before those that hide it if it is meant to hold, or remove it.",
        [];
    EMPTY = "PAL-MATCHES-NOTHING", Warning,
        "A rule matches no packet at all",
        "Give its application security groups members, or correct its addresses, ports or protocol.",
        [];
    REDUNDANT = "PAL-REDUNDANT", Note,
        "Nothing changes without a rule: what comes after it does the same",
        "Remove the rule. Of several redundant rules remove one and check again: each may rely on another.",
        [];
    DUPLICATE = "PAL-DEFAULT-DUPLICATE", Note,
        "A rule says what a default rule says anyway",
        "Remove the rule.",
        [];
    PARTLY_HIDDEN = "PAL-PARTLY-HIDDEN", Note,
        "Rules before a rule take a part of what it matches",
        "Nothing, if they are exceptions; otherwise reorder the rules.",
        [];
    ORDER = "PAL-ORDER-SENSITIVE", Note,
        "Two rules share packets, do different things, and neither is an exception to the other",
        "Make one an exception to the other, or make them disjoint, so that the order cannot be got wrong.",
        [];
    IRRELEVANT = "PAL-IRRELEVANT-HERE", Warning,
        "A rule names no machine that its NSG governs",
        "Write an inbound rule's destination, or an outbound rule's source, as addresses of the subnet, or as *.",
        [];
    PUBLIC_SIDE = "PAL-PUBLIC-ADDRESS-NEVER-MATCHES", Warning,
        "A rule names a public address for its own machine, and NSGs see private ones",
        "Write the machine's private address and its own port: NSGs are asked after inbound and before outbound translation.",
        [];
    FRONTEND = "PAL-FRONTEND-NEVER-MATCHES", Warning,
        "A rule names the address of a load balancer for its own machine, and NSGs see the machine's",
        "Write the machine's private address and its own port: NSGs are asked after the load balancer has put them in.",
        [];
    WIDENED = "PAL-VIRTUALNETWORK-WIDENED", Warning,
        "A route makes VirtualNetwork mean every public address",
        "Write the network's prefixes in place of VirtualNetwork, and deny VirtualNetwork after them: the default rules name it too.",
        [];
    PROBES = "PAL-PROBES-DENIED", Warning,
        "Health probes of load balancers are denied",
        "Allow AzureLoadBalancer inbound before the rule that denies: 168.63.129.16 is in VirtualNetwork and in *.",
        ["AZR-000138"];
    TAG_IDLE = "PAL-TAG-WITHOUT-EFFECT", Warning,
        "A rule names a service tag that does nothing in an NSG",
        "Name the tags of the services behind it, or prefixes.",
        [];
    PLATFORM = "PAL-PLATFORM-DENIED", Note,
        "A rule cuts machines off from the platform's DNS, metadata or licensing",
        "Remove the rule unless that is meant; only rules with these tags reach this traffic.",
        [];
    JIT = "PAL-JIT-HIDDEN", Error,
        "A just-in-time rule closes a port that an older rule holds open",
        "Remove the older allow, or move it after the just-in-time rule.",
        ["vm_jit_access_enabled"];
}
