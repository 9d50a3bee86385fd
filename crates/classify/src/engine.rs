//! The compiled engine: the oracle's answers at millions of flows a second.
//!
//! Each layer's rows are compiled once, to the bytes that the kernel program would be given. A flow whose path meets only what
//! is surely known is answered from them; any other flow is handed to the oracle, with the rules that may match, so that the
//! engine never has an opinion of its own about what is unknown.

use palisade_abi::{policy::PolicyHeader, verdict::Action};
use palisade_model::{EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Truth, is_link_control};
use palisade_net::{Direction, Flow};

use crate::{
    Decision, Hit, Verdict,
    blob::{self, BlobView},
    lower,
    oracle::{self, Asked, View},
    table::{CompileError, Limits},
};

/// A policy with its compiled layers.
#[derive(Debug)]
pub struct Engine {
    policy: EffectivePolicy,
    inbound: Compiled,
    outbound: Compiled,
}

/// One direction.
#[derive(Debug)]
struct Compiled {
    layers: Vec<CompiledLayer>,
    has_audit: bool,
}

#[derive(Debug)]
struct CompiledLayer {
    bytes: Vec<u8>,
    header: PolicyHeader,
    origins: Vec<Option<usize>>,
    /// The first row of the rules as they are.
    rules_start: usize,
    /// For each row: whether all of it is known, so that a match is a match.
    certain: Vec<bool>,
}

impl Engine {
    /// Compiles a policy.
    ///
    /// # Errors
    /// [`CompileError`] if a layer is larger than a blob can be.
    pub fn new(policy: EffectivePolicy) -> Result<Self, CompileError> {
        let inbound = compile(&policy, Direction::Inbound)?;
        let outbound = compile(&policy, Direction::Outbound)?;
        Ok(Self { policy, inbound, outbound })
    }

    /// The policy that was compiled.
    pub const fn policy(&self) -> &EffectivePolicy {
        &self.policy
    }

    /// What happens to `flow` at `now`; equal to [`oracle::decide`].
    pub fn decide(&self, flow: &Flow, now: u32) -> Decision {
        if is_link_control(flow) {
            return Decision::LINK_CONTROL;
        }
        self.decide_known(flow, now).unwrap_or_else(|| {
            let layers = &self.compiled(flow.direction()).layers;
            oracle::decide_among(&self.policy, flow, now, |layer| layers[layer].candidates(flow, now))
        })
    }

    const fn compiled(&self, direction: Direction) -> &Compiled {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }

    /// The answer if everything on the flow's path is surely known.
    fn decide_known(&self, flow: &Flow, now: u32) -> Option<Decision> {
        let decision = self.decide_in(View::InForce, flow, now)?;
        if !self.compiled(flow.direction()).has_audit {
            return Some(decision);
        }
        Some(decision.beside(self.decide_in(View::WithAudit, flow, now)?))
    }

    fn decide_in(&self, view: View, flow: &Flow, now: u32) -> Option<Decision> {
        let direction = flow.direction();
        let layers = self.policy.layers(direction);
        let decision = |verdict, hit| Some(Decision::of(verdict, hit, &self.policy, direction));
        let mut allowed = Hit::Nothing;
        for (index, compiled) in self.compiled(direction).layers.iter().enumerate() {
            let layer = &layers[index];
            match view.asks(layers, index) {
                Asked::No => continue,
                Asked::Perhaps => return None,
                Asked::Yes if !layer.certain => return None,
                Asked::Yes => {}
            }
            let (action, hit) = match compiled.answer(view, (index, layer), flow, now)? {
                Some(found) => found,
                None if layer.layer == Layer::Admin => continue,
                None => (Action::Deny, Hit::Nothing),
            };
            match action {
                Action::Allow if layer.layer == Layer::PublicAddress => {}
                Action::Allow => allowed = hit,
                Action::AlwaysAllow => return decision(Verdict::Allow, hit),
                Action::Deny | Action::Closed => return decision(Verdict::Deny, hit),
            }
        }
        decision(Verdict::Allow, allowed)
    }
}

impl CompiledLayer {
    const fn view(&self) -> BlobView<'_> {
        BlobView::of_checked(self.bytes.as_slice(), self.header)
    }

    /// The rules that may match: rows stand for all that a rule could be.
    fn candidates(&self, flow: &Flow, now: u32) -> impl Iterator<Item = usize> {
        let rows = self.view().matches(flow, now).filter(|&row| row >= self.rules_start);
        rows.filter_map(|row| self.origins[row])
    }

    /// What the layer says; `None` if that is not certain, `Some(None)` if no row matches.
    fn answer(
        &self,
        view: View,
        (index, layer): (usize, &EffectiveLayer),
        flow: &Flow,
        now: u32,
    ) -> Option<Option<(Action, Hit)>> {
        let asked = |row: &usize| self.origins[*row].is_none_or(|rule| view.asks_rule(&layer.rules[rule]));
        let mut rows = self.view().matches(flow, now).filter(asked);
        let Some(row) = rows.next() else { return Some(None) };
        let certain = |row: usize, rule: usize| {
            let known = &layer.rules[rule];
            let surely = self.certain[row]
                || (known.access.known().is_some() && oracle::matches(known, flow, now) == Truth::Yes);
            surely.then(|| (self.action(row), Hit::Rule { layer: index, rule }))
        };
        match self.origins[row] {
            Some(rule) => certain(row, rule).map(Some),
            // Traffic of the platform passes; where the rules let it pass too, the rule is named.
            None => {
                let exempt = (Action::Allow, Hit::Exempt { layer: index });
                let Some(row) = rows.find(|&row| row >= self.rules_start) else {
                    return Some(Some(exempt));
                };
                let found = certain(row, self.origins[row]?)?;
                Some(Some(if found.0 == Action::Allow { found } else { exempt }))
            }
        }
    }

    fn action(&self, row: usize) -> Action {
        self.view().action(row).unwrap_or(Action::Deny)
    }
}

fn compile(policy: &EffectivePolicy, direction: Direction) -> Result<Compiled, CompileError> {
    let layers = lower::layers(policy, direction)
        .into_iter()
        .zip(policy.layers(direction))
        .map(|(lowered, layer)| {
            let bytes = blob::compile(&lowered.rows, &Limits::default())?;
            let header = *BlobView::parse(&bytes).expect("what was compiled is sound").header();
            let known = |origin: &Option<usize>| origin.is_none_or(|rule| is_certain(&layer.rules[rule]));
            let certain = lowered.origins.iter().map(known).collect();
            let lower::LoweredLayer { origins, rules_start, .. } = lowered;
            Ok(CompiledLayer { bytes, header, origins, rules_start, certain })
        })
        .collect::<Result<_, _>>()?;
    Ok(Compiled { layers, has_audit: oracle::has_audit(policy.layers(direction)) })
}

/// Whether everything about a rule is known.
pub(crate) fn is_certain(rule: &EffectiveRule) -> bool {
    rule.certain
        && rule.access.known().is_some()
        && rule.protocol.known().is_some()
        && rule.source.is_certain()
        && rule.destination.is_certain()
        && rule.source_ports.is_certain()
        && rule.destination_ports.is_certain()
}
