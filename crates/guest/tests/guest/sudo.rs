//! Generated rules of sudo, of which the last that fits holds, as we weigh them and as sudo does.
//!
//! sudo is asked in a mount namespace with rules of ours in the place of `/etc/sudoers`: an account of the system runs commands as several others, without a password or not at all. The
//! commands and accounts that no rule names stand for all others.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use palisade_guest::{MemoryFiles, Profile, audit};
use proptest::{
    prelude::*,
    test_runner::{Config as Cases, TestRunner},
};

const SUDO: &str = "/usr/bin/sudo";
/// An account that is in a group of the same name, on Debian and its kin.
const USER: &str = "games";
/// Runs every command as everybody; a line for each that is run without a password.
const SCRIPT: &str = "mount --bind \"$0\" /etc/sudoers
for whom in root bin daemon; do for command in env true id 'id -u'; do
setpriv --reuid=games --regid=games --init-groups sudo -n -u $whom /usr/bin/$command >/dev/null 2>&1 </dev/null && echo $whom $command
done; done; true";

/// What the account may do without a password, as sudo says.
fn judged(rules: &str) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sudoers");
    fs::write(&path, rules).expect("it is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).expect("it is ours");
    let run = Command::new("unshare").args(["--mount", "sh", "-c", SCRIPT]).arg(&path).output().ok()?;
    let told = String::from_utf8(run.stdout).expect("text");
    run.status.success().then(|| told.lines().map(str::to_owned).collect())
}

/// The severity of what the audit says of the account.
fn weighed(rules: &str) -> Option<String> {
    let of_system = |path: &str| (path.to_owned(), fs::read_to_string(path).expect("every Linux has it"));
    let files =
        [of_system("/etc/passwd"), of_system("/etc/group"), ("/etc/sudoers".to_owned(), rules.to_owned())];
    let report = audit(&files.into_iter().collect::<MemoryFiles>(), &Profile::default());
    assert!(!report.unknown.iter().any(|unknown| unknown.what == "sudo"), "{:?}: {rules}", report.unknown);
    let mut found = report.findings.iter().filter(|finding| finding.check.id == "PAL-GUEST-SUDO-NOPASSWD");
    found.next().map(|finding| finding.severity.to_string())
}

fn rules() -> impl Strategy<Value = String> {
    let user = prop::sample::select(vec!["games", "games", "%games", "WHO", "ALL"]);
    let tag = prop::sample::select(vec!["", "PASSWD: ", "NOPASSWD: ", "NOPASSWD: ", "NOPASSWD: SETENV: "]);
    let whom = prop::sample::select(vec!["", "(ALL) ", "(ALL) ", "(root) ", "(root, bin) "]);
    let command = prop::sample::select(vec![
        "ALL",
        "ALL",
        "/usr/bin/true",
        "/usr/bin/id",
        "/usr/bin/id -u",
        "SOME",
        "!/usr/bin/id",
        "!SOME",
        "/usr/bin/true, PASSWD: ALL",
    ]);
    let rule = (user, prop::bool::weighted(0.2), tag, whom, command).prop_map(
        |(user, is_elsewhere, tag, whom, command)| {
            // Elsewhere, and for others than the account that is asked for, a rule may free somebody.
            let is_free = tag.starts_with('N');
            let host = if is_elsewhere && !is_free { "elsewhere" } else { "ALL" };
            let user = if is_free && matches!(user, "ALL" | "%games") { "WHO" } else { user };
            format!("{user} {host}={whom}{tag}{command}\n")
        },
    );
    prop::collection::vec(rule, 1..5).prop_map(|rules| {
        format!("User_Alias WHO = games\nCmnd_Alias SOME = /usr/bin/true, /usr/bin/id\n{}", rules.concat())
    })
}

#[test]
fn generated_rules_are_weighed_as_sudo_weighs_them() {
    let is_there = Path::new(SUDO).exists()
        && judged("games ALL=(root) NOPASSWD: /usr/bin/id\n")
            .is_some_and(|told| told == ["root id", "root id -u"]);
    if !is_there {
        println!("skipped: sudo cannot be asked (it takes sudo, setpriv, the account {USER}, and root)");
        return;
    }
    let cases = std::env::var("PALISADE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60);
    let mut runner = TestRunner::new(Cases { cases, failure_persistence: None, ..Cases::default() });
    let reached = std::cell::Cell::new([0_u32; 4]);
    let run = runner.run(&rules(), |rules| {
        let free = judged(&rules).expect("sudo is there");
        let expected = match free.as_slice() {
            [] => None,
            free if free.iter().any(|one| one == "root env") => Some("warning"),
            _ => Some("note"),
        };
        let told = weighed(&rules);
        let mut counts = reached.get();
        counts[match expected {
            None => 0,
            Some("note") => 1,
            _ => 2,
        }] += 1;
        counts[3] += u32::from(expected.is_none() && rules.contains("NOPASSWD"));
        reached.set(counts);
        prop_assert_eq!(told.as_deref(), expected, "sudo allows {:?} with\n{}", free, rules);
        Ok(())
    });
    let [asked, some, all, held_back] = reached.get();
    println!("{asked} asked, of which {held_back} held back, {some} some, {all} all");
    run.unwrap_or_else(|error| panic!("{error}"));
    assert!(cases < 60 || some.min(all).min(held_back) > 2, "{some} {all} {held_back}");
}
