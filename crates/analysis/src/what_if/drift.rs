//! The log's own decisions beside the rules of today: rules that changed since, or a fault in one of both.

use std::collections::{BTreeMap, BTreeSet};

use palisade_classify::Verdict;
use palisade_model::{EffectivePolicy, LoggedDecision};
use palisade_net::Direction;

use super::{Count, Decider, judge::Group};
use crate::observed::Saying;

/// The log's own decisions beside the rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drift {
    /// Flows of which both say the same, by the same rule where that can be compared.
    pub agreeing: Count,
    /// Flows of which the rules' verdict is unknown.
    pub open: Count,
    /// Flows with another verdict, or the same from another rule, grouped; the former first, those with most flows first.
    pub disagreements: Vec<Said>,
}

/// What a log said and the rules do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Direction.
    pub direction: Direction,
    /// What the log said.
    pub logged: LoggedDecision,
    /// NSG that the log names.
    pub logged_nsg: Option<String>,
    /// Rule that the log names.
    pub logged_rule: Option<String>,
    /// What the rules say.
    pub present: Decider,
    /// Whether the verdict is another one, and not only the rule.
    pub is_verdict: bool,
    /// Where: indexes of [`crate::observed::Observed::places`].
    pub places: BTreeSet<usize>,
    /// How many, and one of them.
    pub count: Count,
}

/// How a log's decision compares.
enum Comparison {
    Agrees,
    Open,
    Verdict,
    Rule,
}

type Row = (bool, Direction, LoggedDecision, Option<String>, Option<String>, Decider);

/// Compares groups one by one.
#[derive(Debug, Default)]
pub(super) struct Comparing {
    drift: Drift,
    rows: BTreeMap<Row, (BTreeSet<usize>, Count)>,
}

impl Comparing {
    /// Adds a group.
    pub(super) fn add(
        &mut self,
        group: &Group,
        saying: &Saying,
        present: &Decider,
        policy: &EffectivePolicy,
    ) {
        let layers = policy.layers(group.context.direction).len();
        let is_verdict = match compare(saying, present, layers) {
            Comparison::Verdict => true,
            Comparison::Rule => false,
            Comparison::Agrees => {
                self.drift.agreeing.join(&group.count);
                return;
            }
            Comparison::Open => {
                self.drift.open.join(&group.count);
                return;
            }
        };
        let nsg = saying.by.nsg.as_ref().map(|nsg| nsg.name().to_owned());
        let rule = saying.by.rule.clone();
        // Verdicts come first.
        let row = (!is_verdict, group.context.direction, saying.decision, nsg, rule, present.clone());
        let (places, count) = self.rows.entry(row).or_default();
        places.insert(group.context.place);
        count.join(&group.count);
    }

    pub(super) fn finish(self) -> Drift {
        let said = |(row, (places, count)): (Row, (BTreeSet<usize>, Count))| {
            let (is_rule, direction, logged, logged_nsg, logged_rule, present) = row;
            Said { direction, logged, logged_nsg, logged_rule, present, is_verdict: !is_rule, places, count }
        };
        let mut disagreements: Vec<Said> = self.rows.into_iter().map(said).collect();
        disagreements.sort_by_key(|said| (!said.is_verdict, std::cmp::Reverse(said.count.flows)));
        Drift { disagreements, ..self.drift }
    }
}

/// Rules are compared where both name one of the same list. A log may name the last list that allowed where ours names another;
/// virtual network flow logs have ids of their own for lists, so that only one that stands alone is surely meant.
fn compare(saying: &Saying, present: &Decider, layers: usize) -> Comparison {
    match (saying.decision, present.verdict) {
        (_, Verdict::Unknown) => Comparison::Open,
        (LoggedDecision::Allowed, Verdict::Deny) | (LoggedDecision::Denied, Verdict::Allow) => {
            Comparison::Verdict
        }
        _ => {
            let logged = saying.by.nsg.as_ref().map(palisade_model::ResourceId::name);
            let is_same_list = layers == 1
                || logged.zip(present.nsg.as_deref()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
            let is_other = match (&saying.by.rule, present.rule_name()) {
                (Some(_), Some(ours)) => is_same_list && !saying.by.may_name(ours),
                _ => false,
            };
            if is_other { Comparison::Rule } else { Comparison::Agrees }
        }
    }
}
