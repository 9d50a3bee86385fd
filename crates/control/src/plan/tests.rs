//! Random actions against a naive idea of what should happen, and everything that must hold after each.

use std::collections::{BTreeMap, BTreeSet};

use palisade_model::ResourceId;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Context, Draft, plan};
use crate::world::tests::{is_indexed, is_same};
use crate::{Action, ControlError, Effect, Options, Precondition, World};

/// Something to do in a small estate.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Group(u8),
    Nsg(u8, u8),
    Rule { group: u8, nsg: u8, name: u8, priority: u16 },
    Network(u8),
    Subnet { group: u8, name: u8, nsg: Option<u8> },
    Nic { group: u8, name: u8, subnet: u8, nsg: Option<u8> },
    Delete(Box<Step>),
}

/// What is there, as simple as it can be said.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Naive {
    groups: BTreeSet<u8>,
    nsgs: BTreeMap<(u8, u8), BTreeMap<u8, u16>>,
    networks: BTreeSet<u8>,
    subnets: BTreeMap<(u8, u8), Option<u8>>,
    nics: BTreeMap<(u8, u8), (u8, Option<u8>)>,
}

impl Naive {
    /// Whether the step is taken, and what becomes of it.
    pub(crate) fn step(&mut self, step: &Step) -> Option<Effect> {
        match step {
            Step::Group(group) => Some(put(self.groups.insert(*group), true)),
            Step::Nsg(group, nsg) => {
                let fresh = !self.nsgs.contains_key(&(*group, *nsg));
                let emptied = self.nsgs.get(&(*group, *nsg)).is_none_or(BTreeMap::is_empty);
                self.groups.contains(group).then(|| {
                    self.nsgs.insert((*group, *nsg), BTreeMap::new());
                    put(fresh, emptied)
                })
            }
            Step::Rule { group, nsg, name, priority } => {
                let rules = self.nsgs.get_mut(&(*group, *nsg))?;
                if rules.iter().any(|(other, taken)| other != name && taken == priority) {
                    return None;
                }
                let before = rules.insert(*name, *priority);
                Some(put(before.is_none(), before == Some(*priority)))
            }
            Step::Network(group) => {
                self.groups.contains(group).then(|| put(self.networks.insert(*group), true))
            }
            Step::Subnet { group, name, nsg } => {
                let right = self.networks.contains(group) && self.has_nsg(*group, *nsg);
                right.then(|| {
                    let before = self.subnets.insert((*group, *name), *nsg);
                    put(before.is_none(), before == Some(*nsg))
                })
            }
            Step::Nic { group, name, subnet, nsg } => {
                let right = self.subnets.contains_key(&(*group, *subnet)) && self.has_nsg(*group, *nsg);
                right.then(|| {
                    let before = self.nics.insert((*group, *name), (*subnet, *nsg));
                    put(before.is_none(), before == Some((*subnet, *nsg)))
                })
            }
            Step::Delete(what) => self.delete(what),
        }
    }

    fn delete(&mut self, what: &Step) -> Option<Effect> {
        let gone = |there: bool| if there { Effect::Deleted } else { Effect::Absent };
        match what {
            Step::Group(group) => {
                self.nsgs.retain(|(own, _), _| own != group);
                self.networks.remove(group);
                self.subnets.retain(|(own, _), _| own != group);
                self.nics.retain(|(own, _), _| own != group);
                Some(gone(self.groups.remove(group)))
            }
            Step::Nsg(group, nsg) => {
                let by_subnet =
                    self.subnets.iter().any(|((own, _), used)| own == group && *used == Some(*nsg));
                let by_nic =
                    self.nics.iter().any(|((own, _), (_, used))| own == group && *used == Some(*nsg));
                (!by_subnet && !by_nic).then(|| gone(self.nsgs.remove(&(*group, *nsg)).is_some()))
            }
            Step::Rule { group, nsg, name, .. } => Some(gone(
                self.nsgs.get_mut(&(*group, *nsg)).is_some_and(|rules| rules.remove(name).is_some()),
            )),
            Step::Network(group) => (!self.nics.keys().any(|(own, _)| own == group)).then(|| {
                self.subnets.retain(|(own, _), _| own != group);
                gone(self.networks.remove(group))
            }),
            Step::Subnet { group, name, .. } => {
                let used = self.nics.iter().any(|((own, _), (subnet, _))| own == group && subnet == name);
                (!used).then(|| gone(self.subnets.remove(&(*group, *name)).is_some()))
            }
            Step::Nic { group, name, .. } => Some(gone(self.nics.remove(&(*group, *name)).is_some())),
            Step::Delete(_) => unreachable!("the generator makes no such step"),
        }
    }

    fn has_nsg(&self, group: u8, nsg: Option<u8>) -> bool {
        nsg.is_none_or(|nsg| self.nsgs.contains_key(&(group, nsg)))
    }

    /// The ids that it has.
    fn ids(&self) -> BTreeSet<ResourceId> {
        let groups = self.groups.iter().map(|group| Step::Group(*group));
        let nsgs = self.nsgs.keys().map(|(group, nsg)| Step::Nsg(*group, *nsg));
        let rules = self.nsgs.iter().flat_map(|((group, nsg), rules)| {
            rules.keys().map(|name| Step::Rule { group: *group, nsg: *nsg, name: *name, priority: 0 })
        });
        let networks = self.networks.iter().map(|group| Step::Network(*group));
        let subnets =
            self.subnets.keys().map(|(group, name)| Step::Subnet { group: *group, name: *name, nsg: None });
        let nics = self.nics.keys().map(|(group, name)| Step::Nic {
            group: *group,
            name: *name,
            subnet: 0,
            nsg: None,
        });
        let all = groups.chain(nsgs).chain(rules).chain(networks).chain(subnets).chain(nics);
        all.map(|step| id(&step)).collect()
    }
}

/// What a PUT does: creates, changes, or finds all as it is.
fn put(is_new: bool, is_same: bool) -> Effect {
    match (is_new, is_same) {
        (true, _) => Effect::Created,
        (false, true) => Effect::Unchanged,
        (false, false) => Effect::Updated,
    }
}

fn id(step: &Step) -> ResourceId {
    let group = |group: u8| format!("/subscriptions/s/resourceGroups/g{group}");
    let network = |own: u8| format!("{}/providers/Microsoft.Network", group(own));
    ResourceId::new(&match step {
        Step::Group(own) => group(*own),
        Step::Nsg(own, nsg) => format!("{}/networkSecurityGroups/n{nsg}", network(*own)),
        Step::Rule { group, nsg, name, .. } => {
            format!("{}/networkSecurityGroups/n{nsg}/securityRules/r{name}", network(*group))
        }
        Step::Network(own) => format!("{}/virtualNetworks/v", network(*own)),
        Step::Subnet { group, name, .. } => format!("{}/virtualNetworks/v/subnets/s{name}", network(*group)),
        Step::Nic { group, name, .. } => format!("{}/networkInterfaces/i{name}", network(*group)),
        Step::Delete(what) => return id(what),
    })
}

fn body(step: &Step) -> Value {
    let nsg = |group: u8, nsg: Option<u8>| nsg.map(|nsg| json!({"id": id(&Step::Nsg(group, nsg)).as_str()}));
    match step {
        Step::Group(_) | Step::Nsg(..) => json!({"location": "west"}),
        Step::Rule { priority, .. } => json!({"properties": {
            "protocol": "*", "access": "Deny", "direction": "Inbound", "priority": priority,
            "sourceAddressPrefix": "*", "sourcePortRange": "*",
            "destinationAddressPrefix": "*", "destinationPortRange": "*",
        }}),
        Step::Network(_) => json!({"location": "west", "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}),
        Step::Subnet { group, name, nsg: own } => json!({"properties": {
            "addressPrefix": format!("10.0.{name}.0/24"), "networkSecurityGroup": nsg(*group, *own)}}),
        Step::Nic { group, subnet, nsg: own, .. } => {
            let subnet = id(&Step::Subnet { group: *group, name: *subnet, nsg: None });
            json!({"location": "west", "properties": {
                "networkSecurityGroup": nsg(*group, *own),
                "ipConfigurations": [{"name": "c", "properties": {"subnet": {"id": subnet.as_str()}}}],
            }})
        }
        Step::Delete(_) => Value::Null,
    }
}

pub(crate) fn action(step: &Step) -> Action {
    let precondition = Precondition::default();
    match step {
        Step::Delete(what) => Action::Delete { id: id(what), precondition },
        _ => Action::Put { id: id(step), body: body(step), precondition },
    }
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let optional = || proptest::option::of(0..3_u8);
    let what = prop_oneof![
        1 => (0..2_u8).prop_map(Step::Group),
        3 => (0..2_u8, 0..3_u8).prop_map(|(group, nsg)| Step::Nsg(group, nsg)),
        4 => (0..2_u8, 0..3_u8, 0..4_u8, 100..104_u16)
            .prop_map(|(group, nsg, name, priority)| Step::Rule { group, nsg, name, priority }),
        2 => (0..2_u8).prop_map(Step::Network),
        3 => (0..2_u8, 0..3_u8, optional()).prop_map(|(group, name, nsg)| Step::Subnet { group, name, nsg }),
        4 => (0..2_u8, 0..3_u8, 0..3_u8, optional())
            .prop_map(|(group, name, subnet, nsg)| Step::Nic { group, name, subnet, nsg }),
    ];
    let step = prop_oneof![
        3 => what.clone(),
        1 => what.prop_map(|what| Step::Delete(Box::new(what))),
    ];
    // Both groups first: a world without them refuses nearly everything.
    proptest::collection::vec(step, 1..60).prop_map(|steps| {
        [Step::Group(0), Step::Group(1), Step::Network(0)].into_iter().chain(steps).collect()
    })
}

fn run(draft: &mut Draft<'_>, step: &Step) -> Result<Effect, ControlError> {
    let options = Options::default();
    plan(draft, &Context { options: &options, now: 0, address: "" }, &action(step))
        .map(|planned| planned.effect)
}

/// The ids of a world, without the watchers that it makes by itself.
fn ids(world: &World) -> BTreeSet<ResourceId> {
    let is_own = |id: &&ResourceId| !id.as_str().contains("/NetworkWatcherRG");
    world.documents().map(|document| document.id()).filter(is_own).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_world_is_what_a_naive_one_would_be(steps in steps()) {
        let (mut world, mut naive) = (World::default(), Naive::default());
        for step in &steps {
            let before = world.clone();
            let mut next = naive.clone();
            let expected = next.step(step);
            // Taken back, it leaves no trace.
            let mut draft = Draft::new(&mut world);
            let _ = run(&mut draft, step);
            draft.roll_back(0);
            prop_assert!(is_same(&before, &world), "{step:?} leaves traces");
            let found = run(&mut Draft::new(&mut world), step);
            prop_assert_eq!(found.clone().ok(), expected, "{:?}: {:?}", step, found.err());
            match expected {
                Some(_) => naive = next,
                None => prop_assert!(is_same(&before, &world), "{step:?} was refused and changed something"),
            }
            prop_assert_eq!(ids(&world), naive.ids(), "{:?}", step);
            prop_assert!(is_indexed(&world), "{step:?}");
            for document in world.documents() {
                for target in document.references() {
                    prop_assert!(world.document(target).is_some(), "{} names {target}", document.id());
                }
            }
        }
    }
}
