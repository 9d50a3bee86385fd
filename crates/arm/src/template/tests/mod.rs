//! Tests of the template language, one file per concern.

mod expressions;
mod limits;
mod live;
mod problems;
mod references;
mod structure;
mod unknowns;

use super::*;
use crate::json::{Document, parse_str};

/// Evaluates a template, with nothing given and no links.
fn deploy(template: &str) -> Deployment {
    deploy_with(template, &[])
}

/// Evaluates a template with parameter files.
fn deploy_with(template: &str, parameters: &[&str]) -> Deployment {
    let template = document("main.json", template);
    let parameters: Vec<Document> = parameters.iter().map(|text| document("parameters.json", text)).collect();
    let context = DeploymentContext::default();
    evaluate(&Input {
        template: &template,
        parameters: &parameters.iter().collect::<Vec<_>>(),
        context: &context,
        links: &NoLinks,
    })
}

fn document(name: &str, text: &str) -> Document {
    parse_str(name, text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"))
}

/// A template with one resource, whose property `x` is this JSON, and with these further sections.
fn with_property(x: &str, sections: &str) -> String {
    format!(
        r#"{{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        {sections}
        "resources": [{{"type": "Test.Kind/things", "name": "thing", "apiVersion": "2020-01-01",
          "properties": {{"x": {x}}}}}]}}"#
    )
}

/// What the JSON string `[expression]` evaluates to.
fn value_of(expression: &str, sections: &str) -> (Option<Value>, Vec<Problem>) {
    let string = serde_json::Value::from(format!("[{expression}]")).to_string();
    let deployment = deploy(&with_property(&string, sections));
    let value = deployment.resources.first().and_then(|r| r.body.at_pointer("/properties/x")).cloned();
    (value, deployment.problems)
}

/// The value of an expression that must evaluate without problems.
fn value(expression: &str) -> Value {
    let (value, problems) = value_of(expression, "");
    assert!(problems.is_empty(), "{expression}: {problems:?}");
    value.unwrap_or_else(|| panic!("{expression}: no value"))
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The only resource of this type.
fn only<'d>(deployment: &'d Deployment, kind: &str) -> &'d Resource {
    let found: Vec<&Resource> = deployment.resources.iter().filter(|r| r.is(kind)).collect();
    assert_eq!(found.len(), 1, "{kind}: {:?}", names(deployment));
    found[0]
}

fn names(deployment: &Deployment) -> Vec<String> {
    deployment.resources.iter().map(|r| r.name.to_string()).collect()
}

fn ids(deployment: &Deployment) -> Vec<String> {
    deployment.resources.iter().map(|r| r.id.to_string()).collect()
}

#[track_caller]
fn assert_clean(deployment: &Deployment) {
    let shown: Vec<String> = deployment.problems.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{shown:#?}");
}
