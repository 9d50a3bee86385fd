//! The difference between what should be and what is, as a list of operations.
//!
//! The first run and every later one are the same function, and it does nothing: whoever executes the list can print it
//! first. The order is what keeps a machine from ever being open:
//!   1. attach: an interface without a descriptor drops everything, so from here on nothing passes unjudged;
//!   2. publish: all NICs of the host change their policy at one instant;
//!   3. forget interfaces that are gone.
//!
//! An interface is never released: one whose NIC left the estate stays attached and drops, until it vanishes or the
//! whole instance is removed. To let it go would open it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use palisade_datapath::{Attachment, NicKind, NicPolicy};
use sha2::{Digest as _, Sha256};

/// What should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Policies by interface number; `None` while there is no estate to publish.
    pub policy: Option<Vec<NicPolicy>>,
    /// Interfaces that must have the programs.
    pub attach: BTreeSet<u32>,
}

/// What is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Interfaces of this host, with their names.
    pub interfaces: BTreeMap<u32, String>,
    /// Interfaces that have the programs.
    pub attached: Vec<Attachment>,
    /// Interfaces that had them when last looked at, or that the policy in force knows.
    pub remembered: BTreeSet<u32>,
    /// The policy in force, if this agent or the one before published it.
    pub in_force: Option<PolicyDigest>,
}

/// One step from what is to what should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Put the programs at an interface.
    Attach {
        /// Its number.
        ifindex: u32,
        /// Its name.
        interface: String,
    },
    /// Bring a policy of the whole host into force.
    Publish {
        /// All of it.
        nics: Vec<NicPolicy>,
    },
    /// Remove what is left of an interface that is gone.
    Forget {
        /// Its number.
        ifindex: u32,
    },
}

impl Op {
    /// Whether it makes an interface drop what has no policy, and needs nothing else.
    pub(crate) const fn is_closing(&self) -> bool {
        matches!(self, Self::Attach { .. })
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attach { ifindex, interface } => write!(f, "attach to {interface} (interface {ifindex})"),
            Self::Publish { nics } => write!(f, "publish a policy (interfaces: {})", nics.len()),
            Self::Forget { ifindex } => write!(f, "forget interface {ifindex}, which is gone"),
        }
    }
}

/// Compares, and says what to do.
pub fn plan(desired: Desired, observed: &Observed) -> Vec<Op> {
    let direct = |attachment: &&Attachment| attachment.kind == NicKind::Direct;
    let attached: BTreeSet<u32> =
        observed.attached.iter().filter(direct).map(|found| found.ifindex).collect();
    let missing = desired.attach.iter().filter(|ifindex| !attached.contains(ifindex));
    let attach = missing.filter_map(|ifindex| {
        let interface = observed.interfaces.get(ifindex)?.clone();
        Some(Op::Attach { ifindex: *ifindex, interface })
    });
    let differs = |nics: &Vec<NicPolicy>| observed.in_force != Some(PolicyDigest::of(nics));
    let publish = desired.policy.filter(differs).map(|nics| Op::Publish { nics });
    let gone =
        attached.union(&observed.remembered).filter(|ifindex| !observed.interfaces.contains_key(ifindex));
    let forget = gone.map(|ifindex| Op::Forget { ifindex: *ifindex });
    attach.chain(publish).chain(forget).collect()
}

/// Stands for the policy of a whole host: two with the same digest are the same.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct PolicyDigest(String);

impl PolicyDigest {
    /// The digest of a policy. The order of the NICs counts: callers keep them sorted.
    pub fn of(nics: &[NicPolicy]) -> Self {
        let mut hash = Sha256::new();
        for nic in nics {
            hash.update(nic.ifindex.to_le_bytes());
            hash.update(nic.slot.to_le_bytes());
            hash.update([u8::from(nic.kind == NicKind::Inverted)]);
            for blob in nic.inbound.iter().chain(&nic.outbound) {
                // No blob is as long as the number that stands for none.
                hash.update(blob.as_ref().map_or(u64::MAX, |blob| blob.len() as u64).to_le_bytes());
                hash.update(blob.as_deref().unwrap_or_default());
            }
        }
        let digest = hash.finalize();
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
