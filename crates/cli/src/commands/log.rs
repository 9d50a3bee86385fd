//! Flow logs that a command names: read, placed in an estate, and told of on stderr and in answers.

use std::{collections::BTreeSet, path::PathBuf};

use palisade_analysis::observed::{Observed, Observer, Place, Tally, TooManyFlows, Unplaced};
use palisade_control::time::rfc3339;
use palisade_flowlog::{Limits, Report};
use palisade_model::{Estate, FlowLogFormat};
use serde_json::{Value, json};

use crate::exit::Failure;

/// Problems that are printed before the rest is only counted.
const PROBLEMS_SHOWN: usize = 5;

/// Logs, and the flows that they show at an estate.
#[derive(Debug)]
pub struct Log {
    /// What was read.
    pub report: Report,
    /// Flows at their places.
    pub observed: Observed,
}

/// Reads logs and finds the places of their flows; prints to stderr what cannot be read.
pub fn read(paths: &[PathBuf], estate: &Estate) -> Result<Log, Failure> {
    let mut observer = Observer::new(estate);
    let mut full: Option<TooManyFlows> = None;
    let report = palisade_flowlog::read(paths, Limits::default(), &mut |record, origin| {
        if full.is_none() {
            full = observer.add(&record, origin).err();
        }
    });
    let report = report.map_err(|error| Failure::input(format!("{:#}", anyhow::Error::new(error))))?;
    if let Some(full) = full {
        return Err(Failure::input(full));
    }
    for problem in report.problems.iter().take(PROBLEMS_SHOWN) {
        eprintln!("warning: {problem}");
    }
    let shown = report.problems.len().min(PROBLEMS_SHOWN) as u64;
    if report.counts.problems > shown {
        eprintln!("warning: and {} more", report.counts.problems - shown);
    }
    if report.counts.flows == 0 {
        return Err(Failure::input(
            "the logs hold no flow (name flow logs of Azure's or lines of `palisade flows tail`)",
        ));
    }
    Ok(Log { report, observed: observer.finish() })
}

/// What an answer takes an ICMP flow for whose type the log does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untyped {
    /// For one of any type: it is judged for all.
    AnyType,
    /// For an echo request, as nearly all begin.
    EchoRequest,
}

impl Untyped {
    const fn words(self) -> &'static str {
        match self {
            Self::AnyType => "all types are asked about",
            Self::EchoRequest => "such flows are taken to be echo requests",
        }
    }
}

/// A moment of a log.
pub fn moment(ms: u64) -> String {
    rfc3339(ms / 1_000)
}

impl Log {
    /// What is to be known of an answer: what the logs do not tell, and what they tell of something else.
    pub fn caveats(&self, untyped: Untyped) -> Vec<String> {
        let mut caveats = Vec::new();
        let formats: BTreeSet<FlowLogFormat> =
            self.report.origins.iter().map(|origin| origin.format).collect();
        if formats.iter().any(|format| !format.tells_lives()) {
            caveats.push(
                "version 1 of NSG flow logs tells neither whether a connection existed nor its bytes"
                    .to_owned(),
            );
        }
        if formats.contains(&FlowLogFormat::VirtualNetwork) {
            caveats.push(format!("virtual network flow logs do not tell ICMP types: {}", untyped.words()));
        }
        let elsewhere = self.observed.elsewhere().records;
        if elsewhere > 0 {
            caveats.push(format!("{elsewhere} records were decided by the platform, by encryption or by a guard, and not by rules"));
        }
        for (reason, tally) in self.observed.unplaced() {
            caveats.push(format!("{} records are left out: {reason}", tally.records));
        }
        if self.observed.translated() > 0 {
            let records = self.observed.translated();
            caveats.push(format!("{records} records show a public address; they were judged by the interface's own, as rules see it"));
        }
        let alone = self.observed.places().iter().filter(|place| matches!(place, Place::Nsg(_))).count();
        if alone > 0 {
            caveats.push(format!("flows at {alone} NSGs belong to no interface of the estate, and were judged by that NSG alone"));
        }
        for (logged, taken) in self.observed.by_name() {
            caveats.push(format!("{logged} is not in the estate; {taken} has its name and was taken for it"));
        }
        if self.report.counts.lost > 0 {
            caveats.push(format!("the logs say that {} lines are missing", self.report.counts.lost));
        }
        if self.report.counts.malformed > 0 {
            caveats.push(format!("{} tuples or lines could not be read", self.report.counts.malformed));
        }
        caveats
    }

    /// What was read, in one line.
    pub fn sentence(&self) -> String {
        let counts = &self.report.counts;
        let formats: BTreeSet<FlowLogFormat> =
            self.report.origins.iter().map(|origin| origin.format).collect();
        let formats: Vec<String> = formats.iter().map(ToString::to_string).collect();
        let (first, last) = self.report.window.unwrap_or_default();
        format!(
            "{} flow records in {} files ({}), {} to {}: {} different flows",
            counts.flows,
            counts.files,
            formats.join("; "),
            moment(first),
            moment(last),
            self.observed.len(),
        )
    }

    /// What was read, for programs.
    pub fn document(&self) -> Value {
        let Report { counts, problems, window, .. } = &self.report;
        let formats: BTreeSet<FlowLogFormat> =
            self.report.origins.iter().map(|origin| origin.format).collect();
        let unplaced = |(reason, tally): (&Unplaced, &Tally)| json!({ "reason": reason.to_string(), "records": tally.records, "bytes": tally.bytes });
        json!({
            "files": counts.files,
            "bytes": counts.bytes,
            "records": counts.flows,
            "flows": self.observed.len(),
            "formats": formats.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "first": window.map(|(first, _)| moment(first)),
            "last": window.map(|(_, last)| moment(last)),
            "malformed": counts.malformed,
            "lost": counts.lost,
            "problems": problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "notByRules": self.observed.elsewhere().records,
            "unplaced": self.observed.unplaced().iter().map(unplaced).collect::<Vec<_>>(),
        })
    }

    /// Names of places.
    pub fn places<'l>(&'l self, places: impl IntoIterator<Item = &'l usize>) -> Vec<&'l str> {
        places.into_iter().map(|place| self.observed.places()[*place].id().name()).collect()
    }
}
