//! Readers of what guests tell: recorded event logs, lines of sshd beside flows, and bytes that nobody wrote.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use palisade_flowlog::{ConnectionLog, ConnectionReader, Origin, read_connections};
use palisade_guard::{Alert, Guard, GuestTold, LogonOutcome, Service, join};
use proptest::prelude::*;

/// 2026-03-01T00:00:00Z.
const WRITTEN_S: u64 = 1_772_323_200;

fn read(bytes: &[u8]) -> ConnectionLog {
    let mut reader = ConnectionReader::new(Vec::new(), 100_000);
    let origin = Origin { bytes: bytes.len() as u64, written: UNIX_EPOCH + Duration::from_secs(WRITTEN_S) };
    reader.read_stream(bytes, Path::new("log"), origin).expect("a slice can be read");
    reader.finish()
}

fn alerts(log: ConnectionLog) -> Vec<Alert> {
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    let joined = join(log.events, &log.connections);
    joined.logons.iter().for_each(|logon| guard.observe_logon(logon, &mut alerts));
    alerts
}

fn names(alerts: &[Alert]) -> Vec<String> {
    alerts.iter().map(Alert::name).collect()
}

#[test]
fn an_auth_log_tells_who_guesses_and_who_gets_in() {
    let line = |n: u64, what: &str| {
        format!("Jan 31 08:00:{n:02} web1 sshd[{n}]: {what} from 203.0.113.7 port {} ssh2\n", 4_000 + n)
    };
    let mut text: String = (0..20).map(|n| line(n, "Failed password for invalid user admin")).collect();
    text.push_str("Jan 31 08:00:20 web1 CRON[1]: (root) CMD (true)\n");
    text.push_str(&line(30, "Accepted password for admin"));
    let log = read(text.as_bytes());
    assert_eq!((log.events.len(), log.passed_over, log.malformed), (21, 1, 0));
    let told = alerts(log);
    assert_eq!(names(&told), ["SSH_Incoming_BF_OneToOne", "SSH_Incoming_BF_Success"]);
    assert_eq!(told[0].since_ms, 1_769_846_400_000);
    let source = "203.0.113.7".parse().expect("an address");
    assert_eq!(
        (told[1].source, told[1].guest.as_ref().map(|guest| guest.machine.as_str())),
        (Some(source), Some("web1"))
    );
}

#[test]
fn a_line_of_no_time_is_told_and_one_that_repeats_is_held_to_the_limit() {
    let failed = "Jan 31 08:00:00 web1 dropbear[1]: Bad password attempt for 'root' from 203.0.113.7:9\n";
    let log = read(format!("{failed}{}", failed.replace("08:00:00", "25:61:00")).as_bytes());
    assert_eq!((log.events.len(), log.passed_over, log.malformed), (1, 0, 1));
    assert_eq!(
        (log.problems[0].line, log.problems[0].message.as_str()),
        (2, "there is no time \"Jan 31 25:61:00\"")
    );
    let text = format!("{failed}{}", "Jan 31 08:00:01 web1 last message repeated 1000 times\n".repeat(3));
    let origin = Origin { bytes: text.len() as u64, written: UNIX_EPOCH + Duration::from_secs(WRITTEN_S) };
    let read_at_most = |max| {
        ConnectionReader::new(Vec::new(), max).read_stream(text.as_bytes(), Path::new("log"), origin).is_ok()
    };
    assert!(read_at_most(3_001) && !read_at_most(3_000));
}

#[test]
fn a_journal_tells_the_same() {
    let entry = |n: u64| {
        let time = 1_769_846_400_000_000 + n * 1_000_000;
        format!(
            "{{\"__REALTIME_TIMESTAMP\":\"{time}\",\"_HOSTNAME\":\"web1\",\"SYSLOG_IDENTIFIER\":\"sshd\",\
             \"MESSAGE\":\"Failed password for root from 203.0.113.7 port {n} ssh2\"}}\n"
        )
    };
    let text: String =
        (1..10).map(entry).chain(["{\"MESSAGE\":[1,2]}\n".to_owned(), "{cut\n".to_owned()]).collect();
    let log = read(text.as_bytes());
    assert_eq!((log.events.len(), log.passed_over, log.malformed), (9, 1, 1));
    assert_eq!(names(&alerts(log)), ["SSH_Incoming_BF_OneToOne"]);
}

fn recorded() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("PALISADE_REAL_DATA").map_or(beside, PathBuf::from).join("evtx");
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: {} is absent (set PALISADE_REAL_DATA)", path.display());
    None
}

/// Event logs below a folder.
fn event_logs(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be listed") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

#[test]
fn recorded_event_logs_tell_of_guesses() {
    let Some(folder) = recorded() else { return };
    // Counted by another reader, and in the last one without four connections over UDP.
    let cases: [(&str, Service, usize, (&str, usize)); 5] = [
        ("smb-password-guessing-security", Service::Smb, 3_561, ("SMB_Incoming_BF_OneToOne", 1)),
        ("ID131-RDP brutforce", Service::Rdp, 154, ("RDP_Incoming_BF_OneToOne", 11)),
        ("ID4-OpenSSH brutforce with non existing users", Service::Ssh, 5, ("", 0)),
        ("ID18456-SQL Server failed login because only", Service::Sql, 6, ("SQL_Incoming_BF_OneToOne", 1)),
        ("rdpcorets_148_mst120_bluekeep", Service::Rdp, 12, ("", 0)),
    ];
    let files = event_logs(&folder);
    for (name, service, count, expected) in cases {
        let path = files.iter().find(|path| path.to_string_lossy().contains(name)).expect("it is there");
        let log = read_connections(path, &[]).expect("it can be read");
        let of = |told: &GuestTold| match told {
            GuestTold::Logon { service, outcome, .. } => {
                assert_eq!(*outcome, LogonOutcome::Failed);
                *service
            }
            GuestTold::Knock { service, .. } => *service,
        };
        assert!(log.events.iter().all(|event| of(&event.what) == service), "{name}");
        assert_eq!((log.events.len(), log.malformed), (count, 0), "{name}: {:?}", log.problems.first());
        let told = alerts(log);
        told.iter().for_each(|alert| println!("{name}: {} {}", alert.name(), alert.evidence));
        assert_eq!(names(&told), vec![expected.0; expected.1], "{name}");
        let machines: BTreeSet<String> =
            told.iter().filter_map(|alert| Some(alert.guest.as_ref()?.machine.clone())).collect();
        assert_eq!(machines.len(), expected.1, "{name}: each machine once");
    }
}

#[test]
fn every_recorded_event_log_is_read_to_its_end() {
    let Some(folder) = recorded() else { return };
    let mut events = 0;
    for path in event_logs(&folder) {
        let log = read_connections(&path, &[]).expect("it can be read");
        println!(
            "{}: {} events, {} others, {:?}",
            path.display(),
            log.events.len(),
            log.passed_over,
            log.problems.first()
        );
        assert!(log.events.len() as u64 + log.passed_over > 0, "{}", path.display());
        events += log.events.len();
    }
    assert!(events > 3_700, "{events}");
}

#[test]
fn a_damaged_event_log_is_read_as_far_as_it_goes() {
    let Some(folder) = recorded() else { return };
    let path = event_logs(&folder)
        .into_iter()
        .find(|path| path.to_string_lossy().contains("ID18456"))
        .expect("it is there");
    let whole = fs::read(path).expect("it can be read");
    // Wherever a byte is wrong, reading ends, and tells of no more than there was.
    for at in (4_096..whole.len().min(20_000)).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xa5;
        assert!(read(&damaged).events.len() <= 6, "byte {at}");
        if at % 11 == 0 {
            read(&damaged[..at]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever stands in a chunk or a line, it is read to its end.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2_000), text in "[ -~\\n]{0,300}") {
        let mut file = b"ElfFile\0".to_vec();
        file.resize(4_096, 0);
        file.extend(b"ElfChnk\0");
        file.resize(4_096 + 512, 0);
        file.extend(b"**\0\0");
        let size = u32::try_from(bytes.len() + 28).expect("small");
        file.extend(size.to_le_bytes());
        file.extend([0; 16]);
        file.extend([0x0f, 1, 1, 0]);
        file.extend(&bytes);
        file.resize(4_096 + 65_536, 0);
        read(&file);
        read(format!("Jan 31 08:00:00 web1 sshd[1]: x\nJan 31 08:00:00 web1 sshd[1]: Failed password for {text}").as_bytes());
    }
}

#[test]
fn recorded_changes_are_told_in_their_order() {
    let Some(folder) = recorded() else { return };
    let files = event_logs(&folder);
    for (name, what) in [
        ("new-user-security", "account-created"),
        ("DE_1102_security_log_cleared", "log-cleared"),
        ("ID4732-User added to local admin groups", "group-member-added"),
        ("ID4781-4738-User renamed", "account-renamed"),
        ("ID4722-Guest account activated", "account-enabled"),
        ("smb-password-guessing-security", "logon-failed"),
    ] {
        let path = files.iter().find(|path| path.to_string_lossy().contains(name)).expect("it is there");
        let bytes = fs::read(path).expect("it can be read");
        let told = palisade_flowlog::chronicle(&bytes, path).expect("it is an event log");
        assert!(
            told.happenings.iter().any(|happening| happening.what == what),
            "{name}: {:?}",
            told.happenings
        );
        assert!(told.happenings.is_sorted_by_key(|happening| happening.time_ms));
    }
}
