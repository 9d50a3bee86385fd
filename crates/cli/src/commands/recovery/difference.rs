//! How evidence differs from what was sealed: by what matters, by files, and by bytes.
//!
//! Bytes are compared first. A partition without a byte that differs is alike and not read again; on others every file is compared. Partitions that
//! are not where they were, or hold something else, are told and not compared.

mod document;
mod text;

use std::{ops::Range, path::PathBuf, rc::Rc};

use palisade_guest::{
    compare::{Compared, How, trees},
    disk::{Disk, Volume, volumes},
    facts::{Change, Facts, of_disks},
};
use palisade_recovery::{evidence::Pair, image::ImageDisk};

use super::meter::Meter;
use crate::exit::Failure;

/// How all disks of a piece of evidence differ.
pub struct Difference {
    disks: Vec<DiskDifference>,
    /// What matters of the system; `None` if none is read.
    system: Option<SystemDifference>,
}

/// How a disk differs.
struct DiskDifference {
    disk: PathBuf,
    /// Bytes that differ, whole blocks.
    ranges: Vec<Range<u64>>,
    volumes: Vec<VolumeDifference>,
}

/// How a partition differs.
struct VolumeDifference {
    place: String,
    kind: &'static str,
    span: Range<u64>,
    outcome: Outcome,
}

/// What came of a partition.
enum Outcome {
    /// No byte differs.
    Alike,
    /// It was not compared by files, for a reason.
    Unread(String),
    /// It was.
    Compared(Compared),
}

/// What matters of the system.
struct SystemDifference {
    changes: Vec<Change>,
    /// What could not be read, and on which side.
    unknown: Vec<[String; 2]>,
}

impl Difference {
    /// Whether anything differs.
    pub fn is_any(&self) -> bool {
        self.disks.iter().any(|disk| !disk.ranges.is_empty())
    }
}

/// Compares the disks of evidence.
pub fn of(pairs: Vec<Pair>, is_quick: bool, meter: &Meter) -> Result<Difference, Failure> {
    let mut disks = Vec::new();
    let mut sides: [Vec<Rc<dyn Disk>>; 2] = [Vec::new(), Vec::new()];
    for pair in pairs {
        let ranges = pair.ranges(&|bytes| meter.add(bytes))?;
        let before: Rc<dyn Disk> = Rc::new(ImageDisk::new(pair.sealed));
        let after: Rc<dyn Disk> = Rc::new(ImageDisk::new(pair.taken));
        let how = How { is_quick, progress: &|bytes| meter.add(bytes) };
        let volumes = of_volumes(volumes(&before), volumes(&after), &ranges, how);
        disks.push(DiskDifference { disk: pair.disk, ranges, volumes });
        sides[0].push(before);
        sides[1].push(after);
    }
    let is_any = disks.iter().any(|disk| !disk.ranges.is_empty());
    let system = is_any.then(|| of_systems(&sides)).flatten();
    Ok(Difference { disks, system })
}

fn touches(ranges: &[Range<u64>], span: &Range<u64>) -> bool {
    ranges.iter().any(|range| range.start < span.end && span.start < range.end)
}

/// Compares the partitions that are at the same place on both sides.
fn of_volumes(
    before: Vec<Volume>,
    after: Vec<Volume>,
    ranges: &[Range<u64>],
    how: How<'_>,
) -> Vec<VolumeDifference> {
    let mut before = before;
    let mut differences = Vec::new();
    for new in after {
        let place = before.iter().position(|old| old.span() == new.span());
        let old = place.map(|place| before.remove(place));
        differences.extend(of_volume(old, new, ranges, how));
    }
    // What is left was where nothing is now.
    differences.extend(before.into_iter().filter(|old| old.tree.is_some()).map(|old| VolumeDifference {
        place: old.place(),
        kind: old.kind,
        span: old.span(),
        outcome: Outcome::Unread("there is no partition at its place any more".to_owned()),
    }));
    differences
}

fn of_volume(
    old: Option<Volume>,
    new: Volume,
    ranges: &[Range<u64>],
    how: How<'_>,
) -> Option<VolumeDifference> {
    // The disk as a whole is one only where it holds a file system.
    let is_any = new.tree.is_some() || old.as_ref().is_some_and(|old| old.tree.is_some());
    if new.is_whole() && !is_any {
        return None;
    }
    let (place, kind, span) = (new.place(), new.kind, new.span());
    let outcome = match (old, new.tree) {
        _ if !touches(ranges, &span) => Outcome::Alike,
        (None, _) => Outcome::Unread("there was no partition at its place".to_owned()),
        (Some(old), _) if old.kind != kind => Outcome::Unread(format!("it was {}", old.kind)),
        (Some(Volume { tree: Some(Ok(old)), .. }), Some(Ok(new))) => {
            Outcome::Compared(trees(old.as_ref(), new.as_ref(), how))
        }
        (Some(Volume { tree: Some(Err(why)), .. }), _) => Outcome::Unread(format!("before: {why}")),
        (_, Some(Err(why))) => Outcome::Unread(format!("after: {why}")),
        _ => Outcome::Unread("no files of it are read".to_owned()),
    };
    Some(VolumeDifference { place, kind, span, outcome })
}

/// What matters of the systems on the two sides.
fn of_systems(sides: &[Vec<Rc<dyn Disk>>; 2]) -> Option<SystemDifference> {
    let [before, after] = [of_disks(&sides[0]), of_disks(&sides[1])];
    let missing = |side: &str| [side.to_owned(), "no system was found".to_owned()];
    let of = |side: &str, facts: &Facts| -> Vec<[String; 2]> {
        let unread = facts.unread().iter();
        unread.map(|unknown| [format!("{side}: {}", unknown.what), unknown.reason.clone()]).collect()
    };
    match (before, after) {
        (None, None) => None,
        (Some(before), Some(after)) => {
            let unknown = [of("before", &before), of("after", &after)].concat();
            Some(SystemDifference { changes: after.since(&before), unknown })
        }
        (before, _) => {
            let side = if before.is_some() { "after" } else { "before" };
            Some(SystemDifference { changes: Vec::new(), unknown: vec![missing(side)] })
        }
    }
}
