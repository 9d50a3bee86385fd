//! Readers of connections: each format from few lines, and bytes that nobody wrote.

use std::{fs, io::Write as _, net::IpAddr};

use flate2::{Compression, write::GzEncoder};
use palisade_flowlog::{ConnectionLog, ConnectionReader, connection_files, read_connections};
use palisade_guard::{Connection, Outcome};
use palisade_net::{
    Direction, Family, Prefix, Protocol,
    packet::{IcmpBody, Packet, TcpFlags, Transport},
};
use proptest::prelude::*;

const ARGUS: &str = "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,SrcPkts,Label\n";
const ZEEK: &str = "#separator \\x09\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\tconn_state\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n";

fn read(bytes: &[u8], home: &[&str]) -> ConnectionLog {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    fs::write(&path, bytes).expect("a file");
    let home: Vec<Prefix> = home.iter().map(|prefix| prefix.parse().expect("a prefix")).collect();
    read_connections(&path, &home).expect("it can be opened")
}

/// Direction, ends, outcome, packets each way, and times in milliseconds.
fn short(connection: &Connection) -> String {
    let (flow, traffic) = (connection.flow, connection.traffic.expect("it is counted"));
    format!(
        "{} {} {}:{} {}:{} {:?} {}/{} {}/{} {}-{}",
        flow.direction(),
        flow.protocol(),
        flow.source(),
        flow.source_port(),
        flow.destination(),
        flow.destination_port(),
        connection.outcome,
        traffic.packets_to_destination,
        traffic.packets_to_source,
        traffic.bytes_to_destination,
        traffic.bytes_to_source,
        connection.start_ms,
        connection.end_ms
    )
}

fn check(log: &ConnectionLog, expect: &[&str]) {
    assert_eq!(log.connections.iter().map(short).collect::<Vec<_>>(), expect, "{log:?}");
}

#[test]
fn argus() {
    let lines = "1970/01/01 00:00:02.5,1.5,tcp,10.0.0.1,40000,   ->,8.8.8.8,443,FSPA_FSPA,0,0,9,900,400,5,flow=Normal\n\
                 1970/01/01 00:00:01.0,0,tcp,8.8.8.8,40000,   ->,10.0.0.1,22,S_RA,0,0,2,120,60,1,\n\
                 1970/01/01 00:00:00.1,0,icmp,10.0.0.1,0x0008,   ->,10.0.0.2,,ECO,0,,1,98,98,1,\n\
                 1970/01/01 00:00:00.2,0,arp,10.0.0.1,,  who,10.0.0.2,,CON,,,2,120,60,1,\n\
                 1970/01/01 00:00:00.2,0,tcp,nobody,1,   ->,10.0.0.2,2,S_,,,2,120,60,1,\n";
    let log = read(format!("{ARGUS}{lines}").as_bytes(), &[]);
    check(
        &log,
        &[
            "Outbound Icmp 10.0.0.1:0 10.0.0.2:8 Unanswered 1/0 98/0 100-100",
            "Inbound Tcp 8.8.8.8:40000 10.0.0.1:22 Refused 1/1 60/60 1000-1000",
            "Outbound Tcp 10.0.0.1:40000 8.8.8.8:443 Answered 5/4 400/500 2500-4000",
        ],
    );
    assert_eq!((log.malformed, log.passed_over, log.problems[0].line), (1, 1, 6));
    assert_eq!(log.problems[0].message, "its SrcAddr cannot be read: \"nobody\"");
}

#[test]
fn zeek_as_text_and_as_json() {
    let text = "2.5\tCabc\t10.0.0.1\t40000\t8.8.8.8\t443\ttcp\t1.5\tSF\t5\t400\t4\t500\n\
                3\tCabd\t10.0.0.1\t40000\t8.8.8.8\t444\ttcp\t-\tS0\t1\t60\t0\t0\n";
    let json = r#"{"ts":2.5,"id.orig_h":"10.0.0.1","id.orig_p":40000,"id.resp_h":"8.8.8.8","id.resp_p":443,"proto":"tcp","duration":1.5,"conn_state":"SF","orig_pkts":5,"orig_ip_bytes":400,"resp_pkts":4,"resp_ip_bytes":500,"tunnel_parents":[]}
{"ts":3,"id.orig_h":"10.0.0.1","id.orig_p":40000,"id.resp_h":"8.8.8.8","id.resp_p":444,"proto":"tcp","conn_state":"S0","orig_pkts":1,"orig_ip_bytes":60,"resp_pkts":0,"resp_ip_bytes":0}
{"ts":3,"id.orig_h":
"#;
    let expect = [
        "Outbound Tcp 10.0.0.1:40000 8.8.8.8:444 Unanswered 1/0 60/0 3000-3000",
        "Outbound Tcp 10.0.0.1:40000 8.8.8.8:443 Answered 5/4 400/500 2500-4000",
    ];
    check(&read(format!("{ZEEK}{text}").as_bytes(), &[]), &expect);
    let log = read(json.as_bytes(), &[]);
    check(&log, &expect);
    assert_eq!(log.malformed, 1, "a line that was cut");
    let inward = read(json.as_bytes(), &["8.0.0.0/8"]);
    assert!(inward.connections.iter().all(|connection| connection.flow.direction() == Direction::Inbound));
}

#[test]
fn zeek_says_how_it_writes() {
    let text = "#separator ,\n#unset_field,(none)\n#path,conn\n\
                #fields,ts,id.orig_h,id.orig_p,id.resp_h,id.resp_p,proto,duration,conn_state,orig_pkts,orig_ip_bytes,resp_pkts,resp_ip_bytes\n\
                3,10.0.0.1,40000,8.8.8.8,444,tcp,(none),S0,1,60,0,0\n";
    check(
        &read(text.as_bytes(), &[]),
        &["Outbound Tcp 10.0.0.1:40000 8.8.8.8:444 Unanswered 1/0 60/0 3000-3000"],
    );
}

#[test]
fn argus_with_other_columns() {
    let text = "StartTime,Dur,Flgs,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,SrcPkts,DstPkts,SrcBytes,DstBytes,State\n\
                2.5,1.5, e *,tcp,10.0.0.1,40000, ->,8.8.8.8,443,5,4,400,500,FIN\n\
                02/01.10:00:00,1.5, e *,tcp,10.0.0.1,40000, ->,8.8.8.8,443,5,,400,,FIN\n";
    let log = read(text.as_bytes(), &[]);
    check(&log, &["Outbound Tcp 10.0.0.1:40000 8.8.8.8:443 Answered 5/4 400/500 2500-4000"]);
    assert_eq!((log.malformed, log.problems[0].message.as_str()), (1, "it has no TotPkts"));
}

/// A capture of packets, a second apart.
fn capture(packets: &[Packet]) -> Vec<u8> {
    let mut bytes =
        vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
    for (second, packet) in (1_u32..).zip(packets) {
        let frame = packet.build().expect("a frame");
        let length = u32::try_from(frame.len()).expect("small");
        for word in [second, 500_000, length, length] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(frame);
    }
    bytes
}

fn tcp(is_back: bool, flags: TcpFlags) -> Packet {
    let ends: [(IpAddr, u16); 2] =
        [("10.0.0.1".parse().expect("v4"), 40_000), ("8.8.8.8".parse().expect("v4"), 22)];
    let (from, to) = if is_back { (ends[1], ends[0]) } else { (ends[0], ends[1]) };
    Packet::new(from.0, to.0, Transport::Tcp { source_port: from.1, destination_port: to.1, flags })
}

#[test]
fn captures() {
    let (syn, ack, rst, fin) = (TcpFlags::SYN, TcpFlags::ACK, TcpFlags::RST, TcpFlags::FIN);
    let life = [
        tcp(false, syn),
        tcp(true, syn.with(ack)),
        tcp(false, ack),
        tcp(true, fin.with(ack)),
        tcp(false, fin.with(ack)),
    ];
    let refused = [tcp(false, syn), tcp(true, rst.with(ack))];
    let outcomes = |packets: &[Packet]| -> Vec<(Outcome, u64, u64)> {
        let log = read(&capture(packets), &[]);
        assert_eq!(log.malformed, 0, "{log:?}");
        log.connections.iter().map(|c| (c.outcome, c.start_ms, c.end_ms)).collect()
    };
    assert_eq!(outcomes(&life), [(Outcome::Answered, 1_500, 5_500)]);
    assert_eq!(outcomes(&refused), [(Outcome::Refused, 1_500, 2_500)]);
    assert_eq!(outcomes(&life[..1]), [(Outcome::Unanswered, 1_500, 1_500)]);
    let again = [&refused[..], &life[..]].concat();
    assert_eq!(
        outcomes(&again),
        [(Outcome::Refused, 1_500, 2_500), (Outcome::Answered, 3_500, 7_500)],
        "one port twice"
    );
    let second_half = read(&capture(&life[1..]), &[]);
    assert_eq!(
        second_half.connections[0].flow.direction(),
        Direction::Outbound,
        "whoever accepts did not begin it"
    );

    let mut cut = capture(&life);
    cut.truncate(cut.len() - 3);
    assert_eq!((read(&cut, &[]).connections.len(), read(&cut, &[]).malformed), (1, 1));

    let ping = |from: &str, to: &str, kind| {
        let (from, to) = (from.parse().expect("v4"), to.parse().expect("v4"));
        let body = IcmpBody::blank(Family::V4, kind);
        Packet::new(from, to, Transport::Icmp { family: Family::V4, kind, code: 0, body })
    };
    let log = read(&capture(&[ping("10.0.0.1", "10.0.0.2", 8), ping("10.0.0.2", "10.0.0.1", 0)]), &[]);
    let found: Vec<_> = log.connections.iter().map(|c| (c.outcome, c.flow.protocol(), c.is_echo())).collect();
    assert_eq!(found, [(Outcome::Answered, Protocol::ICMP, true)]);
}

#[test]
fn compressed_files_are_read_like_others() {
    let line = "1970/01/01 00:00:02.5,1.5,tcp,10.0.0.1,40000,   ->,8.8.8.8,443,FSPA_FSPA,0,0,9,900,400,5,flow=Normal\n";
    let text = format!("{ARGUS}{line}");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).expect("memory can be written");
    let packed = encoder.finish().expect("memory can be written");
    assert_eq!(read(&packed, &[]), read(text.as_bytes(), &[]));
    let cut = read(&packed[..packed.len() - 9], &[]);
    assert_eq!((cut.connections.len(), cut.malformed), (1, 1), "{:?}", cut.problems);
}

#[test]
fn a_flow_that_ends_in_another_file_is_one() {
    let log = |tuple: &str| {
        format!(
            r#"{{"records":[{{"time":"2026-01-01T00:00:00Z","category":"NetworkSecurityGroupFlowEvent",
            "resourceId":"/SUBSCRIPTIONS/S/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.NETWORK/NETWORKSECURITYGROUPS/WEB-NSG",
            "properties":{{"Version":2,"flows":[{{"rule":"UserRule_a","flows":[{{"mac":"000D3A123456","flowTuples":["{tuple}"]}}]}}]}}}}]}}"#
        )
    };
    let folder = tempfile::tempdir().expect("a folder");
    let parts = [
        ("h=01.json", log("1700003500,203.0.113.7,10.0.1.4,50000,443,T,I,A,B,,,,")),
        ("h=02.json", log("1700003700,203.0.113.7,10.0.1.4,50000,443,T,I,A,E,5,500,4,400")),
    ];
    for (name, text) in &parts {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let files = connection_files(&[folder.path().to_owned()]).expect("it can be listed");
    let mut reader = ConnectionReader::new(Vec::new(), 10);
    for file in files.iter().rev() {
        assert_eq!(reader.read_file(file).expect("it can be read").items, 1);
    }
    check(
        &reader.finish(),
        &["Inbound Tcp 203.0.113.7:50000 10.0.1.4:443 Answered 5/4 500/400 1700003500000-1700003700000"],
    );
    let mut small = ConnectionReader::new(Vec::new(), 1);
    let last = files.iter().map(|file| small.read_file(file)).last().expect("two files");
    assert!(last.is_err_and(|error| error.to_string().contains("more than 1 flows")));
}

#[test]
fn what_is_of_no_use_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let large = folder.path().join("large.pcap");
    let file = fs::File::create(&large).expect("a file");
    (&file).write_all(&capture(&[])).expect("it can be written");
    file.set_len((2 << 30) + 1).expect("it may have holes");
    let error = read_connections(&large, &[]).expect_err("it would be held in memory").to_string();
    assert!(error.contains("large.pcap: it has more than 2147483648 bytes (split it"), "{error}");

    let mut reader = ConnectionReader::new(Vec::new(), 10);
    let text = folder.path().join("text");
    fs::write(&text, "hello\nworld\n").expect("a file");
    assert_eq!(reader.read_file(&text).map(|taken| (taken.items, taken.problems)).ok(), Some((0, 1)));
    let message = &reader.finish().problems[0].message;
    assert!(message.starts_with("its format is not known ("), "{message}");
    let mapped = "3\tC\t::ffff:10.0.0.1\t40000\t8.8.8.8\t444\ttcp\t-\tS0\t1\t60\t0\t0\n";
    check(
        &read(format!("{ZEEK}{mapped}").as_bytes(), &[]),
        &["Outbound Tcp 10.0.0.1:40000 8.8.8.8:444 Unanswered 1/0 60/0 3000-3000"],
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever stands in a file, it is read to its end.
    #[test]
    fn any_bytes(start in 0..4_usize, bytes in prop::collection::vec(any::<u8>(), 0..400), text in "[0-9a-z.,:/\\t\\n{}\" _-]{0,300}") {
        let header: &[u8] = match start {
            0 => ARGUS.as_bytes(),
            1 => ZEEK.as_bytes(),
            2 => b"{\"id.orig_h\":\"10.0.0.1\"}\n",
            _ => &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0],
        };
        read(&[header, &bytes].concat(), &[]);
        read(&[header, text.as_bytes()].concat(), &[]);
    }
}
