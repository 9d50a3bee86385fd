//! A control plane on a store of its own, and words to ask it with.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_control::{Action, Caller, Control, ControlError, Options, Outcome, Precondition};
use palisade_model::ResourceId;
use palisade_store::{Sqlite, Store};
use serde_json::{Value, json};
use tokio::task::JoinSet;

pub const SUBSCRIPTION: &str = "/subscriptions/11111111-1111-1111-1111-111111111111";

/// Far longer than anything takes: reaching it is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// A control plane whose store is gone with it.
pub struct Bench {
    pub control: Control,
    pub store: Arc<dyn Store>,
    // Dropped last: the store is in it.
    _folder: tempfile::TempDir,
}

/// A folder in memory where there is one, so that tests do not wait for a disk.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}

impl Bench {
    pub async fn new() -> Self {
        let folder = folder();
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path()).expect("a store"));
        let control = Control::open(store.clone(), Options::default()).await.expect("an empty store opens");
        Self { control, store, _folder: folder }
    }

    /// One with a group `rg` in westeurope.
    pub async fn with_group() -> Self {
        let bench = Self::new().await;
        bench.put("rg", json!({"location": "westeurope"})).await.expect("a group");
        bench
    }

    pub async fn put(&self, path: &str, body: Value) -> Result<Outcome, ControlError> {
        put(&self.control, path, body).await
    }

    pub async fn delete(&self, path: &str) -> Result<Outcome, ControlError> {
        delete(&self.control, path).await
    }

    pub fn get(&self, path: &str) -> Value {
        self.control.read(|world| world.render(&id(path))).unwrap_or_default()
    }

    /// Networks for most tests: `net` with `a` and `b`.
    pub async fn network(&self) {
        self.put(
            "rg/net/virtualNetworks/net",
            json!({"location": "westeurope", "properties": {
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16", "fd00::/48"]},
                "subnets": [
                    {"name": "a", "properties": {"addressPrefix": "10.0.1.0/24"}},
                    {"name": "b", "properties": {"addressPrefixes": ["10.0.2.0/24", "fd00:0:0:2::/64"]}},
                ],
            }}),
        )
        .await
        .expect("a network");
    }
}

/// `rg` is a group; `rg/net/...` is in Microsoft.Network, `rg/vm/...` in Microsoft.Compute.
pub fn id(path: &str) -> ResourceId {
    let text = match path.split_once('/') {
        None => format!("{SUBSCRIPTION}/resourceGroups/{path}"),
        Some((group, rest)) => {
            let (provider, rest) = rest.split_once('/').expect("a provider and the rest");
            let provider = match provider {
                "net" => "Microsoft.Network",
                "vm" => "Microsoft.Compute",
                "lock" => "Microsoft.Authorization",
                other => other,
            };
            format!("{SUBSCRIPTION}/resourceGroups/{group}/providers/{provider}/{rest}")
        }
    };
    ResourceId::new(&text)
}

pub fn reference(path: &str) -> Value {
    json!({"id": id(path).as_str()})
}

pub async fn put(control: &Control, path: &str, body: Value) -> Result<Outcome, ControlError> {
    let action = Action::Put { id: id(path), body, precondition: Precondition::default() };
    control.act(&caller(), action).await
}

pub async fn delete(control: &Control, path: &str) -> Result<Outcome, ControlError> {
    control.act(&caller(), Action::Delete { id: id(path), precondition: Precondition::default() }).await
}

pub fn caller() -> Caller {
    Caller { principal: "oid".to_owned(), name: "ada".to_owned(), ..Caller::default() }
}

/// A rule that admits TCP to a port.
pub fn rule(priority: u32, port: u32) -> Value {
    json!({"properties": {
        "protocol": "Tcp", "access": "Allow", "direction": "Inbound", "priority": priority,
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": port.to_string(),
    }})
}

/// A network interface in a subnet.
pub fn nic(subnet: &str) -> Value {
    json!({"location": "westeurope", "properties": {"ipConfigurations": [
        {"name": "ipconfig1", "properties": {"subnet": reference(subnet)}},
    ]}})
}

/// A body in which everything is like `body` but for some properties.
pub fn with(mut body: Value, mut properties: Value) -> Value {
    for (key, value) in properties.as_object_mut().expect("an object") {
        body["properties"][key] = value.take();
    }
    body
}

/// All that a server shows.
pub fn everything(control: &Control) -> Vec<(ResourceId, Option<Value>)> {
    control.read(|world| world.documents().map(|d| (d.id().clone(), world.render(d.id()))).collect())
}

/// Every reference leads to something.
#[track_caller]
pub fn assert_whole(control: &Control) {
    control.read(|world| {
        for document in world.documents() {
            for target in document.references() {
                assert!(world.document(target).is_some(), "{} names {target}, which is gone", document.id());
            }
        }
    });
}

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Two servers of one store write into each other's way: interfaces name groups that the other deletes.
pub async fn quarrel(one: &Control, two: &Control) {
    put(one, "rg", json!({"location": "westeurope"})).await.expect("a group");
    let network = json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}]}});
    // The second server may not have heard of the group yet when it is asked; it finds out before it answers.
    put(one, "rg/net/virtualNetworks/net", network).await.expect("a network");
    let mut both = JoinSet::new();
    for (server, control) in [one.clone(), two.clone()].into_iter().enumerate() {
        both.spawn(async move {
            for round in 0..40 {
                let nsg = format!("rg/net/networkSecurityGroups/g{}", round % 4);
                let interface = format!("rg/net/networkInterfaces/n{}", round % 3);
                // Each may be refused: the other server is in the way. What is stored must be right all the same.
                let _ = put(&control, &nsg, json!({"location": "westeurope"})).await;
                let mut body = nic("rg/net/virtualNetworks/net/subnets/s");
                body["properties"]["networkSecurityGroup"] = reference(&nsg);
                body["tags"] = json!({"server": server.to_string(), "round": round.to_string()});
                let _ = put(&control, &interface, body).await;
                let _ = delete(&control, &format!("rg/net/networkSecurityGroups/g{}", (round + 1) % 4)).await;
                let _ = delete(&control, &format!("rg/net/networkInterfaces/n{}", (round + 2) % 3)).await;
            }
        });
    }
    both.join_all().await;
}
