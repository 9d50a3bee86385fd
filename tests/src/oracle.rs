//! The lab's predictor: the oracle, asked about the estate that is enforced.

use anyhow::Context as _;
use palisade_agent::load;
use palisade_classify::{Verdict, oracle};
use palisade_lab::{
    policy::{self, EstateFiles, Prediction, Predictor},
    probe::Transport,
};
use palisade_model::Estate;
use palisade_net::{Direction, Family, Flow, Protocol};

use crate::agent;

/// The oracle over the estate that was loaded last.
#[derive(Debug, Default)]
pub struct Oracle {
    estate: Option<Estate>,
}

impl Predictor for Oracle {
    fn load(&mut self, files: &EstateFiles) -> anyhow::Result<()> {
        self.estate = Some(load::estate(&agent::sources(files))?.estate);
        Ok(())
    }

    fn predict(&mut self, flow: &policy::Flow) -> anyhow::Result<Prediction> {
        let estate = self.estate.as_ref().context("no estate is loaded")?;
        let nic = *estate.nics_named(flow.nic).first().context("the estate has no such NIC")?;
        let policy = estate.effective(nic);
        let decision = oracle::decide(&policy, &translate(flow).context("addresses of two families")?);
        Ok(Prediction { is_allowed: decision.verdict == Verdict::Allow, rule: format!("{decision:?}") })
    }
}

fn translate(flow: &policy::Flow) -> Option<Flow> {
    let protocol = match flow.transport {
        Transport::Tcp => Protocol::TCP,
        Transport::Udp => Protocol::UDP,
        Transport::Icmp => Protocol::icmp_of(Family::of(flow.local)),
    };
    let source_port = if protocol.has_ports() { flow.source_port } else { 0 };
    let (direction, local, remote) = match flow.direction {
        policy::Direction::Inbound => (Direction::Inbound, flow.destination_port, source_port),
        policy::Direction::Outbound => (Direction::Outbound, source_port, flow.destination_port),
    };
    Flow::between(direction, protocol, (flow.local, local), (flow.remote, remote))
}
