//! The tags of a resource or group by themselves: `{scope}/providers/Microsoft.Resources/tags/default`.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use palisade_control::{Action, ControlError, Precondition};
use palisade_model::ResourceId;
use serde_json::{Map, Value, json};

use super::{call::Call, intents::warned, resources::missing};
use crate::error::{Answer, ApiError};

type Tags = Map<String, Value>;

pub(super) fn read(call: &Call) -> Answer {
    let (tags, _etag) = stored(call)?;
    Ok(answer(call, &tags))
}

/// PUT puts all, PATCH merges, replaces or deletes.
pub(super) async fn write(call: &Call) -> Answer {
    let body = call.body()?;
    let given = body["properties"]["tags"].as_object().cloned().unwrap_or_default();
    let (tags, etag) = stored(call)?;
    let operation = body["operation"].as_str().unwrap_or("Merge").to_ascii_lowercase();
    let tags = match operation.as_str() {
        _ if call.route.method == "PUT" => given,
        "replace" => given,
        "merge" => merged(tags, given),
        "delete" => without(tags, &given),
        other => {
            let message = format!("The tags operation '{other}' is not one of Merge, Replace and Delete.");
            return Err(ApiError::bad("InvalidTagsOperation", message));
        }
    };
    let warnings = put(call, tags.clone(), etag).await?;
    Ok(warned(answer(call, &tags), &warnings))
}

pub(super) async fn delete(call: &Call) -> Answer {
    let (_tags, etag) = stored(call)?;
    let warnings = put(call, Tags::new(), etag).await?;
    Ok(warned(StatusCode::OK.into_response(), &warnings))
}

fn scope(call: &Call) -> &ResourceId {
    call.found.scope.as_ref().unwrap_or(&call.found.id)
}

/// The tags that are stored, and the ETag that they were read with.
fn stored(call: &Call) -> Result<(Tags, Option<String>), ApiError> {
    let scope = scope(call);
    if scope.segment("resourceGroups").is_none() {
        // The subscription is a setting of the server and has none.
        return Ok((Tags::new(), None));
    }
    call.app.control.read(|world| {
        let body = world.render(scope).ok_or_else(|| missing(world, scope))?;
        let tags = body["tags"].as_object().cloned().unwrap_or_default();
        Ok((tags, body["etag"].as_str().map(str::to_owned)))
    })
}

async fn put(call: &Call, tags: Tags, etag: Option<String>) -> Result<Vec<ControlError>, ApiError> {
    let scope = scope(call).clone();
    if scope.segment("resourceGroups").is_none() {
        let message =
            "The subscription of this installation cannot be tagged; tag a resource group or a resource.";
        return Err(ApiError::bad("TagsNotSupported", message));
    }
    // If somebody else wrote since the tags were read, a merge would undo that.
    let precondition = Precondition { if_match: etag, if_none_match: None };
    let action = Action::Patch { id: scope, body: json!({ "tags": tags }), precondition };
    Ok(call.app.control.act(&call.caller, action).await?.warnings)
}

/// Names of tags have no case; the spelling that is there stays.
fn find(tags: &Tags, name: &str) -> Option<String> {
    tags.keys().find(|own| own.eq_ignore_ascii_case(name)).cloned()
}

fn merged(mut tags: Tags, given: Tags) -> Tags {
    for (name, value) in given {
        let name = find(&tags, &name).unwrap_or(name);
        tags.insert(name, value);
    }
    tags
}

/// A tag goes if its name and value are those that are given.
fn without(mut tags: Tags, given: &Tags) -> Tags {
    tags.retain(|name, value| find(given, name).is_none_or(|own| given[&own] != *value));
    tags
}

fn answer(call: &Call, tags: &Tags) -> Response {
    let body = json!({
        "id": call.found.id.as_str(),
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": { "tags": tags },
    });
    Json(body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(value: &Value) -> Tags {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn names_of_tags_have_no_case() {
        let old = || tags(&json!({ "Env": "prod", "team": "a" }));
        let merge = merged(old(), tags(&json!({ "env": "test", "new": "1" })));
        assert_eq!(merge, tags(&json!({ "Env": "test", "team": "a", "new": "1" })));
        let delete = without(old(), &tags(&json!({ "ENV": "prod", "team": "b" })));
        assert_eq!(delete, tags(&json!({ "team": "a" })));
    }
}
