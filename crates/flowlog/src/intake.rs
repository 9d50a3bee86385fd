//! What has been read so far, over all files: origins, counts, problems, and the limits they are held to.

use std::collections::HashMap;

use palisade_model::{FlowOrigin, FlowRecord};

use crate::{
    Counts, FlowLogError, Limits, Problem, Report,
    limits::PROBLEMS_KEPT,
    line::{Running, Told},
    tuple::Tuple,
};

/// The state of a reading.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) counts: Counts,
    pub(crate) running: Running,
    limits: Limits,
    origins: Vec<FlowOrigin>,
    numbers: HashMap<FlowOrigin, u32>,
    problems: Vec<Problem>,
    window: Option<(u64, u64)>,
    admitted: u64,
}

impl Intake {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            counts: Counts::default(),
            running: Running::new(),
            limits,
            origins: Vec::new(),
            numbers: HashMap::new(),
            problems: Vec::new(),
            window: None,
            admitted: 0,
        }
    }

    /// Counts a file of `bytes`.
    pub(crate) fn open(&mut self, bytes: u64) -> Result<(), FlowLogError> {
        self.counts.files += 1;
        within("files", self.counts.files, self.limits.files)?;
        within("bytes", self.counts.bytes.saturating_add(bytes), self.limits.bytes)
    }

    /// Bytes that may still be read.
    pub(crate) const fn rest(&self) -> u64 {
        self.limits.bytes.saturating_sub(self.counts.bytes)
    }

    /// Whether what was read is within the limit: a compressed file is larger than it seems when it is opened.
    pub(crate) fn is_within(&self) -> Result<(), FlowLogError> {
        within("bytes", self.counts.bytes, self.limits.bytes)
    }

    /// Counts a flow before it is kept.
    pub(crate) fn admit(&mut self) -> Result<(), FlowLogError> {
        self.admitted += 1;
        within("flows", self.admitted, self.limits.flows)
    }

    /// Gives flows of one origin on.
    pub(crate) fn give(
        &mut self,
        origin: FlowOrigin,
        tuples: &[Tuple],
        sink: &mut impl FnMut(FlowRecord, &FlowOrigin),
    ) -> Result<(), FlowLogError> {
        let number = self.number(origin)?;
        for tuple in tuples {
            let Tuple { time_ms, flow, phase, decision, traffic, .. } = *tuple;
            self.pass(
                FlowRecord { time_ms, flow, phase, decision, traffic, tcp_flags: None, origin: number },
                sink,
            );
        }
        Ok(())
    }

    /// Gives a line of ours on.
    pub(crate) fn tell(
        &mut self,
        told: Told,
        sink: &mut impl FnMut(FlowRecord, &FlowOrigin),
    ) -> Result<(), FlowLogError> {
        self.admit()?;
        let Told { time_ms, flow, phase, decision, traffic, tcp_flags, origin } = told;
        let origin = self.number(origin)?;
        self.pass(FlowRecord { time_ms, flow, phase, decision, traffic, tcp_flags, origin }, sink);
        Ok(())
    }

    fn pass(&mut self, record: FlowRecord, sink: &mut impl FnMut(FlowRecord, &FlowOrigin)) {
        let (first, last) = self.window.unwrap_or((record.time_ms, record.time_ms));
        self.window = Some((first.min(record.time_ms), last.max(record.time_ms)));
        self.counts.flows += 1;
        sink(record, &self.origins[record.origin as usize]);
    }

    /// The number of an origin: the same one gets the same number.
    pub(crate) fn number(&mut self, origin: FlowOrigin) -> Result<u32, FlowLogError> {
        if let Some(&number) = self.numbers.get(&origin) {
            return Ok(number);
        }
        within("origins", self.origins.len() as u64 + 1, self.limits.origins)?;
        let number = u32::try_from(self.origins.len())
            .map_err(|_| FlowLogError::TooMuch { what: "origins", max: u32::MAX.into() })?;
        self.origins.push(origin.clone());
        self.numbers.insert(origin, number);
        Ok(number)
    }

    /// Keeps a problem, or only counts it.
    pub(crate) fn problem(&mut self, problem: Problem) {
        self.counts.problems += 1;
        if self.problems.len() < PROBLEMS_KEPT {
            self.problems.push(problem);
        }
    }

    pub(crate) fn finish(self) -> Report {
        let Self { counts, origins, problems, window, .. } = self;
        Report { origins, counts, problems, window }
    }
}

const fn within(what: &'static str, got: u64, max: u64) -> Result<(), FlowLogError> {
    if got > max { Err(FlowLogError::TooMuch { what, max }) } else { Ok(()) }
}
