use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use palisade_abi::verdict::{Layer, Reason};

use super::*;
use crate::compile::{ListNames, RuleNames};

fn names(nic: &str, rule: &str) -> NicNames {
    let list =
        ListNames { layer: Layer::Subnet, list: Some("web-nsg".into()), rows: [rule.to_owned()].into() };
    NicNames {
        id: format!("/nics/{nic}").into(),
        name: nic.into(),
        interface: "vm0".into(),
        rules: RuleNames::for_tests([None, Some(list), None]).into(),
    }
}

fn record() -> Record {
    Record {
        kind: Kind::Deny,
        time_ms: 1_800_000_000_123,
        reason: Some(Reason::SubnetDeny.name()),
        layer: Some(Layer::Subnet),
        cause: None,
        slot: 3,
        generation: 7,
        direction: Direction::Inbound,
        protocol: 6,
        query: None,
        local: ("10.0.0.4".parse().unwrap(), 443),
        remote: ("2001:db8::1".parse().unwrap(), 50_000),
        state: None,
        began_ms: None,
        last_ms: None,
        rules: [None, Some(0), None],
        audited: false,
        midstream: false,
        packets: [5, 0],
        bytes: [0, 0],
        tcp_flags: Some([TcpFlags::SYN, TcpFlags::default()]),
    }
}

#[test]
fn a_line_has_names_and_the_flow_as_its_first_packet_saw_it() {
    let mut book = NameBook::default();
    book.note(3, 5, names("web1", "securityRules/deny-tls"));
    let expect = concat!(
        r#"{"kind":"deny","timeMs":1800000000123,"nic":"web1","nicId":"/nics/web1","interface":"vm0","slot":3,"#,
        r#""direction":"Inbound","protocol":"Tcp","source":"2001:db8::1","sourcePort":50000,"#,
        r#""destination":"10.0.0.4","destinationPort":443,"reason":"SubnetDeny","layer":"Subnet","#,
        r#""rules":[{"layer":"Subnet","list":"web-nsg","rule":"securityRules/deny-tls","row":0}],"#,
        r#""audited":false,"midstream":false,"generation":7,"packetsToDestination":5,"packetsToSource":0,"#,
        r#""bytesToDestination":0,"bytesToSource":0,"tcpFlagsToDestination":"S","tcpFlagsToSource":""}"#,
        "\n"
    );
    assert_eq!(line::of(&record(), &book), expect);

    let out = Record { direction: Direction::Outbound, state: Some(FlowState::Established), ..record() };
    let text = line::of(&out, &book);
    assert!(text.contains(r#""source":"10.0.0.4","sourcePort":443,"destination":"2001:db8::1""#), "{text}");
    assert!(text.contains(r#""state":"Established""#), "{text}");
}

#[test]
fn what_was_too_fast_is_told_with_its_throttle() {
    let mut book = NameBook::default();
    let mut own = names("web1", "securityRules/deny-tls");
    own.rules = own.rules.with_throttle("throttle-slow-Outbound".into()).into();
    book.note(3, 5, own);
    let fast = Record {
        reason: Some(Reason::Throttled.name()),
        layer: Some(Layer::Admin),
        rules: [None; 3],
        direction: Direction::Outbound,
        ..record()
    };
    let text = line::of(&fast, &book);
    let rule = r#""rules":[{"layer":"Admin","rule":"throttle-slow-Outbound","row":0}]"#;
    assert!(text.contains(rule) && text.contains(r#""reason":"Throttled""#), "{text}");
    assert!(!line::of(&record(), &book).contains("slow"), "what another rule denied");
}

#[test]
fn a_rule_that_is_too_long_ago_stays_a_number() {
    let mut book = NameBook::default();
    let text = line::of(&record(), &book);
    assert!(text.contains(r#""slot":3"#) && !text.contains("nic"), "{text}");
    book.note(3, 8, names("web1", "securityRules/new"));
    let text = line::of(&record(), &book);
    assert!(text.contains(r#""nic":"web1""#) && text.contains(r#""rules":[{"row":0}]"#), "{text}");
    let beyond = Record { generation: 8, rules: [None, Some(1), None], ..record() };
    let text = line::of(&beyond, &book);
    assert!(text.contains(r#"{"layer":"Subnet","list":"web-nsg","row":1}"#), "{text}");
}

#[test]
fn names_are_those_of_the_policy_that_judged() {
    let mut book = NameBook::default();
    let rule = |book: &NameBook, generation| {
        let (_, rules) = book.find(3, generation)?;
        Some(rules?.lists(Direction::Inbound)[1].as_ref()?.rows[0].clone())
    };
    for generation in 1..=9 {
        book.note(3, 10 * generation, names("web1", &format!("r{generation}")));
    }
    assert_eq!(rule(&book, 19), None, "only so many are kept");
    assert_eq!(rule(&book, 20).as_deref(), Some("r2"));
    assert_eq!(rule(&book, 89).as_deref(), Some("r8"));
    book.note(3, 90, names("web1", "renamed"));
    assert_eq!(rule(&book, u64::MAX).as_deref(), Some("renamed"));
    assert_eq!(rule(&book, 80).as_deref(), Some("r8"));
    assert!(book.find(4, 100).is_none());
}

/// A server in a folder of its own.
fn server() -> (tempfile::TempDir, EventServer) {
    let dir = tempfile::tempdir().unwrap();
    let server = EventServer::open(&dir.path().join("events.sock")).unwrap();
    (dir, server)
}

fn connect(dir: &tempfile::TempDir) -> BufReader<UnixStream> {
    BufReader::new(UnixStream::connect(dir.path().join("events.sock")).unwrap())
}

fn next(reader: &mut BufReader<UnixStream>) -> String {
    let mut text = String::new();
    reader.read_line(&mut text).unwrap();
    text
}

#[test]
fn everybody_who_listens_hears_every_line() {
    let (dir, mut server) = server();
    let mode = std::fs::metadata(dir.path().join("events.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.serve().unwrap();
    assert!(!server.has_subscribers());
    server.tell("nobody hears\n");
    let mut readers = [connect(&dir), connect(&dir)];
    readers[0].get_mut().write_all(b"thrown away").unwrap();
    server.serve().unwrap();
    server.tell("one\n");
    server.tell("two\n");
    assert_eq!(server.wait_for().count(), 3);
    server.serve().unwrap();
    for reader in &mut readers {
        assert_eq!([next(reader), next(reader)], ["one\n", "two\n"]);
    }
    drop(readers);
    server.serve().unwrap();
    assert!(!server.has_subscribers());
    drop(server);
    assert!(!dir.path().join("events.sock").exists());
}

#[test]
fn a_slow_reader_loses_lines_and_is_told_how_many() {
    let (dir, mut server) = server();
    let (mut slow, mut quick) = (connect(&dir), connect(&dir));
    server.serve().unwrap();
    let long = format!("{}\n", "x".repeat(9_999));
    let lines = 2 * PENDING_BYTES_MAX / long.len();
    for _ in 0..lines {
        server.tell(&long);
        server.serve().unwrap();
        assert_eq!(next(&mut quick).len(), long.len(), "one reader does not keep up another");
    }
    // Every line comes, or is counted.
    let (mut whole, mut lost) = (0, 0);
    while whole + lost < lines {
        server.serve().unwrap();
        let text = next(&mut slow);
        match text.strip_prefix(r#"{"kind":"lost","count":"#) {
            Some(rest) => lost += rest.split(',').next().unwrap().parse::<usize>().unwrap(),
            None => whole += usize::from(text == long),
        }
    }
    assert!(whole + lost == lines && whole > 0 && lost > 0, "{whole} came, {lost} were lost");
    server.tell("again\n");
    server.serve().unwrap();
    assert_eq!(next(&mut slow), "again\n");
}

#[test]
fn one_reader_too_many_is_sent_away() {
    let (dir, mut server) = server();
    let readers: Vec<_> = (0..SUBSCRIBERS_MAX).map(|_| connect(&dir)).collect();
    let mut last = connect(&dir);
    server.serve().unwrap();
    let mut text = String::new();
    last.read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("{{\"kind\":\"refused\",\"readers\":{SUBSCRIBERS_MAX}}}\n"));
    drop(readers);
}

#[test]
fn what_an_agent_left_behind_is_no_obstacle() {
    let (dir, server) = server();
    std::mem::forget(server);
    let mut server = EventServer::open(&dir.path().join("events.sock")).unwrap();
    let mut reader = connect(&dir);
    server.serve().unwrap();
    server.tell("one\n");
    server.serve().unwrap();
    assert_eq!(next(&mut reader), "one\n");
}
