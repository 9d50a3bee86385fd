//! What `palisade status` shows: the state on disk beside what the kernel counts, whether an agent lives or not.
//!
//! It changes nothing and locks nothing. Where the two disagree, the kernel is right: `attached` and `in_force` are its
//! words, names and reasons are the agent's.

use std::collections::BTreeMap;

use palisade_abi::arena::SLOT_UNKNOWN;
use palisade_datapath::{DirectionCounters, Error, NicState, Observer, SlotCounters, Watch};
use serde::Serialize;

use crate::endpoints::EndpointRecord;
use crate::error::AgentError;
use crate::identity::NicId;
use crate::instance::Instance;
use crate::interfaces::matching::MatchProblem;
use crate::state::{ClosedInterface, Failure, NicRecord, Refusal, ServerState, State};

/// One instance at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether its agent lives.
    pub agent_running: bool,
    /// Process id of the agent that wrote the state, dead or alive.
    pub agent_pid: Option<u32>,
    /// When that agent started, in seconds since 1970.
    pub agent_started: Option<u64>,
    /// Whether anything is loaded into the kernel.
    pub loaded: bool,
    /// Number of the policy in force; 0 if there is none.
    pub generation: u64,
    /// NICs that have an interface here, by id.
    pub nics: Vec<NicStatus>,
    /// Interfaces that drop everything, by name.
    pub closed: BTreeMap<String, ClosedInterface>,
    /// Interfaces where nothing is enforced though something should be, and why.
    pub unenforced: BTreeMap<String, String>,
    /// NICs of the estate that have no interface here.
    pub elsewhere: Vec<NicId>,
    /// NICs at which nothing can be enforced, because of the interface or the device that they have.
    pub not_enforced: Vec<NotEnforced>,
    /// Endpoints of the NICs that are here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointRecord>,
    /// What else stands between NICs and interfaces.
    pub problems: Vec<String>,
    /// How the agent stands to its server, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerState>,
    /// Why the last estate was refused, if it was; the one before is in force.
    pub refused: Option<Refusal>,
    /// Why the policy of the accepted estate is not in force, if it is not.
    pub unpublished: Option<Failure>,
    /// Whether rules with a window are closed because the wall clock was never set.
    pub windows_closed: bool,
    /// Packets that interfaces without a policy dropped.
    pub dropped_without_policy: u64,
}

/// A NIC at which nothing can be enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotEnforced {
    /// The NIC.
    pub nic: NicId,
    /// Its interface, or the device that it has instead.
    pub at: String,
    /// What stands against it, and what to use.
    pub why: String,
}

impl NotEnforced {
    /// The NICs among what was found that cannot be enforced; and the other problems.
    pub fn split(found: Vec<MatchProblem>) -> (Vec<Self>, Vec<MatchProblem>) {
        let (mut not_enforced, mut others) = (Vec::new(), Vec::new());
        for problem in found {
            match problem {
                MatchProblem::UnsupportedInterface { nic, interface, why } => {
                    not_enforced.push(Self { nic, at: format!("interface {interface}"), why });
                }
                MatchProblem::PassesBy { nic, device, why } => {
                    not_enforced.push(Self { nic, at: device, why });
                }
                other => others.push(other),
            }
        }
        (not_enforced, others)
    }
}

/// One NIC.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NicStatus {
    /// Resource id.
    pub id: NicId,
    /// What the agent knows of it.
    #[serde(flatten)]
    pub record: NicRecord,
    /// Whether the programs are at its interface.
    pub attached: bool,
    /// Whether a policy for it is in force.
    pub in_force: bool,
    /// Number of the policy that last changed its rules; 0 if none is in force.
    pub generation: u64,
    /// Flows in the table.
    pub flows: u64,
    /// Those of them that are TCP connections whose handshake is not over.
    pub half_open: u64,
    /// Flows that a change of policy, or the end of a rule's time, has cut.
    pub flows_cut: u64,
    /// Flows that passed only because what would deny them is in audit.
    pub flows_audited: u64,
    /// Events of its flows that nobody could be told of.
    pub events_lost: u64,
    /// Packets to the machine.
    pub inbound: Traffic,
    /// Packets from the machine.
    pub outbound: Traffic,
}

/// Packets of one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Packets that passed.
    pub packets: u64,
    /// Bytes that passed.
    pub bytes: u64,
    /// Packets that were dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
}

impl From<&DirectionCounters> for Traffic {
    fn from(counters: &DirectionCounters) -> Self {
        let drops = counters.reasons.iter().filter(|(reason, _)| reason.is_drop());
        let dropped = drops.map(|(reason, packets)| (reason.name(), *packets)).collect();
        Self { packets: counters.packets(), bytes: counters.bytes, dropped }
    }
}

/// Looks at an instance.
///
/// # Errors
/// If the state or the pins exist and cannot be read.
pub fn status(instance: &Instance) -> Result<Status, AgentError> {
    let observer = match Observer::open(&instance.pin_dir) {
        Ok(observer) => Some(observer),
        Err(Error::NotLoaded { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let state = State::read(instance)?;
    let running = instance.is_alive();
    describe(state, observer.as_ref(), running)
}

/// Joins what the agent wrote and what the kernel says.
fn describe(state: Option<State>, kernel: Option<&impl Watch>, running: bool) -> Result<Status, AgentError> {
    let (pid, started) = (state.as_ref().map(|state| state.pid), state.as_ref().map(|state| state.started));
    let state = state.unwrap_or_default();
    let mut nics: Vec<NicStatus> = state.nics.into_iter().map(|(id, record)| offline(id, record)).collect();
    let mut unknown = SlotCounters::default();
    if let Some(kernel) = kernel {
        let (attached, in_force) = (kernel.attached()?, kernel.nics());
        for nic in &mut nics {
            let is_it =
                |found: &&NicState| (found.ifindex, found.slot) == (nic.record.ifindex, nic.record.slot);
            nic.generation = in_force.iter().find(is_it).map_or(0, |found| found.generation);
            nic.in_force = nic.generation > 0;
            nic.attached = attached.iter().any(|found| found.ifindex == nic.record.ifindex);
            let counters = kernel.counters(nic.record.slot)?;
            (nic.flows, nic.half_open, nic.flows_cut) =
                (counters.flows, counters.half_open, counters.flows_cut);
            (nic.flows_audited, nic.events_lost) = (counters.flows_audited, counters.events_lost);
            (nic.inbound, nic.outbound) = ((&counters.inbound).into(), (&counters.outbound).into());
        }
        unknown = kernel.counters(SLOT_UNKNOWN)?;
    }
    let (not_enforced, problems) = NotEnforced::split(state.problems);
    Ok(Status {
        agent_running: running,
        agent_pid: pid,
        agent_started: started,
        loaded: kernel.is_some(),
        generation: kernel.map_or(0, Watch::generation),
        nics,
        closed: state.closed,
        unenforced: state.unenforced,
        elsewhere: state.elsewhere,
        not_enforced,
        endpoints: state.endpoints,
        problems: problems.iter().map(ToString::to_string).collect(),
        server: state.server,
        refused: state.refused,
        unpublished: state.unpublished,
        windows_closed: state.windows_closed,
        dropped_without_policy: unknown.inbound.dropped() + unknown.outbound.dropped(),
    })
}

/// A NIC as the agent knows it; nothing is in force until the kernel says so.
fn offline(id: NicId, record: NicRecord) -> NicStatus {
    let (inbound, outbound) = (Traffic::default(), Traffic::default());
    NicStatus {
        id,
        record,
        attached: false,
        in_force: false,
        generation: 0,
        flows: 0,
        half_open: 0,
        flows_cut: 0,
        flows_audited: 0,
        events_lost: 0,
        inbound,
        outbound,
    }
}
