//! Functions on arrays, and those that take strings and arrays alike.

use super::{Call, Function, MANY, Needs, function, same};
use crate::template::limits::RANGE_COUNT_MAX;
use crate::template::problem::Fault;
use crate::template::text::{Piece, Text};
use crate::template::value::{Data, Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("array", (1, 1), Needs::Nothing, Some(Type::Array), to_array),
    function("createArray", (0, MANY), Needs::Nothing, Some(Type::Array), |call| {
        call.array(call.args.to_vec())
    }),
    function("range", (2, 2), Needs::All, Some(Type::Array), range),
    function("flatten", (1, 1), Needs::Shape, Some(Type::Array), flatten),
    function("length", (1, 1), Needs::Shape, Some(Type::Int), length),
    function("empty", (1, 1), Needs::Nothing, Some(Type::Bool), empty),
    function("contains", (2, 2), Needs::Nothing, Some(Type::Bool), contains),
    function("first", (1, 1), Needs::Shape, None, |call| end(call, 0)),
    function("last", (1, 1), Needs::Shape, None, |call| end(call, -1)),
    function("take", (2, 2), Needs::Shape, None, |call| slice(call, true)),
    function("skip", (2, 2), Needs::Shape, None, |call| slice(call, false)),
    function("indexOf", (2, 2), Needs::All, Some(Type::Int), |call| position(call, false)),
    function("lastIndexOf", (2, 2), Needs::All, Some(Type::Int), |call| position(call, true)),
    function("indexFromEnd", (2, 2), Needs::Shape, None, |call| from_end(call, false)),
    function("tryIndexFromEnd", (2, 2), Needs::Shape, None, |call| from_end(call, true)),
];

fn to_array(call: &Call<'_>) -> Result<Data, Fault> {
    let value = &call.args[0];
    match (&value.data, value.data.type_of()) {
        (Data::Unknown(_), None | Some(Type::Array)) => Ok(call.unknown(Some(Type::Array))),
        (_, Some(Type::Array)) => Ok(value.data.clone()),
        _ => call.array(vec![value.clone()]),
    }
}

fn range(call: &Call<'_>) -> Result<Data, Fault> {
    let (start, count) = (call.int(0)?, call.int(1)?);
    if !(0..=RANGE_COUNT_MAX).contains(&count) {
        return Err(call.fault(format!(
            "the count '{count}' must be a non-negative value and not more than {RANGE_COUNT_MAX}"
        )));
    }
    let Some(end) = start.checked_add(count) else {
        return Err(call.fault("the range passes the largest integer"));
    };
    call.array((start..end).map(|n| call.value(Data::Int(n))).collect())
}

fn flatten(call: &Call<'_>) -> Result<Data, Fault> {
    let mut items = Vec::new();
    for item in call.list(0)? {
        match &item.data {
            Data::Array(list) => items.extend_from_slice(list.items()),
            Data::Unknown(_) => return Ok(call.unknown(Some(Type::Array))),
            _ => return Err(call.fault("the argument must be an array of arrays")),
        }
        call.budget.charge(items.len() / 64 + 1)?;
    }
    call.array(items)
}

fn length(call: &Call<'_>) -> Result<Data, Fault> {
    let count = match &call.args[0].data {
        Data::Text(_) => call.str(0)?.chars().count(),
        Data::Array(list) => list.items().len(),
        Data::Object(map) => map.members().len(),
        _ => return Err(call.fault("the argument must be an array, an object or a string")),
    };
    Ok(Data::Int(count as i64))
}

fn empty(call: &Call<'_>) -> Result<Data, Fault> {
    Ok(match &call.args[0].data {
        Data::Null => Data::Bool(true),
        // A text with holes and any known character is not empty, whatever the holes hold.
        Data::Text(text) if !text.is_known() && has_known_part(text) => Data::Bool(false),
        Data::Text(text) => match text.known() {
            Some(known) => Data::Bool(known.is_empty()),
            None => call.unknown(Some(Type::Bool)),
        },
        Data::Array(list) => Data::Bool(list.items().is_empty()),
        Data::Object(map) => Data::Bool(map.members().is_empty()),
        Data::Unknown(_) => call.unknown(Some(Type::Bool)),
        _ => return Err(call.fault("the argument must be an array, an object or a string")),
    })
}

fn has_known_part(text: &Text) -> bool {
    text.pieces().iter().any(|piece| matches!(piece, Piece::Known(_)))
}

fn contains(call: &Call<'_>) -> Result<Data, Fault> {
    let (container, item) = (&call.args[0], &call.args[1]);
    let found = match (&container.data, &item.data) {
        (Data::Array(list), _) => {
            call.budget.charge(container.data.size() / 8)?;
            any(list.items().iter().map(|candidate| same(candidate, item)))
        }
        (Data::Object(map), Data::Text(key)) => key.known().map(|key| map.get(key).is_some()),
        (Data::Text(text), Data::Text(part)) => match (text.known(), part.known()) {
            (Some(text), Some(part)) => Some(text.contains(part)),
            _ => None,
        },
        (Data::Text(text), Data::Int(part)) => text.known().map(|text| text.contains(&part.to_string())),
        (_, Data::Unknown(_)) | (Data::Unknown(_), _) => None,
        _ => return Err(call.wrong_type(0, "Array, Object or String")),
    };
    Ok(found.map_or_else(|| call.unknown(Some(Type::Bool)), Data::Bool))
}

/// `true` when one is; otherwise unknown when one is; otherwise `false`.
fn any(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(false);
    for part in parts {
        match part {
            Some(true) => return Some(true),
            Some(false) => {}
            None => result = None,
        }
    }
    result
}

/// The first (0) or last (-1) element; null or an empty string when there is none.
fn end(call: &Call<'_>, which: i64) -> Result<Data, Fault> {
    match &call.args[0].data {
        Data::Text(_) => {
            let text = call.str(0)?;
            let c = if which == 0 { text.chars().next() } else { text.chars().next_back() };
            call.text(c.map(String::from).unwrap_or_default())
        }
        _ => {
            let items = call.list(0)?;
            let item = if which == 0 { items.first() } else { items.last() };
            Ok(item.map_or(Data::Null, |item| item.data.clone()))
        }
    }
}

/// The first `n` elements or characters, or all but those.
fn slice(call: &Call<'_>, keep_front: bool) -> Result<Data, Fault> {
    let count = usize::try_from(call.int(1)?.max(0)).unwrap_or(usize::MAX);
    match &call.args[0].data {
        Data::Text(_) => {
            let text = call.str(0)?;
            let at = text.char_indices().nth(count).map_or(text.len(), |(at, _)| at);
            call.text(if keep_front { &text[..at] } else { &text[at..] })
        }
        _ => {
            let items = call.list(0)?;
            let at = count.min(items.len());
            call.array(if keep_front { &items[..at] } else { &items[at..] }.to_vec())
        }
    }
}

/// Where the first or last match is, or -1. Strings are searched without case, as Azure does.
fn position(call: &Call<'_>, last: bool) -> Result<Data, Fault> {
    let found = match &call.args[0].data {
        Data::Text(_) => {
            let (text, part) = (call.str(0)?.to_lowercase(), call.str(1)?.to_lowercase());
            let at = if last { text.rfind(&part) } else { text.find(&part) };
            at.map(|at| text[..at].chars().count())
        }
        _ => {
            let matches = |item: &Value| same(item, &call.args[1]) == Some(true);
            let items = call.list(0)?;
            if last { items.iter().rposition(matches) } else { items.iter().position(matches) }
        }
    };
    Ok(Data::Int(found.map_or(-1, |at| at as i64)))
}

/// The element counted from the end, from one.
fn from_end(call: &Call<'_>, or_null: bool) -> Result<Data, Fault> {
    let items = call.list(0)?;
    let index = call.int(1)?;
    let found = usize::try_from(index)
        .ok()
        .filter(|&index| index > 0)
        .and_then(|index| items.len().checked_sub(index))
        .and_then(|at| items.get(at));
    match found {
        Some(item) => Ok(item.data.clone()),
        None if or_null => Ok(Data::Null),
        None => {
            Err(call.fault(format!("the index '{index}' is out of bounds of an array of {}", items.len())))
        }
    }
}
