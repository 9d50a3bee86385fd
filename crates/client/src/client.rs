//! One server and one identity: every call carries a token that is good, whatever happened to the last one.
//!
//! A token is renewed a minute before its end, and once more if the server does not take it. New tokens are written
//! to the profile that they belong to, so that the next process need not ask.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use ureq::http::Method;

use crate::{
    error::ClientError,
    login::{Granted, TokenService, now},
    profile::{Login, Profile, Profiles, Token},
    transport::{Answer, Transport, escape},
};

/// So many seconds before its end a token is no longer used.
const RENEW_BEFORE: u64 = 60;

/// A server, as one identity sees it. Calls may come from several threads.
#[derive(Debug)]
pub struct Client {
    pub(crate) transport: Transport,
    subscription: String,
    profile: Mutex<Profile>,
    /// Where the profile is kept, and under which name.
    kept: Option<(PathBuf, String)>,
    /// Why intents are to be overridden, as the header has it.
    overriding: Option<String>,
}

impl Client {
    /// The one that a file of profiles names, or its current one.
    pub fn open(path: &Path, name: Option<&str>) -> Result<Self, ClientError> {
        let profiles = Profiles::read(path)?;
        let name = profiles.name(name)?;
        let profile = profiles.profiles[name].clone();
        let kept = Some((path.to_owned(), name.to_owned()));
        Ok(Self { kept, ..Self::of(profile)? })
    }

    /// One that is kept nowhere.
    pub fn of(profile: Profile) -> Result<Self, ClientError> {
        let transport = Transport::new(&profile.endpoint, profile.authority.as_deref())?;
        let subscription = profile.subscription_id.clone();
        Ok(Self { transport, subscription, profile: Mutex::new(profile), kept: None, overriding: None })
    }

    /// One whose writes ask to override intents, for a reason that the audit log keeps.
    #[must_use]
    pub fn overriding(self, reason: &str) -> Self {
        Self { overriding: Some(escape(reason)), ..self }
    }

    /// Why intents are to be overridden, as the header has it.
    pub(crate) fn overridden(&self) -> Option<&str> {
        self.overriding.as_deref()
    }

    /// The subscription that is meant when none is named.
    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// The address of the server.
    pub fn endpoint(&self) -> &str {
        self.transport.endpoint()
    }

    /// The profile, with the newest token.
    pub fn profile(&self) -> Profile {
        self.locked().clone()
    }

    /// Asks as this identity. Refusals are errors.
    pub fn call(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        let token = self.token()?;
        let answer = self.exchange(method, path, headers, body, &token)?;
        if answer.status != 401 {
            return answer.success();
        }
        // The server may have another key than when it issued this one.
        let token = self.renewed(&token)?;
        self.exchange(method, path, headers, body, &token)?.success()
    }

    fn exchange(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
        token: &str,
    ) -> Result<Answer, ClientError> {
        let bearer = format!("Bearer {token}");
        let mut all = vec![("authorization", bearer.as_str())];
        if let Some(reason) = self.overriding.as_deref().filter(|_| *method != Method::GET) {
            all.push(("x-palisade-override", reason));
        }
        all.extend_from_slice(headers);
        self.transport.exchange(method, path, &all, body)
    }

    /// A token that is good for a while.
    pub fn token(&self) -> Result<String, ClientError> {
        let mut profile = self.locked();
        if let Some(token) = profile.token.as_ref().filter(|token| token.expires > now() + RENEW_BEFORE) {
            return Ok(token.access.clone());
        }
        self.renew(&mut profile)
    }

    /// Another token than the one that was refused; another thread may have brought it meanwhile.
    fn renewed(&self, refused: &str) -> Result<String, ClientError> {
        let mut profile = self.locked();
        match &profile.token {
            Some(Token { access, .. }) if access != refused => Ok(access.clone()),
            _ => self.renew(&mut profile),
        }
    }

    fn renew(&self, profile: &mut Profile) -> Result<String, ClientError> {
        let service = TokenService::new(&self.transport, &profile.tenant_id);
        let granted = match &profile.login {
            Login::ServicePrincipal { client_id, client_secret } => {
                service.by_secret(client_id, client_secret)?
            }
            Login::User { refresh_token: Some(token), .. } => service.by_refresh_token(token)?,
            Login::User { refresh_token: None, .. } => {
                return Err(ClientError::LoggedOut { endpoint: profile.endpoint.clone() });
            }
        };
        profile.take(granted);
        if let Some((path, name)) = &self.kept {
            keep(path, name, profile)?;
        }
        Ok(profile.token.as_ref().map(|token| token.access.clone()).unwrap_or_default())
    }

    fn locked(&self) -> MutexGuard<'_, Profile> {
        self.profile.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Profile {
    /// Takes over what was granted.
    pub fn take(&mut self, granted: Granted) {
        self.token = Some(granted.token);
        if let Login::User { name, refresh_token } = &mut self.login {
            *name = granted.name.or_else(|| name.take());
            *refresh_token = granted.refresh_token.or_else(|| refresh_token.take());
        }
    }
}

/// Writes what is new of one profile, and nothing else: other processes write other profiles.
fn keep(path: &Path, name: &str, profile: &Profile) -> Result<(), ClientError> {
    let mut profiles = Profiles::read(path)?;
    // A profile that was removed meanwhile, by `palisade logout`, stays removed.
    if let Some(kept) = profiles.profiles.get_mut(name) {
        kept.login = profile.login.clone();
        kept.token.clone_from(&profile.token);
        profiles.write(path)?;
    }
    Ok(())
}
