//! The journal as `journalctl -o json` prints it: one object a line.
//!
//! It must not know what a message means.

use palisade_guard::GuestEvent;
use serde_json::Value;

use super::sshd::{Messages, Program};

/// Whether a line is an entry of a journal.
pub(crate) fn is_one(first: &[u8]) -> bool {
    let has = |part: &[u8]| first.windows(part.len()).any(|window| window == part);
    has(b"\"__REALTIME_TIMESTAMP\"") && first.starts_with(b"{")
}

/// Gives what the entries tell; `bad` is told the line of what is no entry, `other` of what is about something else.
pub(crate) fn read(
    text: &str,
    mut give: impl FnMut(GuestEvent),
    mut other: impl FnMut(),
    mut bad: impl FnMut(u64, String),
) {
    let mut messages = Messages::default();
    for (line, number) in text.lines().zip(1_u64..).filter(|(line, _)| !line.trim().is_empty()) {
        match serde_json::from_str::<Value>(line) {
            Ok(entry) => match event(&entry, &mut messages) {
                Some((event, times)) => (0..times).for_each(|_| give(event.clone())),
                None => other(),
            },
            Err(error) => bad(number, format!("it is no entry of a journal: {error}")),
        }
    }
}

fn event(entry: &Value, messages: &mut Messages) -> Option<(GuestEvent, usize)> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let program = text("SYSLOG_IDENTIFIER").or_else(|| text("_COMM"))?;
    let program = Program::of(program)?;
    // Microseconds, as text.
    let time_ms = text("__REALTIME_TIMESTAMP")?.parse::<u64>().ok()? / 1_000;
    let machine = text("_HOSTNAME").unwrap_or("localhost");
    let process = text("_PID").or_else(|| text("SYSLOG_PID"));
    let (what, times) = messages.told(program, (machine, process), text("MESSAGE")?, 1)?;
    Some((GuestEvent { time_ms, machine: machine.to_owned(), what }, times))
}
