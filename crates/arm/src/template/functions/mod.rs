//! The functions that depend on their arguments alone.
//!
//! [`FUNCTIONS`] says of each how many arguments it takes and how it deals with unknown ones; functions that
//! need the template around them are in [`special`](super::special). A function that is asked about something
//! unknown gives a new unknown, named by the call.

mod array;
mod cidr;
mod date;
mod encode;
mod format;
mod hash;
mod logic;
mod numeric;
mod object;
mod string;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

pub(super) use date::{format_moment, moment};
pub(super) use hash::name_uuid;
pub(super) use logic::same;

use super::collection::{List, Map};
use super::problem::Fault;
use super::session::Budget;
use super::text::{Piece, Text};
use super::unknown::{Reason, Unknown};
use super::value::{Data, Location, Type, Value};

/// How much of its arguments a function must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Everything, at any depth.
    All,
    /// The arguments themselves; what arrays and objects hold may be unknown.
    Shape,
    /// It deals with unknowns itself.
    Nothing,
}

/// One function of the language.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) args: (usize, usize),
    pub(super) needs: Needs,
    pub(super) returns: Option<Type>,
    pub(super) run: fn(&Call<'_>) -> Result<Data, Fault>,
}

/// A row of a table of functions.
const fn function(
    name: &'static str,
    args: (usize, usize),
    needs: Needs,
    returns: Option<Type>,
    run: fn(&Call<'_>) -> Result<Data, Fault>,
) -> Function {
    Function { name, args, needs, returns, run }
}

/// As many arguments as one likes.
pub(super) const MANY: usize = usize::MAX;

/// All functions by their name in lower case.
static FUNCTIONS: LazyLock<HashMap<String, &'static Function>> = LazyLock::new(|| {
    [
        array::FUNCTIONS,
        cidr::FUNCTIONS,
        date::FUNCTIONS,
        encode::FUNCTIONS,
        format::FUNCTIONS,
        hash::FUNCTIONS,
        logic::FUNCTIONS,
        numeric::FUNCTIONS,
        object::FUNCTIONS,
        string::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
    .map(|function| (function.name.to_lowercase(), function))
    .collect()
});

/// The function of this name, in lower case.
pub(super) fn find(key: &str) -> Option<&'static Function> {
    FUNCTIONS.get(key).copied()
}

/// One call with its arguments evaluated.
pub(super) struct Call<'c> {
    pub(super) name: &'static str,
    pub(super) args: &'c [Value],
    pub(super) at: Location,
    pub(super) budget: &'c Budget,
}

/// Calls a function, or names the unknown it would give.
pub(super) fn apply(
    function: &'static Function,
    args: &[Value],
    at: Location,
    budget: &Budget,
) -> Result<Value, Fault> {
    let call = Call { name: function.name, args, at, budget };
    call.check_count(function.args)?;
    budget.charge(args.iter().map(|arg| arg.data.size() / 32).sum::<usize>() + 1)?;
    let known = match function.needs {
        Needs::All => args.iter().all(Value::is_known),
        Needs::Shape => args.iter().all(is_shaped),
        Needs::Nothing => true,
    };
    if !known {
        return Ok(Value { data: call.unknown(function.returns), at });
    }
    Ok(Value { data: (function.run)(&call)?, at })
}

fn is_shaped(value: &Value) -> bool {
    match &value.data {
        Data::Unknown(_) => false,
        Data::Text(text) => text.is_known(),
        _ => true,
    }
}

impl Call<'_> {
    fn check_count(&self, (min, max): (usize, usize)) -> Result<(), Fault> {
        let count = self.args.len();
        if (min..=max).contains(&count) {
            return Ok(());
        }
        let wanted = match (min, max) {
            (min, MANY) => format!("at least {min}"),
            (min, max) if min == max => min.to_string(),
            (min, max) => format!("between {min} and {max}"),
        };
        Err(self.fault(format!("function requires {wanted} argument(s) while {count} were provided")))
    }

    /// A fault that names the function.
    pub(super) fn fault(&self, detail: impl std::fmt::Display) -> Fault {
        Fault::call(self.name, detail)
    }

    /// The unknown this call stands for.
    pub(super) fn unknown(&self, kind: Option<Type>) -> Data {
        let args: Vec<String> = self.args.iter().map(canonical).collect();
        derived(format!("{}({})", self.name, args.join(", ")), kind, self.args, self.at).data
    }

    fn wrong_type(&self, index: usize, wanted: &str) -> Fault {
        self.fault(format!(
            "parameter {} is expected to be of type '{wanted}', the provided value is of type '{}'",
            index + 1,
            self.args[index].type_of().name()
        ))
    }

    pub(super) fn str(&self, index: usize) -> Result<&str, Fault> {
        self.args[index].as_str().ok_or_else(|| self.wrong_type(index, "String"))
    }

    pub(super) fn int(&self, index: usize) -> Result<i64, Fault> {
        match self.args[index].data {
            Data::Int(value) => Ok(value),
            // JSON numbers such as 2.0 are whole to Azure.
            Data::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => Ok(value as i64),
            _ => Err(self.wrong_type(index, "Integer")),
        }
    }

    pub(super) fn list(&self, index: usize) -> Result<&[Value], Fault> {
        self.args[index].as_array().ok_or_else(|| self.wrong_type(index, "Array"))
    }

    pub(super) fn map(&self, index: usize) -> Result<&Arc<Map>, Fault> {
        match &self.args[index].data {
            Data::Object(map) => Ok(map),
            _ => Err(self.wrong_type(index, "Object")),
        }
    }

    pub(super) fn opt(&self, index: usize) -> Option<&Value> {
        self.args.get(index)
    }

    /// A new string, paid for.
    pub(super) fn text(&self, text: impl Into<String>) -> Result<Data, Fault> {
        let text = text.into();
        self.budget.charge_text(text.len())?;
        Ok(Data::from(text))
    }

    /// A new string with holes, paid for.
    pub(super) fn pieces(&self, pieces: Vec<Piece>) -> Result<Data, Fault> {
        let text = Text::from_pieces(pieces);
        self.budget.charge_text(text.len())?;
        Ok(text.into())
    }

    /// A new array, paid for.
    pub(super) fn array(&self, items: Vec<Value>) -> Result<Data, Fault> {
        self.budget.charge(items.len() / 8 + 1)?;
        Ok(Data::Array(List::new(items)?))
    }

    /// A new object, paid for.
    pub(super) fn object(&self, members: Vec<(Arc<str>, Value)>) -> Result<Data, Fault> {
        self.budget.charge(members.len() / 4 + 1)?;
        Ok(Data::Object(Map::new(members)?))
    }

    /// A value at the place of the call.
    pub(super) fn value(&self, data: impl Into<Data>) -> Value {
        Value::new(data, self.at)
    }
}

/// An unknown made from other values: it has all their reasons.
pub(super) fn derived<'v>(
    expression: String,
    kind: Option<Type>,
    from: impl IntoIterator<Item = &'v Value>,
    at: Location,
) -> Value {
    // A few reasons tell the story; the values may be large.
    const LOOKED_AT: usize = 64;
    let mut reasons: Vec<Reason> = Vec::new();
    for value in from {
        reasons_in(value, LOOKED_AT, &mut reasons);
    }
    if reasons.is_empty() {
        reasons.push(Reason::Failed);
    }
    Value::new(Data::Unknown(Unknown::because(expression, kind, reasons)), at)
}

fn reasons_in(value: &Value, limit: usize, reasons: &mut Vec<Reason>) {
    if reasons.len() >= limit {
        return;
    }
    match &value.data {
        Data::Unknown(unknown) => reasons.extend(unknown.reasons().iter().cloned()),
        Data::Text(text) => reasons.extend(text.reasons()),
        Data::Array(list) => list.items().iter().take(limit).for_each(|v| reasons_in(v, limit, reasons)),
        Data::Object(map) => {
            map.members().iter().take(limit).for_each(|(_, v)| reasons_in(v, limit, reasons));
        }
        _ => {}
    }
}

/// A value as it would stand in an expression.
pub(super) fn canonical(value: &Value) -> String {
    match &value.data {
        Data::Null => "null()".to_owned(),
        Data::Bool(value) => format!("{value}()"),
        Data::Int(value) => value.to_string(),
        Data::Float(value) => format!("float('{value}')"),
        Data::Text(text) => canonical_text(text),
        Data::Unknown(unknown) => unknown.expression().to_owned(),
        Data::Array(_) | Data::Object(_) => {
            let text = object::bounded_json(value, super::limits::UNKNOWN_TEXT_CHARS_MAX);
            format!("json({})", quoted(&text))
        }
    }
}

fn canonical_text(text: &Text) -> String {
    let pieces: Vec<String> = text
        .pieces()
        .iter()
        .map(|piece| match piece {
            Piece::Known(text) => quoted(text),
            Piece::Unknown(unknown) => unknown.expression().to_owned(),
        })
        .collect();
    match pieces.as_slice() {
        [one] => one.clone(),
        many => format!("concat({})", many.join(", ")),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
