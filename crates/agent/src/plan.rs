//! The difference between what should be and what is, as a list of operations.
//!
//! The first run and every later one are the same function, and it does nothing: whoever executes the list can print it
//! first. The order is what keeps a machine that runs from being cut off:
//!   1. publish: all NICs of the host change their policy at one instant, those too that are not attached yet;
//!   2. attach, which takes the kernel a while for each interface: one that has a policy is judged by it from its first
//!      packet on, one that has none drops everything;
//!   3. forget interfaces that are gone.
//!
//! A policy that cannot be published does not keep interfaces from being closed, except where nothing ever was in force:
//! there it would cut off every machine of a host that was never enforced.
//!
//! An interface is never released: one whose NIC left the estate stays attached and drops, until it vanishes or the
//! whole instance is removed. To let it go would open it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use palisade_datapath::{Attachment, LayerPolicy, NicKind, NicPolicy};
use sha2::{Digest as _, Sha256};

/// What should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Policies by interface number; `None` while there is no estate to publish.
    pub policy: Option<Vec<NicPolicy>>,
    /// Interfaces that must have the programs.
    pub attach: BTreeSet<Attachment>,
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
        /// Its number, and on which side it shows the machine's frames.
        at: Attachment,
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

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attach { at, interface } => {
                let inverted = if at.kind == NicKind::Inverted { ", directions inverted" } else { "" };
                write!(f, "attach to {interface} (interface {}{inverted})", at.ifindex)
            }
            Self::Publish { nics } => write!(f, "publish a policy (interfaces: {})", nics.len()),
            Self::Forget { ifindex } => write!(f, "forget interface {ifindex}, which is gone"),
        }
    }
}

/// Compares, and says what to do.
pub fn plan(desired: Desired, observed: &Observed) -> Vec<Op> {
    let attached: BTreeSet<u32> = observed.attached.iter().map(|found| found.ifindex).collect();
    // One that is attached as another kind is not as it should be.
    let missing = desired.attach.iter().filter(|at| !observed.attached.contains(at));
    let attach = missing.filter_map(|at| {
        let interface = observed.interfaces.get(&at.ifindex)?.clone();
        Some(Op::Attach { at: *at, interface })
    });
    let differs = |nics: &Vec<NicPolicy>| observed.in_force != Some(PolicyDigest::of(nics));
    let publish = desired.policy.filter(differs).map(|nics| Op::Publish { nics });
    let gone =
        attached.union(&observed.remembered).filter(|ifindex| !observed.interfaces.contains_key(ifindex));
    let forget = gone.map(|ifindex| Op::Forget { ifindex: *ifindex });
    publish.into_iter().chain(attach).chain(forget).collect()
}

/// Stands for the policy of a whole host: two with the same digest are the same.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct PolicyDigest(String);

impl PolicyDigest {
    /// The digest of a policy. The order of the NICs counts: callers keep them sorted.
    pub fn of(nics: &[NicPolicy]) -> Self {
        let mut digests = NicDigests::default();
        let all = nics.iter().fold(Sha256::new(), |all, nic| all.chain_update(digests.of(nic)));
        Self(HEXLOWER.encode(&all.finalize()))
    }
}

/// Digests of the policies of single NICs. A rule list that many of them share is read once.
#[derive(Debug, Default)]
pub struct NicDigests<'a> {
    /// By where they lie; borrowing them keeps them there.
    lists: HashMap<*const u8, (&'a Arc<[u8]>, [u8; 32])>,
}

impl<'a> NicDigests<'a> {
    /// The digest of one NIC's policy.
    pub fn of(&mut self, nic: &'a NicPolicy) -> [u8; 32] {
        let mut digest = Sha(Sha256::new());
        // Every field has its part: one that is added to the policy does not compile until it has too.
        let NicPolicy {
            ifindex,
            slot,
            kind,
            inbound,
            outbound,
            audit,
            loose_tcp,
            guards,
            mac,
            owned,
            timeouts,
            limits,
            throttle,
        } = nic;
        (ifindex, slot, kind, audit, loose_tcp, guards).hash(&mut digest);
        (mac, owned, timeouts, limits, throttle).hash(&mut digest);
        for layer in inbound.iter().chain(outbound) {
            let parts = layer
                .as_ref()
                .map(|LayerPolicy { blob, name, audit, flush }| (self.list(blob), name, audit, flush));
            parts.hash(&mut digest);
        }
        digest.0.finalize().into()
    }

    fn list(&mut self, list: &'a Arc<[u8]>) -> [u8; 32] {
        self.lists.entry(list.as_ptr()).or_insert_with(|| (list, Sha256::digest(list).into())).1
    }
}

/// Lets values that can be hashed be hashed so that nobody finds two with the same digest.
struct Sha(Sha256);

impl Hasher for Sha {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        u64::from_le_bytes(digest[..8].try_into().expect("a digest is longer"))
    }
}
