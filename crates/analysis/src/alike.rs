//! Policies of many places, equal ones once.
//!
//! A digest of a few of their parts says where to look; that two are equal is decided by all of them. It must not know places.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{Hash as _, Hasher as _},
    sync::Arc,
};

use palisade_model::EffectivePolicy;

use crate::rows::Mixer;

/// Different policies, by number.
#[derive(Debug, Default)]
pub(crate) struct Alike {
    policies: Vec<Arc<EffectivePolicy>>,
    known: HashMap<u64, Vec<usize>>,
}

impl Alike {
    /// The number of a policy.
    pub(crate) fn number(&mut self, policy: Cow<'_, EffectivePolicy>) -> usize {
        let alike = self.known.entry(digest(&policy)).or_default();
        if let Some(&known) = alike.iter().find(|other| *self.policies[**other] == *policy) {
            return known;
        }
        alike.push(self.policies.len());
        self.policies.push(Arc::new(policy.into_owned()));
        self.policies.len() - 1
    }

    /// A policy by its number.
    pub(crate) fn policy(&self, number: usize) -> &Arc<EffectivePolicy> {
        &self.policies[number]
    }

    /// All policies, in the order of their numbers.
    pub(crate) fn all(&self) -> &[Arc<EffectivePolicy>] {
        &self.policies
    }
}

/// A number that equal policies share. It leaves out what seldom tells two apart: of addresses it takes how many ranges there are,
/// and the first.
fn digest(policy: &EffectivePolicy) -> u64 {
    let mut hasher = Mixer::default();
    for layer in policy.inbound.iter().chain(&policy.outbound) {
        (layer.layer, layer.rules.len()).hash(&mut hasher);
        for rule in &layer.rules {
            for addresses in [&rule.source, &rule.destination] {
                let (v4, v6) = (addresses.may().v4().ranges(), addresses.may().v6().ranges());
                (v4.len(), v4.first(), v6.len(), v6.first()).hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use palisade_classify::generate::estate;

    use super::*;

    #[test]
    fn equal_policies_have_one_number_and_others_their_own() {
        let policies: Vec<EffectivePolicy> = (0..20).map(|seed| estate::any(seed, 1).policy).collect();
        let mut alike = Alike::default();
        let first: Vec<usize> = policies.iter().map(|one| alike.number(Cow::Borrowed(one))).collect();
        let again: Vec<usize> = policies.iter().map(|one| alike.number(Cow::Owned(one.clone()))).collect();
        assert_eq!(first, again);
        for (one, number) in policies.iter().zip(&first) {
            assert_eq!(**alike.policy(*number), *one);
        }
        let mut changed = policies[0].clone();
        let layers = changed.inbound.iter_mut().chain(&mut changed.outbound);
        layers.flat_map(|layer| &mut layer.rules).for_each(|rule| rule.certain = !rule.certain);
        assert_ne!(changed, policies[0], "it has rules");
        // The digest is the same.
        assert_eq!(digest(&changed), digest(&policies[0]));
        assert_eq!(alike.number(Cow::Owned(changed)), alike.all().len() - 1);
    }
}
