//! What the gate leaves out of a proof, and what it finds when nothing is written: both held against the whole proof.

use std::collections::BTreeSet;

use palisade_classify::generate::Random;
use palisade_control::{Control, Options, Verdict};
use palisade_model::TagCatalog;
use serde_json::{Value, json};

use crate::support::{Bench, id, nic, put, reference};

const INTENTS: &str = "rg/Palisade.Network/intents/baseline";
const NSG: &str = "rg/net/networkSecurityGroups/nsg";

/// A network with two machines behind the NSG.
async fn lay(control: &Control) {
    put(control, NSG, json!({"location": "westeurope"})).await.expect("valid");
    for (name, subnet) in [("one", "a"), ("two", "b")] {
        let mut machine = nic(&format!("rg/net/virtualNetworks/net/subnets/{subnet}"));
        machine["properties"]["networkSecurityGroup"] = reference(NSG);
        put(control, &format!("rg/net/networkInterfaces/{name}"), machine).await.expect("valid");
    }
}

fn broken(verdicts: &[Verdict]) -> BTreeSet<String> {
    verdicts.iter().filter(|one| one.breach.is_some()).map(|one| one.intent.clone()).collect()
}

fn rule(random: &mut Random) -> Value {
    let protocol = *random.pick(&["Tcp", "Udp", "Icmp", "*"]);
    let port =
        if protocol == "Icmp" { "*" } else { *random.pick(&["22", "53", "3389", "20-30", "443", "*"]) };
    json!({"properties": {
        "protocol": protocol, "access": *random.pick(&["Allow", "Deny"]),
        "direction": *random.pick(&["Inbound", "Outbound"]), "priority": 100 + random.below(3_000),
        "sourceAddressPrefix": *random.pick(&["*", "Internet", "10.0.1.0/24", "203.0.113.0/24"]),
        "sourcePortRange": "*",
        "destinationAddressPrefix": *random.pick(&["*", "10.0.2.0/24", "VirtualNetwork"]),
        "destinationPortRange": port,
    }})
}

/// Intents of all shapes, about few services, all of them and ICMP.
fn intents() -> Value {
    let forbidden = |from: &str, services: &[&str]| json!({"from": from, "to": "*", "services": services});
    json!({"properties": {"intents": [
        {"name": "ssh", "effect": "warn", "forbidden": forbidden("Internet", &["tcp/22"])},
        {"name": "rdp", "effect": "warn", "forbidden": forbidden("Internet", &["tcp/3389", "udp/3389"])},
        {"name": "icmp", "effect": "warn", "forbidden": forbidden("203.0.113.0/24", &["icmp"])},
        {"name": "all", "effect": "warn", "forbidden": forbidden("203.0.113.0/24", &["*"])},
        {"name": "web", "effect": "warn",
         "allowed": {"from": "subnet:net/a", "to": "subnet:net/b", "services": ["tcp/443"]}},
        {"name": "dns", "effect": "warn",
         "only": {"from": ["VirtualNetwork", "AzureLoadBalancer"], "to": "subnet:net/b", "services": ["udp/53"]}},
    ]}})
}

#[tokio::test]
async fn what_a_write_newly_breaks_is_told_though_not_everything_is_proven_again() {
    let mut reached = (0, 0, BTreeSet::new());
    for seed in 0..6 {
        let bench = Bench::with_group().await;
        bench.network().await;
        lay(&bench.control).await;
        bench.put(INTENTS, intents()).await.expect("all only warn");
        let mut random = Random::new(seed);
        let mut before = broken(&bench.control.standing().expect("it can be proven"));
        for _ in 0..20 {
            let path = format!("{NSG}/securityRules/r{}", random.below(5));
            let outcome = match random.chance(25) {
                true => bench.delete(&path).await,
                false => bench.put(&path, rule(&mut random)).await,
            };
            // Two rules may not have one priority.
            let Ok(outcome) = outcome else { continue };
            let after = broken(&bench.control.standing().expect("it can be proven"));
            for new in after.difference(&before) {
                let is_told = outcome.warnings.iter().any(|told| told.message.contains(&format!("'{new}'")));
                assert!(is_told, "seed {seed}: {new} is broken, and told is {:?}", outcome.warnings);
                reached.0 += 1;
                reached.2.insert(new.clone());
            }
            reached.1 += usize::from(after == before);
            before = after;
        }
    }
    println!("{reached:?}");
    assert!(reached.0 > 20 && reached.1 > 20, "{reached:?}");
    assert_eq!(reached.2.len(), 6, "each intent was broken once: {reached:?}");
}

#[tokio::test]
async fn another_file_of_service_tags_is_proven_at_the_start_and_changes_nothing() {
    let bench = Bench::new().await;
    let corp = |prefix: &str| {
        let prefixes = vec![prefix.parse().expect("a prefix")];
        Options { tags: TagCatalog::new([("Corp".parse().expect("a name"), prefixes)]), ..Options::default() }
    };
    let old = Control::open(bench.store.clone(), corp("198.51.100.0/24")).await.expect("it opens");
    put(&old, "rg", json!({"location": "westeurope"})).await.expect("a group");
    let subnets = json!([
        {"name": "a", "properties": {"addressPrefix": "10.0.1.0/24"}},
        {"name": "b", "properties": {"addressPrefix": "10.0.2.0/24"}},
    ]);
    let space = json!({"addressPrefixes": ["10.0.0.0/16"]});
    let network =
        json!({"location": "westeurope", "properties": {"addressSpace": space, "subnets": subnets}});
    put(&old, "rg/net/virtualNetworks/net", network).await.expect("a network");
    lay(&old).await;
    let mut rule = crate::support::rule(100, 22);
    rule["properties"]["sourceAddressPrefix"] = "Corp".into();
    put(&old, &format!("{NSG}/securityRules/ssh"), rule).await.expect("the tag is known");
    let forbidden = json!({"from": "203.0.113.0/24", "to": "*", "services": ["tcp/22"]});
    let set = json!({"properties": {"intents": [{"name": "ssh", "forbidden": forbidden}]}});
    put(&old, INTENTS, set).await.expect("it holds");
    assert_eq!(broken(&old.standing().expect("it can be proven")), BTreeSet::new());
    let new =
        Control::open(bench.store.clone(), corp("203.0.113.0/24")).await.expect("it opens all the same");
    let verdicts = new.standing().expect("it can be proven");
    assert_eq!((verdicts.len(), verdicts[0].interfaces), (1, 2));
    let breach = verdicts[0].breach.as_ref().expect("the tag means other addresses now");
    assert_eq!(breach.code, "PolicyViolation");
    assert!(breach.message.contains("203.0.113.") && breach.message.contains("ssh"), "{breach}");
    let rendered = new.read(|world| world.render(&id(NSG)));
    assert_eq!(rendered, old.read(|world| world.render(&id(NSG))), "what is in force stays in force");
}
