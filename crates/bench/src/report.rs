//! What was measured, as values: cases with ours, the peers' and the goals.
//!
//! The JSON is `{"machine":{},"cases":[{"name","parameters":{},"ours":{"median","unit"},"peers":[{"name","version",
//! "median"}],"ratio":{},"goals":[{"text","met"}]}]}`. A ratio is ours divided by the peer's: below 1 is better for a cost,
//! above 1 for a rate. A peer that this machine cannot have is listed without a median. It must not measure.

use serde_json::{Map, Value, json};

/// All figures of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// In the order in which they were measured.
    pub cases: Vec<Case>,
}

/// One figure beside those of the peers.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Group and what was measured: `forwarding/new`.
    pub name: &'static str,
    /// What else has to be said of it.
    pub parameters: Map<String, Value>,
    /// The median of all rounds.
    pub ours: f64,
    /// Of every figure of the case.
    pub unit: &'static str,
    /// The others.
    pub peers: Vec<PeerFigure>,
    /// What was to be reached.
    pub goals: Vec<Goal>,
}

/// What another firewall, or none, took or reached.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerFigure {
    /// Its name.
    pub name: String,
    /// What it says its version is.
    pub version: Option<String>,
    /// The median of all rounds; nothing if this machine cannot have it.
    pub median: Option<f64>,
}

/// What was to be reached, and whether it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// As a phrase.
    pub text: String,
    /// Whether it was.
    pub met: bool,
}

impl Case {
    /// A figure without peers.
    pub fn new(name: &'static str, ours: f64, unit: &'static str) -> Self {
        Self { name, parameters: Map::new(), ours, unit, peers: Vec::new(), goals: Vec::new() }
    }

    /// The same with another parameter.
    #[must_use]
    pub fn with(mut self, parameter: &str, value: impl Into<Value>) -> Self {
        self.parameters.insert(parameter.to_owned(), value.into());
        self
    }

    /// The same beside a peer.
    #[must_use]
    pub fn beside(mut self, name: &str, version: Option<String>, median: Option<f64>) -> Self {
        self.peers.push(PeerFigure { name: name.to_owned(), version, median });
        self
    }

    /// The same, and it was to be at most so much.
    #[must_use]
    pub fn at_most(mut self, bound: f64) -> Self {
        let text = format!("at most {bound} {}", self.unit);
        self.goals.push(Goal { text, met: self.ours <= bound });
        self
    }

    /// The same with a goal of its own kind.
    #[must_use]
    pub fn goal(mut self, text: impl Into<String>, met: bool) -> Self {
        self.goals.push(Goal { text: text.into(), met });
        self
    }

    /// The same, and it was to be at most, or at least, so many times what a peer took or reached. Nothing is to be reached
    /// where the peer is absent.
    #[must_use]
    pub fn against(mut self, peer: &str, bound: Bound) -> Self {
        if let Some(ratio) = self.ratio(peer) {
            let (text, met) = match bound {
                Bound::AtMost(times) => (format!("at most {times}x of {peer}"), ratio <= times),
                Bound::AtLeast(times) => (format!("at least {times}x of {peer}"), ratio >= times),
                Bound::Cheaper(times) => {
                    (format!("{times}x cheaper than {peer}"), ratio <= f64::from(times).recip())
                }
            };
            self.goals.push(Goal { text, met });
        }
        self
    }

    /// The same, and no peer that is present was to be cheaper.
    #[must_use]
    pub fn ahead_of_all(mut self) -> Self {
        let best = self.peers.iter().filter_map(|peer| peer.median).fold(f64::INFINITY, f64::min);
        self.goals.push(Goal { text: "cheaper than every peer".to_owned(), met: self.ours < best });
        self
    }

    /// Ours divided by a peer's.
    pub fn ratio(&self, peer: &str) -> Option<f64> {
        let median = self.peers.iter().find(|found| found.name == peer)?.median?;
        (median > 0.0).then(|| self.ours / median)
    }

    /// A parameter as text; empty if there is none.
    pub fn parameter(&self, name: &str) -> String {
        match self.parameters.get(name) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    fn to_json(&self) -> Value {
        let ratios =
            self.peers.iter().filter_map(|peer| Some((peer.name.clone(), self.ratio(&peer.name)?.into())));
        let peers: Vec<Value> = self
            .peers
            .iter()
            .map(|peer| json!({ "name": peer.name, "version": peer.version, "median": peer.median }))
            .collect();
        let goals: Vec<Value> =
            self.goals.iter().map(|goal| json!({ "text": goal.text, "met": goal.met })).collect();
        json!({
            "name": self.name,
            "parameters": self.parameters,
            "ours": { "median": self.ours, "unit": self.unit },
            "peers": peers,
            "ratio": ratios.collect::<Map<String, Value>>(),
            "goals": goals,
        })
    }
}

/// How a figure was to compare with a peer's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Ours at most so many times theirs.
    AtMost(f64),
    /// Ours at least so many times theirs.
    AtLeast(f64),
    /// Theirs at least so many times ours.
    Cheaper(u16),
}

impl Report {
    /// The document.
    pub fn to_json(&self) -> Value {
        json!({ "machine": machine(), "cases": self.cases.iter().map(Case::to_json).collect::<Vec<_>>() })
    }
}

/// What the figures were measured on.
fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    json!({
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "cpu": model.map(|(_, name)| name),
        "cpus": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        Case::new("forwarding/new", 500.0, "ns")
            .with("rules", 1_000)
            .beside("slow", Some("1.0".into()), Some(25_000.0))
            .beside("absent", None, None)
    }

    #[test]
    fn the_document_has_the_promised_shape() {
        let document = Report { cases: vec![case().at_most(600.0)] }.to_json();
        assert!(document["machine"]["kernel"].is_string());
        let expected = json!({
            "name": "forwarding/new",
            "parameters": { "rules": 1_000 },
            "ours": { "median": 500.0, "unit": "ns" },
            "peers": [
                { "name": "slow", "version": "1.0", "median": 25_000.0 },
                { "name": "absent", "version": null, "median": null },
            ],
            "ratio": { "slow": 0.02 },
            "goals": [{ "text": "at most 600 ns", "met": true }],
        });
        assert_eq!(document["cases"], json!([expected]));
    }

    #[test]
    fn goals_are_judged() {
        let met = |case: Case| case.goals.iter().map(|goal| goal.met).collect::<Vec<_>>();
        assert_eq!(met(case().at_most(499.0)), [false]);
        assert_eq!(met(case().against("slow", Bound::Cheaper(50))), [true]);
        assert_eq!(met(case().against("slow", Bound::Cheaper(51))), [false]);
        assert_eq!(met(case().against("slow", Bound::AtMost(0.02))), [true]);
        assert_eq!(met(case().against("slow", Bound::AtLeast(0.95))), [false]);
        assert!(met(case().against("absent", Bound::AtMost(1.0))).is_empty());
        assert_eq!(met(case().ahead_of_all()), [true]);
        assert_eq!(met(case().beside("fast", None, Some(499.0)).ahead_of_all()), [false]);
    }
}
