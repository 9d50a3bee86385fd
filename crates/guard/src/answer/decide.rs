//! What a policy answers to an alert.
//!
//! What is done and what is not are both told, the latter with the reason. Whom to spare is asked last and always, so that no way to a
//! lock-out goes around it.

use std::{collections::BTreeSet, fmt, net::IpAddr};

use palisade_model::ResourceId;
use palisade_net::{Direction, Prefix};

use super::{HOUR, Policy, Sighting, Step, Terms, Unit};

/// Somebody who is locked out, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barred {
    /// Who.
    pub prefix: Prefix,
    /// The machine alone that he is kept from; `None` for a lock-out.
    pub machine: Option<ResourceId>,
    /// From when, in seconds since 1970.
    pub from: u32,
    /// The first second in which he is no more.
    pub until: u32,
}

/// What was done before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// Who is locked out, and who was, as far as it is remembered.
    pub barred: Vec<Barred>,
    /// Machines that are isolated.
    pub isolated: Vec<ResourceId>,
    /// Machines that are throttled now.
    pub throttled: Vec<ResourceId>,
    /// When the policy took which step, at least of the last hour.
    pub acts: Vec<(Step, u32)>,
}

/// Who must not be locked out, besides the allow-list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spared {
    /// Sources of grants that are open.
    pub grants: Vec<Prefix>,
    /// Addresses from which administrators talk to the server.
    pub administrators: Vec<IpAddr>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Let the machine find new destinations at the policy's rate and no faster.
    Throttle {
        /// The machine.
        machine: ResourceId,
        /// Until when.
        until: u32,
    },
    /// Keep an address and the machine apart, both ways.
    Block {
        /// The address.
        prefix: Prefix,
        /// The machine.
        machine: ResourceId,
        /// Until when.
        until: u32,
        /// How often it was done before.
        repetition: u32,
    },
    /// Lock out a source.
    Lockout {
        /// The source.
        prefix: Prefix,
        /// Until when.
        until: u32,
        /// How often it was done before.
        repetition: u32,
    },
    /// Isolate the machine.
    Quarantine {
        /// The machine.
        machine: ResourceId,
    },
}

impl Act {
    /// The step that it is.
    pub const fn step(&self) -> Step {
        match self {
            Self::Throttle { .. } => Step::Throttle,
            Self::Block { .. } => Step::Block,
            Self::Lockout { .. } => Step::Lockout,
            Self::Quarantine { .. } => Step::Quarantine,
        }
    }
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withheld {
    /// The step's budget of the hour is spent.
    Budget {
        /// Which step.
        step: Step,
        /// How often it may be taken in an hour.
        budget: usize,
    },
    /// The allow-list has him.
    Allowed(Prefix),
    /// He holds a grant that is open.
    Granted(Prefix),
    /// An administrator talks to the server from there.
    Administrator(Prefix),
    /// It is done already.
    Done(String),
    /// The alert does not tell whom to act against.
    Nobody {
        /// Which step.
        step: Step,
        /// What the alert does not tell.
        missing: &'static str,
    },
}

impl Withheld {
    /// Whether somebody must know: what is done already needs no word.
    pub const fn is_told(&self) -> bool {
        !matches!(self, Self::Done(_))
    }
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget { step, budget } => {
                write!(f, "the budget of {} is spent: {budget} in an hour", step.name())
            }
            Self::Allowed(prefix) => write!(f, "{prefix} is on the allow-list"),
            Self::Granted(prefix) => write!(f, "{prefix} holds an open grant"),
            Self::Administrator(prefix) => write!(f, "an administrator talks to the server from {prefix}"),
            Self::Done(what) => write!(f, "{what} already"),
            Self::Nobody { step, missing } => {
                write!(f, "{} needs {missing}, which the alert does not tell", step.name())
            }
        }
    }
}

/// What comes of an alert.
pub type Answer = Result<Act, Withheld>;

impl Policy {
    /// Answers an alert; `None` if nothing is to be done about it.
    pub fn answer(&self, seen: &Sighting, past: &Past, spared: &Spared, now: u32) -> Option<Answer> {
        let step = self.step(seen).filter(|step| *step != Step::Observe)?;
        let answer = match step {
            Step::Observe => return None,
            Step::Throttle => self.throttle(seen, past, now),
            Step::Block => self.block(seen, past, now),
            Step::Lockout => self.lockout(seen, past, spared, now),
            Step::Quarantine => quarantine(seen, past),
        };
        Some(answer.and_then(|act| self.spare(act, spared)).and_then(|act| {
            let taken = past.acts.iter().filter(|(own, at)| *own == step && now < at.saturating_add(HOUR));
            let budget = self.budgets().of(step);
            if taken.count() < budget { Ok(act) } else { Err(Withheld::Budget { step, budget }) }
        }))
    }

    /// Whether somebody may be locked out at all, by a policy or by hand.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, prefix: Prefix, spared: &Spared) -> Result<(), Withheld> {
        if self.allows(prefix) { Err(Withheld::Allowed(prefix)) } else { spared.check(prefix) }
    }

    fn throttle(&self, seen: &Sighting, past: &Past, now: u32) -> Answer {
        let machine = machine(seen, Step::Throttle)?;
        if past.throttled.contains(&machine) {
            return Err(Withheld::Done(format!("{} is throttled", machine.name())));
        }
        Ok(Act::Throttle { machine, until: now.saturating_add(self.slowing().seconds) })
    }

    fn block(&self, seen: &Sighting, past: &Past, now: u32) -> Answer {
        let (Some(address), Some(machine)) = (seen.remote, seen.machine.clone()) else {
            return Err(Withheld::Nobody { step: Step::Block, missing: "one address and one machine" });
        };
        let prefix = Prefix::host(address);
        let own = |one: &&Barred| one.machine.as_ref() == Some(&machine) && one.prefix.overlaps(prefix);
        let before: Vec<&Barred> = past.barred.iter().filter(own).collect();
        if before.iter().any(|one| now < one.until && one.prefix.contains(address)) {
            return Err(Withheld::Done(format!("{prefix} is blocked")));
        }
        let (until, repetition) = self.term(&before, now);
        Ok(Act::Block { prefix, machine, until, repetition })
    }

    fn lockout(&self, seen: &Sighting, past: &Past, spared: &Spared, now: u32) -> Answer {
        let source = seen.remote.filter(|_| seen.direction == Direction::Inbound);
        let Some(address) = source else {
            return Err(Withheld::Nobody { step: Step::Lockout, missing: "one source outside" });
        };
        let all = past.barred.iter().filter(|one| one.machine.is_none());
        let in_force = |one: &&Barred| now < one.until;
        if all.clone().filter(in_force).any(|one| one.prefix.contains(address)) {
            return Err(Withheld::Done(format!("{address} is locked out")));
        }
        let network = Terms::network(address);
        let near: BTreeSet<Prefix> = all
            .clone()
            .filter(in_force)
            .map(|one| one.prefix)
            .filter(|own| network.contains(own.address()))
            .collect();
        // With this one.
        let is_many = self.terms().neighbours.is_some_and(|count| near.len() + 1 >= count);
        let is_net = self.terms().unit == Unit::Network || is_many;
        // A network with somebody in it who must be spared is not closed for the sake of one address.
        let prefix =
            if is_net && self.check(network, spared).is_ok() { network } else { Prefix::host(address) };
        let covers = |one: &&Barred| one.prefix.length() <= prefix.length() && one.prefix.overlaps(prefix);
        let before: Vec<&Barred> = all.filter(covers).collect();
        let (until, repetition) = self.term(&before, now);
        Ok(Act::Lockout { prefix, until, repetition })
    }

    /// Until when, and how often before.
    fn term(&self, before: &[&Barred], now: u32) -> (u32, u32) {
        let terms = self.terms();
        let counts = |one: &&&Barred| now < one.until.saturating_add(terms.memory);
        let repetition = u32::try_from(before.iter().filter(counts).count()).unwrap_or(u32::MAX);
        (now.saturating_add(terms.seconds(repetition)), repetition)
    }

    fn spare(&self, act: Act, spared: &Spared) -> Answer {
        match &act {
            Act::Block { prefix, .. } | Act::Lockout { prefix, .. } => {
                self.check(*prefix, spared)?;
            }
            // What comes in is not held up; the forensic path stays open.
            Act::Throttle { .. } | Act::Quarantine { .. } => {}
        }
        Ok(act)
    }
}

impl Spared {
    /// Whether somebody may be locked out, whatever allow-lists say.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, prefix: Prefix) -> Result<(), Withheld> {
        let holds = |grant: &&Prefix| grant.length() >= prefix.length() && prefix.overlaps(**grant);
        if self.grants.iter().any(|grant| holds(&grant)) {
            return Err(Withheld::Granted(prefix));
        }
        if self.administrators.iter().any(|address| prefix.contains(address.to_canonical())) {
            return Err(Withheld::Administrator(prefix));
        }
        Ok(())
    }
}

fn quarantine(seen: &Sighting, past: &Past) -> Answer {
    let machine = machine(seen, Step::Quarantine)?;
    if past.isolated.contains(&machine) {
        return Err(Withheld::Done(format!("{} is in quarantine", machine.name())));
    }
    Ok(Act::Quarantine { machine })
}

fn machine(seen: &Sighting, step: Step) -> Result<ResourceId, Withheld> {
    seen.machine.clone().ok_or(Withheld::Nobody { step, missing: "one machine" })
}
