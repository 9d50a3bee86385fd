//! The exceptions that the flows behind one NSG need.
//!
//! A flow needs one where the NSG with the deny rule alone would cut it; what other NSGs on its way say does not matter here. It
//! must not number rules.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_model::{
    Estate, Nic, ResourceId, TagName,
    limits::ADDRESSES_PER_NSG_SIDE_MAX,
    spec::{EstateSpec, RuleSpec},
};
use palisade_net::{Direction, Flow};

use super::{LockdownOptions, own};
use crate::least::{
    Interfaces, LeastError, Locals, Machines, Seen, Site, TagWeights, cut_by, expand, groups, prefixes,
    subnets, tags, write,
};

/// What stands behind the deny rules.
pub(super) struct Behind<'a> {
    pub(super) spec: &'a EstateSpec,
    /// Today's estate.
    pub(super) before: &'a Estate,
    /// The same with the deny rules.
    pub(super) denied: &'a Estate,
    /// The interfaces of both.
    pub(super) interfaces: [&'a Interfaces; 2],
    pub(super) seen: &'a [Seen],
    pub(super) wanted: &'a [usize],
    pub(super) options: &'a LockdownOptions,
}

/// What one NSG needs.
pub(super) struct Needed {
    pub(super) rules: Vec<RuleSpec>,
    /// Flows for which there is no tag.
    pub(super) unmet: Vec<Flow>,
    pub(super) kept_tags: Vec<TagName>,
    pub(super) silent: Vec<ResourceId>,
}

impl Behind<'_> {
    /// The exceptions of one NSG.
    pub(super) fn of(&self, nsg: &ResourceId) -> Result<Needed, LeastError> {
        let Self { options, before, .. } = self;
        let governed = || before.nics().filter(|nic| self.interfaces[0].governs(nsg, nic.id()));
        let wanted = || self.wanted.iter().map(|index| &self.seen[*index]);
        let way = (nsg, Direction::Outbound);
        let needs = cut_by(way, self.interfaces[1], wanted(), &options.forbidden, options.now);
        let heard: BTreeSet<&ResourceId> = wanted().map(|one| &one.place).collect();
        let silent = governed().map(Nic::id).filter(|nic| !heard.contains(nic)).cloned().collect();
        let machines = Machines::of(governed());
        let locals = Locals {
            groups: machines.network.iter().flat_map(|network| groups(self.spec, before, network)).collect(),
            subnets: subnets(before),
            machines,
            sources: options.sources,
        };
        let site = Site {
            direction: Direction::Outbound,
            lists: self.interfaces[0].lists(nsg, Direction::Outbound),
            from: options.priority,
            now: options.now,
            locals: &locals,
            port_gap: options.port_gap,
        };
        let peers: BTreeSet<IpAddr> = needs.iter().map(Flow::remote).collect();
        let whole = f64::from(options.regions_max) + 0.5;
        let weights = TagWeights { regional: 1.0, whole, bit: 0.001 };
        let mut phases = vec![tags(before.tags(), &options.tags, &options.forbidden, weights)];
        if !options.only_tags {
            phases.push(prefixes(&peers, options.widest, &options.forbidden));
        }
        let (mut drafts, unmet) = site.rules(&needs, &phases, !options.only_tags);
        let mut kept_tags = Vec::new();
        if options.expand_tags {
            let room = ADDRESSES_PER_NSG_SIDE_MAX.saturating_sub(self.addresses_of(nsg));
            (drafts, kept_tags) = expand(drafts, before.tags(), room);
        }
        Ok(Needed { rules: write(&drafts, own::PREFIX, own::ALLOW_DESCRIPTION), unmet, kept_tags, silent })
    }

    /// Destination addresses that the rules of an NSG name already.
    fn addresses_of(&self, nsg: &ResourceId) -> usize {
        let rules = self
            .denied
            .nsg(nsg)
            .into_iter()
            .flat_map(|nsg| Direction::ALL.into_iter().flat_map(|direction| nsg.rules(direction)));
        rules.map(|rule| rule.destination().addresses.literal().prefixes().len()).sum()
    }
}
