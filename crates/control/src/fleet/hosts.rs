//! What can be done with hosts: invite, let in, renew, revoke, remove, and look at them.
//!
//! Every one of them is an action of the control plane, so it is durable, audited, and seen by every server of the store.

use palisade_sync::Hash;
use serde_json::Value;

use super::host::checked_inventory;
use super::token::{self, TOKEN_SECONDS_MAX, TokenRecord};
use super::{Board, HOST_PREFIX, HostCertificate, HostName, HostRecord, Interface, Standing};
use crate::time::unix_seconds;
use crate::world::World;
use crate::{Action, Caller, Control, ControlError, Expect, RecordChange};

/// How often a change of a record is tried again when somebody else has changed the record meanwhile.
const ATTEMPTS_MAX: usize = 8;

/// A host as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostView {
    /// Name.
    pub name: HostName,
    /// What the store keeps of it.
    pub record: HostRecord,
    /// How it stands; `None` if it was never heard of since the servers started.
    pub standing: Option<Standing>,
    /// Ids of its network interfaces.
    pub nics: Vec<String>,
}

/// All hosts, by name.
pub fn list(world: &World, board: &Board) -> Vec<HostView> {
    let names = world.records(HOST_PREFIX).filter_map(|(key, _)| HostName::of_key(key));
    names.filter_map(|name| get(world, board, &name)).collect()
}

/// One host.
pub fn get(world: &World, board: &Board, name: &HostName) -> Option<HostView> {
    let record = HostRecord::read(world.record(&name.key())?)?;
    let nics = world.bindings().nics(name).iter().map(|id| id.as_str().to_owned()).collect();
    Some(HostView { name: name.clone(), record, standing: board.standing(name), nics })
}

/// Makes a join token that is good until `expires` (seconds since 1970), for one host if it is named. Its text is told
/// here and never again. `authority` is the fingerprint of the servers' authority.
///
/// # Errors
/// The time is past or too far away, the host is one already, or the store refuses.
pub async fn create_join_token(
    control: &Control,
    caller: &Caller,
    authority: Hash,
    host: Option<HostName>,
    expires: u64,
) -> Result<String, ControlError> {
    let now = now(control);
    if expires <= now || expires > now + TOKEN_SECONDS_MAX {
        let days = TOKEN_SECONDS_MAX / 86_400;
        let message = format!("a join token must end in the future, and within {days} days");
        return Err(ControlError::bad("InvalidExpiry", message).about("expires"));
    }
    if let Some(host) = &host {
        refuse_known(control, host)?;
    }
    let (text, change) = TokenRecord { expires, host }.create(authority);
    let action = Action::Records { changes: vec![change], verb: "create join token" };
    control.act(caller, action).await?;
    Ok(text)
}

/// Whether `host` may join with this token now; asked before a certificate is signed.
///
/// # Errors
/// Why it may not.
pub fn may_join(control: &Control, token: &str, host: &HostName) -> Result<(), ControlError> {
    refuse_known(control, host)?;
    token::check(stored(control, &token::key_of(token)).as_ref(), host, now(control))
}

/// Uses up a token and registers the host that came with it, together.
///
/// # Errors
/// As of [`may_join`]; that somebody else was faster is one of them.
pub async fn join(
    control: &Control,
    caller: &Caller,
    token: &str,
    host: &HostName,
    certificate: HostCertificate,
) -> Result<(), ControlError> {
    may_join(control, token, host)?;
    let key = token::key_of(token);
    let stored = stored(control, &key);
    let changes = token::consume(key, stored.as_ref(), host, certificate, now(control))?;
    let outcome = control.act(caller, Action::Records { changes, verb: "join host" }).await;
    outcome.map(drop).map_err(|error| match error.status {
        409 | 412 => {
            let message = "the join token was used, or the name taken, a moment ago (create another token)";
            ControlError::new(401, "InvalidJoinToken", message)
        }
        _ => error,
    })
}

/// Adds a certificate to those of a host.
///
/// # Errors
/// The host is unknown or revoked, or the store refuses.
pub async fn renew(
    control: &Control,
    caller: &Caller,
    host: &HostName,
    certificate: HostCertificate,
) -> Result<(), ControlError> {
    let now = now(control);
    change(control, caller, host, "renew host certificate", |record| {
        if record.revoked.is_some() {
            return Err(ControlError::new(403, "HostRevoked", format!("host \"{host}\" is revoked")));
        }
        Ok(record.with_certificate(certificate.clone(), now))
    })
    .await
}

/// Keeps what a host told of its interfaces; nothing is written if it told the same before.
///
/// # Errors
/// The inventory is beyond a limit, the host is unknown, or the store refuses.
pub async fn tell_inventory(
    control: &Control,
    caller: &Caller,
    host: &HostName,
    interfaces: Vec<Interface>,
) -> Result<(), ControlError> {
    let interfaces = checked_inventory(interfaces).map_err(|why| {
        ControlError::bad("InvalidInventory", format!("inventory of host \"{host}\": {why}"))
    })?;
    change(control, caller, host, "tell inventory", |record| {
        Ok(HostRecord { interfaces: interfaces.clone(), ..record })
    })
    .await
}

/// Ends a host's membership at once: its certificates are good for nothing from now on. What it has in force stays, since
/// a host without a server keeps enforcing.
///
/// # Errors
/// The host is unknown, or the store refuses.
pub async fn revoke(control: &Control, caller: &Caller, host: &HostName) -> Result<(), ControlError> {
    let now = now(control);
    let revoked = |record: HostRecord| Ok(HostRecord { revoked: record.revoked.or(Some(now)), ..record });
    change(control, caller, host, "revoke host", revoked).await?;
    control.fleet().forget(host);
    Ok(())
}

/// Removes a host, so that a machine of its name may join again.
///
/// # Errors
/// The host is unknown, or the store refuses.
pub async fn remove(control: &Control, caller: &Caller, host: &HostName) -> Result<(), ControlError> {
    let change = RecordChange { key: host.key(), value: None, expect: Expect::Present };
    let action = Action::Records { changes: vec![change], verb: "remove host" };
    control.act(caller, action).await.map_err(|error| match error.status {
        409 | 412 => unknown(host),
        _ => error,
    })?;
    control.fleet().forget(host);
    Ok(())
}

/// Changes a host's record, again if somebody else has changed it meanwhile.
async fn change(
    control: &Control,
    caller: &Caller,
    host: &HostName,
    verb: &'static str,
    change: impl Fn(HostRecord) -> Result<HostRecord, ControlError>,
) -> Result<(), ControlError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let before = stored(control, &host.key()).ok_or_else(|| unknown(host))?;
        let record = HostRecord::read(&before).ok_or_else(|| unknown(host))?;
        let after = change(record)?.to_value();
        if after == before {
            return Ok(());
        }
        let change = RecordChange { key: host.key(), value: Some(after), expect: Expect::Equals(before) };
        match control.act(caller, Action::Records { changes: vec![change], verb }).await {
            Ok(_) => return Ok(()),
            Err(error) if matches!(error.status, 409 | 412) && attempts < ATTEMPTS_MAX => {}
            Err(error) => return Err(error),
        }
    }
}

/// Refuses a name that a host has, also a revoked one.
fn refuse_known(control: &Control, host: &HostName) -> Result<(), ControlError> {
    if stored(control, &host.key()).is_none() {
        return Ok(());
    }
    let message = format!("host \"{host}\" is registered already (remove it first, or use another name)");
    Err(ControlError::new(409, "HostExists", message))
}

fn unknown(host: &HostName) -> ControlError {
    ControlError::new(404, "HostNotFound", format!("host \"{host}\" is not registered"))
}

fn stored(control: &Control, key: &str) -> Option<Value> {
    control.read(|world| world.record(key).cloned())
}

fn now(control: &Control) -> u64 {
    unix_seconds(control.now())
}
