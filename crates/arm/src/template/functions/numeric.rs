//! Whole-number arithmetic, with overflow refused, and conversions to numbers.

use super::{Call, Function, MANY, Needs};
use crate::template::problem::Fault;
use crate::template::value::{Data, Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    integer("add", (2, 2), |call| binary(call, i64::checked_add)),
    integer("sub", (2, 2), |call| binary(call, i64::checked_sub)),
    integer("mul", (2, 2), |call| binary(call, i64::checked_mul)),
    integer("div", (2, 2), |call| divide(call, i64::checked_div)),
    integer("mod", (2, 2), |call| divide(call, i64::checked_rem)),
    integer("min", (1, MANY), |call| extreme(call, |best, next| next < best)),
    integer("max", (1, MANY), |call| extreme(call, |best, next| next > best)),
    integer("int", (1, 1), to_int),
    Function { name: "float", args: (1, 1), needs: Needs::All, returns: Some(Type::Float), run: to_float },
];

const fn integer(
    name: &'static str,
    args: (usize, usize),
    run: fn(&Call<'_>) -> Result<Data, Fault>,
) -> Function {
    Function { name, args, needs: Needs::All, returns: Some(Type::Int), run }
}

fn binary(call: &Call<'_>, op: fn(i64, i64) -> Option<i64>) -> Result<Data, Fault> {
    let result = op(call.int(0)?, call.int(1)?);
    result.map(Data::Int).ok_or_else(|| call.fault("the result does not fit 64 bits"))
}

fn divide(call: &Call<'_>, op: fn(i64, i64) -> Option<i64>) -> Result<Data, Fault> {
    if call.int(1)? == 0 {
        return Err(call.fault("the second parameter must not be zero"));
    }
    binary(call, op)
}

/// The best of the arguments, or of the one array that is given.
fn extreme(call: &Call<'_>, better: fn(i64, i64) -> bool) -> Result<Data, Fault> {
    let items: &[Value] = call.args[0].as_array().unwrap_or(call.args);
    let mut best: Option<i64> = None;
    for item in items {
        let Data::Int(next) = item.data else {
            return Err(call.fault(format!(
                "all values must be of type 'Integer', one is of type '{}'",
                item.type_of().name()
            )));
        };
        best = Some(best.filter(|&best| !better(best, next)).unwrap_or(next));
    }
    best.map(Data::Int).ok_or_else(|| call.fault("the array must not be empty"))
}

fn to_int(call: &Call<'_>) -> Result<Data, Fault> {
    match &call.args[0].data {
        Data::Float(value) if value.abs() < 9e15 => Ok(Data::Int(value.trunc() as i64)),
        Data::Text(_) => {
            let text = call.str(0)?;
            let value = text.trim().parse().map_err(|_| call.fault(format!("'{text}' is not an integer")))?;
            Ok(Data::Int(value))
        }
        _ => call.int(0).map(Data::Int),
    }
}

fn to_float(call: &Call<'_>) -> Result<Data, Fault> {
    match &call.args[0].data {
        Data::Float(value) => Ok(Data::Float(*value)),
        Data::Int(value) => Ok(Data::Float(*value as f64)),
        _ => {
            let text = call.str(0)?;
            let value: f64 = text.trim().parse().unwrap_or(f64::NAN);
            if value.is_finite() {
                Ok(Data::Float(value))
            } else {
                Err(call.fault(format!("'{text}' is not a number")))
            }
        }
    }
}
