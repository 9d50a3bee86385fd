//! The description of our own API, OpenAPI 3.1, made from the handlers that it describes.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{Json, response::IntoResponse};
use serde::Serialize;
use utoipa::{
    IntoResponses, Modify, OpenApi, ToSchema,
    openapi::{
        ContentBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    alerts, audit, credentials, hosts, joins, operations, preview, principals, status, timeline, watch,
};

/// Every refusal: Azure's envelope.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorEnvelope {
    error: ErrorBody,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    /// For programs.
    code: String,
    /// For people.
    message: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// Each thing that is wrong, if there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    details: Vec<ErrorBody>,
}

/// What every operation may be refused with.
pub(super) struct Refusals;

const REFUSALS: &[(&str, &str)] = &[
    ("400", "The request is wrong."),
    ("401", "There is no token, or it does not count."),
    ("403", "The permission is missing."),
    ("404", "It is not there."),
    ("405", "The path does not have this method."),
    ("408", "The body did not arrive in time."),
    ("409", "It cannot be done as things are."),
    ("410", "What is asked for is no longer known."),
    ("412", "It has changed meanwhile."),
    ("413", "The body is too large."),
    ("415", "The body is not JSON."),
    ("429", "There are too many requests."),
    ("500", "The server could not answer."),
    ("503", "The server or its store is busy or away."),
    ("507", "The store is full."),
];

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let refusal = |(status, description): &(&str, &str)| {
            let schema = Ref::from_schema_name("ErrorEnvelope");
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response =
                ResponseBuilder::new().description(*description).content("application/json", content);
            ((*status).to_owned(), RefOr::T(response.build()))
        };
        REFUSALS.iter().map(refusal).collect()
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Palisade", description = "What Azure Resource Manager has no words for.", version = "1"),
    paths(
        alerts::acknowledge, alerts::list, alerts::read, audit::entries, audit::verify, credentials::delete_federated, credentials::put_federated,
        credentials::update, hosts::list, hosts::read, hosts::remove, hosts::revoke, joins::create,
        joins::delete, joins::list, operations::read, preview::create, principals::create, principals::create_secret,
        principals::delete, principals::delete_secret, principals::list, principals::read, status::read,
        timeline::read, watch::stream,
    ),
    components(schemas(ErrorEnvelope, ErrorBody)),
    modifiers(&Bearer),
)]
struct Api;

/// A token is asked for everywhere.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("bearer", scheme);
        document.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    }
}

/// `GET /api/openapi.json`.
pub(crate) async fn document() -> impl IntoResponse {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(Api::openapi);
    Json(&*DOCUMENT)
}
