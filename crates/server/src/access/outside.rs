//! People and programs that issuers elsewhere vouch for.
//!
//! With an OpenID provider configured, its tokens for our client id are taken as they are: whoever comes with one for the
//! first time becomes a user without any role. Keys are fetched through a [`KeySource`], kept, and fetched again when a token
//! names one that is not among them, but not more often than the least interval, so that made-up tokens cause no traffic.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use palisade_control::{Action, Caller, Control, ControlError};
use palisade_identity::{
    Assertion, AssertionError, Expected, KeySet, Kind, Origin, claimed_issuer, verify_assertion,
};
use serde_json::Value;
use uuid::Uuid;

use super::{Principal, directory};

/// Least time between two fetches of the same keys, in seconds.
const FETCH_INTERVAL: u64 = 60;
/// After so many seconds keys are fetched again, also if they still fit.
const KEYS_AGE_MAX: u64 = 86_400;
/// Most places that keys are kept of.
const PLACES_MAX: usize = 64;
/// Most groups of one person that are looked at.
const GROUPS_MAX: usize = 200;

/// Fetches documents of issuers elsewhere.
#[async_trait]
pub trait KeySource: Send + Sync + std::fmt::Debug {
    /// The JSON document at `url`, or why there is none.
    async fn document(&self, url: &str) -> Result<Value, String>;
}

/// An OpenID provider whose people are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its issuer, which is also where its discovery document is.
    pub issuer: String,
    /// Our client id there: the audience that a token must have.
    pub client_id: String,
    /// The claim that lists groups, if roles are given to groups.
    pub group_claim: Option<String>,
}

/// Issuers elsewhere, as one server knows them.
#[derive(Debug)]
pub struct Outside {
    provider: Option<Provider>,
    source: Arc<dyn KeySource>,
    kept: Mutex<HashMap<String, Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    keys: Option<Arc<KeySet>>,
    asked: u64,
}

impl Outside {
    /// What `source` can fetch, and the people of `provider`.
    #[must_use]
    pub fn new(provider: Option<Provider>, source: Arc<dyn KeySource>) -> Self {
        Self { provider, source, kept: Mutex::default() }
    }

    /// Whether `token` says that it is of the provider. Nothing is checked.
    pub(super) fn is_issuer_of(&self, token: &str) -> bool {
        self.provider
            .as_ref()
            .is_some_and(|provider| claimed_issuer(token).as_ref() == Some(&provider.issuer))
    }

    /// The person that the provider's `token` is about.
    pub(super) async fn recognise(
        &self,
        control: &Control,
        caller: &Caller,
        token: &str,
        now: u64,
    ) -> Result<Principal, ControlError> {
        let provider = self.provider.as_ref().ok_or_else(|| refused("no issuer elsewhere is configured"))?;
        let audiences = [provider.client_id.clone()];
        let expected = Expected { issuer: &provider.issuer, subject: None, audiences: &audiences };
        let place = Place::Provider(&provider.issuer);
        let assertion = self.verify(token, place, &expected, now).await.map_err(|why| refused(&why))?;
        let user = provision(control, caller, provider, &assertion, now).await?;
        if !user.enabled || assertion_time(&assertion) < user.tokens_from {
            return Err(refused("the user is disabled, or has logged out"));
        }
        Ok(Principal::new(&user, groups(provider, &assertion)))
    }

    /// Verifies an assertion with the keys that are found at `place`.
    pub(crate) async fn verify(
        &self,
        token: &str,
        place: Place<'_>,
        expected: &Expected<'_>,
        now: u64,
    ) -> Result<Assertion, String> {
        let keys = self.keys(place, KEYS_AGE_MAX, now).await?;
        match verify_assertion(token, &keys, expected, now) {
            Err(AssertionError::UnknownKey(_)) => {
                let keys = self.keys(place, FETCH_INTERVAL, now).await?;
                verify_assertion(token, &keys, expected, now).map_err(|error| error.to_string())
            }
            other => other.map_err(|error| error.to_string()),
        }
    }

    /// The keys at a place, fetched again if they are older than `age_max`.
    async fn keys(&self, place: Place<'_>, age_max: u64, now: u64) -> Result<Arc<KeySet>, String> {
        let name = place.name();
        let kept = self.kept(|kept| kept.get(name).cloned());
        let since = kept.as_ref().map_or(u64::MAX, |kept| now.saturating_sub(kept.asked));
        let old = kept.and_then(|kept| kept.keys);
        if since < FETCH_INTERVAL || (old.is_some() && since < age_max) {
            return old.ok_or_else(|| format!("the keys of {name} could not be fetched a moment ago"));
        }
        // Marked before it is asked: many requests at once ask once.
        self.keep(name, Kept { keys: old.clone(), asked: now });
        match self.fetch(place).await {
            Ok(keys) => {
                let keys = Arc::new(keys);
                self.keep(name, Kept { keys: Some(keys.clone()), asked: now });
                Ok(keys)
            }
            // Old keys are better than none while an issuer cannot be reached.
            Err(why) => old.ok_or(why),
        }
    }

    async fn fetch(&self, place: Place<'_>) -> Result<KeySet, String> {
        let url = match place {
            Place::Keys(url) => url.to_owned(),
            Place::Provider(issuer) => {
                let issuer = issuer.trim_end_matches('/');
                let discovery =
                    self.source.document(&format!("{issuer}/.well-known/openid-configuration")).await?;
                let url = discovery["jwks_uri"].as_str();
                url.ok_or_else(|| format!("the discovery document of {issuer} names no jwks_uri"))?.to_owned()
            }
        };
        let keys = self.source.document(&url).await?;
        serde_json::from_value(keys).map_err(|error| format!("{url} is no set of keys: {error}"))
    }

    fn kept<R>(&self, read: impl FnOnce(&mut HashMap<String, Kept>) -> R) -> R {
        read(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(&self, name: &str, one: Kept) {
        self.kept(|kept| {
            if kept.len() >= PLACES_MAX && !kept.contains_key(name) {
                kept.clear();
            }
            kept.insert(name.to_owned(), one);
        });
    }
}

/// Where keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// At this URL.
    Keys(&'a str),
    /// Where the discovery document of this issuer says.
    Provider(&'a str),
}

impl Place<'_> {
    const fn name(&self) -> &str {
        match self {
            Self::Keys(name) | Self::Provider(name) => name,
        }
    }
}

/// The user of an assertion, made now if he was never seen.
async fn provision(
    control: &Control,
    caller: &Caller,
    provider: &Provider,
    assertion: &Assertion,
    now: u64,
) -> Result<palisade_identity::Principal, ControlError> {
    // The same person has the same id on every server, also if two see him at the same moment.
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{}#{}", provider.issuer, assertion.sub).as_bytes());
    if let Some(known) = control.read(|world| directory::principal(world, id)) {
        return Ok(known);
    }
    let text = |claim: &str| assertion.more.get(claim).and_then(Value::as_str);
    let user_name = text("preferred_username").or_else(|| text("email")).unwrap_or(&assertion.sub);
    let name = text("name").unwrap_or(user_name);
    let mut user = palisade_identity::Principal::user(user_name, name, now)
        .map_err(|error| refused(&error.to_string()))?;
    user.id = id;
    user.origin = Some(Origin { issuer: provider.issuer.clone(), subject: assertion.sub.clone() });
    debug_assert_eq!(user.kind, Kind::User);
    // A name that somebody here has already must not become his.
    let full_name = format!("{}#{user_name}", provider.issuer);
    for name in [user_name.to_owned(), full_name] {
        user.user_name = Some(name);
        let action = Action::Records { changes: directory::creation(&user), verb: "provision user" };
        match control.act(caller, action).await {
            Ok(_) => return Ok(user),
            Err(error) if error.status != 409 => return Err(error),
            Err(_) => {}
        }
        // Another server may have seen him at the same moment.
        if let Some(known) = control.read(|world| directory::principal(world, id)) {
            return Ok(known);
        }
    }
    Err(refused(&format!("the user name '{user_name}' is somebody else's")))
}

fn assertion_time(assertion: &Assertion) -> u64 {
    assertion.more.get("iat").and_then(Value::as_u64).or(assertion.nbf).unwrap_or_default()
}

/// Ids that stand for the groups of a token, as assignments name them.
fn groups(provider: &Provider, assertion: &Assertion) -> Vec<Uuid> {
    let claim = provider.group_claim.as_ref().and_then(|claim| assertion.more.get(claim));
    let names = claim.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    names.take(GROUPS_MAX).map(|name| group_id(&provider.issuer, name)).collect()
}

/// The id that stands for a group of an issuer: its own, if that is a UUID, and else one made of both names.
#[must_use]
pub fn group_id(issuer: &str, name: &str) -> Uuid {
    Uuid::parse_str(name)
        .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{issuer}#group#{name}").as_bytes()))
}

fn refused(why: &str) -> ControlError {
    ControlError::new(401, "InvalidAuthenticationToken", format!("The access token is not accepted: {why}."))
}
