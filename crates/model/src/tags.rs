//! Service tags: names for sets of addresses.
//!
//! Most come from Microsoft's weekly file, which the user supplies. The rest are fixed here, or computed for each subnet
//! (`VirtualNetwork`, see [`crate::effective`]). What each means here: `docs/semantics.md`, Decisions. It must
//! not read the file itself.

use std::{collections::HashMap, fmt, str::FromStr, sync::Arc};

use palisade_net::{AddressSet, Prefix};

/// Azure's host address: DNS, DHCP, health probes, the guest agent's channel.
pub const HOST_ADDRESS: &str = "168.63.129.16/32";
/// The host address in IPv6, as effective rules of real interfaces show it.
pub const HOST_ADDRESS_V6: &str = "fe80::1234:5678:9abc/128";
/// The instance metadata service.
pub const METADATA_ADDRESS: &str = "169.254.169.254/32";
/// Windows activation hosts (`azkms.core.windows.net` and its successor).
/// Source: <https://learn.microsoft.com/troubleshoot/azure/virtual-machines/custom-routes-enable-kms-activation>.
pub const LICENSING_ADDRESSES: [&str; 3] = ["20.118.99.224/32", "23.102.135.246/32", "40.83.235.53/32"];

/// IPv4 blocks outside `Internet`: the special-use blocks that the tag of a real interface leaves out.
const NOT_INTERNET_V4: [&str; 10] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
];
/// IPv6 blocks outside `Internet`: those that the IANA special-purpose registry marks as not globally reachable.
/// Azure's own list was never observed.
const NOT_INTERNET_V6: [&str; 8] =
    ["::/8", "100::/64", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "ff00::/8"];

/// Names that once were tags and that Azure now refuses, with what to write.
const RETIRED: [(&str, &str); 5] = [
    ("VIRTUAL_NETWORK", "VirtualNetwork"),
    ("AZURE_LOADBALANCER", "AzureLoadBalancer"),
    ("ANY", "*"),
    ("ALL", "*"),
    ("LOCALHOST", "an address"),
];

/// The name of a service tag. Compares without case, as Azure reads it.
#[derive(Debug, Clone)]
pub struct TagName {
    text: String,
    folded: String,
}

/// Why a text is not the name of a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagNameError {
    /// It has the wrong characters.
    #[error(
        "\"{0}\" is not a service tag (a tag is letters and digits, with a region after a dot: Storage.WestUS)"
    )]
    Syntax(String),
    /// It was a tag in the classic model.
    #[error("\"{got}\" is not a service tag any more (write {instead})")]
    Retired {
        /// The text given.
        got: String,
        /// What to write.
        instead: &'static str,
    },
}

impl FromStr for TagName {
    type Err = TagNameError;

    fn from_str(text: &str) -> Result<Self, TagNameError> {
        if let Some((_, instead)) = RETIRED.iter().find(|(retired, _)| text.eq_ignore_ascii_case(retired)) {
            return Err(TagNameError::Retired { got: text.to_owned(), instead });
        }
        let begins_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        let parts_well =
            text.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()));
        if begins_well && parts_well {
            Ok(Self { text: text.to_owned(), folded: text.to_ascii_lowercase() })
        } else {
            Err(TagNameError::Syntax(text.to_owned()))
        }
    }
}

impl TagName {
    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The computed tag of this name, if it is one.
    pub fn computed(&self) -> Option<ComputedTag> {
        ComputedTag::ALL.into_iter().find(|tag| tag.name().eq_ignore_ascii_case(&self.text))
    }
}

impl PartialEq for TagName {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for TagName {}

impl std::hash::Hash for TagName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

impl fmt::Display for TagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A tag that the platform computes instead of publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComputedTag {
    /// The network of the subnet, its peers, what its gateway and routes lead to, and the host address.
    VirtualNetwork,
    /// Public addresses. Overlaps `VirtualNetwork` where that holds public ones.
    Internet,
    /// The source of health probes.
    AzureLoadBalancer,
    /// The platform's DNS.
    AzurePlatformDns,
    /// The instance metadata service.
    AzurePlatformImds,
    /// Windows activation.
    AzurePlatformLkm,
}

impl ComputedTag {
    /// Every computed tag.
    pub const ALL: [Self; 6] = [
        Self::VirtualNetwork,
        Self::Internet,
        Self::AzureLoadBalancer,
        Self::AzurePlatformDns,
        Self::AzurePlatformImds,
        Self::AzurePlatformLkm,
    ];

    /// The tag's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::VirtualNetwork => "VirtualNetwork",
            Self::Internet => "Internet",
            Self::AzureLoadBalancer => "AzureLoadBalancer",
            Self::AzurePlatformDns => "AzurePlatformDNS",
            Self::AzurePlatformImds => "AzurePlatformIMDS",
            Self::AzurePlatformLkm => "AzurePlatformLKM",
        }
    }

    /// The tag's addresses where they are the same everywhere; `None` for `VirtualNetwork`.
    pub fn fixed_addresses(self) -> Option<AddressSet> {
        Some(match self {
            Self::VirtualNetwork => return None,
            Self::Internet => internet(),
            Self::AzureLoadBalancer | Self::AzurePlatformDns => fixed(&[HOST_ADDRESS, HOST_ADDRESS_V6]),
            Self::AzurePlatformImds => fixed(&[METADATA_ADDRESS]),
            Self::AzurePlatformLkm => fixed(&LICENSING_ADDRESSES),
        })
    }
}

/// A set of addresses written in this file.
pub(crate) fn fixed(prefixes: &[&str]) -> AddressSet {
    prefixes
        .iter()
        .map(|text| text.parse::<Prefix>().expect("prefixes of this module are canonical"))
        .collect()
}

fn internet() -> AddressSet {
    fixed(&[NOT_INTERNET_V4.as_slice(), NOT_INTERNET_V6.as_slice()].concat()).complement()
}

/// The tags that a file defined.
///
/// A file may define computed tags too, `Internet` for one: its list then replaces the built-in one. Only
/// `VirtualNetwork` is never a file's: it differs from subnet to subnet.
#[derive(Debug, Clone, Default)]
pub struct TagCatalog {
    // Shared: a catalog has thousands of lists, and every validation has one of its own.
    tags: Arc<HashMap<TagName, AddressSet>>,
    loaded: bool,
}

/// What a catalog says of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagAddresses {
    /// Its addresses.
    Known(AddressSet),
    /// It is `VirtualNetwork`, which depends on the subnet.
    OfSubnet,
    /// No file was loaded that could define it.
    Unresolved,
    /// A file was loaded, and it does not define it.
    NoSuchTag,
}

impl TagCatalog {
    /// The catalog of a tag file's contents.
    pub fn new(tags: impl IntoIterator<Item = (TagName, Vec<Prefix>)>) -> Self {
        let tags = tags.into_iter().map(|(name, prefixes)| (name, prefixes.into_iter().collect())).collect();
        Self { tags: Arc::new(tags), loaded: true }
    }

    /// The addresses of a tag.
    pub fn addresses(&self, name: &TagName) -> TagAddresses {
        match (name.computed(), self.tags.get(name)) {
            (Some(ComputedTag::VirtualNetwork), _) => TagAddresses::OfSubnet,
            (_, Some(set)) => TagAddresses::Known(set.clone()),
            (Some(tag), None) => tag.fixed_addresses().map_or(TagAddresses::OfSubnet, TagAddresses::Known),
            (None, None) if self.loaded => TagAddresses::NoSuchTag,
            (None, None) => TagAddresses::Unresolved,
        }
    }

    /// Whether the file defined it; a computed tag has addresses without.
    pub fn defines(&self, name: &TagName) -> bool {
        self.tags.contains_key(name)
    }

    /// The addresses of a computed tag that is the same everywhere, or the file's replacement of it.
    pub(crate) fn computed(&self, tag: ComputedTag) -> AddressSet {
        let name = tag.name().parse().expect("computed tags have valid names");
        match self.addresses(&name) {
            TagAddresses::Known(set) => set,
            _ => AddressSet::empty(),
        }
    }

    /// The tags that the file defined, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&TagName, &AddressSet)> {
        self.tags.iter()
    }

    /// Number of tags that the file defined.
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// Whether no file defined a tag.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }
}
