//! What can be asked of the control plane, and what it answers.
//!
//! An action is planned whole or refused whole; its outcome is durable when it is told. Nothing here knows how.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use palisade_model::ResourceId;
use palisade_store::Revision;
use serde_json::Value;

use crate::ControlError;
use crate::access::{AccessVerb, Actor, TunnelVerb};
use crate::answers::AnswerCall;
use crate::fleet::HostName;

/// Who asks, as the audit log names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// Object id of the principal.
    pub principal: String,
    /// Name of the principal, as people know it.
    pub name: String,
    /// Address the request came from.
    pub address: String,
    /// Correlation id of the request.
    pub correlation: String,
    /// What he may break, if he asks for it.
    pub overriding: Option<Override>,
}

/// Leave to break intents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Why, in the caller's words; the audit log keeps it.
    pub reason: String,
    /// The resources whose intents the caller may break.
    pub of: BTreeSet<ResourceId>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Creates or replaces a resource, a child or a resource group.
    Put {
        /// Which.
        id: ResourceId,
        /// Its body, in ARM's JSON.
        body: Value,
        /// What must hold of the stored one.
        precondition: Precondition,
    },
    /// Changes what Azure lets a PATCH change: tags.
    Patch {
        /// Which.
        id: ResourceId,
        /// The properties to change.
        body: Value,
        /// What must hold of the stored one.
        precondition: Precondition,
    },
    /// Takes a resource, a child, or a group with all that is in it away.
    Delete {
        /// Which.
        id: ResourceId,
        /// What must hold of the stored one.
        precondition: Precondition,
    },
    /// Asks for time-limited access, or does something with a request for it.
    Access {
        /// The policy.
        policy: ResourceId,
        /// What is done.
        verb: AccessVerb,
        /// Who does it.
        actor: Actor,
    },
    /// Begins or ends a tunnel.
    Tunnel {
        /// The tunnel.
        id: ResourceId,
        /// Which of both.
        verb: TunnelVerb,
        /// Who has it.
        actor: Actor,
    },
    /// Answers an alert as a policy says. It does nothing if the policy says so, or withholds it.
    Answer {
        /// The policy.
        policy: ResourceId,
        /// The alert.
        call: AnswerCall,
    },
    /// Writes small things of other modules, all or none; without a change it only stands in the audit log.
    Records {
        /// The writes.
        changes: Vec<RecordChange>,
        /// What the audit log calls it.
        verb: &'static str,
    },
    /// Changes nothing and stands in the audit log: a call that was denied, a login.
    Note {
        /// What the audit log calls it.
        verb: &'static str,
        /// What it was about: an id, an action, a name.
        target: String,
        /// How it went, such as the code of the error.
        outcome: String,
    },
}

/// One write of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordChange {
    /// Key in the store.
    pub key: String,
    /// The new value; `None` takes it away.
    pub value: Option<Value>,
    /// What must hold before.
    pub expect: Expect,
}

/// What must hold of a record for a change.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Expect {
    /// Nothing.
    #[default]
    Any,
    /// It is not there.
    Absent,
    /// It is there.
    Present,
    /// It is this.
    Equals(Value),
}

/// The headers `If-Match` and `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Precondition {
    /// `If-Match`: an ETag, several with commas, or `*`.
    pub if_match: Option<String>,
    /// `If-None-Match`: the same.
    pub if_none_match: Option<String>,
}

/// What became of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What it did.
    pub effect: Effect,
    /// The world's revision that has it.
    pub revision: Revision,
    /// The operation to follow, if hosts must act.
    pub operation: Option<String>,
    /// The resource as GET renders it; absent after a deletion and for records.
    pub resource: Option<Value>,
    /// Intents that it breaks, and that only warn or were overridden; rules that a policy stands before.
    pub warnings: Vec<ControlError>,
}

/// What an action did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It is new.
    Created,
    /// It was there and is another now.
    Updated,
    /// It was there and is the same.
    Unchanged,
    /// It was there and is gone.
    Deleted,
    /// It was not there.
    Absent,
}

/// A commit that the world has taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its revision.
    pub revision: Revision,
    /// Resources and children that were written or taken away.
    pub changed: Vec<ResourceId>,
    /// Keys of records that were.
    pub records: Vec<String>,
    /// Hosts that must act: [`crate::fleet::concerned`] of the worlds before and after.
    pub hosts: BTreeSet<HostName>,
    /// Names of those who asked, where this server planned it; empty for another server's commit.
    pub callers: Vec<String>,
}

/// How the world stands to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Revision of the world.
    pub revision: Revision,
    /// How long ago the store last answered.
    pub age: Duration,
    /// Why the store cannot be written or watched now, if it cannot.
    pub problem: Option<Arc<str>>,
}
