//! `palisade verify`: one flow by options, many by lines.

use serde_json::{Value, json};

use crate::{Run, palisade};

/// Asks flows of the estate, a line each.
fn ask(lines: &[u8]) -> Run {
    palisade(&["verify", "estate.json", "--flows", "-", "--format", "json"], lines)
}

fn answers(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// A flow from or to `10.0.1.4` with the fields of `more` besides.
fn flow(direction: &str, protocol: &Value, remote: &str, more: &Value) -> Value {
    let mut flow = json!({ "nic": "web1-nic", "direction": direction, "protocol": protocol,
        "localAddress": "10.0.1.4", "remoteAddress": remote });
    let fields = flow.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    flow
}

fn lines(flows: &[Value]) -> Vec<u8> {
    flows.iter().flat_map(|flow| format!("{flow}\n").into_bytes()).collect()
}

fn answer(access: &str, rule: Option<&str>, nsg: Option<&str>, layer: &str, reason: &str) -> Value {
    json!({ "access": access, "rule": rule, "nsg": nsg, "layer": layer, "reason": reason })
}

#[test]
fn each_answer_names_the_rule_that_decided() {
    let office = "198.51.100.7";
    let cases = [
        (
            flow("Inbound", &json!("Tcp"), office, &json!({ "localPort": 443, "remotePort": 50000 })),
            answer("Allow", Some("securityRules/allow-web"), Some("nic-nsg"), "NetworkInterface", "UserRule"),
        ),
        (
            flow("Inbound", &json!(6), office, &json!({ "localPort": "3389", "remotePort": 50000 })),
            answer(
                "Deny",
                Some("defaultSecurityRules/DenyAllInBound"),
                Some("nic-nsg"),
                "NetworkInterface",
                "DefaultRule",
            ),
        ),
        (
            flow("inbound", &json!("TCP"), "8.8.8.8", &json!({ "localPort": 22 })),
            answer(
                "Deny",
                Some("defaultSecurityRules/DenyAllInBound"),
                Some("web-nsg"),
                "Subnet",
                "DefaultRule",
            ),
        ),
        (
            flow("Outbound", &json!("17"), "8.8.8.8", &json!({ "remotePort": 123 })),
            answer("Deny", Some("securityRules/deny-internet"), Some("web-nsg"), "Subnet", "UserRule"),
        ),
        (
            flow("Outbound", &json!("Tcp"), "20.60.0.1", &json!({ "remotePort": 443 })),
            answer("Unknown", None, None, "None", "Undetermined"),
        ),
        (
            json!({ "nic": "OPEN-NIC", "direction": "Inbound", "protocol": 47, "remoteAddress": "8.8.8.8" }),
            answer("Allow", None, None, "None", "NoSecurityGroup"),
        ),
        (
            json!({ "nsg": "Web-NSG", "direction": "Inbound", "protocol": "Icmp", "localAddress": "10.0.1.4",
                "localPort": 8, "remoteAddress": "8.8.8.8" }),
            answer("Allow", Some("securityRules/allow-ping"), Some("web-nsg"), "Subnet", "UserRule"),
        ),
        (
            flow("Outbound", &json!("Icmp"), "10.0.2.4", &json!({ "remotePort": 8 })),
            answer(
                "Allow",
                Some("defaultSecurityRules/AllowVnetOutBound"),
                Some("web-nsg"),
                "Subnet",
                "DefaultRule",
            ),
        ),
    ];
    let (flows, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let run = ask(&lines(&flows));
    assert_eq!(answers(&run), expected);
    assert_eq!(run.code, 1, "some are denied");
}

#[test]
fn the_fields_stand_in_their_order() {
    let run = ask(&lines(&[flow("Inbound", &json!("Tcp"), "8.8.8.8", &json!({ "localPort": 443 }))]));
    let expected = "{\"access\":\"Allow\",\"rule\":\"securityRules/allow-web\",\"nsg\":\"nic-nsg\",\
                    \"layer\":\"NetworkInterface\",\"reason\":\"UserRule\"}\n";
    assert_eq!((run.stdout.as_str(), run.code), (expected, 0));
}

#[test]
fn a_bad_line_is_answered_in_its_place() {
    let good = flow("Inbound", &json!("Tcp"), "8.8.8.8", &json!({ "localPort": 443 })).to_string();
    let long = "x".repeat(100_000);
    let invalid = |more: Value| flow("Inbound", &json!("Tcp"), "8.8.8.8", &more).to_string();
    let bad: [(&str, String); 13] = [
        ("InvalidJson", "not json".to_owned()),
        ("InvalidJson", good[..40].to_owned()),
        ("LineTooLong", long),
        ("InvalidFlow", "[]".to_owned()),
        ("InvalidFlow", "{}".to_owned()),
        ("InvalidFlow", invalid(json!({}))),
        ("InvalidFlow", invalid(json!({ "localPort": 70000 }))),
        ("InvalidFlow", invalid(json!({ "localPort": 443, "protocol": "*" }))),
        ("InvalidFlow", invalid(json!({ "localPort": 443, "protocol": 256 }))),
        ("InvalidFlow", invalid(json!({ "localPort": 443, "direction": "Sideways" }))),
        ("InvalidFlow", invalid(json!({ "localPort": 443, "remoteAddress": "2001:db8::1" }))),
        ("InvalidFlow", invalid(json!({ "localPort": 443, "nsg": "web-nsg" }))),
        ("ResourceNotFound", invalid(json!({ "localPort": 443, "nic": "nobody" }))),
    ];
    let mut input = "\u{feff}".to_owned();
    for (_, line) in &bad {
        input.push_str(&format!("{good}\r\n\r\n{line}\r\n"));
    }
    let run = ask(&[input.as_bytes(), b"\xff\n", good.as_bytes()].concat());
    let answers = answers(&run);
    assert_eq!(run.code, 2);
    assert_eq!(answers.len(), 2 * bad.len() + 2);
    for (pair, (code, line)) in answers.chunks(2).zip(&bad) {
        assert_eq!(pair[0]["access"], "Allow");
        assert_eq!(pair[1]["error"]["code"], *code, "{line:.60}");
        assert!(pair[1]["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    assert_eq!(answers[2 * bad.len()]["error"]["code"], "InvalidJson", "bytes that are no text");
    assert_eq!(answers[2 * bad.len() + 1]["access"], "Allow");
}

#[test]
fn no_flows_are_no_finding() {
    let run = ask(b"\n\n");
    assert_eq!((run.stdout.as_str(), run.code), ("", 0));
}

#[test]
fn one_flow_is_asked_by_options() {
    let one = |more: &[&str]| {
        let asked = ["verify", "estate.json", "--direction", "Inbound", "--protocol", "Tcp"];
        palisade(&[&asked[..], more].concat(), b"")
    };
    let allowed = one(&["--nic", "web1-nic", "--local-port", "443", "--remote-address", "8.8.8.8"]);
    assert_eq!(allowed.code, 0);
    assert_eq!(
        allowed.stdout,
        "Allow    Inbound Tcp 8.8.8.8:49152 -> 10.0.1.4:443  by securityRules/allow-web of nic-nsg (NetworkInterface)\n"
    );
    let denied =
        one(&["--nic", "web1-nic", "--local-port", "22", "--remote-address", "8.8.8.8", "--format", "json"]);
    assert_eq!(denied.code, 1);
    assert_eq!(answers(&denied)[0]["rule"], "defaultSecurityRules/DenyAllInBound");
    let alone = ["--nsg", "nic-nsg", "--address", "192.168.0.4", "--local-port", "22", "--remote-address"];
    let network = ["192.168.0.9", "--virtual-network", "192.168.0.0/16,172.16.0.0/12"];
    assert_eq!(one(&[&alone[..], &network[..]].concat()).code, 0, "of the network that was given");
    assert_eq!(one(&[&alone[..], &["10.0.0.9"], &network[1..]].concat()).code, 1, "not of it");
}

/// A rule in audit decides nothing, and a rule with a window decides in it.
#[test]
fn what_a_trial_would_change_is_said_for_the_time_that_is_asked() {
    let at = |time: &str, format: &str| {
        let asked = ["verify", "trial.json", "--nsg", "trial-nsg", "--address", "10.0.0.4", "--direction"];
        let flow = ["Inbound", "--protocol", "Tcp", "--local-port", "443", "--remote-address", "8.8.8.8"];
        let network = ["--virtual-network", "10.0.0.0/16"];
        palisade(&[&asked[..], &flow, &network, &["--at", time, "--format", format]].concat(), b"")
    };
    let said = |access: &str, rule: &str, reason: &str| {
        answer(access, Some(rule), Some("trial-nsg"), "NetworkInterface", reason)
    };
    let open = at("2027-01-15T08:00:00Z", "json");
    let mut expected = said("Allow", "securityRules/allow-web", "UserRule");
    expected["palisade"] =
        json!({ "notBefore": "2027-01-15T08:00:00Z", "expiresAt": "2027-01-15T09:00:00Z" });
    expected["audit"] = said("Deny", "securityRules/close-web", "UserRule");
    expected["audit"]["palisade"] = json!({ "mode": "Audit" });
    assert_eq!((answers(&open), open.code), (vec![expected], 0));
    let closed = said("Deny", "defaultSecurityRules/DenyAllInBound", "DefaultRule");
    for time in ["2027-01-15T07:59:59Z", "2027-01-15T10:00:00+01:00"] {
        let run = at(time, "json");
        assert_eq!((answers(&run), run.code), (vec![closed.clone()], 1), "{time}");
    }
    let sentence = at("2027-01-15T08:30Z", "table").stdout;
    let end = "by securityRules/allow-web of trial-nsg (NetworkInterface) until 2027-01-15T09:00:00Z; in audit Deny by securityRules/close-web of \
               trial-nsg (NetworkInterface)\n";
    assert!(sentence.ends_with(end), "{sentence}");
    let refused = at("tomorrow", "json");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("write 2026-01-31T08:00Z"), "{}", refused.stderr);
}
