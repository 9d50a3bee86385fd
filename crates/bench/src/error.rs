//! What can go wrong in a measurement: a tool or the kernel refused, or a firewall decided otherwise than the rules say.

use std::{io, path::PathBuf};

use palisade_abi::verdict::Reason;
use palisade_lab::LabError;
use palisade_net::Flow;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Namespaces or tools.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The datapath refused.
    #[error(transparent)]
    Datapath(#[from] palisade_datapath::Error),
    /// The benchmark's own rules are refused.
    #[error("the benchmark's own rules are refused: {reason}")]
    Rules {
        /// Why.
        reason: String,
    },
    /// A file that the user named.
    #[error("cannot use {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A recording cannot be read.
    #[error(transparent)]
    FlowLog(#[from] palisade_flowlog::FlowLogError),
    /// An analysis has no answer.
    #[error(transparent)]
    Analysis(#[from] palisade_analysis::AnalysisError),
    /// The flow store failed.
    #[error(transparent)]
    FlowStore(#[from] palisade_flowstore::StoreError),
    /// The server refused a client.
    #[error(transparent)]
    Client(#[from] palisade_client::ClientError),
    /// The server's credentials cannot be read.
    #[error(transparent)]
    Profile(#[from] palisade_client::ProfileError),
    /// The server refused a host.
    #[error(transparent)]
    Remote(#[from] palisade_agent::remote::RemoteError),
    /// The server did something else than it should.
    #[error("the server {what}")]
    Server {
        /// What.
        what: String,
    },
    /// A sealed state or its store.
    #[error(transparent)]
    State(#[from] palisade_recovery::state::StateError),
    /// A key that seals.
    #[error(transparent)]
    SealKey(#[from] palisade_recovery::key::KeyError),
    /// A revert stopped.
    #[error(transparent)]
    Revert(#[from] palisade_recovery::revert::RevertError),
    /// What is sealed, run or audited is not as it should be.
    #[error("what should be clean and quick is not: {what}")]
    Recovery {
        /// What was said.
        what: String,
    },
    /// Too little room for what is measured.
    #[error("{} has room for {free} bytes and {wanted} are needed (name another folder with --folder)", path.display())]
    Room {
        /// The folder.
        path: PathBuf,
        /// Bytes that are wanted.
        wanted: u64,
        /// Bytes there are.
        free: u64,
    },
    /// The kernel refused.
    #[error("cannot {action}")]
    Kernel {
        /// What was asked of it.
        action: String,
        /// What it answered.
        source: io::Error,
    },
    /// A tool of a peer is not installed.
    #[error(
        "{peer} cannot be compared: {tool} is not installed (install it with: apt-get install {package})"
    )]
    PeerMissing {
        /// The peer.
        peer: &'static str,
        /// The program.
        tool: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A firewall does not do what the rules say: a comparison would be of different things.
    #[error(
        "{firewall} {did} {flow:?}, and the oracle says otherwise: the rule set was not translated right"
    )]
    Disagrees {
        /// Whose translation is wrong.
        firewall: String,
        /// "passed" or "dropped".
        did: &'static str,
        /// The packet's flow.
        flow: Box<Flow>,
    },
    /// The kernel program judged packets otherwise than the case says.
    #[error("{judged} of {sent} packets were judged {reason}, and all of them should have been")]
    Unfit {
        /// What they should have been judged.
        reason: Reason,
        /// Packets that were sent.
        sent: u64,
        /// Packets that were judged so.
        judged: u64,
    },
    /// Packets got lost or passed that should not have.
    #[error("{firewall}: {passed} of {sent} packets passed in the case {case}, expected {expected}")]
    Lost {
        /// Where.
        firewall: String,
        /// In which measurement.
        case: &'static str,
        /// Packets that were sent.
        sent: u64,
        /// Packets that arrived.
        passed: u64,
        /// Packets that should have.
        expected: u64,
    },
}

/// The result of everything in this crate that measures.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what was being done when the kernel refused.
pub(crate) trait Context<T> {
    /// The action as a phrase: "attach a sink to interface 3".
    fn context(self, action: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Kernel { action: action(), source: source.into() })
    }
}
