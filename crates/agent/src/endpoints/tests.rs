use std::collections::BTreeMap;

use palisade_model::EndpointProtocol;
use palisade_net::{AddressSet, Prefix};

use super::*;
use crate::state::NicRecord;

fn endpoint(frontend: &str, port: u16, address: &str, sources: Option<&[&str]>) -> Endpoint {
    let set =
        |list: &[&str]| -> AddressSet { list.iter().map(|text| text.parse::<Prefix>().unwrap()).collect() };
    Endpoint {
        frontend: frontend.parse().unwrap(),
        protocol: EndpointProtocol::Tcp,
        public_port: port,
        address: address.parse().unwrap(),
        private_port: 3389,
        sources: sources.map(set),
    }
}

#[test]
fn the_text_replaces_the_table_in_one_transaction() {
    let four =
        endpoint("203.0.113.7", 50_001, "10.0.0.4", Some(&["198.51.100.0/24", "192.0.2.7", "2001:db8::/32"]));
    let six =
        Endpoint { protocol: EndpointProtocol::All, ..endpoint("2001:db8::7", 50_002, "fd00::4", None) };
    let nobody = endpoint("203.0.113.7", 50_003, "10.0.0.4", Some(&["2001:db8::/32"]));
    let all = endpoint("203.0.113.7", 50_004, "10.0.0.4", Some(&["0.0.0.0/0"]));
    let expected = "\
table inet palisade-t
delete table inet palisade-t
table inet palisade-t {
  set sources0 {
    type ipv4_addr
    flags interval
    elements = { 192.0.2.7/32, 198.51.100.0/24 }
  }
  chain sources {
    type filter hook prerouting priority -150; policy accept;
    ip daddr 203.0.113.7 tcp dport 50001 ip saddr != @sources0 drop
    ip daddr 203.0.113.7 tcp dport 50003 drop
  }
  chain translate {
    type nat hook prerouting priority -100; policy accept;
    ip daddr 203.0.113.7 tcp dport 50001 dnat ip to 10.0.0.4:3389
    ip6 daddr 2001:db8::7 tcp dport 50002 dnat ip6 to [fd00::4]:3389
    ip6 daddr 2001:db8::7 udp dport 50002 dnat ip6 to [fd00::4]:3389
    ip daddr 203.0.113.7 tcp dport 50003 dnat ip to 10.0.0.4:3389
    ip daddr 203.0.113.7 tcp dport 50004 dnat ip to 10.0.0.4:3389
  }
}
";
    assert_eq!(script::of("palisade-t", &[&four, &six, &nobody, &all]), expected);
}

#[test]
fn a_name_holds_nothing_that_means_something_to_nftables() {
    assert_eq!(script::table_name("default"), "palisade-default");
    assert_eq!(script::table_name("a b;{x}\n\"é/.."), "palisade-a_b__x___ ___".replace(' ', "_"));
    assert_eq!(script::table_name(&"x".repeat(1000)).len(), 200);
}

fn record(interface: &str) -> NicRecord {
    NicRecord {
        name: interface.to_owned(),
        interface: interface.to_owned(),
        ifindex: 7,
        slot: 1,
        subnet_nsg: None,
        nic_nsg: None,
        audit: Vec::new(),
        guards_off: Vec::new(),
    }
}

fn compiled(id: &str, nic: &str, endpoint: Result<Endpoint, String>) -> CompiledEndpoint {
    CompiledEndpoint { id: id.to_owned(), nic: NicId::from(nic.to_owned()), endpoint }
}

#[test]
fn endpoints_stand_where_their_nic_is_here_and_enforced() {
    let nics = ["a", "b"].map(|nic| (NicId::from(format!("/nics/{nic}")), record(&format!("tap-{nic}"))));
    let mut state = State { nics: BTreeMap::from(nics), ..State::default() };
    state.unenforced.insert("tap-b".to_owned(), "no tcx".to_owned());
    let at = |port| Ok(endpoint("2001:db8::7", port, "fd00::4", None));
    let endpoints = [
        compiled("/r/open", "/nics/a", Err("its frontend is not known".to_owned())),
        compiled("/r/second", "/nics/a", at(50_001)),
        compiled("/r/third", "/nics/a", at(50_001)),
        compiled("/r/unguarded", "/nics/b", at(50_002)),
        compiled("/r/elsewhere", "/nics/c", at(50_003)),
    ];
    let told = records(&endpoints, &state);
    let why = |id: &str| told.iter().find(|record| record.id == id).and_then(|record| record.why.clone());
    assert_eq!(told.len(), 4, "{told:#?}");
    assert_eq!(why("/r/open").as_deref(), Some("its frontend is not known"));
    assert_eq!(
        why("/r/third").as_deref(),
        Some("/r/second has port 50001 of 2001:db8::7 already (give one of them another)")
    );
    assert_eq!(
        why("/r/unguarded").as_deref(),
        Some("nothing is enforced at tap-b, and without that it stays closed")
    );
    let wanted = wanted(&endpoints, &told);
    assert!(wanted.iter().all(|endpoint| endpoint.public_port == 50_001), "{wanted:?}");
    let read: Vec<EndpointRecord> = serde_json::from_value(serde_json::to_value(&told).unwrap()).unwrap();
    assert_eq!(read, told);
}
