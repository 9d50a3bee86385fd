//! What the control plane does in a second, on a SQLite store: single rules written by many clients, and starting with a
//! large estate. `cargo run --release -p palisade-control --example measure [folder]`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_control::{Action, Caller, Control, ControlError, Options, Outcome, Precondition};
use palisade_model::ResourceId;
use palisade_store::{Sqlite, Store};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const GROUP: &str = "/subscriptions/s/resourceGroups/rg";
const CLIENTS: u32 = 64;
const NSGS: u32 = 1_000;
const NICS: u32 = 10_000;

async fn put(control: &Control, path: &str, body: Value) -> Result<Outcome, ControlError> {
    let id = match path {
        "" => ResourceId::new(GROUP),
        path => ResourceId::new(&format!("{GROUP}/providers/Microsoft.Network/{path}")),
    };
    control.act(&Caller::default(), Action::Put { id, body, precondition: Precondition::default() }).await
}

fn rule(priority: u32, port: u32) -> Value {
    json!({"properties": {
        "protocol": "Tcp", "access": "Allow", "direction": "Inbound", "priority": priority,
        "sourceAddressPrefix": "10.0.0.0/8", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": port.to_string(),
    }})
}

/// Writes single rules for a while; how many a second, and the slowest.
async fn rules(control: &Control, shared: bool) -> (f64, Duration) {
    let (begun, mut clients) = (Instant::now(), JoinSet::new());
    for client in 0..CLIENTS {
        let control = control.clone();
        clients.spawn(async move {
            let nsg = if shared { 0 } else { client };
            let (mut done, mut slowest) = (0_u32, Duration::ZERO);
            while begun.elapsed() < Duration::from_secs(5) {
                let path = format!("networkSecurityGroups/n{nsg}/securityRules/c{client}-{}", done % 10);
                let asked = Instant::now();
                let priority = 100 + client * 10 + done % 10;
                put(&control, &path, rule(priority, 1 + done)).await.expect("the rule is valid");
                slowest = slowest.max(asked.elapsed());
                done += 1;
            }
            (done, slowest)
        });
    }
    let done = clients.join_all().await;
    let writes: u32 = done.iter().map(|(writes, _)| writes).sum();
    let slowest = done.iter().map(|(_, slowest)| *slowest).max().unwrap_or_default();
    (f64::from(writes) / begun.elapsed().as_secs_f64(), slowest)
}

async fn estate(control: &Control) -> Result<(), ControlError> {
    for nsg in 0..NSGS {
        let rules: Vec<Value> = (0..10)
            .map(|at| json!({"name": format!("r{at}"), "properties": rule(3_000 + at, 80)["properties"]}))
            .collect();
        let body = json!({"location": "west", "properties": {"securityRules": rules}});
        put(control, &format!("networkSecurityGroups/n{nsg}"), body).await?;
    }
    let subnets: Vec<Value> = (0..64)
        .map(|at| json!({"name": format!("s{at}"), "properties": {"addressPrefix": format!("10.0.{}.0/22", at * 4)}}))
        .collect();
    let body = json!({"location": "west", "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": subnets}});
    put(control, "virtualNetworks/net", body).await?;
    let mut writers = JoinSet::new();
    for writer in 0..CLIENTS {
        let control = control.clone();
        writers.spawn(async move {
            for nic in (writer..NICS).step_by(CLIENTS as usize) {
                let of = |kind: &str| json!({"id": format!("{GROUP}/providers/Microsoft.Network/{kind}")});
                let body = json!({"location": "west", "properties": {
                    "networkSecurityGroup": of(&format!("networkSecurityGroups/n{}", nic % NSGS)),
                    "ipConfigurations": [{"name": "c", "properties": {
                        "subnet": of(&format!("virtualNetworks/net/subnets/s{}", nic % 64))}}],
                }});
                put(&control, &format!("networkInterfaces/i{nic}"), body).await?;
            }
            Ok::<_, ControlError>(())
        });
    }
    writers.join_all().await.into_iter().collect()
}

/// Opens the store, once whoever had it open has closed it.
async fn again(folder: &Path) -> Arc<dyn Store> {
    for _ in 0..100 {
        if let Ok(store) = Sqlite::open(folder) {
            return Arc::new(store);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} is still in use", folder.display());
}

#[tokio::main]
async fn main() {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("palisade-measure-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let store = again(&folder).await;
    let control = Control::open(store, Options::default()).await.expect("it opens");
    put(&control, "", json!({"location": "west"})).await.expect("a group");
    let begun = Instant::now();
    estate(&control).await.expect("the estate is valid");
    println!("{NSGS} NSGs of 10 rules and {NICS} NICs written in {:.1?}", begun.elapsed());
    for (shared, what) in [(false, "64 NSGs"), (true, "one NSG")] {
        let (rate, slowest) = rules(&control, shared).await;
        println!("rules of {what}, {CLIENTS} clients: {rate:.0}/s, slowest {slowest:.1?}");
    }
    let nic = ResourceId::new(&format!("{GROUP}/providers/Microsoft.Network/networkInterfaces/i77"));
    let begun = Instant::now();
    let estate = control.read(|world| world.estate(std::slice::from_ref(&nic)));
    println!("the estate of one NIC in {:.1?}, valid: {}", begun.elapsed(), estate.is_ok());
    drop(control);
    let store = again(&folder).await;
    let begun = Instant::now();
    let control = Control::open(store, Options::default()).await.expect("it opens");
    println!("opened again in {:.1?}", begun.elapsed());
    println!("{} documents", control.read(|world| world.documents().count()));
    let memory = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", memory.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default());
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}
