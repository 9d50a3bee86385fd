//! When rules are in force, what is in audit, what is guarded, and what of it is not known.

use palisade_model::{
    Code, Estate, Guards, Layer, Mode, TagCatalog, Truth, Window, is_own_tag, platform_addresses,
    spec::{At, EstateSpec, IpConfigurationSpec, NsgSpec, PublicIpSpec, RuleSpec},
};
use palisade_net::Direction;
use proptest::prelude::*;

use crate::support::{
    accept, codes, id, network, nic, nsg, problems, rule, set_of, tags, text, the_nic, the_nsg, to,
};

/// 2026-01-31T08:00:00Z.
const MORNING: u32 = 1_769_846_400;

/// The NSG `web` with these tags.
fn tagged(rules: Vec<RuleSpec>, list: &[(&str, &str)]) -> EstateSpec {
    let mut spec = nsg(rules);
    spec.nsgs[0].tags = tags(list);
    spec
}

/// Window, mode and certainty of the first inbound rule.
fn first(spec: &EstateSpec) -> (Window, Mode, bool) {
    let estate = accept(spec, TagCatalog::default());
    let rule = &the_nsg(&estate, "/nsgs/web").rules(Direction::Inbound)[0];
    (rule.window(), rule.mode(), rule.is_certain())
}

fn window(not_before: Option<u32>, expires_at: Option<u32>) -> Window {
    Window::new(not_before, expires_at).expect("it is not empty")
}

#[test]
fn a_rule_that_says_nothing_always_decides() {
    let expected = (Window::ALWAYS, Mode::Enforce, true);
    assert_eq!(first(&nsg(vec![rule(&[])])), expected);
    assert_eq!(first(&tagged(vec![rule(&[])], &[("env", "prod"), ("palisade-rule:r", " ")])), expected);
    let estate = accept(&nsg(vec![]), TagCatalog::default());
    for direction in Direction::ALL {
        for rule in the_nsg(&estate, "/nsgs/web").rules(direction) {
            assert_eq!((rule.window(), rule.mode()), (Window::ALWAYS, Mode::Enforce));
        }
    }
}

#[test]
fn properties_and_tags_say_the_same() {
    let expected = (window(Some(MORNING), Some(MORNING + 3_600)), Mode::Audit, true);
    let times = [("notBefore", "2026-01-31T08:00:00Z"), ("expiresAt", "2026-01-31T10:00:00+01:00")];
    let by_properties = rule(&[times[0], times[1], ("mode", "audit")]);
    assert_eq!(first(&nsg(vec![by_properties.clone()])), expected);
    let list = "audit, notBefore=2026-01-31T08:00:00Z,EXPIRESAT = 2026-01-31T09:00:00Z";
    assert_eq!(first(&tagged(vec![rule(&[])], &[("Palisade-Rule:R", list)])), expected);
    assert_eq!(first(&tagged(vec![by_properties], &[("palisade-rule:r", list)])), expected, "they agree");
    let half =
        tagged(vec![rule(&times[..1])], &[("palisade-rule:r", "audit,expiresAt=2026-01-31T09:00:00Z")]);
    assert_eq!(first(&half), expected, "each says what the other leaves open");
}

#[test]
fn a_window_is_never_wider_than_it_was_written() {
    let times = [("notBefore", "2026-01-31T08:00:00.5Z"), ("expiresAt", "2026-01-31T08:00:02.9Z")];
    assert_eq!(first(&nsg(vec![rule(&times)])).0, window(Some(MORNING + 1), Some(MORNING + 2)));
    let none_left = [("notBefore", "2026-01-31T08:00:00.1Z"), ("expiresAt", "2026-01-31T08:00:01.9Z")];
    assert_eq!(codes(&nsg(vec![rule(&none_left)])), [Code::PalEmptyWindow]);
    assert_eq!(codes(&nsg(vec![rule(&[("expiresAt", "1970-01-01T00:00:00Z")])])), [Code::PalEmptyWindow]);
}

#[test]
fn a_rule_of_which_a_setting_is_unknown_is_not_certain() {
    for field in ["notBefore", "expiresAt", "mode"] {
        assert!(!first(&nsg(vec![rule(&[(field, "?")])])).2, "{field}");
    }
    assert!(!first(&tagged(vec![rule(&[])], &[("palisade-rule:r", "?")])).2);
    let mut spec = nsg(vec![rule(&[])]);
    spec.nsgs[0].tags = Some(At::unknown("parameter"));
    assert!(!first(&spec).2, "a tag may be among them");
    // Where the rule speaks itself, a tag could only agree or be refused.
    let all =
        [("notBefore", "1970-01-01T00:00:01Z"), ("expiresAt", "2026-01-31T08:00:00Z"), ("mode", "Audit")];
    spec.nsgs[0].rules = vec![rule(&all)];
    assert_eq!(first(&spec), (window(Some(1), Some(MORNING)), Mode::Audit, true));
}

/// A tag that may be about a rule whose name is not known is no error, and leaves that rule open.
#[test]
fn a_tag_may_name_what_the_input_does_not_tell() {
    let list = [("palisade-rule:ssh", "audit")];
    let nameless = tagged(vec![rule(&[("name", "?")])], &list);
    assert_eq!(first(&nameless), (Window::ALWAYS, Mode::Enforce, false));
    let mut more = tagged(vec![rule(&[])], &list);
    more.nsgs[0].rules_unknown = Some("a loop".to_owned());
    assert_eq!(codes(&more), []);
    // The tag's rule is there: the nameless one is another, since names differ.
    let both = tagged(vec![rule(&[("name", "?")]), rule(&[("name", "ssh"), ("priority", "101")])], &list);
    assert_eq!(first(&both), (Window::ALWAYS, Mode::Enforce, true));
    for name in ["AllowVnetInBound", ""] {
        let tag = format!("palisade-rule:{name}");
        assert_eq!(codes(&tagged(vec![rule(&[])], &[(&tag, "audit")])), [Code::PalTagWithoutRule], "{name}");
    }
}

#[test]
fn a_mistake_in_a_tag_is_an_error() {
    let of_nsg = |name: &str, value: &str| codes(&tagged(vec![rule(&[])], &[(name, value)]));
    assert_eq!(of_nsg("palisade-mod", "audit"), [Code::PalInvalidTag]);
    assert_eq!(of_nsg("palisade-guards", "no-mac"), [Code::PalInvalidTag], "an interface has guards");
    assert_eq!(of_nsg("palisade-mode", "shadow"), [Code::PalInvalidValue]);
    assert_eq!(of_nsg("palisade-rule:r", "audit,audit"), [Code::PalInvalidTag]);
    assert_eq!(of_nsg("palisade-rule:r", "audit,"), [Code::PalInvalidTag]);
    assert_eq!(of_nsg("palisade-rule:r", "audit=yes"), [Code::PalInvalidTag]);
    assert_eq!(of_nsg("palisade-rule:r", "notBefore"), [Code::PalInvalidTag]);
    assert_eq!(of_nsg("palisade-rule:r", "expiresAt=soon"), [Code::PalInvalidTime]);
    let twice = [("palisade-mode", "audit"), ("Palisade-Mode", "audit")];
    assert_eq!(codes(&tagged(vec![], &twice)), [Code::PalInvalidTag]);
    let differs = [("expiresAt", "2026-01-31T08:00:00Z")];
    let list = [("palisade-rule:r", "expiresAt=2026-01-31T09:00:00Z")];
    assert_eq!(codes(&tagged(vec![rule(&differs)], &list)), [Code::PalTagDiffers]);
    assert_eq!(codes(&nsg(vec![rule(&[("mode", "shadow")])])), [Code::PalInvalidValue]);
    assert!(is_own_tag("Palisade-Mode") && !is_own_tag("palisade") && !is_own_tag("my-palisade-mode"));
}

/// The interface `n` in network `a`, its subnet's NSG `subnet` and its own, `nic`.
fn wired() -> EstateSpec {
    let mut spec = EstateSpec {
        virtual_networks: vec![network("a", "10.0.0.0/16")],
        nics: vec![nic("n", "a", "10.0.0.4")],
        nsgs: vec![NsgSpec::new(id("/nsgs/subnet")), NsgSpec::new(id("/nsgs/nic"))],
        ..EstateSpec::default()
    };
    spec.virtual_networks[0].subnets[0].nsg = Some(to("/nsgs/subnet"));
    spec.nics[0].nsg = Some(to("/nsgs/nic"));
    spec
}

/// Layer, mode, whether it flushes and whether it is certain, inbound.
fn layers(spec: &EstateSpec) -> Vec<(Layer, Mode, bool, bool)> {
    let estate = accept(spec, TagCatalog::default());
    let policy = estate.effective(the_nic(&estate, "n"));
    policy.inbound.iter().map(|layer| (layer.layer, layer.mode, layer.flush, layer.certain)).collect()
}

#[test]
fn a_layer_has_the_mode_and_the_flushing_of_its_nsg() {
    let mut spec = wired();
    spec.nsgs[0].tags = tags(&[("palisade-mode", "AUDIT")]);
    spec.nsgs[1].flush_connection = Some(At::known(false));
    let expected =
        [(Layer::Subnet, Mode::Audit, true, true), (Layer::NetworkInterface, Mode::Enforce, false, true)];
    assert_eq!(layers(&spec), expected);
    spec.nsgs[0].tags = tags(&[("palisade-mode", "?")]);
    assert_eq!(layers(&spec)[0], (Layer::Subnet, Mode::Enforce, true, false), "it may be in audit");
    spec.nsgs[0].tags = tags(&[("palisade-mode", "enforce")]);
    spec.nsgs[1].flush_connection = Some(At::known(true));
    assert!(
        layers(&spec).iter().all(|(_, mode, flush, certain)| *mode == Mode::Enforce && *flush && *certain)
    );
}

/// To try an NSG out must not open what was closed without it.
#[test]
fn an_nsg_in_audit_does_not_open_a_public_address() {
    let mut spec = wired();
    spec.virtual_networks[0].subnets[0].nsg = None;
    spec.public_ips = vec![PublicIpSpec { sku: Some(text("Standard")), ..PublicIpSpec::new(id("/ips/p")) }];
    spec.nics[0].ip_configurations[0].public_ip = Some(to("/ips/p"));
    assert_eq!(layers(&spec).len(), 1);
    spec.nsgs[1].tags = tags(&[("palisade-mode", "audit")]);
    assert_eq!(layers(&spec)[1], (Layer::PublicAddress, Mode::Enforce, true, true));
    spec.nsgs[1].tags = tags(&[("palisade-mode", "?")]);
    assert_eq!(layers(&spec)[1], (Layer::PublicAddress, Mode::Enforce, true, false));
    spec.virtual_networks[0].subnets[0].nsg = Some(to("/nsgs/subnet"));
    assert_eq!(layers(&spec).len(), 2, "the subnet's NSG enforces");
}

#[test]
fn guards_are_on_unless_the_tag_turns_them_off() {
    let with = |list: &[(&str, &str)]| {
        let mut spec = wired();
        spec.nics[0].tags = tags(list);
        let estate = accept(&spec, TagCatalog::default());
        let nic = the_nic(&estate, "n");
        (nic.guards(), nic.mode(), nic.tcp_state_tracking())
    };
    assert_eq!(with(&[("env", "prod")]), (Guards::ALL, Mode::Enforce, true));
    assert_eq!(Guards::default(), Guards::ALL);
    assert_eq!(
        with(&[("palisade-mode", "Audit"), ("palisade-guards", "")]),
        (Guards::ALL, Mode::Audit, true)
    );
    let some = Guards { mac: false, vlan: false, ..Guards::ALL };
    assert_eq!(with(&[("Palisade-Guards", "No-MAC, no-vlan")]).0, some);
    assert_eq!(some.words_off().collect::<Vec<_>>(), ["no-mac", "no-vlan"]);
    let all = Guards::words().collect::<Vec<_>>();
    let none = with(&[("palisade-guards", &all.join(","))]).0;
    assert_eq!(none.words_off().collect::<Vec<_>>(), all);
    let mut wrong = wired();
    wrong.nics[0].tags = tags(&[("palisade-guards", "no-mac,no-fun")]);
    let found = problems(&wrong);
    assert_eq!(
        found.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>(),
        [
            "\"no-fun\" in tag palisade-guards of /nics/n is not one of no-mac, no-source, no-neighbour, no-dhcp-server, \
          no-router, no-ether-type, no-vlan, no-platform"
        ]
    );
}

#[test]
fn forwarding_turns_the_check_of_the_source_off_and_no_other() {
    let mut spec = wired();
    spec.nics[0].ip_forwarding = Some(At::known(true));
    let estate = accept(&spec, TagCatalog::default());
    assert_eq!(the_nic(&estate, "n").guards(), Guards { source: false, ..Guards::ALL });
    spec.nics[0].ip_forwarding = Some(At::unknown("parameter"));
    let estate = accept(&spec, TagCatalog::default());
    let nic = the_nic(&estate, "n");
    assert_eq!((nic.guards(), nic.ip_forwarding()), (Guards::ALL, Truth::Maybe));
    assert_eq!(estate.open_parts(nic), ["enableIPForwarding of /nics/n: parameter"]);
}

fn open_parts(change: impl FnOnce(&mut EstateSpec)) -> Vec<String> {
    let mut spec = wired();
    change(&mut spec);
    let estate = accept(&spec, TagCatalog::default());
    estate.open_parts(the_nic(&estate, "n"))
}

#[test]
fn whatever_is_open_is_told_where_it_matters() {
    let reason = "parameter \"p\" has no value";
    let told = |what: &str| vec![format!("{what}: {reason}")];
    assert_eq!(open_parts(|_| ()), [""; 0]);
    let mac = open_parts(|spec| spec.nics[0].mac = Some(text("?")));
    assert_eq!(mac, told("macAddress of /nics/n"));
    let address = open_parts(|spec| spec.nics[0].ip_configurations[0].private_address = Some(text("?")));
    assert_eq!(address, told("privateIPAddress of /nics/n"));
    for name in ["palisade-mode", "palisade-guards", "palisade-interface"] {
        let tag = open_parts(|spec| spec.nics[0].tags = tags(&[(name, "?")]));
        assert_eq!(tag, told(&format!("tag {name} of /nics/n")));
    }
    assert_eq!(open_parts(|spec| spec.nics[0].tags = tags(&[("env", "?")])), [""; 0]);
    let all = open_parts(|spec| spec.nics[0].tags = Some(At::unknown(reason)));
    assert_eq!(all, told("tags of /nics/n"));
    let tracking = open_parts(|spec| spec.nics[0].disable_tcp_state_tracking = Some(At::unknown(reason)));
    assert_eq!(tracking, told("disableTcpStateTracking of /nics/n"));
    let timeout =
        open_parts(|spec| spec.virtual_networks[0].flow_timeout_minutes = Some(At::unknown(reason)));
    assert_eq!(timeout, told("flowTimeoutInMinutes of /vnets/a"));
    for (nsg, name) in [(0, "subnet"), (1, "nic")] {
        let flush = open_parts(|spec| spec.nsgs[nsg].flush_connection = Some(At::unknown(reason)));
        assert_eq!(flush, told(&format!("flushConnection of /nsgs/{name}")));
    }
    // Nobody gave an address: the deployment assigns one, and that is not open.
    assert_eq!(open_parts(|spec| spec.nics[0] = nic("n", "a", "-")), [""; 0]);
}

#[test]
fn what_is_open_has_the_safe_value() {
    let mut spec = wired();
    spec.nics[0].tags = tags(&[("palisade-mode", "?"), ("palisade-guards", "?")]);
    spec.nics[0].disable_tcp_state_tracking = Some(At::unknown("parameter"));
    let estate = accept(&spec, TagCatalog::default());
    let nic = the_nic(&estate, "n");
    assert_eq!((nic.mode(), nic.guards(), nic.tcp_state_tracking()), (Mode::Enforce, Guards::ALL, true));
    assert!(nic.tags().is_empty());
    spec.nics[0].disable_tcp_state_tracking = Some(At::known(true));
    let estate = accept(&spec, TagCatalog::default());
    assert!(!the_nic(&estate, "n").tcp_state_tracking());
}

#[test]
fn the_idle_timeout_is_that_of_the_network() {
    let timeout = |spec: &EstateSpec| {
        let estate = accept(spec, TagCatalog::default());
        estate.flow_timeout(the_nic(&estate, "n"))
    };
    let mut spec = wired();
    assert_eq!(timeout(&spec), None);
    spec.virtual_networks[0].flow_timeout_minutes = Some(At::known(30));
    assert_eq!(timeout(&spec), Some(30));
    spec.nics[0] = nic("n", "gone", "10.0.0.4");
    assert_eq!(timeout(&spec), None);
}

#[test]
fn an_interface_owns_the_addresses_of_all_its_configurations() {
    let owned = |spec: &EstateSpec| {
        let estate = accept(spec, TagCatalog::default());
        let own = estate.addresses_of(the_nic(&estate, "n"));
        (own.must().clone(), own.may().clone())
    };
    let mut spec = wired();
    let mut add = |address: Option<&str>| {
        let configuration = IpConfigurationSpec::new("c", id("/vnets/a/subnets/s"));
        spec.nics[0]
            .ip_configurations
            .push(IpConfigurationSpec { private_address: address.map(text), ..configuration });
    };
    add(Some("10.0.1.0/28"));
    add(Some("fd00::4"));
    let all = set_of("10.0.0.4,10.0.1.0/28,fd00::4");
    assert_eq!(owned(&spec), (all.clone(), all));
    // One that is assigned later is of the subnet, and nobody else's.
    spec.nics[0].ip_configurations = vec![IpConfigurationSpec::new("c", id("/vnets/a/subnets/s"))];
    spec.nics.push(nic("m", "a", "10.0.0.5"));
    let free = set_of("10.0.0.0/16").difference(&set_of("10.0.0.5"));
    assert_eq!(owned(&spec), (set_of(""), free));
    spec.nics[0].ip_configurations.clear();
    assert_eq!(owned(&spec), (set_of(""), set_of("")));
}

#[test]
fn the_platform_has_three_addresses() {
    let expected = set_of("168.63.129.16,169.254.169.254,fe80::1234:5678:9abc");
    assert_eq!(platform_addresses(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// No text of a tag panics, and what is taken is what was meant: a word more or an error.
    #[test]
    fn any_text_of_a_tag_is_taken_or_refused(name in "(palisade-)?(mode|guards|rule:r?|[a-z:]{0,6})", value in ".{0,40}") {
        let mut spec = tagged(vec![rule(&[])], &[(&name, &value)]);
        spec.nics = vec![nic("n", "a", "10.0.0.4")];
        spec.virtual_networks = vec![network("a", "10.0.0.0/16")];
        spec.nics[0].tags = tags(&[(&name, &value)]);
        let (estate, problems) = Estate::validate(&spec, TagCatalog::default());
        prop_assert!(is_own_tag(&name) || estate.is_some());
        prop_assert!(problems.iter().all(|problem| !problem.message.is_empty()));
    }
}
