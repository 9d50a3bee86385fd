//! Rules that never decide, could go, or name nobody.

use super::support::Written;

#[test]
fn a_hidden_rule_is_told_with_what_hides_it() {
    let estate = Written::one(&[
        "low 100 Inbound Allow Tcp 10.0.0.0/9 * * 443",
        "high 110 Inbound Allow Tcp 10.128.0.0/9 * * 400-500",
        "dead 120 Inbound Allow Tcp 10.0.0.0/8 * * 443",
        "block 130 Inbound Deny Tcp 10.1.0.0/16 * * 443",
    ]);
    assert_eq!(
        estate.ids("PAL-NEVER"),
        ["PAL-NEVER-MATCHED-OTHER-ACTION block", "PAL-NEVER-MATCHED-SAME-ACTION dead"]
    );
    let found = estate.found().findings;
    let dead = found.iter().find(|finding| finding.check.id.ends_with("SAME-ACTION")).expect("it is there");
    assert_eq!(dead.covered_by, ["securityRules/low", "securityRules/high"]);
    assert!(dead.witness.is_some());
}

#[test]
fn a_rule_that_lives_in_one_subnet_is_not_dead() {
    // Where 10.0.2.0/24 is the subnet, the second rule is irrelevant; in the other it decides.
    let estate = Written::default()
        .nsg(
            "nsg",
            &[
                "one 100 Inbound Allow Tcp 10.9.0.0/16 * 10.0.1.0/24 443",
                "two 110 Inbound Allow Tcp 10.9.0.0/16 * 10.0.2.0/24 443",
            ],
        )
        .network(&[("a", "10.0.1.0/24", "nsg"), ("b", "10.0.2.0/24", "nsg")])
        .nic("x", "a", "10.0.1.4", "")
        .nic("y", "b", "10.0.2.4", "");
    assert_eq!(estate.ids("PAL-IRRELEVANT"), Vec::<String>::new());
    assert_eq!(estate.ids("PAL-NEVER"), Vec::<String>::new());
}

#[test]
fn a_rule_that_says_what_comes_next_is_redundant_or_a_duplicate() {
    assert_eq!(
        Written::one(&["vnet 4000 Inbound Allow * VirtualNetwork * VirtualNetwork *"]).ids("PAL-DEFAULT"),
        ["PAL-DEFAULT-DUPLICATE vnet"]
    );
    assert_eq!(
        Written::one(&["some 4000 Inbound Allow Tcp VirtualNetwork * * 443"]).ids("PAL-REDUNDANT"),
        Vec::<String>::new()
    );
    let part = Written::one(&["some 4000 Inbound Allow Tcp VirtualNetwork * VirtualNetwork 443"]);
    assert_eq!(part.ids("PAL-REDUNDANT"), ["PAL-REDUNDANT some"]);
}

#[test]
fn shares_of_partly_hidden_rules_are_told() {
    let estate = Written::one(&[
        "no 100 Inbound Deny Tcp 8.0.0.0/10 * * 443",
        "web 110 Inbound Allow Tcp 8.0.0.0/8 * * 443",
    ]);
    let found = estate.found().findings;
    let partly = found.iter().find(|finding| finding.check.id == "PAL-PARTLY-HIDDEN").expect("it is there");
    assert_eq!(partly.message, "rules before web take 25.0 % of what it matches of IPv4");
}

#[test]
fn rules_that_cross_are_noted_and_exceptions_are_not() {
    let crossing =
        Written::one(&["no 100 Inbound Deny Tcp 8.0.0.0/8 * * *", "web 110 Inbound Allow Tcp * * * 443"]);
    assert_eq!(crossing.ids("PAL-ORDER"), ["PAL-ORDER-SENSITIVE web"]);
    let exception =
        Written::one(&["no 100 Inbound Deny Tcp 8.0.0.0/8 * * 443", "web 110 Inbound Allow Tcp * * * 443"]);
    assert_eq!(exception.ids("PAL-ORDER"), Vec::<String>::new());
}

#[test]
fn a_rule_about_nobody_here_is_told() {
    assert_eq!(
        Written::one(&["other 100 Inbound Allow Tcp * * 10.0.9.0/24 443"]).ids("PAL-IRRELEVANT"),
        ["PAL-IRRELEVANT-HERE other"]
    );
    assert_eq!(
        Written::one(&["out 100 Outbound Allow Tcp 10.0.9.0/24 * * 443"]).ids("PAL-IRRELEVANT"),
        ["PAL-IRRELEVANT-HERE out"]
    );
    assert_eq!(
        Written::one(&["front 100 Inbound Allow Tcp * * 20.30.40.50 443"]).ids("PAL-PUBLIC-ADDRESS"),
        ["PAL-PUBLIC-ADDRESS-NEVER-MATCHES front"]
    );
    assert_eq!(
        Written::one(&["own 100 Inbound Allow Tcp * * 10.0.1.9 443"]).ids("PAL-IRRELEVANT"),
        Vec::<String>::new()
    );
}

#[test]
fn an_empty_group_makes_a_rule_match_nothing() {
    let mut estate = Written::one(&["group 100 Inbound Allow Tcp asg:nobody * * 443"]);
    estate.0.asgs.push(palisade_model::spec::AsgSpec::new(super::support::id("nobody")));
    assert_eq!(estate.ids("PAL-MATCHES"), ["PAL-MATCHES-NOTHING group"]);
}
