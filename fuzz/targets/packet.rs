//! The packet parser: any bytes are answered, and what was understood survives being built and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_net::{
    Direction,
    packet::{BuildError, IcmpBody, Ip, Packet, Transport, parse},
};

fuzz_target!(|frame: &[u8]| {
    let Ok(parsed) = parse(frame) else { return };
    for direction in Direction::ALL {
        let flow = parsed.to_flow(direction);
        assert_eq!(flow.is_some(), parsed.ip().is_some());
        let _ = parsed.is_link_control(direction);
        if let Some(flow) = flow {
            let first = Packet::first_of(&flow).build().expect("a header without payload is short");
            assert_eq!(parse(&first).expect("it was built").to_flow(direction), Some(flow));
        }
    }
    if let Some(ip) = parsed.ip() {
        check_round_trip(ip, &frame[ip.payload.clone()]);
    }
});

/// Builds the packet without the options and extension headers, which parsing skips, and reads it again.
fn check_round_trip(ip: &Ip, payload: &[u8]) {
    let packet = Packet {
        hop_limit: ip.hop_limit,
        fragment: ip.is_fragment.then_some((0, true)),
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
    assert_eq!(again.is_fragment, ip.is_fragment);
    assert!(frame[again.payload.clone()].ends_with(payload));
}

fn is_error(transport: &Transport) -> bool {
    matches!(transport, Transport::Icmp { body: IcmpBody::Error(Some(_)), .. })
}
