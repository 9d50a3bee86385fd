//! The list of service tags: what the loaded file defines, and what this server computes by itself.
//!
//! `VirtualNetwork` is in it without addresses, since it differs from subnet to subnet. One answer is bounded by prefixes, and the rest
//! stands behind `nextLink`, which whoever speaks HTTP makes of the number given here.

use palisade_model::{ComputedTag, TagAddresses, TagCatalog, TagName};
use serde_json::{Value, json};

use super::rules::listed;

/// Most prefixes of one page; a page has at least one tag.
pub const PAGE_PREFIXES_MAX: usize = 20_000;

/// One page of `serviceTags`, and the number of tags to skip for the next one.
pub fn list(tags: &TagCatalog, subscription: &str, location: &str, skip: usize) -> (Value, Option<usize>) {
    let mut names: Vec<TagName> = tags.iter().map(|(name, _)| name.clone()).collect();
    let computed = ComputedTag::ALL.iter().filter_map(|tag| tag.name().parse::<TagName>().ok());
    names.extend(computed.filter(|name| !tags.iter().any(|(known, _)| known == name)).collect::<Vec<_>>());
    names.sort_by_key(|name| name.as_str().to_ascii_lowercase());
    let (mut values, mut prefixes) = (Vec::new(), 0);
    for name in names.iter().skip(skip) {
        let addresses = match tags.addresses(name) {
            TagAddresses::Known(set) => listed(&set),
            TagAddresses::OfSubnet | TagAddresses::Unresolved | TagAddresses::NoSuchTag => Vec::new(),
        };
        prefixes += addresses.len();
        if prefixes > PAGE_PREFIXES_MAX && !values.is_empty() {
            break;
        }
        values.push(entry(name, &addresses));
    }
    let next = skip + values.len();
    let page = json!({
        "name": location,
        "id": format!("/subscriptions/{subscription}/providers/Microsoft.Network/serviceTags/{location}"),
        "type": "Microsoft.Network/serviceTags",
        "changeNumber": "1",
        "cloud": "Public",
        "values": values,
    });
    (page, (next < names.len()).then_some(next))
}

fn entry(name: &TagName, addresses: &[String]) -> Value {
    let (service, region) = name.as_str().split_once('.').unwrap_or((name.as_str(), ""));
    json!({
        "name": name.as_str(),
        "id": name.as_str(),
        "serviceTagChangeNumber": "1",
        "properties": {
            "changeNumber": "1",
            "region": region.to_ascii_lowercase(),
            "state": "GA",
            "networkFeatures": ["API", "NSG", "UDR", "FW"],
            "systemService": service,
            "addressPrefixes": addresses,
        },
    })
}
