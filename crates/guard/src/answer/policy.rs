//! What an answer policy says: which alerts lead to which step, for how long, how often, and never against whom.

use std::net::IpAddr;

use palisade_model::Pace;
use palisade_net::{AddressSet, Direction, Prefix, ProtocolMatch};

use super::{
    ALLOWED_MAX, BUDGET_MAX, FACTOR_MAX, LOCKOUT_MAX, LOCKOUT_MIN, MEMORY_MAX, PATHS_MAX, PATTERNS_MAX,
    Pattern, PolicyError, RULES_MAX, Sighting, Step,
};
use crate::Severity;

/// Which alerts lead to a step. Of several rules that match, the first decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Names of alerts; empty means all.
    pub alerts: Vec<Pattern>,
    /// The least severity.
    pub severity: Severity,
    /// Which way the connections go; both if it is not said.
    pub direction: Option<Direction>,
    /// What is done.
    pub step: Step,
}

impl Rule {
    fn matches(&self, seen: &Sighting) -> bool {
        let is_named = self.alerts.is_empty() || self.alerts.iter().any(|one| one.matches(&seen.name));
        is_named
            && seen.severity >= self.severity
            && self.direction.is_none_or(|direction| direction == seen.direction)
    }
}

/// Who is meant where an address is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The address; its network if several neighbours are locked out.
    Address,
    /// The /24 or the /64 that it is in.
    Network,
}

/// For how long sources are locked out and pairs are blocked. Times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Who is meant.
    pub unit: Unit,
    /// The first time.
    pub first: u32,
    /// How much longer each repetition is.
    pub factor: u32,
    /// The longest time.
    pub longest: u32,
    /// For how long after its end a lock-out counts as a repetition.
    pub memory: u32,
    /// How many addresses of one network are locked out when all of it is; `None` if it never is.
    pub neighbours: Option<usize>,
}

impl Default for Terms {
    /// Ten minutes, doubled each time up to a day, remembered for a week; four neighbours close their network.
    fn default() -> Self {
        let (first, longest, memory) = (600, 86_400, 7 * 86_400);
        Self { unit: Unit::Address, first, factor: 2, longest, memory, neighbours: Some(4) }
    }
}

impl Terms {
    /// The network of an address: its /24 or /64.
    pub(super) fn network(address: IpAddr) -> Prefix {
        let length = if address.is_ipv4() { 24 } else { 64 };
        Prefix::truncated(address, length).expect("the length fits the family")
    }

    /// How long the repetition of this number is; the first is 0.
    pub(super) fn seconds(&self, repetition: u32) -> u32 {
        let grown = self.factor.checked_pow(repetition).and_then(|times| self.first.checked_mul(times));
        grown.unwrap_or(self.longest).min(self.longest)
    }
}

/// How machines are throttled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slowing {
    /// The rate of new destinations.
    pub pace: Pace,
    /// For how long, in seconds.
    pub seconds: u32,
}

impl Default for Slowing {
    /// The normal rate, for an hour.
    fn default() -> Self {
        Self { pace: Pace::default(), seconds: 3_600 }
    }
}

/// How often each step may be taken in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Machines that are throttled.
    pub throttle: usize,
    /// Pairs that are blocked.
    pub block: usize,
    /// Sources that are locked out.
    pub lockout: usize,
    /// Machines that are isolated.
    pub quarantine: usize,
}

impl Default for Budgets {
    /// 10 machines that are throttled, 20 pairs, 60 sources, 2 machines that are isolated.
    fn default() -> Self {
        Self { throttle: 10, block: 20, lockout: 60, quarantine: 2 }
    }
}

impl Budgets {
    /// That of a step.
    pub const fn of(&self, step: Step) -> usize {
        match step {
            Step::Observe => 0,
            Step::Throttle => self.throttle,
            Step::Block => self.block,
            Step::Lockout => self.lockout,
            Step::Quarantine => self.quarantine,
        }
    }
}

/// A way to a machine that stays open while it is isolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForensicPath {
    /// From where.
    pub source: Prefix,
    /// To which port of the machine.
    pub port: u16,
    /// TCP, UDP, or both.
    pub protocol: ProtocolMatch,
}

/// A policy before it is checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// Which alerts lead to which step.
    pub rules: Vec<Rule>,
    /// For how long sources are locked out and pairs are blocked.
    pub terms: Terms,
    /// How machines are throttled.
    pub slowing: Slowing,
    /// How often.
    pub budgets: Budgets,
    /// Whom nothing is done to.
    pub allowed: Vec<Prefix>,
    /// What stays open to an isolated machine.
    pub forensic: Vec<ForensicPath>,
}

/// An answer policy. Invariant: every limit of this module is kept, and there is a forensic path if a rule isolates machines.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    draft: Draft,
    allowed: AddressSet,
}

impl Policy {
    /// Checks a policy.
    ///
    /// # Errors
    /// A limit is not kept.
    pub fn new(draft: Draft) -> Result<Self, PolicyError> {
        count("rules of an answer policy", draft.rules.len(), 1, RULES_MAX)?;
        for rule in &draft.rules {
            count("alerts of a rule", rule.alerts.len(), 0, PATTERNS_MAX)?;
        }
        check_terms(&draft.terms)?;
        let Slowing { pace, seconds } = draft.slowing;
        if !pace.is_sound() || !(LOCKOUT_MIN..=LOCKOUT_MAX).contains(&seconds) {
            return Err(PolicyError::Slowing(draft.slowing));
        }
        for step in Step::ALL {
            let actual = draft.budgets.of(step);
            if actual > BUDGET_MAX {
                return Err(PolicyError::Budget { step: step.name(), actual });
            }
        }
        if draft.allowed.len() > ALLOWED_MAX {
            return Err(PolicyError::Allowed(draft.allowed.len()));
        }
        check_paths(&draft.forensic)?;
        let isolates = draft.rules.iter().any(|rule| rule.step == Step::Quarantine);
        if isolates && draft.forensic.is_empty() {
            return Err(PolicyError::NoForensicPath);
        }
        let allowed = draft.allowed.iter().copied().collect();
        Ok(Self { draft, allowed })
    }

    /// The step that an alert leads to; `None` if no rule is about it.
    pub fn step(&self, seen: &Sighting) -> Option<Step> {
        self.draft.rules.iter().find(|rule| rule.matches(seen)).map(|rule| rule.step)
    }

    /// For how long sources are locked out.
    pub const fn terms(&self) -> &Terms {
        &self.draft.terms
    }

    /// How machines are throttled.
    pub const fn slowing(&self) -> &Slowing {
        &self.draft.slowing
    }

    /// How often each step may be taken in an hour.
    pub const fn budgets(&self) -> &Budgets {
        &self.draft.budgets
    }

    /// What stays open to an isolated machine.
    pub fn forensic(&self) -> &[ForensicPath] {
        &self.draft.forensic
    }

    /// Whether the allow-list is about an address of a prefix.
    pub fn allows(&self, prefix: Prefix) -> bool {
        let asked: AddressSet = [prefix].into_iter().collect();
        self.allowed.intersects(&asked)
    }
}

/// Checks the forensic paths of a policy or of a quarantine.
///
/// # Errors
/// There are too many, or one has port 0.
pub fn check_paths(paths: &[ForensicPath]) -> Result<(), PolicyError> {
    count("forensic paths", paths.len(), 0, PATHS_MAX)?;
    let zero = paths.iter().find(|path| path.port == 0);
    zero.map_or(Ok(()), |path| Err(PolicyError::PortZero(path.source.to_string())))
}

fn check_terms(terms: &Terms) -> Result<(), PolicyError> {
    let Terms { first, longest, factor, memory, neighbours, .. } = *terms;
    let is_time = |seconds| (LOCKOUT_MIN..=LOCKOUT_MAX).contains(&seconds);
    if !is_time(first) || !is_time(longest) || first > longest {
        return Err(PolicyError::Times { first, longest });
    }
    if !(1..=FACTOR_MAX).contains(&factor) {
        return Err(PolicyError::Factor(factor));
    }
    if memory > MEMORY_MAX {
        return Err(PolicyError::Memory(memory));
    }
    match neighbours {
        Some(count) if !(2..=64).contains(&count) => Err(PolicyError::Neighbours(count)),
        _ => Ok(()),
    }
}

fn count(what: &'static str, actual: usize, least: usize, most: usize) -> Result<(), PolicyError> {
    if (least..=most).contains(&actual) {
        return Ok(());
    }
    Err(PolicyError::Count { what, actual, least, most })
}
