//! From the rules of an interface to the blobs that the kernel program decides by.
//!
//! Enforcement knows no `Unknown`: a policy of which any part is not known is refused with the rule's name, and so is one
//! that is too large.

use std::sync::Arc;

use palisade_abi::verdict::LAYERS;
use palisade_model::{EffectivePolicy, Layer};
use palisade_net::Direction;

use crate::{
    blob, engine, lower,
    table::{CompileError, Limits, Table},
};

/// The compiled lists of one direction, by their place in the evaluation; `None` where no list stands.
pub type DirectionBlobs = [Option<Arc<[u8]>>; LAYERS];

/// Both directions of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyBlobs {
    /// Packets to the virtual machine: admin, subnet, NIC.
    pub inbound: DirectionBlobs,
    /// Packets from the virtual machine: admin, NIC, subnet.
    pub outbound: DirectionBlobs,
}

/// Why a policy cannot be enforced.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EnforceError {
    /// A rule depends on something that the estate does not tell.
    #[error(
        "{list}: {rule} is not fully known, so it cannot be enforced (give the missing value, tag file or resource)"
    )]
    Unknown {
        /// The NSG or collection.
        list: String,
        /// The rule.
        rule: String,
    },
    /// The whole list may not exist.
    #[error("{list} may not exist, so it cannot be enforced (give the condition's parameters)")]
    Uncertain {
        /// The NSG or collection.
        list: String,
    },
    /// A list is too large.
    #[error("{list}: {error}")]
    Compile {
        /// The NSG or collection.
        list: String,
        /// What is too large.
        error: CompileError,
    },
}

/// Compiles a policy for the kernel program.
///
/// # Errors
/// [`EnforceError`] names the list and the rule.
pub fn compile(policy: &EffectivePolicy) -> Result<PolicyBlobs, EnforceError> {
    Ok(PolicyBlobs {
        inbound: direction(policy, Direction::Inbound)?,
        outbound: direction(policy, Direction::Outbound)?,
    })
}

fn direction(policy: &EffectivePolicy, direction: Direction) -> Result<DirectionBlobs, EnforceError> {
    let mut blobs = DirectionBlobs::default();
    for (lowered, layer) in lower::layers(policy, direction).into_iter().zip(policy.layers(direction)) {
        let list = layer.name.clone().unwrap_or_else(|| nameless(layer.layer).to_owned());
        if let Some(rule) = layer.rules.iter().find(|rule| !engine::is_certain(rule)) {
            return Err(EnforceError::Unknown { list, rule: rule.path.clone() });
        }
        if !layer.certain {
            return Err(EnforceError::Uncertain { list });
        }
        let table = Table::compile(&lowered.rows, &Limits::default());
        let table = table.map_err(|error| EnforceError::Compile { list, error })?;
        blobs[place(lowered.layer, direction)] = Some(blob::encode(&table).into());
    }
    Ok(blobs)
}

/// What to call a list of which only the place is known.
const fn nameless(layer: Layer) -> &'static str {
    match layer {
        Layer::Admin => "the security admin rules",
        Layer::Subnet => "the subnet's NSG",
        Layer::NetworkInterface => "the interface's NSG",
        Layer::PublicAddress => "the public address",
    }
}

/// Where a layer's blob stands in its direction. A closed public address takes the interface's place: it exists only where
/// no NSG does.
const fn place(layer: Layer, direction: Direction) -> usize {
    match (layer, direction) {
        (Layer::Admin, _) => 0,
        (Layer::Subnet, Direction::Inbound)
        | (Layer::NetworkInterface | Layer::PublicAddress, Direction::Outbound) => 1,
        (Layer::Subnet, Direction::Outbound)
        | (Layer::NetworkInterface | Layer::PublicAddress, Direction::Inbound) => 2,
    }
}
