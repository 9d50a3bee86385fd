//! Recordings that say themselves who did what, in a file beside them.
//!
//! ```json
//! {"recordings": [{"file": "flows.jsonl", "deeds": [
//!     {"subject": "198.51.100.7", "kind": "guess", "port": 22, "firstMs": 1795398932784}]}]}
//! ```
//!
//! An alert is right if it names the subject, the kind and, where one is given, the port of a deed. What is not understood refuses the file:
//! a deed that nobody reads would be one that nobody misses.

use std::{
    collections::BTreeSet,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use palisade_guard::Alert;
use serde_json::{Map, Value};

use crate::{
    FlowLogError,
    board::{Deed, Judged, Score},
};

/// The file.
pub const DEEDS: &str = "deeds.json";
/// Its size at most.
const BYTES_MAX: u64 = 1 << 20;

/// A recording, and who did what in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// Where it is.
    pub file: PathBuf,
    /// What was done; nothing in a recording of honest work.
    pub deeds: Vec<Done>,
}

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Who.
    pub subject: IpAddr,
    /// What.
    pub kind: Deed,
    /// At which port, if it was one.
    pub port: Option<u16>,
    /// When it began, in milliseconds since 1970.
    pub first_ms: Option<u64>,
}

/// Reads what a folder says of its recordings; nothing if it says nothing.
///
/// # Errors
/// [`FlowLogError::Io`] if the file cannot be read or understood, with the place.
pub fn labelled(folder: &Path) -> Result<Vec<Labelled>, FlowLogError> {
    let file = folder.join(DEEDS);
    let failed = |source| FlowLogError::Io { file: file.clone(), source };
    match fs::metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Ok(found) if found.len() > BYTES_MAX => return Err(failed(invalid("it is larger than 1 MiB"))),
        _ => {}
    }
    let text = fs::read(&file).map_err(failed)?;
    let document: Value = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
    let read = fields(&document, "the document", &["recordings"]).and_then(|fields| {
        list(fields, "recordings")?
            .iter()
            .map(|entry| recording(entry, folder))
            .collect::<io::Result<Vec<_>>>()
    });
    read.map_err(failed)
}

impl Done {
    /// Whether an alert tells of it.
    pub fn is_told_by(&self, alert: &Alert) -> bool {
        alert.source == Some(self.subject)
            && Deed::of(alert.kind) == self.kind
            && (self.port.is_none() || alert.port.is_none() || alert.port == self.port)
    }
}

impl Labelled {
    /// The alerts beside the deeds, and of each deed that was told of the seconds until then.
    pub fn score(&self, judged: &Judged) -> (Score, Vec<f64>) {
        let first = |deed: &Done| judged.alerts.iter().find(|alert| deed.is_told_by(alert));
        let told: Vec<(&Done, &Alert)> =
            self.deeds.iter().filter_map(|deed| Some((deed, first(deed)?))).collect();
        let is_wrong = |alert: &&Alert| !self.deeds.iter().any(|deed| deed.is_told_by(alert));
        let wrong = judged.alerts.iter().filter(is_wrong);
        let wrong: BTreeSet<_> =
            wrong.map(|alert| (alert.source, Deed::of(alert.kind), alert.port)).collect();
        let seconds = |(deed, alert): &(&Done, &Alert)| {
            deed.first_ms.map(|first_ms| alert.time_ms.saturating_sub(first_ms) as f64 / 1e3)
        };
        let score = Score { right: told.len(), wrong: wrong.len(), missed: self.deeds.len() - told.len() };
        (score, told.iter().filter_map(seconds).collect())
    }
}

fn recording(entry: &Value, folder: &Path) -> io::Result<Labelled> {
    let known = fields(entry, "a recording", &["file", "deeds"])?;
    let file = text(known, "file")?;
    let deeds = list(known, "deeds")?.iter().map(deed).collect::<io::Result<_>>()?;
    Ok(Labelled { file: folder.join(file), deeds })
}

fn deed(entry: &Value) -> io::Result<Done> {
    let known = fields(entry, "a deed", &["subject", "kind", "port", "firstMs"])?;
    let subject = text(known, "subject")?;
    let subject = subject.parse().map_err(|_| invalid(&format!("subject '{subject}' is no address")))?;
    let kind = match text(known, "kind")? {
        "scan" => Deed::Scan,
        "guess" => Deed::Guess,
        "beacon" => Deed::Beacon,
        "other" => Deed::Other,
        word => return Err(invalid(&format!("kind '{word}' is none of scan, guess, beacon, other"))),
    };
    let number = |name: &str| match known.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            value.as_u64().map(Some).ok_or_else(|| invalid(&format!("{name} {value} is no whole number")))
        }
    };
    let port =
        number("port")?.map(u16::try_from).transpose().map_err(|_| invalid("a port is above 65535"))?;
    Ok(Done { subject, kind, port, first_ms: number("firstMs")? })
}

/// The fields of an object, none of which may be unknown.
fn fields<'v>(value: &'v Value, what: &str, known: &[&str]) -> io::Result<&'v Map<String, Value>> {
    let fields = value.as_object().ok_or_else(|| invalid(&format!("{what} is no object")))?;
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(invalid(&format!("{what} has '{name}', which is none of {}", known.join(", ")))),
        None => Ok(fields),
    }
}

fn list<'v>(fields: &'v Map<String, Value>, name: &str) -> io::Result<&'v Vec<Value>> {
    fields.get(name).and_then(Value::as_array).ok_or_else(|| invalid(&format!("{name} is no list")))
}

fn text<'v>(fields: &'v Map<String, Value>, name: &str) -> io::Result<&'v str> {
    fields.get(name).and_then(Value::as_str).ok_or_else(|| invalid(&format!("{name} is no text")))
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use palisade_guard::Guard;
    use palisade_guard::{Connection, Outcome, Stage};
    use palisade_net::{Direction, Flow, Protocol};

    use super::*;

    fn read(text: &str) -> Result<Vec<Labelled>, FlowLogError> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(DEEDS), text).expect("it can be written");
        labelled(folder.path())
    }

    #[test]
    fn what_is_not_understood_refuses_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(labelled(folder.path()).expect("nothing is said"), []);
        let deeds = |deed: &str| format!(r#"{{"recordings": [{{"file": "a.jsonl", "deeds": [{deed}]}}]}}"#);
        let whole = r#"{"subject": "10.0.0.1", "kind": "guess", "port": 22, "firstMs": 7}"#;
        let read_whole = read(&deeds(whole)).expect("it is right");
        let done =
            Done { subject: [10, 0, 0, 1].into(), kind: Deed::Guess, port: Some(22), first_ms: Some(7) };
        assert_eq!(read_whole[0].deeds, [done]);
        for wrong in [
            r#"{"subject": "vm1", "kind": "guess"}"#,
            r#"{"subject": "10.0.0.1", "kind": "bad"}"#,
            r#"{"subject": "10.0.0.1", "kind": "scan", "port": 70000}"#,
            r#"{"subject": "10.0.0.1", "kind": "scan", "firstMs": "now"}"#,
            r#"{"subject": "10.0.0.1", "kind": "scan", "ports": 22}"#,
        ] {
            assert!(read(&deeds(wrong)).is_err(), "{wrong}");
        }
        assert!(read("[]").is_err() && read("{").is_err());
    }

    #[test]
    fn deeds_are_right_wrong_or_missed() {
        let refused = |number: u8| {
            let to = ([192, 0, 2, number].into(), 3389);
            let flow = Flow::new(Direction::Outbound, Protocol::TCP, ([10, 0, 0, 1].into(), 4_000), to);
            let start_ms = 10_000 + u64::from(number) * 1_000;
            let flow = flow.expect("one family");
            Connection {
                start_ms,
                end_ms: start_ms,
                flow,
                outcome: Outcome::Refused,
                traffic: None,
                stage: Stage::Over,
            }
        };
        let connections: Vec<Connection> = (1..9).map(refused).collect();
        let (mut guard, mut alerts) = (Guard::default(), Vec::new());
        guard.observe_all(&connections, &mut alerts);
        let judged = Judged { connections, alerts };
        let with = |kind, port| {
            let done = Done { subject: [10, 0, 0, 1].into(), kind, port, first_ms: Some(11_000) };
            Labelled { file: PathBuf::new(), deeds: vec![done] }.score(&judged)
        };
        assert_eq!(with(Deed::Scan, None), (Score { right: 1, wrong: 0, missed: 0 }, vec![3.0]));
        assert_eq!(with(Deed::Beacon, None), (Score { right: 0, wrong: 1, missed: 1 }, vec![]));
        let honest = Labelled { file: PathBuf::new(), deeds: Vec::new() };
        assert_eq!(honest.score(&judged).0, Score { right: 0, wrong: 1, missed: 0 });
    }
}
