//! Scans that are fast: distinct failures in windows of five minutes.
//!
//! 25 hosts that fail at one port (horizontal), 15 ports that fail at one host (vertical), or 15 hosts that are sent ICMP echo
//! requests, whatever they answer: in a local network nobody asks hosts that are not there. A slow window of a day finds vertical scans of
//! one port a minute, which the random walk cannot see, since it counts a host once. The numbers are those of Zeek's old
//! `misc/scan`. It must not know why a contact failed.

use palisade_net::{Direction, Protocol};

use crate::{
    Alert, Evidence, Kind,
    block::Detector,
    bounded::{Ahead, Memory, Recent, print},
    connection::{Host, Sight},
    limits::{DAY_MS, QUIET_MS, WINDOWS_MAX},
};

const FAST_MS: u64 = 5 * 60_000;

/// Distinct hosts that fail at one port.
pub const HORIZONTAL: usize = 25;
/// Distinct ports that fail at one host.
pub const VERTICAL: usize = 15;
/// Distinct ports that fail at one host in a day.
pub const VERTICAL_SLOW: usize = 60;
/// Distinct hosts that are sent echo requests.
pub const ECHOES: usize = 15;

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spread {
    /// Hosts at one port.
    Horizontal,
    /// Ports at one host.
    Vertical,
    /// Hosts that were sent an echo request.
    Icmp,
}

/// How many distinct things, in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowEvidence {
    /// What was counted.
    pub spread: Spread,
    /// How many.
    pub distinct: usize,
    /// Length of the window.
    pub window_ms: u64,
}

/// What a window is of: a port at any host, or a host at any port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Focus {
    Port(u16),
    Host(Host),
}

type Key = (Host, Direction, Protocol, Focus);

#[derive(Debug)]
pub(crate) struct Windows {
    fast: Memory<Key, Window>,
    slow: Memory<Key, Window>,
}

#[derive(Debug, Default)]
struct Window {
    opened_ms: u64,
    since_ms: u64,
    seen: Recent,
    quiet_until_ms: u64,
}

/// One way to count.
#[derive(Debug, Clone, Copy)]
struct Count {
    spread: Spread,
    focus: Focus,
    print: u32,
    limit: usize,
    window_ms: u64,
}

impl Windows {
    pub(crate) fn new() -> Self {
        Self { fast: Memory::new(WINDOWS_MAX, QUIET_MS), slow: Memory::new(WINDOWS_MAX, DAY_MS) }
    }

    pub(crate) const fn forgotten(&self) -> u64 {
        self.fast.forgotten() + self.slow.forgotten()
    }
}

impl Detector for Windows {
    fn ask_for(&self, sight: &Sight<'_>, ahead: Ahead) {
        if sight.connection.has_succeeded() != Some(false) {
            return;
        }
        let key = |focus| (sight.source, sight.direction(), sight.protocol(), focus);
        let host = key(Focus::Host(sight.destination));
        self.fast.ask_for(key(Focus::Port(sight.port())), ahead, |_| ());
        self.fast.ask_for(host, ahead, |_| ());
        self.slow.ask_for(host, ahead, |_| ());
    }

    fn observe(&mut self, sight: &Sight<'_>, alerts: &mut Vec<Alert>) {
        let (port, host) = (Focus::Port(sight.port()), Focus::Host(sight.destination));
        let count = |spread, focus, print, limit| Count { spread, focus, print, limit, window_ms: FAST_MS };
        if sight.connection.is_echo() {
            let echoes = count(Spread::Icmp, port, print(sight.destination), ECHOES);
            return add(&mut self.fast, echoes, sight, alerts);
        }
        if sight.connection.has_succeeded() != Some(false) {
            return;
        }
        add(
            &mut self.fast,
            count(Spread::Horizontal, port, print(sight.destination), HORIZONTAL),
            sight,
            alerts,
        );
        let before = alerts.len();
        let vertical = count(Spread::Vertical, host, print(sight.port()), VERTICAL);
        add(&mut self.fast, vertical, sight, alerts);
        let slow = Count { limit: VERTICAL_SLOW, window_ms: DAY_MS, ..vertical };
        // What the fast window tells, the slow one need not repeat.
        let mut unsaid = Vec::new();
        let is_told = alerts.len() > before;
        add(&mut self.slow, slow, sight, if is_told { &mut unsaid } else { alerts });
    }
}

fn add(windows: &mut Memory<Key, Window>, count: Count, sight: &Sight<'_>, alerts: &mut Vec<Alert>) {
    let key = (sight.source, sight.direction(), sight.protocol(), count.focus);
    let window = windows.entry(key, sight.now_ms, Window::default);
    if sight.now_ms.saturating_sub(window.opened_ms) >= count.window_ms {
        window.seen.clear();
    }
    if window.seen.len() == 0 {
        (window.opened_ms, window.since_ms) = (sight.now_ms, sight.connection.start_ms);
    }
    window.seen.insert(count.print, count.limit);
    if window.seen.len() < count.limit {
        return;
    }
    window.seen.clear();
    if sight.now_ms < window.quiet_until_ms {
        return;
    }
    window.quiet_until_ms = sight.now_ms.saturating_add(QUIET_MS.max(count.window_ms));
    let (destination, port) = match count.focus {
        Focus::Port(port) => (None, sight.protocol().has_ports().then_some(port)),
        Focus::Host(host) => (Some(host.address()), None),
    };
    alerts.push(Alert {
        kind: Kind::Scan,
        direction: sight.direction(),
        time_ms: sight.now_ms,
        since_ms: window.since_ms,
        source: Some(sight.source.address()),
        destination,
        protocol: sight.protocol(),
        port,
        evidence: Evidence::Window(WindowEvidence {
            spread: count.spread,
            distinct: count.limit,
            window_ms: count.window_ms,
        }),
        guest: None,
    });
}

#[cfg(test)]
mod tests {
    use palisade_net::Flow;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Connection,
        Outcome::{Answered, Refused},
        testing::{host, tcp, told},
    };

    fn alerts(connections: impl IntoIterator<Item = Connection>) -> Vec<(Spread, u64)> {
        let mut windows = Windows::new();
        let told = told(connections, |sight, alerts| windows.observe(sight, alerts));
        let spread = |alert: &Alert| match alert.evidence {
            Evidence::Window(evidence) => (evidence.spread, evidence.window_ms),
            _ => panic!("{:?}", alert.evidence),
        };
        told.iter().map(spread).collect()
    }

    fn ports(count: u16, gap: u64) -> impl Iterator<Item = Connection> {
        (0..count).map(move |port| tcp(u64::from(port) * gap, host(70_000), host(1), port + 1, Refused))
    }

    #[test]
    fn counts_ports_of_a_host() {
        assert_eq!(alerts(ports(15, 1)), [(Spread::Vertical, FAST_MS)]);
        assert!(alerts(ports(14, 1)).is_empty());
        assert!(alerts(ports(40, 60)).is_empty(), "too slow for the one, too few for the other");
        assert_eq!(alerts(ports(60, 60)), [(Spread::Vertical, DAY_MS)]);
    }

    #[test]
    fn counts_hosts_at_a_port() {
        let hosts =
            |count: u32| (0..count).map(|n| tcp(u64::from(n), host(1), host(70_000 + n), 25, Refused));
        assert_eq!(alerts(hosts(25)), [(Spread::Horizontal, FAST_MS)]);
        assert!(alerts(hosts(24)).is_empty());
        let fine = |n: u32| tcp(u64::from(n), host(1), host(70_000 + n), 25, Answered);
        assert!(alerts((0..500).map(fine)).is_empty());
    }

    #[test]
    fn counts_echo_requests_whatever_they_answer() {
        let echo = |n: u32| {
            let connection = tcp(u64::from(n), host(1), host(100 + n), 8, Answered);
            let ends = ((connection.flow.source(), 0), (connection.flow.destination(), 8));
            let flow = Flow::new(Direction::Outbound, Protocol::ICMP, ends.0, ends.1).expect("one family");
            Connection { flow, ..connection }
        };
        assert_eq!(alerts((0..15).map(echo)), [(Spread::Icmp, FAST_MS)]);
        assert!(alerts((0..100).map(|n| echo(n % 14))).is_empty());
    }

    proptest! {
        /// A window tells only if the five minutes before hold as many distinct hosts.
        #[test]
        fn tells_of_what_was_there(steps in prop::collection::vec((0..60_u32, 0..12_u64), 60..120)) {
            let mut second = 0;
            let connections: Vec<Connection> = steps.iter().map(|(to, gap)| {
                second += gap;
                tcp(second, host(1), host(70_000 + to), 25, Refused)
            }).collect();
            let mut windows = Windows::new();
            for alert in told(connections.clone(), |sight, alerts| windows.observe(sight, alerts)) {
                let inside = |c: &&Connection| c.end_ms <= alert.time_ms && c.end_ms + FAST_MS > alert.time_ms;
                let mut hosts: Vec<_> = connections.iter().filter(inside).map(|c| c.flow.destination()).collect();
                hosts.sort_unstable();
                hosts.dedup();
                prop_assert!(hosts.len() >= HORIZONTAL);
            }
        }
    }
}
