//! What public addresses reach, and what machines reach.

use palisade_analysis::findings::Severity;

use super::support::{Written, told};

const ALLOW_SSH: &str = "ssh 100 Inbound Allow Tcp * * * 22";

fn one(rules: &[&str]) -> Written {
    Written::default()
        .nsg("nsg", rules)
        .network(&[("web", "10.0.1.0/24", "nsg")])
        .nic("vm", "web", "10.0.1.4", "")
}

/// Exposure findings with their severity.
fn exposed(estate: &Written) -> Vec<(String, Severity)> {
    let found = estate.found().findings;
    let wanted = found.iter().filter(|finding| finding.check.id.starts_with("PAL-EXPOSURE"));
    wanted.map(|finding| (told(finding), finding.severity)).collect()
}

#[test]
fn a_port_is_open_however_it_is_written() {
    for source in ["*", "Internet", "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1"] {
        let estate = one(&[&format!("ssh 100 Inbound Allow Tcp {source} * * 22")]);
        assert_eq!(exposed(&estate), [("PAL-EXPOSURE-SSH ssh".to_owned(), Severity::Error)], "{source}");
    }
    for ports in ["22", "20-30", "1-21,22"] {
        let estate = one(&[&format!("ssh 100 Inbound Allow * 16.0.0.0/4 * * {ports}")]);
        let ssh = exposed(&estate).into_iter().find(|(told, _)| told == "PAL-EXPOSURE-SSH ssh");
        assert_eq!(ssh.map(|(_, severity)| severity), Some(Severity::Error), "{ports}");
    }
}

#[test]
fn few_addresses_are_told_from_the_internet() {
    for (source, severity) in [
        ("203.0.113.7/32", Severity::Note),
        ("203.0.113.0/24", Severity::Note),
        ("203.0.112.0/23", Severity::Warning),
        ("32.0.0.0/4", Severity::Error),
    ] {
        let estate = one(&[&format!("ssh 100 Inbound Allow Tcp {source} * * 22")]);
        assert_eq!(exposed(&estate), [("PAL-EXPOSURE-SSH ssh".to_owned(), severity)], "{source}");
    }
    assert_eq!(exposed(&one(&["ssh 100 Inbound Allow Tcp 10.0.0.0/8,192.168.0.0/16 * * 22"])), []);
}

#[test]
fn a_deny_before_it_closes_a_port_and_one_that_leaves_a_rest_does_not() {
    assert_eq!(
        exposed(&one(&[
            "no 90 Inbound Deny * * * * *".replace("90", "100").as_str(),
            &ALLOW_SSH.replace("100", "110")
        ])),
        []
    );
    let halves = [
        "a 100 Inbound Deny Tcp 0.0.0.0/1 * * 22",
        "b 110 Inbound Deny Tcp 128.0.0.0/1 * * *",
        "c 120 Inbound Deny Tcp ::/0 * * 0-100",
    ];
    let last = ALLOW_SSH.replace("100", "130");
    assert_eq!(exposed(&one(&[halves[0], halves[1], halves[2], &last])), []);
    // A machine without IPv6 addresses is not reached by them.
    assert_eq!(exposed(&one(&[halves[0], halves[1], &last])), []);
    assert_eq!(exposed(&one(&[halves[0], &last])), [("PAL-EXPOSURE-SSH ssh".to_owned(), Severity::Error)]);
}

#[test]
fn both_nsgs_of_an_interface_count() {
    let both = |inner: &str| {
        Written::default()
            .nsg("outer", &[ALLOW_SSH])
            .nsg("inner", &[inner])
            .network(&[("web", "10.0.1.0/24", "outer")])
            .nic("vm", "web", "10.0.1.4", "inner")
    };
    assert_eq!(exposed(&both("web 100 Inbound Allow Tcp * * * 443")), []);
    let found = both("lan 100 Inbound Allow Tcp 8.8.0.0/16 * * 20-25").found();
    let ssh =
        found.findings.iter().find(|finding| finding.check.id == "PAL-EXPOSURE-SSH").expect("it is open");
    assert_eq!((told(ssh).as_str(), ssh.severity), ("PAL-EXPOSURE-SSH lan", Severity::Warning));
    assert_eq!(ssh.subject.nics, [super::support::id("vm")]);
}

#[test]
fn a_rule_about_another_machine_exposes_only_that_one() {
    let estate = Written::default()
        .nsg("nsg", &["ssh 100 Inbound Allow Tcp * * 10.0.1.5 22"])
        .network(&[("web", "10.0.1.0/24", "nsg")])
        .nic("one", "web", "10.0.1.4", "")
        .nic("two", "web", "10.0.1.5", "");
    let found = estate.found().findings;
    let ssh: Vec<_> = found.iter().filter(|finding| finding.check.id == "PAL-EXPOSURE-SSH").collect();
    assert_eq!(ssh.len(), 1);
    assert_eq!(ssh[0].subject.nics, [super::support::id("two")]);
    let later = Written::default()
        .nsg("nsg", &["ssh 100 Inbound Allow Tcp * * 10.0.1.5 22"])
        .network(&[("web", "10.0.1.0/24", "nsg")])
        .nic("one", "web", "", "");
    let found = later.found().findings;
    let ssh = found.iter().find(|finding| finding.check.id == "PAL-EXPOSURE-SSH").expect("it may be open");
    assert!(ssh.message.ends_with("if the deployment assigns such an address"), "{}", ssh.message);
}

#[test]
fn where_every_port_is_open_only_management_is_told_apart() {
    let ids = one(&["all 100 Inbound Allow * * * * *"]).ids("PAL-EXPOSURE");
    assert!(ids.contains(&"PAL-EXPOSURE-ALL-PORTS all".to_owned()), "{ids:?}");
    assert!(ids.contains(&"PAL-EXPOSURE-RDP all".to_owned()), "{ids:?}");
    assert!(ids.contains(&"PAL-EXPOSURE-UDP all".to_owned()), "{ids:?}");
    assert!(!ids.contains(&"PAL-EXPOSURE-MYSQL all".to_owned()), "{ids:?}");
}

#[test]
fn udp_counts_for_rdp() {
    let ids = one(&["udp 100 Inbound Allow Udp Internet * * 3389"]).ids("PAL-EXPOSURE");
    assert_eq!(ids, ["PAL-EXPOSURE-RDP udp", "PAL-EXPOSURE-UDP udp"]);
}

#[test]
fn what_no_check_is_about_is_noted() {
    let ids = one(&["odd 100 Inbound Allow Tcp Internet * * 12345"]).ids("PAL-PUBLIC-INGRESS");
    assert_eq!(ids, ["PAL-PUBLIC-INGRESS odd"]);
}

#[test]
fn an_unknown_source_is_no_finding_and_is_said() {
    let estate = one(&["ssh 100 Inbound Allow Tcp ? * * 22"]);
    assert_eq!(exposed(&estate), []);
    let open = estate.found().open;
    assert!(open.iter().any(|open| open.message.ends_with("reach SSH")), "{open:?}");
}

#[test]
fn the_way_out_is_open_by_default_or_by_a_rule() {
    let severity = |rules: &[&str]| {
        let found = one(rules).found().findings;
        let egress = found.iter().filter(|finding| finding.check.id == "PAL-EGRESS-INTERNET");
        egress.map(|finding| (told(finding), finding.severity)).collect::<Vec<_>>()
    };
    let default = ("PAL-EGRESS-INTERNET AllowInternetOutBound".to_owned(), Severity::Note);
    assert_eq!(severity(&[]), [default]);
    let own = ("PAL-EGRESS-INTERNET any".to_owned(), Severity::Warning);
    assert_eq!(severity(&["any 100 Outbound Allow * * * * *"]), [own]);
    assert_eq!(severity(&["no 100 Outbound Deny * * * Internet *"]), []);
    assert_eq!(severity(&["web 100 Outbound Allow Tcp * * * 443", "no 110 Outbound Deny * * * * *"]), []);
}

#[test]
fn machines_of_a_subnet_are_apart_or_they_are_not() {
    assert_eq!(one(&[]).ids("PAL-SUBNET-OPEN"), ["PAL-SUBNET-OPEN AllowVnetInBound"]);
    assert_eq!(
        one(&["no 100 Inbound Deny * 10.0.1.0/24 * * *"]).ids("PAL-SUBNET-OPEN"),
        Vec::<String>::new()
    );
    assert_eq!(
        one(&["no 100 Outbound Deny * * * 10.0.1.0/24 *"]).ids("PAL-SUBNET-OPEN"),
        Vec::<String>::new()
    );
    // One port that is closed is one port that is closed.
    assert_eq!(one(&["no 100 Inbound Deny Tcp * * * 22"]).ids("PAL-SUBNET-OPEN"), Vec::<String>::new());
}

#[test]
fn management_of_neighbours_is_noted() {
    assert_eq!(one(&[]).ids("PAL-LATERAL"), ["PAL-LATERAL-MOVEMENT AllowVnetOutBound"]);
    let closed = one(&["no 100 Outbound Deny Tcp * * VirtualNetwork 22,135,445,3389,5985-5986"]);
    assert_eq!(closed.ids("PAL-LATERAL"), Vec::<String>::new());
}
