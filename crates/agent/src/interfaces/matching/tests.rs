use super::*;
use crate::interfaces::LinkKind;

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
            other => LinkKind::Other(other.to_owned()),
        };
        let (mut alias, mut mac) = (None, None);
        for word in words {
            match word.split_once('=').unwrap() {
                ("alias", value) => alias = Some(value.to_owned()),
                (_, value) => mac = Some(value.parse().unwrap()),
            }
        }
        Link { index, name: format!("if{index}"), alias, mac, kind, is_up: false }
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

/// The outcome as text: assignments, contested interfaces, NICs that are elsewhere, problems.
fn check(nics_: &[&str], links_: &[&str], expect: &str) {
    let matches = match_nics(&nics(nics_), &links(links_));
    let name = |id: &NicId| id.resource().name().to_owned();
    let mut found: Vec<String> =
        matches.assigned.iter().map(|(id, link)| format!("{}={link}", name(id))).collect();
    found.extend(matches.contested.iter().map(|link| format!("!{link}")));
    found.extend(matches.elsewhere.iter().map(|id| format!("-{}", name(id))));
    found.extend(matches.problems.iter().map(|problem| match problem {
        MatchProblem::SeveralInterfaces { nic, interfaces } => {
            format!("{}?{}", name(nic), interfaces.join("+"))
        }
        MatchProblem::SeveralNics { interface, nics } => {
            format!("{interface}?{}", nics.iter().map(name).collect::<Vec<_>>().join("+"))
        }
        MatchProblem::UnsupportedInterface { nic, interface, .. } => format!("{}/{interface}", name(nic)),
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
    check(&["a tag=if1"], &["1 macvtap"], "a/if1");
    check(&["a mac=52:54:00:00:00:01"], &["1 hardware mac=52:54:00:00:00:01"], "a/if1");
    check(&["a"], &["1 vlan alias=a"], "a/if1");
    let matches = match_nics(&nics(&["a tag=if1"]), &links(&["1 macvtap"]));
    assert_eq!(
        matches.problems[0].to_string(),
        "NIC /x/nics/a: interface if1 is left as it is: policy cannot be enforced at a macvtap interface: macvtap shows \
         the machine's frames on the wrong side (use a tap in a bridge)"
    );
}
