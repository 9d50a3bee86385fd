//! Questions that cannot be answered: each refusal names the parameter.

use super::super::{diagnostic, flow};
use super::*;

fn machine() -> Estate {
    let mut forwarding = interface("router", "a", "10.0.0.6", None, &[]);
    forwarding["properties"]["enableIPForwarding"] = json!(true);
    estate(&[
        nsg("n", &["tagged 100 Allow Inbound Tcp Storage * 443"]),
        network("10.0.0.0/16", &[("a", "10.0.0.0/24", Some("n"))]),
        interface("nic", "a", "10.0.0.4", None, &[]),
        interface("other", "a", "10.0.0.5", None, &[]),
        forwarding,
    ])
}

/// The good question with one member replaced; null takes it away.
fn ask(estate: &Estate, nics: &[&str], member: &str, value: Value) -> String {
    let mut body = flow_body("In TCP 10.0.0.4:80 8.8.8.8:4000");
    body[member] = value;
    let nics: Vec<&Nic> = nics.iter().map(|name| nic_of(estate, name)).collect();
    match flow::verify(estate, &nics, &body, 0) {
        Ok(answer) => answer["access"].as_str().expect("an access").to_owned(),
        Err(error) => format!("{} {} {}", error.status, error.code, error.target.unwrap_or_default()),
    }
}

#[test]
fn flows_that_cannot_be_are_refused() {
    let estate = machine();
    let invalid = |key: &str| format!("400 InvalidParameter {key}");
    for (member, value, expected) in [
        ("direction", json!("inbound"), "Deny".to_owned()),
        ("direction", json!("sideways"), invalid("direction")),
        ("protocol", json!("Icmp"), invalid("protocol")),
        ("protocol", Value::Null, "400 MissingParameter protocol".to_owned()),
        ("localPort", json!("*"), invalid("localPort")),
        ("localPort", json!("65536"), invalid("localPort")),
        ("localPort", json!(80), "Deny".to_owned()),
        ("remotePort", json!("*"), "Deny".to_owned()),
        ("localIPAddress", json!("10.0.0.9"), invalid("localIPAddress")),
        ("localIPAddress", json!(7), invalid("localIPAddress")),
        ("remoteIPAddress", json!("::1"), invalid("remoteIPAddress")),
        ("remoteIPAddress", json!("host"), invalid("remoteIPAddress")),
        ("targetNicResourceId", json!(id("networkInterfaces", "other")), invalid("targetNicResourceId")),
        ("targetNicResourceId", json!("nic"), invalid("targetNicResourceId")),
    ] {
        assert_eq!(ask(&estate, &["nic"], member, value.clone()), expected, "{member}: {value}");
    }
}

#[test]
fn the_local_address_tells_the_interface_unless_several_may_use_it() {
    let estate = machine();
    let foreign = || json!("172.16.0.1");
    assert_eq!(ask(&estate, &["nic", "other"], "localIPAddress", json!("10.0.0.5")), "Deny");
    assert_eq!(ask(&estate, &["nic", "router"], "localIPAddress", foreign()), "Deny");
    let several = ask(&estate, &["router", "router"], "localIPAddress", foreign());
    assert_eq!(several, "400 TargetNicRequired targetNicResourceId");
}

#[test]
fn an_answer_that_depends_on_an_unknown_tag_is_none() {
    let estate = machine();
    assert_eq!(ask(&estate, &["nic"], "localPort", json!("443")), "409 AnswerUndetermined ");
    let mut body = flow_body("In TCP 10.0.0.4:443 8.8.8.8:*");
    let error = flow::verify(&estate, &[nic_of(&estate, "nic")], &body, 0).expect_err("the tag is unknown");
    assert_eq!(error.code, "AnswerUndetermined");
    body["localPort"] = json!("22");
    assert!(
        flow::verify(&estate, &[nic_of(&estate, "nic")], &body, 0).is_ok(),
        "the rule is about another port"
    );
}

#[test]
fn profiles_that_cannot_be_are_refused() {
    let estate = machine();
    let good = json!({"direction": "Inbound", "protocol": "*", "source": "*", "destination": "10.0.0.4", "destinationPort": "22"});
    let ask = |member: &str, value: Value| {
        let mut profile = good.clone();
        profile[member] = value;
        match diagnostic::diagnose(&estate, nic_of(&estate, "nic"), &json!({"profiles": [profile]}), 0) {
            Ok(answer) => {
                let access = &answer["results"][0]["networkSecurityGroupResult"]["securityRuleAccessResult"];
                access.as_str().expect("an access").to_owned()
            }
            Err(error) => format!("{} {}", error.code, error.target.unwrap_or_default()),
        }
    };
    for (member, value, expected) in [
        ("protocol", json!("TCP"), "Deny"),
        ("source", json!("10.0.0.0/16"), "Allow"),
        ("source", json!("VirtualNetwork"), "Allow"),
        ("source", json!("10.0.0.0/15"), "Deny"),
        ("protocol", json!("GRE"), "InvalidParameter protocol"),
        ("source", json!("10.0.0.1/16"), "InvalidParameter source"),
        ("source", json!("no-tag"), "InvalidParameter source"),
        ("source", json!("Storage"), "AnswerUndetermined "),
        ("destinationPort", json!("1-2"), "InvalidParameter destinationPort"),
        ("direction", Value::Null, "MissingParameter direction"),
    ] {
        assert_eq!(ask(member, value.clone()), expected, "{member}: {value}");
    }
    let error = diagnostic::diagnose(&estate, nic_of(&estate, "nic"), &json!({}), 0).expect_err("no profile");
    assert_eq!((error.code.as_ref(), error.target.as_deref()), ("MissingParameter", Some("profiles")));
    let many = vec![good.clone(); diagnostic::PROFILES_MAX + 1];
    let error = diagnostic::diagnose(&estate, nic_of(&estate, "nic"), &json!({"profiles": many}), 0);
    assert_eq!(error.expect_err("too many").code, "TooManyProfiles");
}
