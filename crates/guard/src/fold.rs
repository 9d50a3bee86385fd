//! Connections out of the records of their lives.
//!
//! A flow log tells that a flow began, goes on and ended; the detectors want it whole. An attempt that was denied is whole at once. A
//! flow that goes on long enough to be a session is told of once while it does, and so is one that its client has closed and its server has not. Where records carry TCP flags, a RST in the place of
//! the answer is a refusal; where they do not, one packet each way is taken to be one. It must not know a file.

use std::collections::{HashMap, hash_map::Entry};

use palisade_model::{FlowPhase, FlowRecord, FlowTraffic, LoggedDecision};
use palisade_net::{Flow, Protocol, packet::TcpFlags};

use crate::{Connection, Outcome, Stage, guess::SESSION_MS, limits::OPEN_MAX};

/// Puts records together.
#[derive(Debug, Default)]
pub struct Fold {
    open: HashMap<(u32, Flow), Open>,
    untracked: u64,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    start_ms: u64,
    end_ms: u64,
    traffic: Option<FlowTraffic>,
    tcp_flags: Option<[TcpFlags; 2]>,
    /// As a session that goes on.
    is_told: bool,
    /// Whether it was told of as one that closes.
    is_closing: bool,
}

impl Fold {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a record; gives what is whole now, or long enough to be told of. Records must come in the order of time.
    pub fn add(&mut self, record: &FlowRecord) -> Option<Connection> {
        let key = (record.origin, record.flow);
        match (record.decision, record.phase) {
            // A rule of the platform decided: it says nothing about either end.
            (LoggedDecision::Elsewhere, _) => None,
            // A flow that was cut has had its life; one that was denied has none.
            (LoggedDecision::Denied, _) => Some(match self.open.remove(&key) {
                Some(open) => open.with(record).over(record.flow),
                None => Open::at(record).connection(record.flow, Outcome::Denied, Stage::Over),
            }),
            (LoggedDecision::Allowed, FlowPhase::Unstated) => {
                Some(Open::at(record).connection(record.flow, Outcome::Unknown, Stage::Over))
            }
            (LoggedDecision::Allowed, FlowPhase::Begin | FlowPhase::Continue) => self.go_on(record),
            (LoggedDecision::Allowed, FlowPhase::End) => {
                let open = self.open.remove(&key);
                Some(open.map_or(Open::at(record), |open| open.with(record)).over(record.flow))
            }
        }
    }

    /// What is still open, as if it were over, in the order of time.
    pub fn finish(self) -> Vec<Connection> {
        let mut rest: Vec<((u32, Flow), Open)> = self.open.into_iter().collect();
        rest.sort_unstable_by_key(|(key, open)| (open.end_ms, *key));
        rest.into_iter().map(|((_, flow), open)| open.over(flow)).collect()
    }

    /// Takes out what was last told of before a moment, as if it were over, in the order of time: in a stream without an end, whose
    /// end was lost would stay open for ever. Each comes with the origin of its records.
    pub fn give_up(&mut self, before_ms: u64) -> Vec<(u32, Connection)> {
        let mut lost: Vec<((u32, Flow), Open)> =
            self.open.extract_if(|_, open| open.end_ms < before_ms).collect();
        lost.sort_unstable_by_key(|(key, open)| (open.end_ms, *key));
        lost.into_iter().map(|((origin, flow), open)| (origin, open.over(flow))).collect()
    }

    /// Flows of which only the last record was used, because [`crate::limits::OPEN_MAX`] others were open when they began.
    pub const fn untracked(&self) -> u64 {
        self.untracked
    }

    fn go_on(&mut self, record: &FlowRecord) -> Option<Connection> {
        let is_full = self.open.len() >= OPEN_MAX;
        let open = match self.open.entry((record.origin, record.flow)) {
            Entry::Occupied(entry) => {
                let open = entry.into_mut();
                *open = open.with(record);
                open
            }
            Entry::Vacant(_) if is_full => {
                self.untracked += 1;
                return None;
            }
            Entry::Vacant(entry) => entry.insert(Open::at(record)),
        };
        let is_half_closed = open.tcp_flags.is_some_and(|[there, _]| there.has(TcpFlags::FIN));
        if is_half_closed && !open.is_closing {
            open.is_closing = true;
            return Some(open.connection(record.flow, open.outcome(record.flow), Stage::Closing));
        }
        let is_due = !open.is_told && open.end_ms.saturating_sub(open.start_ms) >= SESSION_MS;
        open.is_told |= is_due;
        is_due.then(|| open.connection(record.flow, open.outcome(record.flow), Stage::Ongoing))
    }
}

impl Open {
    fn at(record: &FlowRecord) -> Self {
        let FlowRecord { time_ms, traffic, tcp_flags, .. } = *record;
        Self { start_ms: time_ms, end_ms: time_ms, traffic, tcp_flags, is_told: false, is_closing: false }
    }

    fn with(self, record: &FlowRecord) -> Self {
        Self {
            end_ms: record.time_ms.max(self.end_ms),
            traffic: sum(self.traffic, record.traffic),
            tcp_flags: either(self.tcp_flags, record.tcp_flags),
            ..self
        }
    }

    fn over(self, flow: Flow) -> Connection {
        let stage = if self.is_closing { Stage::Closed } else { Stage::Over };
        self.connection(flow, self.outcome(flow), stage)
    }

    fn connection(self, flow: Flow, outcome: Outcome, stage: Stage) -> Connection {
        Connection {
            start_ms: self.start_ms,
            end_ms: self.end_ms,
            flow,
            outcome,
            traffic: self.traffic,
            stage,
        }
    }

    fn outcome(&self, flow: Flow) -> Outcome {
        let Some(traffic) = self.traffic else { return Outcome::Unknown };
        if let Some(flags) = self.tcp_flags.filter(|_| flow.protocol() == Protocol::TCP) {
            return answer(flags);
        }
        match (traffic.packets_to_destination, traffic.packets_to_source) {
            // Nothing was counted either way: the format told of a life, not of packets.
            (0, 0) => Outcome::Unknown,
            (_, 0) => Outcome::Unanswered,
            // Whoever was let in sends at least one packet more, which says so.
            (1, 1) if flow.protocol() == Protocol::TCP => Outcome::Refused,
            _ => Outcome::Answered,
        }
    }
}

/// What came of a connection, by the TCP flags of both sides. Who has said SYN too may reset it afterwards.
fn answer([there, back]: [TcpFlags; 2]) -> Outcome {
    if back == TcpFlags::default() {
        Outcome::Unanswered
    } else if there.has(TcpFlags::SYN) && back.has(TcpFlags::RST) && !back.has(TcpFlags::SYN) {
        Outcome::Refused
    } else {
        Outcome::Answered
    }
}

fn either(a: Option<[TcpFlags; 2]>, b: Option<[TcpFlags; 2]>) -> Option<[TcpFlags; 2]> {
    let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
    Some([a[0].with(b[0]), a[1].with(b[1])])
}

fn sum(a: Option<FlowTraffic>, b: Option<FlowTraffic>) -> Option<FlowTraffic> {
    let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
    Some(FlowTraffic {
        packets_to_destination: a.packets_to_destination.saturating_add(b.packets_to_destination),
        bytes_to_destination: a.bytes_to_destination.saturating_add(b.bytes_to_destination),
        packets_to_source: a.packets_to_source.saturating_add(b.packets_to_source),
        bytes_to_source: a.bytes_to_source.saturating_add(b.bytes_to_source),
    })
}

#[cfg(test)]
mod tests {
    use palisade_net::Direction;

    use super::*;
    use crate::testing::host;

    fn record(
        second: u64,
        phase: FlowPhase,
        decision: LoggedDecision,
        packets: Option<(u64, u64)>,
    ) -> FlowRecord {
        let flow = Flow::new(Direction::Inbound, Protocol::TCP, (host(70_000), 4_000), (host(1), 22));
        let traffic = packets.map(|(there, back)| FlowTraffic {
            packets_to_destination: there,
            bytes_to_destination: there * 100,
            packets_to_source: back,
            bytes_to_source: back * 100,
        });
        let flow = flow.expect("one family");
        FlowRecord { time_ms: second * 1_000, flow, phase, decision, traffic, tcp_flags: None, origin: 0 }
    }

    fn fold(records: &[FlowRecord]) -> Vec<(u64, u64, Outcome, Stage, Option<u64>)> {
        let mut fold = Fold::new();
        let mut connections: Vec<Connection> = records.iter().filter_map(|record| fold.add(record)).collect();
        connections.extend(fold.finish());
        let short = |c: &Connection| {
            let packets = c.traffic.map(|traffic| traffic.packets_to_destination);
            (c.start_ms / 1_000, c.end_ms / 1_000, c.outcome, c.stage, packets)
        };
        connections.iter().map(short).collect()
    }

    #[test]
    fn a_life_is_one_connection() {
        use {FlowPhase::*, LoggedDecision::Allowed, Outcome::*, Stage::*};
        let counted = |second, phase, packets| record(second, phase, Allowed, Some(packets));
        let life = [counted(1, Begin, (0, 0)), counted(61, Continue, (5, 4)), counted(90, End, (2, 1))];
        assert_eq!(fold(&life), [(1, 90, Answered, Over, Some(7))]);
        assert_eq!(
            fold(&[counted(1, Begin, (1, 0)), counted(2, End, (2, 0))]),
            [(1, 2, Unanswered, Over, Some(3))]
        );
        assert_eq!(
            fold(&[counted(1, Begin, (1, 0)), counted(2, End, (0, 1))]),
            [(1, 2, Refused, Over, Some(1))]
        );
        assert_eq!(fold(&life[..2]), [(1, 61, Answered, Over, Some(5))], "a stream that ends");
        assert_eq!(
            fold(&life[2..]),
            [(90, 90, Answered, Over, Some(2))],
            "a stream that begins in the middle"
        );
    }

    #[test]
    fn flags_say_what_counts_can_only_suggest() {
        use {FlowPhase::*, LoggedDecision::Allowed, Outcome::*};
        let outcome = |packets, there, back| {
            let letters = |text| TcpFlags::from_letters(text).expect("letters");
            let begin = FlowRecord {
                tcp_flags: Some([letters("S"), letters("")]),
                ..record(1, Begin, Allowed, None)
            };
            let end = FlowRecord {
                tcp_flags: Some([letters(there), letters(back)]),
                ..record(2, End, Allowed, Some(packets))
            };
            fold(&[begin, end])[0].2
        };
        assert_eq!(outcome((1, 1), "S", "RA"), Refused);
        assert_eq!(outcome((3, 3), "S", "RA"), Refused, "tried again, and refused again");
        assert_eq!(outcome((3, 0), "S", ""), Unanswered);
        assert_eq!(outcome((1, 1), "S", "SA"), Answered, "it listens, whoever then kept silent");
        assert_eq!(outcome((5, 4), "SAP", "SAR"), Answered, "reset by a listener after it had answered");
        assert_eq!(outcome((5, 4), "SAF", "SAF"), Answered);
        assert_eq!(fold(&[record(1, Begin, Allowed, None)])[0].2, Unknown, "nothing was counted yet");
    }

    #[test]
    fn a_session_is_told_of_once_while_it_goes_on() {
        use {FlowPhase::*, LoggedDecision::Allowed, Outcome::*, Stage::*};
        let mut life = vec![record(0, Begin, Allowed, Some((1, 1)))];
        life.extend((1..6).map(|minute| record(minute * 60, Continue, Allowed, Some((10, 10)))));
        life.push(record(400, End, Allowed, Some((1, 1))));
        assert_eq!(fold(&life), [(0, 120, Answered, Ongoing, Some(21)), (0, 400, Answered, Over, Some(52))]);
    }

    #[test]
    fn what_a_client_has_closed_is_told_of_before_the_server_closes_it() {
        use {FlowPhase::*, LoggedDecision::Allowed, Outcome::*, Stage::*};
        let letters = |text| TcpFlags::from_letters(text).expect("letters");
        let flagged = |second, phase, packets, there| FlowRecord {
            tcp_flags: Some([letters(there), letters("SAP")]),
            ..record(second, phase, Allowed, Some(packets))
        };
        let begin = flagged(1, Begin, (0, 0), "S");
        let closing = [flagged(2, Continue, (30, 20), "SAPF"), flagged(62, Continue, (0, 1), "SAPF")];
        let end = flagged(66, End, (1, 2), "SAPFR");
        assert_eq!(
            fold(&[begin, closing[0], closing[1], end]),
            [(1, 2, Answered, Closing, Some(30)), (1, 66, Answered, Closed, Some(31))]
        );
        assert_eq!(fold(&[begin, end]), [(1, 66, Answered, Over, Some(1))], "both sides at once");
    }

    #[test]
    fn whose_end_was_lost_is_given_up() {
        use {FlowPhase::*, LoggedDecision::Allowed};
        let mut fold = Fold::new();
        for second in [5, 9] {
            let one = record(second, Begin, Allowed, Some((1, 1)));
            assert_eq!(fold.add(&FlowRecord { origin: second as u32, ..one }), None);
        }
        let ends = |lost: Vec<(u32, Connection)>| -> Vec<(u32, u64)> {
            lost.iter().map(|(origin, connection)| (*origin, connection.end_ms)).collect()
        };
        assert_eq!(ends(fold.give_up(9_000)), [(5, 5_000)]);
        assert_eq!(ends(fold.give_up(9_000)), []);
        assert_eq!(fold.finish().len(), 1);
    }

    #[test]
    fn what_has_no_life_is_whole_at_once() {
        use {FlowPhase::*, LoggedDecision::*, Outcome, Stage::*};
        assert_eq!(fold(&[record(5, Begin, Denied, None)]), [(5, 5, Outcome::Denied, Over, None)]);
        let cut = [record(1, Begin, Allowed, Some((3, 3))), record(9, End, Denied, Some((1, 0)))];
        assert_eq!(fold(&cut), [(1, 9, Outcome::Answered, Over, Some(4))]);
        assert_eq!(fold(&[record(5, Begin, Elsewhere, None)]), []);
        assert_eq!(fold(&[record(5, Unstated, Allowed, None)]), [(5, 5, Outcome::Unknown, Over, None)]);
    }
}
