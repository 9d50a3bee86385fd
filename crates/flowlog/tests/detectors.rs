//! Recorded attacks are found and nothing else, and honest work raises no high alert. Files that are not there are left out, and the
//! test says so.

use std::path::{Path, PathBuf};

use palisade_flowlog::board::{self, HONEST, Judged, RECORDED, Score};
use palisade_guard::{Alert, Connection, Severity};

fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("PALISADE_REAL_DATA").map_or(beside, PathBuf::from);
    if path.join("slips").is_dir() {
        return Some(path);
    }
    println!("skipped: {} has no recorded attacks (set PALISADE_REAL_DATA)", path.display());
    None
}

fn judged(path: &Path) -> Judged {
    let judged = board::judge(path).expect("the file can be read");
    println!("{}: {} connections", path.display(), judged.connections.len());
    judged.alerts.iter().for_each(|alert| println!("{}", describe(alert, &judged.connections)));
    judged
}

fn describe(alert: &Alert, connections: &[Connection]) -> String {
    let begun = connections.iter().map(|connection| connection.start_ms).min().unwrap_or(0);
    let before = connections.iter().filter(|connection| connection.end_ms <= alert.time_ms);
    let of_source = before.filter(|connection| Some(connection.flow.source()) == alert.source).count();
    format!(
        "  {} {} of {:?} to {:?} port {:?} at {:.1} s, its connection {of_source}: {}",
        alert.severity(),
        alert.name(),
        alert.source,
        alert.destination,
        alert.port,
        (alert.time_ms.saturating_sub(begun)) as f64 / 1e3,
        alert.evidence
    )
}

#[test]
fn recorded_attacks_are_found_and_nothing_else() {
    let Some(data) = data() else { return };
    let (mut total, mut unexpected) = (Score::default(), Vec::new());
    for recorded in RECORDED {
        let judged = judged(&data.join(recorded.file));
        assert!(!judged.connections.is_empty(), "{}", recorded.file);
        let score = judged.score(recorded);
        total = total.with(score);
        if (score.missed == 0) != recorded.is_found {
            unexpected.push(recorded.file);
        }
    }
    println!("precision {:.3}, recall {:.3}", total.precision(), total.recall());
    assert_eq!(unexpected, [""; 0], "found, or missed, against what is written here");
    assert_eq!(total.wrong, 0, "false alerts");
}

#[test]
fn honest_work_raises_no_high_alert() {
    let Some(data) = data() else { return };
    for file in HONEST {
        let judged = judged(&data.join(file));
        let high: Vec<&Alert> =
            judged.alerts.iter().filter(|alert| alert.severity() >= Severity::High).collect();
        assert!(high.is_empty(), "{file}: {high:?}");
    }
}
