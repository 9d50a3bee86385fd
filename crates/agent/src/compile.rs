//! From an estate to what the kernel is given: the rules of each NIC as blobs, and what there is to tell of it.
//!
//! Every NIC of the estate is compiled, also those of other hosts: whether a file is accepted must not depend on which
//! machines happen to run here. Invariant: either all NICs are compiled, or every reason against it comes out.

mod names;
mod policy;
#[cfg(test)]
mod tests;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use palisade_abi::arena::OWNED_RANGES_MAX;
use palisade_classify::enforce::{self, EnforceError};
use palisade_datapath::NicPolicy;
use palisade_model::{EffectiveLayer, EffectivePolicy, Estate, Layer, Mode, Nic};
use palisade_net::{AddressSet, Direction};

use crate::endpoints::{self, CompiledEndpoint};
use crate::identity::{Identity, NicId};
use crate::load::Problem;
use policy::Layers;

pub use names::{ListNames, RuleNames};
pub use windows::Windows;

/// One NIC, ready to be enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledNic {
    /// By what it is recognised.
    pub identity: Identity,
    /// What the kernel is given, but for its interface, its slot and its limits.
    pub policy: NicPolicy,
    /// What its rules are called.
    pub names: Arc<RuleNames>,
    /// Name of the NSG of its subnet.
    pub subnet_nsg: Option<String>,
    /// Name of its own NSG.
    pub nic_nsg: Option<String>,
    /// What of it is in audit, in words: itself, NSGs, rules.
    pub audit: Vec<String>,
    /// Its guards that are off, by the words that turn them off.
    pub guards_off: Vec<String>,
}

/// Why a NIC cannot be enforced.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NicError {
    /// Because of its rules.
    #[error(transparent)]
    Rules(#[from] EnforceError),
    /// Because only a deployment can tell something of it.
    #[error("{part}, so it cannot be enforced (give the value)")]
    Open {
        /// What.
        part: String,
    },
    /// Because it may own too many addresses.
    #[error(
        "it may own {got} ranges of addresses, {OWNED_RANGES_MAX} can be enforced (give its private address, or turn \
         off the guards that ask for it: no-source, no-neighbour)"
    )]
    Owned {
        /// How many ranges.
        got: usize,
    },
}

/// Every NIC of an estate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// By id.
    pub nics: BTreeMap<NicId, CompiledNic>,
    /// Endpoints that lead to them.
    pub endpoints: Vec<CompiledEndpoint>,
    /// Whether there are rules with a window that are closed because the wall clock is not known.
    pub windows_closed: bool,
}

/// Compiles all NICs of an estate.
///
/// # Errors
/// One problem for each NIC that cannot be enforced.
pub fn compile(estate: &Estate, windows: Windows) -> Result<Compiled, Vec<Problem>> {
    let mut compiler = Compiler { windows, ..Compiler::default() };
    let mut nics = BTreeMap::new();
    let mut problems = Vec::new();
    for nic in estate.nics() {
        match compiler.nic(estate, nic) {
            Ok(nic) => drop(nics.insert(nic.identity.id.clone(), nic)),
            Err(error) => problems.push(Problem::about_nic(nic, &error)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Compiled { nics, endpoints: endpoints::of(estate), windows_closed: compiler.windows_closed })
}

/// Compiles each distinct policy once: the NICs of a subnet mostly have the same.
#[derive(Default)]
struct Compiler {
    windows: Windows,
    windows_closed: bool,
    known: Vec<Known>,
}

/// A policy that was compiled.
struct Known {
    policy: EffectivePolicy,
    layers: Layers,
    names: Arc<RuleNames>,
}

impl Compiler {
    fn nic(&mut self, estate: &Estate, nic: &Nic) -> Result<CompiledNic, NicError> {
        if let Some(part) = estate.open_parts(nic).into_iter().next() {
            return Err(NicError::Open { part });
        }
        let owned = owned(estate, nic)?;
        let mut effective = estate.effective(nic);
        self.windows_closed |= self.windows.apply(&mut effective);
        let name_at = |layer| {
            let found = effective.layers(Direction::Inbound).iter().find(|found| found.layer == layer);
            found.and_then(|found| found.name.clone())
        };
        let (subnet_nsg, nic_nsg) = (name_at(Layer::Subnet), name_at(Layer::NetworkInterface));
        let audit = audit(nic, &effective);
        let throttle = nic.throttle().map(|throttle| policy::throttle(throttle, self.windows));
        self.windows_closed |= self.windows == Windows::Closed
            && nic.throttle().is_some_and(|throttle| throttle.until().is_some());
        let known = self.known(effective)?;
        Ok(CompiledNic {
            identity: nic.into(),
            policy: NicPolicy { throttle, ..policy::template(estate, nic, owned, &known.layers) },
            names: match nic.throttle() {
                Some(throttle) => known.names.with_throttle(throttle.rule()).into(),
                None => Arc::clone(&known.names),
            },
            subnet_nsg,
            nic_nsg,
            audit,
            guards_off: policy::guards_off(nic),
        })
    }

    fn known(&mut self, policy: EffectivePolicy) -> Result<&Known, EnforceError> {
        let place = match self.known.iter().position(|known| known.policy == policy) {
            Some(place) => place,
            None => {
                let blobs = enforce::compile(&policy)?;
                let (layers, names) = (Layers::of(&policy, &blobs), RuleNames::of(&blobs).into());
                self.known.push(Known { policy, layers, names });
                self.known.len() - 1
            }
        };
        Ok(&self.known[place])
    }
}

/// The addresses that a NIC owns. An upper bound is right: what the estate gives to others is not in it.
fn owned(estate: &Estate, nic: &Nic) -> Result<AddressSet, NicError> {
    let owned = estate.addresses_of(nic).may().clone();
    let got = owned.v4().ranges().len().max(owned.v6().ranges().len());
    match (got > OWNED_RANGES_MAX, nic.guards().source || nic.guards().neighbour) {
        (false, _) => Ok(owned),
        (true, false) => Ok(AddressSet::empty()),
        (true, true) => Err(NicError::Owned { got }),
    }
}

/// What of a NIC is in audit.
fn audit(nic: &Nic, policy: &EffectivePolicy) -> Vec<String> {
    let itself = (nic.mode() == Mode::Audit).then(|| "the NIC".to_owned());
    let layers = Direction::ALL.into_iter().flat_map(|direction| policy.layers(direction));
    // An NSG stands in both directions.
    let others: BTreeSet<String> = layers.flat_map(audit_of_layer).collect();
    itself.into_iter().chain(others).collect()
}

fn audit_of_layer(layer: &EffectiveLayer) -> Vec<String> {
    let list = layer.name.as_deref().unwrap_or("the security admin rules");
    if layer.mode == Mode::Audit {
        return vec![format!("NSG {list}")];
    }
    let rules = layer.rules.iter().filter(|rule| rule.mode == Mode::Audit);
    rules.map(|rule| format!("rule {} of {list}", rule.name)).collect()
}
