//! What the detectors find in recorded attacks and in honest work: precision, recall, and how soon.

use palisade_flowlog::board::{self, HONEST, RECORDED, Score};

use super::Options;
use crate::{error::Result, report::Case, stats};

/// What was to be reached: all that is told is true, and at most one of the recorded deeds is missed.
const PRECISION: f64 = 0.95;
const RECALL: f64 = 0.85;

pub(super) fn measure(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<Vec<Case>> {
    let Some(folder) = options.recordings.as_ref().filter(|folder| folder.join(RECORDED[0].file).is_file())
    else {
        let named = options.recordings.as_ref().map(|folder| folder.display().to_string());
        let reason = match named {
            Some(name) => format!("{name} has no {}", RECORDED[0].file),
            None => "no folder of recordings is named (name one with --recordings)".to_owned(),
        };
        tell(&format!("nothing of scores: {reason}"));
        return Ok(vec![Case::new("scores/skipped", 0.0, "files").with("reason", reason)]);
    };
    tell("scores");
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
    let files = RECORDED.len();
    let (precision, recall) = (total.precision(), total.recall());
    Ok(vec![
        Case::new("scores/precision", precision, "share")
            .with("files", files)
            .goal(format!("at least {PRECISION}"), precision >= PRECISION),
        Case::new("scores/recall", recall, "share")
            .with("files", files)
            .goal(format!("at least {RECALL}"), recall >= RECALL),
        Case::new("scores/time to detect", stats::median(&seconds), "s")
            .with("slowest", seconds.iter().copied().fold(0.0, f64::max)),
        Case::new("scores/high alerts on honest work", high as f64, "alerts")
            .with("files", HONEST.len())
            .at_most(0.0),
    ])
}
