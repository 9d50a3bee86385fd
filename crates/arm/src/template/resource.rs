//! Resources as a template declares them: type, name, id and condition first, bodies when asked for.
//!
//! Headers never need `reference()`, bodies may: so all headers of a template are read before any body, and a
//! body is evaluated once, on first use.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::collection::Map;
use super::context::Target;
use super::copy::Count;
use super::limits::{RESOURCES_MAX, RESOURCES_TOTAL_MAX};
use super::nested::Nested;
use super::parameters::circular;
use super::problem::Fault;
use super::scope::{Frame, Index, Place, Slot};
use super::session::Evaluator;
use super::text::Text;
use super::unknown::{Reason, Unknown};
use super::value::{Data, Location, Type, Value};
use super::{collection, resource_id};
use crate::json::{self, Node};

/// Whether a resource is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It is.
    Yes,
    /// It depends on something unknown.
    Unknown(Arc<Unknown>),
}

/// A resource whose header is read.
pub(super) struct Declared<'a> {
    /// Where its expressions are evaluated.
    pub(super) frame: Frame<'a>,
    pub(super) node: &'a Node,
    /// Where it is deployed to; for a deployment, where its resources are.
    pub(super) target: Target,
    /// Names of the deployments around it.
    pub(super) path: Vec<String>,
    pub(super) kind: String,
    pub(super) name: Text,
    pub(super) id: Text,
    pub(super) api_version: Option<String>,
    pub(super) condition: Condition,
    pub(super) existing: bool,
    /// Set when this stands for an unknown number of copies.
    pub(super) repeat: Option<Arc<Unknown>>,
    pub(super) body: RefCell<Slot<Value>>,
    pub(super) nested: RefCell<Slot<Option<Rc<Nested<'a>>>>>,
}

impl Declared<'_> {
    pub(super) fn is_deployment(&self) -> bool {
        self.kind.eq_ignore_ascii_case("Microsoft.Resources/deployments")
    }

    pub(super) fn at(&self) -> Location {
        Location::new(self.frame.scope.source, self.node.at)
    }
}

/// Where resources are being declared.
pub(super) struct Site<'s, 'a> {
    pub(super) frame: &'s Frame<'a>,
    pub(super) target: &'s Target,
    pub(super) path: &'s [String],
    pub(super) around: &'s Inherited,
}

/// What a deployment or a parent passes on to the resources in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Inherited {
    /// The unknown condition of a deployment around.
    pub(super) condition: Option<Arc<Unknown>>,
    /// The unknown count of a loop around.
    pub(super) repeat: Option<Arc<Unknown>>,
}

impl Inherited {
    /// What a resource inside has, given its own condition.
    fn condition(&self, own: Condition) -> Condition {
        match (own, &self.condition) {
            (Condition::Yes, Some(outer)) => Condition::Unknown(outer.clone()),
            (Condition::Unknown(own), Some(outer)) => {
                let expression = format!("and({}, {})", outer.expression(), own.expression());
                let reasons = outer.reasons().iter().chain(own.reasons()).cloned();
                Condition::Unknown(Unknown::because(expression, Some(Type::Bool), reasons))
            }
            (own, None) => own,
        }
    }
}

/// What surrounds one declaration.
struct Around<'s> {
    symbolic: Option<&'s str>,
    parent: Option<(&'s str, &'s Text)>,
    repeat: Option<Arc<Unknown>>,
    copy_index: Option<i64>,
}

impl<'a> Evaluator<'a> {
    /// Reads the headers of all resources of a template.
    pub(super) fn headers(&self, template: &'a Node, site: &Site<'_, 'a>) -> Vec<Rc<Declared<'a>>> {
        let mut declared = Vec::new();
        self.each(template.get("resources"), None, site, &mut declared);
        if declared.len() > RESOURCES_MAX {
            let fault = Fault::new(format!(
                "The number of template resources limit exceeded. Limit: '{RESOURCES_MAX}' and actual: '{}'",
                declared.len()
            ));
            self.report_fault(&fault, site.frame, Location::new(site.frame.scope.source, template.at));
        }
        declared
    }

    /// Declares an array of resources, or an object of them under symbolic names.
    fn each(
        &self,
        resources: Option<&'a Node>,
        parent: Option<(&str, &Text)>,
        site: &Site<'_, 'a>,
        out: &mut Vec<Rc<Declared<'a>>>,
    ) {
        let around = |symbolic| Around { symbolic, parent, repeat: None, copy_index: None };
        match resources.map(|node| &node.kind) {
            Some(json::Kind::Array(items)) => {
                items.iter().for_each(|node| self.declare(node, &around(None), site, out));
            }
            Some(json::Kind::Object(object)) => {
                for member in object.members() {
                    self.declare(&member.value, &around(Some(&member.key)), site, out);
                }
            }
            _ => {}
        }
    }

    /// Declares a resource, or all copies of it.
    fn declare(
        &self,
        node: &'a Node,
        around: &Around<'_>,
        site: &Site<'_, 'a>,
        out: &mut Vec<Rc<Declared<'a>>>,
    ) {
        let frame = site.frame.at(Place::Resource(shown_type(node)));
        let at = Location::new(frame.scope.source, node.at);
        if out.len() + self.declared.borrow().len() >= RESOURCES_TOTAL_MAX {
            let fault = Fault::limit(format!("the deployment has more than {RESOURCES_TOTAL_MAX} resources"));
            return self.report_fault(&fault, &frame, at);
        }
        let outcome = match node.get("copy") {
            Some(copy) => self.copies(node, copy, around, &frame, site, out),
            None => self.declare_one(node, around, &frame, site, out),
        };
        if let Err(fault) = outcome {
            self.report_fault(&fault, &frame, at);
        }
    }

    fn copies(
        &self,
        node: &'a Node,
        copy: &'a Node,
        around: &Around<'_>,
        frame: &Frame<'a>,
        site: &Site<'_, 'a>,
        out: &mut Vec<Rc<Declared<'a>>>,
    ) -> Result<(), Fault> {
        let name = copy.get("name").map(|name| self.node(name, frame));
        let name = name.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        let one = |index: Index, around: Around<'_>, out: &mut Vec<Rc<Declared<'a>>>| {
            self.declare_one(node, &around, &frame.looped(&name, index, true), site, out)
        };
        match self.count(copy, frame)? {
            Count::Known(count) => {
                for index in 0..count {
                    let around = Around { copy_index: Some(index), repeat: None, ..*around };
                    one(Index::At(index), around, out)?;
                }
                Ok(())
            }
            Count::Unknown(count) => {
                let index = any_index(&name, &count, frame);
                one(Index::Any(index), Around { repeat: Some(count), ..*around }, out)
            }
        }
    }

    fn declare_one(
        &self,
        node: &'a Node,
        around: &Around<'_>,
        frame: &Frame<'a>,
        site: &Site<'_, 'a>,
        out: &mut Vec<Rc<Declared<'a>>>,
    ) -> Result<(), Fault> {
        let kind = self.required(node, "type", frame)?;
        let Some(kind) = kind.known() else {
            return Err(Fault::new(format!("The resource type '{kind}' must be known before deployment")));
        };
        let name = self.required(node, "name", frame)?;
        let (kind, name) = composed(around.parent, kind.trim_matches('/'), name);
        check_segments(&kind, &name, node, frame)?;
        let target = self.target(node, &kind, frame, site.target);
        let scope = node.get("scope").and_then(|scope| self.node(scope, frame).text());
        let id = resource_id::declared(&target, scope.as_ref(), &kind, &name);
        let frame = frame.at(Place::Resource(id.to_string()));
        let condition = self.condition(node, &frame)?;
        let existing = node.get("existing").and_then(Node::as_bool) == Some(true);
        let repeat = around.repeat.clone().or_else(|| site.around.repeat.clone());
        if let Some(condition) = condition {
            let declared = Rc::new(Declared {
                frame: frame.clone(),
                node,
                target,
                path: site.path.to_vec(),
                kind: kind.clone(),
                name: name.clone(),
                id: id.clone(),
                api_version: node
                    .get("apiVersion")
                    .and_then(|v| self.node(v, &frame).as_str().map(str::to_owned)),
                condition: site.around.condition(condition),
                existing,
                repeat: repeat.clone(),
                body: RefCell::default(),
                nested: RefCell::default(),
            });
            self.register(&declared, around);
            out.push(declared);
        } else {
            self.trace.borrow_mut().skipped.extend([id.key(), name.key()]);
        }
        if !kind.eq_ignore_ascii_case("Microsoft.Resources/deployments") {
            // A condition does not pass to children, the loop around them does.
            let inherited = Inherited { repeat, ..site.around.clone() };
            let site = Site { frame: &frame, around: &inherited, ..*site };
            self.each(node.get("resources"), Some((&kind, &name)), &site, out);
        }
        Ok(())
    }

    /// Makes a resource findable by id, name, `type/name` and symbolic name.
    fn register(&self, declared: &Rc<Declared<'a>>, around: &Around<'_>) {
        self.registry.borrow_mut().entry(declared.id.key()).or_insert_with(|| declared.clone());
        self.declared.borrow_mut().push(declared.clone());
        let mut keys = vec![declared.name.key()];
        let relative = resource_id::join(&Text::from(""), &declared.kind, &declared.name.split('/'));
        keys.extend(relative.key().strip_prefix("/providers/").map(str::to_owned));
        if let Some(last) = declared.name.split('/').last().filter(|_| declared.kind.matches('/').count() > 1)
        {
            keys.push(last.key());
        }
        if let Some(symbolic) = around.symbolic {
            keys.push(symbolic.to_lowercase());
            keys.extend(around.copy_index.map(|index| format!("{}[{index}]", symbolic.to_lowercase())));
        }
        keys.dedup();
        let mut names = declared.frame.scope.declared.borrow_mut();
        for key in keys {
            names.entry(key).or_default().push(declared.clone());
        }
    }

    fn required(&self, node: &'a Node, key: &str, frame: &Frame<'a>) -> Result<Text, Fault> {
        let Some(found) = node.get(key) else {
            return Err(Fault::new(format!("The template resource has no '{key}' property")));
        };
        let value = self.node(found, frame);
        value.text().ok_or_else(|| {
            Fault::new(format!(
                "The template resource property '{key}' must be of type 'String', it is of type '{}'",
                value.type_of().name()
            ))
        })
    }

    /// Whether the resource is deployed; `None` when it is not.
    fn condition(&self, node: &'a Node, frame: &Frame<'a>) -> Result<Option<Condition>, Fault> {
        let Some(condition) = node.get("condition") else { return Ok(Some(Condition::Yes)) };
        let value = self.node(condition, frame);
        match (&value.data, value.as_str().map(str::to_lowercase).as_deref()) {
            (Data::Bool(true), _) | (_, Some("true")) => Ok(Some(Condition::Yes)),
            (Data::Bool(false), _) | (_, Some("false")) => Ok(None),
            (Data::Unknown(unknown), _) => Ok(Some(Condition::Unknown(unknown.clone()))),
            _ => Err(Fault::new(format!(
                "The resource condition must be of type 'Boolean', it is of type '{}'",
                value.type_of().name()
            ))),
        }
    }

    /// The body of a resource, without its loop, its condition and its children.
    pub(super) fn body(&self, declared: &Declared<'a>) -> Result<Value, Fault> {
        match &*declared.body.borrow() {
            Slot::Done(value) => return Ok(value.clone()),
            Slot::Busy => return Err(circular("resource", &declared.id.to_string())),
            Slot::Empty => {}
        }
        *declared.body.borrow_mut() = Slot::Busy;
        let omitted: &[&str] = if declared.is_deployment() {
            &["copy", "condition"]
        } else {
            &["copy", "condition", "resources"]
        };
        let body = self.partial_object(declared.node, omitted, &declared.frame, declared.is_deployment());
        *declared.body.borrow_mut() = Slot::Done(body.clone());
        Ok(body)
    }

    /// An object without some of its members. Of a deployment's properties, the template and its parameters are
    /// not part of the body: they are evaluated by themselves, in their own scope.
    fn partial_object(&self, node: &'a Node, omitted: &[&str], frame: &Frame<'a>, deployment: bool) -> Value {
        let at = Location::new(frame.scope.source, node.at);
        let mut members: Vec<(Arc<str>, Value)> = Vec::new();
        for member in node.as_object().map_or(&[][..], |object| object.members()) {
            if omitted.iter().any(|key| collection::same_key(key, &member.key)) {
                continue;
            }
            let value = if deployment && member.key.eq_ignore_ascii_case("properties") {
                self.partial_object(&member.value, &["template", "parameters"], frame, false)
            } else {
                self.node(&member.value, frame)
            };
            members.push((member.key.as_str().into(), value));
        }
        match Map::new(members) {
            Ok(map) => Value::new(Data::Object(map), at),
            Err(fault) => {
                self.report_fault(&fault, frame, at);
                self.failed("resource", at)
            }
        }
    }
}

/// The index that stands for every iteration. Loops with the same count share it, so that machine `i` of one
/// loop still meets interface `i` of another; a loop inside such a loop has its own.
fn any_index(name: &str, count: &Unknown, frame: &Frame<'_>) -> Arc<Unknown> {
    let reasons = count.reasons().iter().cloned().chain([Reason::CopyCount(name.to_owned())]);
    let mut expression = format!("copyIndex(of {})", count.expression());
    if frame.loops_over(&expression) {
        expression = format!("copyIndex('{name}' of {})", count.expression());
    }
    Unknown::because(expression, Some(Type::Int), reasons)
}

fn shown_type(node: &Node) -> String {
    node.get("type").and_then(Node::as_str).unwrap_or("resource").to_owned()
}

/// Type and name of a resource inside another: the parent's come first, unless they are written out.
fn composed(parent: Option<(&str, &Text)>, kind: &str, name: Text) -> (String, Text) {
    let Some((parent_kind, parent_name)) = parent else { return (kind.to_owned(), name) };
    let prefix = format!("{}/", parent_kind.to_lowercase());
    if kind.to_lowercase().starts_with(&prefix) {
        let whole = name.split('/').len() + 1 == kind.split('/').count();
        return (kind.to_owned(), if whole { name } else { Text::join([parent_name, &name], "/") });
    }
    (format!("{parent_kind}/{kind}"), Text::join([parent_name, &name], "/"))
}

/// A type of n segments after its namespace takes n names. A name with a hole may hold more than is seen.
fn check_segments(kind: &str, name: &Text, node: &Node, frame: &Frame<'_>) -> Result<(), Fault> {
    let (types, names) = (kind.split('/').count(), name.split('/').len());
    if types == names + 1 || (!name.is_known() && types > names) {
        return Ok(());
    }
    let at = Location::new(frame.scope.source, node.at);
    Err(Fault::new(format!(
        "The template resource '{name}' for type '{kind}' at line '{}' and column '{}' has incorrect segment \
         lengths. A nested resource type must have identical number of segments as its resource name. A root \
         resource type must have segment length one greater than its resource name. Please see \
         https://aka.ms/arm-syntax-resources for usage details",
        at.line, at.column
    )))
}
