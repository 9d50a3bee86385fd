//! What the peers of a rule may be: tags, subnets, application security groups, prefixes, single addresses.
//!
//! Each has a weight, by which few and narrow ones are chosen. It must not know which flows need which: [`super::site`] does.
//! Invariant: the same catalog and peers give the same objects in the same order.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_model::{ResourceId, TagCatalog, TagName};
use palisade_net::{AddressSet, Prefix};

/// Tags of this name, and the regional ones of it, hold whole data centres with everybody's machines: they are used on request only.
const EVERYBODY: &str = "AzureCloud";

/// How a rule writes its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// A service tag.
    Tag(TagName),
    /// Members of application security groups.
    Groups(Vec<ResourceId>),
    /// Prefixes, all of one family.
    Prefixes(AddressSet),
}

/// Something that a rule can name.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) term: Term,
    /// What it means.
    pub(crate) set: AddressSet,
    /// What it costs to name it.
    pub(crate) weight: f64,
}

/// Which tags may be used.
#[derive(Debug, Clone, Default)]
pub struct TagChoice {
    /// Used wherever they hold what is needed, also those of whole data centres.
    pub allow: Vec<TagName>,
    /// Never used; a name without a region stands for its regional ones too.
    pub never: Vec<TagName>,
}

impl TagChoice {
    fn allows(&self, tag: &TagName) -> bool {
        self.allow.contains(tag)
    }

    fn may_use(&self, tag: &TagName) -> bool {
        let is_never = |never: &TagName| never == tag || is_of(tag, never.as_str());
        let is_everybody = tag.as_str().eq_ignore_ascii_case(EVERYBODY) || is_of(tag, EVERYBODY);
        tag.computed().is_none() && !self.never.iter().any(is_never) && (!is_everybody || self.allows(tag))
    }
}

/// Whether a tag is a regional one of `service`.
fn is_of(tag: &TagName, service: &str) -> bool {
    tag.as_str().split_once('.').is_some_and(|(name, _)| name.eq_ignore_ascii_case(service))
}

/// What tags cost: regional ones, whole ones, and how much breadth adds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TagWeights {
    pub(crate) regional: f64,
    pub(crate) whole: f64,
    /// For each bit of addresses.
    pub(crate) bit: f64,
}

/// The tags that may be used and hold nothing that is forbidden; cheap ones first.
pub(crate) fn tags(
    catalog: &TagCatalog,
    choice: &TagChoice,
    forbidden: &AddressSet,
    weights: TagWeights,
) -> Vec<Object> {
    let usable = catalog.iter().filter(|(name, set)| choice.may_use(name) && is_free(set, forbidden));
    let mut objects: Vec<Object> = usable
        .map(|(name, set)| {
            let kind = match name.as_str().contains('.') {
                _ if choice.allows(name) => weights.regional / 2.0,
                true => weights.regional,
                false => weights.whole,
            };
            let weight = kind + weights.bit * breadth(set);
            Object { term: Term::Tag(name.clone()), set: set.clone(), weight }
        })
        .collect();
    let name = |object: &Object| match &object.term {
        Term::Tag(name) => name.as_str().to_ascii_lowercase(),
        _ => String::new(),
    };
    objects.sort_by_cached_key(|object| (object.weight.to_bits(), name(object)));
    objects
}

/// Single addresses, and prefixes of at least `widest` bits that hold several of them and no more than it takes.
pub(crate) fn prefixes(peers: &BTreeSet<IpAddr>, widest: [u8; 2], forbidden: &AddressSet) -> Vec<Object> {
    let single = peers.iter().map(|peer| Prefix::host(*peer));
    let peers: Vec<IpAddr> = peers.iter().copied().collect();
    let joined = peers.windows(2).filter_map(|pair| joined(pair[0], pair[1], widest));
    let wider: BTreeSet<Prefix> = joined.collect();
    let object = |prefix: Prefix, weight: f64| {
        let set: AddressSet = [prefix].into_iter().collect();
        is_free(&set, forbidden).then(|| Object { term: Term::Prefixes(set.clone()), set, weight })
    };
    let of_several = |prefix: Prefix| {
        let first = peers.partition_point(|peer| *peer < prefix.address());
        let seen = peers[first..].iter().take_while(|peer| prefix.contains(**peer)).count();
        let excess = f64::from(prefix.family().width() - prefix.length()) - (seen as f64).log2();
        object(prefix, 1.5 + excess.min(EXCESS_BITS_MAX) / 2.0)
    };
    let single: Vec<Object> = single.filter_map(|prefix| object(prefix, 1.0)).collect();
    single.into_iter().chain(wider.into_iter().filter_map(of_several)).collect()
}

/// Beyond this a prefix is no wider for a person.
const EXCESS_BITS_MAX: f64 = 16.0;

/// The longest prefix that holds two neighbours, if it is not wider than is let.
fn joined(left: IpAddr, right: IpAddr, widest: [u8; 2]) -> Option<Prefix> {
    let (common, widest) = match (left, right) {
        (IpAddr::V4(left), IpAddr::V4(right)) => {
            ((u32::from(left) ^ u32::from(right)).leading_zeros(), widest[0])
        }
        (IpAddr::V6(left), IpAddr::V6(right)) => {
            ((u128::from(left) ^ u128::from(right)).leading_zeros(), widest[1])
        }
        _ => return None,
    };
    let length = u8::try_from(common).ok().filter(|length| *length >= widest)?;
    Prefix::truncated(left, length).ok()
}

/// A named set of the estate, if it holds a peer that is needed.
pub(crate) fn named(
    term: Term,
    set: AddressSet,
    peers: &BTreeSet<IpAddr>,
    forbidden: &AddressSet,
    base: f64,
) -> Option<Object> {
    let seen = peers.iter().filter(|peer| set.contains(**peer)).count();
    let excess = breadth(&set) - (1.0 + seen as f64).log2();
    let weight = base + excess.clamp(0.0, EXCESS_BITS_MAX) / 4.0;
    (seen > 0 && is_free(&set, forbidden)).then_some(Object { term, set, weight })
}

fn is_free(set: &AddressSet, forbidden: &AddressSet) -> bool {
    !set.intersects(forbidden)
}

/// How many bits of IPv4 addresses, and of IPv6 networks of 64 bits, a set has.
fn breadth(set: &AddressSet) -> f64 {
    let v4: f64 = set.v4().ranges().iter().map(|(first, last)| f64::from(last - first) + 1.0).sum();
    let v6: f64 = set.v6().ranges().iter().map(|(first, last)| ((last - first) >> 64) as f64 + 1.0).sum();
    (1.0 + v4).log2() + (1.0 + v6).log2()
}
