//! Attachments and shapes that mean something else than they seem to.

use palisade_analysis::findings::Severity;
use palisade_model::spec::{At, Reference, RouteSpec, RouteTableSpec, Text};

use super::support::{Written, id, told};

#[test]
fn subnets_without_an_nsg_are_told_unless_they_want_none() {
    let mut estate = Written::default().network(&[
        ("web", "10.0.1.0/24", ""),
        ("GatewaySubnet", "10.0.2.0/24", ""),
        ("AzureFirewallSubnet", "10.0.3.0/24", ""),
        ("files", "10.0.4.0/24", ""),
    ]);
    estate.0.virtual_networks[0].subnets[3].delegations = vec![Text::known("Microsoft.Netapp/volumes")];
    let found = estate.found().findings;
    let names: Vec<_> =
        found.iter().filter_map(|f| Some((f.check.id, f.subject.subnet.as_ref()?.name()))).collect();
    assert_eq!(names, [("PAL-SUBNET-NO-NSG", "web")]);
}

#[test]
fn an_nsg_that_governs_nothing_is_told_and_still_asked() {
    let estate = Written::default().nsg("spare", &["ssh 100 Inbound Allow Tcp * * * 22"]);
    assert_eq!(estate.ids("PAL-NSG"), ["PAL-NSG-UNATTACHED"]);
    assert_eq!(estate.ids("PAL-EXPOSURE"), ["PAL-EXPOSURE-SSH ssh"]);
}

#[test]
fn interfaces_of_one_subnet_with_nsgs_of_their_own_are_noted() {
    let estate = Written::one(&[]).nsg("own", &[]).nic("other", "web", "10.0.1.5", "own");
    assert_eq!(estate.ids("PAL-NIC-NSG"), ["PAL-NIC-NSG-DIFFERS"]);
    assert_eq!(Written::one(&[]).ids("PAL-NIC-NSG"), Vec::<String>::new());
}

#[test]
fn a_default_route_widens_the_tag() {
    let mut estate = Written::one(&[]);
    let route = RouteSpec::new("all", "0.0.0.0/0", "VirtualAppliance");
    estate.0.route_tables.push(RouteTableSpec { routes: vec![route], ..RouteTableSpec::new(id("table")) });
    estate.0.virtual_networks[0].subnets[0].route_table = Some(Reference {
        value: palisade_model::spec::Given::Known(id("table")),
        place: palisade_model::Place::default(),
    });
    let found = estate.found().findings;
    let widened =
        found.iter().find(|finding| finding.check.id == "PAL-VIRTUALNETWORK-WIDENED").expect("it is there");
    assert_eq!(told(widened), "PAL-VIRTUALNETWORK-WIDENED AllowVnetInBound");
    let flow = widened.witness.expect("a packet from the Internet");
    assert_eq!(flow.source().to_string(), "8.8.8.8");
    // What the tag lets in is open, too.
    assert!(found.iter().any(|finding| told(finding) == "PAL-EXPOSURE-SSH AllowVnetInBound"));
    assert_eq!(Written::one(&[]).ids("PAL-VIRTUALNETWORK"), Vec::<String>::new());
}

#[test]
fn a_deny_of_the_network_kills_probes() {
    let severity = |rules: &[&str]| {
        let found = Written::one(rules).found().findings;
        let probes = found.into_iter().filter(|finding| finding.check.id == "PAL-PROBES-DENIED");
        probes.map(|finding| finding.severity).collect::<Vec<_>>()
    };
    assert_eq!(severity(&["no 100 Inbound Deny * VirtualNetwork * * *"]), [Severity::Warning]);
    assert_eq!(severity(&["no 100 Inbound Deny * 168.63.129.16 * * *"]), [Severity::Warning]);
    assert_eq!(severity(&["no 4096 Inbound Deny * * * * *"]), [Severity::Note]);
    let let_in = "probes 100 Inbound Allow * AzureLoadBalancer * * *";
    assert_eq!(severity(&[let_in, "no 4096 Inbound Deny * * * * *"]), []);
}

#[test]
fn a_just_in_time_rule_behind_an_older_allow_is_told() {
    let deny =
        "SecurityCenter-JITRule_1_0123456789abcdef0123456789abcdef 4096 Inbound Deny * * * 10.0.1.4 22";
    let open = Written::one(&["old 300 Inbound Allow Tcp * * * 22", deny]);
    let found = open.found().findings;
    let hidden = found.iter().find(|finding| finding.check.id == "PAL-JIT-HIDDEN").expect("it is there");
    assert_eq!(
        (hidden.severity, &hidden.covered_by[..]),
        (Severity::Error, &["securityRules/old".to_owned()][..])
    );
    let inside = Written::one(&["old 300 Inbound Allow Tcp 10.0.0.0/8 * * 22", deny]).found().findings;
    let hidden = inside.iter().find(|finding| finding.check.id == "PAL-JIT-HIDDEN").expect("it is there");
    assert_eq!(hidden.severity, Severity::Note);
    assert_eq!(
        Written::one(&["web 300 Inbound Allow Tcp * * * 443", deny]).ids("PAL-JIT"),
        Vec::<String>::new()
    );
}

#[test]
fn tags_that_do_nothing_are_told_and_platform_tags_too() {
    let mut estate = Written::one(&[
        "portal 100 Outbound Allow Tcp * * AzurePortal 443",
        "dns 110 Outbound Deny * * * AzurePlatformDNS *",
    ]);
    estate.0.unknowns.clear();
    let ids: Vec<String> =
        estate.ids("PAL-").into_iter().filter(|id| id.contains("TAG-") || id.contains("PLATFORM")).collect();
    assert_eq!(ids, ["PAL-TAG-WITHOUT-EFFECT portal", "PAL-PLATFORM-DENIED dns"]);
}

#[test]
fn public_addresses_and_routers_are_noted() {
    let mut estate = Written::one(&[]);
    estate.0.nics[0].ip_forwarding = Some(At::known(true));
    estate.0.nics[0].ip_configurations[0].public_ip = Some(Reference {
        value: palisade_model::spec::Given::Known(id("ip")),
        place: palisade_model::Place::default(),
    });
    let ids: Vec<String> = estate.ids("PAL-NIC");
    assert_eq!(ids, ["PAL-NIC-FORWARDING", "PAL-NIC-PUBLIC-ADDRESS"]);
}
