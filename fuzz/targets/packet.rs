//! The packet parser: any bytes are answered, and what was understood survives being built and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_net::{
    AddressSet, Direction, Mac,
    packet::{
        BuildError, Fragment, Guards, IcmpBody, Ip, Packet, ParseError, Parsed, Station, Transport, parse,
    },
};

fuzz_target!(|frame: &[u8]| {
    let found = parse(frame);
    check_guards(frame, &found);
    let Ok(parsed) = found else { return };
    for direction in Direction::ALL {
        let flow = parsed.to_flow(direction);
        assert_eq!(flow.is_some(), parsed.ip().is_some());
        if let Some(flow) = flow {
            let first = Packet::first_of(&flow).build().expect("a header without payload is short");
            // A later fragment's protocol may be an extension header, which a first packet does not end with.
            if let Ok(first) = parse(&first) {
                assert_eq!(first.to_flow(direction), Some(flow));
            }
        }
    }
    if let Some(ip) = parsed.ip() {
        check_round_trip(ip, &frame[ip.payload.clone()]);
    }
});

/// No guard lets pass what cannot be read.
fn check_guards(frame: &[u8], found: &Result<Parsed, ParseError>) {
    for guards in [Guards::NONE, Guards::ALL] {
        for direction in Direction::ALL {
            let station = Station { guards, mac: Mac::default(), owned: AddressSet::empty() };
            let passes = station.examine(frame, direction).is_ok();
            let is_unknown = matches!(found, Err(ParseError::UnsupportedEtherType(_)));
            assert!(found.is_ok() || !passes || (is_unknown && guards == Guards::NONE));
        }
    }
}

/// Builds the packet without the options and extension headers, which parsing skips, and reads it again.
fn check_round_trip(ip: &Ip, payload: &[u8]) {
    // Neither its place nor, of a first fragment, its length is known any more.
    if ip.fragment != Fragment::None {
        return;
    }
    let packet = Packet {
        hop_limit: ip.hop_limit,
        ..Packet::new(ip.source, ip.destination, ip.transport.clone()).with_payload(payload)
    };
    let frame = match packet.build() {
        Ok(frame) => frame,
        // The quote of an error is written in front of the payload, which has it already.
        Err(BuildError::Length(_)) if is_error(&ip.transport) => return,
        Err(error) => panic!("{packet:?}: {error}"),
    };
    let parsed = parse(&frame).expect("it was built");
    let again = parsed.ip().expect("it was built as an IP packet");
    assert_eq!((again.source, again.destination), (ip.source, ip.destination));
    assert_eq!((&again.transport, again.hop_limit), (&ip.transport, ip.hop_limit));
    assert_eq!(again.fragment, ip.fragment);
    assert!(frame[again.payload.clone()].ends_with(payload));
}

fn is_error(transport: &Transport) -> bool {
    matches!(transport, Transport::Icmp { body: IcmpBody::Error(Some(_)), .. })
}
