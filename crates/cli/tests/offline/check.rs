//! `palisade check`: findings in every form, what is accepted, what is left out, and the exit code.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{Run, palisade};

fn document(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr))
}

/// The document of a run with further options.
fn checked(options: &[&str]) -> (i32, Value) {
    let run = palisade(&[&["check", "--format", "json"], options].concat(), b"");
    (run.code, document(&run))
}

fn ids(document: &Value) -> Vec<&str> {
    let findings = document["findings"].as_array().expect("a list");
    findings.iter().map(|finding| finding["id"].as_str().expect("a text")).collect()
}

fn finding<'d>(document: &'d Value, id: &str) -> &'d Value {
    let findings = document["findings"].as_array().expect("a list");
    findings.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("{id}: {document:#}"))
}

/// A file of this test's own.
fn written(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("check-{name}.json"));
    std::fs::write(&path, text).expect("the file can be written");
    path.to_str().expect("the path is text").to_owned()
}

fn suppression(until: &str) -> Value {
    json!({ "id": "PAL-EXPOSURE-SSH", "resource": "jump-nsg", "rule": "allow-ssh", "reason": "the jump host",
            "until": until })
}

fn suppressions(name: &str, entries: &Value) -> String {
    written(name, &json!({ "suppressions": entries }).to_string())
}

#[test]
fn a_finding_names_its_rule_line_and_a_packet_that_verify_lets_pass() {
    let (code, document) = checked(&["exposed.json"]);
    assert_eq!(code, 1);
    let ssh = finding(&document, "PAL-EXPOSURE-SSH");
    assert_eq!(ssh["severity"], "error");
    assert_eq!((&ssh["nsg"], &ssh["rule"]), (&json!("jump-nsg"), &json!("securityRules/allow-ssh")));
    assert_eq!(ssh["location"]["file"], "exposed.json");
    assert_eq!(ssh["location"]["line"], 14);
    assert!(ssh["aliases"].as_array().expect("a list").contains(&json!("CKV_AZURE_10")));
    let region = ssh["region"].as_str().expect("a text");
    assert!(region.contains("IPv4: Tcp from ") && region.ends_with(" to * port 22"), "{region}");
    let asked = ["verify", "exposed.json", "--flows", "-", "--format", "json"];
    let answer = palisade(&asked, ssh["witness"].to_string().as_bytes());
    let answer: Value = serde_json::from_str(&answer.stdout).expect("one answer");
    assert_eq!((&answer["access"], &answer["rule"]), (&json!("Allow"), &ssh["rule"]));
    let dead = finding(&document, "PAL-NEVER-MATCHED-SAME-ACTION");
    assert_eq!(dead["rule"], "securityRules/allow-ssh-again");
    assert_eq!(dead["coveredBy"], json!(["securityRules/allow-ssh"]));
    assert_eq!(dead["location"]["line"], 27);
    assert_eq!((&document["summary"]["errors"], &document["summary"]["nsgs"]), (&json!(1), &json!(1)));
}

#[test]
fn a_dump_and_a_plan_have_lines_too() {
    let (_, document) = checked(&["estate.json", "--only", "PAL-SUBNET-NO-NSG"]);
    let open = finding(&document, "PAL-SUBNET-NO-NSG");
    assert_eq!((&open["subnet"], &open["location"]["file"]), (&json!("open"), &json!("estate.json")));
    assert!(open["location"]["line"].as_u64().is_some_and(|line| line > 100), "{open:#}");
    let plan = written(
        "plan",
        &include_str!("../fixtures/secrets.json").replacen("\"priority\": 100", "\"priority\": 101", 1),
    );
    let (_, document) = checked(&[&plan, "--only", "CKV_AZURE_10"]);
    assert_eq!(finding(&document, "PAL-EXPOSURE-SSH")["location"]["line"], 15);
}

#[test]
fn the_exit_code_follows_the_least_severity() {
    let code = |options: &[&str]| checked(&[&["exposed.json"], options].concat()).0;
    assert_eq!(code(&[]), 1);
    assert_eq!(code(&["--fail-on", "none"]), 0);
    assert_eq!(code(&["--only", "PAL-NSG-UNATTACHED"]), 0);
    assert_eq!(code(&["--only", "PAL-NSG-UNATTACHED", "--fail-on", "note"]), 1);
    assert_eq!(code(&["--only", "PAL-NEVER-MATCHED", "--fail-on", "error"]), 0);
    assert_eq!(code(&["--skip", "PAL-EXPOSURE,PAL-NEVER-MATCHED"]), 0);
}

#[test]
fn findings_are_chosen_by_ids_and_by_those_of_others() {
    let (_, document) = checked(&["exposed.json", "--only", "ckv_azure_10"]);
    assert_eq!(ids(&document), ["PAL-EXPOSURE-SSH"]);
    let (_, document) = checked(&["exposed.json", "--skip", "PAL"]);
    assert_eq!(ids(&document), Vec::<&str>::new());
    for wrong in ["PAL-EXPOSURE-SS", "CKV_AZURE_99999", ""] {
        let run = palisade(&["check", "exposed.json", "--only", wrong], b"");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{wrong}");
        assert!(run.stderr.contains("docs/check.md"), "{}", run.stderr);
    }
}

#[test]
fn an_accepted_finding_is_listed_and_does_not_fail() {
    let file = suppressions("accepted", &json!([suppression("2027-01-31")]));
    let options = ["exposed.json", "--suppressions", &file, "--skip", "PAL-NEVER-MATCHED"];
    let at = |time: &str| checked(&[&options[..], &["--at", time]].concat());
    let (code, document) = at("2027-01-31T23:59Z");
    assert_eq!(code, 0, "{document:#}");
    let ssh = finding(&document, "PAL-EXPOSURE-SSH");
    assert_eq!(ssh["suppressed"], json!({ "reason": "the jump host", "until": "2027-01-31" }));
    assert_eq!((&document["summary"]["suppressed"], &document["summary"]["errors"]), (&json!(1), &json!(0)));
    let (code, document) = at("2027-02-01T00:00Z");
    assert_eq!(code, 1);
    assert_eq!(finding(&document, "PAL-EXPOSURE-SSH")["suppressed"], Value::Null);
    let expired = finding(&document, "PAL-SUPPRESSION-EXPIRED");
    assert_eq!((&expired["severity"], &expired["location"]["line"]), (&json!("warning"), &json!(1)));
}

#[test]
fn a_suppression_that_fits_nothing_is_noted() {
    let mut other = suppression("2027-01-31");
    other["rule"] = json!("allow-rdp");
    let file = suppressions("unused", &json!([other]));
    let (code, document) = checked(&["exposed.json", "--suppressions", &file, "--at", "2026-12-01T00:00Z"]);
    assert_eq!(code, 1);
    finding(&document, "PAL-SUPPRESSION-UNUSED");
}

#[test]
fn a_suppression_needs_a_reason_and_an_end() {
    for (name, key, value) in [
        ("no-reason", "reason", json!(" ")),
        ("no-end", "until", json!("never")),
        ("no-id", "id", json!("PAL-NOTHING")),
        ("more", "forever", json!(true)),
    ] {
        let mut entry = suppression("2027-01-31");
        entry[key] = value;
        let file = suppressions(name, &json!([entry]));
        let run = palisade(&["check", "exposed.json", "--suppressions", &file], b"");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{name}");
        assert!(run.stderr.contains(&file), "{}", run.stderr);
    }
    let mut entry = suppression("2027-01-31");
    entry.as_object_mut().expect("an object").remove("until");
    let file = suppressions("absent-end", &json!([entry]));
    assert_eq!(palisade(&["check", "exposed.json", "--suppressions", &file], b"").code, 2);
}

#[test]
fn what_is_in_error_is_left_out_and_the_rest_is_checked() {
    let (code, document) = checked(&["exposed.json", "refused.json", "absent.json"]);
    assert_eq!(code, 2);
    finding(&document, "PAL-EXPOSURE-SSH");
    let left: Vec<(&Value, &Value, &Value)> = document["leftOut"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|left| (&left["code"], &left["location"]["file"], &left["location"]["line"]))
        .collect();
    let expected = [
        ("PalUnreadableFile", "absent.json", json!(null)),
        ("SecurityRuleInvalidAddressPrefix", "refused.json", json!(13)),
        ("SecurityRuleInvalidPortRange", "refused.json", json!(36)),
        ("SecurityRuleConflict", "refused.json", json!(23)),
    ];
    let expected = expected.map(|(code, file, line)| (json!(code), json!(file), line));
    assert_eq!(left, expected.iter().map(|(code, file, line)| (code, file, line)).collect::<Vec<_>>());
    // Of the NSG in error nothing is claimed.
    let findings = document["findings"].as_array().expect("a list");
    assert!(
        findings.iter().all(|finding| finding["nsg"] != "bad" || finding["rule"] == Value::Null),
        "{document:#}"
    );
    let unknown = document["unknown"].as_array().expect("a list");
    assert!(
        unknown.iter().any(|unknown| unknown["what"].as_str().is_some_and(|what| what.ends_with("/bad")))
    );
}

#[test]
fn many_estates_are_checked_in_one_run() {
    let (_, document) =
        checked(&["--each", "exposed.json", "estate.json", "--only", "PAL-EXPOSURE,PAL-SUBNET-NO-NSG"]);
    assert_eq!(document["summary"]["estates"], 2);
    assert_eq!(finding(&document, "PAL-EXPOSURE-SSH")["estate"], "exposed.json");
    assert_eq!(finding(&document, "PAL-SUBNET-NO-NSG")["estate"], "estate.json");
}

#[test]
fn the_table_says_the_same() {
    let run = palisade(&["check", "exposed.json"], b"");
    assert_eq!(run.code, 1);
    for line in [
        "error    PAL-EXPOSURE-SSH  exposed.json:14",
        "warning  PAL-NEVER-MATCHED-SAME-ACTION  exposed.json:27",
        "  allow-ssh-again never decides: allow-ssh hides it, and what takes its packets does the same",
    ] {
        assert!(run.stdout.lines().any(|printed| printed == line), "{line}\n{}", run.stdout);
    }
    assert!(
        run.stdout.lines().last().is_some_and(|last| last.starts_with("errors 1, warnings ")),
        "{}",
        run.stdout
    );
}

#[test]
fn sarif_has_what_readers_of_it_need() {
    let file = suppressions("sarif", &json!([suppression("2027-01-31")]));
    let options = [
        "check",
        "exposed.json",
        "refused.json",
        "--format",
        "sarif",
        "--suppressions",
        &file,
        "--at",
        "2026-12-01T00:00Z",
    ];
    let run = palisade(&options, b"");
    assert_eq!(run.code, 2);
    let log = document(&run);
    assert_eq!((&log["version"], log["runs"].as_array().map(Vec::len)), (&json!("2.1.0"), Some(1)));
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("a list");
    let results = run["results"].as_array().expect("a list");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("it is small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(result["message"]["text"].as_str().is_some_and(|text| !text.is_empty()));
        assert!(result["partialFingerprints"]["palisade/v1"].is_string());
    }
    let ssh = results.iter().find(|result| result["ruleId"] == "PAL-EXPOSURE-SSH").expect("it is there");
    let place = &ssh["locations"][0]["physicalLocation"];
    assert_eq!(
        (&place["artifactLocation"]["uri"], &place["region"]["startLine"]),
        (&json!("exposed.json"), &json!(14))
    );
    assert_eq!(ssh["suppressions"][0]["justification"], "the jump host");
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
}

/// Plans hold secrets in clear text. Nothing that is said of one may hold a value that it need not be about.
#[test]
fn no_secret_of_a_plan_is_printed() {
    let broken = written(
        "broken-plan",
        &include_str!("../fixtures/secrets.json").replace("\"prior_state\": {", "\"prior_state\": S3CR3T {"),
    );
    for plan in ["secrets.json", &broken] {
        for format in ["json", "table", "sarif"] {
            let run = palisade(&["check", plan, "--format", format, "--fail-on", "none"], b"");
            assert_eq!(run.code, 2, "{plan}: two rules have one priority, or it is no JSON");
            assert!(
                !run.stdout.contains("S3CR3T") && !run.stderr.contains("S3CR3T"),
                "{}{}",
                run.stdout,
                run.stderr
            );
        }
        for command in ["verify", "effective"] {
            let run = palisade(&[command, plan, "--nsg", "web-nsg"], b"");
            assert!(
                !run.stdout.contains("S3CR3T") && !run.stderr.contains("S3CR3T"),
                "{}{}",
                run.stdout,
                run.stderr
            );
        }
        let run = palisade(&["diff", plan, "exposed.json"], b"");
        assert!(
            !run.stdout.contains("S3CR3T") && !run.stderr.contains("S3CR3T"),
            "{}{}",
            run.stdout,
            run.stderr
        );
    }
}
