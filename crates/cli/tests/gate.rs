//! Intents from the command line: stored, held against a write, previewed by a dry run, overridden.

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
struct Site {
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
    fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("palisade-gate-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
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
    fn expect(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let text = |bytes| String::from_utf8(bytes).expect("the command prints text");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
        (stdout, stderr)
    }

    fn id(&self, rest: &str) -> String {
        format!("{}/providers/{rest}", self.group)
    }

    fn file(&self, name: &str, content: &Value) {
        std::fs::write(self.folder.join(name), content.to_string()).expect("a file");
    }

    /// A machine behind an NSG, and an intent.
    fn lay(&self) {
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
    fn mac(&self) -> String {
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

#[test]
fn intents_hold_what_is_applied() {
    let site = Site::start();
    site.lay();
    let (listed, _) = site.expect(0, &["get", "intents"]);
    assert!(listed.contains("baseline"), "{listed}");
    let rule = site.id("Microsoft.Network/networkSecurityGroups/web/securityRules/rdp");
    site.file(
        "rule.json",
        &json!({ "id": rule, "properties": {
        "protocol": "Tcp", "access": "Allow", "direction": "Inbound", "priority": 100,
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "3389",
    } }),
    );

    let (told, _) = site.expect(1, &["apply", "rule.json", "--dry-run"]);
    for part in ["Create", "one  Inbound: Deny -> Allow", "securityRules/rdp of web", "Violated", "no-rdp"] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let (told, _) = site.expect(1, &["apply", "rule.json", "--dry-run", "--format", "json"]);
    let told: Value = serde_json::from_str(&told).expect("one document");
    assert_eq!(told["changes"][0]["change"], "Create");
    assert_eq!(told["traffic"]["regions"][0]["places"][0], "one");
    assert_eq!(told["intents"][0]["outcome"], "Violated");

    let (_, refused) = site.expect(2, &["apply", "rule.json"]);
    assert!(refused.contains("PolicyViolation") && refused.contains("-> 10.0.1.4:3389"), "{refused}");
    site.expect(2, &["get", &rule]);
    let (_, warned) = site.expect(0, &["apply", "rule.json", "--override", "change 4711"]);
    assert!(warned.contains("warning: PolicyViolation"), "{warned}");
    let (log, _) = site.expect(0, &["audit", "export"]);
    let entries = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("an entry"));
    let overridden: Vec<Value> = entries.filter(|entry| entry["reason"] == "change 4711").collect();
    assert_eq!(overridden.len(), 1, "{log}");
    assert_eq!(overridden[0]["broken"][0]["intent"], "no-rdp");
    site.expect(0, &["audit", "verify"]);
}

#[test]
fn a_dry_run_tells_which_flows_of_a_log_would_break() {
    let site = Site::start();
    site.lay();
    let nsg = site.id("Microsoft.Network/networkSecurityGroups/web");
    let tuples = json!([
        "1700000000,10.0.1.9,10.0.1.4,50000,443,T,I,A,B,,,,",
        "1700000060,10.0.1.9,10.0.1.4,50000,443,T,I,A,E,10,1000,20,2000",
        "1700000100,10.0.1.9,10.0.1.4,50000,22,T,I,A,B,,,,",
    ]);
    let flows = json!([{ "mac": site.mac(), "flowTuples": tuples }]);
    let rules = json!([{ "rule": "DefaultRule_AllowVnetInBound", "flows": flows }]);
    let record = json!({ "resourceId": nsg, "properties": { "Version": 2, "flows": rules } });
    site.file("log.json", &json!({ "records": [record] }));
    let deny = json!({
        "protocol": "Tcp", "access": "Deny", "direction": "Inbound", "priority": 100,
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "443",
    });
    site.file("deny.json", &json!({ "id": format!("{nsg}/securityRules/no-web"), "properties": deny }));

    let asked = ["apply", "deny.json", "--dry-run", "--flows", "log.json"];
    let (told, _) = site.expect(1, &asked);
    for part in [
        "breaks  one  Inbound: Allow -> Deny",
        "after    securityRules/no-web of web",
        "443",
        "unchanged  1 flow",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let (told, _) = site.expect(1, &[&asked[..], &["--format", "json"]].concat());
    let told: Value = serde_json::from_str(&told).expect("one document");
    let (breaks, change) = (&told["flows"]["summary"]["breaks"], &told["flows"]["changes"][0]);
    assert_eq!(
        (&breaks["flows"], &breaks["existing"], &breaks["bytes"]),
        (&json!(1), &json!(1), &json!(3000))
    );
    assert_eq!((&change["effect"], &change["witness"]["localPort"]), (&json!("breaks"), &json!(443)));
    assert_eq!(told["flows"]["drift"], Value::Null);
    let (_, said) = site.expect(2, &["apply", "deny.json", "--dry-run", "--flows", "none.json"]);
    assert!(said.contains("none.json"), "{said}");
    site.expect(2, &["apply", "deny.json", "--flows", "log.json"]);
}
