//! Exit codes and streams where nothing is answered: bad usage, refused input, help.

use std::process::Command;

use crate::palisade;

#[test]
fn a_refused_estate_prints_every_problem_and_no_answer() {
    let line = br#"{"nsg":"bad","direction":"Inbound","protocol":"Tcp","localAddress":"10.0.0.4","localPort":22,"remoteAddress":"8.8.8.8"}"#;
    for arguments in [
        &["verify", "refused.json", "--flows", "-", "--format", "json"][..],
        &["effective", "refused.json", "--nsg", "bad", "--format", "json"][..],
    ] {
        let run = palisade(arguments, line);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""));
        for problem in [
            "refused.json:13: SecurityRuleInvalidAddressPrefix: ",
            "refused.json:36: SecurityRuleInvalidPortRange: ",
            "refused.json:23: SecurityRuleConflict: Security rule host-bits conflicts with rule same-number.",
        ] {
            assert!(run.stderr.contains(problem), "{problem}\n{}", run.stderr);
        }
    }
}

#[test]
fn bad_usage_is_told_from_findings() {
    for arguments in [
        &[][..],
        &["bogus"],
        &["verify"],
        &["verify", "estate.json"],
        &["verify", "absent.json", "--flows", "-"],
        &["verify", "estate.json", "--flows", "absent.jsonl"],
        &["effective", "estate.json"],
        &["effective", "estate.json", "--nic", "nobody"],
        &["effective", "estate.json", "--nic", "web1-nic", "--nsg", "web-nsg"],
        &["completions", "bogus"],
        &["server", "--oidc-issuer", "https://issuer.example"],
        &["server", "--oidc-client-id", "palisade"],
        &["up", "--oidc-issuer", "http://issuer.example", "--oidc-client-id", "palisade"],
    ] {
        let run = palisade(arguments, b"");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_and_completions_go_to_stdout() {
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["version"],
        &["verify", "--help"],
        &["effective", "--help"],
        &["detect", "--help"],
    ] {
        let run = palisade(arguments, b"");
        assert_eq!(run.code, 0, "{arguments:?}");
        assert!(!run.stdout.is_empty() && run.stderr.is_empty(), "{arguments:?}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = palisade(&["completions", shell], b"");
        assert_eq!(run.code, 0, "{shell}");
        assert!(run.stdout.contains("virtual-network"), "{shell}");
        assert!(run.stdout.contains("min-severity"), "{shell}");
    }
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    for arguments in [
        &["version"][..],
        &["completions", "bash"],
        &["effective", "estate.json", "--nic", "web1-nic"],
        &["verify", "--help"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .args(arguments)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
            .stdout(writer)
            .output()
            .expect("the command runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("error") && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}
