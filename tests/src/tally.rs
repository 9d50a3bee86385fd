//! Counts of what a test reached, so that a test that did not run its case fails.

use std::{collections::BTreeMap, fmt};

/// Counts by topic and outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<(&'static str, String), u64>);

impl Tally {
    /// Counts one outcome of a topic.
    pub fn count(&mut self, topic: &'static str, outcome: impl fmt::Display) {
        *self.0.entry((topic, outcome.to_string())).or_default() += 1;
    }

    /// Adds what another part of the test reached.
    pub fn add(&mut self, other: Self) {
        for (outcome, times) in other.0 {
            *self.0.entry(outcome).or_default() += times;
        }
    }

    /// Both counts.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.add(other);
        self
    }

    /// How often an outcome was reached.
    pub fn of(&self, topic: &'static str, outcome: impl fmt::Display) -> u64 {
        self.0.get(&(topic, outcome.to_string())).copied().unwrap_or(0)
    }

    /// Fails unless each of these outcomes was reached at least so often.
    ///
    /// # Panics
    /// With all that is missing.
    pub fn require<O: fmt::Display>(
        &self,
        topic: &'static str,
        wanted: impl IntoIterator<Item = O>,
        least: u64,
    ) {
        let few = |outcome: O| {
            let times = self.of(topic, &outcome);
            (times < least).then(|| format!("{outcome} {times} times"))
        };
        let missing: Vec<String> = wanted.into_iter().filter_map(few).collect();
        assert!(missing.is_empty(), "{topic} reached less than {least} times: {}", missing.join(", "));
    }
}

/// One line a topic.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut topic = "";
        for ((name, outcome), times) in &self.0 {
            if *name != topic {
                write!(f, "\n  {name}:")?;
                topic = name;
            }
            write!(f, " {outcome}={times}")?;
        }
        Ok(())
    }
}
