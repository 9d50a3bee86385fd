//! Intents stand before every write: what breaks one is not stored, unless somebody may and says why.

use std::collections::BTreeSet;

use palisade_control::{
    Action, Caller, Control, ControlError, Effect, Outcome, Override, Precondition, audit::Entry,
};
use palisade_model::ResourceId;
use serde_json::{Value, json};

use crate::support::{Bench, SUBSCRIPTION, caller, id, nic, reference, rule};

const INTENTS: &str = "rg/Palisade.Network/intents/baseline";
const NSG: &str = "rg/net/networkSecurityGroups/nsg";

/// A document of one intent.
fn intents(effect: &str, shape: &str, packets: &Value) -> Value {
    json!({"properties": {"intents": [{"name": "i", "effect": effect, shape: packets}]}})
}

fn no_rdp(effect: &str) -> Value {
    intents(effect, "forbidden", &json!({"from": "Internet", "to": "*", "services": ["tcp/3389"]}))
}

/// A network with a machine behind the NSG.
async fn site() -> Bench {
    let bench = Bench::with_group().await;
    bench.network().await;
    bench.put(NSG, json!({"location": "westeurope"})).await.expect("valid");
    let mut first = nic("rg/net/virtualNetworks/net/subnets/a");
    first["properties"]["networkSecurityGroup"] = reference(NSG);
    bench.put("rg/net/networkInterfaces/one", first).await.expect("valid");
    bench
}

fn overriding(reason: &str, of: &[&str]) -> Caller {
    let of = of.iter().map(|path| id(path)).collect::<BTreeSet<_>>();
    Caller { overriding: Some(Override { reason: reason.to_owned(), of }), ..caller() }
}

async fn put_as(control: &Control, who: &Caller, path: &str, body: Value) -> Result<Outcome, ControlError> {
    control.act(who, Action::Put { id: id(path), body, precondition: Precondition::default() }).await
}

async fn last_entry(bench: &Bench) -> Entry {
    let entries = bench.store.snapshot("audit/").await.expect("the store is there").entries;
    let last = entries.last().expect("something was done");
    let mut batch: Vec<Entry> = serde_json::from_slice(&last.value).expect("entries");
    batch.pop().expect("a batch has an entry")
}

#[tokio::test]
async fn a_write_that_breaks_an_intent_is_refused_with_a_witness() {
    let bench = site().await;
    bench.put(INTENTS, no_rdp("deny")).await.expect("it holds");
    let path = format!("{NSG}/securityRules/rdp");
    let before = bench.get(NSG);
    let error = bench.put(&path, rule(100, 3389)).await.expect_err("it opens RDP to everybody");
    assert_eq!((error.status, &*error.code), (403, "PolicyViolation"));
    assert_eq!(error.target.as_deref(), Some(id(INTENTS).as_str()));
    let info = &error.info[0].info;
    assert_eq!(info["intent"], "i");
    let finding = &info["findings"][0];
    assert_eq!(finding["witness"]["localAddress"], "10.0.1.4");
    assert_eq!(finding["witness"]["localPort"], 3389);
    let decider = &finding["decidedBy"][0];
    assert_eq!(decider["rule"], "securityRules/rdp");
    assert_eq!(decider["access"], "Allow");
    assert_eq!(decider["interfaces"][0], id("rg/net/networkInterfaces/one").as_str());
    assert_eq!(bench.get(NSG), before);
    // What does not break it is written.
    bench.put(&path, rule(100, 443)).await.expect("HTTPS is not RDP");
}

#[tokio::test]
async fn a_violation_that_only_warns_is_stored_and_told() {
    let bench = site().await;
    bench.put(INTENTS, no_rdp("warn")).await.expect("it holds");
    let path = format!("{NSG}/securityRules/rdp");
    let outcome = bench.put(&path, rule(100, 3389)).await.expect("it is only warned of");
    assert_eq!(outcome.effect, Effect::Created);
    assert_eq!(outcome.warnings.len(), 1);
    assert_eq!(outcome.warnings[0].code, "PolicyViolation");
    let entry = last_entry(&bench).await;
    assert_eq!(entry.event.broken[0].fate, "Warned");
    assert_eq!(entry.event.broken[0].intent, "i");
    assert_eq!(entry.hash, entry.digest());
    // It stands now, and is not told again of writes that do not widen it.
    let other = bench.put(&format!("{NSG}/securityRules/web"), rule(200, 443)).await.expect("valid");
    assert_eq!(other.warnings, []);
}

#[tokio::test]
async fn an_override_needs_both_a_leave_and_an_intent_that_it_is_for() {
    let bench = site().await;
    bench.put(INTENTS, no_rdp("deny")).await.expect("it holds");
    let path = format!("{NSG}/securityRules/rdp");
    let nobody = overriding("it must be", &[]);
    let error = put_as(&bench.control, &nobody, &path, rule(100, 3389)).await.expect_err("no leave");
    assert!(error.message.contains("intents/override/action"), "{error}");
    let other = overriding("it must be", &["rg/Palisade.Network/intents/other"]);
    put_as(&bench.control, &other, &path, rule(100, 3389)).await.expect_err("leave for other intents");
    let owner = overriding("the vendor asked for it", &[INTENTS]);
    let outcome = put_as(&bench.control, &owner, &path, rule(100, 3389)).await.expect("leave and reason");
    assert_eq!(outcome.warnings.len(), 1);
    let entry = last_entry(&bench).await;
    assert_eq!(entry.event.broken[0].fate, "Overridden");
    assert_eq!(entry.event.reason.as_deref(), Some("the vendor asked for it"));
    // What was overridden does not stand in the way of others, and nothing wider comes through.
    bench.put(&format!("{NSG}/securityRules/web"), rule(200, 443)).await.expect("it widens nothing");
    let mut second = nic("rg/net/virtualNetworks/net/subnets/b");
    second["properties"]["networkSecurityGroup"] = reference(NSG);
    let error = bench.put("rg/net/networkInterfaces/two", second).await.expect_err("one more machine");
    assert_eq!(error.code, "PolicyViolation");
    // A leave without need leaves no trace.
    put_as(&bench.control, &owner, &format!("{NSG}/securityRules/web"), rule(201, 443)).await.expect("valid");
    let entry = last_entry(&bench).await;
    assert_eq!((entry.event.broken.len(), entry.event.reason), (0, None));
}

#[tokio::test]
async fn intents_are_proven_when_they_are_written() {
    let bench = site().await;
    bench.put(&format!("{NSG}/securityRules/rdp"), rule(100, 3389)).await.expect("nothing forbids it yet");
    let error = bench.put(INTENTS, no_rdp("deny")).await.expect_err("it does not hold");
    assert_eq!(error.code, "PolicyViolation");
    assert_eq!(bench.get(INTENTS), Value::Null);
    let outcome = bench.put(INTENTS, no_rdp("warn")).await.expect("it only warns");
    assert_eq!(outcome.warnings.len(), 1);
    for (body, target) in [
        (json!({"properties": {}}), "properties"),
        (json!({"properties": {"intents": [{"name": "x"}]}}), "properties.intents.0"),
        (
            intents("deny", "forbidden", &json!({"from": "subnet:", "to": "*"})),
            "properties.intents.0.forbidden.from",
        ),
    ] {
        let error = bench.put("rg/Palisade.Network/intents/bad", body).await.expect_err("it cannot be read");
        assert_eq!((&*error.code, error.target.as_deref()), ("InvalidIntents", Some(target)), "{error}");
    }
    let missing = intents("deny", "forbidden", &json!({"from": "asg:nobody", "to": "*"}));
    let error =
        bench.put("rg/Palisade.Network/intents/bad", missing).await.expect_err("there is no such group");
    assert_eq!(error.code, "PolicyUndetermined");
    let at_resource = format!("{NSG}/providers/Palisade.Network/intents/x");
    let error = bench.put(&at_resource, no_rdp("warn")).await.expect_err("an NSG is no place for intents");
    assert_eq!(error.code, "InvalidIntentsScope");
}

#[tokio::test]
async fn intents_are_about_what_is_below_them() {
    let bench = site().await;
    bench.put("other", json!({"location": "westeurope"})).await.expect("valid");
    bench.put("other/Palisade.Network/intents/theirs", no_rdp("deny")).await.expect("nothing is there");
    let path = format!("{NSG}/securityRules/rdp");
    bench.put(&path, rule(100, 3389)).await.expect("the intents are another group's");
    bench.delete(&path).await.expect("valid");
    let everywhere = ResourceId::new(&format!("{SUBSCRIPTION}/providers/Palisade.Network/intents/all"));
    let action = Action::Put { id: everywhere, body: no_rdp("deny"), precondition: Precondition::default() };
    bench.control.act(&caller(), action).await.expect("it holds");
    bench.put(&path, rule(100, 3389)).await.expect_err("the subscription's are everybody's");
}

/// Attachments, groups and tags change what holds at an interface as much as rules do.
#[tokio::test]
async fn every_way_to_break_an_intent_is_seen() {
    let bench = site().await;
    bench
        .put(
            "rg/net/networkSecurityGroups/open",
            json!({"location": "westeurope",
        "properties": {"securityRules": [{"name": "rdp", "properties": rule(100, 3389)["properties"]}]}}),
        )
        .await
        .expect("it stands nowhere");
    bench
        .put("rg/net/applicationSecurityGroups/web", json!({"location": "westeurope"}))
        .await
        .expect("valid");
    let mut to_group = rule(300, 3389);
    to_group["properties"]["destinationAddressPrefix"] = Value::Null;
    to_group["properties"]["destinationApplicationSecurityGroups"] =
        json!([reference("rg/net/applicationSecurityGroups/web")]);
    bench.put(&format!("{NSG}/securityRules/web"), to_group).await.expect("nobody is in the group");
    bench.put(INTENTS, no_rdp("deny")).await.expect("it holds");
    let refused = |what: &str, outcome: Result<Outcome, ControlError>| match outcome {
        Err(error) => assert_eq!(error.code, "PolicyViolation", "{what}: {error}"),
        Ok(_) => panic!("{what} was let through"),
    };
    let one = "rg/net/networkInterfaces/one";
    let mut body = nic("rg/net/virtualNetworks/net/subnets/a");
    body["properties"]["networkSecurityGroup"] = reference("rg/net/networkSecurityGroups/open");
    refused("another NSG", bench.put(one, body).await);
    refused("no NSG", bench.put(one, nic("rg/net/virtualNetworks/net/subnets/a")).await);
    let mut body = nic("rg/net/virtualNetworks/net/subnets/a");
    body["properties"]["networkSecurityGroup"] = reference(NSG);
    body["properties"]["ipConfigurations"][0]["properties"]["applicationSecurityGroups"] =
        json!([reference("rg/net/applicationSecurityGroups/web")]);
    refused("membership", bench.put(one, body).await);
    let tags = json!({"tags": {"palisade-mode": "audit"}});
    let patch = Action::Patch { id: id(NSG), body: tags, precondition: Precondition::default() };
    refused("audit", bench.control.act(&caller(), patch).await);
    refused(
        "a new machine",
        bench.put("rg/net/networkInterfaces/new", nic("rg/net/virtualNetworks/net/subnets/b")).await,
    );
}

/// A pair of machines is judged at both ends, wherever the write is.
/// A machine in subnet `b` whose NSG `out` stops all that it sends.
async fn stopped_sender(bench: &Bench) {
    bench.put("rg/net/networkSecurityGroups/out", json!({"location": "westeurope", "properties": {"securityRules": [
        {"name": "stop", "properties": {"protocol": "*", "access": "Deny", "direction": "Outbound", "priority": 100,
            "sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "*"}}]}}))
        .await.expect("valid");
    let mut sender = nic("rg/net/virtualNetworks/net/subnets/b");
    sender["properties"]["networkSecurityGroup"] = reference("rg/net/networkSecurityGroups/out");
    bench.put("rg/net/networkInterfaces/sender", sender).await.expect("valid");
}

/// What subnet `b` must not ask of subnet `a`.
fn apart() -> Value {
    json!({"from": "subnet:net/b", "to": "subnet:net/a", "services": ["tcp/1433"]})
}

#[tokio::test]
async fn packets_between_machines_are_judged_at_both_ends() {
    let bench = site().await;
    stopped_sender(&bench).await;
    bench.put(INTENTS, intents("deny", "forbidden", &apart())).await.expect("the sender is stopped");
    // The receiver is opened: the sender still stops everything.
    bench.put(&format!("{NSG}/securityRules/sql"), rule(100, 1433)).await.expect("the sender is stopped");
    let error =
        bench.delete("rg/net/networkSecurityGroups/out/securityRules/stop").await.expect_err("now it passes");
    assert_eq!(error.code, "PolicyViolation");
    let deciders = error.info[0].info["findings"][0]["decidedBy"].as_array().map(Vec::len);
    assert_eq!(deciders, Some(2), "{error:?}");
}

/// A write at one end is judged as of the moments at which the rules of the other end change, too.
#[tokio::test]
async fn the_future_of_the_other_end_is_judged_too() {
    let bench = site().await;
    stopped_sender(&bench).await;
    let mut shut = rule(200, 1433);
    shut["properties"]["access"] = "Deny".into();
    bench.put(&format!("{NSG}/securityRules/shut"), shut).await.expect("valid");
    let until = json!({"tags": {"palisade-rule:stop": "expiresAt=2099-01-01T00:00:00Z"}});
    let out = id("rg/net/networkSecurityGroups/out");
    let patch = Action::Patch { id: out, body: until, precondition: Precondition::default() };
    bench.control.act(&caller(), patch).await.expect("valid");
    bench.put(INTENTS, intents("deny", "forbidden", &apart())).await.expect("the receiver denies it");
    let opened = bench.put(&format!("{NSG}/securityRules/sql"), rule(100, 1433)).await;
    let error = opened.expect_err("from 2099 on the sender does not stop it");
    assert_eq!(error.code, "PolicyViolation", "{error}");
    assert_eq!(error.info[0].info["findings"][0]["at"], "2099-01-01T00:00:00Z");
}

/// A rule that begins later is judged as of its beginning, one that ends as of its end.
#[tokio::test]
async fn the_future_is_judged_too() {
    let bench = site().await;
    let path = format!("{NSG}/securityRules/rdp");
    bench
        .put(&path, {
            let mut shut = rule(150, 3389);
            shut["properties"]["access"] = "Deny".into();
            shut
        })
        .await
        .expect("valid");
    bench.put(&format!("{NSG}/securityRules/later"), rule(160, 3389)).await.expect("it is hidden");
    bench.put(INTENTS, no_rdp("deny")).await.expect("it holds");
    let until = json!({"tags": {"palisade-rule:rdp": "expiresAt=2099-01-01T00:00:00Z"}});
    let patch = Action::Patch { id: id(NSG), body: until, precondition: Precondition::default() };
    let outcome = bench.control.act(&caller(), patch).await;
    let error = outcome.expect_err("from 2099 on it is open");
    assert_eq!(error.code, "PolicyViolation", "{error}");
    assert_eq!(error.info[0].info["findings"][0]["at"], "2099-01-01T00:00:00Z");
}
