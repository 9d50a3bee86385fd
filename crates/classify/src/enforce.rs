//! From the rules of an interface to the blobs that the kernel program decides by.
//!
//! Enforcement knows no `Unknown`: a policy of which any part is not known is refused with the rule's name, and so is one
//! that is too large, or whose blob does not decide as the rules do.

use std::sync::Arc;

use palisade_abi::verdict::LAYERS;
use palisade_model::{EffectiveLayer, EffectivePolicy, Layer, Mode};
use palisade_net::Direction;

use crate::{
    Row, blob, engine,
    lower::{self, LoweredLayer},
    proof::{self, Disproof, Rules},
    table::{CompileError, Limits},
};

/// The compiled lists of one direction, by their place in the evaluation; `None` where no list stands.
pub type DirectionBlobs = [Option<LayerBlob>; LAYERS];

/// One compiled list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerBlob {
    /// What the kernel program reads.
    pub blob: Arc<[u8]>,
    /// The NSG or the security admin collections; `None` if only the place is known.
    pub name: Option<String>,
    /// Whether the whole list is in audit: it drops nothing.
    pub audit: bool,
    /// Whether live flows are judged again when the list changes.
    pub flush: bool,
    /// For each rule of the blob, the path of the rule it comes from (after the collection's name, if it is of one), or
    /// [`PLATFORM_TRAFFIC`]. Several rules of the blob may come from one.
    pub rules: Arc<[String]>,
}

impl LayerBlob {
    /// A list that is enforced, of which no more is known.
    pub fn unnamed(blob: Arc<[u8]>) -> Self {
        Self { blob, name: None, audit: false, flush: true, rules: Arc::default() }
    }
}

/// The name of what lets the platform's traffic pass.
pub const PLATFORM_TRAFFIC: &str = "platformTraffic";

/// Both directions of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyBlobs {
    /// Packets to the virtual machine: admin, subnet, NIC.
    pub inbound: DirectionBlobs,
    /// Packets from the virtual machine: admin, NIC, subnet.
    pub outbound: DirectionBlobs,
}

impl PolicyBlobs {
    /// What the kernel program reads for packets of one direction.
    pub fn bytes(&self, direction: Direction) -> [Option<Arc<[u8]>>; LAYERS] {
        let layers = match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        };
        layers.each_ref().map(|layer| layer.as_ref().map(|layer| Arc::clone(&layer.blob)))
    }
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
    /// The blob does not decide as the rules do.
    #[error(
        "{list}: compiled wrongly, so it is not enforced: {disproof} (this is a fault of Palisade: report it)"
    )]
    Disproof {
        /// The NSG or collection.
        list: String,
        /// Where the two differ.
        disproof: Box<Disproof>,
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
    let layers = policy.layers(direction);
    layers.iter().try_for_each(check)?;
    let lowered = lower::layers(policy, direction);
    let mut blobs = DirectionBlobs::default();
    for (position, blob) in blobs.iter_mut().enumerate() {
        let here = layers.iter().zip(&lowered).filter(|(layer, _)| place(layer.layer, direction) == position);
        *blob = list(&here.collect::<Vec<_>>(), policy, direction)?;
    }
    Ok(blobs)
}

fn check(layer: &EffectiveLayer) -> Result<(), EnforceError> {
    if let Some(rule) = layer.rules.iter().find(|rule| !engine::is_certain(rule)) {
        return Err(EnforceError::Unknown { list: name_of(layer), rule: rule.path.clone() });
    }
    if layer.certain { Ok(()) } else { Err(EnforceError::Uncertain { list: name_of(layer) }) }
}

/// The blob of what stands at one place: mostly one layer. An NSG in audit leaves a public address closed, and that stands
/// in the interface's place too; then the rules of the NSG come first, each in audit, and the last layer decides.
fn list(
    layers: &[(&EffectiveLayer, &LoweredLayer)],
    policy: &EffectivePolicy,
    direction: Direction,
) -> Result<Option<LayerBlob>, EnforceError> {
    let Some((&(first, _), &(last, _))) = layers.first().zip(layers.last()) else { return Ok(None) };
    let mut rows = Vec::new();
    let mut rules = Vec::new();
    for (layer, lowered) in layers {
        let tried = !std::ptr::eq(*layer, last);
        rows.extend(lowered.rows.iter().map(|row| Row { audit: row.audit || tried, ..row.clone() }));
        rules.extend(lowered.origins.iter().map(|origin| rule_name(layer, *origin)));
    }
    let blob = blob::compile(&rows, &Limits::default())
        .map_err(|error| EnforceError::Compile { list: name_of(first), error })?;
    let stands: Vec<&EffectiveLayer> = layers.iter().map(|(layer, _)| *layer).collect();
    proof::prove(&Rules { layers: &stands, services: &policy.services, direction }, &blob)
        .map_err(|disproof| EnforceError::Disproof { list: name_of(first), disproof: Box::new(disproof) })?;
    Ok(Some(LayerBlob {
        blob: blob.into(),
        name: first.name.clone(),
        audit: last.mode == Mode::Audit,
        flush: layers.iter().any(|(layer, _)| layer.flush),
        rules: rules.into(),
    }))
}

/// The rule that a row comes from.
fn rule_name(layer: &EffectiveLayer, origin: Option<usize>) -> String {
    let Some(rule) = origin.map(|index| &layer.rules[index]) else { return PLATFORM_TRAFFIC.to_owned() };
    match &rule.collection {
        Some(collection) => format!("{collection}/{}", rule.path),
        None => rule.path.clone(),
    }
}

fn name_of(layer: &EffectiveLayer) -> String {
    layer.name.clone().unwrap_or_else(|| nameless(layer.layer).to_owned())
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

/// Where a layer's blob stands in its direction. A closed public address takes the interface's place, where no NSG decides.
const fn place(layer: Layer, direction: Direction) -> usize {
    match (layer, direction) {
        (Layer::Admin, _) => 0,
        (Layer::Subnet, Direction::Inbound)
        | (Layer::NetworkInterface | Layer::PublicAddress, Direction::Outbound) => 1,
        (Layer::Subnet, Direction::Outbound)
        | (Layer::NetworkInterface | Layer::PublicAddress, Direction::Inbound) => 2,
    }
}
