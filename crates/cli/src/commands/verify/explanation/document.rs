//! Explanations as JSON: rules with the fields that matched, by the names that Network Watcher's diagnostics give them.

use palisade_analysis::explain::{Consulted, Hop, Place, Remedy, Step};
use palisade_model::{ResourceId, Truth};
use palisade_net::{Flow, Prefix};
use serde_json::{Map, Value, json};

use super::{Explanation, fields, hop_words, layer_of};

impl Explanation {
    /// As JSON.
    pub fn document(&self) -> Value {
        let route = (!self.journey.next.is_empty()).then(|| {
            json!({
                "nextHop": self.journey.next.iter().map(hop_words).collect::<Vec<_>>(),
                "noRoute": self.lost,
            })
        });
        json!({
            "access": self.journey.verdict.to_string(),
            "linkControl": self.journey.link_control,
            "hops": self.journey.hops.iter().map(hop_json).collect::<Vec<_>>(),
            "route": route,
            "changes": self.remedies.iter().map(|remedy| self.change(remedy)).collect::<Vec<_>>(),
        })
    }

    fn change(&self, remedy: &Remedy) -> Value {
        let step = |(at, step): &(usize, Step)| {
            let hop = &self.journey.hops[*at];
            let layer = layer_of(hop, step_layer(step));
            let mut object = Map::new();
            object.insert("hop".into(), json!(at));
            object.insert("layer".into(), json!(layer.layer.to_string()));
            object.insert("nsg".into(), json!(layer.name));
            let (kind, rule) = match step {
                Step::Add { priority, access, before, .. } => {
                    object.insert("before".into(), json!(layer.rules[*before].path));
                    ("AddRule", Some((Some(*priority), access.to_string())))
                }
                Step::Remove { rule, .. } => {
                    object.insert("rule".into(), json!(layer.rules[*rule].path));
                    ("RemoveRule", None)
                }
                Step::Attach { .. } => ("AttachNetworkSecurityGroup", Some((None, "Allow".to_owned()))),
            };
            object.insert("kind".into(), json!(kind));
            if let Some((priority, access)) = rule {
                object.insert("newRule".into(), rule_json(&hop.flow, priority, &access));
            }
            Value::Object(object)
        };
        json!({
            "becomes": remedy.becomes.to_string(),
            "steps": remedy.steps.iter().map(step).collect::<Vec<_>>(),
        })
    }
}

const fn step_layer(step: &Step) -> usize {
    match step {
        Step::Add { layer, .. } | Step::Remove { layer, .. } | Step::Attach { layer } => *layer,
    }
}

fn hop_json(hop: &Hop) -> Value {
    let (nic, nsg) = match &hop.place {
        Place::Interface(id) => (Some(id), None),
        Place::Alone(id) => (None, Some(id)),
    };
    json!({
        "networkInterface": nic.map(ResourceId::as_str),
        "networkSecurityGroup": nsg.map(ResourceId::as_str),
        "direction": hop.flow.direction().to_string(),
        "access": hop.verdict.to_string(),
        "evaluatedNetworkSecurityGroups": hop.lists.iter().map(|list| list_json(hop, list)).collect::<Vec<_>>(),
    })
}

fn list_json(hop: &Hop, list: &Consulted) -> Value {
    let layer = layer_of(hop, list.layer);
    let matched = list.rule.map(|rule| {
        let rule = &layer.rules[rule];
        json!({ "ruleName": rule.path, "action": rule.access.known().map(|access| access.to_string()) })
    });
    let rules = list.rules.iter().map(|asked| {
        let mut object = Map::new();
        object.insert("name".into(), json!(layer.rules[asked.rule].path));
        for (name, _, truth) in fields(asked) {
            object.insert(name.into(), truth_json(truth));
        }
        object.insert("matched".into(), truth_json(asked.applies()));
        Value::Object(object)
    });
    json!({
        "networkSecurityGroupId": layer.source.as_ref().map(ResourceId::as_str),
        "nsg": layer.name,
        "layer": layer.layer.to_string(),
        "access": list.verdict.to_string(),
        "standing": format!("{:?}", list.standing),
        "matchedRule": matched,
        "rulesEvaluationResult": rules.collect::<Vec<_>>(),
    })
}

const fn truth_json(truth: Truth) -> Value {
    match truth {
        Truth::Yes => Value::Bool(true),
        Truth::No => Value::Bool(false),
        Truth::Maybe => Value::Null,
    }
}

/// The same in Azure's shape.
fn rule_json(flow: &Flow, priority: Option<u16>, access: &str) -> Value {
    let has_port = flow.protocol().has_ports() || flow.protocol().is_icmp();
    let port = if has_port { flow.destination_port().to_string() } else { "*".to_owned() };
    json!({
        "priority": priority,
        "direction": flow.direction().to_string(),
        "access": access,
        "protocol": flow.protocol().to_string(),
        "sourceAddressPrefix": Prefix::host(flow.source()).to_string(),
        "sourcePortRange": "*",
        "destinationAddressPrefix": Prefix::host(flow.destination()).to_string(),
        "destinationPortRange": port,
    })
}
