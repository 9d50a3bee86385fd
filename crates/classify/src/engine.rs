//! The compiled engine: the oracle's answers at millions of flows a second.
//!
//! Each layer's rows are compiled once. A flow whose path meets only what is surely known is answered from the tables; any
//! other flow is handed to the oracle, with the rules that the tables say may match, so that the engine never has an opinion
//! of its own about what is unknown.

use palisade_abi::verdict::Action;
use palisade_model::{EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Truth, is_link_control};
use palisade_net::{Direction, Flow};

use crate::{
    Decision, Hit, Verdict, lower, oracle,
    table::{CompileError, Limits, Table},
};

/// A policy with its compiled layers.
#[derive(Debug)]
pub struct Engine {
    policy: EffectivePolicy,
    inbound: Vec<CompiledLayer>,
    outbound: Vec<CompiledLayer>,
}

#[derive(Debug)]
struct CompiledLayer {
    table: Table,
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
    /// [`CompileError`] if a layer is larger than the tables can be.
    pub fn new(policy: EffectivePolicy) -> Result<Self, CompileError> {
        let inbound = compile(&policy, Direction::Inbound)?;
        let outbound = compile(&policy, Direction::Outbound)?;
        Ok(Self { policy, inbound, outbound })
    }

    /// The policy that was compiled.
    pub const fn policy(&self) -> &EffectivePolicy {
        &self.policy
    }

    /// What happens to `flow`; equal to [`oracle::decide`].
    pub fn decide(&self, flow: &Flow) -> Decision {
        self.decide_from_tables(flow).unwrap_or_else(|| {
            let compiled = self.compiled(flow.direction());
            oracle::decide_among(&self.policy, flow, |layer| compiled[layer].candidates(flow))
        })
    }

    fn compiled(&self, direction: Direction) -> &[CompiledLayer] {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }

    /// The answer if everything on the flow's path is surely known.
    fn decide_from_tables(&self, flow: &Flow) -> Option<Decision> {
        if is_link_control(flow) {
            return Some(Decision::LINK_CONTROL);
        }
        let direction = flow.direction();
        let mut allowed = Hit::Nothing;
        for (index, (compiled, layer)) in
            self.compiled(direction).iter().zip(self.policy.layers(direction)).enumerate()
        {
            if !layer.certain {
                return None;
            }
            let (action, hit) = match compiled.answer(index, layer, flow)? {
                Some(found) => found,
                None if layer.layer == Layer::Admin => continue,
                None => (Action::Deny, Hit::Nothing),
            };
            match action {
                Action::Allow if layer.layer == Layer::PublicAddress => {}
                Action::Allow => allowed = hit,
                Action::AlwaysAllow => {
                    return Some(Decision::of(Verdict::Allow, hit, &self.policy, direction));
                }
                Action::Deny | Action::Closed => {
                    return Some(Decision::of(Verdict::Deny, hit, &self.policy, direction));
                }
            }
        }
        Some(Decision::of(Verdict::Allow, allowed, &self.policy, direction))
    }
}

impl CompiledLayer {
    /// The rules that may match: rows stand for all that a rule could be.
    fn candidates(&self, flow: &Flow) -> impl Iterator<Item = usize> {
        self.table.matches_from(flow, self.rules_start).filter_map(|row| self.origins[row])
    }

    /// What the layer says; `None` if that is not certain, `Some(None)` if no row matches.
    fn answer(&self, index: usize, layer: &EffectiveLayer, flow: &Flow) -> Option<Option<(Action, Hit)>> {
        let Some(row) = self.table.first_match(flow) else { return Some(None) };
        match self.origins[row] {
            Some(rule) => self.certain_rule(row, rule, index, layer, flow).map(Some),
            // Traffic of the platform passes; where the rules let it pass too, the rule is named.
            None => {
                let exempt = (Action::Allow, Hit::Exempt { layer: index });
                let Some(row) = self.table.first_match_from(flow, self.rules_start) else {
                    return Some(Some(exempt));
                };
                let rule = self.origins[row]?;
                let found = self.certain_rule(row, rule, index, layer, flow)?;
                Some(Some(if found.0 == Action::Allow { found } else { exempt }))
            }
        }
    }

    fn certain_rule(
        &self,
        row: usize,
        rule: usize,
        index: usize,
        layer: &EffectiveLayer,
        flow: &Flow,
    ) -> Option<(Action, Hit)> {
        let surely = self.certain[row]
            || (layer.rules[rule].access.known().is_some()
                && oracle::matches(&layer.rules[rule], flow) == Truth::Yes);
        surely.then(|| (self.table.action(row).unwrap_or(Action::Deny), Hit::Rule { layer: index, rule }))
    }
}

fn compile(policy: &EffectivePolicy, direction: Direction) -> Result<Vec<CompiledLayer>, CompileError> {
    lower::layers(policy, direction)
        .into_iter()
        .zip(policy.layers(direction))
        .map(|(lowered, layer)| {
            let table = Table::compile(&lowered.rows, &Limits::default())?;
            let known = |origin: &Option<usize>| origin.is_none_or(|rule| is_certain(&layer.rules[rule]));
            let certain = lowered.origins.iter().map(known).collect();
            Ok(CompiledLayer { table, origins: lowered.origins, rules_start: lowered.rules_start, certain })
        })
        .collect()
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
