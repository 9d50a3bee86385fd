//! `reference()` and its kin: what can be said of a resource before it exists.
//!
//! A resource that the same set of templates declares has at least the properties it is declared with. So
//! `reference(vnet).addressSpace` is known when the template says it, and `reference(ip).ipAddress` is not.
//! Outputs of a nested deployment are known as far as their expressions are.

use std::rc::Rc;

use super::collection::List;
use super::environment::{object, text};
use super::eval::Cx;
use super::live;
use super::problem::Fault;
use super::resource::{Condition, Declared};
use super::scope::Place;
use super::session::Evaluator;
use super::special::{unknown, written};
use super::text::Text;
use super::unknown::{Reason, Unknown};
use super::value::{Data, Type, Value};

impl<'a> Evaluator<'a> {
    /// The value of a function on resources, or `None` when `key` is none.
    pub(super) fn resource_function(
        &self,
        key: &str,
        args: &[Value],
        cx: Cx<'_, 'a>,
    ) -> Result<Option<Value>, Fault> {
        match key {
            "reference" => self.reference(args, cx).map(Some),
            "references" => self.references(args, cx).map(Some),
            "resourceinfo" => self.resource_info(args, cx).map(Some),
            _ => self.id_function(key, args, cx),
        }
    }

    fn reference(&self, args: &[Value], cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        if let Place::Variable(_) | Place::Parameter(_) | Place::Function(_) = *cx.frame.place {
            return Err(Fault::new(
                "The template function 'reference' is not expected at this location. Please see \
                 https://aka.ms/arm-functions for usage details",
            ));
        }
        let Some(name) = args.first().and_then(Value::text) else {
            return Err(Fault::call("reference", "the first argument must be a resource id or name"));
        };
        let full = args.get(2).and_then(Value::as_str).is_some_and(|mode| mode.eq_ignore_ascii_case("full"));
        let expression = reference_expression(args, full);
        let found = self.lookup(&name, cx);
        // Whoever deploys must tell by the reason what it waits for.
        let asked = found.as_ref().filter(|_| self.live.is_some()).map_or(&name, |declared| &declared.id);
        let reason = Reason::LiveResource(format!("reference('{asked}')"));
        let parent = if found.is_none() { self.declared_parent(&name) } else { None };
        if let Some(used) = found.as_ref().or(parent.as_ref()).filter(|declared| !declared.existing) {
            self.note_use(used, cx);
        }
        let exact = found.as_ref().is_some_and(|declared| declared.is_deployment());
        if !exact && let Some(whole) = self.live_resource(&name, found.as_ref(), parent.as_ref()) {
            let part = if full { Some(&whole) } else { whole.get("properties") };
            return live::value(part.unwrap_or(&serde_json::Value::Null), cx.at);
        }
        let partial = match (found, parent) {
            (Some(declared), _) if declared.existing => None,
            (Some(declared), _) => self.declared_part(&declared, full)?,
            (None, Some(parent)) => self.inline_child(&parent, &name)?,
            (None, None) => None,
        };
        Ok(match partial {
            Some(partial) => {
                let unknown = Unknown::with_partial(expression, reason, partial, exact);
                Value::new(Data::Unknown(unknown), cx.at)
            }
            None => unknown(expression, Some(Type::Object), reason, cx),
        })
    }

    /// The resource that an id, a name or a symbolic name means.
    pub(super) fn lookup(&self, name: &Text, cx: Cx<'_, 'a>) -> Option<Rc<Declared<'a>>> {
        let key = name.key();
        if let Some(found) = self.registry.borrow().get(&key) {
            return Some(found.clone());
        }
        let declared = cx.frame.scope.declared.borrow();
        declared.get(key.trim_start_matches('/')).and_then(|found| found.first()).cloned()
    }

    /// What a declared resource is sure to have: its body or the properties in it, and a deployment's outputs.
    fn declared_part(&self, declared: &Rc<Declared<'a>>, full: bool) -> Result<Option<Value>, Fault> {
        if declared.condition != Condition::Yes || declared.repeat.is_some() {
            return Ok(None);
        }
        if declared.is_deployment() {
            let Some(outputs) = self.nested_outputs(declared)? else { return Ok(None) };
            let cx = Cx { frame: &declared.frame, at: outputs.at };
            let properties = object(cx, vec![("outputs", outputs)])?;
            if !full {
                return Ok(Some(properties));
            }
            let expression = format!("reference('{}', 'Full').properties", declared.id);
            let reason = Reason::LiveResource(format!("reference('{}')", declared.id));
            let properties = Unknown::with_partial(expression, reason, properties, true);
            return object(cx, vec![("properties", Value::new(Data::Unknown(properties), cx.at))]).map(Some);
        }
        let body = self.body(declared)?;
        Ok(if full { Some(body) } else { body.get("properties").cloned() })
    }

    /// The declared resource that this is the id of a child of.
    fn declared_parent(&self, id: &Text) -> Option<Rc<Declared<'a>>> {
        let mut parts = id.split('/');
        parts.pop()?;
        parts.pop()?;
        self.registry.borrow().get(&Text::join(&parts, "/").key()).cloned()
    }

    /// A child written inside its parent, as a subnet in the `subnets` of its network.
    fn inline_child(&self, parent: &Rc<Declared<'a>>, id: &Text) -> Result<Option<Value>, Fault> {
        let mut parts = id.split('/');
        let (Some(name), Some(kind)) = (parts.pop(), parts.pop()) else { return Ok(None) };
        let Some(kind) = kind.known() else { return Ok(None) };
        let Some(properties) = self.declared_part(parent, false)? else { return Ok(None) };
        let children = properties.get(kind).and_then(Value::as_array).unwrap_or_default();
        let is_named =
            |child: &&Value| child.get("name").and_then(Value::text).is_some_and(|n| n.key() == name.key());
        Ok(children.iter().find(is_named).and_then(|child| child.get("properties")).cloned())
    }

    /// `references('symbolicCopy')`: one for each copy.
    fn references(&self, args: &[Value], cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let Some(name) = args.first().and_then(Value::as_str) else {
            return Err(Fault::call("references", "the first argument must be a symbolic name"));
        };
        let copies = cx.frame.scope.declared.borrow().get(&name.to_lowercase()).cloned().unwrap_or_default();
        if copies.is_empty() || copies.iter().any(|copy| copy.repeat.is_some()) {
            let expression = written("references", args);
            return Ok(unknown(expression.clone(), Some(Type::Array), Reason::LiveResource(expression), cx));
        }
        let items = copies.iter().map(|copy| {
            let mut copy_args = args.to_vec();
            copy_args[0] = text(copy.id.clone(), cx);
            self.reference(&copy_args, cx)
        });
        Ok(Value::new(Data::Array(List::new(items.collect::<Result<_, _>>()?)?), cx.at))
    }

    /// `resourceInfo('symbolic')`: what is known from the declaration alone.
    fn resource_info(&self, args: &[Value], cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let name = args.first().and_then(Value::text).unwrap_or_else(|| Text::from(""));
        let Some(declared) = self.lookup(&name, cx) else {
            return Err(Fault::new(format!("The resource '{name}' is not defined in the template")));
        };
        object(
            cx,
            vec![
                ("id", text(declared.id.clone(), cx)),
                ("name", text(declared.name.clone(), cx)),
                ("type", text(declared.kind.as_str(), cx)),
                ("apiVersion", text(declared.api_version.as_deref().unwrap_or_default(), cx)),
            ],
        )
    }
}

/// The API version does not change which resource is meant, so it is no part of the name.
fn reference_expression(args: &[Value], full: bool) -> String {
    let first = super::functions::canonical(&args[0]);
    if full { format!("reference({first}, 'Full')") } else { format!("reference({first})") }
}
