//! Guessed passwords as guests tell of them: by address, by account, and who got in.
//!
//! Each failed logon is a try. Tries of one address at one guest are counted as [`crate::guess`] counts connections; so are tries at one account of
//! one guest, from wherever, unless their address was told of already: a pool of addresses shares the account. Who gets in
//! after tries of his address that were told of, or after ten, is in by guessing; so is who gets into an account that was told of, from an address
//! that never was in. It must not know a log.

use palisade_net::{Direction, Protocol};

use crate::{
    Alert, Evidence, Kind, Logon, LogonOutcome, Service, Shape, Trace,
    bounded::{Memory, Recent, print, print_long},
    connection::Host,
    guess::BEFORE_SESSION,
    limits::{PAIR_IDLE_MS, PAIRS_MAX, TRIED_MAX},
    tally::{Pace, Passed, Tally},
};

/// Failed logons, leaking one a minute, that are too many: CrowdSec's number.
const SLOW_LIMIT: f64 = 10.0;

/// Failed logons.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogonEvidence {
    /// Which count told.
    pub pace: Pace,
    /// Failed logons since somebody was last in.
    pub failures: u32,
    /// What the count has come to.
    pub level: f64,
    /// What it must not pass.
    pub limit: f64,
    /// Different accounts that were tried, up to a limit.
    pub accounts: usize,
    /// Different addresses that are known, up to a limit.
    pub addresses: usize,
    /// How many of the failed logons have an address, by how it is known: told, by events, by flows.
    pub traces: [u32; 3],
}

/// A logon after failed ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EntryEvidence {
    /// Failed logons before it.
    pub failures: u32,
    /// Different accounts that were tried, up to a limit.
    pub accounts: usize,
    /// Different addresses that are known, up to a limit.
    pub addresses: usize,
    /// How the address of the logon is known, if it is.
    pub trace: Option<Trace>,
}

/// What a guest says of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The guest's name for itself.
    pub machine: String,
    /// The account, if it is one.
    pub account: Option<String>,
}

/// A guest, and an address or an account of it. Names are kept as fingerprints.
type Key = (u64, u64);

#[derive(Debug)]
pub(crate) struct Guests {
    now_ms: u64,
    by_address: Memory<Key, Tries>,
    by_account: Memory<Key, Tries>,
    /// Addresses that were in, of accounts.
    known: Memory<Key, Recent>,
}

#[derive(Debug, Default)]
struct Tries {
    tally: Tally,
    since_ms: u64,
    last_ms: u64,
    accounts: Recent,
    addresses: Recent,
    traces: [u32; 3],
}

impl Guests {
    pub(crate) fn new() -> Self {
        let memory = || Memory::new(PAIRS_MAX, PAIR_IDLE_MS);
        let known = Memory::new(PAIRS_MAX, PAIR_IDLE_MS);
        Self { now_ms: 0, by_address: memory(), by_account: memory(), known }
    }

    /// Takes the next logon.
    pub(crate) fn observe(&mut self, logon: &Logon, alerts: &mut Vec<Alert>) {
        self.now_ms = self.now_ms.max(logon.time_ms);
        match logon.outcome {
            LogonOutcome::Failed | LogonOutcome::Untold => alerts.extend(self.failed(logon)),
            LogonOutcome::Succeeded => alerts.extend(self.succeeded(logon)),
        }
    }

    pub(crate) const fn forgotten(&self) -> u64 {
        self.by_address.forgotten() + self.by_account.forgotten() + self.known.forgotten()
    }

    fn failed(&mut self, logon: &Logon) -> Option<Alert> {
        let now_ms = self.now_ms;
        let mut is_told = false;
        if let Some(key) = address_key(logon) {
            let tries = tries(&mut self.by_address, key, now_ms);
            if let Some((evidence, since_ms)) = tries.add(logon, now_ms) {
                return Some(guessed(Shape::OneToOne, logon, (since_ms, now_ms), evidence));
            }
            is_told = tries.tally.has_told();
        }
        let key = account_key(logon).filter(|_| !is_told)?;
        let (evidence, since_ms) = tries(&mut self.by_account, key, now_ms).add(logon, now_ms)?;
        Some(guessed(Shape::ManyToOne, logon, (since_ms, now_ms), evidence))
    }

    fn succeeded(&mut self, logon: &Logon) -> Option<Alert> {
        let of_address =
            address_key(logon).and_then(|key| tries(&mut self.by_address, key, self.now_ms).end());
        let of_account = self.entered_account(logon);
        let (evidence, since_ms) = of_address.or(of_account)?;
        let evidence = EntryEvidence { trace: logon.source.map(|(_, trace)| trace), ..evidence };
        let kind = Kind::SuccessAfterFailures(logon.service);
        Some(alert(kind, logon, (since_ms, self.now_ms), Evidence::Entry(evidence)))
    }

    /// The tries at an account that was told of, if an address is in that never was.
    fn entered_account(&mut self, logon: &Logon) -> Option<(EntryEvidence, u64)> {
        let key = account_key(logon)?;
        let was_in = logon.source.is_some_and(|(address, _)| {
            let known = self.known.entry(key, self.now_ms, Recent::default);
            !known.insert(print(Host::from(address)), TRIED_MAX)
        });
        let tries = tries(&mut self.by_account, key, self.now_ms);
        if tries.is_only_of(logon) {
            // Whoever mistyped is in.
            *tries = Tries { last_ms: tries.last_ms, ..Tries::default() };
        }
        // The account's own user does not end what others try.
        if was_in || !tries.tally.has_told() { None } else { tries.end() }
    }
}

impl Tries {
    fn add(&mut self, logon: &Logon, now_ms: u64) -> Option<(LogonEvidence, u64)> {
        if self.tally.tries() == 0 {
            self.since_ms = logon.time_ms;
        }
        if let Some(account) = &logon.account {
            self.accounts.insert(print(account.as_str()), TRIED_MAX);
        }
        if let Some((address, trace)) = logon.source {
            self.addresses.insert(print(Host::from(address)), TRIED_MAX);
            self.traces[trace as usize] += 1;
        }
        let Passed { pace, level, limit } = self.tally.add(now_ms, SLOW_LIMIT)?;
        // Connections add up over weeks also where nobody guesses.
        if logon.outcome == LogonOutcome::Untold && pace == Pace::Patient {
            return None;
        }
        self.tally.tell(now_ms);
        let (accounts, addresses) = (self.accounts.len(), self.addresses.len());
        let (failures, traces) = (self.tally.tries(), self.traces);
        Some((LogonEvidence { pace, failures, level, limit, accounts, addresses, traces }, self.since_ms))
    }

    /// Whether all tries came from where a logon comes from, as far as it is known, and were not told of.
    fn is_only_of(&self, logon: &Logon) -> bool {
        let own = logon.source.map(|(address, _)| print(Host::from(address)));
        !self.tally.has_told() && self.addresses.iter().all(|address| Some(address) == own)
    }

    /// Ends the series with somebody who got in; what it was, if it was one.
    fn end(&mut self) -> Option<(EntryEvidence, u64)> {
        let failures = self.tally.tries();
        let is_alarm = self.tally.has_told() || failures >= BEFORE_SESSION;
        let (accounts, addresses) = (self.accounts.len(), self.addresses.len());
        let evidence = EntryEvidence { failures, accounts, addresses, trace: None };
        let since_ms = self.since_ms;
        *self = Self { last_ms: self.last_ms, ..Self::default() };
        is_alarm.then_some((evidence, since_ms))
    }
}

/// The tries of a key; none if the last is too long ago.
fn tries(memory: &mut Memory<Key, Tries>, key: Key, now_ms: u64) -> &mut Tries {
    let tries = memory.entry(key, now_ms, Tries::default);
    if now_ms.saturating_sub(tries.last_ms) > PAIR_IDLE_MS {
        *tries = Tries::default();
    }
    tries.last_ms = now_ms;
    tries
}

fn address_key(logon: &Logon) -> Option<Key> {
    let (address, _) = logon.source?;
    Some((print_long(logon.machine.as_str()), print_long(Host::from(address))))
}

fn account_key(logon: &Logon) -> Option<Key> {
    let account = logon.account.as_deref()?;
    Some((print_long(logon.machine.as_str()), print_long(account)))
}

/// Of one address, or at one account from several or from nobody knows where.
fn guessed(shape: Shape, logon: &Logon, span_ms: (u64, u64), evidence: LogonEvidence) -> Alert {
    let kind = Kind::BruteForce(logon.service, shape);
    let alert = alert(kind, logon, span_ms, Evidence::Logons(evidence));
    match shape {
        Shape::OneToOne if evidence.accounts > 1 => {
            Alert { guest: Some(Guest { machine: logon.machine.clone(), account: None }), ..alert }
        }
        Shape::OneToOne => alert,
        _ => Alert { source: None, ..alert },
    }
}

fn alert(kind: Kind, logon: &Logon, (since_ms, time_ms): (u64, u64), evidence: Evidence) -> Alert {
    Alert {
        kind,
        direction: Direction::Inbound,
        time_ms,
        since_ms: since_ms.min(time_ms),
        source: logon.source.map(|(address, _)| address),
        destination: None,
        protocol: Protocol::TCP,
        port: port(logon.service),
        evidence,
        guest: Some(Guest { machine: logon.machine.clone(), account: logon.account.clone() }),
    }
}

/// The port that a service is expected at; logs do not tell it.
const fn port(service: Service) -> Option<u16> {
    match service {
        Service::Rdp => Some(3389),
        Service::Ssh => Some(22),
        Service::Smb => Some(445),
        Service::Ftp => Some(21),
        Service::Sql | Service::Generic => None,
    }
}

impl Guest {
    /// The account with its guest, or the guest.
    pub fn name(&self) -> String {
        match &self.account {
            Some(account) => format!("{account}@{}", self.machine),
            None => self.machine.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
