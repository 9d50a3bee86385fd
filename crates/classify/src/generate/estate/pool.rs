//! Values that rules and flows are made of: few enough that they meet.

/// IPv4 prefixes, apart from each other.
pub(super) const V4: [&str; 12] = [
    "10.0.0.4",
    "10.0.0.5",
    "10.0.0.128/25",
    "10.0.1.0/24",
    "10.1.0.0/16",
    "20.0.0.0/24",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.51.100.0/24",
    "203.0.113.7",
];
/// IPv6 prefixes, apart from each other.
pub(super) const V6: [&str; 7] =
    ["fd00::4", "fd00::5", "fd00::1:0/112", "fd01::/48", "2001:db8::/32", "2603:1000::/32", "2606:4700::/32"];
/// Tags that a rule may name.
pub(super) const TAGS: [&str; 8] = [
    "VirtualNetwork",
    "Internet",
    "AzureLoadBalancer",
    "AzurePlatformDNS",
    "AzurePlatformIMDS",
    "AzurePlatformLKM",
    "Storage",
    "Sql.WestUS",
];
/// Protocols of NSG rules.
pub(super) const PROTOCOLS: [&str; 12] =
    ["Tcp", "Tcp", "Tcp", "Udp", "Udp", "Icmp", "Icmp", "Esp", "Ah", "47", "*", "*"];
/// Port fields of rules.
pub(super) const PORTS: [&str; 10] =
    ["22", "53", "80", "443", "1688", "3389", "8", "128-255", "1024-65535", "0-1023"];

/// Times at which windows of rules begin and end, ascending.
pub(super) const TIMES: [&str; 3] = ["2027-01-15T08:00:00Z", "2027-01-15T08:00:01Z", "2027-01-15T09:00Z"];

/// Addresses of the other side that mean something to a tag, a platform service or the link.
pub(super) const REMOTE_V4: [&str; 22] = [
    "10.0.0.5",
    "10.0.255.255",
    "10.1.0.0",
    "10.2.0.0",
    "20.0.0.127",
    "20.0.0.128",
    "20.0.3.255",
    "20.118.99.224",
    "23.102.135.246",
    "40.83.235.53",
    "52.1.2.3",
    "100.64.0.1",
    "131.107.3.4",
    "168.63.129.16",
    "169.254.169.254",
    "172.31.0.100",
    "192.0.2.5",
    "192.168.1.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "255.255.255.255",
];
/// The same in IPv6.
pub(super) const REMOTE_V6: [&str; 11] = [
    "fd00::5",
    "fd01::1",
    "fd02::1",
    "2001:db8::1",
    "2603:1000:4::1",
    "2603:1000:5::1",
    "2606:4700::1111",
    "fe80::1",
    "fe80::1234:5678:9abc",
    "ff02::1",
    "ff02::1:ff00:5",
];
/// Ports of flows, and ICMP types.
pub(super) const FLOW_PORTS: [u16; 21] =
    [22, 53, 67, 68, 80, 443, 546, 547, 1023, 1024, 1688, 3389, 32_526, 65_535, 0, 3, 8, 128, 129, 135, 136];
