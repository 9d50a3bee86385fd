//! What is done and tried in the third story: guesses, sessions, alerts and their answers.

use std::{
    net::{IpAddr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use palisade_net::Family;

use super::{Tour, known};
use crate::{
    error::{LabError, Result},
    guard::ForensicPath,
    hosts::HOSTS,
    matrix::Probe,
    probe::{Knock, Outcome, PATIENCE, Transport, knock_all, session},
};

/// The pace of guesses: a connection each.
const PACE: Duration = Duration::from_millis(400);
/// How long an answer to an alert may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// More than guesses bring, many times over.
const FILES: usize = 300_000;

impl Tour<'_> {
    /// Tries passwords at Remote Desktop: short connections, one after the other.
    pub(super) fn guess(&mut self, from: &str, to: &str, family: Family, tries: usize) -> Result<()> {
        let probe = self.probe(from, to, "rdp", family)?;
        let mut answered = 0;
        for _ in 0..tries {
            answered += usize::from(self.outcome(&probe)? == Outcome::Answered);
            thread::sleep(PACE);
        }
        let wrong = (answered != tries).then(|| format!("only {answered}"));
        self.judge(&format!("{tries} guesses over {family} are answered"), wrong.as_slice())
    }

    /// Opens a connection to Remote Desktop that carries much more than a guess.
    pub(super) fn session(&mut self, from: &str, to: &str, family: Family, text: &str) -> Result<()> {
        let (from, to) = (self.lab.host(from)?, self.lab.host(to)?);
        let at = SocketAddr::new(to.address_for(from, family), known("rdp").port);
        let held = session::hold(&self.lab.of(from), at, FILES, PATIENCE)?;
        let wrong = held.err().map(|error| error.to_string());
        self.judge(text, wrong.as_slice())
    }

    /// Knocks at one port of every host outside, over IPv4.
    pub(super) fn look_around(&mut self, from: &str, port: u16) -> Result<()> {
        let from = self.lab.host(from)?;
        let outside = HOSTS.iter().filter(|host| host.machine.is_none());
        let knock = |to: IpAddr| Knock {
            from: self.lab.of(from),
            transport: Transport::Tcp,
            at: SocketAddr::new(to, port),
        };
        let knocks: Vec<Knock> = outside.map(|host| knock(host.address_for(from, Family::V4))).collect();
        knock_all(&knocks, PATIENCE).map(drop)
    }

    /// Tries one service over one family.
    pub(super) fn try_one(
        &mut self,
        from: &str,
        to: &str,
        service: &str,
        family: Family,
        is_open: bool,
        text: &str,
    ) -> Result<()> {
        let outcome = self.outcome(&self.probe(from, to, service, family)?)?;
        let expected = if is_open { Outcome::Answered } else { Outcome::Silence };
        let wrong = (outcome != expected).then(|| format!("{family}: {outcome}"));
        self.judge(text, wrong.as_slice())
    }

    /// Waits until a service that is open is silent.
    pub(super) fn falls_silent(&mut self, from: &str, to: &str, service: &str, text: &str) -> Result<()> {
        let probe = self.probe(from, to, service, Family::V4)?;
        let begun = Instant::now();
        while begun.elapsed() < ANSWER_WITHIN {
            if self.outcome(&probe)? == Outcome::Silence {
                return self.judge(text, &[]);
            }
        }
        self.judge(text, &[format!("not within {} s", ANSWER_WITHIN.as_secs())])
    }

    /// Waits for an alert about a host, and compares how grave it is.
    pub(super) fn alert(
        &mut self,
        name: &str,
        subject: &str,
        family: Family,
        severity: &str,
        text: &str,
    ) -> Result<()> {
        let address = self.lab.host(subject)?.addresses.of(family);
        let alert = self.guard.alert(name, address).map_err(refused("alerts cannot be read"))?;
        let Some(alert) = alert else {
            return self.judge(text, &[format!("no {name} about {address}")]);
        };
        self.print(&format!("    alert: {} {name} by {address}\n", alert.severity))?;
        self.print(&format!("           {}\n", alert.evidence))?;
        let wrong = (alert.severity != severity).then(|| format!("expected {severity}"));
        self.judge(text, wrong.as_slice())
    }

    pub(super) fn lock_out(&mut self, host: &str, family: Family) -> Result<()> {
        let address = self.lab.host(host)?.addresses.of(family);
        self.guard.lock_out(address).map_err(refused("nobody can be locked out"))?;
        self.print(&format!("    answer: {address} is locked out\n"))
    }

    pub(super) fn isolate_scanners(&mut self, forensic: &[ForensicPath]) -> Result<()> {
        self.guard.isolate_scanners(forensic).map_err(refused("no policy can be set that answers"))
    }

    pub(super) fn release(&mut self) -> Result<()> {
        self.guard.release().map_err(refused("the machine cannot be released"))
    }

    /// Tells alerts and answers in the timeline of a machine, and compares whether these words come in this order.
    pub(super) fn timeline(&mut self, machine: &str, order: &[&str], text: &str) -> Result<()> {
        let events = self.guard.timeline(machine).map_err(refused("nobody tells what happened"))?;
        let mut places = Vec::new();
        for word in order {
            places.push(events.iter().position(|event| event.summary.contains(word)));
        }
        for event in events.iter().filter(|event| ["alert", "answer"].contains(&event.what.as_str())) {
            self.print(&format!("    {:<24}  {:<6}  {}\n", event.time, event.what, event.summary))?;
        }
        let missing = order.iter().zip(&places).filter(|(_, place)| place.is_none());
        let mut wrong: Vec<String> = missing.map(|(word, _)| format!("{word} is missing")).collect();
        if wrong.is_empty() && !places.is_sorted() {
            wrong.push("in another order".to_owned());
        }
        self.judge(text, &wrong)
    }

    fn probe(&self, from: &str, to: &str, service: &str, family: Family) -> Result<Probe> {
        let (from, to) = (self.lab.host(from)?, self.lab.host(to)?);
        Ok(Probe { from, to, service: known(service), family })
    }

    fn outcome(&self, probe: &Probe) -> Result<Outcome> {
        let outcomes = knock_all(&[probe.knock(self.lab)], PATIENCE)?;
        Ok(outcomes[0])
    }
}

fn refused(what: &str) -> impl FnOnce(anyhow::Error) -> LabError {
    let what = what.to_owned();
    move |source| LabError::Policy { what, source }
}
