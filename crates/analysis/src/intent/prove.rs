//! Whether intents hold, for every packet at once.
//!
//! What is allowed is asked at each end by itself. What is forbidden is let through only if every end that the estate has lets
//! it through: packets from or to addresses that are nobody's are judged at one end, those between two machines at both. It
//! must not know how rules are asked.

use palisade_model::{Estate, ResourceId};
use palisade_net::Direction;

use super::{
    Doubt, Intent, Intents, Outcome, Proof, Shape, Thing,
    class::classes,
    end::Except,
    gather::{Claims, Setting, doubt},
    party::Party,
    place::Places,
    resolved::{Asked, Resolved, Side},
};
use crate::{AnalysisError, Limits};

/// Anybody.
const ANY: &[Thing] = &[Thing::Any];

/// Whether intents hold of an estate at `now`, in seconds since 1970: one answer for each, in their order.
///
/// # Errors
/// [`AnalysisError::Intent`].
pub fn prove(
    estate: &Estate,
    intents: &Intents,
    now: u32,
    limits: Limits,
) -> Result<Vec<Proof>, AnalysisError> {
    prove_at(estate, intents, &|_| true, now, limits)
}

/// The same, of packets that are judged at some places at least: interfaces, subnets without any, and NSGs that are attached to
/// nothing. After a change that concerns only these, everything else is as it was.
///
/// # Errors
/// [`AnalysisError::Intent`].
pub fn prove_at(
    estate: &Estate,
    intents: &Intents,
    is_asked: &dyn Fn(&ResourceId) -> bool,
    now: u32,
    limits: Limits,
) -> Result<Vec<Proof>, AnalysisError> {
    Prover::new(estate).prove_at(intents, is_asked, now, limits)
}

/// Proves intents of one estate, one set of them after the other: what is resolved for one is there for the next.
#[derive(Debug)]
pub struct Prover<'e> {
    places: Places<'e>,
}

impl<'e> Prover<'e> {
    /// Nothing is resolved before it is asked about.
    pub fn new(estate: &'e Estate) -> Self {
        Self { places: Places::of(estate) }
    }

    /// [`prove_at`].
    ///
    /// # Errors
    /// [`AnalysisError::Intent`].
    pub fn prove_at(
        &self,
        intents: &Intents,
        is_asked: &dyn Fn(&ResourceId) -> bool,
        now: u32,
        limits: Limits,
    ) -> Result<Vec<Proof>, AnalysisError> {
        let places = &self.places;
        let (asked, others) = (0..places.all.len()).partition(|place| is_asked(places.all[*place].id()));
        let question = Question { setting: Setting { places, now, limits }, asked, others };
        let prove = |intent: &Intent| {
            question.prove(intent).map_err(|problem| AnalysisError::Intent {
                intent: intent.name.clone(),
                problem: Box::new(problem),
            })
        };
        intents.intents.iter().map(prove).collect()
    }
}

/// The places of an estate, those that are asked about apart.
struct Question<'e> {
    setting: Setting<'e>,
    asked: Vec<usize>,
    others: Vec<usize>,
}

impl Question<'_> {
    fn prove(&self, intent: &Intent) -> Result<Proof, AnalysisError> {
        let resolved = self.resolve(intent);
        let sides = [
            self.side(&resolved, Direction::Outbound, [&resolved.from, &resolved.to]),
            self.side(&resolved, Direction::Inbound, [&resolved.to, &resolved.from]),
        ];
        let mut claims = Claims::default();
        match intent.shape {
            Shape::Allowed => {
                sides.iter().try_for_each(|side| resolved.stopped(side, &mut claims))?;
            }
            Shape::Forbidden | Shape::Only => {
                sides.iter().try_for_each(|side| resolved.let_through(side, &mut claims))?;
                resolved.let_through_both(&sides, &mut claims)?;
            }
        }
        let mut places: Vec<usize> = sides.iter().flat_map(Side::places).collect();
        places.sort_unstable();
        places.dedup();
        Ok(conclude(intent, &resolved, claims, places.len()))
    }

    fn resolve<'q>(&'q self, intent: &'q Intent) -> Resolved<'q> {
        let party = |things: &'q [Thing]| Party::of(things, self.setting.places);
        let some = |things: &'q [Thing]| (!things.is_empty()).then(|| party(things));
        let mut except: Vec<Except<'q>> = intent
            .except
            .iter()
            .map(|except| Except {
                from: some(&except.from),
                to: some(&except.to),
                services: &except.services,
            })
            .collect();
        let mut from = party(&intent.from);
        if intent.shape == Shape::Only {
            except.push(Except { from: Some(from), to: None, services: &[] });
            from = party(ANY);
        }
        let to = party(&intent.to);
        let named = except.iter().flat_map(|except| except.from.iter().chain(&except.to));
        let is_relative = named.chain([&from, &to]).any(Party::is_relative);
        Resolved { setting: self.setting, from, to, services: &intent.services, except, is_relative }
    }

    fn side<'r>(
        &'r self,
        resolved: &'r Resolved<'r>,
        direction: Direction,
        [own, other]: [&'r Party<'r>; 2],
    ) -> Side<'r> {
        let all = |among: &[usize]| {
            let among = among.iter().copied();
            let classes = classes(self.setting.places, own, resolved.is_relative, among);
            classes.into_iter().map(Asked::new).collect::<Vec<_>>()
        };
        Side::new(direction, other, all(&self.asked), Box::new(move || all(&self.others)))
    }
}

fn conclude(intent: &Intent, resolved: &Resolved<'_>, claims: Claims, asked: usize) -> Proof {
    let excepted = || resolved.except.iter().flat_map(|except| except.from.iter().chain(&except.to));
    let sides = || [&resolved.from, &resolved.to].into_iter();
    let mut open: Vec<String> = sides().chain(excepted()).flat_map(|party| party.open.clone()).collect();
    open.sort_unstable();
    open.dedup();
    // An exception for what is not there makes nothing hold, and is told only where that could be why.
    let is_clean = claims.violations.is_empty() && claims.possible.is_empty();
    // Of what comes only from somebody, the somebody is an exception, and the word of the intent.
    let told = excepted().filter(|_| !is_clean || intent.shape == Shape::Only);
    let missing = sides().chain(told).flat_map(|party| party.missing.clone());
    let mut doubts: Vec<Doubt> = missing.map(|why| Doubt { why, possible: None }).collect();
    doubts.extend(claims.possible.into_iter().map(|(why, possible)| doubt(why, &open, possible)));
    let outcome = match (claims.violations.is_empty(), doubts.is_empty()) {
        (false, _) => Outcome::Violated(claims.violations),
        (true, true) => Outcome::Holds,
        (true, false) => Outcome::Undetermined,
    };
    Proof {
        intent: intent.name.clone(),
        shape: intent.shape,
        effect: intent.effect,
        severity: intent.severity,
        outcome,
        doubts,
        asked,
    }
}
