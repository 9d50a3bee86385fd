use super::*;
use crate::interfaces::LinkKind;
use crate::interfaces::bypass::BypassKind;
use palisade_datapath::NicKind;

/// Interfaces as text: `index kind [alias=...] [mac=...]`; the name is `if` and the index.
fn links(lines: &[&str]) -> Vec<Link> {
    let one = |line: &&str| {
        let mut words = line.split(' ');
        let index: u32 = words.next().unwrap().parse().unwrap();
        let kind = match words.next().unwrap() {
            "tap" => LinkKind::Tap,
            "veth" => LinkKind::Veth,
            "macvtap" => LinkKind::Macvtap,
            "hardware" => LinkKind::Hardware,
            "representor" => LinkKind::Representor,
            other => LinkKind::Other(other.to_owned()),
        };
        let (mut alias, mut mac) = (None, None);
        for word in words {
            match word.split_once('=').unwrap() {
                ("alias", value) => alias = Some(value.to_owned()),
                (_, value) => mac = Some(value.parse().unwrap()),
            }
        }
        Link { index, name: format!("if{index}"), alias, mac, kind, card: None, is_up: false }
    };
    lines.iter().map(one).collect()
}

/// NICs as text: `name [tag=...] [mac=...]`; the id is `/x/nics/` and the name.
fn nics(lines: &[&str]) -> Vec<Identity> {
    let one = |line: &&str| {
        let mut words = line.split(' ');
        let name = words.next().unwrap().to_owned();
        let (mut interface, mut mac) = (None, None);
        for word in words {
            match word.split_once('=').unwrap() {
                ("tag", value) => interface = Some(value.to_owned()),
                (_, value) => mac = Some(value.parse().unwrap()),
            }
        }
        Identity { id: format!("/x/nics/{name}").into(), name, mac, interface }
    };
    lines.iter().map(one).collect()
}

/// What passes the network stack by on the host of every test.
fn devices() -> Vec<Bypass> {
    let one = |kind, names: &[&str], mac: Option<&str>| Bypass {
        kind,
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        mac: mac.map(|mac| mac.parse().unwrap()),
        driver: None,
    };
    vec![
        one(BypassKind::VhostUser, &["/run/vhu1", "vhu1"], None),
        one(BypassKind::VirtualFunction, &["0000:03:00.2"], Some("52:54:00:00:00:99")),
    ]
}

/// The outcome as text: assignments, contested interfaces, NICs that are elsewhere, problems.
fn check(nics_: &[&str], links_: &[&str], expect: &str) {
    let host = Inventory { links: links(links_), bypasses: devices() };
    let matches = match_nics(&nics(nics_), &host);
    let name = |id: &NicId| id.resource().name().to_owned();
    let place = |at: &Attachment| match at.kind {
        NicKind::Direct => at.ifindex.to_string(),
        NicKind::Inverted => format!("{}~", at.ifindex),
    };
    let mut found: Vec<String> =
        matches.assigned.iter().map(|(id, at)| format!("{}={}", name(id), place(at))).collect();
    found.extend(matches.contested.iter().map(|at| format!("!{}", place(at))));
    found.extend(matches.elsewhere.iter().map(|id| format!("-{}", name(id))));
    found.extend(matches.problems.iter().map(|problem| match problem {
        MatchProblem::SeveralInterfaces { nic, interfaces } => {
            format!("{}?{}", name(nic), interfaces.join("+"))
        }
        MatchProblem::SeveralNics { interface, nics } => {
            format!("{interface}?{}", nics.iter().map(name).collect::<Vec<_>>().join("+"))
        }
        MatchProblem::UnsupportedInterface { nic, interface, .. } => format!("{}/{interface}", name(nic)),
        MatchProblem::PassesBy { nic, device, .. } => format!("{}|{device}", name(nic)),
    }));
    assert_eq!(found.join(" "), expect, "{nics_:?} on {links_:?}");
}

#[test]
fn evidence_counts_in_its_order() {
    check(&["a"], &["1 tap"], "-a");
    check(&["a tag=if2"], &["1 tap alias=a", "2 tap"], "a=2");
    check(&["a tag=b"], &["1 tap alias=b"], "a=1");
    check(&["a tag=if9"], &["1 tap alias=a"], "-a");
    check(&["a"], &["1 tap alias=A"], "a=1");
    check(&["a"], &["1 veth alias=/X/NICs/a"], "a=1");
    check(&["a mac=52:54:00:00:00:01"], &["1 tap mac=52:54:00:00:00:01"], "a=1");
    check(&["a mac=52:54:00:00:00:01"], &["1 tap mac=fe:54:00:00:00:01"], "a=1");
    check(&["a mac=52:54:00:00:00:01"], &["1 tap mac=fc:54:00:00:00:01"], "-a");
    check(&["a mac=52:54:00:00:00:01"], &["1 tap mac=52:54:00:00:00:01", "2 tap alias=a"], "a=2");
}

#[test]
fn a_borrowed_hardware_address_is_no_evidence() {
    check(
        &["a mac=52:54:00:00:00:01"],
        &["1 tap mac=fe:54:00:00:00:01", "2 bridge mac=fe:54:00:00:00:01"],
        "a=1",
    );
}

#[test]
fn nothing_is_guessed() {
    check(&["a"], &["1 tap alias=a", "2 tap alias=a"], "!1 !2 a?if1+if2");
    check(
        &["a mac=52:54:00:00:00:01"],
        &["1 tap mac=52:54:00:00:00:01", "2 tap mac=fe:54:00:00:00:01"],
        "!1 !2 a?if1+if2",
    );
    check(&["a tag=if1", "b tag=if1", "c tag=if2"], &["1 tap", "2 tap"], "c=2 !1 if1?a+b");
    check(&["a", "b tag=if2"], &["1 tap alias=a", "2 tap alias=a"], "!1 !2 a?if1+if2 if2?a+b");
}

#[test]
fn interfaces_that_cannot_be_enforced_are_refused_by_kind() {
    check(&["a tag=if1"], &["1 macvlan"], "a/if1");
    check(&["a mac=52:54:00:00:00:01"], &["1 hardware mac=52:54:00:00:00:01"], "a/if1");
    check(&["a mac=52:54:00:00:00:01"], &["1 representor mac=52:54:00:00:00:01"], "a/if1");
    check(&["a"], &["1 vlan alias=a"], "a/if1");
    let host = Inventory { links: links(&["1 macvlan"]), bypasses: vec![] };
    let matches = match_nics(&nics(&["a tag=if1"]), &host);
    assert_eq!(
        matches.problems[0].to_string(),
        "NIC /x/nics/a: interface if1 is left as it is: policy cannot be enforced at a macvlan interface: only tap, veth \
         and macvtap interfaces are supported"
    );
}

#[test]
fn a_macvtap_is_enforced_from_its_other_side() {
    check(&["a tag=if1"], &["1 macvtap"], "a=1~");
    check(&["a"], &["1 macvtap alias=a", "2 tap alias=a"], "!1~ !2 a?if1+if2");
    check(&["a mac=52:54:00:00:00:01"], &["1 macvtap mac=52:54:00:00:00:01"], "a=1~");
}

#[test]
fn what_passes_the_host_by_is_not_called_elsewhere() {
    check(&["a tag=vhu1"], &[], "a|vhost-user socket /run/vhu1");
    check(&["a tag=/run/vhu1"], &["1 tap alias=a"], "a|vhost-user socket /run/vhu1");
    check(&["a tag=vhu1"], &["1 tap alias=vhu1"], "a=1");
    check(&["a tag=vhu2"], &[], "-a");
    let function = "a|SR-IOV virtual function 0000:03:00.2";
    check(&["a tag=0000:03:00.2"], &[], function);
    check(&["a mac=52:54:00:00:00:99"], &[], function);
    check(&["a tag=if9 mac=52:54:00:00:00:99"], &[], function);
    check(&["a mac=52:54:00:00:00:99"], &["1 tap alias=a"], "a=1");
    check(&["a"], &[], "-a");
}
