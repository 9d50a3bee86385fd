//! Intents on small random estates: every packet that the rules and the words can tell apart is put to the oracle.

mod estates;
mod naive;
mod reading;

use palisade_analysis::{
    Block, Limits,
    intent::{Intents, Outcome, Proof, Violation, prove, prove_at, read},
};
use palisade_classify::generate::Random;
use palisade_model::Estate;
use palisade_net::{Direction, Flow};

use crate::{cases, small::NOW};
use estates::Maker;
use naive::{Judged, Naive};

/// A random intent, as a file.
fn intent(random: &mut Random) -> String {
    let shape = ["allowed", "forbidden", "only"][random.below(3)];
    let mut things = |with_network: bool| {
        let all = [
            "*",
            "Internet",
            "subnet:a",
            "net/b",
            "asg:g",
            "nic:n0",
            "nic:n1",
            "10.0.0.4",
            "8.8.8.0/24",
            "10.0.0.0/24",
            "nsg:s1",
            "network:net",
            "VirtualNetwork",
        ];
        let count = 1 + random.below(2);
        let words = (0..count).map(|_| match all[random.below(all.len() - usize::from(!with_network))] {
            "net/b" => "\"subnet:net/b\"".to_owned(),
            word => format!("\"{word}\""),
        });
        format!("[{}]", words.collect::<Vec<_>>().join(","))
    };
    let is_allowed = shape == "allowed";
    let (from, to) = (things(!is_allowed), things(!is_allowed));
    let (except_from, except_to) = (things(!is_allowed), things(!is_allowed));
    let services = ["\"*\"", "\"tcp/22\"", "[22, \"icmp\"]", "\"icmp/8\"", "\"tcp\""][random.below(5)];
    let except = match random.below(6) {
        0 => format!("{{ \"from\": {except_from} }}"),
        1 => format!("{{ \"to\": {except_to} }}"),
        2 => format!("{{ \"from\": {except_from}, \"to\": {except_to}, \"services\": \"tcp/22\" }}"),
        3 => "{ \"services\": [\"icmp/8\", 443] }".to_owned(),
        _ => String::new(),
    };
    format!(
        "{{ \"intents\": [{{ \"name\": \"i\", \"{shape}\": {{ \"from\": {from}, \"to\": {to}, \
         \"services\": {services}, \"except\": [{except}] }} }}] }}"
    )
}

fn parsed(text: &str) -> Intents {
    read("test", text).unwrap_or_else(|problems| panic!("{text}: {}", problems[0]))
}

fn proof(estate: &Estate, intents: &Intents) -> Proof {
    let proofs = prove(estate, intents, NOW, Limits::default());
    proofs.expect("small estates are simple").remove(0)
}

fn contains(block: &Block, flow: &Flow) -> bool {
    let counts = flow.protocol().has_ports() || flow.protocol().is_icmp();
    let port = |ports: &palisade_net::PortSet, port| ports.is_full() || (counts && ports.contains(port));
    block.protocols.contains(&flow.protocol())
        && block.sources.contains(flow.source())
        && block.destinations.contains(flow.destination())
        && port(&block.source_ports, flow.source_port())
        && port(&block.destination_ports, flow.destination_port())
}

/// Whether a violation is about a packet as it was judged by the naive evaluation.
fn tells(violation: &Violation, judged: &Judged) -> bool {
    let end = |direction| violation.ends.iter().find(|end| end.direction == direction);
    let is = |direction, place: &Option<palisade_model::ResourceId>| match (end(direction), place) {
        (None, None) => true,
        (Some(end), Some(place)) => end.members.contains(place),
        _ => false,
    };
    is(Direction::Outbound, &judged.sender)
        && is(Direction::Inbound, &judged.receiver)
        && violation.region.blocks.iter().any(|block| contains(block, &judged.flow))
}

/// Where everything is known, an intent holds if no packet violates it, and violations are exactly the packets that do.
#[test]
fn proofs_agree_with_every_packet() {
    let (mut holds, mut violated, mut shapes, mut pairs, mut told) = (0, 0, [0; 3], 0, 0);
    for seed in 0..cases(400) {
        let mut maker = Maker { random: Random::new(seed), open_percent: 0 };
        let spec = maker.estate();
        let estate = estates::validated(&spec);
        let text = intent(&mut maker.random);
        let intents = parsed(&text);
        let proof = proof(&estate, &intents);
        let naive = Naive::of(&estate, &intents.intents[0]);
        let (violating, others) = naive.judged();
        match (&proof.outcome, violating.is_empty()) {
            (Outcome::Holds, true) => holds += 1,
            (Outcome::Undetermined, true) => {
                assert!(proof.doubts.iter().all(|doubt| doubt.possible.is_none()), "seed {seed}: {text}");
            }
            (Outcome::Violated(_), false) => violated += 1,
            (outcome, _) => panic!("seed {seed}: {text}: {outcome:?}, and {:?}", violating.first()),
        }
        for judged in &violating {
            let found = proof.violations().iter().filter(|violation| tells(violation, judged)).count();
            assert_eq!(found, 1, "seed {seed}: {text}: {judged:?} is told {found} times");
            told += 1;
        }
        for judged in &others {
            let found = proof.violations().iter().find(|violation| tells(violation, judged));
            assert!(found.is_none(), "seed {seed}: {text}: {judged:?} is told, but no violation");
        }
        if !violating.is_empty() {
            shapes[intents.intents[0].shape as usize] += 1;
        }
        pairs += proof.violations().iter().filter(|violation| violation.ends.len() == 2).count();
        for violation in proof.violations() {
            assert!(violation.region.rest.is_zero() && !violation.volume.is_zero());
            assert!(violation.region.blocks.iter().any(|block| contains(block, &violation.example)));
        }
    }
    println!("{holds} hold, {violated} violated {shapes:?}, {pairs} pairs, {told} packets told");
    assert!(
        holds > 30 && violated > 100 && shapes.iter().all(|count| *count > 20) && pairs > 20 && told > 5_000
    );
}

/// Where addresses or rules are open, what is said holds however they turn out.
#[test]
fn what_is_said_of_open_estates_holds_of_every_way_they_turn_out() {
    let (mut holds, mut violated, mut undetermined, mut both) = (0, 0, 0, 0);
    for seed in 0..cases(200) {
        let mut maker = Maker { random: Random::new(seed), open_percent: 25 };
        let spec = maker.estate();
        let text = intent(&mut maker.random);
        let intents = parsed(&text);
        let said = proof(&estates::validated(&spec), &intents);
        let ways: Vec<bool> = (0..6)
            .map(|_| {
                let estate = estates::validated(&maker.settled(&spec));
                !Naive::of(&estate, &intents.intents[0]).judged().0.is_empty()
            })
            .collect();
        match said.outcome {
            Outcome::Holds => {
                assert!(ways.iter().all(|way| !way), "seed {seed}: {text} is said to hold");
                holds += 1;
            }
            Outcome::Violated(_) => {
                assert!(ways.iter().all(|way| *way), "seed {seed}: {text} is said to be violated");
                violated += 1;
            }
            Outcome::Undetermined => {
                undetermined += 1;
                both += usize::from(ways.contains(&true) && ways.contains(&false));
            }
        }
    }
    println!("{holds} hold, {violated} violated, {undetermined} undetermined, of which {both} both ways");
    assert!(holds > 10 && violated > 25 && undetermined > 15 && both > 0);
}

/// What is asked about some places is what is said of packets that they judge.
#[test]
fn a_part_is_the_part_of_the_whole() {
    let mut parts = 0;
    for seed in 0..cases(200) {
        let mut maker = Maker { random: Random::new(seed), open_percent: 10 };
        let estate = estates::validated(&maker.estate());
        let intents = parsed(&intent(&mut maker.random));
        let whole = proof(&estate, &intents);
        let asked = estate.nics().next().expect("every estate has an interface").id().clone();
        let part = prove_at(&estate, &intents, &|id| *id == asked, NOW, Limits::default());
        let part = part.expect("small estates are simple").remove(0);
        let is_about = |violation: &Violation| violation.ends.iter().any(|end| end.members.contains(&asked));
        let counted =
            |proof: &Proof| -> usize { proof.violations().iter().filter(|it| is_about(it)).count() };
        assert_eq!(counted(&part) > 0, counted(&whole) > 0, "seed {seed}");
        assert!(part.violations().iter().all(is_about), "seed {seed}");
        parts += counted(&part);
    }
    assert!(parts > 50, "{parts}");
}
