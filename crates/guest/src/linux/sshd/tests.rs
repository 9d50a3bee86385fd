use std::net::IpAddr;

use super::*;
use crate::MemoryFiles;

fn config(files: &[(&str, &str)]) -> Config {
    let files: MemoryFiles = files.iter().copied().collect();
    Config::read(&files, CONFIG).unwrap()
}

#[test]
fn the_first_value_holds_and_includes_stand_where_they_are_written() {
    let config = config(&[
        (
            CONFIG,
            "Include sshd_config.d/*.conf\nPermitRootLogin yes\nMaxAuthTries 9\nAllowUsers a\n AllowUsers b # c\n",
        ),
        ("/etc/ssh/sshd_config.d/20.conf", "permitrootlogin=yes\nMaxAuthTries 3"),
        ("/etc/ssh/sshd_config.d/10.conf", "PermitRootLogin no"),
        ("/etc/ssh/sshd_config.d/.hidden.conf", "MaxAuthTries 1"),
        ("/etc/ssh/sshd_config.d/99.bak", "MaxAuthTries 1"),
    ]);
    let settings = config.global();
    let (values, place) = settings.get("permitrootlogin");
    assert_eq!(
        (values, place.unwrap().to_string()),
        (vec!["no".to_owned()], "/etc/ssh/sshd_config.d/10.conf:1".to_owned())
    );
    assert_eq!(settings.one("maxauthtries"), "3");
    assert_eq!(settings.get("allowusers").0, ["a", "b"]);
    assert_eq!(settings.one("strictmodes"), "yes", "a default");
    assert!(config.refusals().is_empty());
}

#[test]
fn a_match_holds_for_whom_it_names() {
    let text = "PasswordAuthentication no\nMatch User admin,!root Address 192.0.2.0/24\nPasswordAuthentication yes\n\
                PermitRootLogin yes\nMatch all\nX11Forwarding yes\n";
    let config = config(&[(CONFIG, text)]);
    let of = |user: &str, address: &str| {
        let address: Option<IpAddr> = address.parse().ok();
        config
            .of(&Connection { user: Some(user.to_owned()), address, ..Connection::default() })
            .one("passwordauthentication")
    };
    assert_eq!(of("admin", "192.0.2.9"), "yes");
    assert_eq!(of("admin", "198.51.100.9"), "no");
    assert_eq!(of("root", "192.0.2.9"), "no");
    assert_eq!(config.global().one("x11forwarding"), "yes", "for all");
    let blocks = config.blocks();
    assert_eq!(blocks.len(), 1);
    assert_eq!(
        (blocks[0].title.as_str(), blocks[0].place.to_string()),
        ("User admin,!root Address 192.0.2.0/24", format!("{CONFIG}:2"))
    );
    assert_eq!(blocks[0].changes, ["passwordauthentication", "permitrootlogin"]);
}

#[test]
fn what_sshd_refuses_is_told_with_its_place() {
    let refused = |text: &str| {
        let config = config(&[(CONFIG, text)]);
        config
            .refusals()
            .iter()
            .map(|refusal| format!("{} {}", refusal.place, refusal.why))
            .collect::<Vec<_>>()
    };
    let at = |line: usize, why: &str| vec![format!("{CONFIG}:{line} {why}")];
    assert_eq!(refused("\nPermitRootLogin maybe\n"), at(2, "permitrootlogin: \"maybe\" is no value of it"));
    assert_eq!(refused("Nonsense yes"), at(1, "there is no setting \"nonsense\""));
    assert_eq!(refused("Match User a\nUsePAM yes"), at(2, "usepam may not stand in a Match"));
    let twice = "AuthenticationMethods publickey\nMatch User a\nAuthenticationMethods any";
    assert_eq!(refused(twice), at(3, "authenticationmethods: any stands alone"));
    assert_eq!(refused("Match User"), at(1, "Match User: it is not understood"));
    assert_eq!(refused("Banner \"x"), at(1, "banner: a quote is not closed"));
    assert_eq!(refused("Ciphers aes256-gcm@openssh.com\nPersourcePenalties no"), Vec::<String>::new());
}

#[test]
fn an_equals_sign_may_stand_before_a_keyword() {
    // As sshd 9.2 reads them with -T.
    for (line, tries) in [
        ("=MaxAuthTries 2", Some(2)),
        ("  = MaxAuthTries=2", Some(2)),
        ("==MaxAuthTries 2", None),
        ("\"MaxAuthTries 2", None),
        (" =", None),
        ("#\"", None),
    ] {
        let read = config(&[(CONFIG, line)]);
        assert!(read.refusals().is_empty(), "{line}");
        let expect = tries.unwrap_or(6).to_string();
        assert_eq!(read.global().one("maxauthtries"), expect, "{line}");
    }
}

#[test]
fn a_file_that_includes_itself_ends() {
    let config = config(&[(CONFIG, "Include sshd_config\nUsePAM yes\n")]);
    assert_eq!(config.refusals().len(), 1);
    let two = "Include sshd_config\n".repeat(3);
    let files: MemoryFiles = [(CONFIG, two.as_str())].into_iter().collect();
    assert!(Config::read(&files, CONFIG).is_err(), "too many files");
}
