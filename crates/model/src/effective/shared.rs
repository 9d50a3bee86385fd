//! The rule lists of many interfaces, each resolved once.
//!
//! Interfaces of one subnet, and of subnets whose `VirtualNetwork` tag is the same, share the lists of an NSG. It must not
//! know one interface from another: an address that the deployment assigns is in its groups wherever it stands, which who
//! asks has to add ([`GroupMembers`](crate::GroupMembers)).

use std::collections::HashMap;

use palisade_net::Direction;

use super::{
    EffectivePolicy, Home,
    addresses::Scope,
    layers::{Builder, Standing},
};
use crate::{Addresses, Estate, IpConfiguration, Nic, ResourceId, spec::Given};

/// Rule lists by number.
#[derive(Debug)]
pub struct SharedLists<'e> {
    estate: &'e Estate,
    /// Scopes by subnet; one for each meaning of the `VirtualNetwork` tag.
    subnets: HashMap<&'e ResourceId, usize>,
    meanings: HashMap<Addresses, usize>,
    scopes: Vec<Scope>,
    known: HashMap<(usize, Direction, Standing<'e>), usize>,
    policy: EffectivePolicy,
}

impl<'e> SharedLists<'e> {
    /// No list yet.
    pub fn new(estate: &'e Estate) -> Self {
        Self {
            estate,
            subnets: HashMap::new(),
            meanings: HashMap::new(),
            scopes: Vec::new(),
            known: HashMap::new(),
            policy: estate.policy(Vec::new(), Vec::new()),
        }
    }

    /// The lists of an interface in the order in which they are asked, as numbers in [`EffectivePolicy::layers`] of
    /// [`SharedLists::into_policy`].
    pub fn of(&mut self, nic: &'e Nic, direction: Direction) -> Vec<usize> {
        let home = self.estate.home(nic);
        let scope = self.scope(nic, &home);
        let standing = Builder { estate: self.estate, nic, home: &home }.standing(direction);
        standing.into_iter().map(|list| self.number(scope, direction, list)).collect()
    }

    /// Every list, as if all stood at one interface.
    pub fn into_policy(self) -> EffectivePolicy {
        self.policy
    }

    fn number(&mut self, scope: usize, direction: Direction, list: Standing<'e>) -> usize {
        let key = (scope, direction, list);
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let resolved = key.2.resolve(self.estate, direction, &self.scopes[scope]);
        let lists = match direction {
            Direction::Inbound => &mut self.policy.inbound,
            Direction::Outbound => &mut self.policy.outbound,
        };
        lists.push(resolved);
        self.known.insert(key, lists.len() - 1);
        lists.len() - 1
    }

    fn scope(&mut self, nic: &'e Nic, home: &Home<'e>) -> usize {
        let subnet = nic.ip_configurations.first().and_then(IpConfiguration::subnet).and_then(Given::known);
        if let Some(&known) = subnet.and_then(|subnet| self.subnets.get(subnet)) {
            return known;
        }
        let scope = Scope::of_subnet(self.estate, home);
        let next = self.scopes.len();
        let number = *self.meanings.entry(scope.virtual_network().clone()).or_insert(next);
        if number == next {
            self.scopes.push(scope);
        }
        if let Some(subnet) = subnet {
            self.subnets.insert(subnet, number);
        }
        number
    }
}
