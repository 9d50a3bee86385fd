//! `/metadata/endpoints`: how clients that were given one address find the others.
//!
//! The login endpoint ends in `/adfs`, so that client libraries ask us, and not Microsoft, which authorities are real;
//! `tenant` and `identityProvider` are what Terraform wants to see. The document of old versions is one in a list.

use std::sync::Arc;

use axum::{
    Json,
    extract::{RawQuery, Request, State},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::query::Query;
use crate::{app::App, error::Answer, headers::base};

/// The name of the cloud, which `az cloud register` also asks for.
const NAME: &str = "Palisade";
/// The first version whose document is an object.
const OBJECT_SINCE: &str = "2020-09-01";
/// The version of the document with other names.
const OLDEST: &str = "2015-01-01";

pub(crate) async fn endpoints(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Answer {
    let query = Query::parse(query.as_deref().unwrap_or_default())?;
    let host = base(request.uri(), request.headers(), &app.endpoint);
    let version = query.get("api-version").unwrap_or(OLDEST);
    Ok(document(&host, version))
}

fn document(host: &str, version: &str) -> Response {
    let body = match version {
        version if version <= OLDEST => oldest(host),
        version if version < OBJECT_SINCE => json!([cloud(host)]),
        _ => cloud(host),
    };
    Json(body).into_response()
}

fn authentication(host: &str) -> Value {
    json!({
        "loginEndpoint": format!("{host}/adfs"),
        "audiences": [format!("{host}/"), host],
        "tenant": "common",
        "identityProvider": "AAD",
    })
}

fn cloud(host: &str) -> Value {
    json!({
        "name": NAME,
        "portal": host,
        "resourceManager": format!("{host}/"),
        "authentication": authentication(host),
        "microsoftGraphResourceId": format!("{host}/msgraph"),
        "graph": format!("{host}/msgraph"),
        "graphAudience": host,
        "gallery": host,
        "batch": host,
        "media": host,
        "sqlManagement": host,
        "vmImageAliasDoc": host,
        "activeDirectoryDataLake": host,
        "suffixes": {
            "keyVaultDns": "vault.palisade.invalid",
            "storage": "storage.palisade.invalid",
            "sqlServerHostname": "database.palisade.invalid",
            "acrLoginServer": "registry.palisade.invalid",
            "mhsmDns": "managedhsm.palisade.invalid",
            "mysqlServerEndpoint": "mysql.palisade.invalid",
            "postgresqlServerEndpoint": "postgres.palisade.invalid",
            "mariadbServerEndpoint": "mariadb.palisade.invalid",
            "synapseAnalytics": "synapse.palisade.invalid",
            "azureDataLakeStoreFileSystem": "datalake.palisade.invalid",
            "azureDataLakeAnalyticsCatalogAndJob": "analytics.palisade.invalid",
        },
    })
}

fn oldest(host: &str) -> Value {
    json!({
        "galleryEndpoint": host,
        "graphEndpoint": format!("{host}/msgraph"),
        "portalEndpoint": host,
        "authentication": authentication(host),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terraform_and_az_find_what_they_insist_on() {
        let document = cloud("https://h:1");
        assert_eq!(document["authentication"]["tenant"], "common");
        assert_eq!(document["authentication"]["identityProvider"], "AAD");
        assert_eq!(document["authentication"]["loginEndpoint"], "https://h:1/adfs");
        assert_eq!(document["resourceManager"], "https://h:1/");
        assert_eq!(document["microsoftGraphResourceId"], "https://h:1/msgraph");
        assert_ne!(document["name"], "AzureStackCloud");
    }
}
