//! What etcd's errors mean for whoever uses the store.
//!
//! etcd tells most of them by a sentence only; gRPC's codes are too coarse. What is not known here is taken for a fault of the
//! member that said it: another one is asked, and a commit counts as perhaps written.

use etcd_client::Error;

use crate::StoreError;

/// What an error is about.
#[derive(Debug)]
pub(super) enum Fault {
    /// The member, or the way to it, before it did anything.
    Refused(String),
    /// The member, or the way to it; it may have done what was asked.
    Lost(String),
    /// The cluster takes no more writes.
    Full(String),
    /// The revision is not known any more.
    Compacted,
    /// The answer is longer than we take.
    TooLong,
    /// What was asked is never done, whoever is asked.
    Denied(String),
}

type Told = fn(String) -> Fault;

/// Sentences of etcd 3.4 and of tonic, and what they mean.
const SENTENCES: &[(&str, Told)] = &[
    ("database space exceeded", Fault::Full),
    ("required revision has been compacted", |_| Fault::Compacted),
    ("message length too large", |_| Fault::TooLong),
    // Said before the proposal: by the check for a leader, and by the check of the backlog.
    ("etcdserver: no leader", Fault::Refused),
    ("etcdserver: too many requests", Fault::Refused),
    ("tcp connect error", Fault::Refused),
    ("request is too large", Fault::Denied),
    ("too many operations", Fault::Denied),
    ("lease not found", Fault::Denied),
    ("permission denied", Fault::Denied),
    ("user name is empty", Fault::Denied),
    ("invalid auth token", Fault::Denied),
];

/// Tells what an error is about.
pub(super) fn of(error: &Error) -> Fault {
    let said = sentence(error);
    let known = SENTENCES.iter().find(|(part, _)| said.contains(part));
    known.map_or_else(|| Fault::Lost(said.clone()), |(_, fault)| fault(said.clone()))
}

/// The whole chain of causes: the reason of a failed connection is at its end.
fn sentence(error: &Error) -> String {
    let mut said = match error {
        Error::GRpcStatus(status) => status.message().to_owned(),
        other => other.to_string(),
    };
    let mut cause = match error {
        Error::GRpcStatus(status) => std::error::Error::source(status),
        other => std::error::Error::source(other),
    };
    while let Some(next) = cause {
        let text = next.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = next.source();
    }
    said
}

impl Fault {
    /// Of a request that changes nothing.
    pub(super) fn of_read(self) -> StoreError {
        match self {
            Self::Lost(said) => StoreError::Unavailable(said),
            other => other.of_commit(),
        }
    }

    /// Of a request that may have changed something.
    pub(super) fn of_commit(self) -> StoreError {
        match self {
            Self::Refused(said) => StoreError::Unavailable(said),
            Self::Lost(said) => StoreError::Unknown(said),
            Self::Full(said) => StoreError::Full(format!(
                "{said}: compact and defragment its members, raise their quota, then disarm the alarm (etcdctl alarm disarm)"
            )),
            Self::Compacted => StoreError::Unavailable("it was compacted while it was read".to_owned()),
            Self::TooLong => StoreError::Unavailable("an answer was longer than it may be".to_owned()),
            Self::Denied(said) => StoreError::Invalid(format!("etcd refuses it: {said}")),
        }
    }

    /// Whether another member may do better.
    pub(super) fn is_the_members(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Lost(_))
    }
}
