//! Three stories, told with real packets: an open administration port, a machine that calls out, and one that was taken.
//!
//! A story is a row of situations. In each, claims are tried over both families; every claim that does not hold is
//! printed and remembered, and the story goes on, so one run shows all that is wrong. The tour knows hosts and
//! services, not rules: the policy is in the parameters files.

mod egress;
mod guarded;
mod rdp;
mod taken;

use std::io::{self, Write};
use std::net::SocketAddr;

use palisade_net::Family;

use crate::error::{LabError, Result};
use crate::estate::Situation;
use crate::guard::Guard;
use crate::hosts::Host;
use crate::interrupt::Interrupt;
use crate::lab::Lab;
use crate::matrix::Probe;
use crate::policy::EstateFiles;
use crate::probe::service::service;
use crate::probe::{Knock, Outcome, PATIENCE, Service, Transport, http, knock_all};

/// The tour while it is told.
struct Tour<'a> {
    lab: &'a Lab,
    files: EstateFiles,
    guard: &'a mut dyn Guard,
    interrupt: Option<&'a Interrupt>,
    out: &'a mut dyn Write,
    held: usize,
    failures: Vec<String>,
}

/// How the tour went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Claims that held.
    pub held: usize,
    /// Claims that did not.
    pub failures: Vec<String>,
    /// Whether somebody stopped it before the end.
    pub is_cut_short: bool,
}

/// Somebody can, or cannot, reach something.
#[derive(Clone, Copy)]
struct Claim {
    from: &'static str,
    to: &'static str,
    service: &'static str,
    is_open: bool,
    text: &'static str,
}

const fn can(from: &'static str, to: &'static str, service: &'static str, text: &'static str) -> Claim {
    Claim { from, to, service, is_open: true, text }
}

const fn cannot(from: &'static str, to: &'static str, service: &'static str, text: &'static str) -> Claim {
    Claim { from, to, service, is_open: false, text }
}

/// Tells all stories. Servers must be running.
pub fn tell(
    lab: &Lab,
    guard: &mut dyn Guard,
    interrupt: Option<&Interrupt>,
    out: &mut dyn Write,
) -> Result<Report> {
    let files = EstateFiles::write(&lab.stage().folder(), Situation::Default)?;
    let mut tour = Tour { lab, files, guard, interrupt, out, held: 0, failures: Vec::new() };
    let is_complete = rdp::tell(&mut tour)? && egress::tell(&mut tour)? && taken::tell(&mut tour)?;
    let Tour { held, failures, .. } = tour;
    Ok(Report { held, failures, is_cut_short: !is_complete })
}

impl Tour<'_> {
    fn heading(&mut self, text: &str) -> Result<()> {
        self.print(&format!("\n{text}\n{}\n", "=".repeat(text.len())))
    }

    /// Tells what happens next; false means that somebody wants to stop here.
    fn go_on(&mut self, text: &str) -> Result<bool> {
        if self.interrupt.is_some_and(Interrupt::is_wanted) {
            return Ok(false);
        }
        self.print(&format!("\n{text}\n"))?;
        Ok(true)
    }

    /// Tells what happens and puts a situation in force; false means that somebody wants to stop here.
    fn scene(&mut self, text: &str, situation: Situation) -> Result<bool> {
        if !self.go_on(text)? {
            return Ok(false);
        }
        self.files.change(situation)?;
        let generation = self.guard.enforce(&self.files).map_err(|source| LabError::Policy {
            what: format!("{} cannot be put in force", situation.file_name()),
            source,
        })?;
        self.print(&format!("    policy: {}, generation {generation} in force\n", situation.file_name()))?;
        Ok(true)
    }

    /// Tries claims over both families, all at the same time.
    fn try_all(&mut self, claims: &[Claim]) -> Result<()> {
        let mut knocks = Vec::with_capacity(claims.len() * Family::ALL.len());
        for claim in claims {
            let (from, to) = (self.lab.host(claim.from)?, self.lab.host(claim.to)?);
            let service = known(claim.service);
            knocks.extend(Family::ALL.map(|family| Probe { from, to, service, family }.knock(self.lab)));
        }
        let outcomes = knock_all(&knocks, PATIENCE)?;
        for (claim, outcomes) in claims.iter().zip(outcomes.chunks(Family::ALL.len())) {
            let expected = if claim.is_open { Outcome::Answered } else { Outcome::Silence };
            let wrong: Vec<String> = Family::ALL
                .iter()
                .zip(outcomes)
                .filter(|(_, outcome)| **outcome != expected)
                .map(|(family, outcome)| format!("{family}: {outcome}"))
                .collect();
            self.judge(claim.text, &wrong)?;
        }
        Ok(())
    }

    /// Connects to the well-known ports of a host's addresses and compares which make themselves heard.
    fn scan(&mut self, from: &str, to: &str, expected: &[u16], text: &str) -> Result<()> {
        let (from, to) = (self.lab.host(from)?, self.lab.host(to)?);
        let ports: Vec<u16> = (1..=1024).chain([1433, 3389, 5432, 8443]).collect();
        let knocks: Vec<Knock> = Family::ALL
            .iter()
            .flat_map(|family| ports.iter().map(|port| (to.address_for(from, *family), *port)))
            .map(|door| Knock {
                from: self.lab.of(from),
                transport: Transport::Tcp,
                at: SocketAddr::from(door),
            })
            .collect();
        let outcomes = knock_all(&knocks, PATIENCE)?;
        for (family, outcomes) in Family::ALL.iter().zip(outcomes.chunks(ports.len())) {
            let heard = ports.iter().zip(outcomes).filter(|(_, outcome)| **outcome != Outcome::Silence);
            let found: Vec<u16> = heard.map(|(port, _)| *port).collect();
            let address = to.address_for(from, *family);
            let text = format!("{text} ({address}, {} ports): {}", ports.len(), list(&found));
            let wrong = (found != expected).then(|| format!("expected {}", list(expected)));
            self.judge(&text, wrong.as_slice())?;
        }
        Ok(())
    }

    /// Sends a file over HTTP and compares whether it arrives.
    fn upload(&mut self, from: &str, to: &str, arrives: bool, text: &str) -> Result<()> {
        static FILE: [u8; 100_000] = [b'x'; 100_000];
        let (from, to): (&Host, &Host) = (self.lab.host(from)?, self.lab.host(to)?);
        let at = SocketAddr::new(to.address_for(from, Family::V4), known("https").port);
        let answer = http::fetch(&self.lab.of(from), at, "/drop", &FILE, PATIENCE)?;
        let has_arrived = answer.as_ref().is_ok_and(|page| page.contains("100000 bytes received"));
        let wrong = (has_arrived != arrives).then(|| match answer {
            Ok(page) => format!("it arrived: {}", page.trim()),
            Err(error) => error.to_string(),
        });
        self.judge(text, wrong.as_slice())
    }

    fn judge(&mut self, text: &str, wrong: &[String]) -> Result<()> {
        if wrong.is_empty() {
            self.held += 1;
            return self.print(&format!("    holds   {text}\n"));
        }
        let failure = format!("{text} ({})", wrong.join(", "));
        self.print(&format!("    FAILS   {failure}\n"))?;
        self.failures.push(failure);
        Ok(())
    }

    fn print(&mut self, text: &str) -> Result<()> {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        match written {
            // Somebody who closes the pipe has heard enough; the claims still decide the exit code.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(LabError::io("write", "the story")),
        }
    }
}

fn known(name: &str) -> &'static Service {
    service(name).expect("the stories use only services that the table has")
}

fn list(ports: &[u16]) -> String {
    if ports.is_empty() {
        return "nothing".into();
    }
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}
