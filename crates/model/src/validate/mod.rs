//! From what a user wrote to what holds: every problem of the whole input at once.
//!
//! Errors refuse the input as a whole; warnings tell what surprises or stays unknown. It must not resolve tags or groups to
//! addresses; [`crate::effective`] does.

mod cross;
mod endpoint;
mod lenient;
mod network;
mod nic;
mod own_tags;
mod rule;
mod schedule;
mod side;
mod throttle;

use std::collections::BTreeMap;

use crate::{
    Code, Estate, Mode, Place, Problem, ResourceId, TagCatalog, limits,
    problem::Problems,
    spec::{EstateSpec, Given, OwnList, Text},
};

pub(crate) use lenient::leniently;
pub use lenient::{LeftOut, Salvaged};
pub use own_tags::{is_own_tag, rule_of_tag};
pub(crate) use rule::unknown_rule;

pub(crate) fn estate(spec: &EstateSpec, tags: TagCatalog) -> (Option<Estate>, Vec<Problem>) {
    let mut problems = Problems::default();
    let estate = built(spec, tags, &mut problems);
    let accepted = problems.errors() == 0;
    (accepted.then_some(estate), problems.into_vec())
}

/// What the input is, with values of no meaning where it is in error.
fn built(spec: &EstateSpec, tags: TagCatalog, p: &mut Problems) -> Estate {
    let nsgs =
        by_id(spec.nsgs.iter().map(|nsg| (&nsg.id, &nsg.place, rule::nsg(nsg, &tags, p))).collect(), p);
    let groups =
        by_id(spec.asgs.iter().map(|asg| (&asg.id, &asg.place, network::group(asg, p))).collect(), p);
    let learned: Vec<_> = spec.learned_prefixes.iter().map(|spec| network::learned(spec, p)).collect();
    let networks = spec.virtual_networks.iter();
    let virtual_networks =
        by_id(networks.map(|v| (&v.id, &v.place, network::virtual_network(v, &learned, p))).collect(), p);
    let tables = spec.route_tables.iter();
    let route_tables =
        by_id(tables.map(|t| (&t.id, &t.place, network::route_table(t, &tags, p))).collect(), p);
    let mut nics = by_id(spec.nics.iter().map(|nic| (&nic.id, &nic.place, nic::nic(nic, p))).collect(), p);
    let public_ips =
        by_id(spec.public_ips.iter().map(|ip| (&ip.id, &ip.place, network::public_ip(ip, p))).collect(), p);
    let balancers = spec.load_balancers.iter();
    let load_balancers =
        by_id(balancers.map(|b| (&b.id, &b.place, network::load_balancer(b, p))).collect(), p);
    let inbound_nat_rules = endpoint::rules(spec, &nics, p);
    let collections = spec.admin_collections.iter();
    let admin_collections =
        by_id(collections.map(|c| (&c.id, &c.place, rule::admin_collection(c, &tags, p))).collect(), p);
    // A machine that is isolated is not being tried out: an interface in audit would drop nothing.
    let isolated = admin_collections.values().filter(|collection| collection.own_list == OwnList::Quarantine);
    for nic in isolated.filter_map(|collection| collection.interface.as_ref()?.known()) {
        nics.entry(nic.clone()).and_modify(|nic| nic.mode = Mode::Enforce);
    }
    throttle::apply(&spec.throttles, &mut nics, p);
    let estate = Estate {
        nsgs,
        groups,
        virtual_networks,
        route_tables,
        nics,
        public_ips,
        load_balancers,
        inbound_nat_rules,
        admin_collections,
        tags,
        unknowns: spec.unknowns.clone(),
    };
    p.about_all();
    for (count, max, kind) in [
        (estate.nsgs.len(), limits::NSGS_MAX, "network security groups"),
        (estate.groups.len(), limits::ASGS_MAX, "application security groups"),
        (estate.virtual_networks.len(), limits::VIRTUAL_NETWORKS_MAX, "virtual networks"),
        (estate.route_tables.len(), limits::ROUTE_TABLES_MAX, "route tables"),
    ] {
        count_limit(p, Code::PalResourceCountLimitReached, &Place::default(), count, max, kind);
    }
    cross::check(&estate, spec, p);
    estate
}

/// Indexes resources by id. Files are merged, and the same resource may stand in several; if the copies differ, the later
/// one counts and the user is told.
fn by_id<T: PartialEq>(
    items: Vec<(&ResourceId, &Place, T)>,
    problems: &mut Problems,
) -> BTreeMap<ResourceId, T> {
    let mut index = BTreeMap::new();
    for (id, place, item) in items {
        if index.get(id).is_some_and(|earlier| *earlier != item) {
            let message =
                format!("resource {id} stands twice and differs; this one counts (remove one of them)");
            problems.warning(Code::PalDuplicateResource, place, message);
        }
        index.insert(id.clone(), item);
    }
    index
}

fn count_limit(problems: &mut Problems, code: Code, place: &Place, count: usize, max: usize, what: &str) {
    if count > max {
        problems.error(code, place, format!("{count} {what} are more than the limit of {max}"));
    }
}

fn unresolved_tag(tag: &str, user: &str, place: &Place, problems: &mut Problems) {
    let message = format!("service tag {tag} of {user} is not resolved (give a tag file)");
    problems.warning(Code::PalServiceTagUnresolved, place, message);
}

/// The text of a name; a symbolic one, in angle brackets, if it is unknown.
fn shown(text: &Text) -> String {
    match &text.value {
        Given::Known(name) => name.clone(),
        Given::Unknown(reason) => format!("<{reason}>"),
    }
}
