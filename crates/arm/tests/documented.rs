//! The examples of docs/semantics.md are what is read and taken.

use palisade_arm::estate::{Document, Options, read};
use palisade_model::{Estate, Guards, Mode, Severity, TagCatalog, VirtualNetwork, Window};
use palisade_net::Direction;

const PAGE: &str = include_str!("../../../docs/semantics.md");

/// The JSON blocks of the page, each in its own file.
fn examples() -> Vec<Document> {
    let blocks = PAGE.split("\n```json\n").skip(1).enumerate();
    let text = |block: &str| block.split("\n```").next().expect("a split has a first part").to_owned();
    blocks.map(|(number, block)| Document::new(format!("{number}.json"), text(block))).collect()
}

fn estate() -> Estate {
    let result = read(&examples(), &Options::default());
    assert_eq!(result.problems, []);
    let (estate, problems) = Estate::validate(&result.spec, TagCatalog::default());
    let errors: Vec<_> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
    estate.unwrap_or_else(|| panic!("{errors:#?}"))
}

#[test]
fn the_examples_of_the_page_say_what_it_says_of_them() {
    let estate = estate();
    let rule = |nsg: &str, rule: &str| {
        let rules = estate.nsgs_named(nsg).into_iter().flat_map(|nsg| nsg.rules(Direction::Inbound));
        rules.into_iter().find(|known| known.name() == rule).expect("the page has the rule").clone()
    };
    let window = |first, end| Window::new(Some(first), Some(end)).expect("it is not empty");
    let support = rule("web-nsg", "support");
    assert_eq!((support.window(), support.mode()), (window(1_772_352_000, 1_772_388_000), Mode::Enforce));
    assert_eq!(rule("web-nsg", "no-telnet").mode(), Mode::Audit);
    assert_eq!(rule("db-nsg", "migration").window(), window(1_772_348_400, 1_772_384_400));
    let flushes: Vec<_> = estate.nsgs().map(|nsg| (nsg.name(), nsg.flush_connection())).collect();
    assert!(flushes.contains(&("web-nsg", false)) && flushes.contains(&("db-nsg", true)));
    assert_eq!(estate.virtual_networks().next().and_then(VirtualNetwork::flow_timeout_minutes), Some(30));
    let nic = |name: &str| estate.nics_named(name)[0];
    let expected = Guards { mac: false, vlan: false, source: false, ..Guards::ALL };
    assert_eq!((nic("lb1-nic").guards(), nic("lb1-nic").mode()), (expected, Mode::Audit));
    assert!(!nic("nva-nic").tcp_state_tracking() && nic("lb1-nic").tcp_state_tracking());
}

/// Every setting that is read is on the page.
#[test]
fn the_page_names_every_word() {
    for word in Guards::words().chain(["palisade-mode", "palisade-guards", "palisade-rule:", "expiresAt="]) {
        assert!(PAGE.contains(word), "{word}");
    }
}
