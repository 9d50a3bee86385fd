//! The text forms and edges of prefixes, ports, protocols, hardware addresses and flows.

use std::{fmt::Display, net::IpAddr, str::FromStr};

use palisade_net::{
    Direction, Family, Flow, Mac, PortError, PortRange, PortSet, Prefix, PrefixError, Protocol, ProtocolMatch,
};
use proptest::prelude::*;

/// `Ok` with the value's text, or `Err` with the error's.
fn outcome<T: FromStr<Err: Display> + Display>(text: &str) -> Result<String, String> {
    text.parse::<T>().map(|value| value.to_string()).map_err(|error| error.to_string())
}

#[track_caller]
fn reads<T: FromStr<Err: Display> + Display>(text: &str, expect: &str) {
    assert_eq!(outcome::<T>(text), Ok(expect.to_owned()), "{text:?}");
}

#[track_caller]
fn refuses<T: FromStr<Err: Display> + Display>(text: &str, cause: &str) {
    let error = outcome::<T>(text).expect_err(text);
    assert!(error.contains(cause), "{text:?}: {error:?} is not about {cause:?}");
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn prefixes_are_read_and_written() {
    for (text, expect) in [
        ("10.0.0.0/24", "10.0.0.0/24"),
        ("10.0.0.4", "10.0.0.4/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("128.0.0.0/1", "128.0.0.0/1"),
        ("255.255.255.255/32", "255.255.255.255/32"),
        ("::/0", "::/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("fe80::1234:5678:9abc/128", "fe80::1234:5678:9abc/128"),
        ("::ffff:10.0.0.0/120", "::ffff:10.0.0.0/120"),
    ] {
        reads::<Prefix>(text, expect);
    }
}

#[test]
fn what_is_no_prefix_is_refused() {
    for text in [
        "",
        "/",
        "/24",
        "10.0.0.0/",
        "1.2.3",
        "1.2.3/24",
        "1.2.3.4.5",
        "256.0.0.0/8",
        "010.0.0.0/8",
        " 10.0.0.0/8",
        "10.0.0.0/8 ",
        "10.0.0.0 /8",
        "10.0.0.0/ 8",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10.0.0.0/08",
        "10.0.0.0/00",
        "10.0.0.0/256",
        "10.0.0.0/255.0.0.0",
        "10.0.0.0-10.0.0.9",
        "[::1]",
        "fe80::1%eth0",
        "2001:db8",
        "1:2:3:4:5:6:7:8:9/16",
        "0x0a.0.0.0/8",
        "Internet",
        "*",
        "10.0.0.0\u{0}/8",
        "١٠.0.0.0/8",
    ] {
        refuses::<Prefix>(text, "is not an IP address or prefix");
    }
    refuses::<Prefix>("10.0.0.0/33", "prefix length 33 is above 32");
    refuses::<Prefix>("::/129", "prefix length 129 is above 128");
    refuses::<Prefix>("10.0.0.4/24", "write 10.0.0.0/24");
    refuses::<Prefix>("0.0.0.1/0", "write 0.0.0.0/0");
    refuses::<Prefix>("2001:db8::1/64", "write 2001:db8::/64");
}

#[test]
fn host_bits_are_refused_or_cleared() {
    let cleared = |text: &str| Prefix::parse_truncating(text).map(|p| p.to_string());
    assert_eq!(cleared("10.0.0.4/24"), Ok("10.0.0.0/24".to_owned()));
    assert_eq!(cleared("255.255.255.255/0"), Ok("0.0.0.0/0".to_owned()));
    assert_eq!(cleared("ffff::1/0"), Ok("::/0".to_owned()));
    assert_eq!(cleared("10.0.0.4/33"), Err(PrefixError::Length { got: 33, max: 32 }));
    let error = Prefix::new(address("10.0.0.4"), 31).map(|p| p.to_string());
    assert_eq!(error, Ok("10.0.0.4/31".to_owned()));
    assert!(matches!(Prefix::new(address("10.0.0.5"), 31), Err(PrefixError::HostBits { .. })));
}

#[test]
fn prefixes_know_their_ends() {
    for (text, last) in [
        ("0.0.0.0/0", "255.255.255.255"),
        ("128.0.0.0/1", "255.255.255.255"),
        ("10.0.0.0/31", "10.0.0.1"),
        ("10.0.0.1/32", "10.0.0.1"),
        ("::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::/127", "2001:db8::1"),
        ("::1/128", "::1"),
    ] {
        assert_eq!(prefix(text).last(), address(last), "{text}");
        assert!(prefix(text).contains(address(last)) && prefix(text).contains(prefix(text).address()));
    }
}

#[test]
fn families_never_meet() {
    assert!(!prefix("0.0.0.0/0").contains(address("::")));
    assert!(!prefix("::/0").contains(address("0.0.0.0")));
    assert!(!prefix("::ffff:0:0/96").contains(address("10.0.0.1")));
    assert!(!prefix("0.0.0.0/0").overlaps(prefix("::/0")));
    assert_eq!((prefix("::/0").family(), prefix("0.0.0.0/0").family()), (Family::V6, Family::V4));
}

proptest! {
    #[test]
    fn a_prefix_holds_what_shares_its_bits(base in any::<u32>(), other in any::<u32>(), length in 0..=32_u8) {
        let prefix = Prefix::truncated(IpAddr::V4(base.into()), length).unwrap();
        let shared = (base ^ other).leading_zeros() >= length.into();
        prop_assert_eq!(prefix.contains(IpAddr::V4(other.into())), shared);
        prop_assert_eq!(prefix.to_string().parse(), Ok(prefix));
    }

    #[test]
    fn a_v6_prefix_holds_what_shares_its_bits(base in any::<u128>(), flip in 0..128_u32, length in 0..=128_u8) {
        let prefix = Prefix::truncated(IpAddr::V6(base.into()), length).unwrap();
        let other = IpAddr::V6((base ^ (1 << (127 - flip))).into());
        prop_assert_eq!(prefix.contains(other), flip >= length.into());
        prop_assert_eq!(prefix.to_string().parse(), Ok(prefix));
    }

    #[test]
    fn prefixes_overlap_if_one_holds_the_other(a in any::<u32>(), flip in 0..32_u32, i in 0..=32_u8, j in 0..=32_u8) {
        let prefix = |base: u32, length| Prefix::truncated(IpAddr::V4(base.into()), length).unwrap();
        let (p, q) = (prefix(a, i), prefix(a ^ (1 << flip), j));
        let overlap = p.address().max(q.address()) <= p.last().min(q.last());
        prop_assert_eq!(p.overlaps(q), overlap);
        prop_assert_eq!(q.overlaps(p), overlap);
    }

    #[test]
    fn reading_never_panics(text in "\\PC{0,40}") {
        let _ = (outcome::<Prefix>(&text), outcome::<PortRange>(&text), outcome::<Mac>(&text));
        let _ = (text.parse::<ProtocolMatch>(), text.parse::<Direction>(), Prefix::parse_truncating(&text));
    }

    #[test]
    fn port_ranges_are_read_as_written(first in any::<u16>(), last in any::<u16>()) {
        match PortRange::new(first, last) {
            Ok(range) => {
                prop_assert_eq!(range.to_string().parse(), Ok(range));
                prop_assert_eq!(format!("{first}-{last}").parse(), Ok(range));
            }
            Err(error) => prop_assert_eq!(error, PortError::Reversed { first, last }),
        }
    }

    #[test]
    fn macs_are_read_as_written(bytes in any::<[u8; 6]>()) {
        let mac = Mac(bytes);
        let colons = mac.to_string();
        for text in [colons.replace(':', "-").to_uppercase(), colons.replace(':', ""), colons] {
            prop_assert_eq!(text.parse(), Ok(mac));
        }
    }
}

#[test]
fn ports_are_read_and_written() {
    for (text, expect) in [
        ("*", "*"),
        (" * ", "*"),
        ("0-65535", "*"),
        ("0", "0"),
        ("65535", "65535"),
        ("080", "80"),
        ("80-80", "80"),
        ("1024-65535", "1024-65535"),
        (" 80 - 90 ", "80-90"),
    ] {
        reads::<PortRange>(text, expect);
    }
    for text in [
        "",
        " ",
        "-",
        "-80",
        "80-",
        "80-90-100",
        "65536",
        "0-65536",
        "99999999999",
        "+80",
        "0x50",
        "80,443",
        "http",
        "80–90",
        "**",
        "8 0",
        "Any",
    ] {
        refuses::<PortRange>(text, "is not a port");
    }
    refuses::<PortRange>("443-80", "reversed (write 80-443)");
    assert_eq!((PortRange::ALL.first(), PortRange::ALL.last()), (0, u16::MAX));
    let ranges = ["443", "80-90", "85-100", "101"].map(|text| text.parse::<PortRange>().unwrap());
    assert_eq!(PortSet::from_iter(ranges).ranges(), [(80, 101), (443, 443)]);
    assert!(PortSet::from_iter([PortRange::ALL]).is_full());
}

#[test]
fn protocols_are_read_and_written() {
    let read = |text: &str| text.parse::<ProtocolMatch>().map(|p| p.to_string());
    for (text, expect) in [
        ("Tcp", "Tcp"),
        ("TCP", "Tcp"),
        ("udp", "Udp"),
        ("Icmp", "Icmp"),
        ("ICMPv6", "Icmpv6"),
        ("esp", "Esp"),
        ("Ah", "Ah"),
        ("*", "*"),
        ("any", "*"),
        ("6", "Tcp"),
        ("58", "Icmpv6"),
        ("132", "132"),
        ("0", "0"),
        ("255", "255"),
        ("047", "47"),
    ] {
        assert_eq!(read(text), Ok(expect.to_owned()), "{text:?}");
    }
    for text in ["", " ", "256", "-1", "+6", " tcp", "tcp ", "tcp,udp", "**", "0x6", "6.0", "icmpv4", "٦"] {
        assert_eq!(read(text), Err(()), "{text:?}");
    }
}

#[test]
fn every_protocol_keeps_its_number_in_text() {
    for number in 0..=u8::MAX {
        let one = ProtocolMatch::Number(Protocol(number));
        // ICMP is the exception: in a rule its name stands for both families.
        let expect = if number == 1 { ProtocolMatch::Icmp } else { one };
        assert_eq!(one.to_string().parse(), Ok(expect));
        assert!(ProtocolMatch::Any.matches(Protocol(number)) && one.matches(Protocol(number)));
        assert_eq!(ProtocolMatch::Icmp.matches(Protocol(number)), [1, 58].contains(&number));
        assert_eq!(ProtocolMatch::TCP.matches(Protocol(number)), number == 6);
        assert_eq!(Protocol(number).has_ports(), [6, 17].contains(&number));
        assert_eq!(Protocol(number).is_icmp(), Protocol(number).icmp_family().is_some());
    }
    for family in Family::ALL {
        assert_eq!(Protocol::icmp_of(family).icmp_family(), Some(family));
    }
}

#[test]
fn what_is_no_mac_is_refused() {
    for text in [
        "",
        "00",
        "00:0d:3a:12:34",
        "00:0d:3a:12:34:56:78",
        "00:0d:3a:12:34:5g",
        "000d3a12345",
        "000d3a1234567",
        "00.0d.3a.12.34.56",
        "+0:0d:3a:12:34:56",
        "0:00d:3a:12:34:56",
        " 00:0d:3a:12:34:5",
        "000d.3a12.3456",
        "00:0d:3a:12:34:é",
    ] {
        refuses::<Mac>(text, "is not a hardware address");
    }
}

#[test]
fn directions_are_read_in_any_case() {
    for direction in Direction::ALL {
        let name = direction.to_string();
        assert_eq!(name.to_uppercase().parse(), Ok(direction));
        assert_eq!(name.parse(), Ok(direction));
    }
    assert_eq!("in".parse::<Direction>(), Err(()));
}

#[test]
fn flows_have_two_sides_of_one_family() {
    let (local, remote) = ((address("10.0.1.4"), 3389), (address("198.51.100.7"), 50_000));
    for direction in Direction::ALL {
        let flow = Flow::between(direction, Protocol::TCP, local, remote).unwrap();
        assert_eq!((flow.local(), flow.remote()), (local.0, remote.0));
        let (from, to) = if direction == Direction::Inbound { (remote, local) } else { (local, remote) };
        assert_eq!((flow.source(), flow.source_port()), from);
        assert_eq!((flow.destination(), flow.destination_port()), to);
        assert_eq!(Flow::new(direction, Protocol::TCP, from, to), Some(flow));
        assert_eq!(
            (flow.direction(), flow.protocol(), flow.family()),
            (direction, Protocol::TCP, Family::V4)
        );
        assert_eq!(Flow::between(direction, Protocol::TCP, local, (address("::1"), 1)), None);
        assert_eq!(Flow::new(direction, Protocol::TCP, (address("::1"), 1), local), None);
    }
}
