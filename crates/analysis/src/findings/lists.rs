//! Rules that do not do what their place in the list lets one think, one NSG at a time.
//!
//! A list is asked once for every content that it has: the same NSG means other addresses in other subnets. What is said of a rule
//! that never decides, or that could go, holds wherever its NSG stands; what two rules do to each other holds somewhere.

use std::collections::BTreeMap;

use palisade_model::{Access, EffectiveLayer, EffectiveRule, ResourceId};
use palisade_net::{Direction, Family};

use super::{
    Asking, Check, Finding, Findings, Severity, Subject,
    checks::{self, JIT, ORDER, PARTLY_HIDDEN},
    sites::{Site, is_nsg},
    tell::{is_user_rule, matched, percent},
};
use crate::{AnalysisError, Contrast, Fate, Hidden, Need, Overlap, RuleList, Shares};

/// Names that begin like this are of rules that just-in-time access wrote.
const JIT_RULE: &str = "SecurityCenter-JITRule";

/// A list, and a place where it stands.
struct Standing<'s, 'e> {
    site: &'s Site<'e>,
    index: usize,
}

impl<'s> Standing<'s, '_> {
    fn layer(&self, direction: Direction) -> &'s EffectiveLayer {
        &self.site.policy.layers(direction)[self.index]
    }
}

/// Asks every list of every NSG.
pub(super) fn check(asking: &Asking<'_>, found: &mut Findings) -> Result<(), AnalysisError> {
    for ((nsg, direction), standings) in &standings(&asking.sites) {
        found.take(nsg, Group { nsg, direction: *direction, standings, asking }.findings())?;
    }
    Ok(())
}

/// The contents that each NSG's lists have, by NSG and direction.
fn standings<'s, 'e>(sites: &'s [Site<'e>]) -> BTreeMap<(ResourceId, Direction), Vec<Standing<'s, 'e>>> {
    let mut found: BTreeMap<_, Vec<Standing<'s, 'e>>> = BTreeMap::new();
    for site in sites {
        for direction in Direction::ALL {
            for (index, layer) in site.policy.layers(direction).iter().enumerate() {
                let Some(nsg) = layer.source.as_ref().filter(|_| is_nsg(layer)) else { continue };
                let known = found.entry((nsg.clone(), direction)).or_default();
                if !known.iter().any(|other| other.layer(direction).rules == layer.rules) {
                    known.push(Standing { site, index });
                }
            }
        }
    }
    found
}

/// All lists of one NSG and direction.
struct Group<'g, 's, 'e> {
    nsg: &'g ResourceId,
    direction: Direction,
    standings: &'g [Standing<'s, 'e>],
    asking: &'g Asking<'e>,
}

/// What becomes of a rule in one list.
enum State {
    Hidden(Hidden),
    Empty,
    Redundant,
    /// It is needed, or that is not known.
    Other,
}

impl<'s> Group<'_, 's, '_> {
    fn findings(&self) -> Result<Vec<Finding>, AnalysisError> {
        let Asking { now, limits, .. } = *self.asking;
        let lists: Vec<RuleList<'s>> = self
            .standings
            .iter()
            .map(|at| RuleList::new(&at.site.policy, self.direction, at.index, now, limits))
            .collect();
        let shares: Vec<Shares> = lists.iter().map(RuleList::shares).collect::<Result<_, _>>()?;
        let mut found = Vec::new();
        for (number, rule) in self.rules().iter().enumerate().filter(|(_, rule)| is_user_rule(rule)) {
            let states: Vec<State> =
                lists.iter().map(|list| state(list, number)).collect::<Result<_, _>>()?;
            match self.useless(number, rule, &states) {
                Some(finding) => found.push(finding),
                None => found.extend(self.partly_hidden(number, rule, &shares)),
            }
        }
        found.extend(self.orders(&lists)?);
        Ok(found)
    }

    /// The rules, as the first list has them; those of others are the same but for what names mean.
    fn rules(&self) -> &'s [EffectiveRule] {
        &self.standings[0].layer(self.direction).rules
    }

    fn subject(&self, rule: &EffectiveRule) -> Subject {
        let nsg = Some(self.nsg.clone());
        Subject { nsg, rule: Some(rule.path.clone()), direction: Some(self.direction), ..Subject::default() }
    }

    fn finding(&self, check: &'static Check, rule: &EffectiveRule, message: String) -> Finding {
        Finding {
            check,
            severity: check.severity,
            subject: self.subject(rule),
            message,
            region: matched(rule, self.standings[0].site.names()),
            witness: None,
            covered_by: Vec::new(),
        }
    }

    /// A rule without which nothing would change, wherever its NSG stands.
    fn useless(&self, number: usize, rule: &EffectiveRule, states: &[State]) -> Option<Finding> {
        let hidden: Vec<&Hidden> = states.iter().filter_map(State::hidden).collect();
        if states.iter().all(|state| matches!(state, State::Empty)) {
            return Some(self.finding(&checks::EMPTY, rule, format!("{} matches no packet", rule.name)));
        }
        if hidden.len() == states.len() {
            return Some(self.dead(rule, &hidden));
        }
        if states.iter().any(|state| matches!(state, State::Other)) {
            return None;
        }
        let twin = self.default_twin(number);
        Some(match twin {
            Some(twin) => {
                let message = format!("{} matches what {} matches, and does the same", rule.name, twin.name);
                self.finding(&checks::DUPLICATE, rule, message)
            }
            None => {
                let message = format!("{} could be removed: what comes after it does the same", rule.name);
                self.finding(&checks::REDUNDANT, rule, message)
            }
        })
    }

    fn dead(&self, rule: &EffectiveRule, hidden: &[&Hidden]) -> Finding {
        let first = hidden[0];
        let same = hidden.iter().all(|other| other.contrast == first.contrast);
        let (check, does) = match first.contrast {
            Contrast::Same if same => (&checks::DEAD_SAME, "does the same"),
            Contrast::Other if same => (&checks::DEAD_OTHER, "does something else"),
            Contrast::Unknown => (&checks::DEAD_MIXED, "may do anything"),
            _ => (&checks::DEAD_MIXED, "does partly the same"),
        };
        let rules = self.rules();
        let by: Vec<String> =
            first.by.iter().map(|rule| rule.map_or_else(exemption, |r| rules[r].path.clone())).collect();
        let names: Vec<&str> =
            first.by.iter().map(|rule| rule.map_or("the platform's exemption", |r| &rules[r].name)).collect();
        let hide = if names.len() == 1 { "hides" } else { "hide" };
        let names = names.join(", ");
        let message =
            format!("{} never decides: {names} {hide} it, and what takes its packets {does}", rule.name);
        Finding {
            witness: first.covers.first().map(|cover| cover.example),
            covered_by: by,
            ..self.finding(check, rule, message)
        }
    }

    /// The default rule that matches the same packets and does the same.
    fn default_twin(&self, number: usize) -> Option<&'s EffectiveRule> {
        let rules = self.rules();
        let is_twin = |own: &EffectiveRule, other: &EffectiveRule| {
            (
                own.access,
                own.protocol,
                &own.source,
                &own.destination,
                &own.source_ports,
                &own.destination_ports,
            ) == (
                other.access,
                other.protocol,
                &other.source,
                &other.destination,
                &other.source_ports,
                &other.destination_ports,
            )
        };
        let defaults = rules.iter().enumerate().filter(|(_, rule)| !is_user_rule(rule));
        let mut twins = defaults.filter(|(twin, _)| {
            self.standings.iter().all(|at| {
                let rules = &at.layer(self.direction).rules;
                is_twin(&rules[number], &rules[*twin])
            })
        });
        twins.next().map(|(_, twin)| twin)
    }

    /// A rule of which others take a part, wherever its NSG stands.
    fn partly_hidden(&self, number: usize, rule: &EffectiveRule, shares: &[Shares]) -> Option<Finding> {
        let shares = || shares.iter().map(|shares| &shares.rules[number]);
        // Of a rule whose place in the order is not known nothing is claimed.
        if !rule.certain || !shares().all(crate::Share::is_partly_hidden) {
            return None;
        }
        let hidden = Family::ALL.map(|family| {
            let of_lists = shares().map(|share| share.hidden(family));
            (family, of_lists.fold(1.0, f64::min))
        });
        let said = hidden.iter().filter(|(_, share)| *share > 0.0);
        let said: Vec<String> = said
            .map(|(family, share)| format!("{} of what it matches of {family}", percent(*share)))
            .collect();
        let message = format!("rules before {} take {}", rule.name, said.join(" and "));
        (!said.is_empty()).then(|| self.finding(&PARTLY_HIDDEN, rule, message))
    }

    /// Pairs whose order matters, and just-in-time rules behind older ones.
    fn orders(&self, lists: &[RuleList<'_>]) -> Result<Vec<Finding>, AnalysisError> {
        let mut found: BTreeMap<(usize, usize), Finding> = BTreeMap::new();
        let rules = self.rules();
        let is_wanted = |earlier: usize, later: usize, overlap: Overlap| {
            let (earlier, later) = (&rules[earlier], &rules[later]);
            is_user_rule(later) && (overlap == Overlap::Partial || is_closed_by_jit(earlier, later))
        };
        for list in lists {
            for pair in list.order_sensitive_where(is_wanted)? {
                let (earlier, later) = (&rules[pair.earlier], &rules[pair.later]);
                if pair.example.is_none() || found.contains_key(&(pair.earlier, pair.later)) {
                    continue;
                }
                let (check, severity, message) = match is_closed_by_jit(earlier, later) {
                    true => hidden_jit(earlier, later),
                    false => {
                        let what = "share packets and do different things";
                        (&ORDER, ORDER.severity, format!("{} and {} {what}", earlier.name, later.name))
                    }
                };
                let finding = Finding {
                    severity,
                    witness: pair.example,
                    covered_by: vec![earlier.path.clone()],
                    ..self.finding(check, later, message)
                };
                found.insert((pair.earlier, pair.later), finding);
            }
        }
        Ok(found.into_values().collect())
    }
}

impl State {
    const fn hidden(&self) -> Option<&Hidden> {
        match self {
            Self::Hidden(hidden) => Some(hidden),
            _ => None,
        }
    }
}

fn state(list: &RuleList<'_>, rule: usize) -> Result<State, AnalysisError> {
    Ok(match list.fate(rule)? {
        Fate::Never(hidden) => State::Hidden(hidden),
        Fate::Empty => State::Empty,
        Fate::NotAsked | Fate::Perhaps => State::Other,
        Fate::Decides(_) if list.need(rule)? == Need::Redundant => State::Redundant,
        Fate::Decides(_) => State::Other,
    })
}

fn exemption() -> String {
    "the platform's exemption".to_owned()
}

/// Whether an allow stands before a rule by which just-in-time access closes a port, and is none of its own.
fn is_closed_by_jit(earlier: &EffectiveRule, later: &EffectiveRule) -> bool {
    later.name.starts_with(JIT_RULE)
        && later.access.known() == Some(Access::Deny)
        && !earlier.name.starts_with(JIT_RULE)
        && earlier.access.known() == Some(Access::Allow)
}

fn hidden_jit(earlier: &EffectiveRule, later: &EffectiveRule) -> (&'static Check, Severity, String) {
    let is_public = super::exposure::public().intersects(earlier.source.may());
    let severity = if is_public { JIT.severity } else { Severity::Note };
    let message = format!("{} lets pass what just-in-time access closes by {}", earlier.name, later.name);
    (&JIT, severity, message)
}
