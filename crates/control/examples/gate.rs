//! What the gate adds to one edit of a rule in a large estate: 10,000 interfaces in 200 subnets, 240 NSGs of 150 rules each way,
//! three interfaces in five with an NSG of their own. `cargo run --release -p palisade-control --example gate [folder]`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_control::{Action, Caller, Control, Options, Precondition};
use palisade_model::ResourceId;
use palisade_store::{Sqlite, Store};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const GROUP: &str = "/subscriptions/s/resourceGroups/rg";
const WRITERS: usize = 64;
const NICS: usize = 10_000;
const SUBNETS: usize = 200;
const NSGS: usize = 240;
/// Rules of an NSG, each way.
const RULES: usize = 150;
const EDITS: usize = 60;

async fn put(control: &Control, id: &str, body: Value) {
    let id = ResourceId::new(&format!("{GROUP}{id}"));
    let put = Action::Put { id, body, precondition: Precondition::default() };
    control.act(&Caller::default(), put).await.expect("the estate is sound, and no intent forbids it");
}

fn of(kind: &str) -> Value {
    json!({"id": format!("{GROUP}/providers/Microsoft.Network/{kind}")})
}

/// A rule between subnets, of a service that depends on numbers.
fn rule(nsg: usize, number: usize, direction: &str) -> Value {
    let subnet = |number: usize| format!("10.{}.{}.0/20", number % SUBNETS / 16, number % 16 * 16);
    let (own, other) = (subnet(nsg), subnet(nsg * 7 + number * 13));
    let (source, destination) = if direction == "Inbound" { (other, own) } else { (own, other) };
    json!({"properties": {
        "protocol": if number.is_multiple_of(5) { "Udp" } else { "Tcp" },
        "access": if number.is_multiple_of(3) { "Deny" } else { "Allow" },
        "direction": direction, "priority": 200 + number,
        "sourceAddressPrefix": source, "sourcePortRange": "*",
        "destinationAddressPrefix": destination, "destinationPortRange": (1_000 + number % 40 * 50).to_string(),
    }})
}

async fn estate(control: &Control) {
    put(control, "", json!({"location": "west"})).await;
    for nsg in 0..NSGS {
        let ways = [("in", "Inbound"), ("out", "Outbound")];
        let rules = ways.iter().flat_map(|(name, way)| {
            (0..RULES).map(move |at| {
                json!({"name": format!("{name}{at}"), "properties": rule(nsg, at, way)["properties"]})
            })
        });
        let body = json!({"location": "west", "properties": {"securityRules": rules.collect::<Vec<_>>()}});
        put(control, &format!("/providers/Microsoft.Network/networkSecurityGroups/n{nsg}"), body).await;
    }
    let subnets: Vec<Value> = (0..SUBNETS)
        .map(|at| {
            json!({"name": format!("s{at}"), "properties": {
                "addressPrefix": format!("10.{}.{}.0/20", at / 16, at % 16 * 16),
                "networkSecurityGroup": of(&format!("networkSecurityGroups/n{at}"))}})
        })
        .collect();
    let body = json!({"location": "west", "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/8"]}, "subnets": subnets}});
    put(control, "/providers/Microsoft.Network/virtualNetworks/net", body).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let control = control.clone();
        writers.spawn(async move {
            for nic in (writer..NICS).step_by(WRITERS) {
                let mut properties = json!({"ipConfigurations": [{"name": "c", "properties": {
                    "subnet": of(&format!("virtualNetworks/net/subnets/s{}", nic % SUBNETS))}}]});
                if nic % 5 < 3 {
                    properties["networkSecurityGroup"] =
                        of(&format!("networkSecurityGroups/n{}", nic * 31 % NSGS));
                }
                let body = json!({"location": "west", "properties": properties});
                put(&control, &format!("/providers/Microsoft.Network/networkInterfaces/i{nic}"), body).await;
            }
        });
    }
    writers.join_all().await;
}

/// Edits one rule after the other, of NSGs here and there, about a port or one that no intent names; what the middle one and the slow ones take.
async fn edits(control: &Control, what: &str, round: usize, port: Option<usize>) -> Duration {
    let mut took = Vec::new();
    for edit in 0..EDITS {
        let nsg = edit * 7 % SUBNETS;
        let mut body = rule(nsg, 3 + edit % 9, "Inbound");
        // One that says what is there already would not be written.
        body["properties"]["priority"] = (2_000 + round).into();
        let port = port.unwrap_or(20_000 + round * EDITS + edit);
        body["properties"]["destinationPortRange"] = port.to_string().into();
        body["properties"]["access"] = "Allow".into();
        body["properties"]["protocol"] = "Tcp".into();
        let begun = Instant::now();
        let id = format!("/providers/Microsoft.Network/networkSecurityGroups/n{nsg}/securityRules/edit");
        put(control, &id, body).await;
        took.push(begun.elapsed());
    }
    took.sort();
    println!(
        "one rule edited, {what}: {:.2?}, one in ten over {:.2?}",
        took[EDITS / 2],
        took[EDITS * 9 / 10]
    );
    took[EDITS / 2]
}

async fn intents(control: &Control, name: &str, intents: Value) {
    let begun = Instant::now();
    let id = format!("/providers/Palisade.Network/intents/{name}");
    put(control, &id, json!({"properties": {"intents": intents}})).await;
    println!("intents {name} proven of everything and stored in {:.1?}", begun.elapsed());
}

#[tokio::main]
async fn main() {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("palisade-gate-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&folder).expect("it opens"));
    let control = Control::open(store, Options::default()).await.expect("it opens");
    let begun = Instant::now();
    estate(&control).await;
    println!(
        "{NSGS} NSGs of {RULES} rules each way and {NICS} interfaces written in {:.1?}",
        begun.elapsed()
    );
    let without = edits(&control, "without intents", 0, None).await;
    let services = json!(["tcp/22", "tcp/1433", "tcp/3389", "udp/3389", "tcp/5985-5986"]);
    let exposure =
        json!([{"name": "management", "forbidden": {"from": "Internet", "to": "*", "services": services}}]);
    intents(&control, "exposure", exposure).await;
    let with = edits(&control, "with one about the Internet", 1, None).await;
    println!("the gate adds {:.1?}", with.saturating_sub(without));
    let between = json!({"from": "subnet:net/s1", "to": "subnet:net/s2", "services": ["tcp/3389"]});
    intents(&control, "tiers", json!([{"name": "tiers", "effect": "warn", "forbidden": between}])).await;
    let with = edits(&control, "and one between subnets", 2, None).await;
    println!("the gate adds {:.1?}", with.saturating_sub(without));
    let with = edits(&control, "of a port that both are about", 3, Some(3_389)).await;
    println!("the gate adds {:.1?}", with.saturating_sub(without));
    drop(control);
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}
