//! Every kind of target against a real receiver in this process.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::net::UnixDatagram,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use palisade_guard::Severity;
use serde_json::{Value, json};

use super::{Notice, NotifyOptions, Target, TargetError, cef, otlp, queue::Queue, signature::sign, syslog};
use crate::event::{Event, Events};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const PATIENCE: Duration = Duration::from_secs(20);

fn notice(id: &str) -> Notice {
    let alert = json!({
        "id": id, "kind": "bruteforce", "name": "RDP_Incoming_BF_OneToOne", "subject": "203.0.113.9",
        "victims": ["10.0.1.4"], "victimCount": 1, "port": 3389, "protocol": "Tcp", "direction": "Inbound",
        "severity": "Medium", "score": 5.5, "explain": { "guesses": 6 }, "evidence": "a=b|c\\d, 6 guesses",
        "flows": 6, "host": "host-a", "nic": null, "machine": "/vms/web1",
    });
    let Value::Object(alert) = alert else { panic!("an object") };
    let (at_ms, since_ms) = (1_769_846_405_250, 1_769_846_400_000);
    Notice { id: id.to_owned(), severity: Severity::Medium, at_ms, since_ms, alert }
}

/// A queue to a target, and what the operator is told.
fn queue(target: &str, secret: Option<&[u8]>) -> (Queue, mpsc::Receiver<Event>) {
    crate::tls::install_provider();
    let target: Target = target.parse().expect("a target");
    let (told, events) = mpsc::channel();
    let told = Mutex::new(told);
    let events_to = Events::to(move |event| drop(told.lock().expect("no panic").send(event)));
    let way = target.open(secret).expect("it opens");
    (Queue::start(target.to_string(), way, events_to).expect("a thread"), events)
}

/// One request of a webhook or a collector: headers in lower case, and the body; it is answered with a status.
fn request(listener: &TcpListener, status: u16) -> (Vec<String>, Vec<u8>) {
    let (stream, _) = listener.accept().expect("a connection");
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        if line.trim().is_empty() {
            break;
        }
        headers.push(line.trim().to_owned());
    }
    let length = value(&headers, "content-length").parse().expect("a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let answer = format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes()).expect("it is answered");
    (headers, body)
}

fn value(headers: &[String], name: &str) -> String {
    let found = headers.iter().filter_map(|line| line.split_once(':'));
    let mut found = found.filter(|(own, _)| own.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

#[test]
fn a_webhook_is_signed_and_told_again_until_it_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook?key=1", listener.local_addr().expect("an address"));
    let (queue, _events) = queue(&url, Some(SECRET));
    queue.put(&Arc::new(notice("0123456789ab")));
    let (first, body) = request(&listener, 503);
    let (again, same) = request(&listener, 204);
    assert_eq!(body, same);
    assert!(first[0].starts_with("POST /hook?key=1 "), "{first:?}");
    assert_eq!(value(&first, "palisade-event"), "alert");
    assert_eq!(value(&first, "palisade-delivery"), value(&again, "palisade-delivery"));
    let signature = value(&again, "palisade-signature");
    let seconds = signature.split([',', '=']).nth(1).and_then(|text| text.parse().ok()).expect("a time");
    assert_eq!(signature, sign(SECRET, seconds, &body));
    let told: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&told["type"], &told["alert"]["id"]), (&json!("alert"), &json!("0123456789ab")));
}

#[test]
fn what_is_refused_is_lost_and_told_without_the_secret_part_of_its_address() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (queue, events) = queue(&format!("http://{address}/token-1234"), Some(SECRET));
    queue.put(&Arc::new(notice("0123456789ab")));
    request(&listener, 410);
    let lost = events.recv_timeout(PATIENCE).expect("it is told");
    let why = "it refuses with status 410".to_owned();
    assert_eq!(lost, Event::NoticesLost { target: format!("http://{address}"), count: 1, why });
}

#[test]
fn who_does_not_answer_makes_nobody_wait() {
    // It listens and never accepts: a connection comes about, and no answer.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (queue, events) =
        queue(&format!("http://{}/", listener.local_addr().expect("an address")), Some(SECRET));
    let begin = std::time::Instant::now();
    for _ in 0..2_000 {
        queue.put(&Arc::new(notice("0123456789ab")));
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "the queue is full, and nobody waits");
    drop(listener);
    drop(queue);
    let lost = events.into_iter().map(|event| match event {
        Event::NoticesLost { count, .. } => count,
        other => panic!("{other:?}"),
    });
    assert_eq!(lost.sum::<u64>(), 2_000);
}

#[test]
fn a_collector_gets_log_records() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (queue, _events) =
        queue(&format!("otlp+http://{}", listener.local_addr().expect("an address")), None);
    queue.put(&Arc::new(notice("0123456789ab")));
    let (headers, body) = request(&listener, 200);
    assert!(headers[0].starts_with("POST /v1/logs "), "{headers:?}");
    assert_eq!(value(&headers, "content-type"), "application/json");
    let told: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(told, otlp::document(&notice("0123456789ab")));
    let record = &told["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(record["timeUnixNano"], "1769846405250000000");
    assert_eq!((&record["severityNumber"], &record["severityText"]), (&json!(13), &json!("Medium")));
    let attribute = |name: &str| {
        let all = record["attributes"].as_array().expect("attributes");
        all.iter().find(|one| one["key"] == name).map(|one| one["value"].clone())
    };
    assert_eq!(attribute("palisade.alert.port"), Some(json!({ "intValue": "3389" })));
    assert_eq!(attribute("palisade.alert.score"), Some(json!({ "doubleValue": 5.5 })));
    assert_eq!(
        attribute("palisade.alert.victims"),
        Some(json!({ "arrayValue": { "values": [{ "stringValue": "10.0.1.4" }] } }))
    );
    assert_eq!(attribute("palisade.alert.nic"), None);
}

#[test]
fn syslog_is_told_by_every_way() {
    let expected = |message: &str| {
        let (head, line) = message.split_once("CEF:").expect("an event");
        assert!(head.starts_with("<84>1 2026-01-31T08:00:05.250Z "), "{head}");
        assert!(head.ends_with(" palisade - alert - "), "{head}");
        assert_eq!(format!("CEF:{line}"), cef::line(&notice("0123456789ab")));
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let mut buffer = vec![0; syslog::MESSAGE_MAX];
    let (unix, _events) = queue(&format!("syslog+unix://{}", path.display()), None);
    unix.put(&Arc::new(notice("0123456789ab")));
    let length = socket.recv(&mut buffer).expect("a message");
    expected(std::str::from_utf8(&buffer[..length]).expect("text"));

    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let (udp, _events) = queue(&format!("syslog+udp://{}", socket.local_addr().expect("an address")), None);
    udp.put(&Arc::new(notice("0123456789ab")));
    let length = socket.recv(&mut buffer).expect("a message");
    expected(std::str::from_utf8(&buffer[..length]).expect("text"));

    // A stream that the receiver closes is opened again.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (tcp, _events) = queue(&format!("syslog+tcp://{}", listener.local_addr().expect("an address")), None);
    for _ in 0..2 {
        tcp.put(&Arc::new(notice("0123456789ab")));
        let (stream, _) = listener.accept().expect("a connection");
        expected(&framed(stream));
        // The sender sees the end before it writes again.
        thread::sleep(Duration::from_millis(100));
    }
}

/// One message of a stream, by its length.
fn framed(stream: TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut length = Vec::new();
    reader.read_until(b' ', &mut length).expect("a length");
    let length = std::str::from_utf8(&length).expect("text").trim().parse().expect("a number");
    let mut message = vec![0; length];
    reader.read_exact(&mut message).expect("a message");
    String::from_utf8(message).expect("text")
}

#[test]
fn an_event_is_escaped_as_its_format_wants() {
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "CEF:0|Palisade|Palisade|{version}|RDP_Incoming_BF_OneToOne|RDP_Incoming_BF_OneToOne|5|rt=1769846405250 \
         start=1769846400000 end=1769846405250 externalId=0123456789ab cat=bruteforce src=203.0.113.9 dst=10.0.1.4 dpt=3389 \
         proto=TCP deviceDirection=0 cnt=6 dvchost=host-a cs1Label=machine cs1=/vms/web1 cs3Label=subject cs3=203.0.113.9 \
         msg=a\\=b|c\\\\d, 6 guesses"
    );
    assert_eq!(cef::line(&notice("0123456789ab")), expected);
    let mut long = notice("0123456789ab");
    long.alert.insert("evidence".to_owned(), "ü".repeat(syslog::MESSAGE_MAX).into());
    assert!(syslog::message(&long, "a").len() <= syslog::MESSAGE_MAX);
}

#[test]
fn targets_are_read_or_refused_by_name() {
    let shown = |text: &str| text.parse::<Target>().map(|target| target.to_string());
    assert_eq!(shown("https://user:key@hooks.example/a?b").expect("a target"), "https://hooks.example");
    assert_eq!(shown("syslog+udp://[::1]:514").expect("a target"), "syslog+udp://[::1]:514");
    for text in [
        "",
        "hooks.example",
        "ftp://a",
        "syslog+udp://host",
        "syslog+unix://log",
        "https://",
        "syslog+tcp://:1",
    ] {
        let error = shown(text).expect_err(text);
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
    let hook: Target = "https://hooks.example/a".parse().expect("a target");
    for secret in [None, Some(&b"short"[..])] {
        let error = hook.open(secret).err().expect("it needs a secret");
        assert!(matches!(error, TargetError::NoSecret { .. }), "{error}");
    }
    let many = NotifyOptions { targets: vec![hook; 17], ..NotifyOptions::default() };
    assert!(matches!(many.check(), Err(TargetError::TooMany { given: 17 })));
}
