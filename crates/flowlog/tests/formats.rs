//! Logs of every format: written and read again, whole, broken and real.

#[path = "../../arm/tests/support/real_data.rs"]
mod real_data;

use std::{fmt::Write as _, net::IpAddr, path::Path};

use palisade_flowlog::{FlowLog, FlowLogError, Limits, Report, limits, read, read_from};
use palisade_model::{FlowLogFormat, FlowPhase, FlowRecord, FlowTraffic, LoggedDecision};
use palisade_net::{Direction, Flow, Protocol, packet::TcpFlags};
use proptest::prelude::*;

const NSG: &str =
    "/SUBSCRIPTIONS/S/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.NETWORK/NETWORKSECURITYGROUPS/WEB-NSG";
const NIC: &str =
    "/subscriptions/s/resourceGroups/shop/providers/Microsoft.Network/networkInterfaces/web1-nic";

fn log(text: &str) -> FlowLog {
    let mut records = Vec::new();
    let report = read_from(text.as_bytes(), Path::new("log.json"), Limits::default(), &mut |record, _| {
        records.push(record);
    });
    FlowLog { records, report: report.expect("a text can be read") }
}

/// A log of NSG flows, version 2, around some tuples.
fn nsg(rule: &str, tuples: &str) -> String {
    format!(
        r#"{{"records":[{{"time":"2026-01-01T00:00:00Z","category":"NetworkSecurityGroupFlowEvent","resourceId":"{NSG}",
        "properties":{{"Version":2,"flows":[{{"rule":"{rule}","flows":[{{"mac":"000D3A123456","flowTuples":[{tuples}]}}]}}]}}}}]}}"#
    )
}

#[test]
fn what_never_ends_is_not_read_on() {
    let endless = std::io::repeat(0);
    let report =
        read_from(endless, Path::new("zero"), Limits::default(), &mut |_, _| {}).expect("it is a stream");
    let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "zero:1: a record is expected, not \\u{0}",
            "zero:1: a line that is no record is longer than 67108864 bytes; what follows is not read"
        ]
    );
}

/// A record of a virtual network's log around some tuples.
fn network(list: &str, rule: &str, tuples: &str) -> String {
    format!(
        r#"{{"time":"x","flowLogVersion":4,"macAddress":"00-0D-3A-12-34-56","category":"FlowLogFlowEvent","targetResourceID":"{NIC}",
        "flowRecords":{{"flows":[{{"aclID":"{list}","flowGroups":[{{"rule":"{rule}","flowTuples":[{tuples}]}}]}}]}}}}"#
    )
}

fn tcp(direction: Direction, from: &str, to: &str) -> Flow {
    let end = |text: &str| -> (IpAddr, u16) {
        let (address, port) = text.rsplit_once(' ').expect("an address and a port");
        (address.parse().expect("an address"), port.parse().expect("a port"))
    };
    Flow::new(direction, Protocol::TCP, end(from), end(to)).expect("one family")
}

#[test]
fn the_formats_are_told_apart_by_content() {
    let first = log(&nsg("UserRule_web", r#""1700000000,203.0.113.7,10.0.1.4,50000,443,T,I,A""#));
    let [record] = first.records.as_slice() else { panic!("{first:?}") };
    assert_eq!(record.flow, tcp(Direction::Inbound, "203.0.113.7 50000", "10.0.1.4 443"));
    assert_eq!(
        (record.time_ms, record.phase, record.traffic),
        (1_700_000_000_000, FlowPhase::Unstated, None)
    );
    let origin = &first.report.origins[0];
    assert_eq!((origin.format, origin.rule.as_deref()), (FlowLogFormat::Nsg1, Some("web")));
    assert_eq!(origin.nsg.as_ref().map(palisade_model::ResourceId::name), Some("WEB-NSG"));
    assert_eq!(origin.mac.map(|mac| mac.to_string()).as_deref(), Some("00:0d:3a:12:34:56"));

    let second =
        log(&nsg("DefaultRule_DenyAllInBound", r#""1700000000,203.0.113.7,10.0.1.4,50000,22,T,I,D,B,,,,""#));
    assert_eq!(second.records[0].decision, LoggedDecision::Denied);
    assert_eq!(second.report.origins[0].rule.as_deref(), Some("DenyAllInBound"));

    let third = log(&network(
        "guid",
        "UserRule_out",
        r#""1700000000123,10.0.1.4,20.0.0.1,50000,443,6,O,E,NX,1,2,3,4""#,
    ));
    let [record] = third.records.as_slice() else { panic!("{third:?}") };
    let traffic = FlowTraffic {
        packets_to_destination: 1,
        bytes_to_destination: 2,
        packets_to_source: 3,
        bytes_to_source: 4,
    };
    assert_eq!((record.time_ms, record.traffic), (1_700_000_000_123, Some(traffic)));
    assert_eq!(
        third.report.origins[0].target.as_ref().map(palisade_model::ResourceId::name),
        Some("web1-nic")
    );

    let line = r#"{"kind":"end","timeMs":5000,"nic":"web1-nic","slot":1,"direction":"Inbound","protocol":"Tcp","source":"203.0.113.7",
        "sourcePort":5,"destination":"10.0.1.4","destinationPort":443,"beganMs":1,"rules":[{"layer":"Subnet","list":"web-nsg","rule":"securityRules/a","row":0},
        {"layer":"NetworkInterface","list":"nic-nsg","rule":"securityRules/b","row":0}],"packetsToDestination":7,"bytesToDestination":70}"#;
    let fourth = log(&line.replace('\n', ""));
    let [record] = fourth.records.as_slice() else { panic!("{fourth:?}") };
    assert_eq!(record.traffic.map(|traffic| traffic.bytes_to_destination), Some(70));
    let origin = &fourth.report.origins[0];
    assert_eq!((origin.format, origin.rule.as_deref()), (FlowLogFormat::Palisade, Some("b")));
}

#[test]
fn what_rules_did_not_decide_says_so() {
    let tuple = r#""1700000000123,10.0.1.4,168.63.129.16,50000,53,17,O,B,X,0,0,0,0""#;
    let zero = "00000000-0000-0000-0000-000000000000";
    for (list, rule) in
        [(zero, "PlatformRule"), ("unspecified", "unspecified"), (zero, "x"), ("g", "PlatformRule")]
    {
        let found = log(&network(list, rule, tuple));
        assert_eq!(found.records[0].decision, LoggedDecision::Elsewhere, "{list} {rule}");
        assert_eq!(found.report.origins[0].nsg, None);
    }
    assert_eq!(log(&network("g", "UserRule_x", tuple)).records[0].decision, LoggedDecision::Allowed);
}

#[test]
fn a_bad_tuple_is_told_with_its_place_and_the_rest_is_read() {
    let good = r#""1700000000,203.0.113.7,10.0.1.4,50000,443,T,I,A,E,1,2,3,4""#;
    let bad = [
        r#""1700000000,203.0.113.7,10.0.1.4,50000,443,T,I,A,E,1,2,3""#,
        r#""now,203.0.113.7,10.0.1.4,50000,443,T,I,A,E,1,2,3,4""#,
        r#""1700000000,203.0.113.700,10.0.1.4,50000,443,T,I,A,E,1,2,3,4""#,
        r#""1700000000,203.0.113.7,fd00::1,50000,443,T,I,A,E,1,2,3,4""#,
        r#""1700000000,203.0.113.7,10.0.1.4,65536,443,T,I,A,E,1,2,3,4""#,
        r#""1700000000,203.0.113.7,10.0.1.4,50000,443,X,I,A,E,1,2,3,4""#,
        r#""1700000000,203.0.113.7,10.0.1.4,50000,443,T,X,A,E,1,2,3,4""#,
        r#""1700000000,203.0.113.7,10.0.1.4,50000,443,T,I,X,E,1,2,3,4""#,
        r#""1700000000,203.0.113.7,10.0.1.4,50000,443,T,I,A,X,1,2,3,4""#,
        r#""1700000000,203.0.113.7,10.0.1.4,50000,443,T,I,A,E,-1,2,3,4""#,
        r#""18446744073709551615,203.0.113.7,10.0.1.4,50000,443,T,I,A,E,1,2,3,4""#,
        "17",
        "null",
    ];
    for bad in bad {
        let found = log(&nsg("UserRule_a", &format!("{good},{bad},{good}")));
        assert_eq!((found.records.len(), found.report.counts.malformed), (2, 1), "{bad}");
        let [problem] = found.report.problems.as_slice() else {
            panic!("{bad}: {:?}", found.report.problems)
        };
        assert_eq!(problem.path, "records[0].properties.flows[0].flows[0].flowTuples[1]", "{bad}");
        assert!(problem.to_string().starts_with("log.json:2: records[0]"), "{problem}");
    }
}

#[test]
fn files_that_are_not_strict_json_are_read_as_far_as_they_go() {
    let tuple = r#""1700000000,203.0.113.7,10.0.1.4,50000,443,T,I,A,E,,,,""#;
    let whole = nsg("UserRule_a", tuple);
    let count = |text: &str| {
        let found = log(text);
        (found.records.len(), found.report.counts.problems)
    };
    assert_eq!(count(&nsg("UserRule_a", &format!("{tuple},"))), (1, 0), "a trailing comma");
    assert_eq!(count(&format!("\u{feff}{whole}\n{whole}")), (2, 0), "two documents");
    assert_eq!(count(&format!("[{whole}]")), (1, 0), "an array of documents");
    let (start, _) = whole.split_at(whole.rfind("]}]}").expect("it ends so"));
    assert_eq!(count(start), (1, 1), "cut in the middle");
    let record = &whole[r#"{"records":["#.len()..whole.len() - 2];
    assert_eq!(count(&format!(",{record},{record}]}}")), (2, 2), "the second half of an hour");
    assert_eq!(count("not a log"), (0, 1));
    assert_eq!(count("{\"value\": [1, 2]}"), (0, 1), "some other JSON");
    assert_eq!(count("\u{1f}\u{8b}"), (0, 1), "no gzip: its bytes are no text");
    let deep = "[".repeat(100_000);
    assert_eq!(count(&format!("{{\"x\":{deep}")), (0, 1), "depth is bounded");
    let long = "x".repeat(limits::STRING_MAX + (1 << 18) + 1);
    assert_eq!(count(&format!("{{\"x\":\"{long}\"}}")).1, 1, "texts are bounded");
}

#[test]
fn a_bad_line_does_not_take_the_others_with_it() {
    let line = r#"{"kind":"deny","timeMs":1,"direction":"Inbound","protocol":"Udp","source":"203.0.113.7","sourcePort":5,"destination":"10.0.1.4","destinationPort":53,"reason":"SubnetDeny","rules":[]}"#;
    let lost = r#"{"kind":"lost","count":12,"by":"kernel"}"#;
    let text = format!("{line}\n{{\"kind\":\"deny\",!!!\n{lost}\n{{\"kind\":\"nonsense\"}}\n{line}\n");
    let found = log(&text);
    assert_eq!((found.records.len(), found.report.counts.lost), (2, 12));
    let lines: Vec<u64> = found.report.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines.first(), Some(&2), "{:?}", found.report.problems);
    assert_eq!(found.records[0].decision, LoggedDecision::Denied);
    let guarded = log(&line.replace("SubnetDeny", "ForeignSource"));
    assert_eq!(guarded.records[0].decision, LoggedDecision::Elsewhere);
}

#[test]
fn counters_of_our_hosts_become_those_since_the_record_before() {
    let line = |kind: &str, bytes: u64| {
        format!(
            r#"{{"kind":"{kind}","timeMs":9,"slot":1,"direction":"Outbound","protocol":"Tcp","source":"10.0.1.4","sourcePort":5,"destination":"20.0.0.1","destinationPort":443,"beganMs":2,"bytesToSource":{bytes}}}"#
        )
    };
    let text = [line("begin", 0), line("continue", 100), line("continue", 250), line("end", 300)].join("\n");
    let bytes: Vec<_> =
        log(&text).records.iter().map(|record| record.traffic.map(|t| t.bytes_to_source)).collect();
    assert_eq!(bytes, [None, Some(100), Some(150), Some(50)]);
}

#[test]
fn limits_are_named() {
    let tuple = r#""1700000000,203.0.113.7,10.0.1.4,50000,443,T,I,A,E,,,,""#;
    let text = nsg("UserRule_a", &format!("{tuple},{tuple}"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("y=2026/m=01/PT1H.json");
    std::fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
    std::fs::write(&path, &text).expect("a file");
    let read = |limits| read(&[folder.path().to_owned()], limits, &mut |_, _| {});
    let most = Limits { files: 1, bytes: text.len() as u64, flows: 2, origins: 1 };
    assert_eq!(read(most).expect("it is within").counts.flows, 2);
    for (limits, what) in [
        (Limits { files: 0, ..most }, "files"),
        (Limits { bytes: most.bytes - 1, ..most }, "bytes"),
        (Limits { flows: 1, ..most }, "flows"),
        (Limits { origins: 0, ..most }, "origins"),
    ] {
        let error = read(limits).expect_err("it is beyond");
        assert!(matches!(error, FlowLogError::TooMuch { what: named, .. } if named == what), "{error}");
    }
    std::fs::rename(&path, path.with_file_name("notes.txt")).expect("it can be renamed");
    assert!(matches!(read(most), Err(FlowLogError::NoFiles { .. })));
}

/// A flow record as each format can tell it.
fn records() -> impl Strategy<Value = Vec<FlowRecord>> {
    let address = prop_oneof![
        any::<u32>().prop_map(|bits| (IpAddr::V4(bits.into()), true)),
        any::<u128>().prop_map(|bits| (IpAddr::V6(bits.into()), false)),
    ];
    let traffic = (0..1_000u64, 0..9_999_999u64, 0..1_000u64, 0..9_999_999u64);
    let parts = (address, any::<u128>(), any::<(u16, u16, bool, bool, bool)>(), 0..4_000_000_000u64, traffic);
    let record =
        parts.prop_map(|((source, is_v4), other, (from, to, is_tcp, is_out, is_denied), time, counts)| {
            let destination: IpAddr =
                if is_v4 { IpAddr::V4((other as u32).into()) } else { IpAddr::V6(other.into()) };
            let direction = if is_out { Direction::Outbound } else { Direction::Inbound };
            let protocol = if is_tcp { Protocol::TCP } else { Protocol::UDP };
            let flow = Flow::new(direction, protocol, (source, from), (destination, to)).expect("one family");
            let (phase, decision) = match is_denied {
                true => (FlowPhase::Begin, LoggedDecision::Denied),
                false => (FlowPhase::End, LoggedDecision::Allowed),
            };
            let (a, b, c, d) = counts;
            let traffic = FlowTraffic {
                packets_to_destination: a,
                bytes_to_destination: b,
                packets_to_source: c,
                bytes_to_source: d,
            };
            FlowRecord {
                time_ms: time * 1_000,
                flow,
                phase,
                decision,
                traffic: Some(traffic),
                tcp_flags: None,
                origin: 0,
            }
        });
    proptest::collection::vec(record, 1..20)
}

/// The tuples of records in one of Azure's formats.
fn tuples(records: &[FlowRecord], format: FlowLogFormat) -> String {
    let mut text = String::new();
    for FlowRecord { time_ms, flow, decision, traffic, .. } in records {
        let is_denied = *decision == LoggedDecision::Denied;
        let t = traffic.expect("all are counted");
        let counters = format!(
            "{},{},{},{}",
            t.packets_to_destination, t.bytes_to_destination, t.packets_to_source, t.bytes_to_source
        );
        let ends = format!(
            "{},{},{},{}",
            flow.source(),
            flow.destination(),
            flow.source_port(),
            flow.destination_port()
        );
        let way = if flow.direction() == Direction::Inbound { 'I' } else { 'O' };
        let letter = if flow.protocol() == Protocol::TCP { 'T' } else { 'U' };
        let verdict = if is_denied { 'D' } else { 'A' };
        let tuple = match format {
            FlowLogFormat::Nsg1 => format!("{},{ends},{letter},{way},{verdict}", time_ms / 1_000),
            FlowLogFormat::Nsg2 => {
                let state = if is_denied { 'B' } else { 'E' };
                format!("{},{ends},{letter},{way},{verdict},{state},{counters}", time_ms / 1_000)
            }
            _ => {
                let state = if is_denied { 'D' } else { 'E' };
                format!("{time_ms},{ends},{},{way},{state},NX,{counters}", flow.protocol().0)
            }
        };
        write!(text, "\"{tuple}\",").expect("a text grows");
    }
    text
}

/// Lines of hosts before there were flags are read as they always were; the end of a flow that was cut is told by its cut.
#[test]
fn flags_are_read_where_they_are_told() {
    let line = |kind: &str, rest: &str| {
        format!(
            r#"{{"kind":"{kind}","timeMs":9,"slot":1,"direction":"Inbound","protocol":"Tcp","source":"20.0.0.1","sourcePort":5,"destination":"10.0.1.4","destinationPort":22,"beganMs":2,"packetsToDestination":1{rest}}}"#
        )
    };
    let flags = |rest: &str| {
        let found = log(&line("end", rest));
        assert!(found.report.problems.is_empty(), "{:?}", found.report.problems);
        found.records[0].tcp_flags
    };
    assert_eq!(flags(""), None);
    let both = flags(r#","layer":"Subnet","lastMs":7,"tcpFlagsToDestination":"S","tcpFlagsToSource":"RA""#);
    assert_eq!(both, Some([TcpFlags::SYN, TcpFlags::RST.with(TcpFlags::ACK)]));
    assert_eq!(
        flags(r#","tcpFlagsToDestination":"SAF","tcpFlagsToSource":"""#).unwrap()[1],
        TcpFlags::default()
    );
    assert_eq!(flags(r#","tcpFlagsToDestination":"Q","tcpFlagsToSource":"S""#), None, "no such flag");
    let cut = line("cut", r#","reason":"SubnetDeny","cause":"policy","state":"Cut""#);
    let end = line("end", r#","reason":"TimedOut","cause":"policy","state":"Cut""#);
    let found = log(&format!("{cut}\n{end}\n"));
    assert_eq!((found.records.len(), found.records[0].decision), (1, LoggedDecision::Denied));
}

fn lines(records: &[FlowRecord]) -> String {
    let mut text = String::new();
    for FlowRecord { time_ms, flow, decision, traffic, .. } in records {
        let t = traffic.expect("all are counted");
        let (kind, reason) = match decision {
            LoggedDecision::Denied => ("cut", "PolicyCut"),
            _ => ("end", "TimedOut"),
        };
        writeln!(
            text,
            r#"{{"kind":"{kind}","timeMs":{time_ms},"nicId":"{NIC}","direction":"{}","protocol":"{}","source":"{}","sourcePort":{},"destination":"{}","destinationPort":{},"reason":"{reason}","beganMs":{time_ms},"packetsToDestination":{},"bytesToDestination":{},"packetsToSource":{},"bytesToSource":{}}}"#,
            flow.direction(),
            flow.protocol(),
            flow.source(),
            flow.source_port(),
            flow.destination(),
            flow.destination_port(),
            t.packets_to_destination,
            t.bytes_to_destination,
            t.packets_to_source,
            t.bytes_to_source,
        )
        .expect("a text grows");
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(records in records()) {
        let of = |record: &FlowRecord, format| match format {
            FlowLogFormat::Nsg1 => FlowRecord { phase: FlowPhase::Unstated, traffic: None, ..*record },
            // A flow that is cut ends.
            FlowLogFormat::Palisade => FlowRecord { phase: FlowPhase::End, ..*record },
            _ => *record,
        };
        for format in FlowLogFormat::ALL {
            let text = match format {
                FlowLogFormat::Nsg1 | FlowLogFormat::Nsg2 => nsg("UserRule_a", &tuples(&records, format)),
                FlowLogFormat::VirtualNetwork => network("guid", "UserRule_a", &tuples(&records, format)),
                FlowLogFormat::Palisade => lines(&records),
            };
            let found = log(&text);
            let Report { origins, problems, .. } = &found.report;
            prop_assert!(problems.is_empty(), "{problems:?}");
            prop_assert!(origins.iter().all(|origin| origin.format == format));
            let expect: Vec<FlowRecord> = records.iter().map(|record| of(record, format)).collect();
            prop_assert_eq!(&found.records, &expect, "{}", format);
        }
    }

    /// Nothing that stands in a file breaks the reader, and cutting it never yields more.
    #[test]
    fn any_part_of_a_log_can_be_read(records in records(), cut in 0.0..1.0f64, byte in any::<u8>()) {
        let whole = nsg("UserRule_a", &tuples(&records, FlowLogFormat::Nsg2));
        let at = (whole.len() as f64 * cut) as usize;
        let part = log(&whole[..at]);
        prop_assert!(part.records.len() <= records.len());
        let mut changed = whole.into_bytes();
        changed[at] = byte;
        let report = read_from(changed.as_slice(), Path::new("x"), Limits::default(), &mut |_, _| {});
        prop_assert!(report.is_ok());
    }
}

#[test]
fn real_logs_are_read_whole() {
    let Some(folder) = real_data::folder("flow-logs") else { return };
    assert!(!real_data::json_files(&folder).is_empty());
    let found = FlowLog::read(&[folder], Limits::default()).expect("they can be read");
    let of = |format| {
        let is = |record: &&FlowRecord| found.report.origins[record.origin as usize].format == format;
        found.records.iter().filter(is).count()
    };
    assert_eq!((of(FlowLogFormat::Nsg1), of(FlowLogFormat::Nsg2)), (1_187 + 38, 8));
    assert_eq!((found.report.counts.malformed, found.report.counts.problems), (0, 0));
}
