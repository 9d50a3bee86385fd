//! From an estate to what the kernel is given: the rules of each NIC as blobs, and what there is to tell of it.
//!
//! Every NIC of the estate is compiled, also those of other hosts: whether a file is accepted must not depend on which
//! machines happen to run here. Invariant: either all NICs are compiled, or every reason against it comes out.

use std::collections::BTreeMap;

use palisade_classify::enforce::{self, PolicyBlobs};
use palisade_model::{EffectivePolicy, Estate, Layer, Nic};
use palisade_net::Direction;

use crate::identity::{Identity, NicId};
use crate::load::Problem;

/// One NIC, ready to be enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledNic {
    /// By what it is recognised.
    pub identity: Identity,
    /// Its rules.
    pub blobs: PolicyBlobs,
    /// Name of the NSG of its subnet.
    pub subnet_nsg: Option<String>,
    /// Name of its own NSG.
    pub nic_nsg: Option<String>,
}

/// Every NIC of an estate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// By id.
    pub nics: BTreeMap<NicId, CompiledNic>,
}

/// Compiles all NICs of an estate.
///
/// # Errors
/// One problem for each NIC that cannot be enforced.
pub fn compile(estate: &Estate) -> Result<Compiled, Vec<Problem>> {
    let mut compiler = Compiler::default();
    let mut compiled = Compiled::default();
    let mut problems = Vec::new();
    for nic in estate.nics() {
        match compiler.nic(estate, nic) {
            Ok(nic) => {
                compiled.nics.insert(nic.identity.id.clone(), nic);
            }
            Err(error) => problems.push(Problem::about_nic(nic, &error)),
        }
    }
    if problems.is_empty() { Ok(compiled) } else { Err(problems) }
}

/// Compiles each distinct policy once: the NICs of a subnet mostly have the same.
#[derive(Default)]
struct Compiler {
    known: Vec<(EffectivePolicy, PolicyBlobs)>,
}

impl Compiler {
    fn nic(&mut self, estate: &Estate, nic: &Nic) -> Result<CompiledNic, enforce::EnforceError> {
        let policy = estate.effective(nic);
        let name_at = |layer| {
            let found = policy.layers(Direction::Inbound).iter().find(|found| found.layer == layer);
            found.and_then(|found| found.name.clone())
        };
        let (subnet_nsg, nic_nsg) = (name_at(Layer::Subnet), name_at(Layer::NetworkInterface));
        Ok(CompiledNic { identity: nic.into(), blobs: self.blobs(policy)?, subnet_nsg, nic_nsg })
    }

    fn blobs(&mut self, policy: EffectivePolicy) -> Result<PolicyBlobs, enforce::EnforceError> {
        if let Some((_, blobs)) = self.known.iter().find(|(known, _)| *known == policy) {
            return Ok(blobs.clone());
        }
        let blobs = enforce::compile(&policy)?;
        self.known.push((policy, blobs.clone()));
        Ok(blobs)
    }
}
