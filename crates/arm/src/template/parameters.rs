//! Parameters: values from files, defaults, and the checks Azure makes on them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::eval::Cx;
use super::functions::same;
use super::problem::{Code, Fault};
use super::scope::{Parameter, Place, Slot};
use super::session::Evaluator;
use super::unknown::{Reason, Unknown};
use super::value::{Data, Location, SourceId, Type, Value};
use crate::json::{self, Node};

impl<'a> Evaluator<'a> {
    /// `parameters('name')`
    pub(super) fn parameter(&self, name: &Value, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let Some(name) = name.as_str() else {
            return Err(Fault::call("parameters", "the name must be a known string"));
        };
        let key = name.to_lowercase();
        let missing = || {
            Fault::new(format!(
                "The template parameter '{name}' is not found. Please see \
                 https://aka.ms/arm-syntax-parameters for usage details"
            ))
        };
        if let Some(arguments) = &cx.frame.arguments {
            return arguments.get(&key).cloned().ok_or_else(missing);
        }
        let scope = &cx.frame.scope;
        let parameter = scope.parameters.get(&key).ok_or_else(missing)?;
        match &*parameter.slot.borrow() {
            Slot::Done(value) => return Ok(value.clone()),
            Slot::Busy => return Err(circular("parameter", name)),
            Slot::Empty => {}
        }
        *parameter.slot.borrow_mut() = Slot::Busy;
        let value = self.parameter_value(parameter, cx);
        *parameter.slot.borrow_mut() = Slot::Done(value.clone());
        Ok(value)
    }

    fn parameter_value(&self, parameter: &Parameter<'a>, cx: Cx<'_, 'a>) -> Value {
        let scope = &cx.frame.scope;
        let name = &parameter.name;
        let at = Location::new(scope.source, parameter.node.at);
        let default = parameter.node.get("defaultValue");
        let value = match (&parameter.given, default) {
            (Some(given), _) => given.clone(),
            (None, Some(node)) => self.node(node, &cx.frame.bare(Place::Parameter(name.to_string()))),
            (None, None) if parameter.node.get("nullable").and_then(Node::as_bool) == Some(true) => {
                Value::new(Data::Null, at)
            }
            (None, None) => {
                let expression = format!("{}parameters('{name}')", scope.qualifier());
                let reason = Reason::ParameterWithoutValue(name.to_string());
                Value::new(Data::Unknown(Unknown::new(expression, declared_type(parameter.node), reason)), at)
            }
        };
        for complaint in complaints(parameter, &value) {
            let Location { line, column, .. } = at;
            let message = format!(
                "Deployment template validation failed: 'The provided value for the template parameter '{name}' \
                 at line '{line}' and column '{column}' is not valid. {complaint}'."
            );
            let place = if value.at.line == 0 { at } else { value.at };
            self.report(Code::InvalidTemplate, message, place);
        }
        value
    }

    /// Reads the `parameters` of a template, with what the caller gives for them, by lower-case name.
    pub(super) fn declare_parameters(
        &self,
        template: &'a Node,
        source: SourceId,
        mut given: HashMap<String, Given>,
    ) -> HashMap<String, Parameter<'a>> {
        let mut parameters = HashMap::new();
        let members = template.get("parameters").and_then(Node::as_object).map_or(&[][..], |o| o.members());
        for member in members {
            let key = member.key.to_lowercase();
            let given = given.remove(&key).map(|given| given.value);
            let at = Location::new(source, member.value.at);
            if member.value.as_object().is_none() || declared_type(&member.value).is_none() {
                let message = format!(
                    "Deployment template validation failed: 'The template parameter '{}' at line '{}' and column \
                     '{}' is not valid. The type property is missing or is not a parameter type.'.",
                    member.key, at.line, at.column
                );
                let reference = member.value.get("$ref").is_some();
                if !reference {
                    self.report(Code::InvalidTemplate, message, at);
                }
            }
            let name: Arc<str> = member.key.as_str().into();
            parameters.insert(key, Parameter { name, node: &member.value, given, slot: RefCell::default() });
        }
        self.report_strangers(given);
        parameters
    }

    /// Values for parameters the template does not have.
    fn report_strangers(&self, given: HashMap<String, Given>) {
        let mut strangers: Vec<Given> = given.into_values().collect();
        strangers.sort_by(|a, b| a.name.cmp(&b.name));
        for stranger in strangers {
            let message = format!(
                "Deployment template validation failed: 'The template parameters '{}' in the parameters file are \
                 not valid; they are not present in the original template and can therefore not be provided at \
                 deployment time.'.",
                stranger.name
            );
            self.report(Code::UndeclaredParameter, message, stranger.value.at);
        }
    }

    /// The values of a parameters file: `{"parameters": {"x": {"value": v}}}`, or without the outer object, or
    /// plain `{"x": v}`.
    pub(super) fn parameter_file(&self, document: &'a json::Document) -> HashMap<String, Given> {
        let source = self.source(document);
        let root = document.root.get("parameters").filter(|n| n.as_object().is_some());
        let members = root.unwrap_or(&document.root).as_object().map_or(&[][..], |o| o.members());
        let mut given = HashMap::new();
        for member in members.iter().filter(|m| !matches!(m.key.as_str(), "$schema" | "contentVersion")) {
            let value = match &member.value.kind {
                json::Kind::Object(o) if o.get("value").is_some() => o.get("value"),
                json::Kind::Object(o) if o.get("reference").is_some() => None,
                _ => Some(&member.value),
            };
            let at = Location::new(source, member.value.at);
            let value = match value.map(|node| self.literal(node, source)) {
                Some(Ok(value)) => value,
                Some(Err(fault)) => {
                    self.report(Code::TemplateLimitExceeded, fault.message.clone(), at);
                    self.failed(&member.key, at)
                }
                None => key_vault(&member.key, at),
            };
            given.insert(member.key.to_lowercase(), Given { name: member.key.clone(), value });
        }
        given
    }
}

/// A value somebody provides for a parameter.
pub(super) struct Given {
    /// The parameter's name as they spelt it.
    pub(super) name: String,
    pub(super) value: Value,
}

/// The value of a parameter whose value lies in a key vault.
pub(super) fn key_vault(name: &str, at: Location) -> Value {
    let expression = format!("secret('{name}')");
    let reason = Reason::KeyVaultSecret(name.to_owned());
    Value::new(Data::Unknown(Unknown::new(expression, None, reason)), at)
}

/// What a value that needs itself is told.
pub(super) fn circular(what: &str, name: &str) -> Fault {
    Fault::new(format!("circular dependency: the {what} '{name}' depends on itself"))
}

fn declared_type(node: &Node) -> Option<Type> {
    Some(match node.get("type")?.as_str()?.to_lowercase().as_str() {
        "string" | "securestring" => Type::String,
        "int" => Type::Int,
        "bool" => Type::Bool,
        "array" => Type::Array,
        "object" | "secureobject" => Type::Object,
        _ => return None,
    })
}

/// Beginnings of the tokens that published templates carry in their parameter files. Their pipeline puts a value in place
/// of each before it deploys, so that a token's own length and spelling say nothing.
const PIPELINE_TOKENS: [&str; 2] = ["GEN-", "GET-PREREQ-"];

fn is_pipeline_token(value: &Value) -> bool {
    value.as_str().is_some_and(|text| PIPELINE_TOKENS.iter().any(|token| text.starts_with(token)))
}

/// What is wrong with a parameter's value, in the words of Azure.
fn complaints(parameter: &Parameter<'_>, value: &Value) -> Vec<String> {
    let node = parameter.node;
    if is_pipeline_token(value) {
        return Vec::new();
    }
    if !matches!(value.data, Data::Unknown(_))
        && let Some(wanted) = declared_type(node)
        && !fits(wanted, value, node)
    {
        return vec![format!(
            "Template parameter JToken type is not valid. Expected '{}'. Actual '{}'. Please see \
             https://aka.ms/resource-manager-parameter-files for usage details.",
            wanted.name(),
            value.type_of().name()
        )];
    }
    let mut found = Vec::new();
    found.extend(not_allowed(node, value));
    let length = match &value.data {
        Data::Text(text) => text.known().map(|text| text.chars().count()),
        Data::Array(list) => Some(list.items().len()),
        _ => None,
    };
    if let Some(length) = length {
        found.extend(outside(node, "Length", length as i64, "The length of the value"));
    }
    if let Data::Int(number) = value.data {
        found.extend(outside(node, "Value", number, "The value"));
    }
    found
}

fn fits(wanted: Type, value: &Value, node: &Node) -> bool {
    let nullable = node.get("nullable").and_then(Node::as_bool) == Some(true);
    match (wanted, &value.data) {
        (_, Data::Null) => nullable || wanted == Type::Object,
        // The service takes whole numbers and truth values that a parameter file puts in quotes.
        (Type::Int, Data::Text(text)) => text.known().is_none_or(|text| text.trim().parse::<i64>().is_ok()),
        (Type::Bool, Data::Text(text)) => {
            text.known().is_none_or(|text| matches!(text.to_lowercase().as_str(), "true" | "false"))
        }
        (Type::Int, Data::Float(number)) => number.fract() == 0.0,
        (Type::String, Data::Int(_) | Data::Float(_) | Data::Bool(_)) => false,
        _ => value.type_of() == wanted,
    }
}

fn not_allowed(node: &Node, value: &Value) -> Option<String> {
    let allowed = node.get("allowedValues")?.as_array()?;
    if !value.is_known() {
        return None;
    }
    let matches = |candidate: &Node| match (candidate.as_str(), value.as_str()) {
        (Some(candidate), Some(value)) => candidate.eq_ignore_ascii_case(value),
        _ => serde_json::Value::from(candidate) == value.to_json(),
    };
    // An array parameter may hold any of the allowed values, or be one of them.
    let each = |items: &[Value]| {
        items.iter().all(|item| {
            allowed
                .iter()
                .any(|c| same(&Value::from(Data::from(c.as_str().unwrap_or_default())), item) == Some(true))
        })
    };
    if allowed.iter().any(matches) || value.as_array().is_some_and(each) {
        return None;
    }
    let list: Vec<String> = allowed
        .iter()
        .map(|n| n.as_str().map_or_else(|| serde_json::Value::from(n).to_string(), str::to_owned))
        .collect();
    Some(format!("The parameter value is not part of the allowed value(s): '{}'.", list.join(",")))
}

/// Complains when a number lies outside `min<what>..=max<what>`.
fn outside(node: &Node, what: &str, number: i64, subject: &str) -> Option<String> {
    let bound = |prefix: &str| node.get(&format!("{prefix}{what}")).and_then(Node::as_i64);
    match (bound("min"), bound("max")) {
        (Some(min), _) if number < min => {
            Some(format!("{subject} is '{number}', it should be greater than or equal to '{min}'."))
        }
        (_, Some(max)) if number > max => {
            Some(format!("{subject} is '{number}', it should be less than or equal to '{max}'."))
        }
        _ => None,
    }
}
