//! What a revert asks of the server: isolate the machine, end its grants, and let it out under a tighter policy.

use std::{fs, path::Path, time::SystemTime};

use palisade_client::{Client, Precondition};
use palisade_control::{answers::REASON_MAX, time};
use palisade_recovery::revert::{HandError, Plan, Policy};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    answers,
    jit::find::{self, string},
    writing::WriteArgs,
};
use crate::exit::Failure;

/// The policy of a server.
pub struct Server<'w> {
    client: Client,
    write: &'w WriteArgs,
    target: String,
    tightened: Vec<Value>,
    watch: Option<Watch>,
}

/// How a machine is watched after a revert.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Watch {
    /// The properties of an answer policy for it alone.
    pub policy: Value,
    /// For how long, in seconds.
    pub seconds: u64,
}

impl<'w> Server<'w> {
    /// Finds the machine and reads what is to be put in force, before anything is done.
    pub fn new(
        write: &'w WriteArgs,
        vm: &str,
        tightened: Option<&Path>,
        watch: Option<Watch>,
    ) -> Result<Self, Failure> {
        let client = write.client()?;
        let target = string(&find::machine(&client, vm, None)?, "id");
        let tightened = tightened.map(bodies).transpose()?.unwrap_or_default();
        Ok(Self { client, write, target, tightened, watch })
    }

    /// Puts the machine in quarantine, or says more of the one that it is in.
    fn isolate(&self, plan: &Plan, more: &str) -> Result<(), HandError> {
        let more = format!(" (revert {}{more})", plan.id);
        let why: String = plan.why.chars().take(REASON_MAX.saturating_sub(more.chars().count())).collect();
        let body = json!({"properties": {"target": {"id": self.target}, "reason": why + &more}});
        let written = self.client.put(&answers::quarantine_id(&self.target), &body, Precondition::Always)?;
        let what = format!("putting the quarantine of {} in force", self.name());
        self.write.settle(&self.client, &what, &written.warnings, written.operation.as_ref()).map_err(told)
    }

    fn name(&self) -> &str {
        self.target.rsplit('/').next().unwrap_or_default()
    }

    /// Grants that are open or may become so.
    fn grants(&self) -> Result<Vec<Value>, HandError> {
        find::requests(&self.client, Some(&self.target), true).map_err(told)
    }
}

/// A failure of a command, as that of a hand.
fn told(failure: Failure) -> HandError {
    failure.into_message().into()
}

fn bodies(path: &Path) -> Result<Vec<Value>, Failure> {
    let wrong = |problem: String| Failure::input(format!("{}: {problem}", path.display()));
    let text = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let value: Value = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    let bodies = if let Value::Array(bodies) = value { bodies } else { vec![value] };
    match bodies.iter().find(|body| !body["id"].is_string()) {
        Some(_) => Err(wrong("a body has no id".into())),
        None => Ok(bodies),
    }
}

impl Policy for Server<'_> {
    fn quarantine(&mut self, plan: &Plan) -> Result<String, HandError> {
        self.isolate(plan, "")?;
        Ok(format!("{} is in quarantine", self.name()))
    }

    fn record(&mut self, _: &Plan) -> Result<Value, HandError> {
        Ok(json!({
            "machine": self.client.get(&self.target)?,
            "grants": self.grants()?,
            "alerts": self.client.alerts(&[("machine", &self.target)])?,
            "status": self.client.status()?,
        }))
    }

    fn revoke_grants(&mut self, _: &Plan) -> Result<String, HandError> {
        let grants = self.grants()?;
        for grant in &grants {
            let path = format!("{}/requests/{}/revoke", string(grant, "policy"), string(grant, "name"));
            let written = self.client.act(&path, &json!({}))?;
            let what = format!("revoking {}", string(grant, "name"));
            self.write
                .settle(&self.client, &what, &written.warnings, written.operation.as_ref())
                .map_err(told)?;
        }
        Ok(format!("{} grants revoked", grants.len()))
    }

    /// In the reason of the quarantine, which the server's audit log keeps.
    fn note_custody(&mut self, plan: &Plan, head: &str) -> Result<String, HandError> {
        self.isolate(plan, &format!("; custody {head}"))?;
        Ok("in the server's audit log".into())
    }

    /// The quarantine ends last, and only when all else is in force. The machine's link is still down then.
    fn tighten(&mut self, _: &Plan) -> Result<String, HandError> {
        for body in &self.tightened {
            let id = string(body, "id");
            let written = self.client.put(&id, body, Precondition::Always)?;
            let what = format!("putting {id} in force");
            self.write
                .settle(&self.client, &what, &written.warnings, written.operation.as_ref())
                .map_err(told)?;
        }
        // A policy, or somebody before this revert, may have isolated the machine under another name.
        let quarantines = answers::named(&self.client, "quarantines", &self.target).map_err(told)?;
        for quarantine in &quarantines {
            let id = string(quarantine, "id");
            let deleted = self.client.delete(&id, Precondition::Always)?;
            let what = format!("releasing {id}");
            self.write
                .settle(&self.client, &what, &deleted.warnings, deleted.operation.as_ref())
                .map_err(told)?;
        }
        let released = format!("{} quarantines released", quarantines.len());
        Ok(match self.tightened.len() {
            0 => format!("the policy is what it was: nothing tighter was named; {released}"),
            count => format!("{count} resources in force; {released}"),
        })
    }

    /// By an answer policy that is asked before all others about this machine, and ends by itself.
    fn watch(&mut self, _: &Plan) -> Result<String, HandError> {
        let Some(Watch { policy, seconds }) = &self.watch else {
            return Ok(format!("as before (see palisade alerts list --vm {})", self.name()));
        };
        let end = time::rfc3339(time::unix_seconds(SystemTime::now()) + seconds);
        let mut body = json!({ "properties": policy });
        body["properties"]["target"] = json!({ "id": self.target });
        body["properties"]["endTimeUtc"] = end.as_str().into();
        let id = answers::watch_id(&self.target);
        let written = self.client.put(&id, &body, Precondition::Always)?;
        let what = format!("writing {id}");
        self.write
            .settle(&self.client, &what, &written.warnings, written.operation.as_ref())
            .map_err(told)?;
        Ok(format!("answered by its own policy until {end}"))
    }
}

/// Policies that somebody else takes care of.
pub struct ByHand;

impl Policy for ByHand {
    fn quarantine(&mut self, _: &Plan) -> Result<String, HandError> {
        Ok("no server: isolated only by its link".into())
    }

    fn record(&mut self, _: &Plan) -> Result<Value, HandError> {
        Ok(Value::Null)
    }

    fn revoke_grants(&mut self, _: &Plan) -> Result<String, HandError> {
        Ok("no server: no grants are known".into())
    }

    fn note_custody(&mut self, _: &Plan, _: &str) -> Result<String, HandError> {
        Ok("no server: note the head elsewhere".into())
    }

    fn tighten(&mut self, _: &Plan) -> Result<String, HandError> {
        Ok("no server: the policy is what it was".into())
    }

    fn watch(&mut self, _: &Plan) -> Result<String, HandError> {
        Ok("no server: nobody watches".into())
    }
}
