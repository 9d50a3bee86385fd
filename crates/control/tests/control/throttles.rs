//! Throttles as resources: what stands at an interface, what ends, what is refused, and what policies do by themselves.

use palisade_control::answers::{AnswerCall, THROTTLES_MAX};
use palisade_control::watcher::{self, Moment, WatcherRequest};
use palisade_control::{Action, Caller, time};
use palisade_guard::{Severity, answer::Sighting};
use palisade_model::{Pace, Throttle};
use palisade_net::Direction;
use serde_json::{Value, json};

use crate::access::{Bench, MACHINE, NIC, NOW};
use crate::support::{delete, id, reference};

const THROTTLE: &str = "rg/Palisade.Network/throttles/vm1";
const ANSWERS: &str = "rg/Palisade.Network/answerPolicies/default";

fn throttle(more: &Value) -> Value {
    let mut properties = json!({"target": reference(MACHINE), "duration": "PT1H", "reason": "it scans"});
    for (key, value) in more.as_object().expect("an object") {
        properties[key] = value.clone();
    }
    json!({"properties": properties})
}

/// What holds at the interface.
fn standing(bench: &Bench) -> Option<(String, Pace, Option<u32>)> {
    let estate = bench.control.read(|world| world.estate(&[id(NIC)])).expect("an estate");
    let nic = estate.nics().find(|nic| *nic.id() == id(NIC)).expect("the NIC");
    nic.throttle().map(|own: &Throttle| (own.rule(), own.pace(), own.until()))
}

/// What IP flow verify says of a connection of the machine's.
fn outward(bench: &Bench) -> Value {
    let body = json!({
        "direction": "Outbound", "protocol": "TCP", "localIPAddress": "10.0.1.4", "localPort": "50000",
        "remoteIPAddress": "198.51.100.7", "remotePort": "443", "targetResourceId": id(MACHINE).as_str(),
    });
    let now =
        Moment { seconds: u32::try_from(bench.now()).expect("a time"), stamp: time::rfc3339(bench.now()) };
    let request = WatcherRequest::IpFlowVerify { body };
    bench.control.read(|world| watcher::answer(world, &request, &now)).expect("an answer").value
}

/// What the effective rules say of throttles, and of each rule of the interface's own lists.
fn told(bench: &Bench) -> (Value, Vec<(String, Value)>) {
    let now =
        Moment { seconds: u32::try_from(bench.now()).expect("a time"), stamp: time::rfc3339(bench.now()) };
    let request = WatcherRequest::EffectiveNetworkSecurityGroups { nic: id(NIC) };
    let answer = bench.control.read(|world| watcher::answer(world, &request, &now)).expect("an answer").value;
    let rules = answer["value"].as_array().into_iter().flatten();
    let rules = rules.filter_map(|entry| entry["effectiveSecurityRules"].as_array()).flatten();
    let own = rules.filter(|rule| !rule["palisade"].is_null());
    let own = own.map(|rule| (rule["name"].as_str().expect("a name").to_owned(), rule["palisade"].clone()));
    (answer["palisade"]["throttle"].clone(), own.collect())
}

#[tokio::test]
async fn effective_rules_name_answers_with_their_end() {
    let bench = Bench::new().await;
    assert_eq!(told(&bench), (Value::Null, Vec::new()));
    bench.put(THROTTLE, throttle(&json!({}))).await.expect("it is throttled");
    let lockout =
        json!({"properties": {"source": "203.0.113.9", "duration": "PT1H", "reason": "it guesses"}});
    bench.put("rg/Palisade.Network/lockouts/one", lockout).await.expect("it is locked out");
    let end = time::rfc3339(NOW + 3_600);
    let (throttle, own) = told(&bench);
    assert_eq!(throttle["ruleName"], "throttle-vm1-Outbound");
    assert_eq!(throttle["expiresAt"], end);
    assert_eq!(own, [("lockout-one".to_owned(), json!({"list": "Lockout", "expiresAt": end}))]);
}

async fn answer(bench: &Bench, number: usize) -> Value {
    let seen = Sighting {
        name: "PortScanning".to_owned(),
        severity: Severity::Medium,
        direction: Direction::Outbound,
        remote: None,
        machine: Some(id(MACHINE)),
    };
    let call = AnswerCall { alert: format!("{number:012x}"), seen, administrators: Vec::new() };
    let outcome = bench.control.act(&Caller::default(), Action::Answer { policy: id(ANSWERS), call }).await;
    outcome.expect("it is answered").resource.unwrap_or_default()
}

#[tokio::test]
async fn a_throttle_stands_at_the_interfaces_of_its_machine_until_it_is_released() {
    let bench = Bench::new().await;
    assert_eq!(standing(&bench), None);
    let outcome = bench.put(THROTTLE, throttle(&json!({}))).await.expect("it is throttled");
    assert_eq!(outcome.warnings, []);
    let stored = outcome.resource.expect("it is told");
    assert_eq!(stored["properties"]["newDestinationsPerSecond"], 1);
    assert_eq!(stored["properties"]["endTimeUtc"], time::rfc3339(NOW + 3_600));
    let end = u32::try_from(NOW + 3_600).expect("before 2106");
    assert_eq!(standing(&bench), Some(("throttle-vm1-Outbound".to_owned(), Pace::default(), Some(end))));
    assert!(bench.passes("198.51.100.7", 80), "no rule is touched");
    let named = outward(&bench);
    assert_eq!(
        (&named["access"], &named["throttle"]["ruleName"]),
        (&json!("Allow"), &json!("throttle-vm1-Outbound"))
    );
    bench.wait(3_600);
    assert_eq!(outward(&bench)["throttle"], Value::Null, "it has ended");
    // Of several the one that ends last holds.
    let longer = json!({"newDestinationsPerSecond": 10, "workingSet": 32, "duration": "PT2H"});
    bench.put("rg/Palisade.Network/throttles/longer", throttle(&longer)).await.expect("another one");
    let (rule, pace, _) = standing(&bench).expect("one of them");
    assert_eq!((rule.as_str(), pace), ("throttle-longer-Outbound", Pace { per_second: 10, working_set: 32 }));
    delete(&bench.control, "rg/Palisade.Network/throttles/longer").await.expect("it is released");
    delete(&bench.control, THROTTLE).await.expect("it is released");
    assert_eq!(standing(&bench), None);
}

#[tokio::test]
async fn a_policy_throttles_within_its_budget_and_forgets_what_has_ended() {
    let bench = Bench::new().await;
    let policy = json!({"properties": {
        "rules": [{"alerts": ["PortScanning"], "step": "throttle"}],
        "throttle": {"newDestinationsPerSecond": 2, "duration": "PT10M"},
        "budgets": {"throttle": 2}}});
    bench.put(ANSWERS, policy).await.expect("a policy");
    let mut names = Vec::new();
    for number in 0..2 {
        let done = answer(&bench, number).await;
        assert_eq!(done["properties"]["newDestinationsPerSecond"], 2, "{done}");
        assert_eq!(done["properties"]["alert"]["name"], "PortScanning");
        let again = answer(&bench, number).await;
        assert_eq!(
            (&again["told"], again["withheld"].is_string()),
            (&json!(false), true),
            "it is done already"
        );
        names.push(done["name"].as_str().expect("a name").to_owned());
        bench.wait(600);
    }
    let first = id(&format!("rg/Palisade.Network/throttles/{}", names[0]));
    assert!(bench.control.read(|world| world.document(&first).is_none()), "it ended before the second began");
    let told = answer(&bench, 9).await;
    assert!(told["withheld"].as_str().is_some_and(|why| why.contains("budget of throttle")), "{told}");
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let bench = Bench::new().await;
    bench.put("other", json!({"location": "westeurope"})).await.expect("a group");
    for wrong in [
        json!({"newDestinationsPerSecond": 0}),
        json!({"newDestinationsPerSecond": 1_001}),
        json!({"workingSet": 33}),
        json!({"duration": "P8D"}),
        json!({"duration": null}),
        json!({"reason": " "}),
        json!({"target": {"id": "vm1"}}),
        json!({"target": reference("other/vm/virtualMachines/vm9")}),
    ] {
        let error = bench.put(THROTTLE, throttle(&wrong)).await.expect_err("it is wrong");
        assert_eq!(error.status, 400, "{wrong}: {error}");
    }
    let policy = json!({"properties": {"rules": [{"step": "throttle"}], "throttle": {"workingSet": 0}}});
    let error = bench.put(ANSWERS, policy).await.expect_err("it is wrong");
    assert_eq!(&*error.code, "InvalidAnswerPolicy", "{error}");
    for number in 0..THROTTLES_MAX {
        let place = format!("rg/Palisade.Network/throttles/t{number}");
        bench.put(&place, throttle(&json!({}))).await.expect("there is room");
    }
    let error = bench.put(THROTTLE, throttle(&json!({}))).await.expect_err("there are enough");
    assert_eq!((error.status, &*error.code), (409, "AnswerLimitReached"));
}
