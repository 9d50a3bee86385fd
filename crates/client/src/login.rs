//! Trading credentials for tokens, in the four ways that OAuth 2.0 has for programs and people without a browser.
//!
//! RFC 6749 sections 4.3, 4.4 and 6, RFC 8628 for device codes. It keeps nothing and prints nothing: what a person must
//! be shown is handed to the caller.

use std::{
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{error::ClientError, profile::Token, transport::Answer, transport::Transport};

/// The client that people log in with: that of Azure's own command line, which every token service of this kind knows.
pub const PUBLIC_CLIENT: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
/// The tenant before one knows the tenant.
pub const ANY_TENANT: &str = "organizations";
/// How long to wait between two questions about a device code, unless the server says.
const DEVICE_INTERVAL: Duration = Duration::from_secs(5);
/// How long a device code is good for, unless the server says.
const DEVICE_LIFETIME: Duration = Duration::from_secs(900);

/// What credentials were traded for.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The token for the API.
    pub token: Token,
    /// What the next one is asked with, for people.
    pub refresh_token: Option<String>,
    /// What the id token says of the person.
    pub name: Option<String>,
    /// The tenant that the id token names.
    pub tenant_id: Option<String>,
}

/// What a person is shown, and types in elsewhere.
#[derive(Debug, Clone)]
pub struct DeviceCode {
    /// Where.
    pub verification_uri: String,
    /// What.
    pub user_code: String,
}

/// A place where tokens are issued.
#[derive(Debug, Clone, Copy)]
pub struct TokenService<'a> {
    transport: &'a Transport,
    tenant: &'a str,
}

impl<'a> TokenService<'a> {
    /// That of a server, for a tenant.
    pub fn new(transport: &'a Transport, tenant: &'a str) -> Self {
        Self { transport, tenant }
    }

    /// With the secret of a service principal.
    pub fn by_secret(&self, client_id: &str, secret: &str) -> Result<Granted, ClientError> {
        let scope = self.scope();
        self.ask(&[
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", secret),
            ("scope", &scope),
        ])
    }

    /// With a person's password.
    pub fn by_password(&self, name: &str, password: &str) -> Result<Granted, ClientError> {
        let scope = self.scope_of_people();
        self.ask(&[
            ("grant_type", "password"),
            ("client_id", PUBLIC_CLIENT),
            ("username", name),
            ("password", password),
            ("scope", &scope),
        ])
    }

    /// With what came along with the last token.
    pub fn by_refresh_token(&self, refresh_token: &str) -> Result<Granted, ClientError> {
        let scope = self.scope_of_people();
        self.ask(&[
            ("grant_type", "refresh_token"),
            ("client_id", PUBLIC_CLIENT),
            ("refresh_token", refresh_token),
            ("scope", &scope),
        ])
    }

    /// With a code that a person approves elsewhere; waits until that has happened, or the code has run out.
    pub fn by_device_code(&self, show: impl FnOnce(&DeviceCode)) -> Result<Granted, ClientError> {
        let scope = self.scope_of_people();
        let path = format!("/{}/oauth2/v2.0/devicecode", self.tenant);
        let fields = [("client_id", PUBLIC_CLIENT), ("scope", scope.as_str())];
        let answer = self.transport.post_form(&path, &fields)?.success()?;
        let text = |key: &str| answer.body[key].as_str().unwrap_or_default().to_owned();
        let seconds = |key: &str, or: Duration| answer.body[key].as_u64().map_or(or, Duration::from_secs);
        let device_code = text("device_code");
        let mut interval = seconds("interval", DEVICE_INTERVAL);
        let ends = Instant::now() + seconds("expires_in", DEVICE_LIFETIME);
        show(&DeviceCode { verification_uri: text("verification_uri"), user_code: text("user_code") });
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", PUBLIC_CLIENT),
            ("device_code", device_code.as_str()),
        ];
        loop {
            thread::sleep(interval);
            match self.ask(&fields) {
                Err(ClientError::Refused(error)) if Instant::now() < ends => match error.code.as_str() {
                    "authorization_pending" => {}
                    "slow_down" => interval += DEVICE_INTERVAL,
                    _ => return Err(error.into()),
                },
                other => return other,
            }
        }
    }

    fn ask(&self, fields: &[(&str, &str)]) -> Result<Granted, ClientError> {
        let path = format!("/{}/oauth2/v2.0/token", self.tenant);
        granted(&self.transport.post_form(&path, fields)?.success()?)
    }

    fn scope(&self) -> String {
        format!("{}/.default", self.transport.endpoint())
    }

    fn scope_of_people(&self) -> String {
        format!("{} openid profile offline_access", self.scope())
    }
}

fn granted(answer: &Answer) -> Result<Granted, ClientError> {
    let text = |key: &str| answer.body[key].as_str().map(str::to_owned);
    // Newer servers write the lifetime as a number, older ones as text.
    let lifetime = &answer.body["expires_in"];
    let lifetime = lifetime.as_u64().or_else(|| lifetime.as_str()?.parse().ok());
    let (Some(access), Some(lifetime)) = (text("access_token"), lifetime) else {
        let problem = "it has no `access_token` or no `expires_in`".to_owned();
        return Err(ClientError::Nonsense { url: answer.url().to_owned(), problem });
    };
    let claims = text("id_token").and_then(|token| claims(&token)).unwrap_or_default();
    let claim = |key: &str| claims[key].as_str().map(str::to_owned);
    Ok(Granted {
        token: Token { access, expires: now().saturating_add(lifetime) },
        refresh_token: text("refresh_token"),
        name: claim("preferred_username").or_else(|| claim("name")),
        tenant_id: claim("tid"),
    })
}

/// What is in a token, unchecked: it came over the same connection as everything else.
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
