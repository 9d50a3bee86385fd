//! `format`: the .NET composite format, as far as templates use it.
//!
//! `{index[,alignment][:spec]}` with the specs `D`, `X`, `N`, `F`, `P0`-style digits for numbers, zero patterns
//! such as `000`, and `{{`, `}}` for braces.

use super::object::to_text;
use super::{Call, Function, MANY, Needs, canonical, derived};
use crate::template::problem::Fault;
use crate::template::text::Piece;
use crate::template::value::{Data, Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "format",
    args: (1, MANY),
    needs: Needs::Nothing,
    returns: Some(Type::String),
    run: format,
}];

/// No real template pads further; a larger alignment would only make memory.
const ALIGNMENT_MAX: usize = 1_000;

fn format(call: &Call<'_>) -> Result<Data, Fault> {
    let Some(pattern) = call.args[0].as_str() else {
        return match call.args[0].data {
            Data::Unknown(_) | Data::Text(_) => Ok(call.unknown(Some(Type::String))),
            _ => Err(call.wrong_type(0, "String")),
        };
    };
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        pieces.push(Piece::Known(before.into()));
        let doubled = from.starts_with("{{") || from.starts_with("}}");
        if doubled {
            pieces.push(Piece::Known(from[..1].into()));
            rest = &from[2..];
            continue;
        }
        let Some(end) = from.find('}').filter(|_| from.starts_with('{')) else {
            return Err(call.fault(format!("the format '{pattern}' has a brace without its partner")));
        };
        pieces.extend(item(call, &from[1..end])?);
        rest = &from[end + 1..];
    }
    pieces.push(Piece::Known(rest.into()));
    call.pieces(pieces)
}

/// One `{...}` of the pattern, without the braces.
fn item(call: &Call<'_>, hole: &str) -> Result<Vec<Piece>, Fault> {
    let (head, spec) = hole.split_once(':').unwrap_or((hole, ""));
    let (index, alignment) = head.split_once(',').unwrap_or((head, "0"));
    let bad = || call.fault(format!("the format item '{{{hole}}}' is not valid"));
    let index: usize = index.trim().parse().map_err(|_| bad())?;
    let alignment: i64 = alignment.trim().parse().map_err(|_| bad())?;
    let Some(value) = call.args.get(index + 1) else {
        return Err(call.fault(format!(
            "the format item '{{{index}}}' has no argument, {} were provided",
            call.args.len() - 1
        )));
    };
    let plain = spec.is_empty() && alignment == 0;
    match &value.data {
        Data::Text(text) if plain => Ok(text.pieces()),
        Data::Unknown(unknown) if plain => Ok(vec![Piece::Unknown(unknown.clone())]),
        _ if !value.is_known() => {
            let expression = format!("format('{{0{}}}', {})", &hole[head.len()..], canonical(value));
            Ok(derived(expression, Some(Type::String), [value], call.at)
                .text()
                .map(|text| text.pieces())
                .unwrap_or_default())
        }
        _ => Ok(vec![Piece::Known(aligned(&formatted(call, value, spec)?, alignment).into())]),
    }
}

fn aligned(text: &str, alignment: i64) -> String {
    let width = usize::try_from(alignment.unsigned_abs()).unwrap_or(ALIGNMENT_MAX).min(ALIGNMENT_MAX);
    if alignment < 0 { format!("{text:<width$}") } else { format!("{text:>width$}") }
}

fn formatted(call: &Call<'_>, value: &Value, spec: &str) -> Result<String, Fault> {
    match (&value.data, spec) {
        (Data::Bool(value), _) => Ok(if *value { "True" } else { "False" }.to_owned()),
        (Data::Null, _) => Ok(String::new()),
        (Data::Int(value), spec) if !spec.is_empty() => {
            integer(*value, spec).ok_or_else(|| call.fault(format!("the format '{spec}' is not supported")))
        }
        (Data::Float(value), spec) if !spec.is_empty() => fixed(*value, spec)
            .ok_or_else(|| call.fault(format!("the format '{spec}' is not supported for a decimal number"))),
        _ => to_text(value, call.budget),
    }
}

/// `D3`, `X2`, `x`, `N0`, `F2`, `G`, or a pattern of zeros.
fn integer(value: i64, spec: &str) -> Option<String> {
    if spec.bytes().all(|b| b == b'0' || b == b'#') {
        let digits = spec.bytes().filter(|&b| b == b'0').count();
        return Some(signed(value, |n| format!("{n:0digits$}")));
    }
    let (kind, digits) = spec.split_at(1);
    let given: Option<usize> = if digits.is_empty() { None } else { Some(digits.parse().ok()?) };
    let digits = given.unwrap_or(0);
    if digits > ALIGNMENT_MAX {
        return None;
    }
    match kind {
        "D" | "d" => Some(signed(value, |n| format!("{n:0digits$}"))),
        "X" => Some(format!("{value:0digits$X}")),
        "x" => Some(format!("{value:0digits$x}")),
        "G" | "g" => Some(value.to_string()),
        "N" | "n" | "F" | "f" => fixed(value as f64, spec),
        _ => None,
    }
}

fn signed(value: i64, write: impl Fn(u64) -> String) -> String {
    let digits = write(value.unsigned_abs());
    if value < 0 { format!("-{digits}") } else { digits }
}

/// `N2` and `F2`: decimals, and for `N` the thousands apart.
fn fixed(value: f64, spec: &str) -> Option<String> {
    let kind = spec.get(..1)?;
    let digits: usize = match spec.get(1..)? {
        "" => 2,
        digits => digits.parse().ok().filter(|&digits| digits <= ALIGNMENT_MAX)?,
    };
    let text = format!("{value:.digits$}");
    match kind {
        "F" | "f" => Some(text),
        "N" | "n" => Some(grouped(&text)),
        _ => None,
    }
}

fn grouped(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.find('.').map_or((digits, ""), |dot| digits.split_at(dot));
    let mut out = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}
