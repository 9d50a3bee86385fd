//! `palisade detect`: what is told of recorded flows, in which shape, and exit codes.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{Run, palisade};

/// A flow log of version 2 with these tuples.
fn nsg_log(tuples: &[String]) -> Value {
    let nsg =
        "/SUBSCRIPTIONS/S/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.NETWORK/NETWORKSECURITYGROUPS/WEB-NSG";
    let flows = json!([{ "rule": "UserRule_a", "flows": [{ "mac": "000D3AF87856", "flowTuples": tuples }] }]);
    json!({ "records": [{
        "time": "2026-01-30T19:06:40Z", "category": "NetworkSecurityGroupFlowEvent", "resourceId": nsg,
        "properties": { "Version": 2, "flows": flows },
    }] })
}

fn file(name: &str, content: &[u8]) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("detect-{name}"));
    std::fs::write(&path, content).expect("the file can be written");
    path.to_str().expect("the path is text").to_owned()
}

/// One try a second at a remote desktop.
fn guesses() -> Value {
    let guess = |n: u64| {
        let (at, port) = (1_769_800_000 + n, 50_000 + n);
        format!("{at},203.0.113.9,10.0.1.4,{port},3389,T,I,A,E,9,1800,9,2200")
    };
    nsg_log(&(0..30).map(guess).collect::<Vec<_>>())
}

/// A machine that asks 25 others for remote desktops, of whom every third answers.
fn scan() -> Value {
    let ask = |n: u64| {
        let back = if n % 3 == 1 { "2,120" } else { "0,0" };
        format!("{},10.0.1.4,10.0.2.{n},50000,3389,T,O,A,E,2,120,{back}", 1_769_800_000 + n)
    };
    nsg_log(&(1..26).map(ask).collect::<Vec<_>>())
}

fn lines(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

fn detect(input: &Value) -> Run {
    palisade(&["detect", "-", "--format", "json"], input.to_string().as_bytes())
}

#[test]
fn guessed_passwords_are_told_of_within_ten_tries() {
    let run = detect(&guesses());
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    let alerts = lines(&run);
    assert_eq!(alerts.len(), 1, "{}", run.stdout);
    let explain = json!({ "guesses": 6, "level": 5.5, "limit": 5, "medianBytes": 4_000 });
    let expected = json!({
        "kind": "bruteforce", "name": "RDP_Incoming_BF_OneToOne", "subject": "203.0.113.9",
        "victims": ["10.0.1.4"], "victimCount": 1, "port": 3389, "protocol": "Tcp", "direction": "Inbound",
        "first": "2026-01-30T19:06:40.000Z", "last": "2026-01-30T19:06:45.000Z", "severity": "Medium",
        "score": 5.5, "explain": explain, "flows": 6,
        "evidence": "6 connections of the shape of a guess (median 4000 bytes): a count of 5.5 leaking one in 10 s, more than 5",
    });
    assert_eq!(alerts[0], expected);
}

#[test]
fn a_scan_is_told_of_by_the_eighth_failure_with_its_victims() {
    let alerts = lines(&detect(&scan()));
    let first = &alerts[0];
    assert_eq!(
        (&first["kind"], &first["subject"], &first["name"]),
        (&json!("scan"), &json!("10.0.1.4"), &json!("PortScanning"))
    );
    assert!(first["explain"]["failures"].as_u64().is_some_and(|failures| failures <= 8), "{first}");
    let victims = first["victims"].as_array().expect("a list");
    assert_eq!(first["flows"].as_u64(), Some(victims.len() as u64), "one flow to each: {first}");
    assert!(victims.contains(&json!("10.0.2.2")) && victims.len() <= 12, "{first}");
}

#[test]
fn a_crowd_is_blamed_by_its_network_or_by_its_victim() {
    let crowd = |source: fn(u64) -> String| {
        let guess = |n: u64| {
            let at = 1_769_800_000 + n * 60;
            format!("{at},{},10.0.1.4,50000,22,T,I,A,E,11,1800,9,2200", source(n))
        };
        let alerts = lines(&detect(&nsg_log(&(0..24).map(guess).collect::<Vec<_>>())));
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        let alert = &alerts[0];
        assert_eq!(
            (&alert["name"], &alert["sourceCount"]),
            (&json!("SSH_Incoming_BF_ManyToOne"), &json!(20))
        );
        alert["subject"].clone()
    };
    assert_eq!(crowd(|n| format!("203.0.113.{n}")), "203.0.113.0/24");
    assert_eq!(crowd(|n| format!("203.0.{n}.9")), "10.0.1.4");
}

#[test]
fn files_of_several_formats_are_one_stream() {
    let zeek = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\tconn_state\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n";
    let denied = |n: u64| {
        format!("{}\t198.51.100.7\t4000\t100.64.0.{n}\t22\ttcp\t0.1\tS0\t1\t60\t0\t0\n", 1_769_700_000 + n)
    };
    let text: String = std::iter::once(zeek.to_owned()).chain((1..9).map(denied)).collect();
    let (zeek, nsg) = (file("conn", text.as_bytes()), file("nsg", guesses().to_string().as_bytes()));
    let guarded = ["detect", &zeek, &nsg, "--guarded", "100.64.0.0/10,10.0.0.0/8", "--format", "json"];
    let run = palisade(&guarded, b"");
    let told: Vec<String> = lines(&run).iter().map(|alert| alert["name"].to_string()).collect();
    assert_eq!(told, ["\"PortScanning_Incoming\"", "\"RDP_Incoming_BF_OneToOne\""], "{}", run.stderr);
    // The order of files is nobody's business.
    let turned = ["detect", &nsg, &zeek, "--guarded", "100.64.0.0/10,10.0.0.0/8", "--format", "json"];
    assert_eq!(palisade(&turned, b"").stdout, run.stdout);
    let graver = [&guarded[..], &["--min-severity", "medium"]].concat();
    assert_eq!(lines(&palisade(&graver, b"")).len(), 1);
    let gravest = [&guarded[..], &["--min-severity", "high"]].concat();
    let none = palisade(&gravest, b"");
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));
}

/// What was imported into a flow store is judged as the files are from which it came, or a part of it.
#[test]
fn flow_stores_are_read_as_they_are() {
    let log = file("stored", guesses().to_string().as_bytes());
    let store = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("detect-store");
    let _nothing_left = std::fs::remove_dir_all(&store);
    let store = store.to_str().expect("the path is text");
    let empty = palisade(&["detect", store], b"");
    assert_eq!(empty.code, 2, "{}", empty.stderr);
    assert_eq!(palisade(&["flows", "import", &log, "--to", store], b"").code, 0);
    let run = palisade(&["detect", store, "--format", "json"], b"");
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    assert_eq!(run.stdout, detect(&guesses()).stdout);
    let beside =
        palisade(&["detect", &file("scan", scan().to_string().as_bytes()), store, "--format", "json"], b"");
    assert_eq!(lines(&beside).len(), 2, "{}", beside.stdout);
    let few = ["detect", store, "--from", "1769800000000", "--to", "1769800004000"];
    let few = palisade(&few, b"");
    assert_eq!(few.code, 0, "{} {}", few.stdout, few.stderr);
    let none = palisade(&["detect", store, "--to", "1000"], b"");
    assert_eq!(none.code, 0, "{}", none.stderr);
    let full = palisade(&["detect", store, "--max-flows", "3"], b"");
    assert!(full.code == 2 && full.stderr.contains("more than 3 flows"), "{}", full.stderr);
}

#[test]
fn logons_are_judged_beside_flows() {
    let line = |n: u64, what: &str| {
        format!(
            "2026-01-30T19:06:{n:02}Z web1 sshd[{n}]: {what} for admin from 203.0.113.9 port {} ssh2\n",
            4_000 + n
        )
    };
    let mut log: String = (40..48).map(|n| line(n, "Failed password")).collect();
    log.push_str(&line(59, "Accepted password"));
    let (log, flows) = (file("auth", log.as_bytes()), file("flows-beside", guesses().to_string().as_bytes()));
    let run = palisade(&["detect", &log, &flows, "--format", "json"], b"");
    let alerts = lines(&run);
    let short = |alert: &Value| {
        json!([
            alert["kind"],
            alert["name"],
            alert["subject"],
            alert["victims"],
            alert["account"],
            alert["severity"]
        ])
    };
    let expected = [
        json!(["bruteforce", "RDP_Incoming_BF_OneToOne", "203.0.113.9", ["10.0.1.4"], null, "Medium"]),
        json!(["bruteforce", "SSH_Incoming_BF_OneToOne", "203.0.113.9", ["web1"], "admin", "Medium"]),
        json!(["compromise", "SSH_Incoming_BF_Success", "203.0.113.9", ["web1"], "admin", "Critical"]),
    ];
    assert_eq!(alerts.iter().map(short).collect::<Vec<_>>(), expected, "{}", run.stderr);
    let said = palisade(&["detect", &log], b"");
    let last = said.stdout.lines().last().unwrap_or_default().to_owned();
    assert_eq!(last, "2 alerts (1 critical, 1 medium) in 0 flows and 9 logons of 1 files");
}

#[test]
fn people_read_a_sentence_for_each_alert() {
    let run = palisade(&["detect", "-"], guesses().to_string().as_bytes());
    let expected = "\
Medium        RDP_Incoming_BF_OneToOne: 203.0.113.9 to 10.0.1.4 port 3389
              2026-01-30T19:06:40.000Z to 2026-01-30T19:06:45.000Z, 6 flows: 6 connections of the shape of a guess \
(median 4000 bytes): a count of 5.5 leaking one in 10 s, more than 5
1 alerts (1 medium) in 30 flows of 1 files, 2026-01-30T19:06:40.000Z to 2026-01-30T19:07:09.000Z
";
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (1, expected, ""));
}

#[test]
fn bad_input_is_refused_and_bad_lines_are_told_of() {
    let (nothing, flows) = (file("nothing", b"hello\n"), file("flows", guesses().to_string().as_bytes()));
    for arguments in [
        &["detect"][..],
        &["detect", "/nonexistent/flows"],
        &["detect", &nothing],
        &["detect", &flows, &nothing],
        &["detect", &flows, "--guarded", "10.0.0.1/8"],
        &["detect", &flows, "--min-severity", "grave"],
        &["detect", &flows, "--max-flows", "3"],
    ] {
        let run = palisade(arguments, b"");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?} {}", run.stderr);
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
    let mut log = guesses();
    log["records"][0]["properties"]["flows"][0]["flows"][0]["flowTuples"][7] = json!("nonsense");
    let run = detect(&log);
    assert_eq!((run.code, lines(&run).len()), (1, 1));
    assert!(run.stderr.starts_with("warning: stdin:1: records[0]"), "{}", run.stderr);
}

#[test]
fn a_pipe_without_a_writer_is_waited_for_aloud() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_palisade"));
        let mut child = command
            .arg("detect")
            .arg(&pipe)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut said = String::new();
        let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        stderr.read_line(&mut said).expect("it says something");
        assert!(said.contains("waiting for a writer") && said.contains("pipe"), "{said}");
        child
    };
    let mut child = start();
    let id = nix::unistd::Pid::from_raw(child.id().try_into().expect("an id"));
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).expect("it is there");
    assert_eq!(child.wait().expect("it ends").signal(), Some(2));

    let child = start();
    std::fs::write(&pipe, guesses().to_string()).expect("somebody reads");
    let run = child.wait_with_output().expect("it ends");
    assert_eq!(run.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&run.stdout).contains("RDP_Incoming_BF_OneToOne"));
}

#[test]
fn recorded_attacks_are_found_by_the_command() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("PALISADE_REAL_DATA").map_or(beside, PathBuf::from);
    if !data.join("slips").is_dir() {
        println!("skipped: {} has no recorded attacks (set PALISADE_REAL_DATA)", data.display());
        return;
    }
    let told = |name: &str| -> Vec<(String, String)> {
        let path = data.join(name);
        let run = palisade(&["detect", path.to_str().expect("text"), "--format", "json"], b"");
        let pair = |alert: &Value| (alert["kind"].to_string(), alert["subject"].to_string());
        lines(&run).iter().map(pair).collect()
    };
    let is = |kind: &str, subject: &str| (format!("\"{kind}\""), format!("\"{subject}\""));
    assert_eq!(told("slips/port-scans/vertical/conn.log"), [is("scan", "192.168.1.9")]);
    assert!(told("slips/test11-portscan.binetflow").contains(&is("scan", "10.8.0.69")));
    assert_eq!(told("zeek-traces/ssh/sshguess.pcap"), [is("bruteforce", "192.168.56.1")]);
    assert_eq!(told("zeek-traces/rdp"), []);
}
