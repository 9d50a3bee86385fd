//! Refresh tokens: issuing, redeeming once, and ending a family that was used twice.

use palisade_control::{Action, Caller, Expect, RecordChange, World};
use palisade_identity::{Principal, Refresh, RefreshUse, fingerprint, new_id, new_secret};
use uuid::Uuid;

use super::{Asked, OAuthError, grants::public_client, issue, issue::Tokens};
use crate::access::directory;

/// Most refresh tokens of one person; the oldest go first.
const PER_PRINCIPAL_MAX: usize = 50;

/// What a new refresh token descends from.
#[derive(Debug, Clone)]
pub(super) enum Family {
    /// Nothing: somebody has logged in.
    New,
    /// The token that was redeemed for it, under this key.
    Of(String, Refresh),
}

/// Makes a refresh token, and marks the one that it descends from as used, in one commit.
pub(super) async fn issue(
    asked: &Asked,
    caller: &Caller,
    principal: &Principal,
    client: &str,
    family: Family,
) -> Result<String, OAuthError> {
    let random = |error| OAuthError::server(&error);
    let text = new_secret().map_err(random)?;
    let mut changes = asked.app.control.read(|world| room(world, principal.id, asked.now));
    let family = match family {
        Family::New => new_id().map_err(random)?,
        Family::Of(key, old) => {
            let family = old.family;
            changes.retain(|change| change.key != key);
            let used = Refresh { used: old.used.or(Some(asked.now)), ..old };
            // It may have been used twice at once, but not be gone.
            changes.push(RecordChange {
                key,
                value: Some(directory::record(&used)),
                expect: Expect::Present,
            });
            family
        }
    };
    let record =
        Refresh { principal: principal.id, client: client.to_owned(), family, issued: asked.now, used: None };
    changes.push(RecordChange {
        key: key(&text),
        value: Some(directory::record(&record)),
        expect: Expect::Absent,
    });
    asked.app.control.act(caller, Action::Records { changes, verb: "issue refresh token" }).await?;
    Ok(text)
}

/// A new token for a refresh token.
pub(super) async fn redeem(asked: &Asked) -> Result<Tokens, OAuthError> {
    let client = public_client(asked)?;
    let key = key(asked.form.need("refresh_token")?);
    let found = asked.app.control.read(|world| {
        let refresh: Refresh = directory::read(world.record(&key)?)?;
        let principal = directory::principal(world, refresh.principal);
        Some((refresh, principal))
    });
    let (refresh, principal) = found.ok_or_else(ended)?;
    match (refresh.judge(client, principal.as_ref(), asked.now), principal) {
        (RefreshUse::Good, Some(principal)) => {
            issue::issue(asked, &principal, client, "refresh_token", Family::Of(key, refresh)).await
        }
        (RefreshUse::Stolen, _) => {
            end_family(asked, refresh.family).await?;
            Err(ended())
        }
        _ => Err(ended()),
    }
}

fn ended() -> OAuthError {
    OAuthError::grant("The refresh token has expired, was used, or does not count any more. Log in again.")
}

fn key(text: &str) -> String {
    format!("{}{}", directory::REFRESH, fingerprint(text))
}

fn all(world: &World) -> impl Iterator<Item = (String, Refresh)> {
    world
        .records(directory::REFRESH)
        .filter_map(|(key, value)| Some((key.to_owned(), directory::read(value)?)))
}

fn removal((key, _): (String, Refresh)) -> RecordChange {
    RecordChange { key, value: None, expect: Expect::Any }
}

/// What must go before a person gets another one: what has ended, and the oldest beyond the limit.
fn room(world: &World, principal: Uuid, now: u64) -> Vec<RecordChange> {
    let own = all(world).filter(|(_, refresh)| refresh.principal == principal);
    let (ended, mut good): (Vec<_>, Vec<_>) = own.partition(|(_, refresh)| refresh.expires() <= now);
    good.sort_by_key(|(_, refresh)| refresh.issued);
    let too_many = (good.len() + 1).saturating_sub(PER_PRINCIPAL_MAX);
    good.truncate(too_many);
    ended.into_iter().take(PER_PRINCIPAL_MAX).chain(good).map(removal).collect()
}

async fn end_family(asked: &Asked, family: Uuid) -> Result<(), OAuthError> {
    let changes: Vec<_> = asked
        .app
        .control
        .read(|world| all(world).filter(|(_, refresh)| refresh.family == family).map(removal).collect());
    let action = Action::Records { changes, verb: "end stolen refresh token" };
    asked.app.control.act(&asked.stranger, action).await?;
    Ok(())
}
