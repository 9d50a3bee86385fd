//! Policy that changes under traffic, and estates that cannot be one.

use palisade_lab::probe::{
    Outcome::{Answered, Silence},
    Transport::{Tcp, Udp},
};
use palisade_net::Family;
use palisade_tests::traffic::{PingPong, Transfer};

use crate::scene::Scene;

/// Changes of the policy while traffic goes on.
const SWAPS: u16 = 10;
/// How much traffic passes between two changes.
const WORDS: u64 = 100_000;
const ANSWERS: u64 = 200;

#[test]
fn a_swap_of_policy_costs_no_packet() {
    let base =
        ["out allow tcp to Internet to 9000", "out allow udp to Internet to 53", "out deny * to * to *"];
    let Some(scene) = Scene::open(&["web1"], &base) else { return };
    let (web1, www) = (scene.of("web1"), scene.of("www"));
    let [v4, v6] = Family::ALL;
    let transfer = Transfer::start(&web1, &www, scene.address("web1", "www", v4, 9000));
    let datagrams = [v4, v6].map(|family| PingPong::start(&web1, scene.address("web1", "www", family, 53)));
    let first = scene.agent.status().generation;
    for swap in 1..=SWAPS {
        let new = format!("in allow tcp from 198.51.100.23/32 to {}", 8000 + swap);
        let generation = scene.change(&["web1"], &[&base[..], &[new.as_str()]].concat());
        assert_eq!(generation, first + u64::from(swap), "each estate is published once");
        transfer.wait_for_more(WORDS);
        datagrams.iter().for_each(|stream| stream.wait_for_more(ANSWERS));
    }

    let words = transfer.finish();
    let answers = datagrams.map(PingPong::finish);
    scene.change(&["web1"], &["out deny * to * to *"]);
    scene.expect(&[("web1", "www", Udp, 53, Silence), ("web1", "www", Tcp, 443, Silence)]);
    println!("{SWAPS} swaps under traffic: {words} words of TCP and {answers:?} datagrams, none lost");
}

#[test]
fn a_broken_estate_changes_nothing_and_says_why() {
    let rules = ["in allow tcp from Internet to 80"];
    let Some(scene) = Scene::open(&["web1"], &rules) else { return };
    let doors = [("customer", "web1", Tcp, 80, Answered), ("customer", "web1", Tcp, 443, Silence)];
    scene.expect(&doors);
    let generation = scene.agent.status().generation;

    let broken_rule = palisade_tests::template::of_lab(&["web1"], &["in allow tcp from Internet to 70000"]);
    let cases = [("{ \"resources\": [", "estate.json"), (broken_rule.as_str(), "rule-0")];
    for (text, named) in cases {
        scene.write(text);
        let status = scene.agent.wait_until("the estate is refused", |status| {
            status.refused.as_ref().is_some_and(|refusal| refusal.message.contains(named))
        });
        let refusal = status.refused.as_ref().expect("it was waited for");
        assert!(refusal.problems.iter().any(|problem| problem.is_error), "{refusal:?}");
        assert_eq!(status.generation, generation);
        assert!(status.nics.iter().all(|nic| nic.attached && nic.in_force), "{status:?}");
        scene.expect(&doors);
    }

    let repaired = scene.change(&["web1"], &["in allow tcp from Internet to 443"]);
    assert!(repaired > generation);
    scene.expect(&[("customer", "web1", Tcp, 80, Silence), ("customer", "web1", Tcp, 443, Answered)]);
}
