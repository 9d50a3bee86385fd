//! Time-limited access: doors are closed whatever older rules say, and grants open them to whom they were given, until their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use palisade_control::access::{AccessVerb, Actor, shown};
use palisade_control::audit::Entry;
use palisade_control::watcher::{self, Moment, WatcherRequest};
use palisade_control::{Action, Control, ControlError, Effect, Options, Outcome, time};
use palisade_store::{Sqlite, Store};
use serde_json::{Value, json};

use crate::support::{caller, folder, id, nic, put, reference, rule, with};

pub const POLICY: &str = "rg/Microsoft.Security/locations/westeurope/jitNetworkAccessPolicies/default";
pub const MACHINE: &str = "rg/vm/virtualMachines/vm1";
pub const NIC: &str = "rg/net/networkInterfaces/one";
const NSG: &str = "rg/net/networkSecurityGroups/nsg";
/// When it all begins.
pub const NOW: u64 = 1_800_000_000;

/// A control plane whose clock is set by hand.
pub struct Bench {
    pub control: Control,
    pub store: Arc<dyn Store>,
    clock: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// A machine at 10.0.1.4 behind an NSG that allows RDP from everywhere.
    pub async fn new() -> Self {
        let folder = folder();
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path()).expect("a store"));
        let clock = Arc::new(AtomicU64::new(NOW));
        let own = clock.clone();
        let now = move || UNIX_EPOCH + Duration::from_secs(own.load(Ordering::Relaxed));
        let options = Options { clock: Arc::new(now), ..Options::default() };
        let control = Control::open(store.clone(), options).await.expect("an empty store opens");
        let bench = Self { control, store, clock, _folder: folder };
        bench.put("rg", json!({"location": "westeurope"})).await.expect("a group");
        let subnet = json!([{"name": "a", "properties": {"addressPrefix": "10.0.1.0/24"}}]);
        let network = json!({"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": subnet});
        let network = json!({"location": "westeurope", "properties": network});
        bench.put("rg/net/virtualNetworks/net", network).await.expect("a network");
        bench.put(NSG, json!({"location": "westeurope"})).await.expect("an NSG");
        bench.put(&format!("{NSG}/securityRules/rdp"), rule(300, 3389)).await.expect("a rule");
        bench.put(&format!("{NSG}/securityRules/web"), rule(310, 80)).await.expect("a rule");
        let own = json!({"networkSecurityGroup": reference(NSG)});
        bench.put(NIC, with(nic("rg/net/virtualNetworks/net/subnets/a"), own)).await.expect("a NIC");
        let profile = json!({"networkProfile": {"networkInterfaces": [reference(NIC)]}});
        let machine = json!({"location": "westeurope", "properties": profile});
        bench.put(MACHINE, machine).await.expect("a machine");
        bench
    }

    pub async fn put(&self, path: &str, body: Value) -> Result<Outcome, ControlError> {
        put(&self.control, path, body).await
    }

    pub async fn act(&self, verb: AccessVerb, who: &str) -> Result<Outcome, ControlError> {
        let actor = Actor { id: who.to_owned(), name: who.to_owned(), address: "198.51.100.7".to_owned() };
        self.control.act(&caller(), Action::Access { policy: id(POLICY), verb, actor }).await
    }

    /// Asks for RDP as `who`; the request's name.
    pub async fn ask(&self, who: &str, port: &Value) -> Result<String, ControlError> {
        let outcome = self.act(AccessVerb::Initiate(ask(port)), who).await?;
        let request = outcome.resource.expect("the request is told");
        Ok(request["name"].as_str().expect("it has a name").to_owned())
    }

    pub fn now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub fn wait(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Whether TCP from an address passes now, and the rule that says so.
    pub fn verdict(&self, from: &str, port: u16) -> (bool, String) {
        let body = json!({
            "direction": "Inbound", "protocol": "TCP", "localIPAddress": "10.0.1.4", "localPort": port.to_string(),
            "remoteIPAddress": from, "remotePort": "50000", "targetResourceId": id(MACHINE).as_str(),
        });
        let seconds = u32::try_from(self.now()).expect("a time");
        let now = Moment { seconds, stamp: time::rfc3339(self.now()) };
        let request = WatcherRequest::IpFlowVerify { body };
        let answer = self.control.read(|world| watcher::answer(world, &request, &now)).expect("an answer");
        let rule = answer.value["ruleName"].as_str().unwrap_or_default().to_owned();
        (answer.value["access"] == "Allow", rule)
    }

    pub fn passes(&self, from: &str, port: u16) -> bool {
        self.verdict(from, port).0
    }

    /// The first port of the newest request, as GET shows it.
    fn newest(&self) -> Value {
        let body = self.control.read(|world| world.render(&id(POLICY))).expect("the policy");
        let body = shown(body, self.now());
        let requests = body["properties"]["requests"].as_array().expect("requests");
        requests.last().expect("one")["virtualMachines"][0]["ports"][0].clone()
    }
}

pub fn port(number: u16, more: &Value) -> Value {
    let mut port = json!({"number": number, "protocol": "TCP", "allowedSourceAddressPrefix": "*",
        "maxRequestAccessDuration": "PT3H"});
    for (key, value) in more.as_object().expect("an object") {
        port[key] = value.clone();
    }
    port
}

pub fn policy(ports: &[Value]) -> Value {
    json!({"kind": "Basic", "properties": {"virtualMachines": [{"id": id(MACHINE).as_str(), "ports": ports}]}})
}

fn ask(port: &Value) -> Value {
    json!({"justification": "patching", "virtualMachines": [{"id": id(MACHINE).as_str(), "ports": [port]}]})
}

pub fn end(seconds: u64) -> Value {
    json!({"number": 3389, "endTimeUtc": time::rfc3339(NOW + seconds)})
}

#[tokio::test]
async fn a_policy_closes_its_ports_whatever_older_rules_say_and_names_them() {
    let bench = Bench::new().await;
    assert!(bench.passes("198.51.100.7", 3389), "the NSG allows it");
    let outcome = bench.put(POLICY, policy(&[port(3389, &json!({}))])).await.expect("a policy");
    assert_eq!(outcome.effect, Effect::Created);
    let warning = &outcome.warnings[0];
    assert_eq!(warning.code, "JitRuleOverridden");
    assert!(warning.message.contains("Rule securityRules/rdp of /subscriptions"), "{}", warning.message);
    assert_eq!(outcome.warnings.len(), 1, "the rule about port 80 has nothing to do with it");
    let body = outcome.resource.expect("the policy");
    assert_eq!(body["properties"]["overriddenRules"][0]["rule"], "securityRules/rdp");
    assert_eq!((&body["location"], &body["kind"]), (&json!("westeurope"), &json!("Basic")));
    assert_eq!(bench.verdict("198.51.100.7", 3389), (false, "closed-3389-tcp".to_owned()));
    assert!(bench.passes("198.51.100.7", 80), "other ports stay as they are");
    let again = bench.put(POLICY, policy(&[port(3389, &json!({}))])).await.expect("the same");
    assert_eq!(again.effect, Effect::Unchanged);
}

#[tokio::test]
async fn a_request_opens_one_port_to_the_caller_until_its_end() {
    let bench = Bench::new().await;
    bench.put(POLICY, policy(&[port(3389, &json!({})), port(22, &json!({}))])).await.expect("a policy");
    let name = bench.ask("ada", &end(3_600)).await.expect("it may be asked for");
    assert_eq!(bench.verdict("198.51.100.7", 3389), (true, format!("{name}-3389")));
    assert!(!bench.passes("198.51.100.8", 3389), "one source only");
    assert!(!bench.passes("198.51.100.7", 22), "one port only");
    assert_eq!(bench.newest()["status"], "Initiated");
    assert_eq!(bench.newest()["allowedSourceAddressPrefix"], "198.51.100.7");
    bench.wait(3_599);
    assert!(bench.passes("198.51.100.7", 3389));
    bench.wait(1);
    assert!(!bench.passes("198.51.100.7", 3389));
    let newest = bench.newest();
    assert_eq!(
        [&newest["status"], &newest["statusReason"], &newest["state"]],
        ["Revoked", "Expired", "Expired"]
    );
}

#[tokio::test]
async fn somebody_else_approves_and_each_may_end_it() {
    let bench = Bench::new().await;
    bench.put(POLICY, policy(&[port(3389, &json!({"requiresApproval": true}))])).await.expect("a policy");
    let name = bench.ask("ada", &end(3_600)).await.expect("it may be asked for");
    assert!(!bench.passes("198.51.100.7", 3389), "nobody has approved");
    let own = bench.act(AccessVerb::Approve(name.clone()), "ada").await.expect_err("it is her own");
    assert_eq!((own.status, &*own.code), (403, "JitApprovalByRequester"));
    bench.act(AccessVerb::Approve(name.clone()), "bob").await.expect("somebody else");
    assert!(bench.passes("198.51.100.7", 3389));
    let longer = json!({"endTimeUtc": time::rfc3339(NOW + 7_200)});
    let own = bench.act(AccessVerb::Extend(name.clone(), longer.clone()), "ada").await;
    assert_eq!(own.expect_err("it would be without approval").code, "JitApprovalByRequester");
    bench.act(AccessVerb::Extend(name.clone(), longer), "bob").await.expect("somebody else");
    bench.wait(7_199);
    assert!(bench.passes("198.51.100.7", 3389));
    bench.act(AccessVerb::Close(name.clone()), "bob").await.expect("it is open");
    assert!(!bench.passes("198.51.100.7", 3389));
    assert_eq!([&bench.newest()["state"], &bench.newest()["closedBy"]], ["Revoked", "bob"]);
    let gone = bench.act(AccessVerb::Close(name), "bob").await.expect_err("it is closed");
    assert_eq!((gone.status, &*gone.code), (409, "JitRequestState"));
}

#[tokio::test]
async fn a_machine_without_an_interface_is_told_and_closed_once_it_has_one() {
    let bench = Bench::new().await;
    let other = id("rg/vm/virtualMachines/vm2");
    let body =
        json!({"properties": {"virtualMachines": [{"id": other.as_str(), "ports": [port(22, &json!({}))]}]}});
    let outcome = bench.put(POLICY, body).await.expect("it is stored");
    assert_eq!(outcome.warnings[0].code, "JitMachineHasNoInterface");
    let own = json!({"virtualMachine": {"id": other.as_str()}});
    bench
        .put("rg/net/networkInterfaces/two", with(nic("rg/net/virtualNetworks/net/subnets/a"), own))
        .await
        .expect("a NIC");
    let estate =
        bench.control.read(|world| world.estate(&[id("rg/net/networkInterfaces/two")])).expect("an estate");
    let nic = estate.nics().next().expect("the NIC");
    let rules: Vec<_> = estate.effective(nic).inbound[0].rules.iter().map(|rule| rule.name.clone()).collect();
    assert_eq!(rules, ["closed-22-tcp"]);
    let shown =
        bench.control.read(|world| world.render(&id("rg/net/networkInterfaces/two"))).expect("it is there");
    assert_eq!(shown["properties"]["virtualMachine"]["id"], other.as_str());
}

#[tokio::test]
async fn who_writes_in_one_group_opens_no_door_in_another() {
    let bench = Bench::new().await;
    bench.put("other", json!({"location": "westeurope"})).await.expect("a group");
    let policy = |machine: &str| {
        let machine = json!({"id": id(machine).as_str(), "ports": [port(80, &json!({}))]});
        json!({"properties": {"virtualMachines": [machine]}})
    };
    let place = "other/Microsoft.Security/locations/westeurope/jitNetworkAccessPolicies/p";
    let error = bench.put(place, policy(MACHINE)).await.expect_err("the machine is in another group");
    assert_eq!((error.status, &*error.code), (400, "JitMachineInOtherGroup"));
    let profile = json!({"networkProfile": {"networkInterfaces": [reference(NIC)]}});
    let machine = json!({"location": "westeurope", "properties": profile});
    bench.put("other/vm/virtualMachines/vm9", machine).await.expect("a machine");
    let outcome = bench.put(place, policy("other/vm/virtualMachines/vm9")).await.expect("a policy");
    assert_eq!(outcome.warnings[0].code, "JitMachineHasNoInterface");
    assert!(bench.passes("198.51.100.7", 80), "the interface does not say that it belongs to that machine");
}

#[tokio::test]
async fn a_machine_is_in_few_policies_and_whoever_one_lets_in_passes() {
    let bench = Bench::new().await;
    let place = |n: usize| POLICY.replace("default", &format!("p{n}"));
    bench.put(POLICY, policy(&[port(3389, &json!({}))])).await.expect("a policy");
    for number in 0..3 {
        bench.put(&place(number), policy(&[port(3389, &json!({}))])).await.expect("there is room");
    }
    let full =
        bench.put(&place(3), policy(&[port(3389, &json!({}))])).await.expect_err("it would be one more");
    assert_eq!((full.status, &*full.code), (409, "JitLimitReached"));
    bench.ask("ada", &end(60)).await.expect("it may be asked for");
    assert!(bench.passes("198.51.100.7", 3389), "though the other policies close it");
}

#[tokio::test]
async fn requests_outlive_a_change_of_the_policy_but_for_what_it_no_longer_allows() {
    let bench = Bench::new().await;
    let both = policy(&[port(3389, &json!({})), port(22, &json!({}))]);
    bench.put(POLICY, both.clone()).await.expect("a policy");
    bench.ask("ada", &end(3_600)).await.expect("it may be asked for");
    bench
        .put(POLICY, policy(&[port(3389, &json!({"maxRequestAccessDuration": "PT1H"}))]))
        .await
        .expect("valid");
    assert!(bench.passes("198.51.100.7", 3389), "the door is there still");
    bench.put(POLICY, policy(&[port(22, &json!({}))])).await.expect("valid");
    assert_eq!(bench.newest()["closedFor"], "PolicyChanged");
    bench.put(POLICY, both).await.expect("valid");
    assert!(!bench.passes("198.51.100.7", 3389), "what has ended stays so");
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_place() {
    let bench = Bench::new().await;
    let mut refused = Vec::new();
    for wrong in [
        json!({"maxRequestAccessDuration": "3h"}),
        json!({"maxRequestAccessDuration": "P2D"}),
        json!({"protocol": "ICMP"}),
        json!({"allowedSourceAddressPrefix": "10.0.0.300"}),
        json!({"allowedSourceAddressPrefixes": ["10.0.0.1"]}),
        json!({"number": 0}),
    ] {
        let error = bench.put(POLICY, policy(&[port(3389, &wrong)])).await.expect_err("it is wrong");
        refused.push(format!("{} {}", error.code, error.target.unwrap_or_default()));
    }
    let at = |tail: &str| format!("InvalidJitNetworkAccessPolicy properties.virtualMachines{tail}");
    let door = |key: &str| at(&format!("[0].ports[0].{key}"));
    let source = door("allowedSourceAddressPrefix");
    assert_eq!(
        refused,
        [door("maxRequestAccessDuration"), at(""), door("protocol"), source.clone(), source, at("")]
    );
    bench
        .put(POLICY, policy(&[port(3389, &json!({"allowedSourceAddressPrefix": "10.0.0.0/8"}))]))
        .await
        .expect("valid");
    for (port, code) in [
        (json!({"number": 22, "endTimeUtc": time::rfc3339(NOW + 60)}), "JitPortNotInPolicy"),
        (json!({"number": 3389, "endTimeUtc": time::rfc3339(NOW)}), "JitDurationNotAllowed"),
        (json!({"number": 3389}), "InvalidJitNetworkAccessPolicy"),
    ] {
        assert_eq!(bench.ask("ada", &port).await.expect_err("it is refused").code, code);
    }
    // The caller's own address is not among those that the policy allows.
    assert_eq!(bench.ask("ada", &end(60)).await.expect_err("it is refused").code, "JitSourceNotAllowed");
    let inside = json!({"number": 3389, "allowedSourceAddressPrefix": "10.1.2.3", "duration": "PT3H1S"});
    assert_eq!(bench.ask("ada", &inside).await.expect_err("it is too long").code, "JitDurationNotAllowed");
}

#[tokio::test]
async fn intents_hold_grants_too_and_the_audit_log_has_who_opened_what_and_why() {
    let bench = Bench::new().await;
    bench.put(POLICY, policy(&[port(3389, &json!({}))])).await.expect("a policy");
    let forbidden = json!({"from": "Internet", "to": "*", "services": ["tcp/3389"]});
    let intents = json!({"properties": {"intents": [{"name": "no-rdp", "forbidden": forbidden}]}});
    bench
        .put("rg/Palisade.Network/intents/baseline", intents)
        .await
        .expect("it holds while the door is closed");
    let refused = bench.ask("ada", &end(60)).await.expect_err("the Internet would reach it");
    assert_eq!((refused.status, &*refused.code), (403, "PolicyViolation"));
    let inside = json!({"number": 3389, "allowedSourceAddressPrefix": "10.0.1.9", "duration": "PT1M"});
    bench.ask("ada", &inside).await.expect("from inside it may");
    let entries = bench.store.snapshot("audit/").await.expect("the store is there").entries;
    let last: Vec<Entry> = serde_json::from_slice(&entries.last().expect("entries").value).expect("entries");
    let event = &last.last().expect("one").event;
    assert_eq!((event.verb.as_str(), event.target.as_str()), ("initiate", id(POLICY).as_str()));
    let after = event.after.as_ref().and_then(|body| body.document.as_ref()).expect("a short document");
    assert_eq!([&after["requestor"], &after["justification"]], ["ada", "patching"]);
}
