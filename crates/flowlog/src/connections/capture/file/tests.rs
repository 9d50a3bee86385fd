//! Files made by hand, in both byte orders.

use super::*;

/// A block of pcapng.
fn block(is_little: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = u32::try_from(BLOCK + padded).expect("small");
    let word = |word: u32| if is_little { word.to_le_bytes() } else { word.to_be_bytes() };
    let padding = vec![0; padded - body.len()];
    [&word(kind)[..], &word(length), body, &padding, &word(length)].concat()
}

fn words(is_little: bool, words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| if is_little { word.to_le_bytes() } else { word.to_be_bytes() }).collect()
}

/// A section with an interface of a link type, whose times are told in `units` if that is an option's value.
fn section(is_little: bool, link: u16, units: Option<u8>) -> Vec<u8> {
    let start = words(is_little, &[ORDER, 1, u32::MAX, u32::MAX]);
    let short = |word: u16| if is_little { word.to_le_bytes() } else { word.to_be_bytes() };
    let options = units.map(|units| [&short(9)[..], &short(1), &[units, 0, 0, 0], &[0; 4]].concat());
    let interface = [&short(link)[..], &[0; 6], &options.unwrap_or_default()].concat();
    [block(is_little, u32::from_be_bytes(SECTION), &start), block(is_little, block::INTERFACE, &interface)]
        .concat()
}

fn enhanced(is_little: bool, interface: u32, units: u64, frame: &[u8], length: u32) -> Vec<u8> {
    let (high, low) = ((units >> 32) as u32, units as u32);
    let kept = u32::try_from(frame.len()).expect("small");
    let head = words(is_little, &[interface, high, low, kept, length]);
    block(is_little, block::ENHANCED, &[&head, frame].concat())
}

/// Time, what was kept, and length of a frame.
type Whole = (u64, Vec<u8>, u64);

/// Each frame, or why there is none.
fn read(bytes: &[u8]) -> Vec<Result<Whole, String>> {
    let mut found = Vec::new();
    frames(bytes, |frame| {
        found.push(frame.map(|frame| (frame.time_ms, frame.kept.to_vec(), frame.length)));
        Ok::<_, ()>(())
    })
    .expect("nothing ends it");
    found
}

#[test]
fn packets_of_either_byte_order_and_unit() {
    for is_little in [true, false] {
        let seconds = 1_700_000_000_u64;
        let micro = enhanced(is_little, 0, seconds * 1_000_000 + 250_000, b"abc", 90);
        assert_eq!(
            read(&[section(is_little, 1, None), micro].concat()),
            [Ok((1_700_000_000_250, b"abc".to_vec(), 90))]
        );
        let nano = enhanced(is_little, 0, seconds * 1_000_000_000 + 7_000_000, b"ab", 2);
        let binary = enhanced(is_little, 0, (seconds << 10) + 512, b"", 0);
        let both = [section(is_little, 1, Some(9)), nano, section(!is_little, 1, Some(0x8a))].concat();
        assert_eq!(read(&both), [Ok((1_700_000_000_007, b"ab".to_vec(), 2))], "a section may turn the order");
        assert_eq!(
            read(&[section(is_little, 1, Some(0x8a)), binary].concat()),
            [Ok((1_700_000_000_500, Vec::new(), 0))]
        );
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let whole = [section(true, 1, None), enhanced(true, 0, 5_000, b"abc", 3)].concat();
    let with = |more: Vec<u8>| [whole.clone(), more].concat();
    let late = enhanced(true, 0, u64::MAX, b"a", 1);
    let cases = [
        (with(enhanced(true, 7, 0, b"a", 1)), "it is of an interface 7 that is not described"),
        (with(late), "its time is before 1970 or after the year 9999"),
        (
            with(block(true, block::SIMPLE, &[0; 8])),
            "it has no time (simple packet block), and cannot be judged without",
        ),
        (with(block(true, block::ENHANCED, &[0; 12])), "its block is too short"),
        (
            with(vec![6, 0, 0, 0, 0xf0, 0xff, 0xff, 0xff, 1, 2]),
            "the block at byte 84 has an impossible length or is cut off; what follows is not read",
        ),
        (
            with(vec![6, 0]),
            "the block at byte 84 has an impossible length or is cut off; what follows is not read",
        ),
    ];
    for (bytes, why) in cases {
        assert_eq!(read(&bytes), [Ok((5, b"abc".to_vec(), 3)), Err(why.to_owned())]);
    }
    let radio = read(&[section(true, 127, None), enhanced(true, 0, 0, b"a", 1)].concat());
    assert!(
        matches!(&radio[..], [Err(why)] if why.starts_with("frames of link type 127 are not read")),
        "{radio:?}"
    );
    let units = read(&[section(true, 1, Some(100)), enhanced(true, 0, 0, b"a", 1)].concat());
    assert_eq!(
        units,
        [Err("the description of its interface cannot be read".to_owned())],
        "10^100 is no unit"
    );
}

#[test]
fn a_classic_capture_ends_where_a_length_leads_out_of_it() {
    let header = |link: u32| words(false, &[0xa1b2_3c4d, 0x0002_0004, 0, 0, 65_535, link]);
    let packet = words(false, &[10, 999_999_999, 2, 60, 0xabcd_0000]);
    let file = [header(0x1000_0001), packet[..18].to_vec()].concat();
    assert_eq!(read(&file), [Ok((10_999, vec![0xab, 0xcd], 60))], "flags above the link's number");
    let cut = [file, words(false, &[10, 0, 0xffff_ffff, 60])].concat();
    let why = "the capture ends in the middle of a packet, which begins at byte 42".to_owned();
    assert_eq!(read(&cut)[1], Err(why));
    assert!(read(&header(127))[0].as_ref().is_err_and(|why| why.contains("link type 127")));
    assert_eq!(read(&header(1)[..20]), [Err("its header is cut off".to_owned())]);
}
