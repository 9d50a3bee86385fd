//! Comparisons and truth. `if`, `and`, `or` and `coalesce` are special forms: they do not evaluate everything.

use super::{Call, Function, Needs};
use crate::template::collection::Map;
use crate::template::problem::Fault;
use crate::template::text::{Piece, Text};
use crate::template::value::{Data, Type, Value};
use std::cmp::Ordering;

pub(super) const FUNCTIONS: &[Function] = &[
    boolean("equals", (2, 2), Needs::Nothing, equals),
    boolean("not", (1, 1), Needs::All, not),
    boolean("less", (2, 2), Needs::All, |call| compare(call, Ordering::is_lt)),
    boolean("lessOrEquals", (2, 2), Needs::All, |call| compare(call, Ordering::is_le)),
    boolean("greater", (2, 2), Needs::All, |call| compare(call, Ordering::is_gt)),
    boolean("greaterOrEquals", (2, 2), Needs::All, |call| compare(call, Ordering::is_ge)),
    boolean("bool", (1, 1), Needs::All, to_bool),
    boolean("true", (0, 0), Needs::All, |_| Ok(Data::Bool(true))),
    boolean("false", (0, 0), Needs::All, |_| Ok(Data::Bool(false))),
    Function { name: "null", args: (0, 0), needs: Needs::All, returns: None, run: |_| Ok(Data::Null) },
];

const fn boolean(
    name: &'static str,
    args: (usize, usize),
    needs: Needs,
    run: fn(&Call<'_>) -> Result<Data, Fault>,
) -> Function {
    Function { name, args, needs, returns: Some(Type::Bool), run }
}

fn equals(call: &Call<'_>) -> Result<Data, Fault> {
    Ok(same(&call.args[0], &call.args[1]).map_or_else(|| call.unknown(Some(Type::Bool)), Data::Bool))
}

/// Whether two values are equal, when that can be said. Strings compare with case, keys without.
pub(in crate::template) fn same(a: &Value, b: &Value) -> Option<bool> {
    match (&a.data, &b.data) {
        (Data::Unknown(x), Data::Unknown(y)) if x == y => Some(true),
        (Data::Unknown(_), _) | (_, Data::Unknown(_)) => None,
        (Data::Text(x), Data::Text(y)) => same_text(x, y),
        (Data::Array(x), Data::Array(y)) => {
            if x.items().len() != y.items().len() {
                return Some(false);
            }
            all(x.items().iter().zip(y.items()).map(|(x, y)| same(x, y)))
        }
        (Data::Object(x), Data::Object(y)) => same_members(x, y),
        (Data::Int(x), Data::Float(y)) | (Data::Float(y), Data::Int(x)) => Some(*x as f64 == *y),
        (x, y) => Some(x == y),
    }
}

fn same_members(x: &Map, y: &Map) -> Option<bool> {
    if x.members().len() != y.members().len() {
        return Some(false);
    }
    all(x.members().iter().map(|(key, value)| y.get(key).map_or(Some(false), |other| same(value, other))))
}

/// Known texts compare; texts with the same holes in the same places are the same; others cannot be told,
/// unless their known beginnings already differ.
fn same_text(x: &Text, y: &Text) -> Option<bool> {
    if x == y {
        return Some(true);
    }
    if x.is_known() && y.is_known() {
        return Some(false);
    }
    let (x, y) = (known_head(x), known_head(y));
    let common = x.len().min(y.len());
    (x.as_bytes()[..common] != y.as_bytes()[..common]).then_some(false)
}

fn known_head(text: &Text) -> String {
    match text.pieces().first() {
        Some(Piece::Known(head)) => head.to_string(),
        _ => String::new(),
    }
}

/// `false` when one is; otherwise unknown when one is; otherwise `true`.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => result = None,
        }
    }
    result
}

fn not(call: &Call<'_>) -> Result<Data, Fault> {
    let value = call.args[0].as_bool();
    value.map(|value| Data::Bool(!value)).ok_or_else(|| call.fault("the argument must be a boolean"))
}

fn compare(call: &Call<'_>, wanted: fn(Ordering) -> bool) -> Result<Data, Fault> {
    let ordering = match (&call.args[0].data, &call.args[1].data) {
        (Data::Text(_), Data::Text(_)) => call.str(0)?.cmp(call.str(1)?),
        (Data::Float(x), Data::Float(y)) => x.total_cmp(y),
        (Data::Int(x), Data::Float(y)) => (*x as f64).total_cmp(y),
        (Data::Float(x), Data::Int(y)) => x.total_cmp(&(*y as f64)),
        _ => call.int(0)?.cmp(&call.int(1)?),
    };
    Ok(Data::Bool(wanted(ordering)))
}

fn to_bool(call: &Call<'_>) -> Result<Data, Fault> {
    match &call.args[0].data {
        Data::Bool(value) => Ok(Data::Bool(*value)),
        Data::Int(value) => Ok(Data::Bool(*value != 0)),
        Data::Text(_) => match call.str(0)?.to_lowercase().as_str() {
            "true" => Ok(Data::Bool(true)),
            "false" => Ok(Data::Bool(false)),
            other => Err(call.fault(format!("'{other}' is not a boolean"))),
        },
        _ => Err(call.fault("the argument must be a string, an integer or a boolean")),
    }
}
