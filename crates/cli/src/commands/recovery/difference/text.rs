//! Differences as text for people: what matters, then files, then bytes that belong to no file system that was compared.

use std::{io, ops::Range};

use palisade_control::time::rfc3339;
use palisade_guest::compare::{Compared, FileChange, Seen};

use super::{Difference, DiskDifference, Outcome, SystemDifference};
use crate::output;

impl Difference {
    /// Prints all that differs; with `has_blocks`, all bytes too.
    pub fn print(&self, has_blocks: bool) -> io::Result<()> {
        if let Some(system) = &self.system {
            print_system(system)?;
        }
        self.disks.iter().try_for_each(|disk| print_disk(disk, has_blocks))
    }
}

fn print_system(system: &SystemDifference) -> io::Result<()> {
    let side = |side: &Option<String>| side.as_deref().map_or_else(|| "-".to_owned(), told);
    let row = |change: &palisade_guest::facts::Change| {
        [change.topic.to_owned(), told(&change.subject), side(&change.before), side(&change.after)]
    };
    if !system.changes.is_empty() {
        let rows: Vec<[String; 4]> = system.changes.iter().map(row).collect();
        output::table(["WHAT MATTERS", "WHICH", "BEFORE", "AFTER"], &rows)?;
    }
    for [what, why] in &system.unknown {
        output::line(format_args!("unknown  {}: {}", told(what), told(why)))?;
    }
    Ok(())
}

fn print_disk(disk: &DiskDifference, has_blocks: bool) -> io::Result<()> {
    let name = disk.disk.display();
    let mut compared = Vec::new();
    for volume in &disk.volumes {
        let head = format!("{name}: {} {}", volume.place, volume.kind);
        match &volume.outcome {
            Outcome::Alike => {}
            Outcome::Unread(why) => output::line(format_args!("{head}: not compared: {}", told(why)))?,
            Outcome::Compared(files) => {
                compared.push(&volume.span);
                let count = files.changes.len();
                output::line(format_args!("{head}: {count} of {} names differ", files.names))?;
                print_files(files)?;
            }
        }
    }
    let is_elsewhere = |range: &&Range<u64>| {
        has_blocks || !compared.iter().any(|span| span.start <= range.start && range.end <= span.end)
    };
    for range in disk.ranges.iter().filter(is_elsewhere) {
        output::line(format_args!("{name}: bytes {}-{}", range.start, range.end - 1))?;
    }
    Ok(())
}

fn print_files(compared: &Compared) -> io::Result<()> {
    if !compared.changes.is_empty() {
        let rows: Vec<[String; 4]> = compared.changes.iter().map(row).collect();
        output::table(["CHANGE", "PATH", "BEFORE", "AFTER"], &rows)?;
    }
    for unread in &compared.unread {
        output::line(format_args!("not compared  {}: {}", told(&unread.path), told(&unread.why)))?;
    }
    Ok(())
}

fn row(change: &FileChange) -> [String; 4] {
    let side = |side: &Option<Seen>| side.as_ref().map_or_else(|| "-".to_owned(), seen);
    [change.what().join(", "), told(&change.path), side(&change.before), side(&change.after)]
}

/// A file in words: what it is, its size, who may do what, when, and how its hash begins.
fn seen(seen: &Seen) -> String {
    let status = &seen.status;
    let mut words = vec![status.kind.name().to_owned(), status.size.to_string()];
    words.extend(status.mode.map(|mode| format!("{mode:04o}")));
    words.extend(status.owner.map(|(owner, group)| format!("{owner}:{group}")));
    words.extend(status.modified.map(moment));
    words.extend(seen.sha256.map(|hash| data_encoding::HEXLOWER.encode(&hash[..6])));
    words.join(" ")
}

/// A time in nanoseconds since 1970; one before that is a number.
pub(super) fn moment(nanoseconds: i128) -> String {
    match u64::try_from(nanoseconds / 1_000_000_000) {
        Ok(seconds) if nanoseconds >= 0 => rfc3339(seconds),
        _ => format!("{nanoseconds} ns"),
    }
}

/// Text without characters that terminals obey.
fn told(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
