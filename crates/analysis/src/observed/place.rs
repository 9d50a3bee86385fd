//! Where a flow was seen, or why that cannot be said.

use std::fmt;

use palisade_model::{EffectivePolicy, Estate, Nic, ResourceId};

/// Where a flow was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// At an interface.
    Nic(ResourceId),
    /// At an NSG; the estate does not tell at which of its interfaces. Only the rules of this NSG are known to have been asked.
    Nsg(ResourceId),
}

impl Place {
    /// Id of the interface or NSG.
    pub const fn id(&self) -> &ResourceId {
        match self {
            Self::Nic(id) | Self::Nsg(id) => id,
        }
    }

    /// The interface in an estate.
    pub fn nic<'e>(&self, estate: &'e Estate) -> Option<&'e Nic> {
        match self {
            Self::Nic(id) => estate.nics().find(|nic| nic.id() == id),
            Self::Nsg(_) => None,
        }
    }

    /// The rules that hold there in an estate; `None` if the estate does not have the place.
    pub fn policy(&self, estate: &Estate) -> Option<EffectivePolicy> {
        match self {
            Self::Nic(_) => self.nic(estate).map(|nic| estate.effective(nic)),
            Self::Nsg(id) => estate.nsg(id).map(|nsg| estate.effective_alone(nsg, None)),
        }
    }
}

/// Why a flow has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unplaced {
    /// The estate has nothing that logged: no such interface, NSG, subnet or network.
    Resource,
    /// No interface that may have logged has the address.
    Address,
    /// Several interfaces may have logged.
    Several,
    /// It shows a public address, and the interface has several of its own.
    Translated,
}

impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resource => "the estate has nothing of what logged them",
            Self::Address => "no interface of the estate that may have logged them has their address",
            Self::Several => "several interfaces of the estate may have logged them",
            Self::Translated => "they show a public address, and the interface has several of its own",
        })
    }
}
