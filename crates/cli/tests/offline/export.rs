//! `palisade export`: what is printed, and what is refused.

use crate::{lockdown, palisade};

const EXPORT: [&str; 6] = ["export", "estate.json", "--nsg", "web-nsg", "--format", "nftables"];

#[test]
fn a_table_names_the_rules_in_their_order() {
    let tags = lockdown::tags("export", &["20.60.0.0/16"]);
    let run = palisade(&[&EXPORT[..], &["--service-tags", &tags]].concat(), b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.starts_with("table inet palisade\ndelete table inet palisade\n"));
    let place = |name: &str| run.stdout.find(&format!("comment \"{name}\"")).expect(name);
    let inbound =
        ["allow-https", "allow-office", "allow-ping"].map(|name| place(&format!("securityRules/{name}")));
    assert!(inbound.is_sorted() && inbound[2] < place("defaultSecurityRules/DenyAllInBound"));
}

#[test]
fn what_is_not_known_is_refused_with_its_name() {
    let run = palisade(&EXPORT, b"");
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert!(
        run.stdout.is_empty() && run.stderr.contains("securityRules/allow-backup of web-nsg"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_script_for_windows_allows_and_blocks_the_rest() {
    let tags = lockdown::tags("export-windows", &["20.60.0.0/16"]);
    let named = ["export", "estate.json", "--nsg", "web-nsg", "--service-tags", &tags];
    let run = palisade(&[&named[..], &["--format", "windows-firewall"]].concat(), b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let office = "RemoteAddress = @('198.51.100.0-198.51.100.255', '203.0.113.7')";
    let mut rules = run.stdout.lines().filter(|line| line.starts_with("Allow 'palisade-"));
    assert!(
        rules.any(|rule| rule.contains(office) && rule.contains("LocalPort = @('3389')")),
        "{}",
        run.stdout
    );
    assert!(run.stdout.ends_with("-DefaultInboundAction Block -DefaultOutboundAction Block\n"));
}
