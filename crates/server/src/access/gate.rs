//! The gate: from a bearer token to a principal, or 401 in Azure's words.
//!
//! What is refused here, and what handlers refuse with 403, is written to the audit log before the client is answered, as
//! far as the ration goes.

use std::net::IpAddr;
use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use palisade_control::{Action, Caller, Control, ControlError, time};
use palisade_identity::{Issuer, KeyRing, TokenError};
use uuid::Uuid;

use super::{Principal, directory, outside::Outside, ration::Ration, rings::Rings, visitors::Visitors};
use crate::{
    app::{App, Peer},
    error::{ApiError, Refused},
    headers::{Ids, insert},
    limits,
};

/// Longest target of an entry in the audit log that a stranger can choose, in characters.
const TARGET_LENGTH_MAX: usize = 512;

/// What the gate remembers between requests. Nothing of it must survive.
#[derive(Debug)]
pub struct Gatekeeper {
    tenant: Uuid,
    rings: Rings,
    ration: Ration,
    outside: Outside,
    visitors: Visitors,
}

impl Gatekeeper {
    /// A gate for the tenant `tenant` that also knows people from `outside`.
    #[must_use]
    pub fn new(tenant: Uuid, outside: Outside) -> Self {
        Self {
            tenant,
            rings: Rings::default(),
            ration: Ration::default(),
            outside,
            visitors: Visitors::default(),
        }
    }

    /// Who issues tokens here.
    #[must_use]
    pub fn issuer(&self) -> Issuer {
        Issuer { tenant: self.tenant }
    }

    /// Issuers elsewhere.
    #[must_use]
    pub fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Who was let in lately, and from where.
    #[must_use]
    pub fn visitors(&self) -> &Visitors {
        &self.visitors
    }

    /// The signing keys of this moment.
    ///
    /// # Errors
    /// The store has none.
    pub fn ring(&self, control: &Control) -> Result<Arc<KeyRing>, ControlError> {
        self.rings.ring(control)
    }

    /// Who holds `token`.
    async fn recognise(
        &self,
        control: &Control,
        caller: &Caller,
        token: &str,
        now: u64,
    ) -> Result<Principal, Refusal> {
        if self.outside.is_issuer_of(token) {
            return self.outside.recognise(control, caller, token, now).await.map_err(Refusal::Outside);
        }
        let verified = self.rings.verify(control, &self.issuer(), token, now).map_err(Refusal::Token)?;
        let record = control.read(|world| directory::principal(world, verified.oid)).ok_or(Refusal::Gone)?;
        if !record.enabled || verified.issued < record.tokens_from {
            return Err(Refusal::Gone);
        }
        Ok(Principal::new(&record, Vec::new()))
    }

    /// Writes an entry about a stranger's or a refused call, if there is a place for it.
    pub(crate) async fn note(&self, control: &Control, caller: &Caller, note: Note, now: u64) {
        let Some(left_out) = self.ration.take(caller.address.parse::<IpAddr>().ok(), now) else { return };
        let mut target: String = note.target.chars().take(TARGET_LENGTH_MAX).collect();
        if left_out > 0 {
            target = format!("{target} (and {left_out} entries before it were left out)");
        }
        let action = Action::Note { verb: note.verb, target, outcome: note.outcome };
        // A store that takes no entry must not keep a refusal from being answered; it is told by the server's health.
        let _ = control.act(caller, action).await;
    }
}

/// An entry to be.
pub(crate) struct Note {
    pub(crate) verb: &'static str,
    pub(crate) target: String,
    pub(crate) outcome: String,
}

/// Why somebody does not get in.
#[derive(Debug)]
enum Refusal {
    /// There is no token.
    Missing,
    /// It is not one that counts.
    Token(TokenError),
    /// The principal does not exist any more, is disabled, or has signed out everywhere.
    Gone,
    /// An issuer elsewhere does not vouch for it.
    Outside(ControlError),
}

impl Refusal {
    fn error(&self) -> ControlError {
        let (code, message) = match self {
            Self::Missing => (
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing or is no bearer token."
                    .to_owned(),
            ),
            Self::Token(TokenError::Expired) => (
                "ExpiredAuthenticationToken",
                "The access token expiry UTC time has passed. Log in again.".to_owned(),
            ),
            Self::Token(error) => ("InvalidAuthenticationToken", sentence(&error.to_string())),
            Self::Gone => (
                "InvalidAuthenticationToken",
                "The access token is of a principal that does not exist, is disabled, or has logged out."
                    .to_owned(),
            ),
            Self::Outside(error) => return error.clone(),
        };
        ControlError::new(401, code, message)
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// Lets requests through that show who they are from.
pub(crate) async fn authenticate(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let now = time::unix_seconds(app.now());
    let what = format!("{} {}", request.method(), request.uri().path());
    let stranger = stranger(&request);
    let known = match bearer(request.headers()) {
        Some(token) => app.gate.recognise(&app.control, &stranger, token, now).await,
        None => Err(Refusal::Missing),
    };
    let principal = match known {
        Ok(principal) => principal,
        Err(refusal) => return refuse(&app, &stranger, what, &refusal, now).await,
    };
    let oid = principal.oid.to_string();
    if let Err(refusal) = limits::rate(&app, &oid, app.rates.principal(&oid, std::time::Instant::now())) {
        return refusal.into_response();
    }
    let caller = Caller { principal: oid, name: principal.name.clone(), ..stranger };
    app.gate.visitors.came(&caller.address, &principal, now);
    request.extensions_mut().insert(principal);
    request.extensions_mut().insert(caller.clone());
    let response = next.run(request).await;
    if response.status() == StatusCode::FORBIDDEN {
        let code = response.extensions().get::<Refused>();
        let outcome = code.map_or_else(|| "AuthorizationFailed".to_owned(), |Refused(code)| code.to_string());
        let note = Note { verb: "denied", target: what, outcome };
        app.gate.note(&app.control, &caller, note, now).await;
    }
    response
}

async fn refuse(app: &App, stranger: &Caller, what: String, refusal: &Refusal, now: u64) -> Response {
    let error = refusal.error();
    let note = Note { verb: "refused", target: what, outcome: error.code.to_string() };
    app.gate.note(&app.control, stranger, note, now).await;
    let challenge = format!(
        "Bearer authorization_uri=\"{}/{}\", error=\"invalid_token\", error_description=\"{}\"",
        app.endpoint,
        app.site.tenant,
        error.message.replace(['"', '\\'], "'"),
    );
    let unauthorized = error.status == 401;
    let mut response = ApiError::from(error).into_response();
    if unauthorized {
        insert(response.headers_mut(), header::WWW_AUTHENTICATE, &challenge);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whoever a request comes from before he is known.
pub(crate) fn stranger(request: &Request) -> Caller {
    let address = request.extensions().get::<Peer>().map_or_else(String::new, |peer| peer.0.ip().to_string());
    let ids = request.extensions().get::<Ids>();
    let correlation = ids.map_or_else(String::new, |ids| ids.correlation.clone());
    Caller { address, correlation, ..Caller::default() }
}

/// The token of `Authorization: Bearer`. Two such headers are none.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
