//! A server without hosts, and the command that speaks to it.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use palisade_client::{Bootstrap, Client};
use serde_json::{Value, json};

const PALISADE: &str = env!("CARGO_BIN_EXE_palisade");
const ANY_PORT: &str = "127.0.0.1:0";
/// Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is killed however the test ends, and a folder for files.
pub struct Site {
    server: Child,
    folder: PathBuf,
    group: String,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _over = self.server.kill();
        let _over = self.server.wait();
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

impl Site {
    /// Starts a server, and logs in.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("palisade-served-").tempdir().expect("a folder").keep();
        let data = folder.join("data");
        let server = Command::new(PALISADE)
            .args(["server", "--listen", ANY_PORT, "--agents-listen", ANY_PORT, "--data"])
            .arg(&data)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command starts");
        let mut site = Self { server, folder, group: String::new() };
        let begun = Instant::now();
        let client = loop {
            if let Some(client) = client(&data) {
                break client;
            }
            assert!(site.server.try_wait().expect("it is ours").is_none(), "it ended");
            assert!(begun.elapsed() < PATIENCE, "it does not serve");
            thread::sleep(Duration::from_millis(20));
        };
        site.group = format!("/subscriptions/{}/resourceGroups/lab", client.subscription());
        let bootstrap = data.join("bootstrap.json");
        site.expect(0, &["login", "--bootstrap", bootstrap.to_str().expect("a path in UTF-8")]);
        site
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let command = Command::new(PALISADE)
            .args(arguments)
            .current_dir(&self.folder)
            .env("PALISADE_PROFILES", self.folder.join("profiles.json"))
            .output();
        command.expect("the command starts")
    }

    /// Runs the command, which ends with this code; what it printed and what it said.
    #[track_caller]
    pub fn expect(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let text = |bytes| String::from_utf8(bytes).expect("the command prints text");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
        (stdout, stderr)
    }

    /// The id of a resource of the group.
    pub fn id(&self, rest: &str) -> String {
        format!("{}/providers/{rest}", self.group)
    }

    /// Writes a file for the command.
    pub fn file(&self, name: &str, content: &Value) {
        std::fs::write(self.folder.join(name), content.to_string()).expect("a file");
    }

    /// A machine behind an NSG, and an intent.
    pub fn lay(&self) {
        let nsg = self.id("Microsoft.Network/networkSecurityGroups/web");
        let network = self.id("Microsoft.Network/virtualNetworks/net");
        let configuration = json!({ "name": "c", "properties": {
            "subnet": { "id": format!("{network}/subnets/a") },
            "privateIPAllocationMethod": "Static", "privateIPAddress": "10.0.1.4",
        } });
        let resources = json!([
            { "id": nsg, "location": "westeurope", "properties": {} },
            { "id": network, "location": "westeurope", "properties": {
                "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] },
                "subnets": [{ "name": "a", "properties": { "addressPrefix": "10.0.1.0/24" } }],
            } },
            { "id": self.id("Microsoft.Network/networkInterfaces/one"), "location": "westeurope", "properties": {
                "networkSecurityGroup": { "id": nsg }, "ipConfigurations": [configuration],
            } },
        ]);
        self.file("estate.json", &resources);
        self.expect(0, &["apply", "estate.json", "--location", "westeurope"]);
        let forbidden = json!({ "from": "Internet", "to": "*", "services": ["tcp/3389"] });
        let intents = json!([{ "name": "no-rdp", "forbidden": forbidden }]);
        let set = self.id("Palisade.Network/intents/baseline");
        self.file("intents.json", &json!({ "id": set, "properties": { "intents": intents } }));
        self.expect(0, &["apply", "intents.json"]);
    }

    /// The hardware address of the interface, as logs write it.
    pub fn mac(&self) -> String {
        let nic = self.id("Microsoft.Network/networkInterfaces/one");
        let (shown, _) = self.expect(0, &["get", &nic, "--format", "json"]);
        let shown: Value = serde_json::from_str(&shown).expect("one document");
        shown["properties"]["macAddress"].as_str().expect("it has one").replace('-', "")
    }
}

fn client(data: &Path) -> Option<Client> {
    let bootstrap = Bootstrap::read(&data.join("bootstrap.json")).ok()?;
    let client = Client::of(bootstrap.profile().ok()?).ok()?;
    client.token().ok()?;
    Some(client)
}
