//! Where resources and their rules stand in the input.
//!
//! Checked values do not carry their places: what is enforced has no use for them. Who explains an estate to people takes
//! them from the spec that it came from. A rule that cannot be told from another of its NSG has none.

use std::collections::{BTreeMap, btree_map::Entry};

use crate::{
    Place, ResourceId,
    spec::{EstateSpec, Given, Text},
};

/// Places by resource, and by the names of rules in them.
#[derive(Debug, Clone, Default)]
pub struct Places {
    resources: BTreeMap<ResourceId, Place>,
    /// `None` where two rules have one name.
    rules: BTreeMap<ResourceId, Option<Place>>,
}

impl Places {
    /// The places of an input. Of a resource that stands twice the later one counts, as everywhere.
    pub fn of(spec: &EstateSpec) -> Self {
        let mut places = Self::default();
        for nsg in &spec.nsgs {
            places.put(&nsg.id, &nsg.place);
            let names = nsg.rules.iter().filter_map(|rule| Some((rule.name.as_ref()?, &rule.place)));
            places.put_rules(&nsg.id, "securityRules", names);
        }
        for collection in &spec.admin_collections {
            places.put(&collection.id, &collection.place);
            let names = collection.rules.iter().map(|rule| (&rule.name, &rule.place));
            places.put_rules(&collection.id, "rules", names);
        }
        for network in &spec.virtual_networks {
            places.put(&network.id, &network.place);
            network.subnets.iter().for_each(|subnet| places.put(&subnet.id, &subnet.place));
        }
        spec.route_tables.iter().for_each(|table| places.put(&table.id, &table.place));
        spec.throttles.iter().for_each(|throttle| places.put(&throttle.id, &throttle.place));
        spec.asgs.iter().for_each(|group| places.put(&group.id, &group.place));
        spec.nics.iter().for_each(|nic| places.put(&nic.id, &nic.place));
        spec.public_ips.iter().for_each(|address| places.put(&address.id, &address.place));
        for balancer in &spec.load_balancers {
            places.put(&balancer.id, &balancer.place);
            balancer.nat_rules.iter().for_each(|rule| places.put(&rule.id, &rule.place));
        }
        places
    }

    /// Where a resource stands.
    pub fn resource(&self, id: &ResourceId) -> Option<&Place> {
        self.resources.get(id)
    }

    /// Where the rule of an NSG stands; the NSG itself where that cannot be told.
    pub fn rule(&self, nsg: &ResourceId, name: &str) -> Option<&Place> {
        self.rules
            .get(&nsg.child("securityRules", name))
            .and_then(Option::as_ref)
            .or_else(|| self.resource(nsg))
    }

    /// Where the rule of a security admin collection stands; the collection itself where that cannot be told.
    pub fn admin_rule(&self, collection: &ResourceId, name: &str) -> Option<&Place> {
        let rule = self.rules.get(&collection.child("rules", name)).and_then(Option::as_ref);
        rule.or_else(|| self.resource(collection))
    }

    fn put(&mut self, id: &ResourceId, place: &Place) {
        self.resources.insert(id.clone(), place.clone());
    }

    fn put_rules<'a>(
        &mut self,
        parent: &ResourceId,
        kind: &str,
        rules: impl Iterator<Item = (&'a Text, &'a Place)>,
    ) {
        let mut found = BTreeMap::new();
        for (name, place) in rules {
            let Given::Known(name) = &name.value else { continue };
            match found.entry(parent.child(kind, name)) {
                Entry::Vacant(entry) => drop(entry.insert(Some(place.clone()))),
                Entry::Occupied(mut entry) => drop(entry.insert(None)),
            }
        }
        self.rules.extend(found);
    }
}
