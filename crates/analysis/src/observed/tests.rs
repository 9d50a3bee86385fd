//! Records are counted once a flow and put where they were seen, or left out for the reason that fits.

use std::collections::{BTreeMap, BTreeSet};

use palisade_classify::generate::Random;
use palisade_model::{
    FlowLogFormat, FlowTraffic, TagCatalog,
    spec::{At, EstateSpec, IpConfigurationSpec, NicSpec, NsgSpec, SubnetSpec, Text, VirtualNetworkSpec},
};
use palisade_net::Protocol;

use super::*;

const MACS: [&str; 3] = ["00-0D-3A-00-00-01", "00-0D-3A-00-00-02", "00-0D-3A-00-00-03"];

fn id(path: &str) -> ResourceId {
    ResourceId::new(path)
}

fn nic(name: &str, addresses: &[&str], mac: &str) -> NicSpec {
    let configuration = |(number, address): (usize, &&str)| IpConfigurationSpec {
        private_address: Some(Text::known(*address)),
        ipv6: address.contains(':'),
        ..IpConfigurationSpec::new(&format!("c{number}"), id("/vnets/shop/subnets/web"))
    };
    NicSpec {
        mac: Some(Text::known(mac)),
        ip_configurations: addresses.iter().enumerate().map(configuration).collect(),
        ..NicSpec::new(id(&format!("/nics/{name}")))
    }
}

/// Two interfaces of one subnet, the second with two addresses, behind one NSG; and an NSG at nothing.
fn shop() -> Estate {
    let subnet = SubnetSpec {
        address_prefixes: Some(At::known(vec![Text::known("10.0.1.0/24"), Text::known("fd00:0:0:1::/64")])),
        nsg: Some(At::known(id("/nsgs/web"))),
        ..SubnetSpec::new(id("/vnets/shop/subnets/web"))
    };
    let network = VirtualNetworkSpec {
        address_prefixes: Some(At::known(vec![Text::known("10.0.0.0/16"), Text::known("fd00::/48")])),
        subnets: vec![subnet],
        ..VirtualNetworkSpec::new(id("/vnets/shop"))
    };
    let spec = EstateSpec {
        nsgs: vec![NsgSpec::new(id("/nsgs/web")), NsgSpec::new(id("/nsgs/spare"))],
        virtual_networks: vec![network],
        nics: vec![
            nic("one", &["10.0.1.4", "fd00:0:0:1::4"], MACS[0]),
            nic("two", &["10.0.1.5", "10.0.1.6"], MACS[1]),
        ],
        ..EstateSpec::default()
    };
    let (estate, problems) = Estate::validate(&spec, TagCatalog::default());
    estate.unwrap_or_else(|| panic!("{problems:?}"))
}

fn flow(direction: Direction, source: &str, destination: &str) -> Flow {
    let end = |text: &str, port| (text.parse().expect("an address"), port);
    Flow::new(direction, Protocol::TCP, end(source, 50_000), end(destination, 443)).expect("one family")
}

fn record(flow: Flow) -> FlowRecord {
    FlowRecord {
        time_ms: 5_000,
        flow,
        phase: FlowPhase::Begin,
        decision: LoggedDecision::Allowed,
        traffic: None,
        tcp_flags: None,
        origin: 0,
    }
}

/// Who logged: an interface by its hardware address, and a resource.
fn origin(mac: Option<&str>, target: Option<&str>) -> FlowOrigin {
    FlowOrigin {
        format: FlowLogFormat::Nsg2,
        mac: mac.map(|mac| mac.parse().expect("a hardware address")),
        target: target.map(id),
        ..FlowOrigin::default()
    }
}

/// What one record of an origin becomes.
fn seen(origin: &FlowOrigin, flow: Flow) -> Observed {
    let estate = shop();
    let mut observer = Observer::new(&estate);
    observer.add(&record(flow), origin).expect("one flow");
    observer.finish()
}

fn place_of(origin: &FlowOrigin, flow: Flow) -> Result<Place, Unplaced> {
    let found = seen(origin, flow);
    match found.unplaced().keys().next() {
        Some(reason) => Err(*reason),
        None => Ok(found.places()[found.flow(0).place].clone()),
    }
}

#[test]
fn a_flow_is_placed_by_the_hardware_address_then_the_target_then_its_own_address() {
    let (one, two) = (Place::Nic(id("/nics/one")), Place::Nic(id("/nics/two")));
    let to_one = flow(Direction::Inbound, "198.51.100.7", "10.0.1.4");
    let to_none = flow(Direction::Inbound, "198.51.100.7", "10.0.1.77");
    // The hardware address is believed whatever the addresses say, and so is a target that is an interface.
    assert_eq!(place_of(&origin(Some(MACS[0]), None), to_none), Ok(one.clone()));
    assert_eq!(place_of(&origin(None, Some("/nics/one")), to_none), Ok(one.clone()));
    for target in [None, Some("/nsgs/web"), Some("/vnets/shop"), Some("/vnets/shop/subnets/web")] {
        assert_eq!(place_of(&origin(None, target), to_one), Ok(one.clone()), "{target:?}");
        let from_two = flow(Direction::Outbound, "10.0.1.6", "198.51.100.7");
        assert_eq!(place_of(&origin(None, target), from_two), Ok(two.clone()), "{target:?}");
    }
    // No interface has it, and an NSG logged: it is judged by that one alone.
    assert_eq!(place_of(&origin(None, Some("/nsgs/web")), to_none), Ok(Place::Nsg(id("/nsgs/web"))));
    assert_eq!(place_of(&origin(None, Some("/nsgs/spare")), to_one), Ok(Place::Nsg(id("/nsgs/spare"))));
    assert_eq!(place_of(&origin(None, Some("/vnets/shop")), to_none), Err(Unplaced::Address));
    // An unknown hardware address is not that of an interface whose own is known.
    assert_eq!(place_of(&origin(Some(MACS[2]), None), to_one), Err(Unplaced::Address));
    assert_eq!(place_of(&origin(None, Some("/nsgs/gone")), to_one), Err(Unplaced::Resource));
}

#[test]
fn a_resource_of_another_subscription_stands_for_the_only_one_of_its_name() {
    let logged = "/SUBSCRIPTIONS/S/NSGS/WEB";
    let found = seen(&origin(None, Some(logged)), flow(Direction::Inbound, "198.51.100.7", "10.0.1.4"));
    assert_eq!(found.places(), [Place::Nic(id("/nics/one"))]);
    assert_eq!(found.by_name().iter().collect::<Vec<_>>(), [(&id(logged), &id("/nsgs/web"))]);
    // A subnet of that name is something else.
    let other = origin(None, Some("/s/subnets/spare"));
    assert_eq!(
        place_of(&other, flow(Direction::Inbound, "198.51.100.7", "10.0.1.4")),
        Err(Unplaced::Resource)
    );
}

#[test]
fn an_inbound_flow_that_shows_a_public_address_goes_to_the_machines_own() {
    let shown = flow(Direction::Inbound, "198.51.100.7", "20.1.2.3");
    let found = seen(&origin(Some(MACS[0]), None), shown);
    assert_eq!(found.flow(0).flow, flow(Direction::Inbound, "198.51.100.7", "10.0.1.4"));
    assert_eq!(found.translated(), 1);
    assert_eq!(place_of(&origin(Some(MACS[1]), None), shown), Err(Unplaced::Translated));
    let outbound = flow(Direction::Outbound, "20.1.2.3", "198.51.100.7");
    let found = seen(&origin(Some(MACS[0]), None), outbound);
    assert_eq!((found.flow(0).flow, found.translated()), (outbound, 0));
}

#[test]
fn what_is_not_decided_by_rules_is_counted_and_is_no_flow() {
    let estate = shop();
    let mut observer = Observer::new(&estate);
    let platform = FlowRecord {
        decision: LoggedDecision::Elsewhere,
        ..record(flow(Direction::Inbound, "168.63.129.16", "10.0.1.4"))
    };
    observer.add(&platform, &origin(Some(MACS[0]), None)).expect("one flow");
    let found = observer.finish();
    assert_eq!((found.len(), found.elsewhere().records), (0, 1));
}

/// Addresses of both families, few enough that flows repeat.
fn any(random: &mut Random) -> FlowRecord {
    let number = random.below(40);
    let (peer, own) = match random.below(3) {
        0 => (format!("2001:db8::{number:x}"), "fd00:0:0:1::4".to_owned()),
        _ => (format!("198.51.100.{number}"), "10.0.1.4".to_owned()),
    };
    let (direction, source, destination) = match random.chance(50) {
        true => (Direction::Inbound, peer, own),
        false => (Direction::Outbound, own, peer),
    };
    let traffic = random.chance(70).then(|| FlowTraffic {
        packets_to_destination: random.below(9) as u64,
        bytes_to_source: random.below(900) as u64,
        ..FlowTraffic::default()
    });
    FlowRecord {
        time_ms: random.below(100_000) as u64,
        phase: *random.pick(&[FlowPhase::Begin, FlowPhase::Continue, FlowPhase::End, FlowPhase::Unstated]),
        decision: *random.pick(&[LoggedDecision::Allowed, LoggedDecision::Denied]),
        traffic,
        origin: random.below(2) as u32,
        ..record(flow(direction, &source, &destination))
    }
}

/// One key of the naive count: direction, both addresses, what was said and by which rule.
type Naive = (String, LoggedDecision, Option<String>);

#[test]
fn every_record_is_counted_at_its_flow_as_a_naive_count_does() {
    let estate = shop();
    let mut observer = Observer::new(&estate);
    let mut random = Random::new(11);
    let rules = ["first", "second"];
    let origins = rules
        .map(|rule| FlowOrigin { rule: Some(rule.to_owned()), ..origin(Some(MACS[0]), Some("/nsgs/web")) });
    let mut naive: BTreeMap<Naive, Vec<FlowRecord>> = BTreeMap::new();
    for _ in 0..6_000 {
        let record = any(&mut random);
        let rule = origins[record.origin as usize].rule.clone();
        naive.entry((format!("{:?}", record.flow), record.decision, rule)).or_default().push(record);
        observer.add(&record, &origins[record.origin as usize]).expect("few flows");
    }
    let found = observer.finish();
    let families: BTreeSet<_> = found.flows().map(|seen| seen.flow.family()).collect();
    assert_eq!((found.len(), families.len(), found.sayings().len()), (naive.len(), 2, 4));
    assert!(naive.values().any(|records| records.len() > 20), "flows repeat");
    for seen in found.flows() {
        let saying = &found.sayings()[seen.saying];
        let key = (format!("{:?}", seen.flow), saying.decision, saying.by.rule.clone());
        let records = naive.remove(&key).unwrap_or_else(|| panic!("{key:?} is there once"));
        let traffic = |of: fn(&FlowTraffic) -> u64| -> u64 {
            records.iter().filter_map(|record| record.traffic.as_ref()).map(of).sum()
        };
        let times = || records.iter().map(|record| record.time_ms);
        let expected = Tally {
            records: records.len() as u64,
            packets: traffic(|traffic| traffic.packets_to_destination + traffic.packets_to_source),
            bytes: traffic(|traffic| traffic.bytes_to_destination + traffic.bytes_to_source),
            first_ms: times().min().expect("a record"),
            last_ms: times().max().expect("a record"),
            is_established: records
                .iter()
                .any(|record| matches!(record.phase, FlowPhase::Continue | FlowPhase::End)),
        };
        assert_eq!(seen.tally, expected, "{key:?}");
    }
    assert!(naive.is_empty());
}
