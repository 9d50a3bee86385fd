//! An agent that is killed: what it enforced stays enforced, and the next one takes over without a gap.

use palisade_lab::probe::{
    Outcome::{Answered, Silence},
    Transport::{Icmp, Tcp, Udp},
};
use palisade_net::Family;
use palisade_tests::traffic::{Leak, PingPong, Transfer};

use crate::scene::{Door, Scene};

const RULES: [&str; 3] =
    ["in deny * from * to *", "out allow tcp to Internet to 9000", "out allow udp to Internet to 53"];
const WORDS: u64 = 50_000;
const ANSWERS: u64 = 100;
const ATTEMPTS: u64 = 300;
/// A port that no server of the lab uses.
const CLOSED: u16 = 7777;

const DOORS: [Door; 4] = [
    ("web1", "www", Udp, 53, Answered),
    ("attacker", "web1", Tcp, 80, Silence),
    ("attacker", "web1", Udp, 53, Silence),
    ("web2", "web1", Icmp, 0, Silence),
];

#[test]
fn a_killed_agent_leaves_everything_in_force_and_the_next_adopts_it() {
    let Some(mut scene) = Scene::open(&["web1"], &RULES) else { return };
    let (web1, www, attacker) = (scene.of("web1"), scene.of("www"), scene.of("attacker"));
    let [v4, v6] = Family::ALL;
    let transfer = Transfer::start(&web1, &www, scene.address("web1", "www", v6, 9000));
    let datagrams = PingPong::start(&web1, scene.address("web1", "www", v4, 53));
    let leak = Leak::start(&attacker, &web1, scene.address("attacker", "web1", v4, CLOSED));
    let go_on = || {
        transfer.wait_for_more(WORDS);
        datagrams.wait_for_more(ANSWERS);
        leak.wait_for_more(ATTEMPTS);
    };
    go_on();
    let before = scene.agent.status();
    let generation = before.generation;

    scene.agent.kill();
    let status = scene.agent.status();
    assert!(!status.agent_running && status.loaded && status.nics[0].attached, "{status:?}");
    go_on();
    scene.expect(&DOORS);

    scene.start_agent();
    let adopted = format!("generation {generation} is in force and stays");
    scene.agent.wait_until("the next agent adopts", |status| status.agent_running);
    palisade_tests::wait::wait_for(
        || scene.agent.log().contains(&adopted),
        || panic!("not adopted:\n{}", scene.agent.log()),
    );
    assert_eq!(scene.agent.wait_until_in_force(), generation, "what is in force is not published again");
    assert_eq!(scene.agent.status().nics[0].record, before.nics[0].record);
    go_on();
    scene.expect(&DOORS);
    assert_eq!(leak.arrived(), 0, "packets that rules deny came through");
    let words = transfer.finish();
    let answers = datagrams.finish();

    // Only policy kept them out.
    scene.change(&["web1"], &[&["in allow udp from Internet to 7777"], &RULES[..]].concat());
    leak.wait_for_arrival();
    let denied = leak.finish();
    println!(
        "kill and restart: {words} words and {answers} datagrams passed, of {denied} that were denied none"
    );
}

#[test]
fn an_agent_that_starts_on_a_broken_estate_keeps_what_is_in_force() {
    let Some(mut scene) = Scene::open(&["web1"], &RULES) else { return };
    let generation = scene.agent.status().generation;
    scene.agent.kill();
    scene.write("not JSON");
    scene.start_agent();
    let refused = |status: &palisade_agent::status::Status| status.agent_running && status.refused.is_some();
    let status = scene.agent.wait_until("the estate is refused", refused);
    assert_eq!(status.generation, generation);
    scene.expect(&DOORS);
}
