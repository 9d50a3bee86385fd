//! Variables, each evaluated when first used, and user-defined functions.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::eval::Cx;
use super::parameters::circular;
use super::problem::Fault;
use super::scope::{Frame, Place, Slot, UserFunction, Variable, VariableSource};
use super::session::Evaluator;
use super::value::{Data, Value};
use crate::json::{Member, Node};

impl<'a> Evaluator<'a> {
    /// `variables('name')`
    pub(super) fn variable(&self, name: &Value, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let Some(name) = name.as_str() else {
            if let Data::Unknown(_) | Data::Text(_) = name.data {
                return Ok(super::functions::derived(
                    super::special::written("variables", std::slice::from_ref(name)),
                    None,
                    [name],
                    cx.at,
                ));
            }
            return Err(Fault::call("variables", "the name must be a string"));
        };
        if cx.frame.arguments.is_some() {
            return Err(Fault::new("a user-defined function can't use variables"));
        }
        let scope = &cx.frame.scope;
        let Some(variable) = scope.variables.get(&name.to_lowercase()) else {
            return Err(Fault::new(format!(
                "The template variable '{name}' is not found. Please see \
                 https://aka.ms/arm-syntax-variables for usage details"
            )));
        };
        match &*variable.slot.borrow() {
            Slot::Done(value) => return Ok(value.clone()),
            Slot::Busy => return Err(circular("variable", name)),
            Slot::Empty => {}
        }
        *variable.slot.borrow_mut() = Slot::Busy;
        let frame = cx.frame.bare(Place::Variable(variable.name.to_string()));
        let value = match variable.source {
            VariableSource::Plain(node) => self.node(node, &frame),
            VariableSource::Copy(entry) => self.copied(entry, &frame).1,
        };
        *variable.slot.borrow_mut() = Slot::Done(value.clone());
        Ok(value)
    }

    /// Evaluates everything that nothing has asked for, so that faults in it are found too.
    pub(super) fn settle(&self, frame: &Frame<'a>) {
        let cx = Cx { frame, at: super::value::Location::default() };
        let mut variables: Vec<&Variable<'a>> = frame.scope.variables.values().collect();
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        for variable in variables {
            // Faults inside are reported where they are; a name from the map is always found.
            let _ = self.variable(&Value::from(Data::from(variable.name.as_ref())), cx);
        }
        let mut parameters: Vec<_> = frame.scope.parameters.values().collect();
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
        for parameter in parameters {
            let _ = self.parameter(&Value::from(Data::from(parameter.name.as_ref())), cx);
        }
    }
}

/// The variables of a template by lower-case name; entries of `copy` are variables too.
pub(super) fn declare(template: &Node) -> HashMap<String, Variable<'_>> {
    let mut variables = HashMap::new();
    let members = template.get("variables").and_then(Node::as_object).map_or(&[][..], |o| o.members());
    for Member { key, value, .. } in members {
        let copies =
            Some(value).filter(|_| key.eq_ignore_ascii_case("copy")).and_then(super::eval::property_loops);
        match copies {
            Some(entries) => {
                for entry in entries {
                    let name = entry.get("name").and_then(Node::as_str).unwrap_or_default();
                    variables.insert(name.to_lowercase(), variable(name, VariableSource::Copy(entry)));
                }
            }
            None => {
                variables.insert(key.to_lowercase(), variable(key, VariableSource::Plain(value)));
            }
        }
    }
    variables
}

fn variable<'a>(name: &str, source: VariableSource<'a>) -> Variable<'a> {
    Variable { name: name.into(), source, slot: RefCell::default() }
}

/// The user-defined functions of a template by `namespace.name` in lower case.
pub(super) fn declare_functions(template: &Node) -> HashMap<String, Rc<UserFunction<'_>>> {
    let mut functions = HashMap::new();
    for namespace in template.get("functions").and_then(Node::as_array).unwrap_or_default() {
        let Some(prefix) = namespace.get("namespace").and_then(Node::as_str) else { continue };
        let members = namespace.get("members").and_then(Node::as_object).map_or(&[][..], |o| o.members());
        for member in members {
            let Some(output) = member.value.get("output").and_then(|output| output.get("value")) else {
                continue;
            };
            let parameters = member.value.get("parameters").and_then(Node::as_array).unwrap_or_default();
            let parameters = parameters.iter().filter_map(|p| p.get("name").and_then(Node::as_str)).collect();
            let name = format!("{prefix}.{}", member.key);
            functions.insert(name.to_lowercase(), Rc::new(UserFunction { name, parameters, output }));
        }
    }
    functions
}
