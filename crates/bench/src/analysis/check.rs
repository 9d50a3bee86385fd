//! `check` of many estates: from the files on disk, with Microsoft's file of service tags, to every finding.
//!
//! Every entry of the folder that the user names is an estate, as with `palisade check --each`. One thread does it all, though the
//! command shares estates among processors. Checkov is asked of the same files for three checks alone, those about open ports;
//! it says something else of some of them (`docs/judges.md`), so that what both find is not compared.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use palisade_agent::load::{self, EstateSources};
use palisade_analysis::{Limits, findings::findings};
use palisade_model::TagCatalog;
use serde_json::json;

use super::{
    Group, Run,
    lists::NOW,
    measure,
    peers::{self, Engine},
};
use crate::{
    error::{Context, Error, Result},
    report::Case,
};

/// What was read and found, in numbers.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    nsgs: usize,
    nics: usize,
    left_out: usize,
    findings: usize,
}

pub(super) fn check(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let Some(folder) = &run.options.estates else {
        return if run.options.groups.contains(&Group::Check) { Err(no_folder()) } else { Ok(Vec::new()) };
    };
    let estates = entries(folder)?;
    (run.tell)(&format!("check of {} estates", estates.len()));
    let tags = run.options.service_tags.clone();
    let rounds = run.choose(11, 3);
    let (counts, taken) = measure(rounds, || all(&estates, tags.as_slice()))?;
    let case = taken
        .case("check/all")
        .with("question", "every finding of every estate, from files on disk")
        .with("estates", estates.len())
        .with("NSGs", counts.nsgs)
        .with("interfaces", counts.nics)
        .with("left out", counts.left_out)
        .with("findings", counts.findings)
        .at_most(1_000.0);
    if run.options.quick {
        return Ok(vec![case]);
    }
    let asked = json!({ "estates": estates }).to_string();
    Ok(vec![peers::beside(run, case, Engine::Checkov, "all", &asked).0])
}

fn no_folder() -> Error {
    let reason = "it is not given, and the case check needs it (name a folder whose entries are estates)";
    Error::File { path: "--estates".into(), reason: reason.into() }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read =
        || -> io::Result<Vec<PathBuf>> { fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect() };
    let mut entries = read().context(|| format!("read {}", folder.display()))?;
    entries.sort();
    Ok(entries)
}

/// Everything that is found, counted.
fn all(estates: &[PathBuf], tags: &[PathBuf]) -> Result<Counts> {
    let refused =
        |error: load::LoadError| Error::File { path: "service tags".into(), reason: error.to_string() };
    let tags = if tags.is_empty() { TagCatalog::default() } else { load::tags(tags).map_err(refused)? };
    let mut counts = Counts::default();
    for estate in estates {
        let sources = EstateSources { paths: vec![estate.clone()], ..EstateSources::default() };
        let salvaged = load::leniently(&sources, tags.clone());
        counts.nsgs += salvaged.estate.nsgs().count();
        counts.nics += salvaged.estate.nics().count();
        counts.left_out += salvaged.left_out.len();
        counts.findings += findings(&salvaged.estate, NOW, Limits::default())?.findings.len();
    }
    Ok(counts)
}
