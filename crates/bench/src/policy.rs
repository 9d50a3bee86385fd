//! Rules as the kernel program takes them: a rule set by the way that a user's template goes, and lists made for a
//! measurement. It must not know the datapath.

use palisade_abi::verdict::Action;
use palisade_arm::estate::{self as arm, Document};
use palisade_classify::{
    Row, Verdict, blob,
    enforce::{self, LayerBlob, PolicyBlobs},
    oracle,
    table::Limits,
};
use palisade_model::{EffectivePolicy, Estate, Severity, TagCatalog};
use palisade_net::{Flow, PortRange, PortSet, ProtocolMatch};

use crate::{
    error::{Error, Result},
    rules::{self, RuleSet},
};

/// A rule set as the machine's policy.
#[derive(Debug)]
pub struct Policy {
    effective: EffectivePolicy,
    blobs: PolicyBlobs,
}

impl Policy {
    /// Reads the rule set's template as the agent would.
    ///
    /// # Errors
    /// If the model refuses it.
    pub fn of(set: &RuleSet) -> Result<Self> {
        let document = Document::new("bench.json", rules::template(set).to_string());
        let read = arm::read(&[document], &arm::Options::default());
        let (estate, problems) = Estate::validate(&read.spec, TagCatalog::default());
        let arm = read.problems.iter().filter(|problem| problem.severity == Severity::Error);
        let model = problems.iter().filter(|problem| problem.severity == Severity::Error);
        let first = arm.map(ToString::to_string).chain(model.map(ToString::to_string)).next();
        let refused = || Error::Rules { reason: first.clone().unwrap_or_default() };
        let estate = estate.filter(|_| first.is_none()).ok_or_else(refused)?;
        let nics = estate.nics_named(rules::NIC);
        let effective = estate.effective(nics.first().ok_or_else(refused)?);
        let blobs = blobs(&effective)?;
        Ok(Self { effective, blobs })
    }

    /// Compiles the rules once more.
    ///
    /// # Errors
    /// As before.
    pub fn compile(&mut self) -> Result<()> {
        self.blobs = blobs(&self.effective)?;
        Ok(())
    }

    /// What the oracle says of a new connection.
    pub fn allows(&self, flow: &Flow) -> bool {
        oracle::decide(&self.effective, flow, 0).verdict == Verdict::Allow
    }

    /// For the kernel program.
    pub const fn blobs(&self) -> &PolicyBlobs {
        &self.blobs
    }
}

fn blobs(effective: &EffectivePolicy) -> Result<PolicyBlobs> {
    enforce::compile(effective).map_err(|error| Error::Rules { reason: error.to_string() })
}

/// The port at which [`lists`] deny everything, so that a packet can be denied by the very last rule but one.
pub const CLOSED_PORT: u16 = 4_443;

/// The rows twice, as the subnet's and the interface's list for packets to the machine, each followed by a rule that denies
/// [`CLOSED_PORT`] (only the list that is asked last has it) and one that allows the rest. Rows that match one of `flows`, or
/// the same at the closed port, are left out: both lists are searched to their ends for each packet.
///
/// # Errors
/// If the rows are too many.
pub fn lists(rows: &[Row], flows: &[Flow]) -> Result<PolicyBlobs> {
    let kept = rows.iter().filter(|row| !flows.iter().any(|flow| row.matches(flow, 0))).cloned();
    let mut rows: Vec<Row> = kept.collect();
    let closed = PortRange::new(CLOSED_PORT, CLOSED_PORT).expect("one port is a range");
    let last = |destination_ports, action| Row { destination_ports, ..Row::any(action) };
    rows.push(last(PortSet::full(), Action::Allow));
    let subnet = compile(&rows)?;
    let at = rows.len() - 1;
    rows.insert(
        at,
        Row { protocol: ProtocolMatch::TCP, ..last([closed].into_iter().collect(), Action::Deny) },
    );
    let nic = compile(&rows)?;
    Ok(PolicyBlobs { inbound: [None, Some(subnet), Some(nic)], outbound: [None, None, None] })
}

fn compile(rows: &[Row]) -> Result<LayerBlob> {
    let blob = blob::compile(rows, &Limits::default());
    let blob = blob.map_err(|error| Error::Rules { reason: error.to_string() })?;
    Ok(LayerBlob::unnamed(blob.into()))
}
