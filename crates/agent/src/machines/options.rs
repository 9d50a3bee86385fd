//! Options of the form `kind,key=value,...`, as hypervisors take them; and those of Cloud Hypervisor.

use std::collections::BTreeMap;

use super::Claim;

/// One option's value, taken apart. What has no key is under the empty one.
pub(super) type Properties = BTreeMap<String, String>;

/// Takes a value apart; in QEMU's newer form it is JSON.
pub(super) fn properties(value: &str) -> Properties {
    if value.starts_with('{') {
        return from_json(value);
    }
    // A comma in a value is written twice.
    let parts = value.replace(",,", "\u{0}");
    let pair = |part: &str| {
        let part = part.replace('\u{0}', ",");
        match part.split_once('=') {
            Some((key, value)) => (key.to_owned(), value.to_owned()),
            None => (String::new(), part),
        }
    };
    parts.split(',').map(pair).collect()
}

fn from_json(value: &str) -> Properties {
    let parsed: serde_json::Map<_, _> = serde_json::from_str(value).unwrap_or_default();
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    parsed.into_iter().map(|(key, value)| (key, text(value))).collect()
}

/// What the properties of a card say. Names of keys differ: `interface` has that of the interface's name.
pub(super) fn claim(properties: &Properties, interface: &str) -> Claim {
    let numbers = ["fd", "fds"].into_iter().filter_map(|key| properties.get(key));
    Claim {
        interface: properties.get(interface).cloned(),
        descriptors: numbers.flat_map(|list| list.split([':', ','])).filter_map(|n| n.parse().ok()).collect(),
        mac: mac(properties, "mac"),
    }
}

/// A hardware address among the properties.
pub(super) fn mac(properties: &Properties, key: &str) -> Option<palisade_net::Mac> {
    properties.get(key)?.parse().ok()
}

/// The cards of a machine of Cloud Hypervisor: everything after `--net` up to the next option.
pub(super) fn cloud_hypervisor(arguments: &[String]) -> Vec<Claim> {
    let mut claims = Vec::new();
    let mut is_net = false;
    for argument in arguments {
        if argument.starts_with("--") {
            is_net = argument == "--net";
        } else if is_net {
            claims.push(claim(&properties(argument), "tap"));
        }
    }
    claims
}
