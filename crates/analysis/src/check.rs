//! Puts examples to the oracle before they are claimed.
//!
//! It must not know how an example was found.

use palisade_classify::{Decision, Hit, Verdict, oracle};
use palisade_model::{Access, EffectivePolicy, EffectiveRule, Maybe, Mode};
use palisade_net::{Direction, Flow};

use crate::{
    AnalysisError,
    grid::{FIELDS, Grid, Live},
    list::RuleList,
    verdict::{self, Answer},
    walk::Walk,
};

impl RuleList<'_> {
    /// The packet of a path and what is left of the list for it, if the oracle says the same of it.
    pub(crate) fn example(
        &self,
        grid: &Grid,
        path: &[u32; FIELDS],
    ) -> Result<(Flow, Vec<Live>), AnalysisError> {
        let walk = Walk::opened(grid, std::iter::empty());
        let (mut row, mut next) = (walk.start.clone(), walk.start.clone());
        for (level, atom) in path.iter().enumerate() {
            walk.step(&row, level, *atom as usize, &mut next);
            std::mem::swap(&mut row, &mut next);
        }
        let left = walk.lives(&row);
        let flow = grid.flow(path);
        let layers: Vec<_> = self.alone.layers(self.direction).iter().collect();
        let answer = verdict::answer((&self.lists, grid), &layers, 0, &left);
        let found = oracle::decide_by_rules(&self.alone, &flow, self.now);
        confirm(&found, answer, &flow)?;
        Ok((flow, left))
    }

    /// What decides a packet if a rule is not there, and what it does; for many questions about one copy of the list.
    pub(crate) fn without(&self, copy: &mut EffectivePolicy, rule: usize, flow: &Flow) -> Instead {
        set_mode(copy, self.direction, rule, Mode::Audit);
        let found = oracle::decide_by_rules(copy, flow, self.now);
        set_mode(copy, self.direction, rule, self.rules()[rule].mode);
        self.instead(&found, |rule| rule)
    }

    /// What decides a packet if rule `later` is asked before rule `earlier`, and what it does.
    pub(crate) fn moved(
        &self,
        copy: &mut EffectivePolicy,
        (earlier, later): (usize, usize),
        flow: &Flow,
    ) -> Instead {
        let rules = rules_mut(copy, self.direction);
        rules[earlier..=later].rotate_right(1);
        let found = oracle::decide_by_rules(copy, flow, self.now);
        rules_mut(copy, self.direction)[earlier..=later].rotate_left(1);
        self.instead(&found, |rule| match rule {
            rule if rule == earlier => later,
            rule if rule > earlier && rule <= later => rule - 1,
            rule => rule,
        })
    }

    fn instead(&self, found: &Decision, original: impl Fn(usize) -> usize) -> Instead {
        match found.hit {
            _ if found.verdict == Verdict::Unknown => Instead::Unknown,
            Hit::Nothing => Instead::Nothing(self.silence()),
            Hit::Exempt { .. } => Instead::Exempt,
            Hit::Rule { rule, .. } => {
                let rule = original(rule);
                match self.rules()[rule].access {
                    Maybe::Known(access) => Instead::Rule(rule, access),
                    Maybe::Unknown => Instead::Unknown,
                }
            }
        }
    }
}

/// What the oracle names in place of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instead {
    Rule(usize, Access),
    Exempt,
    /// No rule matches; what the list does then.
    Nothing(Option<Access>),
    Unknown,
}

impl Instead {
    /// What happens; `None` if the list is silent or it is not known.
    pub(crate) const fn access(self) -> Option<Access> {
        match self {
            Self::Rule(_, access) => Some(access),
            Self::Exempt => Some(Access::Allow),
            Self::Nothing(access) => access,
            Self::Unknown => None,
        }
    }
}

fn rules_mut(policy: &mut EffectivePolicy, direction: Direction) -> &mut [EffectiveRule] {
    let layers = match direction {
        Direction::Inbound => &mut policy.inbound,
        Direction::Outbound => &mut policy.outbound,
    };
    &mut layers.first_mut().expect("the policy has the one list").rules
}

fn set_mode(policy: &mut EffectivePolicy, direction: Direction, rule: usize, mode: Mode) {
    rules_mut(policy, direction)[rule].mode = mode;
}

/// Whether the oracle gives the same answer. Where it names a rule in place of an exemption, that rule allows too.
pub(crate) fn confirm(found: &Decision, answer: Answer, flow: &Flow) -> Result<(), AnalysisError> {
    let agrees = match answer {
        None => found.verdict == Verdict::Unknown,
        Some((verdict, Hit::Exempt { .. })) => found.verdict == verdict,
        Some((verdict, hit)) => (found.verdict, found.hit) == (verdict, hit),
    };
    if agrees { Ok(()) } else { Err(refuted(&format!("{answer:?} is the answer, not {found:?}"), flow)) }
}

/// The error for a claim that an example refutes.
pub(crate) fn refuted(claim: &str, flow: &Flow) -> AnalysisError {
    AnalysisError::Refuted { claim: claim.to_owned(), flow: Box::new(*flow) }
}
