//! The words by which an intent names who talks.

use std::{fmt, str::FromStr};

use palisade_model::{TagName, TagNameError};
use palisade_net::{Prefix, PrefixError};

/// Who sends or receives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Thing {
    /// Anybody.
    Any,
    /// Addresses.
    Prefix(Prefix),
    /// A service tag.
    Tag(TagName),
    /// Machines, by a resource of an estate.
    Resource {
        /// Its kind.
        kind: Kind,
        /// Its name, after a slash that of its parent; or its id.
        name: String,
    },
}

/// A kind of resource by which machines are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A virtual network.
    Network,
    /// A subnet.
    Subnet,
    /// An application security group.
    Group,
    /// A network interface.
    Nic,
    /// A network security group: what it judges.
    Nsg,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Network, Self::Subnet, Self::Group, Self::Nic, Self::Nsg];

    /// The word before the colon.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Subnet => "subnet",
            Self::Group => "asg",
            Self::Nic => "nic",
            Self::Nsg => "nsg",
        }
    }
}

/// Why a text names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThingError {
    /// The word before the colon is none of ours.
    #[error(
        "\"{0}\" begins with no known kind (write network:, subnet:, asg:, nic:, nsg: or set: and a name)"
    )]
    Kind(String),
    /// Nothing stands after the colon.
    #[error("\"{0}\" has no name after the colon")]
    Nameless(String),
    /// It looks like a prefix and is none.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// It is neither of the others, and no service tag.
    #[error("{0}, nor *, a prefix, or a kind and a name (subnet:shop-net/web)")]
    Tag(#[from] TagNameError),
}

impl FromStr for Thing {
    type Err = ThingError;

    fn from_str(text: &str) -> Result<Self, ThingError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let begins_as_address = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit() || byte == b':');
        if begins_as_address || text.contains("::") || text.parse::<Prefix>().is_ok() {
            return Ok(Self::Prefix(text.parse()?));
        }
        let Some((word, name)) = text.split_once(':') else { return Ok(Self::Tag(text.parse()?)) };
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word);
        let kind = kind.ok_or_else(|| ThingError::Kind(text.to_owned()))?;
        if name.trim_matches('/').is_empty() {
            return Err(ThingError::Nameless(text.to_owned()));
        }
        Ok(Self::Resource { kind, name: name.to_owned() })
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Tag(tag) => tag.fmt(f),
            Self::Resource { kind, name } => write!(f, "{}:{name}", kind.word()),
        }
    }
}
