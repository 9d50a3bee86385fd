//! Every firewall that can be had here does what its rules say, which a lane finds out when it is built.

use palisade_lab::netns::obstacle;

use super::*;
use crate::{
    peers::Peer,
    rules::{Place, generate},
    site::Anchors,
};

/// Connections of a lane: eight, from four ports of two clients.
const FEW: [(u32, u32); 1] = [(3, 2)];

#[test]
fn netns_firewalls_agree_with_the_oracle() {
    if let Some(obstacle) = obstacle() {
        println!("skipped: {obstacle}");
        return;
    }
    let anchors = Anchors::build().expect("anchors are built");
    for family in Family::ALL {
        let rules = Rules::of(generate(family, 10, Place::Last, 3)).expect("the rules are an NSG");
        let generator = anchors.generator(family).expect("the kernel takes the generator");
        let peers = Peer::ALL.map(Firewall::Peer);
        for firewall in [Firewall::None, Firewall::Ours].into_iter().chain(peers) {
            match Lane::build(firewall, &rules, &FEW, &generator) {
                Ok(mut lane) => carries_packets(&mut lane),
                // What a peer needs may be missing here, the tool or what the kernel does for it.
                Err(error @ (Error::PeerMissing { .. } | Error::Lab(_))) if firewall != Firewall::Ours => {
                    println!("skipped: {}: {error}", firewall.name());
                }
                Err(error) => panic!("{} for {family}: {error}", firewall.name()),
            }
        }
    }
}

fn carries_packets(lane: &mut Lane) {
    let times = lane.turn(|lane| {
        lane.establish(0)?;
        Ok([lane.open_flows(16)?, lane.send_on(0, 16)?])
    });
    let times = times.unwrap_or_else(|error| panic!("{}: {error}", lane.firewall().name()));
    assert!(times.iter().all(|time| *time > 0.0), "{times:?}");
    lane.turn(|lane| lane.fence().forget()).expect("connections are forgotten");
}

#[test]
fn netns_a_firewall_that_does_something_else_is_found_out() {
    if let Some(obstacle) = obstacle() {
        println!("skipped: {obstacle}");
        return;
    }
    let generator = Anchors::build().and_then(|anchors| anchors.generator(Family::V4)).expect("it is loaded");
    let mut rules = Rules::of(generate(Family::V4, 10, Place::Last, 3)).expect("the rules are an NSG");
    // The peer is given other rules than the oracle.
    for rule in &mut rules.set.rules {
        rule.allows = !rule.allows;
    }
    let built = Lane::build(Firewall::Peer(Peer::NftSets), &rules, &[], &generator);
    let error = built.expect_err("the probes find the difference").to_string();
    assert!(error.contains("the oracle says otherwise"), "{error}");
}
