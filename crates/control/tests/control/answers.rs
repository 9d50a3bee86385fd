//! Answers to alerts: what isolates a machine stands before everything, whoever is locked out is so until his time or but for a grant,
//! and what policies do by themselves keeps to their budgets, through restarts too.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use palisade_control::answers::{AnswerCall, policies};
use palisade_control::audit::Entry;
use palisade_control::{Action, Caller, Control, ControlError, Options, Outcome, Precondition, time};
use palisade_guard::{Severity, answer::Sighting};
use palisade_model::ResourceId;
use palisade_net::Direction;
use serde_json::{Value, json};

use crate::access::{Bench, MACHINE, NIC, NOW, POLICY, end, policy, port};
use crate::support::{SUBSCRIPTION, caller, delete, id, put, reference};

const QUARANTINE: &str = "rg/Palisade.Network/quarantines/vm1";
const LOCKOUT: &str = "rg/Palisade.Network/lockouts/one";
const ANSWERS: &str = "rg/Palisade.Network/answerPolicies/default";
const GUESSER: &str = "203.0.113.9";

fn quarantine(forensic: &Value) -> Value {
    json!({"properties": {"target": reference(MACHINE), "forensic": forensic, "reason": "it scans"}})
}

fn lockout(source: &str, duration: &str) -> Value {
    json!({"properties": {"source": source, "duration": duration, "reason": "it guesses"}})
}

/// Guesses are locked out, successes isolated.
fn answers(more: &Value) -> Value {
    let mut properties = json!({
        "rules": [
            {"alerts": ["*_BF_Success"], "step": "quarantine"},
            {"alerts": ["*_BF_*"], "minSeverity": "Medium", "direction": "Inbound", "step": "lockout"},
            {"alerts": ["Network_*"], "step": "block"},
        ],
        "lockout": {"first": "PT10M", "factor": 2, "longest": "P1D", "memory": "P7D", "neighbours": 0},
        "budgets": {"lockout": 3, "quarantine": 1},
        "forensic": [{"source": "10.9.0.5", "port": 22}],
    });
    for (key, value) in more.as_object().expect("an object") {
        properties[key] = value.clone();
    }
    json!({"properties": properties})
}

fn alert(name: &str, from: &str) -> AnswerCall {
    let seen = Sighting {
        name: name.to_owned(),
        severity: Severity::Medium,
        direction: Direction::Inbound,
        remote: Some(from.parse().expect("an address")),
        machine: Some(id(MACHINE)),
    };
    AnswerCall { alert: "0123456789ab".to_owned(), seen, administrators: Vec::new() }
}

async fn answer(control: &Control, call: AnswerCall) -> Value {
    let caller = Caller {
        principal: "answers".into(),
        name: "policy default for alert 0123456789ab".into(),
        ..Caller::default()
    };
    let outcome = control.act(&caller, Action::Answer { policy: id(ANSWERS), call }).await;
    outcome.expect("it is answered").resource.unwrap_or_default()
}

/// The names of the rules at the interface before the security admin rules and all others, in both directions.
fn rules(bench: &Bench) -> [Vec<String>; 2] {
    let estate = bench.control.read(|world| world.estate(&[id(NIC)])).expect("an estate");
    let nic = estate.nics().find(|nic| *nic.id() == id(NIC)).expect("the NIC");
    let policy = estate.effective(nic);
    Direction::ALL.map(|way| {
        let admin = policy.layers(way).iter().filter(|layer| layer.layer == palisade_model::Layer::Admin);
        admin.flat_map(|layer| &layer.rules).map(|rule| rule.name.clone()).collect()
    })
}

async fn last_event(bench: &Bench) -> palisade_control::audit::Event {
    let entries = bench.store.snapshot("audit/").await.expect("the store is there").entries;
    let last: Vec<Entry> = serde_json::from_slice(&entries.last().expect("entries").value).expect("entries");
    last.last().expect("one").event.clone()
}

#[tokio::test]
async fn nothing_opens_what_is_in_quarantine_but_the_forensic_path() {
    let bench = Bench::new().await;
    bench.put(POLICY, policy(&[port(3389, &json!({}))])).await.expect("a policy");
    bench.ask("ada", &end(3_600)).await.expect("it may be asked for");
    let (open, web) = (("198.51.100.7", 3389), ("198.51.100.7", 80));
    assert!(bench.passes(open.0, open.1) && bench.passes(web.0, web.1));
    let body = quarantine(
        &json!([{"source": "10.9.0.5", "port": 22}, {"source": "10.9.0.0/28", "port": 5985, "protocol": "*"}]),
    );
    let outcome = bench.put(QUARANTINE, body.clone()).await.expect("it is isolated");
    assert_eq!(outcome.warnings, []);
    assert_eq!(
        bench.verdict(open.0, open.1),
        (false, "quarantine-vm1-Inbound".to_owned()),
        "not even a grant"
    );
    assert!(!bench.passes(web.0, web.1));
    assert_eq!(bench.verdict("10.9.0.5", 22), (true, "forensic-vm1-1".to_owned()));
    assert!(bench.passes("10.9.0.7", 5985) && !bench.passes("10.9.0.7", 22));
    let [inbound, outbound] = rules(&bench);
    assert_eq!(inbound[..3], ["forensic-vm1-1", "forensic-vm1-2", "quarantine-vm1-Inbound"]);
    assert_eq!(outbound[..1], ["quarantine-vm1-Outbound"]);
    let again = bench.put(QUARANTINE, body).await.expect("the same");
    assert_eq!(again.effect, palisade_control::Effect::Unchanged);
    delete(&bench.control, QUARANTINE).await.expect("it is released");
    assert!(bench.passes(open.0, open.1) && bench.passes(web.0, web.1), "as it was");
}

#[tokio::test]
async fn an_emergency_is_not_refused_by_intents_or_locks_and_the_audit_log_says_what_it_breaks() {
    let bench = Bench::new().await;
    let must = json!({"from": "198.51.100.0/24", "to": "*", "services": ["tcp/80"]});
    let intents = json!({"properties": {"intents": [{"name": "web", "allowed": must}]}});
    bench.put("rg/Palisade.Network/intents/baseline", intents).await.expect("it holds");
    let lock = json!({"properties": {"level": "ReadOnly"}});
    bench.put("rg/lock/locks/frozen", lock).await.expect("a lock");
    let refused =
        bench.put(LOCKOUT, lockout("198.51.100.0/24", "PT1H")).await.expect_err("an intent holds lock-outs");
    assert_eq!((refused.status, &*refused.code), (403, "PolicyViolation"));
    let outcome = bench.put(QUARANTINE, quarantine(&json!([]))).await.expect("an emergency");
    let codes: Vec<_> = outcome.warnings.iter().map(|warning| warning.code.as_ref()).collect();
    assert_eq!(codes, ["PolicyViolation", "QuarantineHasNoForensicPath"]);
    assert!(!bench.passes("198.51.100.7", 80));
    let event = last_event(&bench).await;
    assert_eq!((event.broken.len(), event.reason.as_deref()), (1, Some("quarantine: it scans")));
    let locked = delete(&bench.control, QUARANTINE).await.expect_err("what opens is locked");
    assert_eq!(locked.code, "ScopeLocked");
}

#[tokio::test]
async fn whoever_is_locked_out_is_so_until_his_time_but_for_a_grant() {
    let bench = Bench::new().await;
    bench.put(POLICY, policy(&[port(3389, &json!({}))])).await.expect("a policy");
    bench.put(LOCKOUT, lockout("198.51.100.0/24", "PT1H")).await.expect("it is locked out");
    assert_eq!(bench.verdict("198.51.100.7", 80), (false, "lockout-one".to_owned()));
    assert!(bench.passes("198.51.101.7", 80), "nobody else");
    let name = bench.ask("ada", &end(7_200)).await.expect("who is locked out may be let in");
    assert_eq!(bench.verdict("198.51.100.7", 3389), (true, format!("{name}-3389")));
    assert!(!bench.passes("198.51.100.7", 80), "but through this door alone");
    bench.wait(3_599);
    assert!(!bench.passes("198.51.100.7", 80));
    bench.wait(1);
    assert!(bench.passes("198.51.100.7", 80), "it has ended by itself");
}

#[tokio::test]
async fn a_pair_is_parted_both_ways_and_only_it() {
    let bench = Bench::new().await;
    let mut body = lockout(GUESSER, "PT1H");
    body["properties"]["target"] = reference(MACHINE);
    bench.put(LOCKOUT, body).await.expect("it is blocked");
    let [inbound, outbound] = rules(&bench);
    assert_eq!(
        (inbound, outbound),
        (vec!["block-one-Inbound".to_owned()], vec!["block-one-Outbound".to_owned()])
    );
    assert!(!bench.passes(GUESSER, 80) && bench.passes("203.0.113.8", 80));
}

#[tokio::test]
async fn lock_outs_of_the_subscription_are_every_group_s() {
    let bench = Bench::new().await;
    let place = ResourceId::new(&format!("{SUBSCRIPTION}/providers/Palisade.Network/lockouts/all"));
    let put =
        Action::Put { id: place, body: lockout(GUESSER, "PT1H"), precondition: Precondition::default() };
    bench.control.act(&caller(), put).await.expect("it is locked out");
    assert_eq!(bench.verdict(GUESSER, 80), (false, "lockout-all".to_owned()));
    bench.put("other", json!({"location": "westeurope"})).await.expect("a group");
    let theirs = LOCKOUT.replace("rg/", "other/");
    bench.put(&theirs, lockout("203.0.113.8", "PT1H")).await.expect("it is locked out there");
    assert!(bench.passes("203.0.113.8", 80), "not here");
}

async fn by_hand(bench: &Bench, source: &str, address: &str) -> Result<Outcome, ControlError> {
    let caller = Caller { address: address.to_owned(), ..caller() };
    let action =
        Action::Put { id: id(LOCKOUT), body: lockout(source, "PT1H"), precondition: Precondition::default() };
    bench.control.act(&caller, action).await
}

#[tokio::test]
async fn who_must_be_spared_is_locked_out_by_nobody() {
    let bench = Bench::new().await;
    bench.put(POLICY, policy(&[port(3389, &json!({}))])).await.expect("a policy");
    bench.put(ANSWERS, answers(&json!({"allow": ["192.0.2.0/24"]}))).await.expect("a policy");
    bench.ask("ada", &end(3_600)).await.expect("it may be asked for");
    for (source, from) in [
        ("192.0.2.7", ""),
        ("192.0.0.0/16", ""),
        ("198.51.100.7", ""),
        ("198.51.100.0/24", ""),
        (GUESSER, GUESSER),
        ("203.0.113.0/24", "::ffff:203.0.113.9"),
    ] {
        let refused = by_hand(&bench, source, from).await.expect_err("he is to be spared");
        assert_eq!((refused.status, &*refused.code), (409, "LockoutNotAllowed"), "{source}");
    }
    by_hand(&bench, GUESSER, "192.0.2.1").await.expect("anybody else");
    for (name, from, administrators) in [
        ("RDP_Incoming_BF_OneToOne", "192.0.2.7", vec![]),
        ("RDP_Incoming_BF_OneToOne", "198.51.100.7", vec![]),
        ("RDP_Incoming_BF_OneToOne", "203.0.113.20", vec!["203.0.113.20".parse().expect("an address")]),
    ] {
        let told = answer(&bench.control, AnswerCall { administrators, ..alert(name, from) }).await;
        assert_eq!(told["told"], true, "{told}");
    }
}

#[tokio::test]
async fn policies_answer_within_their_budgets_and_the_audit_log_says_by_which_and_for_what() {
    let bench = Bench::new().await;
    bench.put(ANSWERS, answers(&json!({}))).await.expect("a policy");
    let done = answer(&bench.control, alert("RDP_Incoming_BF_OneToOne", GUESSER)).await;
    assert_eq!(done["properties"]["source"], GUESSER);
    assert_eq!(done["properties"]["endTimeUtc"], time::rfc3339(NOW + 600));
    assert!(!bench.passes(GUESSER, 80));
    let event = last_event(&bench).await;
    assert_eq!(
        (event.verb.as_str(), event.caller.name.as_str()),
        ("lock out", "policy default for alert 0123456789ab")
    );
    assert_eq!(answer(&bench.control, alert("Other", GUESSER)).await, json!({}));
    let again = answer(&bench.control, alert("SSH_Incoming_BF_OneToOne", GUESSER)).await;
    assert_eq!(again["told"], false, "{again}");

    // Spoofed sources spend the budget and no more, whatever is deleted meanwhile.
    for number in 1..10 {
        let told =
            answer(&bench.control, alert("RDP_Incoming_BF_OneToOne", &format!("198.51.100.{number}"))).await;
        assert_eq!(told["withheld"].is_string(), number > 2, "{told}");
        if let Some(name) = told["name"].as_str() {
            delete(&bench.control, &format!("rg/Palisade.Network/lockouts/{name}"))
                .await
                .expect("it is there");
        }
    }
    let done = answer(&bench.control, alert("RDP_Incoming_BF_Success", GUESSER)).await;
    assert_eq!(done["properties"]["forensic"][0]["source"], "10.9.0.5");
    assert_eq!(rules(&bench)[1], [format!("quarantine-{}-Outbound", done["name"].as_str().expect("a name"))]);
    assert_eq!(last_event(&bench).await.verb, "quarantine");
    let parted = answer(&bench.control, alert("Network_CommunicationWithC2", "203.0.113.77")).await;
    assert_eq!(parted["properties"]["target"]["id"], id(MACHINE).as_str());
}

#[tokio::test]
async fn a_policy_about_one_machine_is_asked_first_and_ends() {
    const WATCH: &str = "rg/Palisade.Network/answerPolicies/watch-vm1";
    let bench = Bench::new().await;
    bench.put(ANSWERS, answers(&json!({}))).await.expect("a policy");
    let end = time::rfc3339(NOW + 3_600);
    let watch = answers(&json!({"target": reference(MACHINE), "endTimeUtc": end}));
    bench.put(WATCH, watch).await.expect("a policy");
    let subscription = ResourceId::new(SUBSCRIPTION);
    let asked = |machine: &str, now: u64| -> Vec<String> {
        let now = u32::try_from(now).expect("a time");
        let all = bench.control.read(|world| policies(world, Some(&id(machine)), &subscription, now));
        all.iter().map(|(id, _)| id.name().to_owned()).collect()
    };
    assert_eq!(asked(MACHINE, NOW + 3_599), ["watch-vm1", "default"]);
    assert_eq!(asked("rg/vm/virtualMachines/vm2", NOW), ["default"]);
    assert_eq!(asked(MACHINE, NOW + 3_600), ["default"]);
    for (place, wrong) in [
        (WATCH, json!({"target": reference("other/vm/virtualMachines/vm9")})),
        (WATCH, json!({"endTimeUtc": "tomorrow"})),
    ] {
        let error = bench.put(place, answers(&wrong)).await.expect_err("it is wrong");
        assert_eq!(error.status, 400, "{wrong}: {error}");
    }
    let everywhere = Action::Put {
        id: ResourceId::new(&format!("{SUBSCRIPTION}/providers/{}", WATCH.trim_start_matches("rg/"))),
        body: answers(&json!({"target": reference(MACHINE)})),
        precondition: Precondition::default(),
    };
    let error = bench.control.act(&caller(), everywhere).await.expect_err("a machine is in a group");
    assert_eq!(error.status, 400, "{error}");
}

#[tokio::test]
async fn budgets_and_growing_times_survive_a_restart() {
    let bench = Bench::new().await;
    bench.put(ANSWERS, answers(&json!({}))).await.expect("a policy");
    let mut now = NOW;
    for (number, (wait, length)) in [(0, 600), (700, 1_200), (1_300, 2_400)].into_iter().enumerate() {
        now += wait;
        let control = reopened(&bench, now).await;
        let done = answer(&control, alert("RDP_Incoming_BF_OneToOne", GUESSER)).await;
        assert_eq!(done["properties"]["repetition"], number);
        assert_eq!(done["properties"]["endTimeUtc"], time::rfc3339(now + length), "{done}");
    }
    let control = reopened(&bench, NOW + 3_599).await;
    let told = answer(&control, alert("RDP_Incoming_BF_OneToOne", "198.51.100.1")).await;
    assert!(told["withheld"].as_str().is_some_and(|why| why.contains("budget")), "{told}");
    // A policy that is written anew has spent what it has.
    put(&control, ANSWERS, answers(&json!({"allow": ["10.0.0.0/8"]}))).await.expect("a policy");
    let told = answer(&control, alert("RDP_Incoming_BF_OneToOne", "198.51.100.1")).await;
    assert!(told["withheld"].is_string(), "{told}");
    let control = reopened(&bench, NOW + 3_600).await;
    let done = answer(&control, alert("RDP_Incoming_BF_OneToOne", "198.51.100.1")).await;
    assert_eq!(done["properties"]["source"], "198.51.100.1");
}

/// Another server on the same store, at a time.
async fn reopened(bench: &Bench, now: u64) -> Control {
    let options =
        Options { clock: Arc::new(move || UNIX_EPOCH + Duration::from_secs(now)), ..Options::default() };
    Control::open(bench.store.clone(), options).await.expect("the store opens")
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let bench = Bench::new().await;
    bench.put("other", json!({"location": "westeurope"})).await.expect("a group");
    let mut elsewhere = quarantine(&json!([]));
    elsewhere["properties"]["target"] = reference("other/vm/virtualMachines/vm9");
    let mut nowhere = quarantine(&json!([]));
    nowhere["properties"]["target"] = json!({"id": "vm1"});
    let silent = json!({"properties": {"target": reference(MACHINE)}});
    let zero = quarantine(&json!([{"source": "10.9.0.5", "port": 0}]));
    for (place, body) in [
        (QUARANTINE, elsewhere),
        (QUARANTINE, nowhere),
        (QUARANTINE, silent),
        (QUARANTINE, zero),
        (LOCKOUT, lockout("0.0.0.0/0", "PT1H")),
        (LOCKOUT, lockout("nobody", "PT1H")),
        (LOCKOUT, lockout(GUESSER, "P8D")),
        (LOCKOUT, lockout(GUESSER, "PT0S")),
        (LOCKOUT, json!({"properties": {"source": GUESSER, "reason": "for ever"}})),
        (ANSWERS, answers(&json!({"rules": []}))),
        (ANSWERS, answers(&json!({"forensic": []}))),
        (ANSWERS, answers(&json!({"budget": {"quarantine": 1}}))),
        (ANSWERS, answers(&json!({"rules": [{"alerts": ["RDP_*"], "step": "nuke"}]}))),
        (ANSWERS, answers(&json!({"lockout": {"longest": "P30D"}}))),
    ] {
        let error = bench.put(place, body.clone()).await.expect_err("it is wrong");
        assert_eq!(error.status, 400, "{body}: {error}");
    }
}
