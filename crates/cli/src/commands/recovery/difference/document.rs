//! Differences as JSON.

use std::path::Path;

use data_encoding::HEXLOWER;
use palisade_guest::compare::{Compared, FileChange, Seen};
use serde_json::{Value, json};

use super::{Difference, DiskDifference, Outcome, VolumeDifference};

impl Difference {
    /// All that differs, as one document.
    pub fn document(&self) -> Value {
        let system = self.system.as_ref().map(|system| {
            let changes = system.changes.iter().map(|change| {
                json!({
                    "topic": change.topic,
                    "subject": change.subject,
                    "before": change.before,
                    "after": change.after,
                })
            });
            let unknown = system.unknown.iter().map(|[what, why]| json!({ "what": what, "reason": why }));
            json!({ "changes": changes.collect::<Vec<_>>(), "unknown": unknown.collect::<Vec<_>>() })
        });
        json!({ "system": system, "disks": self.disks.iter().map(disk).collect::<Vec<_>>() })
    }
}

fn disk(disk: &DiskDifference) -> Value {
    json!({
        "disk": Path::new(&disk.disk),
        "ranges": disk.ranges,
        "volumes": disk.volumes.iter().map(volume).collect::<Vec<_>>(),
    })
}

fn volume(volume: &VolumeDifference) -> Value {
    let mut document = json!({ "place": volume.place, "kind": volume.kind, "span": volume.span });
    match &volume.outcome {
        Outcome::Alike => document["outcome"] = "alike".into(),
        Outcome::Unread(why) => {
            document["outcome"] = "unread".into();
            document["why"] = why.as_str().into();
        }
        Outcome::Compared(compared) => {
            document["outcome"] = "compared".into();
            document["compared"] = files(compared);
        }
    }
    document
}

fn files(compared: &Compared) -> Value {
    let unread = compared.unread.iter().map(|unread| json!({ "path": unread.path, "why": unread.why }));
    json!({
        "names": compared.names,
        "bytes": compared.bytes,
        "files": compared.changes.iter().map(file).collect::<Vec<_>>(),
        "unread": unread.collect::<Vec<_>>(),
    })
}

fn file(change: &FileChange) -> Value {
    json!({
        "path": change.path,
        "what": change.what(),
        "before": change.before.as_ref().map(seen),
        "after": change.after.as_ref().map(seen),
    })
}

fn seen(seen: &Seen) -> Value {
    let status = &seen.status;
    json!({
        "kind": status.kind.name(),
        "size": status.size,
        "mode": status.mode.map(|mode| format!("{mode:04o}")),
        "owner": status.owner.map(|(owner, _)| owner),
        "group": status.owner.map(|(_, group)| group),
        "modified": status.modified.map(super::text::moment),
        "sha256": seen.sha256.map(|hash| HEXLOWER.encode(&hash)),
    })
}
