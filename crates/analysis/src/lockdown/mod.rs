//! The outbound deny for the Internet, and the fewest exceptions that keep wanted flows alive.
//!
//! At each NSG a rule that denies `Internet` is put at one priority, and right before it, behind every older rule that precedes
//! it, rules that allow what logged flows need: service tags before prefixes, regional ones before whole ones, for groups or
//! subnets where these are exactly the machines that need it. It must not read a log or write a file.
//! Invariant: no packet that is denied today is allowed by the result ([`Proof::holds`]). Rules of an earlier run are known by
//! their names and descriptions; they are not part of today's rules, and keep their numbers if they are needed again.

mod exceptions;
mod mode;
mod own;
mod remaining;

use std::collections::BTreeSet;

use palisade_model::{
    Priority, ResourceId, TagCatalog, TagName,
    limits::PRIORITY_MAX,
    spec::{EstateSpec, RuleSpec, SideSpec, Text},
};
use palisade_net::{AddressSet, Direction, Flow};

use crate::{
    Limits,
    least::{
        Allowed, FlowFate, From, LeastError, Left, Opened, Proof, Seen, Sources, TagChoice, checked, fates,
        interfaces, nsg_mut, numbers, prove, without_copies, witnesses,
    },
};

pub use remaining::Remaining;

/// The priority of the deny rule where none is given: behind nearly everything, with room before it.
pub const PRIORITY_USUAL: u16 = 4_000;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct LockdownOptions {
    /// NSGs; none stands for all.
    pub nsgs: Vec<ResourceId>,
    /// Priority of the deny rule.
    pub priority: u16,
    /// Tags that exceptions may name.
    pub tags: TagChoice,
    /// Regional tags of one service that are named before the whole service is.
    pub regions_max: u8,
    /// Addresses that no exception may hold.
    pub forbidden: AddressSet,
    /// Whether only tags may be excepted, and no addresses.
    pub only_tags: bool,
    /// The least length of a prefix that stands for several addresses, of IPv4 and of IPv6.
    pub widest: [u8; 2],
    /// Whether attempts that were denied when they were logged are not wanted.
    pub ignore_denied: bool,
    /// How narrowly exceptions name machines.
    pub sources: Sources,
    /// Ports at most so far apart become a range.
    pub port_gap: u16,
    /// Whether tags are written out as prefixes.
    pub expand_tags: bool,
    /// Whether the rules are in audit: counted, and not enforced.
    pub shadow: bool,
    /// When, in seconds since 1970.
    pub now: u32,
    /// How much an analysis may use.
    pub limits: Limits,
}

impl Default for LockdownOptions {
    fn default() -> Self {
        Self {
            nsgs: Vec::new(),
            priority: PRIORITY_USUAL,
            tags: TagChoice::default(),
            regions_max: 4,
            forbidden: AddressSet::empty(),
            only_tags: false,
            widest: [32, 128],
            ignore_denied: false,
            sources: Sources::default(),
            port_gap: 0,
            expand_tags: false,
            shadow: false,
            now: 0,
            limits: Limits::default(),
        }
    }
}

/// The rules of one NSG.
#[derive(Debug, Clone)]
pub struct LockedGroup {
    /// The NSG.
    pub nsg: ResourceId,
    /// The exceptions, and the deny rule at the end.
    pub rules: Vec<RuleSpec>,
    /// Rules of an earlier run that are not needed any more.
    pub dropped: Vec<String>,
    /// Tags that were to be written out and have too many prefixes for the NSG.
    pub kept_tags: Vec<TagName>,
    /// Interfaces behind it of which the log shows no wanted flow.
    pub silent: Vec<ResourceId>,
}

/// The result.
#[derive(Debug, Clone)]
pub struct Lockdown {
    /// The rules, by NSG.
    pub groups: Vec<LockedGroup>,
    /// The estate with the rules in it.
    pub spec: EstateSpec,
    /// Flows that count and what becomes of each: indexes into what was seen.
    pub fates: Vec<(usize, FlowFate)>,
    /// Flows that do not count, and why.
    pub left: Vec<(usize, Left)>,
    /// What the exceptions open of what the deny rule closes.
    pub opened: Vec<Opened>,
    /// What of the Internet stays open by other rules.
    pub remaining: Vec<Remaining>,
    /// The comparison of today's rules, without those of an earlier run, with the result when it is enforced.
    pub proof: Proof,
    /// In shadow: whether the result as it is written changes no verdict at all.
    pub shadow_is_silent: Option<bool>,
}

/// Makes the rules. `tell` hears what is being done.
///
/// # Errors
/// [`LeastError`].
pub fn lockdown(
    spec: &EstateSpec,
    tags: &TagCatalog,
    seen: &[Seen],
    options: &LockdownOptions,
    tell: &mut dyn FnMut(&str),
) -> Result<Lockdown, LeastError> {
    tell("reading today's rules");
    let mut today = without_copies(spec);
    let nsgs = chosen(&today, options)?;
    let former = own::strip(&mut today, &nsgs);
    let before = checked(&today, tags)?;
    let today_at = interfaces(&before, seen);
    let concerns = |place: &ResourceId| nsgs.iter().any(|nsg| today_at.governs(nsg, place));
    let is_outbound = |one: &Seen| one.flow.direction() == Direction::Outbound;
    let found = witnesses(seen, &today_at, concerns, is_outbound, !options.ignore_denied, options.now);

    tell("choosing exceptions");
    let bare = with_rules(&today, &nsgs, |nsg| Ok(vec![deny(&today, nsg, options)?]))?;
    let denied = checked(&bare, tags)?;
    let behind = exceptions::Behind {
        spec: &today,
        before: &before,
        denied: &denied,
        interfaces: [&today_at, &interfaces(&denied, seen)],
        seen,
        wanted: &found.wanted,
        options,
    };
    let mut groups = Vec::new();
    let mut untagged = BTreeSet::new();
    for nsg in &nsgs {
        let mut needed = behind.of(nsg)?;
        untagged.extend(std::mem::take(&mut needed.unmet));
        groups.push(numbered(&today, nsg, needed, former.get(nsg), options)?);
    }

    tell("proving the result");
    let locked = with_rules(&today, &nsgs, |nsg| Ok(rules_of(&groups, nsg)))?;
    let after = checked(&locked, tags)?;
    let proof = prove(&before, &after, options.now, options.limits)?;
    let reason = |flow: &Flow| match flow.remote() {
        peer if options.forbidden.contains(peer) => FlowFate::Forbidden,
        _ if untagged.contains(flow) => FlowFate::NoTag,
        _ => FlowFate::Cut,
    };
    let fates = fates(seen, &found.wanted, &interfaces(&after, seen), options.now, reason);
    let kept = fates.iter().filter(|(_, fate)| *fate == FlowFate::Kept);
    let wanted = kept.map(|(index, _)| (&seen[*index].place, seen[*index].flow)).collect();
    let allowed = Allowed { bare: &denied, after: &after, wanted, now: options.now, limits: options.limits };
    let mut opened = Vec::new();
    for nsg in &nsgs {
        opened.append(&mut allowed.by_rule(nsg, Direction::Outbound)?);
    }
    let remaining = remaining::remaining(&after, &nsgs, options)?;

    let mut result = Lockdown {
        groups,
        spec: locked,
        fates,
        left: found.left,
        opened,
        remaining,
        proof,
        shadow_is_silent: None,
    };
    if options.shadow {
        tell("proving that the shadow changes nothing");
        mode::to_audit(&mut result.groups);
        result.spec = with_rules(&today, &nsgs, |nsg| Ok(rules_of(&result.groups, nsg)))?;
        let shadow = checked(&result.spec, tags)?;
        let same = prove(&before, &shadow, options.now, options.limits)?;
        result.shadow_is_silent = Some(same.diff.is_identical());
    }
    Ok(result)
}

/// The NSGs that are asked about.
fn chosen(spec: &EstateSpec, options: &LockdownOptions) -> Result<Vec<ResourceId>, LeastError> {
    if options.nsgs.is_empty() {
        return Ok(spec.nsgs.iter().map(|nsg| nsg.id.clone()).collect());
    }
    let is_there = |id: &ResourceId| spec.nsgs.iter().any(|nsg| nsg.id == *id);
    match options.nsgs.iter().find(|id| !is_there(id)) {
        Some(missing) => Err(LeastError::NoSuchGroup(missing.clone())),
        None => Ok(options.nsgs.clone()),
    }
}

/// The rules of one NSG.
fn rules_of(groups: &[LockedGroup], nsg: &ResourceId) -> Vec<RuleSpec> {
    let here = groups.iter().filter(|group| group.nsg == *nsg);
    here.flat_map(|group| group.rules.clone()).collect()
}

/// A spec with more rules in its NSGs.
fn with_rules(
    spec: &EstateSpec,
    nsgs: &[ResourceId],
    rules: impl Fn(&ResourceId) -> Result<Vec<RuleSpec>, LeastError>,
) -> Result<EstateSpec, LeastError> {
    let mut spec = spec.clone();
    for nsg in nsgs {
        let more = rules(nsg)?;
        nsg_mut(&mut spec, nsg)?.rules.extend(more);
    }
    Ok(spec)
}

/// The deny rule of an NSG.
fn deny(spec: &EstateSpec, nsg: &ResourceId, options: &LockdownOptions) -> Result<RuleSpec, LeastError> {
    let taken = own::outbound(spec, nsg).find(|(_, number)| *number == options.priority);
    if let Some((rule, priority)) = taken {
        return Err(LeastError::PriorityTaken { nsg: nsg.clone(), rule: rule.to_owned(), priority });
    }
    let text = |text: &str| Some(Text::known(text));
    let side = |addresses: &str| SideSpec {
        address_prefix: text(addresses),
        port_range: text("*"),
        ..SideSpec::default()
    };
    Ok(RuleSpec {
        description: text(own::DENY_DESCRIPTION),
        protocol: text("*"),
        source: side("*"),
        destination: side("Internet"),
        access: text("Deny"),
        priority: text(&options.priority.to_string()),
        direction: text("Outbound"),
        ..RuleSpec::new(own::DENY_NAME)
    })
}

/// The exceptions of an NSG with their numbers, and the deny rule.
fn numbered(
    spec: &EstateSpec,
    nsg: &ResourceId,
    needed: exceptions::Needed,
    former: Option<&own::Former>,
    options: &LockdownOptions,
) -> Result<LockedGroup, LeastError> {
    let exceptions::Needed { mut rules, kept_tags, silent, .. } = needed;
    let high = options.priority.min(PRIORITY_MAX);
    let earlier = own::outbound(spec, nsg).map(|(_, number)| number).filter(|number| *number < high);
    let low = earlier.max().unwrap_or(palisade_model::limits::PRIORITY_MIN - 1);
    let nothing = own::Former::default();
    let former = former.unwrap_or(&nothing);
    let names: Vec<&str> = rules.iter().filter_map(own::name_of).collect();
    let found = numbers(&names, former, (low, high), From::Highest).ok_or_else(|| LeastError::NoRoom {
        nsg: nsg.clone(),
        rules: names.len(),
        low,
        high,
    })?;
    let is_gone = |name: &&String| name.as_str() != own::DENY_NAME && !names.contains(&name.as_str());
    let mut dropped: Vec<String> = former.keys().filter(is_gone).cloned().collect();
    dropped.sort_unstable();
    for (rule, number) in rules.iter_mut().zip(found) {
        rule.priority = Some(Text::known(number.to_string()));
    }
    rules.sort_by_key(own::number_of);
    rules.push(deny(spec, nsg, options)?);
    Ok(LockedGroup { nsg: nsg.clone(), rules, dropped, kept_tags, silent })
}

/// Whether a priority can be that of the deny rule.
pub fn is_priority(priority: u16) -> bool {
    Priority::of_user(priority.into()).is_some()
}
