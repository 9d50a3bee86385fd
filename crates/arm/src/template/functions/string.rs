//! Functions on strings. Positions count UTF-16 units in Azure and characters here; they differ only outside
//! the basic plane, where no resource name goes.

use std::sync::Arc;

use super::{Call, Function, MANY, Needs, function};
use crate::template::problem::Fault;
use crate::template::text::{Piece, Text};
use crate::template::unknown::Unknown;
use crate::template::value::{Data, Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("concat", (0, MANY), Needs::Nothing, None, concat),
    function("toLower", (1, 1), Needs::Nothing, Some(Type::String), |call| cased(call, str::to_lowercase)),
    function("toUpper", (1, 1), Needs::Nothing, Some(Type::String), |call| cased(call, str::to_uppercase)),
    function("replace", (3, 3), Needs::All, Some(Type::String), replace),
    function("trim", (1, 1), Needs::All, Some(Type::String), |call| call.text(call.str(0)?.trim())),
    function("padLeft", (2, 3), Needs::All, Some(Type::String), pad_left),
    function("substring", (2, 3), Needs::All, Some(Type::String), substring),
    function("split", (2, 2), Needs::All, Some(Type::Array), split),
    function("join", (2, 2), Needs::Shape, Some(Type::String), join),
    function("startsWith", (2, 2), Needs::All, Some(Type::Bool), |call| affix(call, |a, b| a.starts_with(b))),
    function("endsWith", (2, 2), Needs::All, Some(Type::Bool), |call| affix(call, |a, b| a.ends_with(b))),
];

/// Joins strings, or arrays. Holes stay holes.
fn concat(call: &Call<'_>) -> Result<Data, Fault> {
    if call.args.iter().any(|arg| matches!(arg.type_of(), Type::Array)) {
        return concat_arrays(call);
    }
    // Nothing but unknowns of unknown type may be arrays as well as strings.
    let typeless = |arg: &Value| matches!(arg.data, Data::Unknown(_)) && arg.data.type_of().is_none();
    if call.args.len() > 1 && call.args.iter().all(typeless) {
        return Ok(call.unknown(None));
    }
    let mut pieces = Vec::with_capacity(call.args.len());
    for (index, arg) in call.args.iter().enumerate() {
        pieces.extend(string_pieces(call, index, arg)?);
    }
    call.pieces(pieces)
}

/// What an argument adds to a string: numbers and booleans are written out.
fn string_pieces(call: &Call<'_>, index: usize, arg: &Value) -> Result<Vec<Piece>, Fault> {
    match &arg.data {
        Data::Text(text) => Ok(text.pieces()),
        Data::Unknown(unknown) => Ok(vec![Piece::Unknown(unknown.clone())]),
        Data::Int(value) => Ok(vec![Piece::Known(value.to_string().into())]),
        Data::Float(value) => Ok(vec![Piece::Known(value.to_string().into())]),
        Data::Bool(value) => Ok(vec![Piece::Known(if *value { "True" } else { "False" }.into())]),
        _ => Err(call.wrong_type(index, "String")),
    }
}

fn concat_arrays(call: &Call<'_>) -> Result<Data, Fault> {
    let mut items = Vec::new();
    for (index, arg) in call.args.iter().enumerate() {
        match &arg.data {
            Data::Unknown(_) => return Ok(call.unknown(Some(Type::Array))),
            _ => items.extend_from_slice(call.list(index)?),
        }
    }
    call.array(items)
}

/// Changes case piece by piece, so that a lowered name still matches its like.
fn cased(call: &Call<'_>, change: fn(&str) -> String) -> Result<Data, Fault> {
    let Some(text) = call.args[0].text() else { return Err(call.wrong_type(0, "String")) };
    let pieces = text.pieces().into_iter().map(|piece| match piece {
        Piece::Known(known) => Piece::Known(change(&known).into()),
        Piece::Unknown(unknown) => Piece::Unknown(rename(call, &unknown)),
    });
    call.pieces(pieces.collect())
}

/// The unknown that `name(x)` is for an unknown `x`; doing it twice changes nothing more.
fn rename(call: &Call<'_>, unknown: &Arc<Unknown>) -> Arc<Unknown> {
    let prefix = format!("{}(", call.name);
    if unknown.expression().starts_with(&prefix) {
        return unknown.clone();
    }
    let expression = format!("{prefix}{})", unknown.expression());
    Unknown::because(expression, Some(Type::String), unknown.reasons().iter().cloned())
}

fn replace(call: &Call<'_>) -> Result<Data, Fault> {
    let (text, from, to) = (call.str(0)?, call.str(1)?, call.str(2)?);
    if from.is_empty() {
        return Err(call.fault("the string to replace must not be empty"));
    }
    // The result can be far longer than its parts: pay before making it.
    let growth = text.matches(from).count().saturating_mul(to.len().saturating_sub(from.len()));
    call.budget.charge_text(text.len().saturating_add(growth))?;
    Ok(Data::from(text.replace(from, to)))
}

fn pad_left(call: &Call<'_>) -> Result<Data, Fault> {
    let text = match &call.args[0].data {
        Data::Int(value) => value.to_string(),
        _ => call.str(0)?.to_owned(),
    };
    let width = usize::try_from(call.int(1)?).map_err(|_| {
        call.fault(format!("the width must not be negative, it is '{}'", call.args[1].to_json()))
    })?;
    let fill = match call.opt(2) {
        None => ' ',
        Some(_) => {
            let mut chars = call.str(2)?.chars();
            match (chars.next(), chars.next()) {
                (Some(fill), None) => fill,
                _ => return Err(call.fault("the padding must be one character")),
            }
        }
    };
    let missing = width.saturating_sub(text.chars().count());
    call.budget.charge_text(missing.saturating_mul(fill.len_utf8()).saturating_add(text.len()))?;
    Ok(Data::from(format!("{}{text}", fill.to_string().repeat(missing))))
}

fn substring(call: &Call<'_>) -> Result<Data, Fault> {
    let text = call.str(0)?;
    let total = text.chars().count() as i64;
    let start = call.int(1)?;
    if !(0..=total).contains(&start) {
        return Err(call.fault(format!(
            "the index parameter cannot be larger than the length of the string. The index parameter: '{start}', \
             the length of the string parameter: '{total}'"
        )));
    }
    let length = if call.args.len() > 2 { call.int(2)? } else { total - start };
    if length < 0 || length > total - start {
        return Err(call.fault(format!(
            "the index and length parameters must refer to a location within the string. The index parameter: \
             '{start}', the length parameter: '{length}', the length of the string parameter: '{total}'"
        )));
    }
    call.text(text.chars().skip(start as usize).take(length as usize).collect::<String>())
}

/// Splits at a string, or at any of an array of strings.
fn split(call: &Call<'_>) -> Result<Data, Fault> {
    let text = call.str(0)?;
    let delimiters: Vec<&str> = match call.args[1].as_array() {
        Some(items) => items.iter().filter_map(Value::as_str).collect(),
        None => vec![call.str(1)?],
    };
    let mut parts = vec![text];
    for delimiter in delimiters.into_iter().filter(|d| !d.is_empty()) {
        parts = parts.into_iter().flat_map(|part| part.split(delimiter)).collect();
        call.budget.charge(parts.len())?;
    }
    call.budget.charge_text(text.len())?;
    call.array(parts.into_iter().map(|part| call.value(part)).collect())
}

fn join(call: &Call<'_>) -> Result<Data, Fault> {
    let separator = call.str(1)?;
    let mut pieces = Vec::new();
    let mut bytes = 0;
    for (index, item) in call.list(0)?.iter().enumerate() {
        if index > 0 {
            pieces.push(Piece::Known(separator.into()));
        }
        let Ok(part) = string_pieces(call, 0, item) else {
            return Err(call.fault("the array must hold strings"));
        };
        bytes += separator.len() + Text::from_pieces(part.clone()).len();
        call.budget.charge_text(bytes)?;
        pieces.extend(part);
    }
    call.pieces(pieces)
}

/// Azure compares without case here.
fn affix(call: &Call<'_>, test: fn(&str, &str) -> bool) -> Result<Data, Fault> {
    Ok(Data::Bool(test(&call.str(0)?.to_lowercase(), &call.str(1)?.to_lowercase())))
}
