//! What answers to alerts stand at an interface: each for a while, beside what is meant to last.

use std::collections::BTreeMap;

use palisade_model::{EffectivePolicy, Throttle, spec::OwnList};
use palisade_net::Direction;

use super::said;

/// An answer in force: the name of its rule, and its end if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    rule: String,
    until: Option<u32>,
}

impl Standing {
    /// The answers of an interface that are in force at a moment, each once: of its lists, then its throttle.
    pub fn of(policy: &EffectivePolicy, throttle: Option<&Throttle>, now: u32) -> Vec<Self> {
        let rules = Direction::ALL.into_iter().flat_map(|direction| policy.layers(direction));
        let rules = rules.flat_map(|layer| &layer.rules);
        let answers = rules.filter(|rule| rule.own_list.is_some_and(OwnList::is_answer));
        let named: BTreeMap<&str, Option<u32>> = answers
            .filter(|rule| rule.window.contains(now))
            .map(|rule| (rule.name.as_str(), rule.window.expires_at()))
            .collect();
        let throttle = throttle.filter(|throttle| throttle.holds_at(now));
        let listed = named.into_iter().map(|(rule, until)| Self { rule: rule.to_owned(), until });
        let throttle = throttle.map(|own| Self { rule: own.rule(), until: own.until() });
        listed.chain(throttle).collect()
    }

    /// It in words: which, and until when.
    pub fn text(&self) -> String {
        let until =
            if self.until.is_some() { said::until(self.until) } else { " until it is released".into() };
        format!("{}{until}", self.rule)
    }
}
