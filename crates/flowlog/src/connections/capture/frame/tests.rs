//! Frames made by hand: links, tags, and what was not kept.

use super::*;

/// An IPv4 packet that says `total` bytes, with what follows its header.
fn v4(protocol: u8, total: u16, body: &[u8]) -> Vec<u8> {
    let [high, low] = total.to_be_bytes();
    let header = [0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0, 127, 0, 0, 1, 10, 0, 0, 2];
    [&header, body].concat()
}

/// 20 bytes of TCP from port 4000 to 22 with SYN.
const TCP: [u8; 20] = [0x0f, 0xa0, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0];

fn read(link: u32, frame: &[u8], length: u64) -> Result<Option<Headers>, String> {
    headers(Link::of(link).expect("it is known"), frame, length)
}

/// Ends and bytes, if it is a packet of the addresses and ports above.
fn is_whole(found: &Result<Option<Headers>, String>, bytes: u64) {
    let expected = Headers {
        bytes,
        protocol: Protocol::TCP,
        from: ("127.0.0.1".parse().expect("v4"), 4_000),
        to: ("10.0.0.2".parse().expect("v4"), 22),
        flags: TcpFlags::SYN,
    };
    assert_eq!(*found, Ok(Some(expected)));
}

#[test]
fn every_link() {
    let packet = v4(6, 40, &TCP);
    let macs = [0; 12];
    let cases: [(u32, Vec<u8>); 11] = [
        (1, [&macs[..], &[8, 0]].concat()),
        (1, [&macs[..], &[0x81, 0, 0, 5, 8, 0]].concat()),
        (1, [&macs[..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]].concat()),
        (1, [&macs[..], &[0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, 0x21]].concat()),
        (0, vec![2, 0, 0, 0]),
        (108, vec![0, 0, 0, 2]),
        (101, vec![]),
        (9, vec![0xff, 3, 0, 0x21]),
        (113, [&[0; 14][..], &[8, 0]].concat()),
        (276, [&[8, 0][..], &[0; 18]].concat()),
        (228, vec![]),
    ];
    for (link, header) in cases {
        let frame = [&header[..], &packet].concat();
        is_whole(&read(link, &frame, frame.len() as u64), 40);
    }
    assert_eq!(read(0, &[7, 0, 0, 0, 0x45], 5), Ok(None), "another family");
    assert_eq!(read(1, &[&macs[..], &[0x88, 0xcc, 1]].concat(), 15), Ok(None), "LLDP has no flows");
}

#[test]
fn what_was_not_kept_is_not_missed() {
    let long = v4(6, 1_500, &TCP);
    is_whole(&read(101, &long, 1_500), 1_500);
    is_whole(&read(101, &long[..34], 1_500), 1_500);
    is_whole(&read(101, &v4(6, 0, &TCP), 64_000), 64_000);
    let mut short = long.clone();
    short[0] = 0x44;
    assert!(read(101, &short, 1_500).is_err(), "its header is shorter than one");
    let why = "only 33 of its 1500 bytes were kept, too few for its headers (capture with a larger snapshot length)";
    assert_eq!(read(101, &long[..33], 1_500), Err(why.to_owned()));
    assert_eq!(
        read(101, &long[..33], 33),
        Err("malformed frame: its 33 bytes end within its headers, or these contradict themselves".to_owned())
    );
}

#[test]
fn ipv6_with_extension_headers_and_fragments() {
    let packet = |next: u8, rest: &[u8]| {
        let mut packet = vec![0x60, 0, 0, 0, 0, 100, next, 64];
        packet.extend([0xfe; 16]);
        packet.extend([0xfd; 16]);
        packet.extend(rest);
        packet
    };
    let ports = |found: Result<Option<Headers>, String>| {
        found.map(|found| found.map(|h| (h.from.1, h.to.1, h.bytes)))
    };
    let options =
        packet(0, &[&[51, 0, 0, 0, 0, 0, 0, 0][..], &[6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &TCP].concat());
    assert_eq!(ports(read(229, &options, 140)), Ok(Some((4_000, 22, 140))));
    let fragment = |offset: u8| packet(44, &[&[6, 0, 0, offset, 0, 0, 0, 0][..], &TCP].concat());
    assert_eq!(ports(read(101, &fragment(1), 140)), Ok(Some((4_000, 22, 140))));
    assert_eq!(read(101, &fragment(8), 140), Ok(None), "a later fragment has no ports");
    let echo = packet(58, &[129, 0, 0, 0]);
    assert_eq!(ports(read(101, &echo, 140)), Ok(Some((128, 128, 140))));
    assert!(read(101, &packet(0, &[60]), 41).is_err());
}

proptest::proptest! {
    /// Whatever stands in a frame, it is something.
    #[test]
    fn any_bytes(link in 0..6_usize, bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..120), length in 0..2_000_u64) {
        let link = [0, 1, 9, 101, 113, 276][link];
        let _ = read(link, &bytes, length);
    }
}
