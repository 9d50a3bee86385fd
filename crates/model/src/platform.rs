//! Traffic of the platform that NSGs do not govern (`docs/semantics.md`, Platform traffic).
//!
//! Azure delivers DNS, instance metadata, the guest agent's channel and Windows activation whatever the rules say, unless
//! a rule names the service's own tag. DHCP and neighbour discovery keep the link working and no rule governs them at all.

pub use palisade_net::packet::is_link_control;
use palisade_net::{AddressSet, PortSet, Protocol};

use crate::{AddressField, ComputedTag, Rule, TagCatalog, tags};

/// A service of the platform that a virtual machine talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlatformService {
    /// Name resolution at the host address.
    Dns,
    /// The guest agent's channel and health reports at the host address. No tag governs it.
    HostAgent,
    /// Instance metadata.
    Metadata,
    /// Windows activation.
    Licensing,
}

impl PlatformService {
    /// Every service.
    pub const ALL: [Self; 4] = [Self::Dns, Self::HostAgent, Self::Metadata, Self::Licensing];

    /// The tag by which rules can govern the service.
    pub const fn tag(self) -> Option<ComputedTag> {
        match self {
            Self::Dns => Some(ComputedTag::AzurePlatformDns),
            Self::HostAgent => None,
            Self::Metadata => Some(ComputedTag::AzurePlatformImds),
            Self::Licensing => Some(ComputedTag::AzurePlatformLkm),
        }
    }

    /// Protocols that it uses.
    pub const fn protocols(self) -> &'static [Protocol] {
        match self {
            Self::Dns => &[Protocol::TCP, Protocol::UDP],
            Self::HostAgent | Self::Metadata | Self::Licensing => &[Protocol::TCP],
        }
    }

    /// Ports that it listens on.
    pub fn ports(self) -> PortSet {
        let ports: &[u16] = match self {
            Self::Dns => &[53],
            Self::HostAgent => &[80, 443, 32_526],
            Self::Metadata => &[80],
            Self::Licensing => &[1_688],
        };
        ports.iter().map(|&port| (port, port)).collect()
    }

    /// Addresses that it listens at.
    pub fn addresses(self, tags: &TagCatalog) -> AddressSet {
        match self.tag() {
            Some(tag) => tags.computed(tag),
            None => tags::fixed(&[tags::HOST_ADDRESS]),
        }
    }

    /// Whether `rule` names the service's tag as its destination, or may: its destination is not known.
    pub fn may_be_named_by(self, rule: &Rule) -> bool {
        let names = |tag: ComputedTag| match &rule.destination().addresses {
            AddressField::Unknown(_) => true,
            field => field.names_tag(&tag.name().parse().expect("computed tags have valid names")),
        };
        self.tag().is_some_and(names)
    }
}

/// Addresses that only the platform sends from: the host's, in both families, and that of instance metadata.
pub fn platform_addresses() -> AddressSet {
    tags::fixed(&[tags::HOST_ADDRESS, tags::HOST_ADDRESS_V6, tags::METADATA_ADDRESS])
}
