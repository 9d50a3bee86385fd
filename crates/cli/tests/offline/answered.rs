//! Answers to alerts in an estate's files: what `effective` and `verify` show of them, and that `export` and `check` leave them out.

use serde_json::{Value, json};

use crate::palisade;

const END: &str = "2027-01-15T09:00:00Z";
const BEFORE: [&str; 2] = ["--at", "2027-01-15T08:00Z"];
const AFTER: [&str; 2] = ["--at", "2027-01-15T10:00Z"];

fn effective(nic: &str) -> Value {
    let run = palisade(&["effective", "answered.json", "--nic", nic, "--format", "json"], b"");
    serde_json::from_str(&run.stdout).expect("one document")
}

/// What an answer says of its lists: names of rules, and what is ours of each.
fn own(answer: &Value) -> Vec<(&str, &Value)> {
    let rules = answer["value"][0]["effectiveSecurityRules"].as_array().expect("a list");
    rules.iter().map(|rule| (rule["name"].as_str().expect("a name"), &rule["palisade"])).collect()
}

#[test]
fn effective_shows_what_decides_with_its_list_and_its_end() {
    let web = effective("web-nic");
    let [grant, lockout] = ["TimedAccess", "Lockout"].map(|list| json!({"list": list, "expiresAt": END}));
    let door = json!({"list": "TimedAccess"});
    let expected = [
        ("grant-7", &grant),
        ("lockout-guesser", &lockout),
        ("block-c2-Inbound", &lockout),
        ("grant-7", &grant),
        ("door-3389", &door),
        ("block-c2-Outbound", &lockout),
    ];
    assert_eq!(own(&web), expected);
    let association = &web["value"][0]["association"];
    assert!(association["networkInterface"]["id"].as_str().is_some_and(|id| id.ends_with("/web-nic")));
    let throttle = json!({"ruleName": "throttle-web1-Outbound", "newDestinationsPerSecond": 2, "workingSet": 5, "expiresAt": END});
    assert_eq!(web["palisade"]["throttle"], throttle);

    let taken = effective("taken-nic");
    let quarantine = json!({"list": "Quarantine"});
    let names = ["forensic-taken-1", "quarantine-taken-Inbound", "quarantine-taken-Outbound"];
    assert_eq!(own(&taken), names.map(|name| (name, &quarantine)));
    assert_eq!(taken.get("palisade"), None);

    for options in [&[][..], &["--explain"]] {
        let asked = ["effective", "answered.json", "--nic", "web-nic"];
        let table = palisade(&[&asked[..], options].concat(), b"").stdout;
        let last = table.lines().last().expect("rows");
        for word in [
            "Outbound",
            "(throttle)",
            "throttle-web1-Outbound",
            "at most 2 a second until 2027-01-15T09:00:00Z",
        ] {
            assert!(last.contains(word), "{last}");
        }
        assert!(table.contains("(lock-outs)") && table.contains("(timed access)"), "{table}");
    }
}

/// What `verify` says of a flow of the web machine.
fn verified(direction: &str, remote: &str, at: [&str; 2], format: &str) -> String {
    let asked = ["verify", "answered.json", "--nic", "web-nic", "--protocol", "Tcp", "--format", format];
    let ports = ["--direction", direction, "--remote-address", remote];
    let local = if direction == "Inbound" { ["--local-port", "443"] } else { ["--remote-port", "443"] };
    palisade(&[&asked[..], &ports, &local, &at].concat(), b"").stdout
}

#[test]
fn verify_names_the_answer_that_decides_while_it_is_in_force() {
    let locked: Value =
        serde_json::from_str(&verified("Inbound", "203.0.113.9", BEFORE, "json")).expect("an answer");
    let told = (&locked["access"], &locked["rule"], &locked["palisade"]);
    let own = json!({"list": "Lockout", "expiresAt": END});
    assert_eq!(told, (&json!("Deny"), &json!("lockout-guesser"), &own));
    assert!(
        verified("Inbound", "203.0.113.9", BEFORE, "table").contains("until 2027-01-15T09:00:00Z"),
        "the end is told in words too"
    );
    let free: Value =
        serde_json::from_str(&verified("Inbound", "203.0.113.9", AFTER, "json")).expect("an answer");
    assert_eq!((&free["access"], &free["rule"]), (&json!("Allow"), &json!("securityRules/allow-web")));
    assert_eq!(free.get("palisade"), None);

    let slowed: Value =
        serde_json::from_str(&verified("Outbound", "8.8.8.8", BEFORE, "json")).expect("an answer");
    assert_eq!(slowed["throttle"]["expiresAt"], END);
    let words = "at most 2 new destinations a second by throttle-web1-Outbound until 2027-01-15T09:00:00Z";
    assert!(verified("Outbound", "8.8.8.8", BEFORE, "table").contains(words));
    assert!(!verified("Outbound", "8.8.8.8", AFTER, "json").contains("throttle"), "it has ended");
}

#[test]
fn export_leaves_them_out_and_says_so_twice() {
    let asked = ["export", "answered.json", "--format"];
    for form in ["nftables", "windows-firewall"] {
        let export =
            |nic: &str, at: [&str; 2]| palisade(&[&asked[..], &[form, "--nic", nic], &at].concat(), b"");
        let web = export("web-nic", BEFORE);
        assert_eq!(web.code, 0, "{}", web.stderr);
        for answer in ["lockout-guesser", "block-c2-Inbound", "block-c2-Outbound", "throttle-web1-Outbound"] {
            let line = format!("not part of this, the host enforces it: {answer} until {END}");
            assert!(web.stdout.contains(&format!("# {line}\n")), "{}", web.stdout);
            assert!(web.stderr.contains(&format!("warning: {line}\n")), "{}", web.stderr);
        }
        let rules: Vec<&str> = web.stdout.lines().filter(|line| !line.starts_with('#')).collect();
        let rules = rules.join("\n");
        assert!(!rules.contains("lockout") && !rules.contains("203.0.113.9"), "{rules}");
        let ended = export("web-nic", AFTER);
        assert!(!ended.stdout.contains("not part of this") && ended.stderr.is_empty(), "{}", ended.stdout);

        let taken = export("taken-nic", BEFORE);
        let line =
            "# not part of this, the host enforces it: quarantine-taken-Inbound until it is released\n";
        assert!(taken.stdout.contains(line), "{}", taken.stdout);
        let open = if form == "nftables" { "securityRules/allow-web" } else { "LocalPort = @('443')" };
        assert!(taken.stdout.contains(open), "it is open again when it is released: {}", taken.stdout);
    }
}

#[test]
fn check_finds_what_is_open_when_they_have_ended() {
    let run = palisade(&["check", "answered.json", "--format", "json", "--fail-on", "none"], b"");
    let told: Value = serde_json::from_str(&run.stdout).expect("one document");
    let findings = told["findings"].as_array().expect("a list");
    let https = findings.iter().filter(|finding| finding["id"] == "PAL-EXPOSURE-HTTPS");
    let https: Vec<_> =
        https.map(|finding| (finding["nic"].as_str(), finding["region"].to_string())).collect();
    let nics: Vec<_> = https.iter().map(|(nic, _)| *nic).collect();
    assert_eq!(nics, [Some("taken-nic"), Some("web-nic")], "the machine in quarantine too");
    assert!(https.iter().all(|(_, region)| !region.contains("203.0.113.9")), "{https:?}");
}
