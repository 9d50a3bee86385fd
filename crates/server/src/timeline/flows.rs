//! The flows of a machine, out of the flow store: those that are alike are one item, with how many they are.
//!
//! Alike are flows of one remote address, port, direction, protocol and fate that follow each other within [`GAP_MS`], with nothing else
//! that happened between them. Where one address meets many ports, or one port many addresses, these are one item too.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    num::NonZero,
};

use palisade_control::alerts::moment;
use palisade_flowstore::{
    Kind, Record, Store, StoreError,
    query::{Filter, NIC, Term, Test, records},
};
use palisade_guard::{Connection, Fold};
use palisade_net::{Direction, Protocol};
use serde_json::json;

use super::{Item, What, told::item};

/// A pause that parts flows that are alike.
const GAP_MS: u64 = 600_000;
/// Ports of one address, or addresses of one port, from which on they are one item.
const ALIKE_MIN: usize = 8;
/// Ports and addresses of an item that are listed; all are counted.
const LISTED_MAX: usize = 20;
/// Records that are read for one answer.
const RECORDS_MAX: u64 = 2_000_000;
/// Items before those of many ports or addresses are put together.
const GROUPS_MAX: usize = 100_000;

/// The flows of a machine, in groups.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    /// When other things happened, ascending.
    breaks: Vec<u64>,
    open: HashMap<Key, Group>,
    over: Vec<(Key, Group)>,
    /// Whether there was more than can be told.
    pub(crate) is_cut_off: bool,
}

/// What alike flows have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    /// Between which other things it began.
    span: usize,
    direction: Direction,
    protocol: Protocol,
    remote: Option<IpAddr>,
    port: Option<u16>,
    fate: &'static str,
    outcome: String,
    rule: Option<String>,
}

/// Flows that are alike.
#[derive(Debug, Clone, Default)]
struct Group {
    count: u64,
    first_ms: u64,
    last_ms: u64,
    until_ms: u64,
    bytes_in: u64,
    bytes_out: u64,
    remotes: BTreeSet<IpAddr>,
    ports: BTreeSet<u16>,
}

/// Why reading ended early.
enum Ended {
    Store(StoreError),
    Enough,
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Reads the flows of some interfaces in a span of time; `breaks` are the times of what else happened. It waits for the storage.
pub(crate) fn read(
    address: &str,
    nics: &[String],
    (from_ms, to_ms): (u64, u64),
    breaks: Vec<u64>,
) -> Result<Flows, StoreError> {
    let mut flows = Flows::with_breaks(breaks);
    if nics.is_empty() {
        return Ok(flows);
    }
    let store = Store::open(address)?;
    let terms = vec![Term { columns: NIC, is: Test::Text(nics.to_vec()) }];
    let filter = Filter { from_ms, to_ms, terms };
    let (mut fold, mut count) = (Fold::new(), 0);
    let read = records(&store, &filter, NonZero::<usize>::MIN, |record| {
        count += 1;
        flows.take(&mut fold, &record);
        if count > RECORDS_MAX || flows.groups() > GROUPS_MAX { Err(Ended::Enough) } else { Ok(()) }
    });
    match read {
        Err(Ended::Store(error)) => return Err(error),
        Err(Ended::Enough) => flows.is_cut_off = true,
        Ok(_) => {}
    }
    for connection in fold.finish() {
        flows.add(&connection, "allowed", None);
    }
    Ok(flows)
}

impl Flows {
    /// None yet; other things happened at these times.
    pub(super) fn with_breaks(mut breaks: Vec<u64>) -> Self {
        breaks.sort_unstable();
        Self { breaks, ..Self::default() }
    }

    fn groups(&self) -> usize {
        self.open.len() + self.over.len()
    }

    /// Takes the next record, in the order of time.
    pub(super) fn take(&mut self, fold: &mut Fold, record: &Record) {
        let connection = record.logged(0).and_then(|logged| fold.add(&logged));
        let Some(connection) = connection.filter(|connection| connection.stage.is_over()) else {
            return;
        };
        let fate = match record.kind {
            Kind::Deny | Kind::Limit => "denied",
            Kind::Cut => "cut",
            _ => "allowed",
        };
        let labels = &record.labels;
        let rule = [&labels.nsg, &labels.rule].map(|part| part.as_deref());
        let rule = match rule {
            [Some(nsg), Some(rule)] => Some(format!("{nsg}/{rule}")),
            [one, other] => other.or(one).map(str::to_owned),
        };
        self.add(&connection, fate, rule);
    }

    fn add(&mut self, connection: &Connection, fate: &'static str, rule: Option<String>) {
        let flow = &connection.flow;
        // What was cut is told of at that moment, which is what matters then.
        let at_ms = if fate == "cut" { connection.end_ms } else { connection.start_ms };
        let key = Key {
            span: self.breaks.partition_point(|other| *other <= at_ms),
            direction: flow.direction(),
            protocol: flow.protocol(),
            remote: Some(flow.remote()),
            port: flow.protocol().has_ports().then(|| flow.destination_port()),
            fate,
            outcome: if fate == "denied" {
                String::new()
            } else {
                format!("{:?}", connection.outcome).to_lowercase()
            },
            rule,
        };
        let (out, back) = connection.bytes_out_in().unwrap_or_default();
        let one = Group {
            count: 1,
            first_ms: at_ms,
            last_ms: at_ms,
            until_ms: connection.end_ms,
            bytes_in: back,
            bytes_out: out,
            remotes: BTreeSet::from([flow.remote()]),
            ports: key.port.into_iter().collect(),
        };
        match self.open.get_mut(&key) {
            Some(group) if at_ms <= group.last_ms.saturating_add(GAP_MS) => group.join(one),
            Some(group) => {
                let before = std::mem::replace(group, one);
                self.over.push((key, before));
            }
            None => {
                self.open.insert(key, one);
            }
        }
    }

    /// The items.
    pub(crate) fn items(self) -> Vec<Item> {
        let groups = self.over.into_iter().chain(self.open).collect();
        let groups = together(groups, |key| Key { port: None, ..key.clone() });
        let groups = together(groups, |key| Key { remote: None, ..key.clone() });
        groups.into_iter().map(|(key, group)| group.item(&key)).collect()
    }
}

/// Puts groups together that are alike but for what `wider` leaves out, where they are many.
fn together(groups: Vec<(Key, Group)>, wider: impl Fn(&Key) -> Key) -> Vec<(Key, Group)> {
    let mut alike: HashMap<Key, Vec<(Key, Group)>> = HashMap::new();
    for (key, group) in groups {
        alike.entry(wider(&key)).or_default().push((key, group));
    }
    let mut all = Vec::new();
    for (key, group) in alike {
        let kinds: BTreeSet<_> = group.iter().map(|(key, _)| (key.remote, key.port)).collect();
        if kinds.len() < ALIKE_MIN {
            all.extend(group);
            continue;
        }
        let mut groups = group.into_iter().map(|(_, group)| group);
        let mut sum = groups.next().unwrap_or_default();
        groups.for_each(|group| sum.join(group));
        all.push((key, sum));
    }
    all
}

impl Group {
    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.first_ms = self.first_ms.min(other.first_ms);
        self.last_ms = self.last_ms.max(other.last_ms);
        self.until_ms = self.until_ms.max(other.until_ms);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.remotes.extend(other.remotes);
        self.ports.extend(other.ports);
    }

    fn item(&self, key: &Key) -> Item {
        let remotes: Vec<String> = self.remotes.iter().take(LISTED_MAX).map(ToString::to_string).collect();
        let ports: Vec<u16> = self.ports.iter().copied().take(LISTED_MAX).collect();
        let more = json!({
            "until": moment(self.until_ms), "count": self.count,
            "direction": key.direction.to_string(), "protocol": key.protocol.to_string(),
            "remotes": remotes, "remoteCount": self.remotes.len(), "ports": ports, "portCount": self.ports.len(),
            "fate": key.fate, "outcome": Some(&key.outcome).filter(|text| !text.is_empty()), "rule": key.rule,
            "bytesIn": self.bytes_in, "bytesOut": self.bytes_out,
        });
        item(self.first_ms, What::Flow, self.sentence(key), more)
    }

    fn sentence(&self, key: &Key) -> String {
        let many = |count: usize, first: Option<String>, what: &str| match (count, first) {
            (1, Some(one)) => one,
            _ => format!("{count} {what}"),
        };
        let remote = many(self.remotes.len(), self.remotes.first().map(ToString::to_string), "addresses");
        let port = match self.ports.len() {
            0 => String::new(),
            count => format!(" port {}", many(count, self.ports.first().map(ToString::to_string), "ports")),
        };
        let way = if key.direction == Direction::Inbound { "from" } else { "to" };
        let rule = key.rule.as_ref().map(|rule| format!(" by {rule}")).unwrap_or_default();
        let outcome = if key.outcome.is_empty() { String::new() } else { format!(", {}", key.outcome) };
        let plural = if self.count == 1 { "flow" } else { "flows" };
        format!(
            "{} {plural} {way} {remote}, {}{port}, {}{rule}{outcome}, {} bytes in, {} out",
            self.count, key.protocol, key.fate, self.bytes_in, self.bytes_out
        )
    }
}
