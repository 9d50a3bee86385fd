//! The token service: what clients of Azure ask before they ask anything else.
//!
//! It answers in the three shapes of addresses that client libraries know (Entra's, and AD FS's with and without a
//! tenant), issues tokens for programs and people, and knows who asked wrongly too often. What a token allows is not its
//! business. Invariant: no answer, and not the time it takes, tells whether an account exists. Reference:
//! docs/adr/0027-own-token-service.md, RFC 6749, RFC 8628.

mod bootstrap;
mod client;
mod desk;
mod device;
mod discovery;
mod error;
mod form;
mod grants;
mod issue;
mod page;
mod refresh;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request, State},
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use palisade_control::{Caller, time};
use uuid::Uuid;

use self::{error::OAuthError, form::Form};
use crate::{access, app::App, headers::base};

pub(crate) use bootstrap::bootstrap;
pub use desk::Desk;
pub(crate) use device::approval_end;

/// Names that clients use for the tenant before they know it.
const ANY_TENANT: &[&str] = &["adfs", "common", "organizations"];

/// Who answers at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Token,
    DeviceCode,
    Authorize,
    Entra,
    Adfs,
    AdfsWithTenant,
    Keys,
    Instance,
    Realm,
    Page,
    Submit,
    Approve,
}

/// Every address of the token service.
const ROWS: &[(&str, &str, Door)] = &[
    ("POST", "/{tenant}/oauth2/v2.0/token", Door::Token),
    ("POST", "/{tenant}/oauth2/token", Door::Token),
    ("POST", "/adfs/{tenant}/oauth2/v2.0/token", Door::Token),
    ("POST", "/{tenant}/oauth2/v2.0/devicecode", Door::DeviceCode),
    ("POST", "/{tenant}/oauth2/devicecode", Door::DeviceCode),
    ("POST", "/adfs/{tenant}/oauth2/v2.0/devicecode", Door::DeviceCode),
    ("GET", "/{tenant}/oauth2/v2.0/authorize", Door::Authorize),
    ("GET", "/{tenant}/oauth2/authorize", Door::Authorize),
    ("GET", "/adfs/{tenant}/oauth2/v2.0/authorize", Door::Authorize),
    ("GET", "/{tenant}/v2.0/.well-known/openid-configuration", Door::Entra),
    ("GET", "/{tenant}/.well-known/openid-configuration", Door::Adfs),
    ("GET", "/adfs/{tenant}/v2.0/.well-known/openid-configuration", Door::AdfsWithTenant),
    ("GET", "/{tenant}/discovery/v2.0/keys", Door::Keys),
    ("GET", "/{tenant}/discovery/keys", Door::Keys),
    ("GET", "/{tenant}/discovery/instance", Door::Instance),
    ("GET", "/{tenant}/userrealm/{user}", Door::Realm),
    ("GET", "/device", Door::Page),
    ("POST", "/device", Door::Submit),
    ("POST", "/api/v1/device/approve", Door::Approve),
];

/// Method and path of every address. The test of permissions walks them.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROWS.iter().map(|(method, path, _)| (*method, *path))
}

/// The routes of the token service. All are open but the one that a person approves a code with.
pub(crate) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let known = middleware::from_fn_with_state(app.clone(), access::authenticate);
    let door = |door: Door| match door {
        Door::Token => post(token),
        Door::DeviceCode => post(device::code),
        Door::Authorize => get(not_offered),
        Door::Entra => get(discovery::entra),
        Door::Adfs => get(discovery::adfs),
        Door::AdfsWithTenant => get(discovery::adfs_with_tenant),
        Door::Keys => get(discovery::keys),
        Door::Instance => get(discovery::instance),
        Door::Realm => get(discovery::realm),
        Door::Page => get(page::show),
        Door::Submit => post(page::submit),
        Door::Approve => post(device::approve).layer(known.clone()),
    };
    ROWS.iter().fold(Router::new(), |router, (_, path, who)| router.route(path, door(*who)))
}

/// What a request to the token service comes with.
struct Asked {
    app: Arc<App>,
    tenant: Uuid,
    /// `https://host:port` as the client wrote it.
    base: String,
    /// The path as it was written.
    path: String,
    /// Whoever it is, before he is known.
    stranger: Caller,
    headers: axum::http::HeaderMap,
    form: Form,
    now: u64,
}

impl Asked {
    /// Reads a form, for a tenant that is ours or not named.
    async fn read(app: Arc<App>, tenant: &str, request: Request) -> Result<Self, OAuthError> {
        let named = check_tenant(&app, tenant)?;
        let stranger = access::stranger(&request);
        let (parts, body) = request.into_parts();
        let form = Form::read(&parts.headers, body).await?;
        Ok(Self {
            tenant: named,
            base: base(&parts.uri, &parts.headers, &app.endpoint),
            path: parts.uri.path().to_owned(),
            stranger,
            form,
            now: time::unix_seconds(app.now()),
            headers: parts.headers,
            app,
        })
    }

    /// Whether the address is one of version 1, whose answers have numbers as texts.
    fn is_version_1(&self) -> bool {
        self.path.ends_with("/oauth2/token")
    }
}

/// Our tenant, if `named` is it or leaves it open.
fn check_tenant(app: &App, named: &str) -> Result<Uuid, OAuthError> {
    let ours = app.gate.issuer().tenant;
    let is_ours = Uuid::parse_str(named) == Ok(ours);
    if is_ours || ANY_TENANT.iter().any(|any| named.eq_ignore_ascii_case(any)) {
        return Ok(ours);
    }
    Err(OAuthError::new(
        StatusCode::BAD_REQUEST,
        "invalid_tenant",
        format!("There is no such tenant here; the tenant of this server is {ours}."),
    ))
}

/// Issues tokens.
async fn token(State(app): State<Arc<App>>, Path(tenant): Path<String>, request: Request) -> Response {
    match Asked::read(app, &tenant, request).await {
        Ok(asked) => grants::answer(&asked).await.into_response(),
        Err(error) => error.into_response(),
    }
}

/// There is no way to log in with a browser; clients that try are told what there is.
async fn not_offered() -> Response {
    OAuthError::new(
        StatusCode::BAD_REQUEST,
        "unsupported_response_type",
        "This server has no login in the browser. Use a device code (az login --use-device-code), a user name and \
         password, or a service principal.",
    )
    .into_response()
}
