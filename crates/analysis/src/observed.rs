//! What flow logs show at the places of an estate: each different flow once, with how often, how much, and when.
//!
//! Records are given one by one, so that a log need not fit into memory; what is kept grows with the number of different flows.
//! It must not judge a flow, and it does not guess where one belongs: what has no place is counted by the reason
//! ([`Unplaced`]). Flows are seen as rules see them: an inbound flow that was logged with a public address in the place of the
//! machine's is turned to the machine's address.

mod ends;
mod place;
mod table;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use palisade_model::{Estate, FlowOrigin, FlowPhase, FlowRecord, LoggedDecision, ResourceId};
use palisade_net::{Direction, Flow};

pub use place::{Place, Unplaced};

use ends::Placing;
pub(crate) use table::{Key, Sum, Table};

/// Different flows that are kept, of both families together.
pub const FLOWS_MAX: usize = 1 << 26;

/// Different flows beyond what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the logs have more than {FLOWS_MAX} different flows (read fewer files at a time)")]
pub struct TooManyFlows;

/// A flow as logs show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservedFlow {
    /// Where: an index into [`Observed::places`].
    pub place: usize,
    /// The flow as the rules at its place see it. Where its log does not tell types ([`palisade_model::FlowLogFormat::tells_types`]), that of an
    /// ICMP flow is 0 and means nothing.
    pub flow: Flow,
    /// What was said of it: an index into [`Observed::sayings`].
    pub saying: usize,
    /// How often and how much.
    pub tally: Tally,
}

/// What a log said of flows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Saying {
    /// What was decided: allowed or denied.
    pub decision: LoggedDecision,
    /// By which rule, in which format; interface and target are left out, since the place stands for them.
    pub by: FlowOrigin,
}

/// How often and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Records.
    pub records: u64,
    /// Packets both ways, as far as they are counted.
    pub packets: u64,
    /// Bytes both ways, as far as they are counted.
    pub bytes: u64,
    /// When the first record was, in milliseconds since 1970.
    pub first_ms: u64,
    /// When the last one was.
    pub last_ms: u64,
    /// Whether it was there when a record told of it, and not only beginning: a change meets it as an existing connection.
    pub is_established: bool,
}

impl Tally {
    fn of(record: &FlowRecord) -> Self {
        let traffic = record.traffic.unwrap_or_default();
        Self {
            records: 1,
            packets: traffic.packets_to_destination.saturating_add(traffic.packets_to_source),
            bytes: traffic.bytes_to_destination.saturating_add(traffic.bytes_to_source),
            first_ms: record.time_ms,
            last_ms: record.time_ms,
            is_established: matches!(record.phase, FlowPhase::Continue | FlowPhase::End),
        }
    }
}

impl Sum for Tally {
    fn add(&mut self, other: &Self) {
        if other.records == 0 {
            return;
        }
        let is_first = self.records == 0;
        self.first_ms = if is_first { other.first_ms } else { self.first_ms.min(other.first_ms) };
        self.last_ms = self.last_ms.max(other.last_ms);
        self.records = self.records.saturating_add(other.records);
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.is_established |= other.is_established;
    }
}

/// Place, direction and saying of flows, interned together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Context {
    pub(crate) place: usize,
    pub(crate) direction: Direction,
    pub(crate) saying: usize,
}

/// What logs show.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    places: Vec<Place>,
    sayings: Vec<Saying>,
    pub(crate) contexts: Vec<Context>,
    pub(crate) v4: Table<u32>,
    pub(crate) v6: Table<u128>,
    unplaced: BTreeMap<Unplaced, Tally>,
    elsewhere: Tally,
    translated: u64,
    by_name: BTreeMap<ResourceId, ResourceId>,
}

impl Observed {
    /// Where flows were seen.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// What was said of flows.
    pub fn sayings(&self) -> &[Saying] {
        &self.sayings
    }

    /// How many different flows there are, by place, addresses, ports, protocol and saying.
    pub fn len(&self) -> usize {
        self.v4.keys.len() + self.v6.keys.len()
    }

    /// Whether there is no flow.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Flow `index`, below [`Self::len`].
    pub fn flow(&self, index: usize) -> ObservedFlow {
        match index.checked_sub(self.v4.keys.len()) {
            None => self.v4.keys[index].observed(&self.contexts, self.v4.tallies[index]),
            Some(index) => self.v6.keys[index].observed(&self.contexts, self.v6.tallies[index]),
        }
    }

    /// Every flow.
    pub fn flows(&self) -> impl Iterator<Item = ObservedFlow> {
        (0..self.len()).map(|index| self.flow(index))
    }

    /// Records whose flow has no place, by the reason.
    pub const fn unplaced(&self) -> &BTreeMap<Unplaced, Tally> {
        &self.unplaced
    }

    /// Records of which something other than rules decided; they are no flows here.
    pub const fn elsewhere(&self) -> Tally {
        self.elsewhere
    }

    /// Records that showed a public address in the place of the machine's.
    pub const fn translated(&self) -> u64 {
        self.translated
    }

    /// Resources that logs call by an id that the estate does not have, and that were taken for the only one of that name.
    pub const fn by_name(&self) -> &BTreeMap<ResourceId, ResourceId> {
        &self.by_name
    }
}

/// Takes records and finds their places.
#[derive(Debug)]
pub struct Observer<'a> {
    placing: Placing<'a>,
    found: Observed,
    sayings: HashMap<Saying, usize>,
    contexts: HashMap<Context, u32>,
    /// For each origin, the saying of what it allowed and of what it denied.
    known: HashMap<(u32, LoggedDecision), usize>,
    /// The context that was found last, and for what: most records have that of the one before.
    last: Option<((u32, LoggedDecision, Direction, usize), u32)>,
}

impl<'a> Observer<'a> {
    /// Flows are placed at the interfaces and NSGs of `estate`. The records must be of one reading: an origin's number stands
    /// for the same origin always.
    pub fn new(estate: &'a Estate) -> Self {
        Self {
            placing: Placing::new(estate),
            found: Observed::default(),
            sayings: HashMap::new(),
            contexts: HashMap::new(),
            known: HashMap::new(),
            last: None,
        }
    }

    /// Takes a record.
    ///
    /// # Errors
    /// [`TooManyFlows`].
    pub fn add(&mut self, record: &FlowRecord, origin: &FlowOrigin) -> Result<(), TooManyFlows> {
        let tally = Tally::of(record);
        if record.decision == LoggedDecision::Elsewhere {
            self.found.elsewhere.add(&tally);
            return Ok(());
        }
        let (place, flow) = match self.placing.place(record, origin) {
            Ok(placed) => placed,
            Err(reason) => {
                self.found.unplaced.entry(reason).or_default().add(&tally);
                return Ok(());
            }
        };
        self.found.translated += u64::from(flow != record.flow);
        let context = self.context(record, origin, place, flow.direction());
        let tables = &mut self.found;
        if tables.len() >= FLOWS_MAX {
            return Err(TooManyFlows);
        }
        let ports = (flow.source_port(), flow.destination_port());
        match (flow.source(), flow.destination()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                tables.v4.add(Key::new((from.into(), to.into()), ports, flow.protocol(), context), &tally);
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                tables.v6.add(Key::new((from.into(), to.into()), ports, flow.protocol(), context), &tally);
            }
            _ => unreachable!("the addresses of a flow are of one family"),
        }
        Ok(())
    }

    /// What was found.
    pub fn finish(self) -> Observed {
        let mut found = self.found;
        found.places = self.placing.places;
        found.by_name = self.placing.by_name;
        found.v4.close();
        found.v6.close();
        found
    }

    fn context(
        &mut self,
        record: &FlowRecord,
        origin: &FlowOrigin,
        place: usize,
        direction: Direction,
    ) -> u32 {
        let asked = (record.origin, record.decision, direction, place);
        if let Some((last, context)) = self.last
            && last == asked
        {
            return context;
        }
        let found = &mut self.found;
        let saying = *self.known.entry((record.origin, record.decision)).or_insert_with(|| {
            let by = FlowOrigin { mac: None, target: None, ..origin.clone() };
            let saying = Saying { decision: record.decision, by };
            number(&mut self.sayings, &mut found.sayings, saying)
        });
        let context = Context { place, direction, saying };
        let next = u32::try_from(found.contexts.len()).expect("fewer contexts than flows");
        let context = *self.contexts.entry(context).or_insert_with(|| {
            found.contexts.push(context);
            next
        });
        self.last = Some((asked, context));
        context
    }
}

/// The number of a value, which is new if it was never seen.
fn number<T: Clone + Eq + std::hash::Hash>(
    known: &mut HashMap<T, usize>,
    all: &mut Vec<T>,
    value: T,
) -> usize {
    if let Some(&number) = known.get(&value) {
        return number;
    }
    all.push(value.clone());
    known.insert(value, all.len() - 1);
    all.len() - 1
}

/// An address as a number.
pub(crate) trait AddressBits: Copy + Ord {
    /// The two halves, for a hash.
    fn halves(self) -> [u64; 2];
    /// The address.
    fn address(self) -> IpAddr;
}

impl AddressBits for u32 {
    fn halves(self) -> [u64; 2] {
        [self.into(), 0]
    }

    fn address(self) -> IpAddr {
        Ipv4Addr::from(self).into()
    }
}

impl AddressBits for u128 {
    fn halves(self) -> [u64; 2] {
        [self as u64, (self >> 64) as u64]
    }

    fn address(self) -> IpAddr {
        Ipv6Addr::from(self).into()
    }
}
