//! Dates: the civil calendar in UTC, ISO 8601 durations, and the .NET patterns templates use.
//!
//! No clock: `utcNow` takes its answer from the deployment context and only formats it here.

use palisade_model::calendar::{civil_from_days, days_from_civil, days_in_month};

use super::{Call, Function, Needs};
use crate::template::problem::Fault;
use crate::template::unknown::Reason;
use crate::template::unknown::Unknown;
use crate::template::value::{Data, Type};

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "dateTimeAdd", args: (2, 3), needs: Needs::All, returns: Some(Type::String), run: add },
    Function {
        name: "dateTimeFromEpoch",
        args: (1, 1),
        needs: Needs::All,
        returns: Some(Type::String),
        run: from_epoch,
    },
    Function {
        name: "dateTimeToEpoch",
        args: (1, 1),
        needs: Needs::All,
        returns: Some(Type::Int),
        run: to_epoch,
    },
];

const DAY: i64 = 86_400;
/// Years 1 to 9999, the range of .NET's clock.
const EPOCH_RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

fn add(call: &Call<'_>) -> Result<Data, Fault> {
    let base = moment(call.str(0)?).ok_or_else(|| call.fault("the base is not a date and time"))?;
    let (months, seconds) = duration(call.str(1)?)
        .ok_or_else(|| call.fault(format!("'{}' is not an ISO 8601 duration", call.args[1].to_json())))?;
    let moved = add_months(base, months).and_then(|t| t.checked_add(seconds));
    let Some(result) = moved.filter(|t| EPOCH_RANGE.contains(t)) else {
        return Err(call.fault("the result lies outside the years 1 to 9999"));
    };
    let pattern = if call.args.len() > 2 { call.str(2)? } else { "u" };
    match format_moment(result, pattern) {
        Some(text) => call.text(text),
        None => {
            let reason = Reason::LiveService(format!("the date format '{pattern}'"));
            let expression = format!("dateTimeAdd('{}', '{pattern}')", format_iso(result));
            Ok(Data::Unknown(Unknown::new(expression, Some(Type::String), reason)))
        }
    }
}

fn from_epoch(call: &Call<'_>) -> Result<Data, Fault> {
    let seconds = call.int(0)?;
    if !EPOCH_RANGE.contains(&seconds) {
        return Err(call.fault(format!("'{seconds}' lies outside the years 1 to 9999")));
    }
    call.text(format_iso(seconds))
}

fn to_epoch(call: &Call<'_>) -> Result<Data, Fault> {
    moment(call.str(0)?).map(Data::Int).ok_or_else(|| call.fault("the argument is not a date and time"))
}

fn format_iso(seconds: i64) -> String {
    format_moment(seconds, "yyyy-MM-ddTHH:mm:ssZ").expect("the pattern has only supported parts")
}

/// Seconds since 1970 of `yyyy-MM-dd[(T| )HH:mm[:ss[.f]]][Z|+hh:mm]` or `yyyyMMddTHHmmssZ`.
pub(in crate::template) fn moment(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let field = |from: usize, to: usize| digits.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (field(0, 4)?, field(4, 6)?, field(6, 8)?);
    let time_part = text.split_once(['T', ' ']).map_or("", |(_, time)| time);
    let (hour, minute) =
        if time_part.is_empty() { (0, 0) } else { (field(8, 10)?, field(10, 12).unwrap_or(0)) };
    let second = field(12, 14).filter(|_| seconds_written(time_part)).unwrap_or(0);
    let in_range = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let local = days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    in_range.then(|| local - offset_seconds(time_part))
}

/// Whether the time has a seconds part, and not only the digits of an offset.
fn seconds_written(time: &str) -> bool {
    let clock = time.split(['Z', '+', '-']).next().unwrap_or_default();
    clock.chars().filter(char::is_ascii_digit).count() >= 6
}

fn offset_seconds(time: &str) -> i64 {
    let Some(at) = time.find(['+', '-']) else { return 0 };
    let digits: String = time[at..].chars().filter(char::is_ascii_digit).collect();
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|d| d.parse::<i64>().ok()).unwrap_or(0);
    let offset = part(0, 2) * 3600 + part(2, 4) * 60;
    if time[at..].starts_with('-') { -offset } else { offset }
}

/// Months and seconds of `[-]P[nY][nM][nW][nD][T[nH][nM][nS]]`.
fn duration(text: &str) -> Option<(i64, i64)> {
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (mut months, mut seconds) = (0_i64, 0_i64);
    let (mut number, mut in_time, mut parts) = (String::new(), false, 0);
    for c in rest.strip_prefix('P')?.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        if c == 'T' && number.is_empty() && !in_time {
            in_time = true;
            continue;
        }
        let amount: i64 = std::mem::take(&mut number).parse().ok()?;
        let (into, unit) = match (c, in_time) {
            ('Y', false) => (&mut months, 12),
            ('M', false) => (&mut months, 1),
            ('W', false) => (&mut seconds, 7 * DAY),
            ('D', false) => (&mut seconds, DAY),
            ('H', true) => (&mut seconds, 3600),
            ('M', true) => (&mut seconds, 60),
            ('S', true) => (&mut seconds, 1),
            _ => return None,
        };
        *into = into.checked_add(amount.checked_mul(unit)?)?;
        parts += 1;
    }
    (number.is_empty() && parts > 0).then_some((sign * months, sign * seconds))
}

fn add_months(moment: i64, months: i64) -> Option<i64> {
    let (year, month, day) = civil_from_days(moment.div_euclid(DAY));
    let total = year.checked_mul(12)?.checked_add(month - 1)?.checked_add(months)?;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    if !(1..=9999).contains(&year) {
        return None;
    }
    let day = day.min(days_in_month(year, month));
    Some(days_from_civil(year, month, day) * DAY + moment.rem_euclid(DAY))
}

/// A .NET pattern of `y M d H m s f T Z` and punctuation, or one of the standard letters `u s o`; `None` for
/// patterns with names of days and months, which depend on the culture.
pub(in crate::template) fn format_moment(seconds: i64, pattern: &str) -> Option<String> {
    let pattern = match pattern {
        "u" => "yyyy-MM-dd HH:mm:ssZ",
        "s" => "yyyy-MM-ddTHH:mm:ss",
        "o" | "O" => "yyyy-MM-ddTHH:mm:ss.fffffffZ",
        other => other,
    };
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
    let clock = seconds.rem_euclid(DAY);
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let run = rest.chars().take_while(|&next| next == c).count();
        let value = match (c, run) {
            ('y', 4) => year,
            ('y', 2) => year % 100,
            ('M', 1 | 2) => month,
            ('d', 1 | 2) => day,
            ('H', 1 | 2) => clock / 3600,
            ('h', 1 | 2) => (clock / 3600 + 11) % 12 + 1,
            ('m', 1 | 2) => clock / 60 % 60,
            ('s', 1 | 2) => clock % 60,
            ('f', 1..=7) => 0,
            (c, _) if c.is_alphabetic() && !matches!(c, 'T' | 'Z') => return None,
            _ => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
                continue;
            }
        };
        out.push_str(&format!("{value:0run$}"));
        rest = &rest[run..];
    }
    Some(out)
}
