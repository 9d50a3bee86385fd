use proptest::prelude::*;

use super::*;
use crate::{MemoryFiles, testing::Node};

/// A span of time as SAM has it.
fn span(minutes: i64) -> [u8; 8] {
    (-minutes * 600_000_000).to_le_bytes()
}

/// The policy of all accounts.
fn policy(duration: i64, window: i64, properties: u32, length: u16, threshold: u16) -> Vec<u8> {
    let mut value = vec![0; 0xf0];
    value[0x30..0x38].copy_from_slice(&span(duration));
    value[0x38..0x40].copy_from_slice(&span(window));
    value[0x4c..0x50].copy_from_slice(&properties.to_le_bytes());
    value[0x50..0x52].copy_from_slice(&length.to_le_bytes());
    value[0x54..0x56].copy_from_slice(&threshold.to_le_bytes());
    value
}

fn sid(numbers: [u32; 5]) -> Vec<u8> {
    let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
    [1, 5, 0, 0, 0, 0, 0, 5].into_iter().chain(numbers).collect()
}

/// A SAM with accounts of these names, numbers and flags, and administrators.
fn sam(policy: Vec<u8>, accounts: &[(&str, u32, u16)], administrators: &[Vec<u8>]) -> Vec<u8> {
    let mut root = Node::new("ROOT");
    let machine: Vec<u8> = [7_u32, 8, 9].iter().flat_map(|number| number.to_le_bytes()).collect();
    root.at(r"SAM\Domains\Account").set("F", 3, policy).set("V", 3, machine);
    for (name, number, flags) in accounts {
        let mut value = vec![0; 0x50];
        value[0x38..0x3a].copy_from_slice(&flags.to_le_bytes());
        root.at(&format!(r"SAM\Domains\Account\Users\{number:08X}")).set("F", 3, value);
        root.at(&format!(r"SAM\Domains\Account\Users\Names\{name}")).set("", *number, vec![]);
    }
    let mut group = vec![0; 0x34];
    group[0x30..0x34].copy_from_slice(&u32::try_from(administrators.len()).unwrap().to_le_bytes());
    group.extend(administrators.concat());
    root.at(r"SAM\Domains\Builtin\Aliases\00000220").set("C", 3, group);
    root.hive()
}

/// Ids of findings of these hives with their subjects, and what is unknown.
fn audit(hives: &[(&str, Vec<u8>)]) -> (Vec<String>, Vec<String>) {
    let files: MemoryFiles = hives
        .iter()
        .map(|(name, bytes)| (format!("/WINDOWS/system32/config/{name}"), bytes.clone()))
        .collect();
    let report = crate::audit(&files, &Profile::default());
    let finding = |finding: &crate::Finding| {
        let id = finding.check.id.trim_start_matches("PAL-GUEST-WIN-");
        format!("{} {id} {}", finding.severity, finding.subject.as_deref().unwrap_or("-"))
    };
    let unknown = |unknown: &crate::Unknown| unknown.what.clone();
    (report.findings.iter().map(finding).collect(), report.unknown.iter().map(unknown).collect())
}

#[test]
fn accounts_and_their_policy() {
    let own = |number| sid([21, 7, 8, 9, number]);
    let administrators = [own(500), own(1001), own(1002), sid([21, 1, 2, 3, 512])];
    let accounts =
        [("Administrator", 500, 0x10), ("Guest", 501, 0x15), ("alice", 1001, 0x210), ("bob", 1002, 0x14)];
    let (found, unknown) = audit(&[("SAM", sam(policy(10, 10, 0x10, 8, 0), &accounts, &administrators))]);
    assert_eq!(
        found,
        [
            "error LOCKOUT-THRESHOLD -",
            "error PASSWORD-NOT-REQUIRED bob",
            "error PASSWORD-REVERSIBLE -",
            "warning ADMIN-ENABLED Administrator",
            "warning ADMIN-NAME Administrator",
            "warning LOCKOUT-ADMIN -",
            "warning LOCKOUT-DURATION -",
            "warning LOCKOUT-WINDOW -",
            "warning PASSWORD-COMPLEXITY -",
            "warning PASSWORD-LENGTH -",
            "note ADMINS -",
            "note PASSWORD-NEVER-EXPIRES alice",
        ]
    );
    assert_eq!(unknown, ["the hive SOFTWARE", "the hive SYSTEM"]);
}

#[test]
fn a_machine_in_order_has_no_findings() {
    let accounts = [("warden", 500, 0x11), ("alice", 1001, 0x10)];
    let good = sam(policy(15, 15, 0x9, 14, 5), &accounts, &[sid([21, 7, 8, 9, 1001])]);
    assert_eq!(audit(&[("SAM", good)]).0, [""; 0]);
}

#[test]
fn a_cut_policy_is_unknown_and_no_finding() {
    let (found, unknown) = audit(&[("SAM", sam(vec![0; 0x20], &[], &[]))]);
    assert_eq!(found, [""; 0]);
    assert!(unknown.contains(&"the policy of passwords and lockout".to_owned()), "{unknown:?}");
}

/// A SYSTEM in which remote desktop is on and everything else is well.
fn system(edit: impl FnOnce(&mut Node)) -> Vec<u8> {
    let mut root = Node::new("ROOT");
    root.at("Select").number("Current", 2);
    let set = root.at("ControlSet002");
    set.at(r"Control\Terminal Server").number("fDenyTSConnections", 0);
    let station = set.at(r"Control\Terminal Server\WinStations\RDP-Tcp");
    station.number("PortNumber", 13_389).number("UserAuthentication", 1);
    station.number("SecurityLayer", 2).number("MinEncryptionLevel", 3);
    set.at(r"Control\Lsa").number("LmCompatibilityLevel", 5).number("RunAsPPL", 1);
    edit(set);
    root.hive()
}

fn software(edit: impl FnOnce(&mut Node)) -> Vec<u8> {
    let mut root = Node::new("ROOT");
    root.at(r"Microsoft\Windows\CurrentVersion\Policies\LAPS").number("BackupDirectory", 2);
    edit(&mut root);
    root.hive()
}

#[test]
fn remote_desktop_and_what_overrides_it() {
    let good = || system(|_| {});
    let found = |system: Vec<u8>, software| audit(&[("SYSTEM", system), ("SOFTWARE", software)]).0;
    assert_eq!(found(good(), software(|_| {})), ["note RDP-ON -"]);
    let bad = system(|set| {
        let station = set.at(r"Control\Terminal Server\WinStations\RDP-Tcp");
        station.number("PortNumber", 3389).number("UserAuthentication", 0).number("SecurityLayer", 1);
        set.at(r"Control\Lsa").number("LimitBlankPasswordUse", 0).number("LmCompatibilityLevel", 1);
    });
    let expect = [
        "error BLANK-PASSWORD -",
        "error RDP-NLA -",
        "warning LM -",
        "warning RDP-SECURITY -",
        "note RDP-ON -",
        "note RDP-PORT -",
    ];
    assert_eq!(found(bad, software(|_| {})), expect);
    let policy = r"Policies\Microsoft\Windows NT\Terminal Services";
    let off = software(|root| {
        root.at(policy).number("fDenyTSConnections", 1);
    });
    assert_eq!(found(good(), off), [""; 0], "the policy wins");
    let weak = software(|root| {
        root.at(policy).number("UserAuthentication", 0);
    });
    assert_eq!(found(good(), weak), ["error RDP-NLA -", "note RDP-ON -"], "also where it is worse");
    let none = audit(&[("SYSTEM", good())]);
    assert_eq!(none.0, ["note RDP-ON -"]);
    assert!(none.1.iter().any(|what| what.starts_with("policies that override")), "{:?}", none.1);
}

#[test]
fn the_firewall() {
    let firewall = r"Services\SharedAccess\Parameters\FirewallPolicy";
    let rule = |name: &str, text: &str| (name.to_owned(), format!("v2.30|Active=TRUE|Dir=In|{text}"));
    let rules = [
        rule("rdp", "Action=Allow|Protocol=6|LPort=13389|Profile=Public|Name=RDP for all|"),
        rule("office", "Action=Allow|Protocol=6|LPort=22|RA4=192.0.2.0/24|"),
        rule("blocked", "Action=Allow|Protocol=6|LPort=445|"),
        rule("block", "Action=Block|Protocol=6|LPort=440-450|"),
        rule("web", "Action=Allow|Protocol=6|LPort=443|"),
        rule("udp", "Action=Allow|Protocol=17|LPort=3389|"),
        rule("program", "Action=Allow|App=C:\\x.exe|"),
        rule("all", "Action=Allow|Profile=Domain|"),
        ("off".to_owned(), "v2.30|Active=FALSE|Dir=In|Action=Allow|Protocol=6|LPort=23|".to_owned()),
    ];
    let with_rules = system(|set| {
        set.at(&format!(r"{firewall}\StandardProfile")).number("EnableFirewall", 0);
        set.at(&format!(r"{firewall}\PublicProfile")).number("DefaultInboundAction", 0);
        for (name, text) in &rules {
            set.at(&format!(r"{firewall}\FirewallRules")).text(name, text);
        }
    });
    let found = |software| audit(&[("SYSTEM", with_rules.clone()), ("SOFTWARE", software)]).0;
    assert_eq!(
        found(software(|_| {})),
        [
            "error FIREWALL-INBOUND Public",
            "error FIREWALL-OFF Private",
            "error FIREWALL-OPEN all",
            "warning FIREWALL-OPEN RDP for all",
            "note RDP-ON -",
        ]
    );
    let strict = software(|root| {
        for profile in ["DomainProfile", "PrivateProfile", "PublicProfile"] {
            let key = root.at(&format!(r"Policies\Microsoft\WindowsFirewall\{profile}"));
            key.number("EnableFirewall", 1)
                .number("DefaultInboundAction", 1)
                .number("AllowLocalPolicyMerge", 0);
        }
    });
    assert_eq!(found(strict), ["note RDP-ON -"], "policies win, and forbid the machine's own rules");
}

proptest! {
    #[test]
    fn mutated_hives_are_audited_to_the_end(
        edits in prop::collection::vec((0..3_usize, any::<prop::sample::Index>(), any::<u8>()), 1..60),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let accounts = [("Administrator", 500, 0x10), ("alice", 1001, 0x214)];
        let rule = "v2.30|Active=TRUE|Dir=In|Action=Allow|Protocol=6|LPort=3389|";
        let mut hives = [
            sam(policy(10, 10, 0, 0, 3), &accounts, &[sid([21, 7, 8, 9, 1001])]),
            system(|set| {
                set.at(r"Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules").text("rule", rule);
            }),
            software(|_| {}),
        ];
        for (hive, place, byte) in edits {
            let place = place.index(hives[hive].len());
            hives[hive][place] = byte;
        }
        if let Some(cut) = cut {
            let length = cut.index(hives[0].len());
            hives[0].truncate(length);
        }
        let log = hives[0].clone();
        let [sam, system, software] = hives;
        let (found, unknown) = audit(&[("SAM", sam), ("SAM.LOG1", log), ("SYSTEM", system), ("SOFTWARE", software)]);
        prop_assert!(!found.is_empty() || !unknown.is_empty());
    }
}
