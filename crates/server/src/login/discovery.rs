//! Discovery: where everything is, for clients that know one address.
//!
//! The documents name the address that the client came to, so that a server with several names is consistent under each.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use palisade_control::time;
use serde_json::{Value, json};

use super::{OAuthError, check_tenant};
use crate::{app::App, headers::base};

/// The document in Entra's shape, also where the tenant is `adfs`, as `az login --tenant adfs` asks.
pub(super) async fn entra(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    request: Request,
) -> Response {
    respond(&app, &tenant, &request, |host, ours| entra_shape(host, &format!("{host}/{tenant}"), ours))
}

/// The document below `/adfs` with a tenant, as MSAL builds the address.
pub(super) async fn adfs_with_tenant(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    request: Request,
) -> Response {
    respond(&app, &tenant, &request, |host, ours| entra_shape(host, &format!("{host}/adfs/{tenant}"), ours))
}

/// The document of AD FS, which has addresses of version 1.
pub(super) async fn adfs(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    request: Request,
) -> Response {
    respond(&app, &tenant, &request, |host, ours| {
        let place = format!("{host}/{tenant}");
        document(&Addresses {
            issuer: format!("{host}/{ours}/v2.0"),
            token: format!("{place}/oauth2/token"),
            authorize: format!("{place}/oauth2/authorize"),
            device: format!("{place}/oauth2/devicecode"),
            keys: format!("{place}/discovery/keys"),
        })
    })
}

fn entra_shape(host: &str, place: &str, ours: &str) -> Value {
    document(&Addresses {
        issuer: format!("{host}/{ours}/v2.0"),
        token: format!("{place}/oauth2/v2.0/token"),
        authorize: format!("{place}/oauth2/v2.0/authorize"),
        device: format!("{place}/oauth2/v2.0/devicecode"),
        keys: format!("{host}/{ours}/discovery/v2.0/keys"),
    })
}

struct Addresses {
    issuer: String,
    token: String,
    authorize: String,
    device: String,
    keys: String,
}

fn document(at: &Addresses) -> Value {
    json!({
        "issuer": at.issuer,
        "token_endpoint": at.token,
        "authorization_endpoint": at.authorize,
        "device_authorization_endpoint": at.device,
        "jwks_uri": at.keys,
        "response_types_supported": ["code", "id_token", "token"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "grant_types_supported": [
            "client_credentials", "password", "refresh_token", super::device::GRANT,
        ],
        "claims_supported": ["aud", "iss", "iat", "nbf", "exp", "oid", "sub", "tid", "name", "preferred_username"],
    })
}

/// The public keys.
pub(super) async fn keys(State(app): State<Arc<App>>, Path(tenant): Path<String>) -> Response {
    let ring =
        check_tenant(&app, &tenant).and_then(|_| app.gate.ring(&app.control).map_err(OAuthError::from));
    match ring {
        Ok(ring) => Json(ring.public(time::unix_seconds(app.now()))).into_response(),
        Err(error) => error.into_response(),
    }
}

/// Which authorities are real, as far as this one can say: itself.
pub(super) async fn instance(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    request: Request,
) -> Response {
    respond(&app, &tenant, &request, |host, ours| {
        let name = host.trim_start_matches("https://");
        json!({
            "tenant_discovery_endpoint": format!("{host}/{ours}/v2.0/.well-known/openid-configuration"),
            "api-version": "1.1",
            "metadata": [{ "preferred_network": name, "preferred_cache": name, "aliases": [name] }],
        })
    })
}

/// Where a person logs in: here, whoever it is, so that the answer does not tell who exists.
pub(super) async fn realm(
    State(app): State<Arc<App>>,
    Path((tenant, user)): Path<(String, String)>,
    request: Request,
) -> Response {
    respond(&app, &tenant, &request, |_, _| {
        json!({
            "ver": "1.0",
            "account_type": "Managed",
            "domain_name": user.rsplit('@').next().unwrap_or_default(),
            "cloud_instance_name": "palisade",
            "cloud_audience_urn": "urn:federation:palisade",
        })
    })
}

fn respond(app: &App, tenant: &str, request: &Request, answer: impl FnOnce(&str, &str) -> Value) -> Response {
    match check_tenant(app, tenant) {
        Ok(ours) => {
            let host = base(request.uri(), request.headers(), &app.endpoint);
            Json(answer(&host, &ours.to_string())).into_response()
        }
        Err(error) => error.into_response(),
    }
}
