//! The least rules of an NSG that the flows behind it need.
//!
//! Every rule of the NSG gives way to rules that allow what logged flows use, in both directions, and to one a direction that
//! denies the rest. Peers are single addresses, or groups, subnets, tags and prefixes where these are fewer words and not much
//! wider. It must not read a log or write a file. Invariant: what is let pass after was let pass before ([`Proof::holds`]).

mod needs;

use std::collections::HashMap;

use palisade_model::{
    ResourceId, TagCatalog,
    limits::{PRIORITY_MAX, PRIORITY_MIN},
    rule_of_tag,
    spec::{EstateSpec, Given, RuleSpec, SideSpec, Text},
};
use palisade_net::{AddressSet, Direction, Flow};

use crate::{
    Limits,
    least::{
        Allowed, FlowFate, From, LeastError, Left, Opened, Proof, Seen, Sources, TagChoice, checked, fates,
        interfaces, nsg_mut, numbers, prove, without_copies, witnesses,
    },
};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct LearnOptions {
    /// Tags that rules may name.
    pub tags: TagChoice,
    /// Addresses that no rule may let in or be reached.
    pub forbidden: AddressSet,
    /// The least length of a prefix that stands for several addresses, of IPv4 and of IPv6.
    pub widest: [u8; 2],
    /// How narrowly rules name the machines behind the NSG.
    pub sources: Sources,
    /// Ports at most so far apart become a range.
    pub port_gap: u16,
    /// When, in seconds since 1970.
    pub now: u32,
    /// How much an analysis may use.
    pub limits: Limits,
}

impl Default for LearnOptions {
    fn default() -> Self {
        Self {
            tags: TagChoice::default(),
            forbidden: AddressSet::empty(),
            widest: [32, 128],
            sources: Sources::Exact,
            port_gap: 0,
            now: 0,
            limits: Limits::default(),
        }
    }
}

/// The result.
#[derive(Debug, Clone)]
pub struct Learned {
    /// The NSG.
    pub nsg: ResourceId,
    /// All its rules.
    pub rules: Vec<RuleSpec>,
    /// Names of the rules that give way.
    pub replaced: Vec<String>,
    /// The estate with the rules in it.
    pub spec: EstateSpec,
    /// Flows that count and what becomes of each: indexes into what was seen.
    pub fates: Vec<(usize, FlowFate)>,
    /// Flows that do not count, and why.
    pub left: Vec<(usize, Left)>,
    /// Interfaces behind the NSG of which the log shows no allowed flow.
    pub silent: Vec<ResourceId>,
    /// What each rule lets pass.
    pub opened: Vec<Opened>,
    /// The comparison of before and after.
    pub proof: Proof,
}

/// Makes the rules of an NSG. `tell` hears what is being done.
///
/// # Errors
/// [`LeastError`].
pub fn learn(
    spec: &EstateSpec,
    tags: &TagCatalog,
    nsg: &ResourceId,
    seen: &[Seen],
    options: &LearnOptions,
    tell: &mut dyn FnMut(&str),
) -> Result<Learned, LeastError> {
    tell("reading today's rules");
    let spec = &without_copies(spec);
    let before = checked(spec, tags)?;
    let today_at = interfaces(&before, seen);
    let concerns = |place: &ResourceId| today_at.governs(nsg, place);
    let found = witnesses(seen, &today_at, concerns, |_| true, false, options.now);

    tell("choosing rules");
    let denies = Direction::ALL.map(deny);
    let (bare, replaced) = replaced(spec, nsg, denies.to_vec())?;
    let denied = checked(&bare, tags)?;
    let behind = needs::Behind {
        spec,
        before: &before,
        nsg,
        interfaces: [&today_at, &interfaces(&denied, seen)],
        seen,
        wanted: &found.wanted,
        options,
    };
    let mut rules = Vec::new();
    for (direction, deny) in Direction::ALL.into_iter().zip(denies) {
        rules.extend(numbered(nsg, behind.rules(direction))?);
        rules.push(deny);
    }

    tell("proving the result");
    let (learned, _) = self::replaced(spec, nsg, rules.clone())?;
    let after = checked(&learned, tags)?;
    let proof = prove(&before, &after, options.now, options.limits)?;
    let reason = |flow: &Flow| match options.forbidden.contains(flow.remote()) {
        true => FlowFate::Forbidden,
        false => FlowFate::Cut,
    };
    let fates = fates(seen, &found.wanted, &interfaces(&after, seen), options.now, reason);
    let kept = fates.iter().filter(|(_, fate)| *fate == FlowFate::Kept);
    let wanted = kept.map(|(index, _)| (&seen[*index].place, seen[*index].flow)).collect();
    let allowed = Allowed { bare: &denied, after: &after, wanted, now: options.now, limits: options.limits };
    let mut opened = Vec::new();
    for direction in Direction::ALL {
        opened.append(&mut allowed.by_rule(nsg, direction)?);
    }
    let silent = behind.silent();
    Ok(Learned {
        nsg: nsg.clone(),
        rules,
        replaced,
        spec: learned,
        fates,
        left: found.left,
        silent,
        opened,
        proof,
    })
}

/// A spec in which an NSG has other rules, and the names of those that it had. Tags about rules that are gone go with them.
fn replaced(
    spec: &EstateSpec,
    nsg: &ResourceId,
    rules: Vec<RuleSpec>,
) -> Result<(EstateSpec, Vec<String>), LeastError> {
    let mut spec = spec.clone();
    let found = nsg_mut(&mut spec, nsg)?;
    if let Some(reason) = &found.rules_unknown {
        return Err(LeastError::Open { nsg: nsg.clone(), reason: reason.clone() });
    }
    let former = std::mem::replace(&mut found.rules, rules);
    let names = former.iter().filter_map(|rule| rule.name.as_ref()?.value.known().cloned());
    if let Some(Given::Known(tags)) = found.tags.as_mut().map(|tags| &mut tags.value) {
        tags.retain(|name, _| rule_of_tag(name).is_none());
    }
    Ok((spec, names.collect()))
}

/// The rule that denies the rest of a direction, defaults and all.
fn deny(direction: Direction) -> RuleSpec {
    let text = |text: &str| Some(Text::known(text));
    let side = || SideSpec { address_prefix: text("*"), port_range: text("*"), ..SideSpec::default() };
    RuleSpec {
        description: text("Palisade learn: nothing else was observed"),
        protocol: text("*"),
        source: side(),
        destination: side(),
        access: text("Deny"),
        priority: text(&PRIORITY_MAX.to_string()),
        direction: text(&direction.to_string()),
        ..RuleSpec::new(&format!("{}-deny-rest", needs::prefix(direction)))
    }
}

/// Rules with numbers.
fn numbered(nsg: &ResourceId, mut rules: Vec<RuleSpec>) -> Result<Vec<RuleSpec>, LeastError> {
    let (low, high) = (PRIORITY_MIN - 1, PRIORITY_MAX);
    let names: Vec<&str> =
        rules.iter().filter_map(|rule| rule.name.as_ref()?.value.known().map(String::as_str)).collect();
    let found = numbers(&names, &HashMap::new(), (low, high), From::Lowest)
        .ok_or_else(|| LeastError::NoRoom { nsg: nsg.clone(), rules: names.len(), low, high })?;
    for (rule, number) in rules.iter_mut().zip(found) {
        rule.priority = Some(Text::known(number.to_string()));
    }
    Ok(rules)
}
