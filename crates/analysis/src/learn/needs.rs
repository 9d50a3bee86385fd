//! The rules of one direction that the flows behind an NSG need.
//!
//! It must not number rules.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_model::{
    Estate, Nic, ResourceId,
    spec::{EstateSpec, RuleSpec},
};
use palisade_net::{Direction, Family, Flow};

use super::LearnOptions;
use crate::{
    least::{
        Interfaces, Locals, Machines, Object, Seen, Site, TagWeights, Term, cut_by, groups, named, prefixes,
        subnets, tags, write,
    },
    words::of_family,
};

/// What naming a group or a subnet costs, where a single address costs 1.
const GROUP_WEIGHT: f64 = 1.2;
const SUBNET_WEIGHT: f64 = 1.5;
/// Tags are wide; a few addresses are named one by one.
const TAG_WEIGHTS: TagWeights = TagWeights { regional: 2.0, whole: 4.0, bit: 0.05 };

/// What rule names begin with.
pub(super) const fn prefix(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "learned-in",
        Direction::Outbound => "learned-out",
    }
}

/// What stands behind the NSG.
pub(super) struct Behind<'a> {
    pub(super) spec: &'a EstateSpec,
    pub(super) before: &'a Estate,
    pub(super) nsg: &'a ResourceId,
    /// The interfaces of today, and of an NSG that denies everything.
    pub(super) interfaces: [&'a Interfaces; 2],
    pub(super) seen: &'a [Seen],
    pub(super) wanted: &'a [usize],
    pub(super) options: &'a LearnOptions,
}

impl<'a> Behind<'a> {
    fn governed(&self) -> impl Iterator<Item = &'a Nic> + use<'a, '_> {
        self.before.nics().filter(|nic| self.interfaces[0].governs(self.nsg, nic.id()))
    }

    /// Interfaces of which no flow counts.
    pub(super) fn silent(&self) -> Vec<ResourceId> {
        let heard: BTreeSet<&ResourceId> = self.wanted.iter().map(|index| &self.seen[*index].place).collect();
        self.governed().map(Nic::id).filter(|nic| !heard.contains(nic)).cloned().collect()
    }

    /// The rules of a direction.
    pub(super) fn rules(&self, direction: Direction) -> Vec<RuleSpec> {
        let wanted = self.wanted.iter().map(|index| &self.seen[*index]);
        let LearnOptions { forbidden, now, .. } = self.options;
        let needs = cut_by((self.nsg, direction), self.interfaces[1], wanted, forbidden, *now);
        let machines = Machines::of(self.governed());
        let locals = Locals {
            groups: machines
                .network
                .iter()
                .flat_map(|network| groups(self.spec, self.before, network))
                .collect(),
            subnets: subnets(self.before),
            machines,
            sources: self.options.sources,
        };
        let site = Site {
            direction,
            lists: self.interfaces[0].lists(self.nsg, direction),
            from: 0,
            now: self.options.now,
            locals: &locals,
            port_gap: self.options.port_gap,
        };
        let (drafts, _) = site.rules(&needs, &[self.objects(&needs, &locals)], true);
        write(&drafts, prefix(direction), "Palisade learn: observed flows need this")
    }

    /// Everything that may stand for peers.
    fn objects(&self, needs: &[Flow], locals: &Locals) -> Vec<Object> {
        let Self { options, before, .. } = self;
        let forbidden = &options.forbidden;
        let peers: BTreeSet<IpAddr> = needs.iter().map(Flow::remote).collect();
        let mut objects = prefixes(&peers, options.widest, forbidden);
        objects.extend(locals.groups.iter().filter_map(|group| {
            let term = Term::Groups(vec![group.name.clone()]);
            named(term, group.set.clone(), &peers, forbidden, GROUP_WEIGHT)
        }));
        let halves =
            locals.subnets.iter().flat_map(|subnet| Family::ALL.map(|family| of_family(&subnet.set, family)));
        objects.extend(
            halves.filter_map(|half| {
                named(Term::Prefixes(half.clone()), half, &peers, forbidden, SUBNET_WEIGHT)
            }),
        );
        objects.extend(tags(before.tags(), &options.tags, forbidden, TAG_WEIGHTS));
        objects
    }
}
