//! Load balancers and their inbound NAT rules: what is read back, what is refused, and what an interface's host would have.

use palisade_control::Effect;
use serde_json::{Value, json};

use crate::support::{Bench, id, nic, reference, with};

const LB: &str = "rg/net/loadBalancers/lb";
const RULE: &str = "rg/net/loadBalancers/lb/inboundNatRules/rdp";
const FRONTEND: &str = "rg/net/loadBalancers/lb/frontendIPConfigurations/f";
const NIC: &str = "rg/net/networkInterfaces/vm";

fn balancer(rules: &Value) -> Value {
    json!({"location": "westeurope", "sku": {"name": "Standard"}, "properties": {
        "frontendIPConfigurations": [{"name": "f", "properties": {"publicIPAddress": reference("rg/net/publicIPAddresses/ip")}}],
        "backendAddressPools": [{"name": "pool"}],
        "inboundNatRules": rules}})
}

fn rule(public: u32, private: u32) -> Value {
    json!({"properties": {"frontendIPConfiguration": reference(FRONTEND), "protocol": "Tcp",
        "frontendPort": public, "backendPort": private, "allowedSourceAddressPrefixes": ["198.51.100.0/24"]}})
}

fn named(name: &str, rule: &Value) -> Value {
    json!({"name": name, "properties": rule["properties"]})
}

/// A machine's interface that names these rules.
fn machine(rules: &[&str]) -> Value {
    let mut body = nic("rg/net/virtualNetworks/net/subnets/a");
    let rules: Vec<Value> = rules.iter().map(|rule| reference(rule)).collect();
    body["properties"]["ipConfigurations"][0]["properties"]["loadBalancerInboundNatRules"] = json!(rules);
    body
}

/// A network, a public address, a load balancer with the rule `rdp`, and an interface that names it.
async fn bench() -> Bench {
    let bench = Bench::with_group().await;
    bench.network().await;
    let public = json!({"location": "westeurope", "sku": {"name": "Standard"}, "properties": {"ipAddress": "203.0.113.7"}});
    bench.put("rg/net/publicIPAddresses/ip", public).await.expect("an address");
    bench.put(LB, balancer(&json!([named("rdp", &rule(50_001, 3389))]))).await.expect("a load balancer");
    bench.put(NIC, machine(&[RULE])).await.expect("an interface");
    bench
}

#[tokio::test]
async fn a_load_balancer_is_read_as_azure_would_show_it() {
    let bench = bench().await;
    let shown = bench.get(LB);
    let etag = shown["etag"].as_str().expect("an ETag");
    assert_eq!(shown["sku"], json!({"name": "Standard", "tier": "Regional"}));
    let properties = &shown["properties"];
    let frontend = &properties["frontendIPConfigurations"][0];
    assert_eq!(frontend["id"], id(FRONTEND).as_str());
    assert_eq!(frontend["etag"], etag);
    assert_eq!(frontend["properties"]["privateIPAllocationMethod"], "Dynamic");
    assert_eq!(frontend["properties"]["inboundNatRules"], json!([reference(RULE)]));
    let pool = id("rg/net/loadBalancers/lb/backendAddressPools/pool");
    assert_eq!(properties["backendAddressPools"][0]["id"], pool.as_str());
    assert_eq!(properties["probes"], json!([]));
    let inner = &properties["inboundNatRules"][0];
    let target = id("rg/net/networkInterfaces/vm/ipConfigurations/ipconfig1");
    assert_eq!(
        inner["properties"],
        json!({
            "provisioningState": "Succeeded", "frontendIPConfiguration": reference(FRONTEND), "protocol": "Tcp",
            "frontendPort": 50_001, "backendPort": 3389, "allowedSourceAddressPrefixes": ["198.51.100.0/24"],
            "enableFloatingIP": false, "enableTcpReset": false, "idleTimeoutInMinutes": 4,
            "backendIPConfiguration": {"id": target.as_str()},
        })
    );
    assert_eq!(inner, &bench.get(RULE));
    let public = bench.get("rg/net/publicIPAddresses/ip");
    assert_eq!(public["properties"]["ipConfiguration"], reference(FRONTEND));
    // What is read can be written, and is the same.
    assert_eq!(bench.put(LB, shown).await.expect("it is valid").effect, Effect::Unchanged);
}

#[tokio::test]
async fn rules_are_written_alone_and_by_their_load_balancer() {
    let bench = bench().await;
    let other = "rg/net/loadBalancers/lb/inboundNatRules/web";
    let written = bench.put(other, rule(443, 443)).await.expect("it is valid");
    assert_eq!(written.effect, Effect::Created);
    assert_eq!(bench.get(LB)["properties"]["inboundNatRules"].as_array().map(Vec::len), Some(2));
    bench.put(LB, balancer(&json!([named("rdp", &rule(50_001, 3389))]))).await.expect("the other goes");
    assert_eq!(bench.get(other), Value::Null);
    // Clients that do not know the list of sources leave it out, and open nothing.
    let mut unaware = rule(50_003, 3389);
    unaware["properties"].as_object_mut().expect("it is one").remove("allowedSourceAddressPrefixes");
    bench.put(RULE, unaware.clone()).await.expect("it is valid");
    assert_eq!(bench.get(RULE)["properties"]["allowedSourceAddressPrefixes"], json!(["198.51.100.0/24"]));
    bench.put(LB, balancer(&json!([named("rdp", &unaware)]))).await.expect("it is valid");
    assert_eq!(bench.get(RULE)["properties"]["allowedSourceAddressPrefixes"], json!(["198.51.100.0/24"]));
    let everybody = with(rule(50_001, 3389), json!({"allowedSourceAddressPrefixes": ["*"]}));
    bench.put(RULE, everybody).await.expect("it is valid");
    assert_eq!(bench.get(RULE)["properties"]["allowedSourceAddressPrefixes"], json!(["*"]));
    let held = bench.delete(RULE).await.expect_err("an interface names it");
    assert_eq!(held.code, "ResourceInUse");
    let held = bench.put(LB, balancer(&json!([]))).await.expect_err("an interface names the rule");
    assert_eq!(held.code, "ResourceInUse");
    let held = bench.delete("rg/net/publicIPAddresses/ip").await.expect_err("the load balancer has it");
    assert_eq!(held.code, "PublicIPAddressCannotBeDeleted");
    bench.put(NIC, machine(&[])).await.expect("it lets go");
    assert_eq!(bench.delete(RULE).await.expect("nobody names it").effect, Effect::Deleted);
    assert_eq!(bench.delete(LB).await.expect("nobody needs it").effect, Effect::Deleted);
}

#[tokio::test]
async fn what_cannot_be_enforced_as_it_is_meant_is_refused() {
    let bench = bench().await;
    let other = "rg/net/loadBalancers/lb/inboundNatRules/other";
    let nowhere =
        json!({"frontendIPConfiguration": reference("rg/net/loadBalancers/lb/frontendIPConfigurations/x")});
    for (body, code) in [
        (rule(50_001, 22), "FrontendPortTaken"),
        (rule(0, 22), "InvalidValue"),
        (rule(65_535, 22), "InvalidValue"),
        (rule(50_002, 65_536), "InvalidValue"),
        (with(rule(50_002, 22), json!({"protocol": "Icmp"})), "InvalidValue"),
        (with(rule(50_002, 22), json!({"allowedSourceAddressPrefixes": []})), "InvalidValue"),
        (
            with(rule(50_002, 22), json!({"allowedSourceAddressPrefixes": ["10.0.0.1/8"]})),
            "InvalidAddressPrefixFormat",
        ),
        (
            with(rule(50_002, 22), json!({"allowedSourceAddressPrefixes": "10.0.0.0/8"})),
            "InvalidRequestFormat",
        ),
        (with(rule(50_002, 22), json!({"frontendPort": "x"})), "InvalidRequestFormat"),
        (with(rule(50_002, 22), nowhere), "InvalidResourceReference"),
    ] {
        let error = bench.put(other, body.clone()).await.expect_err("it is refused");
        assert_eq!((error.status, &*error.code), (400, code), "{body}");
        assert_eq!(bench.get(other), Value::Null);
    }
    // Of two rules to one port of one machine Azure says so when the interface names the second.
    bench.put(other, rule(50_002, 3389)).await.expect("it leads nowhere yet");
    let error = bench.put(NIC, machine(&[RULE, other])).await.expect_err("both lead to 3389");
    assert_eq!(error.code, "RulesUseSameBackendPortProtocolAndIPConfig");
    let error = bench.put("rg/net/networkInterfaces/vm2", machine(&[RULE])).await.expect_err("it is taken");
    assert_eq!(error.code, "InboundNatRuleTargetsDiffer");
    let missing = machine(&["rg/net/loadBalancers/lb/inboundNatRules/none"]);
    let error = bench.put(NIC, missing).await.expect_err("there is no such rule");
    assert_eq!(error.code, "InvalidResourceReference");
    bench.put(other, rule(50_002, 22)).await.expect("it leads elsewhere");
    bench.put(NIC, machine(&[RULE, other])).await.expect("two ports of one machine");
}
