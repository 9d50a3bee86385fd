//! What of an input in error is taken as unknown, and that the rest is what it is.

use palisade_model::{
    Code, Estate, Maybe, Places, Salvaged, TagCatalog, Truth,
    spec::{
        AsgSpec, EstateSpec, FrontendSpec, Given, LoadBalancerSpec, PublicIpSpec, RouteSpec, RouteTableSpec,
    },
};
use palisade_net::Direction;

use crate::support::{accept, id, network, nic, nsg, place, rule, set_of, tags, text, texts, the_nsg};

fn salvage(spec: &EstateSpec) -> Salvaged {
    let (refused, _) = Estate::validate(spec, TagCatalog::default());
    assert!(refused.is_none(), "it is in error");
    Estate::validate_leniently(spec, TagCatalog::default())
}

/// What was left out: resource, rule, code.
fn left_out(salvaged: &Salvaged) -> Vec<(&str, Option<&str>, Code)> {
    let left = salvaged.left_out.iter();
    left.map(|left| (left.resource.as_str(), left.rule.as_deref(), left.problem.code)).collect()
}

#[test]
fn an_input_without_errors_is_what_it_is() {
    let spec = EstateSpec { virtual_networks: vec![network("v", "10.0.0.0/16")], ..nsg(vec![rule(&[])]) };
    let salvaged = Estate::validate_leniently(&spec, TagCatalog::default());
    assert_eq!((salvaged.problems.len(), salvaged.left_out.len()), (0, 0));
    let (web, estate) = (id("/nsgs/web"), accept(&spec, TagCatalog::default()));
    assert_eq!(salvaged.estate.nsg(&web), estate.nsg(&web));
}

#[test]
fn a_rule_in_error_keeps_its_place_and_may_be_anything() {
    let spec = nsg(vec![
        rule(&[("name", "first"), ("priority", "100")]),
        rule(&[("name", "wrong"), ("priority", "110"), ("protocol", "Gre")]),
        rule(&[("name", "last"), ("priority", "120")]),
    ]);
    let salvaged = salvage(&spec);
    assert_eq!(left_out(&salvaged), [("/nsgs/web", Some("wrong"), Code::PalInvalidValue)]);
    let rules = the_nsg(&salvaged.estate, "/nsgs/web").rules(Direction::Inbound);
    let names: Vec<&str> = rules.iter().map(palisade_model::Rule::name).collect();
    assert_eq!(names[..3], ["first", "wrong", "last"]);
    assert!(rules[0].is_resolved() && rules[2].is_resolved());
    let wrong = &rules[1];
    assert!(!wrong.is_certain() && wrong.access() == Maybe::Unknown && wrong.protocol() == Maybe::Unknown);
}

#[test]
fn a_rule_of_wrong_priority_or_direction_may_be_anywhere() {
    let spec = nsg(vec![rule(&[("priority", "7")]), rule(&[("name", "b"), ("direction", "In")])]);
    let salvaged = salvage(&spec);
    assert_eq!(salvaged.left_out.len(), 2);
    let nsg = the_nsg(&salvaged.estate, "/nsgs/web");
    let counts = Direction::ALL.map(|way| nsg.rules(way).iter().filter(|rule| !rule.is_certain()).count());
    assert_eq!(counts, [2, 1], "the second may be of either direction");
    assert_eq!(nsg.rules(Direction::Inbound)[0].priority(), Maybe::Unknown);
}

#[test]
fn an_nsg_whose_rules_conflict_may_hold_any() {
    let spec = nsg(vec![rule(&[]), rule(&[("name", "b")])]);
    let salvaged = salvage(&spec);
    assert_eq!(left_out(&salvaged), [("/nsgs/web", None, Code::SecurityRuleConflict)]);
    let nsg = the_nsg(&salvaged.estate, "/nsgs/web");
    assert!(!nsg.is_complete() && !nsg.rules(Direction::Inbound)[0].is_certain());
    let mut spec = nsg_with_tags(&[("palisade-mode", "Perhaps")]);
    assert!(!the_nsg(&salvage(&spec).estate, "/nsgs/web").is_certain(), "its mode is not known");
    spec.nsgs[0].tags = None;
    accept(&spec, TagCatalog::default());
}

fn nsg_with_tags(named: &[(&str, &str)]) -> EstateSpec {
    let mut spec = nsg(vec![rule(&[])]);
    spec.nsgs[0].tags = tags(named);
    spec
}

#[test]
fn a_network_in_error_may_have_any_addresses_and_its_subnets_keep_theirs() {
    let mut wrong = network("v", "10.0.0.0/16");
    wrong.address_prefixes = Some(texts("10.0.0.0/40"));
    let mut other = network("w", "10.1.0.0/16");
    other.subnets[0].address_prefixes = Some(texts("10.1.x.0/24"));
    let salvaged = salvage(&EstateSpec { virtual_networks: vec![wrong, other], ..EstateSpec::default() });
    let code = Code::InvalidAddressPrefixFormat;
    assert_eq!(left_out(&salvaged), [("/vnets/v", None, code), ("/vnets/w/subnets/s", None, code)]);
    let networks: Vec<_> = salvaged.estate.virtual_networks().collect();
    assert!(networks[0].addresses().may().is_full() && networks[0].addresses().must().is_empty());
    assert_eq!(networks[0].subnets()[0].addresses().must(), &set_of("10.0.0.0/16"));
    assert_eq!(networks[1].addresses().must(), &set_of("10.1.0.0/16"));
    assert!(networks[1].subnets()[0].addresses().may().is_full());
}

#[test]
fn groups_routes_and_public_addresses_in_error_are_open() {
    let group = AsgSpec { address_prefixes: vec![text("10.0.0.999")], ..AsgSpec::new(id("/asgs/g")) };
    let route = RouteSpec::new("r", "somewhere else", "VirtualAppliance");
    let table = RouteTableSpec { routes: vec![route], ..RouteTableSpec::new(id("/tables/t")) };
    let mut address = PublicIpSpec::new(id("/ips/p"));
    address.sku = Some(text("Gold"));
    let (asgs, route_tables, public_ips) = (vec![group], vec![table], vec![address]);
    let frontends = vec![FrontendSpec::new(id("/lbs/b/f"), "10.0.0.4.5")];
    let load_balancers = vec![LoadBalancerSpec { frontends, ..LoadBalancerSpec::new(id("/lbs/b")) }];
    let mut spec = EstateSpec { asgs, route_tables, public_ips, load_balancers, ..nsg(vec![rule(&[])]) };
    let mut home = network("v", "10.0.0.0/16");
    home.subnets[0].route_table = Some(crate::support::to("/tables/t"));
    spec.virtual_networks = vec![home];
    spec.nics = vec![nic("n", "v", "10.0.0.4")];
    spec.nics[0].ip_configurations[0].public_ip = Some(crate::support::to("/ips/p"));
    let salvaged = salvage(&spec);
    assert_eq!(salvaged.left_out.len(), 4, "{:#?}", salvaged.left_out);
    assert!(salvaged.estate.load_balancers().all(|balancer| balancer.frontends().is_empty()));
    let nic = salvaged.estate.nics().next().expect("it is there");
    let tag = "VirtualNetwork".parse().expect("a tag");
    assert!(salvaged.estate.tag_at(nic, &tag).may().is_full(), "the route may lead anywhere");
    // No NSG stands before it: whether it is closed depends on the kind of its public address.
    let inbound = salvaged.estate.effective(nic).inbound;
    assert!(inbound.len() == 1 && !inbound[0].certain, "{inbound:#?}");
}

#[test]
fn an_interface_in_error_keeps_its_subnet_and_nsg() {
    let mut wrong = nic("n", "v", "10.0.0.300");
    wrong.nsg = Some(crate::support::to("/nsgs/web"));
    let spec = EstateSpec {
        virtual_networks: vec![network("v", "10.0.0.0/16")],
        nics: vec![wrong],
        ..nsg(vec![rule(&[])])
    };
    let salvaged = salvage(&spec);
    assert_eq!(left_out(&salvaged), [("/nics/n", None, Code::InvalidAddressPrefixFormat)]);
    let nic = salvaged.estate.nics().next().expect("it is there");
    assert_eq!(salvaged.estate.addresses_of(nic).may(), &set_of("10.0.0.0/16"));
    assert_eq!(nic.nsg().and_then(Given::known), Some(&id("/nsgs/web")));
    assert_eq!(nic.ip_forwarding(), Truth::No);
}

#[test]
fn places_are_those_of_resources_and_of_rules_that_can_be_told_apart() {
    let twin = |line| rule(&[("name", "twin"), ("line", line)]);
    let mut spec = nsg(vec![rule(&[("line", "10")]), twin("20"), twin("30")]);
    spec.nsgs[0].place = place(1);
    let places = Places::of(&spec);
    let web = id("/nsgs/WEB");
    let line = |name: &str| places.rule(&web, name).map(|place| place.line);
    assert_eq!((line("r"), line("R"), line("twin"), line("gone")), (Some(10), Some(10), Some(1), Some(1)));
    assert_eq!(places.resource(&web), Some(&place(1)));
    assert_eq!(places.resource(&id("/nsgs/other")), None);
}
