//! Deployments inside deployments: inline and linked templates, their scopes, parameters and outputs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::UnresolvedLink;
use super::collection::{Map, same_key};
use super::context::{Level, Target};
use super::limits::{DEPLOYMENT_DEPTH_MAX, DEPLOYMENTS_MAX};
use super::link::Link;
use super::parameters::{Given, circular, key_vault};
use super::problem::Fault;
use super::resource::{Condition, Declared, Inherited, Site};
use super::scope::{Frame, Place, Scope, Slot};
use super::session::Evaluator;
use super::text::Text;
use super::value::{Data, Location, SourceId, Value};
use super::variables;
use crate::json::Node;

/// A deployment whose template is at hand.
pub(super) struct Nested<'a> {
    /// Where the template's expressions are evaluated.
    pub(super) frame: Frame<'a>,
    pub(super) template: &'a Node,
    outputs: RefCell<Slot<Value>>,
}

/// A template found for a deployment.
struct Found<'a> {
    template: &'a Node,
    source: SourceId,
    uri: Option<Value>,
    /// Whether it has a scope of its own; linked templates always do.
    own_scope: bool,
}

impl<'a> Evaluator<'a> {
    /// The scope of a template with its parameters filled in.
    pub(super) fn scope(
        &self,
        template: &'a Node,
        source: SourceId,
        target: Target,
        path: Vec<String>,
        uri: Option<Value>,
        given: HashMap<String, Given>,
    ) -> Rc<Scope<'a>> {
        Rc::new(Scope {
            source,
            template,
            target,
            path,
            uri,
            parameters: self.declare_parameters(template, source, given),
            variables: variables::declare(template),
            functions: variables::declare_functions(template),
            declared: RefCell::default(),
        })
    }

    /// Declares the resources of a template and of all deployments in it.
    pub(super) fn expand(&self, template: &'a Node, site: &Site<'_, 'a>) {
        let declared = self.headers(template, site);
        for deployment in declared.iter().filter(|d| d.is_deployment() && !d.existing) {
            if let Err(fault) = self.nested(deployment) {
                self.report_fault(&fault, &deployment.frame, deployment.at());
            }
        }
    }

    /// The template of a deployment, expanded once; `None` when its link cannot be followed.
    pub(super) fn nested(&self, declared: &Rc<Declared<'a>>) -> Result<Option<Rc<Nested<'a>>>, Fault> {
        match &*declared.nested.borrow() {
            Slot::Done(nested) => return Ok(nested.clone()),
            Slot::Busy => return Err(circular("deployment", &declared.name.to_string())),
            Slot::Empty => {}
        }
        *declared.nested.borrow_mut() = Slot::Busy;
        let nested = self.open(declared);
        let result = nested.as_ref().map_or(None, Clone::clone);
        *declared.nested.borrow_mut() = Slot::Done(result.clone());
        nested?;
        if let Some(nested) = &result {
            let mut path = declared.path.clone();
            path.push(declared.name.to_string());
            let condition = match &declared.condition {
                Condition::Yes => None,
                Condition::Unknown(unknown) => Some(unknown.clone()),
            };
            let around = &Inherited { condition, repeat: declared.repeat.clone() };
            let site = Site { frame: &nested.frame, target: &declared.target, path: &path, around };
            self.expand(nested.template, &site);
            self.settle(&nested.frame);
        }
        Ok(result)
    }

    fn open(&self, declared: &Rc<Declared<'a>>) -> Result<Option<Rc<Nested<'a>>>, Fault> {
        if declared.path.len() >= DEPLOYMENT_DEPTH_MAX {
            return Err(Fault::limit(format!("deployments nest deeper than {DEPLOYMENT_DEPTH_MAX} levels")));
        }
        self.deployments.set(self.deployments.get() + 1);
        if self.deployments.get() > DEPLOYMENTS_MAX {
            return Err(Fault::limit(format!("there are more than {DEPLOYMENTS_MAX} nested deployments")));
        }
        let Some(found) = self.find_template(declared)? else { return Ok(None) };
        let frame = if found.own_scope {
            let mut path = declared.path.clone();
            path.push(declared.name.to_string());
            let given = self.given(declared);
            let target = declared.target.clone();
            Frame::new(self.scope(found.template, found.source, target, path, found.uri, given))
        } else {
            declared.frame.at(Place::Template)
        };
        Ok(Some(Rc::new(Nested { frame, template: found.template, outputs: RefCell::default() })))
    }

    fn find_template(&self, declared: &Declared<'a>) -> Result<Option<Found<'a>>, Fault> {
        let frame = &declared.frame;
        let Some(properties) = declared.node.get("properties") else {
            return Err(Fault::new("the deployment has no 'properties'"));
        };
        if let Some(template) = properties.get("template") {
            let options =
                properties.get("expressionEvaluationOptions").and_then(|options| options.get("scope"));
            let scope = options.map(|scope| self.node(scope, frame));
            let own_scope =
                scope.as_ref().and_then(Value::as_str).is_some_and(|s| s.eq_ignore_ascii_case("inner"));
            let uri = frame.scope.uri.clone();
            return Ok(Some(Found { template, source: frame.scope.source, uri, own_scope }));
        }
        let Some(link) = properties.get("templateLink") else {
            return Err(Fault::new("the deployment has neither 'template' nor 'templateLink'"));
        };
        Ok(self.follow(link, declared))
    }

    /// The template behind a `templateLink`.
    fn follow(&self, node: &'a Node, declared: &Declared<'a>) -> Option<Found<'a>> {
        let link_value = self.node(node, &declared.frame);
        let uri = link_value.get("uri").or_else(|| link_value.get("id")).cloned();
        let link = Link {
            uri: uri.as_ref().and_then(Value::text),
            relative_path: link_value.get("relativePath").and_then(Value::text),
            from: self.source_name(declared.frame.scope.source),
        };
        let at = Location::new(declared.frame.scope.source, node.at);
        match self.links.find(&link) {
            Some(document) => {
                let source = self.source(document);
                Some(Found { template: &document.root, source, uri, own_scope: true })
            }
            None => {
                self.unresolved.borrow_mut().push(UnresolvedLink {
                    link,
                    deployment: declared.id.clone(),
                    at,
                });
                None
            }
        }
    }

    /// The values a deployment hands to its template.
    fn given(&self, declared: &Declared<'a>) -> HashMap<String, Given> {
        let Some(properties) = declared.node.get("properties") else { return HashMap::new() };
        let mut given = HashMap::new();
        if let Some(link) = properties.get("parametersLink") {
            let value = self.node(link, &declared.frame);
            let link = Link {
                uri: value.get("uri").and_then(Value::text),
                relative_path: None,
                from: self.source_name(declared.frame.scope.source),
            };
            match self.links.find(&link) {
                Some(document) => given.extend(self.parameter_file(document)),
                None => {
                    let deployment = declared.id.clone();
                    self.unresolved.borrow_mut().push(UnresolvedLink { link, deployment, at: value.at });
                }
            }
        }
        let Some(parameters) = properties.get("parameters") else { return given };
        let parameters = self.node(parameters, &declared.frame);
        for (name, value) in parameters.as_object().map_or(&[][..], Map::members) {
            let value = match (value.get("value"), value.get("reference")) {
                (Some(inner), _) => inner.clone(),
                (None, Some(_)) => key_vault(name, value.at),
                (None, None) => value.clone(),
            };
            given.insert(name.to_lowercase(), Given { name: name.to_string(), value });
        }
        given
    }

    /// The outputs of a deployment as `{name: {type, value}}`.
    pub(super) fn nested_outputs(&self, declared: &Rc<Declared<'a>>) -> Result<Option<Value>, Fault> {
        let Some(nested) = self.nested(declared)? else { return Ok(None) };
        match &*nested.outputs.borrow() {
            Slot::Done(value) => return Ok(Some(value.clone())),
            Slot::Busy => return Err(circular("deployment", &declared.name.to_string())),
            Slot::Empty => {}
        }
        *nested.outputs.borrow_mut() = Slot::Busy;
        let mut members: Vec<(Arc<str>, Value)> = Vec::new();
        for (name, kind, value) in self.outputs(nested.template, &nested.frame) {
            let at = value.at;
            let kind = Value::new(kind.as_str(), at);
            let output = Map::new(vec![("type".into(), kind), ("value".into(), value)])?;
            members.push((name.into(), Value::new(Data::Object(output), at)));
        }
        let outputs = Value::new(Data::Object(Map::new(members)?), declared.at());
        *nested.outputs.borrow_mut() = Slot::Done(outputs.clone());
        Ok(Some(outputs))
    }

    /// Name, type and value of each output of a template that applies.
    pub(super) fn outputs(&self, template: &'a Node, frame: &Frame<'a>) -> Vec<(String, String, Value)> {
        let mut outputs = Vec::new();
        let members = template.get("outputs").and_then(Node::as_object).map_or(&[][..], |o| o.members());
        for member in members {
            let frame = Frame { place: Rc::new(Place::Output(member.key.clone())), ..frame.clone() };
            let condition = member.value.get("condition").map(|node| self.node(node, &frame));
            if condition.and_then(|value| value.as_bool()) == Some(false) {
                continue;
            }
            let at = Location::new(frame.scope.source, member.value.at);
            let value = match (member.value.get("value"), member.value.get("copy")) {
                (Some(node), _) => self.node(node, &frame),
                (None, Some(copy)) => {
                    self.iterations(copy, &member.key, &frame, at, true).unwrap_or_else(|fault| {
                        self.report_fault(&fault, &frame, at);
                        self.failed(&member.key, at)
                    })
                }
                (None, None) => continue,
            };
            let kind = member.value.get("type").and_then(Node::as_str).unwrap_or_default().to_owned();
            outputs.push((member.key.clone(), kind, value));
        }
        outputs
    }

    /// Where a resource is deployed to: deployments may name another group, subscription or level.
    pub(super) fn target(&self, node: &'a Node, kind: &str, frame: &Frame<'a>, around: &Target) -> Target {
        let mut target = around.clone();
        if !same_key(kind, "Microsoft.Resources/deployments") {
            return target;
        }
        let text = |key: &str| -> Option<Text> { self.node(node.get(key)?, frame).text() };
        if let Some(subscription) = text("subscriptionId") {
            target.subscription = subscription;
            target.level = Level::Subscription;
        }
        if let Some(group) = text("resourceGroup") {
            target.resource_group = group;
            target.level = Level::ResourceGroup;
        }
        if let Some(scope) = text("scope") {
            let scope = scope.known().unwrap_or_default().trim_start_matches('/').to_lowercase();
            match scope.rsplit_once("microsoft.management/managementgroups/") {
                Some((_, group)) => {
                    target.level = Level::ManagementGroup;
                    target.management_group = group.into();
                }
                None if scope.is_empty() => target.level = Level::Tenant,
                None => {}
            }
        }
        target
    }
}
