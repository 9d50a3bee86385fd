//! Lines of syslog: the old form without a year, RFC 3339 in front, RFC 5424, and what `journalctl` prints.
//!
//! The old form is local time without a zone and is taken to be UTC, as the rest is where it has no offset; its year is the latest that is not after
//! the log was written. It must not know what a message means.

use palisade_guard::GuestEvent;
use palisade_model::calendar::{Moment, civil_from_days, days_from_civil, days_in_month};

use super::sshd::{Messages, Program, REPEATED_MAX};

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
    text.lines().take(LINES_TRIED).any(|line| matches!(parts(line, i64::MAX), Some(Ok(_))))
}

/// Gives what the lines tell. `newest` is the second when the log was written; `bad` is told the line of a time that is none, `other` of what is about something else.
pub(crate) fn read(
    text: &str,
    newest: i64,
    mut give: impl FnMut(GuestEvent),
    mut other: impl FnMut(),
    mut bad: impl FnMut(u64, String),
) {
    let mut messages = Messages::default();
    let mut before: Option<Line<'_>> = None;
    for (line, number) in text.lines().zip(1_u64..) {
        let line = match parts(line, newest) {
            Some(Ok(line)) => line,
            Some(Err(time)) => {
                bad(number, format!("there is no time {time:?}"));
                continue;
            }
            None => {
                other();
                continue;
            }
        };
        // What a line repeats is the last of the same machine, at a later time.
        let (line, times) = match repeats(&line) {
            Some(times) => {
                let last = before.take().filter(|last| last.machine == line.machine);
                (Line { time_ms: line.time_ms, ..last.unwrap_or(line) }, times)
            }
            None => (line, 1),
        };
        let told = Program::of(line.program)
            .and_then(|program| messages.told(program, (line.machine, line.process), line.message, times));
        match told {
            Some((what, times)) => {
                let event = GuestEvent { time_ms: line.time_ms, machine: line.machine.to_owned(), what };
                (0..times).for_each(|_| give(event.clone()));
            }
            None => other(),
        }
        before = Some(line);
    }
}

/// How often syslogd says that it has left out the last message.
fn repeats(line: &Line<'_>) -> Option<usize> {
    if !matches!(line.program, "" | "-" | "syslogd") {
        return None;
    }
    let message = line.message.trim_matches(|character| matches!(character, '-' | ' '));
    let times = message.strip_prefix("last message repeated ")?.strip_suffix(" times")?;
    times.parse::<usize>().ok().map(|times| times.min(REPEATED_MAX))
}

/// A part of a log in which a time is looked for, or what stands in its place.
type Timed<'a, T> = Option<Result<T, &'a str>>;

/// The parts of a line, or what stands in it where a time should; `None` if it is no line of syslog.
fn parts(line: &str, newest: i64) -> Timed<'_, Line<'_>> {
    let line = line.trim_start_matches('\u{feff}');
    if let Some(rest) = line.strip_prefix('<') {
        let (_, rest) = rest.split_once('>')?;
        return match rest.strip_prefix("1 ") {
            Some(rest) => numbered(rest),
            None => parts(rest, newest),
        };
    }
    let timed = match line.bytes().next()? {
        b'0'..=b'9' => {
            let (time, rest) = line.split_once(' ')?;
            timed(time).map(|time| time.map(|time_ms| (time_ms, rest)))?
        }
        _ => yearless(line, newest)?,
    };
    let (time_ms, rest) = match timed {
        Ok(timed) => timed,
        Err(time) => return Some(Err(time)),
    };
    let (machine, rest) = rest.trim_start().split_once(' ')?;
    let rest = rest.trim_start();
    let Some((tag, message)) = rest.split_once(": ") else {
        let line = Line { time_ms, machine, program: "", process: None, message: rest.trim_end() };
        return repeats(&line).map(|_| Ok(line));
    };
    let (program, process) = match tag.strip_suffix(']').and_then(|tag| tag.split_once('[')) {
        Some((program, process)) => (program, Some(process)),
        None => (tag.split('[').next().unwrap_or(tag), None),
    };
    // Busybox puts facility and severity in front.
    let program = program.rsplit(' ').next().unwrap_or(program);
    Some(Ok(Line { time_ms, machine, program, process, message }))
}

/// RFC 5424 after its version: time, machine, program, process, id, structured data, message.
fn numbered(text: &str) -> Timed<'_, Line<'_>> {
    let mut words = text.splitn(6, ' ');
    let time_ms = match timed(words.next()?)? {
        Ok(time_ms) => time_ms,
        Err(time) => return Some(Err(time)),
    };
    let (machine, program) = (words.next()?, words.next()?);
    let process = words.next().filter(|process| *process != "-");
    let rest = words.nth(1)?;
    let message = match rest.strip_prefix('[') {
        Some(data) => data.split_once("] ")?.1,
        None => rest.split_once(' ')?.1,
    };
    Some(Ok(Line { time_ms, machine, program, process, message: message.trim_start_matches('\u{feff}') }))
}

/// Time in RFC 3339, or what has its shape and is none.
fn timed(text: &str) -> Timed<'_, u64> {
    let shape = b"0000-00-00T00:00";
    let has_shape = text.len() >= shape.len()
        && text.bytes().zip(shape).all(|(own, wanted)| match wanted {
            b'0' => own.is_ascii_digit(),
            wanted => own == *wanted,
        });
    moment(text).map(Ok).or_else(|| has_shape.then_some(Err(text)))
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
fn yearless(line: &str, newest: i64) -> Timed<'_, (u64, &str)> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (name, rest) = line.split_once(' ')?;
    let month = i64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()? + 1;
    let (day, rest) = rest.trim_start().split_once(' ')?;
    let (clock, rest) = rest.split_once(' ')?;
    let number = |text: &str| text.parse::<u32>().ok().map(i64::from);
    let day = number(day)?;
    let written = &line[..line.len() - rest.len() - 1];
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.split(':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let is_sound = hour < 24 && minute < 60 && second < 61;
    let fraction: String = fraction.chars().take(3).collect();
    let milliseconds: u64 = format!("{fraction:0<3}").parse().ok()?;
    let seconds = in_latest_year(month, day, hour * 3_600 + minute * 60 + second, newest)
        .filter(|_| is_sound)
        .and_then(|seconds| u64::try_from(seconds).ok());
    Some(seconds.map_or(Err(written), |seconds| Ok((seconds * 1_000 + milliseconds, rest))))
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
        let line = |text| {
            parts(text, NEWEST)
                .and_then(Result::ok)
                .map(|line| (line.time_ms, line.machine, line.program, line.message))
        };
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
        for text in ["", "Jan", "<38>", "2026-01-31 x", "Jan 1 9:0 a b: c", "Jan 1 1:2:99999999999 a b: c"] {
            assert_eq!(parts(text, NEWEST), None, "{text}");
        }
        for (text, time) in [
            ("Jan 31 25:61:00 a sshd: b", "Jan 31 25:61:00"),
            ("<38>Feb 30 08:00:00 a sshd: b", "Feb 30 08:00:00"),
            ("Jan  0 08:00:00.5 a sshd: b", "Jan  0 08:00:00.5"),
            ("Jan 1 4294967295:00:00 a b: c", "Jan 1 4294967295:00:00"),
            ("2026-02-30T08:00:00Z a sshd: b", "2026-02-30T08:00:00Z"),
            ("<38>1 2026-01-31T25:00:00Z web1 sshd 812 - - x", "2026-01-31T25:00:00Z"),
        ] {
            assert_eq!(parts(text, NEWEST), Some(Err(time)), "{text}");
        }
    }

    /// The seconds of January 31st at which somebody failed, how many lines are about something else, and what is wrong.
    fn read_all(text: &str) -> (Vec<u64>, usize, Vec<String>) {
        let (mut times, mut others, mut wrong) = (Vec::new(), 0, Vec::new());
        let give = |event: GuestEvent| times.push(event.time_ms / 1_000 - 1_769_817_600);
        read(text, NEWEST, give, || others += 1, |line, what| wrong.push(format!("{line} {what}")));
        (times, others, wrong)
    }

    #[test]
    fn what_syslogd_left_out_is_counted() {
        let failed = "Jan 31 00:00:01 a sshd[1]: Failed password for root from 203.0.113.7 port 9 ssh2\n";
        let again = "Jan 31 00:00:05 a last message repeated 3 times\n";
        assert_eq!(read_all(&format!("{failed}{again}")), (vec![1, 5, 5, 5], 0, vec![]));
        assert_eq!(read_all(&format!("{failed}{again}{again}")).0, [1, 5, 5, 5, 5, 5, 5]);
        let invalid = "Jan 31 00:00:00 a sshd[1]: Invalid user x from 203.0.113.7 port 9\n";
        assert_eq!(
            read_all(&format!("{invalid}{failed}{again}")).0,
            [0, 5, 5, 5],
            "what it says once more counts"
        );
        let other = "Jan 31 00:00:02 a CRON[1]: x\n";
        assert_eq!(read_all(&format!("{failed}{other}{again}")), (vec![1], 2, vec![]));
        assert_eq!(read_all(again), (vec![], 1, vec![]));
        let elsewhere = again.replace(" a ", " b ");
        assert_eq!(read_all(&format!("{failed}{elsewhere}")).0, [1], "another machine");
        let many = again.replace("3 times", "99999 times");
        assert_eq!(read_all(&format!("{failed}{many}")).0.len(), 1 + REPEATED_MAX);
        let marked = again.replace("last", "--- last").replace("times", "times ---");
        assert_eq!(read_all(&format!("{failed}{marked}")).0.len(), 4);
        let said = "Jan 31 00:00:05 a CRON[1]: last message repeated 3 times\n";
        assert_eq!(read_all(&format!("{failed}{said}")).0, [1], "a program that says so");
    }

    #[test]
    fn times_that_are_none_are_told_with_their_line() {
        let failed = "Jan 31 00:00:01 a sshd[1]: Failed password for root from 203.0.113.7 port 9 ssh2\n";
        let wrong = failed.replace("Jan 31", "Feb 30");
        let told = vec![
            "2 there is no time \"Feb 30 00:00:01\"".to_owned(),
            "3 there is no time \"Feb 30 00:00:01\"".to_owned(),
        ];
        assert_eq!(read_all(&format!("{failed}{wrong}{wrong}\n")), (vec![1], 1, told));
    }

    #[test]
    fn is_told_from_other_text() {
        assert!(is_one(b"-- Journal begins --\nJan 31 08:00:00 web1 CRON[1]: x\n"));
        assert!(!is_one(b"hello") && !is_one(b"May I ask: what is it?\n"));
    }
}
