//! Every pair of hosts, every service, both families: what was observed beside what was predicted.
//!
//! Pairs of two outsiders are left out, since no policy stands between them. A connection between two machines is
//! judged twice, when it leaves the sender's NIC and when it reaches the receiver's, and passes if both allow it.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use palisade_net::{Direction, Family, Flow};
use serde_json::{Value, json};

use crate::error::{LabError, Result};
use crate::hosts::{HOSTS, Host};
use crate::lab::Lab;
use crate::policy::{Prediction, Predictor};
use crate::probe::{Knock, Outcome, SERVICES, Service, knock_all};

/// Stands for the sender's port where a question needs one; the lab's rules never look at it.
const EPHEMERAL_PORT: u16 = 50_000;

/// Mismatches that a table spells out.
const MISMATCHES_SHOWN: usize = 20;

/// One question: can this host reach that service of that host.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    /// The sender.
    pub from: &'static Host,
    /// The receiver.
    pub to: &'static Host,
    /// The door.
    pub service: &'static Service,
    /// The family.
    pub family: Family,
}

/// A question with its answers.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The question.
    pub probe: Probe,
    /// What real packets said.
    pub observed: Outcome,
    /// What policy says; absent when nobody was asked.
    pub predicted: Option<Prediction>,
}

/// All cells, ordered by sender, receiver, service and family.
#[derive(Debug, Clone)]
pub struct Matrix {
    cells: Vec<Cell>,
}

/// Every question that policy has a say in.
pub fn all_probes() -> Vec<Probe> {
    let mut probes = Vec::new();
    for from in &HOSTS {
        for to in HOSTS.iter().filter(|to| to.name != from.name && has_policy_between(from, to)) {
            for service in &SERVICES {
                probes.extend(Family::ALL.map(|family| Probe { from, to, service, family }));
            }
        }
    }
    probes
}

fn has_policy_between(from: &Host, to: &Host) -> bool {
    from.machine.is_some() || to.machine.is_some()
}

impl Probe {
    /// The attempt with real packets.
    pub fn knock(&self, lab: &Lab) -> Knock {
        let address = self.to.address_for(self.from, self.family);
        Knock {
            from: lab.of(self.from),
            transport: self.service.transport,
            at: SocketAddr::new(address, self.service.port),
        }
    }

    /// The NICs on the way, the sender's first, by their names in the template, and the connection as each sees it.
    ///
    /// Both see private addresses: the router translates a public destination before the receiver's NIC, and
    /// a machine's own source after its NIC.
    pub fn flows(&self) -> Vec<(&'static str, Flow)> {
        let Probe { from, to, service, family } = *self;
        let protocol = service.transport.protocol(family);
        let source_port = if protocol.has_ports() { EPHEMERAL_PORT } else { 0 };
        let source = (from.addresses.of(family), source_port);
        let destination = (to.addresses.of(family), service.policy_port(family));
        let flow = |direction| {
            Flow::new(direction, protocol, source, destination).expect("both addresses are of one family")
        };
        let outbound = from.machine.map(|machine| (machine.nic, flow(Direction::Outbound)));
        let inbound = to.machine.map(|machine| (machine.nic, flow(Direction::Inbound)));
        outbound.into_iter().chain(inbound).collect()
    }

    /// Asks for every NIC on the way; the first that denies decides, else the last that allows.
    fn predict(&self, predictor: &mut dyn Predictor) -> Result<Option<Prediction>> {
        let mut last = None;
        for (nic, flow) in self.flows() {
            let prediction = predictor
                .predict(nic, &flow)
                .map_err(|source| LabError::Policy { what: format!("cannot predict {self}"), source })?;
            let is_allowed = prediction.is_allowed;
            last = Some(prediction);
            if !is_allowed {
                break;
            }
        }
        Ok(last)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Probe { from, to, service, family } = self;
        write!(f, "{} -> {} {} over {}", from.name, to.name, service.name, family)
    }
}

impl Cell {
    /// Whether packets and policy say the same. Only silence counts as denied: a refusal is neither.
    pub fn agrees(&self) -> bool {
        match &self.predicted {
            None => true,
            Some(prediction) if prediction.is_allowed => self.observed == Outcome::Answered,
            Some(_) => self.observed == Outcome::Silence,
        }
    }

    fn mark(&self) -> char {
        match self.observed {
            _ if !self.agrees() => '!',
            Outcome::Answered => '+',
            Outcome::Silence => '.',
            Outcome::Refused => 'r',
            Outcome::Failed(_) => 'f',
        }
    }

    fn to_json(&self) -> Value {
        let Probe { from, to, service, family } = self.probe;
        json!({
            "from": from.name,
            "to": to.name,
            "service": service.name,
            "family": family.to_string(),
            "observed": self.observed.to_string(),
            "predicted": self.predicted.as_ref().map(|p| if p.is_allowed { "Allow" } else { "Deny" }),
            "rule": self.predicted.as_ref().map(|p| p.rule.as_str()),
            "agrees": self.agrees(),
        })
    }
}

impl Matrix {
    /// Sends everything, and asks the predictor where there is one.
    pub fn observe(lab: &Lab, predictor: Option<&mut dyn Predictor>, patience: Duration) -> Result<Matrix> {
        Self::observe_probes(lab, &all_probes(), predictor, patience)
    }

    /// The same for some of the questions.
    pub fn observe_probes(
        lab: &Lab,
        probes: &[Probe],
        mut predictor: Option<&mut dyn Predictor>,
        patience: Duration,
    ) -> Result<Matrix> {
        let knocks: Vec<Knock> = probes.iter().map(|probe| probe.knock(lab)).collect();
        let observed = knock_all(&knocks, patience)?;
        let mut cells = Vec::with_capacity(probes.len());
        for (probe, observed) in probes.iter().copied().zip(observed) {
            let predicted = match predictor.as_deref_mut() {
                Some(predictor) => probe.predict(predictor)?,
                None => None,
            };
            cells.push(Cell { probe, observed, predicted });
        }
        Ok(Matrix { cells })
    }

    /// Every cell.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cells in which packets and policy disagree.
    pub fn mismatches(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| !cell.agrees())
    }

    /// A table for people: one line per pair, one column per service, IPv4 and IPv6 side by side.
    pub fn render(&self) -> String {
        let mut text = String::from("from      to        ");
        for service in &SERVICES {
            write!(text, " {:<5}", service.name).expect("writing to a string cannot fail");
        }
        let mut pair = None;
        let mut column = None;
        for cell in &self.cells {
            let Probe { from, to, service, .. } = cell.probe;
            if pair.replace((from.name, to.name)) != Some((from.name, to.name)) {
                write!(text, "\n{:<10}{:<10}", from.name, to.name).expect("writing to a string cannot fail");
                column = None;
            }
            if column.replace(service.name) != Some(service.name) {
                text.push_str(if text.ends_with(' ') { " " } else { "    " });
            }
            text.push(cell.mark());
        }
        text.push_str("\n\n+ answered   . silence   ! not as predicted   (left IPv4, right IPv6)\n");
        self.render_agreement(&mut text).expect("writing to a string cannot fail");
        text
    }

    /// How many cells are as predicted, and the first of those that are not.
    fn render_agreement(&self, text: &mut String) -> fmt::Result {
        let predicted = self.cells.iter().filter(|cell| cell.predicted.is_some()).count();
        if predicted == 0 {
            return Ok(());
        }
        let wrong = self.mismatches().count();
        writeln!(text, "{predicted} cells were predicted and tried; {} are as predicted", predicted - wrong)?;
        for cell in self.mismatches().take(MISMATCHES_SHOWN) {
            let predicted = cell.predicted.as_ref().map_or("nothing", |p| p.rule.as_str());
            writeln!(text, "! {}: {}, but {} decides otherwise", cell.probe, cell.observed, predicted)?;
        }
        match wrong.saturating_sub(MISMATCHES_SHOWN) {
            0 => Ok(()),
            more => writeln!(text, "! and {more} more"),
        }
    }

    /// The same as data.
    pub fn to_json(&self) -> Value {
        json!({
            "cells": self.cells.iter().map(Cell::to_json).collect::<Vec<_>>(),
            "mismatches": self.mismatches().count(),
        })
    }
}
