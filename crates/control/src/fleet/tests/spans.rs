//! The estate of a span judges its interfaces as the whole estate does, and a change of a span is never missed.

use std::cell::Cell;
use std::sync::Arc;

use palisade_arm::estate::{Document as File, Options, read};
use palisade_arm::service_tags;
use palisade_model::{Estate, Layer, ResourceId, Severity, TagCatalog};
use palisade_sync::Documents;
use palisade_sync::documents::SERVICE_TAG_PREFIX;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::estate::{self, Choices, HOSTS, NicChoices, choices, host, network, nic, world};
use crate::fleet::{Renderer, concerned, gather};
use crate::kinds;
use crate::world::{Document, Part, World};

/// The checked estate of ARM's JSON documents, whose rules name these tags.
fn checked(texts: impl Iterator<Item = (String, Vec<u8>)>, tags: TagCatalog) -> Estate {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("JSON is UTF-8");
    let files: Vec<File> = texts.map(|(name, bytes)| File::new(name, text(bytes))).collect();
    let read = read(&files, &Options::default());
    assert!(!read.has_errors(), "{:?}", read.problems);
    let (estate, problems) = Estate::validate(&read.spec, tags);
    let errors: Vec<_> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
    estate.unwrap_or_else(|| panic!("{errors:?}"))
}

fn whole(world: &World) -> Estate {
    let each = world.documents().map(|document| {
        let body = Part::Whole(document.clone()).body();
        (document.id().to_string(), serde_json::to_vec(&body).expect("JSON"))
    });
    checked(each, world.tags().clone())
}

fn documents(world: &World, renderer: &Renderer, number: usize) -> Documents {
    renderer.span(gather(world, &host(number))).expect("within the limits").documents
}

fn part(documents: &Documents) -> Estate {
    let texts = documents.iter().map(|(key, entry)| (key.to_string(), entry.body().to_vec()));
    let (tags, resources): (Vec<_>, Vec<_>) = texts.partition(|(key, _)| key.starts_with(SERVICE_TAG_PREFIX));
    checked(resources.into_iter(), sent_tags(&tags))
}

/// The catalog of the tags that were sent, as a host reads it.
fn sent_tags(documents: &[(String, Vec<u8>)]) -> TagCatalog {
    let tags = documents.iter().flat_map(|(key, body)| {
        let text = str::from_utf8(body).expect("JSON is UTF-8");
        let tags = service_tags::read(text).expect("a file of tags").tags;
        assert_eq!(tags.len(), 1, "{key}");
        assert_eq!(*key, format!("{SERVICE_TAG_PREFIX}{}", tags[0].name.to_ascii_lowercase()));
        tags
    });
    TagCatalog::new(tags.map(|tag| (tag.name.parse().expect("a name"), tag.prefixes)))
}

#[test]
fn a_span_judges_its_interfaces_as_the_whole_estate_does() {
    let reached: [Cell<usize>; 8] = Default::default();
    let reach = |what: usize, holds: bool| reached[what].set(reached[what].get() + usize::from(holds));
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&choices(), |choices| {
        let world = world(&choices);
        let (whole, renderer) = (whole(&world), Renderer::default());
        for (number, chosen) in choices.nics.iter().enumerate() {
            let Some(on) = chosen.host else { continue };
            let sent = documents(&world, &renderer, on);
            let tags: Vec<_> = sent.iter().filter(|(key, _)| key.starts_with(SERVICE_TAG_PREFIX)).collect();
            let part = part(&sent);
            let name = format!("nic{number}");
            let (expect, got) = (whole.nics_named(&name)[0], part.nics_named(&name)[0]);
            prop_assert_eq!(expect, got);
            let policy = whole.effective(expect);
            prop_assert_eq!(&policy, &part.effective(got));
            prop_assert_eq!(whole.open_parts(expect), part.open_parts(got));
            prop_assert_eq!(whole.flow_timeout(expect), part.flow_timeout(got));
            prop_assert_eq!(whole.addresses_of(expect), part.addresses_of(got));
            let endpoints = |estate: &Estate| {
                let leading = estate.inbound_nat_rules().filter(|rule| rule.nic() == Some(expect.id()));
                leading.cloned().collect::<Vec<_>>()
            };
            prop_assert_eq!(endpoints(&whole), endpoints(&part));
            reach(7, endpoints(&part).iter().any(|rule| rule.endpoint().is_ok()));
            reach(0, part.nics().count() < whole.nics().count());
            reach(5, tags.len() > 1);
            reach(6, tags.len() < world.tags().len());
            for (place, layer) in [Layer::Admin, Layer::Subnet, Layer::NetworkInterface, Layer::PublicAddress]
                .into_iter()
                .enumerate()
            {
                reach(place + 1, policy.inbound.iter().any(|own| own.layer == layer));
            }
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(reached.iter().all(|count| count.get() > 30), "reached too little: {reached:?}");
}

/// A change of an estate: what it turns into, told by what is chosen anew.
fn changed(choices: &Choices, what: usize, nic: NicChoices, network: estate::NetworkChoices) -> Choices {
    let mut changed = choices.clone();
    match what % 4 {
        0 => {
            let place = what / 4 % changed.nics.len();
            changed.nics[place] = nic;
        }
        1 => changed.nics.push(nic),
        2 => {
            let place = what / 4 % changed.networks.len();
            changed.networks[place] = network;
        }
        _ => {
            changed.admin = if changed.admin.is_some() { None } else { Some((what / 4 % 3, what / 12 % 3)) };
        }
    }
    changed
}

#[test]
fn a_change_of_a_span_is_never_missed_and_most_changes_concern_few() {
    let (moved, spared) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let input = (choices(), 0..64_usize, nic(), network());
    let checked = runner.run(&input, |(choices, what, nic, network)| {
        let (before, after) = (world(&choices), world(&changed(&choices, what, nic, network)));
        let ids = before.documents().chain(after.documents()).map(|document| document.id().clone());
        let hosts = concerned(&before, &after, &ids.collect::<Vec<_>>());
        let renderer = Renderer::default();
        for number in 0..HOSTS {
            let differs =
                documents(&before, &renderer, number).hash() != documents(&after, &renderer, number).hash();
            let is_told = hosts.contains(&host(number));
            prop_assert!(is_told || !differs, "host-{} is not told", number);
            moved.set(moved.get() + usize::from(differs));
            spared.set(spared.get() + usize::from(!is_told));
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(moved.get() > 100 && spared.get() > 100, "{} moved, {} spared", moved.get(), spared.get());
}

#[test]
fn an_interface_that_joins_a_group_reaches_the_hosts_whose_rules_name_the_group() {
    let choice = |host, groups: &[usize]| NicChoices {
        network: 0,
        subnet: 0,
        nsg: (host == 0).then_some(0),
        groups: groups.iter().copied().collect(),
        public: None,
        host: Some(host),
        forwards: false,
    };
    let networks = vec![estate::NetworkChoices {
        subnets: vec![(None, false)],
        rules: vec![(0, 2, 80)],
        peer: None,
        prefix_set: false,
        has_route: false,
    }];
    let choices = |groups: &[usize]| Choices {
        networks: networks.clone(),
        nics: vec![choice(0, &[]), choice(1, groups), choice(2, &[])],
        admin: None,
    };
    let (before, after) = (world(&choices(&[])), world(&choices(&[0])));
    let hosts = concerned(&before, &after, &[estate::id("networkInterfaces/nic1")]);
    assert_eq!(hosts, [host(0), host(1)].into(), "the third host has nothing to do with the group");
    let renderer = Renderer::default();
    let (old, new) = (documents(&before, &renderer, 0), documents(&after, &renderer, 0));
    let changes = new.changes_since(&old);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].documents.len(), 1, "the delta is the new member alone");
}

#[test]
fn a_span_has_the_tags_that_its_rules_and_routes_name_and_no_others() {
    let nic = |host, network, nsg| NicChoices {
        network,
        subnet: 0,
        nsg,
        groups: [].into(),
        public: None,
        host: Some(host),
        forwards: false,
    };
    let network = |shape, has_table| estate::NetworkChoices {
        subnets: vec![(None, has_table)],
        rules: vec![(0, shape, 80)],
        peer: None,
        prefix_set: false,
        has_route: true,
    };
    let choices = Choices {
        networks: vec![network(6, false), network(4, true), network(4, false)],
        nics: vec![nic(0, 0, Some(0)), nic(1, 1, None), nic(2, 2, Some(0))],
        admin: None,
    };
    let (world, renderer) = (world(&choices), Renderer::default());
    let tags = |number| {
        let sent = documents(&world, &renderer, number);
        let keys = sent.iter().filter_map(|(key, _)| key.strip_prefix(SERVICE_TAG_PREFIX));
        keys.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(tags(0), ["internet", "storage.westus"], "a rule names it");
    assert_eq!(tags(1), ["azurecloud", "internet"], "a route does");
    assert_eq!(tags(2), ["internet"], "default rules name it, and a file replaces what is computed");
    assert_eq!(documents(&World::new(world.catalog().clone()), &renderer, 0).len(), 0);
}

#[test]
fn doors_reach_the_hosts_of_their_machine_and_no_others() {
    let nic = |host| NicChoices {
        network: 0,
        subnet: 0,
        nsg: None,
        groups: [].into(),
        public: None,
        host: Some(host),
        forwards: false,
    };
    let network = estate::NetworkChoices {
        subnets: vec![(None, false)],
        rules: Vec::new(),
        peer: None,
        prefix_set: false,
        has_route: false,
    };
    let bare = world(&Choices { networks: vec![network], nics: vec![nic(0), nic(1)], admin: None });
    let machine = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m";
    let policy = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Security/locations/x/jitNetworkAccessPolicies/p";
    let port = json!({"number": 22, "protocol": "TCP", "maxRequestAccessDuration": "PT1H"});
    let with = |world: &World, id: &str, kind: &str, properties: Value| {
        let mut after = world.clone();
        let id = ResourceId::new(id);
        let kind = kinds::find(kind).expect("a kind");
        let document =
            Document::new(id.clone(), kind, json!({"properties": properties}), "W/\"1\"".into(), 0);
        after.set(&id, Some(&Arc::new(document)));
        (after, id)
    };
    let of = |nic: &str| json!({"networkProfile": {"networkInterfaces": [{"id": estate::id(nic).as_str()}]}});
    let (first, _) = with(&bare, machine, kinds::VM, of("networkInterfaces/nic0"));
    let closed = json!({"virtualMachines": [{"id": machine, "ports": [port]}]});
    let (second, id) = with(&first, policy, kinds::JIT, closed);
    assert_eq!(concerned(&first, &second, &[id]), [host(0)].into());
    let (third, id) = with(&second, machine, kinds::VM, of("networkInterfaces/nic1"));
    assert_eq!(
        concerned(&second, &third, &[id]),
        [host(0), host(1)].into(),
        "the one before and the one after"
    );
    let renderer = Renderer::default();
    let rules = |world: &World, on: usize| {
        let sent = documents(world, &renderer, on);
        let doors = sent.iter().filter(|(key, _)| key.contains("palisade.network/timedaccess")).count();
        let part = part(&sent);
        let policy = part.effective(part.nics_named(&format!("nic{on}"))[0]);
        let names = policy.inbound.iter().flat_map(|layer| &layer.rules).map(|rule| rule.name.clone());
        (doors, names.collect::<Vec<_>>())
    };
    assert_eq!(rules(&first, 0), (0, Vec::new()));
    assert_eq!(rules(&second, 0), (1, vec!["closed-22-tcp".to_owned()]));
    assert_eq!(rules(&second, 1), (0, Vec::new()));
    assert_eq!((rules(&third, 0).0, rules(&third, 1).0), (0, 1));
}
