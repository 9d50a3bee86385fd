//! An expression of the template language, as the value of a template's output.
//!
//! The ARM target would have to find the template around it first.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_arm::{
    json,
    template::{DeploymentContext, Input, NoLinks, evaluate},
};

fuzz_target!(|text: &str| {
    let Some(template) = template(text) else { return };
    let document = json::parse_str("input.json", &template).expect("the text needs no escapes");
    let context = DeploymentContext::default();
    let deployment =
        evaluate(&Input { template: &document, parameters: &[], context: &context, links: &NoLinks });
    assert!(deployment.outputs.len() <= 1);
});

/// A template with the expression, unless the text would need escapes in JSON.
fn template(expression: &str) -> Option<String> {
    if expression.contains(|c: char| c == '"' || c == '\\' || c.is_control()) {
        return None;
    }
    Some(format!(
        r#"{{
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0",
            "parameters": {{ "list": {{ "type": "array", "defaultValue": [3, "b", {{ "c": null }}] }} }},
            "variables": {{ "map": {{ "one": 1, "text": "[toUpper('ab')]" }} }},
            "resources": [],
            "outputs": {{ "result": {{ "type": "string", "value": "[{expression}]" }} }}
        }}"#
    ))
}
