//! Functions on objects, set operations, and JSON as text.

use std::sync::Arc;

use super::{Call, Function, MANY, Needs, function, same};
use crate::json;
use crate::template::collection::Map;
use crate::template::problem::Fault;
use crate::template::session::Budget;
use crate::template::text::Text;
use crate::template::value::{Data, Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("createObject", (0, MANY), Needs::Nothing, Some(Type::Object), create),
    function("items", (1, 1), Needs::Shape, Some(Type::Array), items),
    function("objectKeys", (1, 1), Needs::Shape, Some(Type::Array), keys),
    function("shallowMerge", (1, 1), Needs::Shape, Some(Type::Object), shallow_merge),
    function("union", (1, MANY), Needs::Shape, None, union),
    function("intersection", (2, MANY), Needs::All, None, intersection),
    function("tryGet", (2, MANY), Needs::Shape, None, try_get),
    function("string", (1, 1), Needs::Nothing, Some(Type::String), string),
    function("json", (1, 1), Needs::All, None, parse_json),
];

fn create(call: &Call<'_>) -> Result<Data, Fault> {
    if !call.args.len().is_multiple_of(2) {
        return Err(call.fault("the number of arguments must be even: keys and values"));
    }
    let mut members = Vec::with_capacity(call.args.len() / 2);
    for (index, pair) in call.args.chunks_exact(2).enumerate() {
        let key = match &pair[0].data {
            Data::Text(text) => text.to_string(),
            Data::Unknown(_) => return Ok(call.unknown(Some(Type::Object))),
            _ => return Err(call.wrong_type(index * 2, "String")),
        };
        members.push((key.into(), pair[1].clone()));
    }
    call.object(members)
}

/// `[{key, value}]` in the order of the keys.
fn items(call: &Call<'_>) -> Result<Data, Fault> {
    let mut members = call.map(0)?.members().to_vec();
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut items = Vec::with_capacity(members.len());
    for (key, value) in members {
        let key = call.value(Text::from(key));
        items.push(call.value(call.object(vec![("key".into(), key), ("value".into(), value)])?));
    }
    call.array(items)
}

fn keys(call: &Call<'_>) -> Result<Data, Fault> {
    let mut keys: Vec<&Arc<str>> = call.map(0)?.members().iter().map(|(key, _)| key).collect();
    keys.sort();
    call.array(keys.into_iter().map(|key| call.value(Text::from(key.clone()))).collect())
}

fn shallow_merge(call: &Call<'_>) -> Result<Data, Fault> {
    let mut members = Vec::new();
    for item in call.list(0)? {
        match &item.data {
            Data::Object(map) => members.extend_from_slice(map.members()),
            Data::Unknown(_) => return Ok(call.unknown(Some(Type::Object))),
            _ => return Err(call.fault("the argument must be an array of objects")),
        }
        call.budget.charge(members.len() / 16 + 1)?;
    }
    call.object(members)
}

fn union(call: &Call<'_>) -> Result<Data, Fault> {
    if matches!(call.args[0].data, Data::Object(_)) {
        let mut merged = call.map(0)?.clone();
        for index in 1..call.args.len() {
            merged = merge(call, &merged, call.map(index)?)?;
        }
        return Ok(Data::Object(merged));
    }
    let mut items: Vec<Value> = Vec::new();
    for index in 0..call.args.len() {
        for item in call.list(index)? {
            add_new(call, &mut items, item)?;
        }
    }
    call.array(items)
}

/// Adds an item that is not there yet. The price is that of comparing it with all that are.
fn add_new(call: &Call<'_>, items: &mut Vec<Value>, item: &Value) -> Result<(), Fault> {
    call.budget.charge((items.len() / 8 + 1).saturating_mul(item.data.size() / 8 + 1))?;
    if !items.iter().any(|known| same(known, item) == Some(true)) {
        items.push(item.clone());
    }
    Ok(())
}

/// Objects merge at every level, anything else is replaced. The depth of values bounds the recursion.
fn merge(call: &Call<'_>, left: &Map, right: &Map) -> Result<Arc<Map>, Fault> {
    let mut members = left.members().to_vec();
    call.budget.charge(members.len() + right.members().len())?;
    for (key, value) in right.members() {
        let both = match (left.get(key).map(|v| &v.data), &value.data) {
            (Some(Data::Object(ours)), Data::Object(theirs)) => Some(merge(call, ours, theirs)?),
            _ => None,
        };
        let value = match both {
            Some(map) => Value { data: Data::Object(map), at: value.at },
            None => value.clone(),
        };
        members.push((key.clone(), value));
    }
    Map::new(members)
}

fn intersection(call: &Call<'_>) -> Result<Data, Fault> {
    if matches!(call.args[0].data, Data::Object(_)) {
        let mut members = call.map(0)?.members().to_vec();
        for index in 1..call.args.len() {
            let other = call.map(index)?;
            call.budget.charge(call.args[index].data.size() / 8 + members.len())?;
            members.retain(|(key, value)| other.get(key).is_some_and(|v| same(v, value) == Some(true)));
        }
        return call.object(members);
    }
    let mut items: Vec<Value> = Vec::new();
    for item in call.list(0)? {
        add_new(call, &mut items, item)?;
    }
    for index in 1..call.args.len() {
        let other = call.list(index)?;
        let size: usize = items.iter().map(|item| item.data.size()).sum();
        call.budget.charge(size.saturating_mul(1 + other.len() / 8))?;
        items.retain(|item| other.contains(item));
    }
    call.array(items)
}

/// Follows keys and indexes; null as soon as one is missing.
fn try_get(call: &Call<'_>) -> Result<Data, Fault> {
    let mut value = &call.args[0];
    for step in &call.args[1..] {
        let next = match (&value.data, &step.data) {
            (Data::Object(map), Data::Text(key)) => map.get(key.known().unwrap_or_default()),
            (Data::Array(list), Data::Int(at)) => {
                usize::try_from(*at).ok().and_then(|at| list.items().get(at))
            }
            (Data::Unknown(_), _) => return Ok(call.unknown(None)),
            _ => None,
        };
        match next {
            Some(found) => value = found,
            None => return Ok(Data::Null),
        }
    }
    Ok(value.data.clone())
}

/// Numbers, truth, arrays and objects as text; text as itself, holes and all.
fn string(call: &Call<'_>) -> Result<Data, Fault> {
    let value = &call.args[0];
    match &value.data {
        Data::Text(text) => Ok(Data::Text(text.clone())),
        Data::Unknown(unknown) if unknown.kind() == Some(Type::String) => Ok(value.data.clone()),
        _ if !value.is_known() => Ok(call.unknown(Some(Type::String))),
        _ => Ok(Data::from(to_text(value, call.budget)?)),
    }
}

/// A known value as `string()` writes it.
pub(super) fn to_text(value: &Value, budget: &Budget) -> Result<String, Fault> {
    let text = match &value.data {
        Data::Text(text) => text.to_string(),
        Data::Bool(value) => (if *value { "True" } else { "False" }).to_owned(),
        Data::Null => String::new(),
        Data::Int(value) => value.to_string(),
        Data::Float(value) => value.to_string(),
        _ => bounded_json(value, crate::template::limits::TEXT_CHARS_MAX + 1),
    };
    budget.charge_text(text.len())?;
    Ok(text)
}

/// Compact JSON, cut off soon after `limit` bytes: shared parts can make the whole enormous.
pub(super) fn bounded_json(value: &Value, limit: usize) -> String {
    let mut out = String::new();
    write_json(value, limit, &mut out);
    out
}

fn write_json(value: &Value, limit: usize, out: &mut String) {
    if out.len() > limit {
        return;
    }
    match &value.data {
        Data::Array(list) => {
            out.push('[');
            for (index, item) in list.items().iter().enumerate().take_while(|(i, _)| *i <= limit) {
                separate(index, out);
                write_json(item, limit, out);
            }
            out.push(']');
        }
        Data::Object(map) => {
            out.push('{');
            for (index, (key, item)) in map.members().iter().enumerate().take_while(|(i, _)| *i <= limit) {
                separate(index, out);
                out.push_str(&serde_json::Value::from(key.as_ref()).to_string());
                out.push(':');
                write_json(item, limit, out);
            }
            out.push('}');
        }
        _ => out.push_str(&value.to_json().to_string()),
    }
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
}

fn parse_json(call: &Call<'_>) -> Result<Data, Fault> {
    let text = call.str(0)?;
    call.budget.charge_text(text.len())?;
    let document = json::parse_str("json()", text)
        .map_err(|error| call.fault(format!("parameter is not valid JSON: {error}")))?;
    Ok(from_node(call, &document.root)?.data)
}

fn from_node(call: &Call<'_>, node: &json::Node) -> Result<Value, Fault> {
    let data = match &node.kind {
        json::Kind::Null => Data::Null,
        json::Kind::Bool(value) => Data::Bool(*value),
        json::Kind::Number(number) => number.int.map_or(Data::Float(number.float), Data::Int),
        json::Kind::String(text) => Data::from(text.as_str()),
        json::Kind::Array(items) => {
            call.array(items.iter().map(|item| from_node(call, item)).collect::<Result<_, _>>()?)?
        }
        json::Kind::Object(object) => call.object(
            object
                .members()
                .iter()
                .map(|m| Ok((m.key.as_str().into(), from_node(call, &m.value)?)))
                .collect::<Result<_, Fault>>()?,
        )?,
    };
    Ok(call.value(data))
}
