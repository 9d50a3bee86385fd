//! The verification of a sealed disk, beside a conversion with a hash over it.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use super::{GIB, MIB, Run, disk::Shape, processors::Two, site::Site, succeed};
use crate::{
    error::{Error, Result},
    report::{Bound, Case},
    stats,
};

/// The disk that the goal is about, and a small one.
const SHAPES: [Shape; 2] =
    [Shape { size: 20 * GIB, data: 4 * GIB, seed: 1 }, Shape { size: 1_280 * MIB, data: 256 * MIB, seed: 1 }];
const CONVERTED: &str = "converted.raw";

pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let shape = run.choose(SHAPES);
    // The disk, and the peers' copy of it.
    let folder = run.folder(2 * shape.data)?;
    (run.tell)("verify: writing and sealing the disk");
    let site = Site::make(folder.path(), shape, None)?;
    let _two = Two::take()?;
    let rate = |seconds: f64| shape.data as f64 / seconds / 1e9;
    let mut ours = Vec::new();
    let mut theirs = vec![Vec::new(); Peer::ALL.len()];
    for round in 1..=run.choose([3, 2]) {
        (run.tell)(&format!("verify, round {round}"));
        ours.push(rate(verified(&site)?));
        for (peer, rates) in Peer::ALL.iter().zip(&mut theirs) {
            if peer.version().is_some() {
                rates.push(rate(peer.take(site.base(), folder.path())?));
            }
        }
    }
    let case = Case::new("verify/data", stats::median(&ours), "GB/s")
        .with("disk, GiB", shape.size as f64 / GIB as f64)
        .with("data, GiB", shape.data as f64 / GIB as f64);
    let case = Peer::ALL.iter().zip(&theirs).fold(case, |case, (peer, rates)| {
        let median = (!rates.is_empty()).then(|| stats::median(rates));
        case.beside(peer.name(), peer.version(), median)
    });
    let fast_enough = case.ours >= 1.5;
    let case = case.goal("at least 1.5 GB/s", fast_enough);
    Ok(vec![Peer::ALL.iter().fold(case, |case, peer| case.against(peer.name(), Bound::AtLeast(1.0)))])
}

/// Seconds of one verification.
fn verified(site: &Site) -> Result<f64> {
    let begun = Instant::now();
    let found = site.store.verify(&site.manifest, &|_| {})?;
    let taken = begun.elapsed().as_secs_f64();
    if found.is_clean { Ok(taken) } else { Err(Error::Recovery { what: found.problems().join("; ") }) }
}

/// What else gives a hash of what a guest reads, or of the file.
#[derive(Debug, Clone, Copy)]
enum Peer {
    /// The disk as a raw file, hashed.
    Converted,
    /// The same with a hash that uses the processor's own instructions.
    ConvertedFast,
    /// The file as it is, tables included: one pass, and no word of where it differs.
    File,
    /// A hash over blocks that leaves out holes.
    Blksum,
}

impl Peer {
    const ALL: [Self; 4] = [Self::Converted, Self::ConvertedFast, Self::File, Self::Blksum];

    const fn name(self) -> &'static str {
        match self {
            Self::Converted => "qemu-img convert, sha256sum",
            Self::ConvertedFast => "qemu-img convert, openssl",
            Self::File => "openssl over the file",
            Self::Blksum => "blksum",
        }
    }

    /// The versions of its programs; nothing if one is absent.
    fn version(self) -> Option<String> {
        let programs: &[(&str, &str)] = match self {
            Self::Converted => &[("qemu-img", "--version"), ("sha256sum", "--version")],
            Self::ConvertedFast => &[("qemu-img", "--version"), ("openssl", "version")],
            Self::File => &[("openssl", "version")],
            Self::Blksum => &[("blksum", "--version")],
        };
        let first_line = |&(program, argument): &(&str, &str)| {
            let output = Command::new(program).arg(argument).stderr(Stdio::null()).output().ok()?;
            let text = String::from_utf8_lossy(&output.stdout);
            output.status.success().then(|| text.lines().next().unwrap_or(program).to_owned())
        };
        programs.iter().map(first_line).collect::<Option<Vec<_>>>().map(|lines| lines.join("; "))
    }

    /// Seconds that it takes.
    fn take(self, disk: &Path, folder: &Path) -> Result<f64> {
        let raw = folder.join(CONVERTED);
        let begun = Instant::now();
        match self {
            Self::Converted => {
                convert(disk, &raw)?;
                succeed(Command::new("sha256sum").arg(&raw))?;
            }
            Self::ConvertedFast => {
                convert(disk, &raw)?;
                succeed(Command::new("openssl").args(["dgst", "-sha256"]).arg(&raw))?;
            }
            Self::File => succeed(Command::new("openssl").args(["dgst", "-sha256"]).arg(disk))?,
            Self::Blksum => succeed(Command::new("blksum").args(["--digest", "sha256"]).arg(disk))?,
        }
        let taken = begun.elapsed().as_secs_f64();
        // The next one writes it anew, and what follows wants the room.
        let _ = std::fs::remove_file(&raw);
        Ok(taken)
    }
}

fn convert(disk: &Path, raw: &Path) -> Result<()> {
    succeed(Command::new("qemu-img").args(["convert", "-f", "qcow2", "-O", "raw"]).arg(disk).arg(raw))
}
