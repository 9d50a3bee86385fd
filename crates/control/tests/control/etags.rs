//! `If-Match`, `If-None-Match`, PATCH and locks.

use palisade_control::{Action, Control, ControlError, Effect, Outcome, Precondition};
use serde_json::{Value, json};

use crate::support::{Bench, caller, id, rule};

const NSG: &str = "rg/net/networkSecurityGroups/nsg1";

async fn put_if(
    control: &Control,
    path: &str,
    body: Value,
    precondition: Precondition,
) -> Result<Outcome, ControlError> {
    control.act(&caller(), Action::Put { id: id(path), body, precondition }).await
}

fn if_match(tag: &str) -> Precondition {
    Precondition { if_match: Some(tag.to_owned()), if_none_match: None }
}

fn if_none_match(tag: &str) -> Precondition {
    Precondition { if_match: None, if_none_match: Some(tag.to_owned()) }
}

#[tokio::test]
async fn preconditions_are_about_the_stored_etag() {
    let bench = Bench::with_group().await;
    let nsg = || json!({"location": "westeurope"});
    let failed = |result: Result<Outcome, ControlError>| {
        let error = result.expect_err("the precondition does not hold");
        assert_eq!((error.status, &*error.code), (412, "PreconditionFailed"));
    };
    failed(put_if(&bench.control, NSG, nsg(), if_match("*")).await);
    put_if(&bench.control, NSG, nsg(), if_none_match("*")).await.expect("it is new");
    failed(put_if(&bench.control, NSG, nsg(), if_none_match("*")).await);
    let etag = bench.get(NSG)["etag"].as_str().expect("an ETag").to_owned();
    let child = format!("{NSG}/securityRules/web");
    put_if(&bench.control, &child, rule(100, 80), if_none_match("*")).await.expect("the rule is new");
    failed(put_if(&bench.control, &child, rule(100, 81), if_match(&etag)).await);
    let etag = bench.get(&child)["etag"].as_str().expect("an ETag").to_owned();
    let either = format!("W/\"other\", {}", etag.trim_start_matches("W/"));
    put_if(&bench.control, &child, rule(100, 81), if_match(&either)).await.expect("one of them is it");
    let gone = Action::Delete { id: id(&child), precondition: if_match(&etag) };
    failed(bench.control.act(&caller(), gone).await);
}

#[tokio::test]
async fn a_patch_replaces_tags_and_nothing_else() {
    let bench = Bench::with_group().await;
    bench.put(NSG, json!({"location": "westeurope", "tags": {"a": "1", "b": "2"}})).await.expect("valid");
    let patch = |path: &str, body: Value| {
        let action = Action::Patch { id: id(path), body, precondition: Precondition::default() };
        let control = bench.control.clone();
        async move { control.act(&caller(), action).await }
    };
    let done = patch(NSG, json!({"tags": {"c": "3"}})).await.expect("valid");
    assert_eq!(done.effect, Effect::Updated);
    assert_eq!(bench.get(NSG)["tags"], json!({"c": "3"}));
    assert_eq!(patch(NSG, json!({"tags": {"c": "3"}})).await.expect("valid").effect, Effect::Unchanged);
    let code = |result: Result<Outcome, ControlError>| result.expect_err("refused").code.into_owned();
    assert_eq!(code(patch(NSG, json!({"properties": {"securityRules": []}})).await), "InvalidPatchRequest");
    assert_eq!(code(patch(NSG, json!({"tags": {"palisade-x": "y"}})).await), "InvalidTag");
    assert_eq!(code(patch(NSG, json!({"tags": 1})).await), "InvalidRequestFormat");
    assert_eq!(code(patch("rg/net/networkSecurityGroups/none", json!({})).await), "ResourceNotFound");
    assert_eq!(code(patch("none", json!({})).await), "ResourceGroupNotFound");
    patch("rg", json!({"tags": {"owner": "ada"}})).await.expect("valid");
    assert_eq!(bench.get("rg")["tags"], json!({"owner": "ada"}));
}

#[tokio::test]
async fn locks_forbid_what_they_say() {
    let bench = Bench::with_group().await;
    bench.put(NSG, json!({"location": "westeurope"})).await.expect("valid");
    let lock = |level: &str| json!({"properties": {"level": level}});
    let locked = |result: Result<Outcome, ControlError>| {
        let error = result.expect_err("it is locked");
        assert_eq!((error.status, &*error.code), (409, "ScopeLocked"));
    };
    let on_nsg = format!("{NSG}/providers/Microsoft.Authorization/locks/keep");
    bench.put(&on_nsg, lock("CanNotDelete")).await.expect("a lock");
    locked(bench.delete(NSG).await);
    locked(bench.delete("rg").await);
    bench.put(NSG, json!({"location": "westeurope", "tags": {"a": "b"}})).await.expect("writing is allowed");
    bench.delete(&on_nsg).await.expect("the lock goes");
    bench.put("rg/lock/locks/still", lock("ReadOnly")).await.expect("a lock");
    locked(bench.put(NSG, json!({"location": "westeurope"})).await);
    locked(bench.put(&format!("{NSG}/securityRules/web"), rule(100, 80)).await);
    bench.delete("rg/lock/locks/still").await.expect("the lock goes");
    bench.delete(NSG).await.expect("nothing holds it");
}
