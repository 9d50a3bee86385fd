//! An estate with a rule in error: what is answered all the same holds whatever the rule was meant to be.

use palisade_classify::{Verdict, oracle};
use palisade_model::{Estate, Salvaged, TagCatalog, spec::Text};
use palisade_net::{Direction, Flow, Protocol};

use super::support::{Written, id};
use crate::small::NOW;

const RULES: [&str; 4] = [
    "a 100 Inbound Allow Tcp 8.0.0.0/8 * * 22",
    "b 110 Inbound Deny * 8.8.0.0/16 * * *",
    "c 120 Inbound Allow Tcp * * 10.0.1.4 80-443",
    "d 130 Inbound Deny Tcp * * * 443",
];
/// What the rule in error may have been meant to be, at its priority.
const MEANT: [&str; 4] = [
    "Inbound Allow * * * * *",
    "Inbound Deny * * * * *",
    "Inbound Allow Udp 1.0.0.0/8 * * 53",
    "Inbound Deny Tcp 8.8.8.8 * 10.0.1.4 22",
];

fn flows() -> Vec<Flow> {
    let mut all = Vec::new();
    for source in ["8.8.8.8", "8.1.1.1", "1.1.1.1", "10.0.1.9"] {
        for destination in ["10.0.1.4", "10.0.1.5"] {
            for protocol in [Protocol::TCP, Protocol::UDP] {
                for port in [22, 53, 80, 443, 9999] {
                    let ends = [(source, 50_000), (destination, port)];
                    let [from, to] = ends.map(|(text, port)| (text.parse().expect("an address"), port));
                    all.push(Flow::new(Direction::Inbound, protocol, from, to).expect("one family"));
                }
            }
        }
    }
    all
}

/// Verdicts of all flows at the machine.
fn verdicts(estate: &Estate) -> Vec<Verdict> {
    let nic = estate.nics().next().expect("it is there");
    let policy = estate.effective(nic);
    flows().iter().map(|flow| oracle::decide_by_rules(&policy, flow, NOW).verdict).collect()
}

#[test]
fn known_answers_do_not_depend_on_a_rule_in_error() {
    let (mut known, mut unknown) = (0, 0);
    for wrong in 0..RULES.len() {
        let mut broken = Written::one(&RULES);
        broken.0.nsgs[0].rules[wrong].protocol = Some(Text::known("Gre"));
        let Salvaged { estate, left_out, .. } = Estate::validate_leniently(&broken.0, TagCatalog::default());
        assert_eq!((left_out.len(), &left_out[0].resource), (1, &id("nsg")));
        let answers = verdicts(&estate);
        let fields: Vec<&str> = RULES[wrong].split_whitespace().take(2).collect();
        let meant = MEANT.iter().map(|meant| format!("{} {meant}", fields.join(" ")));
        for meant in meant.chain([RULES[wrong].to_owned()]) {
            let mut rules = RULES.map(str::to_owned);
            rules[wrong] = meant;
            let right = Written::one(&rules.each_ref().map(String::as_str));
            for (answer, right) in answers.iter().zip(verdicts(&right.estate())) {
                match answer {
                    Verdict::Unknown => unknown += 1,
                    known_answer => {
                        assert_eq!(*known_answer, right, "rule {wrong}");
                        known += 1;
                    }
                }
            }
        }
    }
    assert!(known > 100 && unknown > 100, "{known} {unknown}");
}
