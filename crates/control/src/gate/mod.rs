//! The gate: what is about to be written is proven against the intents of the estate, and refused if it breaks one.
//!
//! It is asked by whatever plans a write, with the write in a draft, so that what is stored was proven in the same place of the
//! one sequence of commits. Only interfaces that the write concerns are asked, and only what it newly breaks is
//! counted: what was overridden once does not stand in the way of everything later. A world without intents costs one
//! look. It must not know who may override, nor how a refusal travels. Reference: docs/adr/0030-intents-guard-writes.md.

mod breach;
mod concerned;
mod covered;
mod names;
mod proof;
mod sets;
#[cfg(test)]
mod tests;
mod touched;

use std::collections::BTreeSet;

use palisade_analysis::intent::Effect;
use palisade_model::ResourceId;

use crate::audit::Broken;
use crate::kinds::INTENTS;
use crate::plan::Draft;
use crate::{ControlError, Override, World};
pub(crate) use breach::Breach;
use concerned::{Asked, Concerned};
use proof::{Finding, Place};
use sets::Sets;
pub(crate) use sets::{SETS_MAX, read};

/// Proves writes. One for all writers of a server.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    sets: Sets,
}

/// A write that may be stored.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// What is told with the answer.
    pub(crate) warnings: Vec<ControlError>,
    /// What the audit log is told.
    pub(crate) broken: Vec<Broken>,
    /// Why something was overridden.
    pub(crate) reason: Option<String>,
}

/// What becomes of one intent.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The resource with the intent.
    pub set: ResourceId,
    /// Its name.
    pub intent: String,
    /// What it claims: `allowed`, `forbidden` or `only`.
    pub claim: &'static str,
    /// What is done about a violation: `deny` or `warn`.
    pub effect: &'static str,
    /// At how many interfaces it was asked.
    pub interfaces: usize,
    /// What breaks it, if something new does.
    pub breach: Option<ControlError>,
}

impl Gate {
    /// Judges what a draft has done since a mark, at a time in seconds since 1970.
    ///
    /// # Errors
    /// `PolicyViolation` if it breaks an intent that denies and that is not overridden, and `PolicyUndetermined` if it cannot be
    /// proven that it does not.
    pub(crate) fn judge(
        &self,
        draft: &mut Draft<'_>,
        from: usize,
        overriding: Option<&Override>,
        now: u64,
    ) -> Result<Passed, ControlError> {
        if draft.world().of_kind(INTENTS).next().is_none() {
            return Ok(Passed::default());
        }
        let concerned = Concerned::of(draft, from);
        if concerned.is_empty() {
            return Ok(Passed::default());
        }
        let sets = self.sets.of(draft.world())?;
        let asked = concerned.asked(draft.world(), &sets);
        decide(Breach::of(new_findings(draft, from, &asked, now)?), overriding)
    }

    /// The interfaces that are judged otherwise by what a draft has done since a mark, and what becomes of every intent that it
    /// concerns, whatever it does about it.
    pub(crate) fn verdicts(
        &self,
        draft: &mut Draft<'_>,
        from: usize,
        now: u64,
    ) -> Result<(BTreeSet<ResourceId>, Vec<Verdict>), ControlError> {
        let concerned = Concerned::of(draft, from);
        let asked = concerned.asked(draft.world(), &self.sets.of(draft.world())?);
        let breaches = Breach::of(new_findings(draft, from, &asked, now)?);
        Ok((concerned.nics, verdicts(&asked, breaches)))
    }

    /// What becomes of every intent of a world as it is, at a time in seconds since 1970: what broke by something else than a
    /// write, such as another file of service tags, and what was overridden.
    pub(crate) fn standing(&self, world: &World, now: u64) -> Result<Vec<Verdict>, ControlError> {
        let every = self.sets.of(world)?.into_iter().map(|set| Asked::whole(world, set, true));
        let asked: Vec<Asked> = every.filter(|one| !one.is_empty()).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let findings = Findings::of(world, &asked, now)?.found;
        Ok(verdicts(&asked, Breach::of(findings)))
    }

    /// The same of a group whose resources go later, in transactions of their own: judged is the world without them.
    pub(crate) fn judge_without(
        &self,
        draft: &mut Draft<'_>,
        group: &ResourceId,
        overriding: Option<&Override>,
        now: u64,
    ) -> Result<Passed, ControlError> {
        let mark = draft.mark();
        let inside: Vec<ResourceId> = draft.world().under(group).map(|one| one.id().clone()).collect();
        inside.iter().rev().for_each(|id| draft.remove(id));
        let passed = self.judge(draft, mark, overriding, now);
        draft.roll_back(mark);
        passed
    }
}

/// Each intent with what breaks it.
fn verdicts(asked: &[Asked], mut breaches: Vec<Breach>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for one in asked {
        for intent in &one.intents.intents {
            let is_its = |breach: &Breach| breach.set == one.set.id && breach.intent == intent.name;
            let at = breaches.iter().position(is_its);
            verdicts.push(Verdict {
                set: one.set.id.clone(),
                intent: intent.name.clone(),
                claim: intent.shape.name(),
                effect: intent.effect.name(),
                interfaces: one.about.len(),
                breach: at.map(|at| breaches.swap_remove(at).error()),
            });
        }
    }
    verdicts
}

/// What intents find in a world.
struct Findings {
    found: Vec<Finding>,
    /// The moments that were asked about.
    moments: Vec<u32>,
    /// The interfaces that were known whole.
    nics: BTreeSet<ResourceId>,
}

impl Findings {
    fn of(world: &World, asked: &[Asked], now: u64) -> Result<Self, ControlError> {
        let now = u32::try_from(now).unwrap_or(u32::MAX);
        let mut nics: BTreeSet<ResourceId> = asked.iter().flat_map(|one| &one.about).cloned().collect();
        let place = Place::new(world, &nics, asked)?;
        let mut moments = place.moments(now)?;
        let mut found = place.prove(asked, &moments);
        if !found.is_empty() {
            // What is at the other end of these packets was taken to let everything through: now it is asked, too, and its
            // rules have windows of their own.
            let known = nics.len();
            nics.extend(proof::others(world, &found));
            if nics.len() > known {
                let place = Place::new(world, &nics, asked)?;
                moments = place.moments(now)?;
                found = place.prove(asked, &moments);
            }
        }
        Ok(Self { found, moments, nics })
    }
}

/// What intents find after the write that they did not find before it.
fn new_findings(
    draft: &mut Draft<'_>,
    from: usize,
    asked: &[Asked],
    now: u64,
) -> Result<Vec<Finding>, ControlError> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let Findings { mut found, moments, nics: all } = Findings::of(draft.world(), asked, now)?;
    let standing: Vec<Asked> = asked.iter().filter(|one| !one.is_new).cloned().collect();
    if found.is_empty() || standing.is_empty() {
        return Ok(found);
    }
    let before = draft.look_back(from, |world| {
        let there = all.iter().filter(|id| world.document(id).is_some()).cloned().collect();
        Ok::<_, ControlError>(Place::new(world, &there, &standing)?.prove(&standing, &moments))
    })?;
    found.retain(|finding| !finding.is_among(&before));
    Ok(found)
}

/// Refuses breaches that deny, unless all of them are overridden.
fn decide(breaches: Vec<Breach>, overriding: Option<&Override>) -> Result<Passed, ControlError> {
    let may = |breach: &Breach| overriding.is_some_and(|leave| leave.of.contains(&breach.set));
    let (denied, told): (Vec<Breach>, Vec<Breach>) =
        breaches.into_iter().partition(|breach| breach.effect == Effect::Deny && !may(breach));
    if let Some(refusal) = Breach::refusal(&denied, overriding.is_some()) {
        return Err(refusal);
    }
    let is_overridden = told.iter().any(|breach| breach.effect == Effect::Deny);
    Ok(Passed {
        warnings: told.iter().map(Breach::error).collect(),
        broken: told.iter().map(Breach::entry).collect(),
        reason: overriding.filter(|_| is_overridden).map(|leave| leave.reason.clone()),
    })
}

/// Whether an id is a scope or lies under it.
fn is_within(id: &ResourceId, scope: &ResourceId) -> bool {
    let (id, scope) = (id.as_str(), scope.as_str());
    let begins = id.get(..scope.len()).is_some_and(|start| start.eq_ignore_ascii_case(scope));
    begins && matches!(id.as_bytes().get(scope.len()), None | Some(b'/'))
}

/// Every interface under a scope.
fn interfaces(world: &World, scope: &ResourceId) -> BTreeSet<ResourceId> {
    world.of_kind(crate::kinds::NIC).filter(|id| is_within(id, scope)).cloned().collect()
}
