//! ARM JSON out: security groups and rules as resources of a template.
//!
//! The way back from [`palisade_model::spec`] for what the analysis makes. Only what is wholly known is written: a template with
//! a guess in it would be deployed. What is read from the result is what was written ([`crate::estate`]).
//! Shapes: Microsoft.Network/networkSecurityGroups, 2023-11-01.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use palisade_model::{
    ResourceId,
    spec::{At, Given, NsgSpec, Reference, RuleSpec, SideSpec, Text, TextList},
};
use serde_json::{Map, Value, json};

const GROUP: &str = "Microsoft.Network/networkSecurityGroups";
const RULE: &str = "Microsoft.Network/networkSecurityGroups/securityRules";
const API_VERSION: &str = "2023-11-01";
const DEPLOYMENT: &str = "Microsoft.Resources/deployments";
const DEPLOYMENT_API_VERSION: &str = "2022-09-01";
const SCHEMA: &str = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";

/// Something cannot be written, because only a deployment can tell it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be written: {reason} (give the parameter, or a dump of what is deployed)")]
pub struct Unwritable {
    /// A resource.
    pub what: String,
    /// What is not known of it.
    pub reason: String,
}

/// A resource of a template, and the id that it will have.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    id: ResourceId,
    body: Value,
}

/// A security group with all its rules.
///
/// # Errors
/// [`Unwritable`].
pub fn group(spec: &NsgSpec) -> Result<Written, Unwritable> {
    let what = Owner(&spec.id);
    if let Some(reason) = &spec.rules_unknown {
        return Err(what.open(reason));
    }
    what.certain(spec.certain)?;
    let rules =
        spec.rules.iter().map(|rule| Ok(json!({ "name": what.name(rule)?, "properties": what.rule(rule)? })));
    let mut properties = Map::new();
    if let Some(flag) = &spec.flush_connection {
        properties.insert("flushConnection".to_owned(), Value::Bool(*what.known(flag)?));
    }
    properties.insert("securityRules".to_owned(), rules.collect::<Result<Vec<_>, Unwritable>>()?.into());
    let location = match &spec.location {
        Some(location) => text(what.known(location)?),
        None => json!("[resourceGroup().location]"),
    };
    let mut body = json!({
        "type": GROUP,
        "apiVersion": API_VERSION,
        "name": text(what.known(&spec.name)?),
        "location": location,
        "properties": properties,
    });
    if let Some(tags) = &spec.tags {
        let known = what.known(tags)?.iter();
        let written = known.map(|(name, value)| Ok((name.clone(), text(what.known(value)?))));
        body["tags"] = Value::Object(written.collect::<Result<_, Unwritable>>()?);
    }
    Ok(Written { id: spec.id.clone(), body })
}

/// A rule of a group as a resource of its own, which leaves the other rules of the group alone.
///
/// # Errors
/// [`Unwritable`].
pub fn rule(group: &ResourceId, spec: &RuleSpec) -> Result<Written, Unwritable> {
    let what = Owner(group);
    let name = what.name(spec)?;
    let id = group.child("securityRules", &name);
    let body = json!({
        "type": RULE,
        "apiVersion": API_VERSION,
        "name": format!("{}/{name}", group.name()),
        "properties": what.rule(spec)?,
    });
    Ok(Written { id, body })
}

/// A template of resources. Those of one resource group make a template for that group; of several, one with a nested
/// deployment for each.
///
/// # Errors
/// [`Unwritable`], if an id does not tell a resource group.
pub fn template(resources: Vec<Written>, metadata: &Value) -> Result<Value, Unwritable> {
    let mut scopes: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    for Written { id, body } in resources {
        let scope = |segment: &str| id.segment(segment).filter(|name| !name.contains('{')).map(str::to_owned);
        let place = scope("subscriptions").zip(scope("resourceGroups"));
        let place = place.ok_or_else(|| Owner(&id).open("its id tells no resource group"))?;
        scopes.entry(place).or_default().push(body);
    }
    let mut template = json!({ "$schema": SCHEMA, "contentVersion": "1.0.0.0", "metadata": metadata });
    template["resources"] = match scopes.len() {
        0 | 1 => scopes.into_values().next().unwrap_or_default().into(),
        _ => scopes.into_iter().enumerate().map(nested).collect::<Vec<_>>().into(),
    };
    Ok(template)
}

fn nested((number, ((subscription, group), resources)): (usize, ((String, String), Vec<Value>))) -> Value {
    json!({
        "type": DEPLOYMENT,
        "apiVersion": DEPLOYMENT_API_VERSION,
        "name": format!("palisade-{}", number + 1),
        "subscriptionId": subscription,
        "resourceGroup": group,
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": { "scope": "inner" },
            "template": { "$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": resources },
        },
    })
}

/// A text of a template: one that begins like an expression is none.
fn text(text: &str) -> Value {
    if text.starts_with('[') { json!(format!("[{text}")) } else { json!(text) }
}

/// The resource that messages name.
struct Owner<'a>(&'a ResourceId);

impl Owner<'_> {
    fn open(&self, reason: &str) -> Unwritable {
        Unwritable { what: self.0.to_string(), reason: reason.to_owned() }
    }

    fn certain(&self, certain: bool) -> Result<(), Unwritable> {
        if certain { Ok(()) } else { Err(self.open("only a deployment tells whether it exists")) }
    }

    fn known<'v, T>(&self, value: &'v At<Given<T>>) -> Result<&'v T, Unwritable> {
        match &value.value {
            Given::Known(value) => Ok(value),
            Given::Unknown(reason) => Err(self.open(reason)),
        }
    }

    fn name(&self, rule: &RuleSpec) -> Result<String, Unwritable> {
        let name = rule.name.as_ref().ok_or_else(|| self.open("a rule of it has no name"))?;
        self.certain(rule.certain)?;
        self.known(name).cloned()
    }

    fn rule(&self, rule: &RuleSpec) -> Result<Value, Unwritable> {
        let mut fields = Map::new();
        let texts = [
            ("description", &rule.description),
            ("protocol", &rule.protocol),
            ("access", &rule.access),
            ("direction", &rule.direction),
            ("notBefore", &rule.not_before),
            ("expiresAt", &rule.expires_at),
            ("mode", &rule.mode),
        ];
        for (key, value) in texts.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
            fields.insert(key.to_owned(), text(self.known(value)?));
        }
        if let Some(priority) = &rule.priority {
            let written = self.known(priority)?;
            fields.insert(
                "priority".to_owned(),
                written.parse::<u16>().map_or_else(|_| json!(written), Value::from),
            );
        }
        self.side(&mut fields, "source", &rule.source)?;
        self.side(&mut fields, "destination", &rule.destination)?;
        Ok(fields.into())
    }

    fn side(&self, fields: &mut Map<String, Value>, which: &str, side: &SideSpec) -> Result<(), Unwritable> {
        let one = |value: &Text| self.known(value).map(|value| text(value));
        let many = |list: &TextList| {
            let texts = self.known(list)?.iter().map(one);
            texts.collect::<Result<Vec<_>, _>>().map(Value::from)
        };
        let ids = |list: &At<Given<Vec<Reference>>>| {
            let ids = self.known(list)?.iter().map(|id| Ok(json!({ "id": text(self.known(id)?.as_str()) })));
            ids.collect::<Result<Vec<_>, Unwritable>>().map(Value::from)
        };
        let values = [
            ("AddressPrefix", side.address_prefix.as_ref().map(one)),
            ("AddressPrefixes", side.address_prefixes.as_ref().map(many)),
            ("ApplicationSecurityGroups", side.groups.as_ref().map(ids)),
            ("PortRange", side.port_range.as_ref().map(one)),
            ("PortRanges", side.port_ranges.as_ref().map(many)),
        ];
        for (key, value) in values.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            fields.insert(format!("{which}{key}"), value?);
        }
        Ok(())
    }
}
