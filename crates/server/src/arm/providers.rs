//! Resource providers. All are always registered: clients cannot recover from one that is not.

use axum::{Json, response::IntoResponse};
use palisade_control::kinds::{Kind, TOP_LEVEL};
use serde_json::{Value, json};

use super::{call::Call, subscriptions::display_names};
use crate::error::Answer;

/// Providers that clients look for in the list before they do anything; some of them have nothing here.
const NAMESPACES: &[&str] = &[
    "Microsoft.Authorization",
    "Microsoft.Compute",
    "Microsoft.CostManagement",
    "Microsoft.ManagedIdentity",
    "Microsoft.MarketplaceOrdering",
    "Microsoft.Network",
    "Microsoft.Resources",
    "Microsoft.Security",
    "Microsoft.Storage",
    "Palisade.Network",
    "microsoft.insights",
];

/// Versions that are told, for clients that choose one of them; every other is served just so.
const VERSIONS: &[&str] = &[
    "2026-03-01",
    "2026-01-01",
    "2025-09-01",
    "2025-07-01",
    "2025-05-01",
    "2025-03-01",
    "2025-01-01",
    "2024-11-01",
    "2024-07-01",
    "2024-05-01",
    "2024-03-01",
    "2023-11-01",
    "2023-09-01",
    "2023-07-01",
    "2023-04-01",
    "2022-12-01",
    "2022-09-01",
    "2022-01-01",
    "2021-08-01",
    "2021-04-01",
    "2020-06-01",
    "2020-01-01",
    "2018-05-01",
    "2015-06-15",
];

pub(super) fn list(call: &Call) -> Answer {
    let value: Vec<_> = NAMESPACES.iter().map(|namespace| provider(call, namespace)).collect();
    Ok(Json(json!({ "value": value })).into_response())
}

/// One provider, read or registered: both tell it as it is.
pub(super) fn one(call: &Call) -> Answer {
    let asked = call.found.names.last().map_or("", String::as_str);
    let known = NAMESPACES.iter().find(|own| own.eq_ignore_ascii_case(asked));
    Ok(Json(provider(call, known.unwrap_or(&asked))).into_response())
}

fn provider(call: &Call, namespace: &str) -> Value {
    let mut types = Vec::new();
    for kind in TOP_LEVEL {
        let is_own = kind.name.split_once('/').is_some_and(|(own, _)| own.eq_ignore_ascii_case(namespace));
        if is_own {
            describe(kind, &mut types);
        }
    }
    json!({
        "id": format!("/subscriptions/{}/providers/{namespace}", call.app.site.subscription),
        "namespace": namespace,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": types,
    })
}

fn describe(kind: &Kind, types: &mut Vec<Value>) {
    let name = kind.name.split_once('/').map_or(kind.name, |(_, name)| name);
    let locations: Vec<_> = if kind.is_located { display_names().collect() } else { Vec::new() };
    let capabilities = if kind.is_tagged { "SupportsTags, SupportsLocation" } else { "None" };
    types.push(json!({
        "resourceType": name,
        "locations": locations,
        "apiVersions": VERSIONS,
        "defaultApiVersion": VERSIONS[0],
        "capabilities": capabilities,
    }));
    for collection in kind.collections {
        describe(collection.kind, types);
    }
}
