//! What an expression of the configuration refers to, for values that the plan does not know yet.
//!
//! Terraform lists the references of an expression, not the expression. So a reference is followed only where it can
//! mean one thing: one resource of the wanted type, or, where that has several instances, the one of the same index.

use std::collections::HashSet;

use super::plan::{Plan, Planned, items, join, members, without_indexes};
use crate::json::Node;

/// A search for resources of one type.
struct Search<'s, 'p, 'a> {
    kind: &'s str,
    /// Index of the instance that refers.
    index: Option<&'s Node>,
    found: Vec<&'p Planned<'a>>,
    /// Whether something else is referred to.
    other: bool,
    /// References looked at.
    seen: usize,
}

/// Most steps from a variable to a module's output to a variable and so on.
const STEPS_MAX: usize = 16;
/// Most references of one search; more are taken to mean more than one thing.
const REFERENCES_MAX: usize = 1_000;

impl<'a> Plan<'a> {
    /// The resources of Terraform type `kind` that `expression`, of `from`, refers to; none if it refers to anything else
    /// as well, because the value may then come from there.
    pub(super) fn referred(
        &self,
        from: &Planned<'a>,
        expression: Option<&Node>,
        kind: &str,
    ) -> Vec<&Planned<'a>> {
        let mut search = Search { kind, index: from.index, found: Vec::new(), other: false, seen: 0 };
        self.follow(expression, &from.module, STEPS_MAX, &mut search);
        let mut seen = HashSet::new();
        search.found.retain(|planned| seen.insert(planned.address));
        if search.other { Vec::new() } else { search.found }
    }

    fn follow<'p>(
        &'p self,
        expression: Option<&Node>,
        module: &str,
        steps: usize,
        search: &mut Search<'_, 'p, 'a>,
    ) {
        let references = items(expression.and_then(|expression| expression.get("references")));
        search.seen += references.len();
        let Some(steps) =
            steps.checked_sub(1).filter(|_| !references.is_empty() && search.seen <= REFERENCES_MAX)
        else {
            search.other = true;
            return;
        };
        let references: Vec<&str> = references.iter().filter_map(Node::as_str).collect();
        for reference in references.iter().filter(|reference| !is_shortened(reference, &references)) {
            let parts = split(reference);
            match parts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()[..] {
                // They tell which instance is meant, which our own index does too.
                ["count" | "each", ..] => {}
                ["var", name, ..] => match self.call(module) {
                    Some((parent, expressions)) => self.follow(expressions.get(name), &parent, steps, search),
                    None => search.other = true,
                },
                ["module", name, output, ..] => {
                    let inner = join(module, &format!("module.{name}"));
                    let configured = self.modules.get(&without_indexes(&inner));
                    let output = configured.and_then(|module| module.get("outputs")?.get(output));
                    self.follow(output.and_then(|output| output.get("expression")), &inner, steps, search);
                }
                [kind, name, ..] if kind == search.kind => {
                    let instances = self.instances(module, kind, name);
                    search.found.extend(chosen(instances, parts[1].1.as_deref(), search.index));
                }
                _ => search.other = true,
            }
        }
    }

    /// The module around `module`, and the arguments it passes.
    fn call(&self, module: &str) -> Option<(String, &'a Node)> {
        let plain = without_indexes(module);
        let (parent, name) = match plain.rsplit_once("module.") {
            Some((parent, name)) => (parent.trim_end_matches('.'), name),
            None => return None,
        };
        let calls = self.modules.get(parent)?.get("module_calls");
        let (_, call) = members(calls).find(|(call, _)| *call == name)?;
        Some((parent.to_owned(), call.get("expressions")?))
    }
}

/// Whether another reference goes on where this one ends: Terraform lists `a.b["x"].id`, `a.b["x"]` and `a.b` for one.
fn is_shortened(reference: &str, all: &[&str]) -> bool {
    let longer =
        |other: &&str| other.strip_prefix(reference).is_some_and(|rest| rest.starts_with(['.', '[']));
    all.iter().any(longer)
}

/// The instances that are meant: the one of the written index, else the only one, else the one of our own index.
fn chosen<'p, 'a>(
    instances: Vec<&'p Planned<'a>>,
    written: Option<&str>,
    own: Option<&Node>,
) -> Vec<&'p Planned<'a>> {
    let key = |planned: &Planned<'_>| planned.index.map(index_text);
    let of = |wanted: &str| {
        instances.iter().copied().filter(|planned| key(planned).as_deref() == Some(wanted)).collect()
    };
    match (written, own.map(index_text)) {
        (Some(written), _) => of(written),
        (None, Some(own)) if instances.len() > 1 => of(&own),
        _ => instances,
    }
}

/// An index as it is written in an address, without quotes.
fn index_text(index: &Node) -> String {
    match (index.as_str(), index.as_i64()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// `azurerm_subnet.web["a.b"].id` becomes `azurerm_subnet`, `web` with index `a.b`, and `id`.
fn split(reference: &str) -> Vec<(String, Option<String>)> {
    let mut parts: Vec<(String, Option<String>)> = vec![(String::new(), None)];
    let (mut inside, mut quoted) = (false, false);
    for c in reference.chars() {
        let Some((name, index)) = parts.last_mut() else { break };
        match c {
            '"' if inside => quoted = !quoted,
            '[' if !quoted => {
                inside = true;
                *index = Some(String::new());
            }
            ']' if !quoted => inside = false,
            '.' if !inside => parts.push((String::new(), None)),
            c if inside => index.get_or_insert_with(String::new).push(c),
            c => name.push(c),
        }
    }
    parts
}
