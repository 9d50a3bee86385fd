//! Lines of syslog: the old form without a year, RFC 3339 in front, RFC 5424, and what `journalctl` prints.
//!
//! The old form is local time without a zone and is taken to be UTC, as the rest is where it has no offset; its year is the latest that is not after
//! the log was written. It must not know what a message means.

use std::path::Path;

use palisade_guard::GuestEvent;
use palisade_model::calendar::{Moment, civil_from_days, days_from_civil, days_in_month};

use super::sshd::Messages;

/// A day, in seconds: clocks and zones differ by less.
const DAY_S: i64 = 86_400;

/// Lines that are looked at to tell the form of a text.
const LINES_TRIED: usize = 20;

/// A line of which the parts are known.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    time_ms: u64,
    machine: &'a str,
    program: &'a str,
    /// Its number, if it is told.
    process: Option<&'a str>,
    message: &'a str,
}

/// Whether a text is a log in one of the forms, of whatever program.
pub(crate) fn is_one(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    text.lines().take(LINES_TRIED).any(|line| parts(line, i64::MAX).is_some())
}

/// Gives what the lines tell. `newest` is the second when the log was written.
pub(crate) fn read(text: &str, newest: i64, mut give: impl FnMut(GuestEvent), mut other: impl FnMut()) {
    let mut messages = Messages::default();
    for line in text.lines() {
        let told = parts(line, newest).filter(|line| is_sshd(line.program)).and_then(|line| {
            let (what, times) = messages.told((line.machine, line.process), line.message)?;
            Some((GuestEvent { time_ms: line.time_ms, machine: line.machine.to_owned(), what }, times))
        });
        match told {
            Some((event, times)) => (0..times).for_each(|_| give(event.clone())),
            None => other(),
        }
    }
}

/// Since version 9.8 a session is a program of its own.
pub(super) fn is_sshd(program: &str) -> bool {
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program);
    matches!(name, "sshd" | "sshd-session" | "sshd-auth")
}

fn parts(line: &str, newest: i64) -> Option<Line<'_>> {
    let line = line.trim_start_matches('\u{feff}');
    if let Some(rest) = line.strip_prefix('<') {
        let (_, rest) = rest.split_once('>')?;
        return match rest.strip_prefix("1 ") {
            Some(rest) => numbered(rest),
            None => parts(rest, newest),
        };
    }
    let (time_ms, rest) = match line.bytes().next()? {
        b'0'..=b'9' => {
            let (time, rest) = line.split_once(' ')?;
            (moment(time)?, rest)
        }
        _ => yearless(line, newest)?,
    };
    let (machine, rest) = rest.trim_start().split_once(' ')?;
    let (tag, message) = rest.trim_start().split_once(": ")?;
    let (program, process) = match tag.strip_suffix(']').and_then(|tag| tag.split_once('[')) {
        Some((program, process)) => (program, Some(process)),
        None => (tag.split('[').next().unwrap_or(tag), None),
    };
    Some(Line { time_ms, machine, program, process, message })
}

/// RFC 5424 after its version: time, machine, program, process, id, structured data, message.
fn numbered(text: &str) -> Option<Line<'_>> {
    let mut words = text.splitn(6, ' ');
    let time_ms = moment(words.next()?)?;
    let (machine, program) = (words.next()?, words.next()?);
    let process = words.next().filter(|process| *process != "-");
    let rest = words.nth(1)?;
    let message = match rest.strip_prefix('[') {
        Some(data) => data.split_once("] ")?.1,
        None => rest.split_once(' ')?.1,
    };
    Some(Line { time_ms, machine, program, process, message: message.trim_start_matches('\u{feff}') })
}

/// Time in RFC 3339, in milliseconds.
pub(crate) fn moment(text: &str) -> Option<u64> {
    let seconds = u64::try_from(Moment::parse(text)?.seconds).ok()?;
    let fraction: String = match text.split_once(['.', ',']) {
        Some((_, rest)) => rest.chars().take_while(char::is_ascii_digit).take(3).collect(),
        None => String::new(),
    };
    let milliseconds: u64 = format!("{fraction:0<3}").parse().ok()?;
    Some(seconds.saturating_mul(1_000).saturating_add(milliseconds))
}

/// `Jan 31 08:00:00`, and what follows; the year is the latest that does not make it later than a day after `newest`.
fn yearless(line: &str, newest: i64) -> Option<(u64, &str)> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (name, rest) = line.split_once(' ')?;
    let month = i64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()? + 1;
    let (day, rest) = rest.trim_start().split_once(' ')?;
    let (clock, rest) = rest.split_once(' ')?;
    let day: i64 = day.parse().ok()?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    if !((0..24).contains(&hour) && (0..60).contains(&minute) && (0..61).contains(&second)) {
        return None;
    }
    let seconds = in_latest_year(month, day, hour * 3_600 + minute * 60 + second, newest)?;
    let fraction: String = fraction.chars().take(3).collect();
    let milliseconds: u64 = format!("{fraction:0<3}").parse().ok()?;
    Some((u64::try_from(seconds).ok()? * 1_000 + milliseconds, rest))
}

/// The second of a time of a day without its year: that of the latest year that does not make it later than a day after `newest`.
pub(crate) fn in_latest_year(month: i64, day: i64, second: i64, newest: i64) -> Option<i64> {
    let newest = newest.clamp(0, 253_402_300_799);
    let last = civil_from_days((newest + DAY_S) / DAY_S).0;
    (last - 8..=last)
        .rev()
        .filter(|year| (1..=days_in_month(*year, month)).contains(&day))
        .map(|year| days_from_civil(year, month, day) * DAY_S + second)
        .find(|seconds| *seconds <= newest + DAY_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-01T00:00:00Z.
    const NEWEST: i64 = 1_772_323_200;

    #[test]
    fn lines_of_every_form() {
        let line =
            |text| parts(text, NEWEST).map(|line| (line.time_ms, line.machine, line.program, line.message));
        let expected = |time_ms| Some((time_ms, "web1", "sshd", "Server listening on :: port 22."));
        // 2026-01-31T08:00:00Z.
        let time_ms = 1_769_846_400_000;
        let forms = [
            ("Jan 31 08:00:00 web1 sshd[812]: Server listening on :: port 22.", time_ms),
            ("Jan 31 08:00:00.25 web1 sshd[812]: Server listening on :: port 22.", time_ms + 250),
            ("<38>Jan 31 08:00:00 web1 sshd[812]: Server listening on :: port 22.", time_ms),
            (
                "2026-01-31T08:00:00.123456+00:00 web1 sshd[812]: Server listening on :: port 22.",
                time_ms + 123,
            ),
            ("2026-01-31T09:00:00+0100 web1 sshd[812]: Server listening on :: port 22.", time_ms),
            ("<38>1 2026-01-31T08:00:00Z web1 sshd 812 - - Server listening on :: port 22.", time_ms),
            (
                "<38>1 2026-01-31T08:00:00Z web1 sshd 812 - [a b=\"c\"] Server listening on :: port 22.",
                time_ms,
            ),
        ];
        for (text, time_ms) in forms {
            assert_eq!(line(text), expected(time_ms), "{text}");
        }
        let last_year = line("Dec 31 23:59:59 web1 sshd[1]: Server listening on :: port 22.");
        assert_eq!(last_year, expected(1_767_225_599_000), "it cannot be of a year that has not ended");
        for text in [
            "",
            "Jan",
            "Jan 31 25:00:00 a sshd: b",
            "Jan 31 9223372036854775807:00:00 a sshd: b",
            "Jan 31 08:9223372036854775807:00 a sshd: b",
            "Feb 30 08:00:00 a sshd: b",
            "<38>",
            "2026-01-31 x",
        ] {
            assert_eq!(line(text), None, "{text}");
        }
    }

    #[test]
    fn is_told_from_other_text() {
        assert!(is_one(b"-- Journal begins --\nJan 31 08:00:00 web1 CRON[1]: x\n"));
        assert!(!is_one(b"hello") && !is_one(b"May I ask: what is it?\n"));
    }
}
