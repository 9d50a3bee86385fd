//! Network interfaces and their IP configurations.
//!
//! What only a deployment can tell gets its safe value and a phrase among the interface's open parts; enforcement refuses
//! an interface that has any.

use std::collections::BTreeMap;

use palisade_net::Family;

use super::network::{checked_prefix, reference};
use super::own_tags::OwnTags;
use super::{count_limit, shown};
use crate::{
    Code, Guards, IpConfiguration, Nic, Place, ResourceId, Truth, limits,
    problem::Problems,
    spec::{Flag, Given, IpConfigurationSpec, NicSpec, ResourceTags, Text},
};

pub(super) fn nic(spec: &NicSpec, p: &mut Problems) -> Nic {
    p.about(&spec.id);
    let own = OwnTags::of_nic(&spec.id, spec.tags.as_ref(), p);
    let mut open = Open { id: &spec.id, parts: own.open_parts() };
    let mac = open.text("macAddress", spec.mac.as_ref()).and_then(|(value, place)| {
        value.parse().map_err(|error| p.error(Code::PalInvalidMacAddress, place, format!("{error}"))).ok()
    });
    let ip_forwarding = open.flag("enableIPForwarding", spec.ip_forwarding.as_ref());
    let stateless = open.flag("disableTcpStateTracking", spec.disable_tcp_state_tracking.as_ref());
    let guards = own.guards(p);
    // A stable sort: the configuration that says it is primary comes first, the others keep their order.
    let mut configurations: Vec<&IpConfigurationSpec> = spec.ip_configurations.iter().collect();
    configurations.sort_by_key(|configuration| configuration.primary != Some(true));
    let nic = Nic {
        id: spec.id.clone(),
        name: shown(&spec.name),
        nsg: reference(spec.nsg.as_ref()),
        ip_configurations: configurations.into_iter().map(|c| ip_configuration(c, &mut open, p)).collect(),
        mac,
        ip_forwarding,
        private_endpoint: spec.private_endpoint,
        mode: own.mode(p).known().unwrap_or_default(),
        tcp_state_tracking: stateless != Truth::Yes,
        guards: Guards { source: guards.source && ip_forwarding != Truth::Yes, ..guards },
        open_parts: open.parts,
        tags: known_tags(spec.tags.as_ref()),
        throttle: None,
    };
    check_groups(&nic, &spec.place, p);
    check_subnets(&nic, &spec.place, p);
    nic
}

/// Collects what of an interface only a deployment can tell.
struct Open<'a> {
    id: &'a ResourceId,
    parts: Vec<String>,
}

impl Open<'_> {
    /// A text that is given and not blank, and where it stands.
    fn text<'t>(&mut self, what: &str, text: Option<&'t Text>) -> Option<(&'t str, &'t Place)> {
        match text.map(|text| (&text.value, &text.place))? {
            (Given::Known(value), place) => (!value.is_empty()).then_some((value, place)),
            (Given::Unknown(reason), _) => {
                self.note(what, reason);
                None
            }
        }
    }

    /// A truth value that is false if it is not given.
    fn flag(&mut self, what: &str, flag: Option<&Flag>) -> Truth {
        match flag.map(|flag| &flag.value) {
            None => Truth::No,
            Some(Given::Known(holds)) => (*holds).into(),
            Some(Given::Unknown(reason)) => {
                self.note(what, reason);
                Truth::Maybe
            }
        }
    }

    fn note(&mut self, what: &str, reason: &str) {
        self.parts.push(format!("{what} of {}: {reason}", self.id));
    }
}

fn known_tags(tags: Option<&ResourceTags>) -> BTreeMap<String, String> {
    let all = tags.and_then(|tags| tags.value.known()).into_iter().flatten();
    all.filter_map(|(name, text)| Some((name.clone(), text.value.known()?.clone()))).collect()
}

/// An interface is in one subnet, whose NSG and routes hold for it.
fn check_subnets(nic: &Nic, place: &Place, p: &mut Problems) {
    let mut subnets = nic.ip_configurations.iter().filter_map(|c| c.subnet.as_ref()?.known());
    if let Some(first) = subnets.next()
        && let Some(other) = subnets.find(|other| *other != first)
    {
        let message = format!(
            "IPConfigurations on a Nic cannot belong to different subnets. {} is in {first} and {other}.",
            nic.id
        );
        p.error(Code::PalIpConfigurationSubnetsDiffer, place, message);
    }
}

/// Azure requires every IP configuration of an interface to be in the same groups.
fn check_groups(nic: &Nic, place: &Place, p: &mut Problems) {
    let sorted = |configuration: &IpConfiguration| {
        let mut groups = configuration.groups.clone();
        groups.sort();
        groups
    };
    let mut sets =
        nic.ip_configurations.iter().filter(|configuration| configuration.groups_known).map(sorted);
    if let Some(first) = sets.next()
        && sets.any(|other| other != first)
    {
        let message = format!("IP configurations of {} are in different application security groups", nic.id);
        p.error(Code::PalIpConfigurationGroupsDiffer, place, message);
    }
    for configuration in &nic.ip_configurations {
        let (count, max) = (configuration.groups.len(), limits::ASGS_PER_IP_CONFIGURATION_MAX);
        let what = format!("application security groups of one IP configuration of {}", nic.id);
        count_limit(p, Code::PalApplicationSecurityGroupLimitReached, place, count, max, &what);
    }
}

fn ip_configuration(spec: &IpConfigurationSpec, open: &mut Open<'_>, p: &mut Problems) -> IpConfiguration {
    // Not cut down to its network: an interface at 10.0.0.4/24 does not have 256 addresses.
    let address = open
        .text("privateIPAddress", spec.private_address.as_ref())
        .and_then(|(value, place)| checked_prefix(value.parse(), value, place, p));
    IpConfiguration {
        name: shown(&spec.name),
        address,
        subnet: reference(spec.subnet.as_ref()),
        public_ip: reference(spec.public_ip.as_ref()),
        groups: spec.asgs.iter().filter_map(|asg| asg.value.known().cloned()).collect(),
        family: match address {
            Some(prefix) => prefix.family(),
            None if spec.ipv6 => Family::V6,
            None => Family::V4,
        },
        groups_known: spec.asgs.iter().all(|asg| asg.value.known().is_some()),
    }
}
