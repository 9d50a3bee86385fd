//! What the detectors find in recorded attacks and in honest work: precision, recall, and how soon.
//!
//! The folder is the public collection, of which the truth is known here, or one whose recordings say themselves who did what.

use std::path::Path;

use palisade_flowlog::{
    board::{self, HONEST, RECORDED, Score},
    deeds::{DEEDS, Labelled, labelled},
};

use super::Options;
use crate::{error::Result, report::Case, stats};

/// What was to be reached: all that is told is true, and at most one of the recorded deeds is missed.
const PRECISION: f64 = 0.95;
const RECALL: f64 = 0.85;

pub(super) fn measure(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<Vec<Case>> {
    let folder = options.recordings.as_deref();
    let said = folder.map_or_else(|| Ok(Vec::new()), labelled)?;
    let is_public = folder.is_some_and(|folder| folder.join(RECORDED[0].file).is_file());
    match folder {
        Some(folder) if is_public || !said.is_empty() => {
            tell("scores");
            let mut cases = if is_public { public(folder)? } else { Vec::new() };
            if !said.is_empty() {
                cases.extend(recorded(&said)?);
            }
            Ok(cases)
        }
        _ => {
            let reason = match folder {
                Some(folder) => format!("{} has neither {} nor {DEEDS}", folder.display(), RECORDED[0].file),
                None => "no folder of recordings is named (name one with --recordings)".to_owned(),
            };
            tell(&format!("nothing of scores: {reason}"));
            Ok(vec![Case::new("scores/skipped", 0.0, "files").with("reason", reason)])
        }
    }
}

/// Recordings that say who did what.
fn recorded(recordings: &[Labelled]) -> Result<Vec<Case>> {
    let (mut total, mut seconds) = (Score::default(), Vec::new());
    for recording in recordings {
        let (score, soon) = recording.score(&board::judge(&recording.file)?);
        total = total.with(score);
        seconds.extend(soon);
    }
    Ok(cases(
        ["scores/recorded/precision", "scores/recorded/recall", "scores/recorded/time to detect"],
        total,
        &seconds,
        recordings.len(),
    ))
}

fn cases(names: [&'static str; 3], total: Score, seconds: &[f64], files: usize) -> Vec<Case> {
    let (precision, recall) = (total.precision(), total.recall());
    vec![
        Case::new(names[0], precision, "share")
            .with("files", files)
            .goal(format!("at least {PRECISION}"), precision >= PRECISION),
        Case::new(names[1], recall, "share")
            .with("files", files)
            .goal(format!("at least {RECALL}"), recall >= RECALL),
        Case::new(names[2], stats::median(seconds), "s")
            .with("slowest", seconds.iter().copied().fold(0.0, f64::max)),
    ]
}

/// The public collection.
fn public(folder: &Path) -> Result<Vec<Case>> {
    let (mut total, mut seconds) = (Score::default(), Vec::new());
    for recorded in RECORDED {
        let judged = board::judge(&folder.join(recorded.file))?;
        let score = judged.score(recorded);
        total = total.with(score);
        if score.right > 0 {
            seconds.extend(judged.seconds_to_detect());
        }
    }
    let mut high = 0;
    for file in HONEST {
        high += board::judge(&folder.join(file))?.high();
    }
    let mut cases = cases(
        ["scores/precision", "scores/recall", "scores/time to detect"],
        total,
        &seconds,
        RECORDED.len(),
    );
    let honest = Case::new("scores/high alerts on honest work", high as f64, "alerts");
    cases.push(honest.with("files", HONEST.len()).at_most(0.0));
    Ok(cases)
}
