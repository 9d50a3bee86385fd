//! Single bits, flipped anywhere in what was sealed: whether each is found, and named by its place.
//!
//! The disk is a chain of two files. Guest data of the upper one is named by its place in the disk, everything else by its place in the file, both by the
//! block; a byte of the manifest is named alone. Trees of hashes, the signature and the audit report are named by their file.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use palisade_classify::generate::Random;
use palisade_recovery::{
    image::Format,
    state::{StateError, Verified},
};

use super::{
    MIB, Run,
    disk::{Shape, noise},
    site::Site,
};
use crate::{
    error::{Context as _, Result},
    report::Case,
};

const UPPER: Shape = Shape { size: 8 * MIB, data: MIB, seed: 5 };
const BELOW: &str = "below.raw";
const BELOW_SEED: u64 = 6;
/// Bytes of the lower file that are data; the rest is a hole.
const BELOW_DATA: u64 = 2 * MIB;

pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Case>> {
    (run.tell)("flips");
    let folder = run.folder(16 * MIB)?;
    let below = folder.path().join(BELOW);
    sparse(&below).context(|| format!("write {}", below.display()))?;
    let site = Site::make(folder.path(), UPPER, Some((BELOW, Format::Raw)))?;
    let state = site.store.state_folder(&site.manifest.id);
    let in_state = |names: &[&str]| names.iter().map(|name| state.join(name)).collect::<Vec<_>>();
    let placed = [
        site.manifest.disks[0].layers.iter().map(|layer| layer.path.clone()).collect(),
        in_state(&["manifest.json", "manifest.copy.json"]),
    ]
    .concat();
    let trees = in_state(&["manifest.sig", "disk-0.tree", "disk-0.file-0.tree", "disk-0.file-1.tree"]);
    let trials = run.choose([1_000, 100]);
    Ok(vec![
        Trials::over(&site, &placed, trials, Trial::names_place)?
            .case("flips/disks and manifest", "named by offset"),
        Trials::over(&site, &trees, trials / 5, Trial::names_file)?
            .case("flips/trees and signature", "named by file"),
    ])
}

/// The lower file: data, then nothing.
fn sparse(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    noise(&mut file, BELOW_DATA, BELOW_SEED)?;
    file.set_len(UPPER.size)
}

/// How many were flipped, found, and named as they should be.
struct Trials {
    flipped: u64,
    found: u64,
    named: u64,
}

impl Trials {
    /// Flips bits at random places of the files in turn, each back before the next.
    fn over(site: &Site, files: &[PathBuf], count: u64, is_named: impl Fn(&Trial) -> bool) -> Result<Self> {
        let mut random = Random::new(4);
        let mut trials = Self { flipped: 0, found: 0, named: 0 };
        for path in files.iter().cycle().take(count as usize) {
            let length = fs::metadata(path).context(|| format!("read {}", path.display()))?.len();
            let (at, bit) = (random.next() % length, random.below(8));
            let flip = || flip(path, at, bit).context(|| format!("write {}", path.display()));
            flip()?;
            let answer = site.store.state(&site.manifest.id, &site.key.check());
            let answer = answer.and_then(|manifest| site.store.verify(&manifest, &|_| {}));
            let trial = Trial { path: path.clone(), at, answer };
            trials.flipped += 1;
            trials.found += u64::from(trial.is_found());
            trials.named += u64::from(is_named(&trial));
            flip()?;
        }
        Ok(trials)
    }

    fn case(&self, name: &'static str, how: &str) -> Case {
        let percent = 100.0 * self.named as f64 / self.flipped as f64;
        Case::new(name, percent, "%")
            .with("flipped", self.flipped)
            .with("found", self.found)
            .goal(format!("all {how}"), self.named == self.flipped)
    }
}

/// One bit and what was said of it.
struct Trial {
    path: PathBuf,
    at: u64,
    answer: Result<Verified, StateError>,
}

impl Trial {
    fn is_found(&self) -> bool {
        !matches!(self.answer, Ok(Verified { is_clean: true, .. }))
    }

    fn names_place(&self) -> bool {
        let has = |ranges: &[Range<u64>], at| ranges.iter().any(|range| range.contains(&at));
        match &self.answer {
            Err(StateError::Damaged { path, offset }) => *path == self.path && *offset == self.at,
            Err(_) => false,
            Ok(verified) => verified.disks.iter().any(|disk| {
                let in_guest = || UPPER.seen_at(self.at).is_some_and(|at| has(&disk.guest_damaged, at));
                let in_file =
                    disk.files.iter().any(|file| file.path == self.path && has(&file.damaged, self.at));
                in_file || in_guest()
            }),
        }
    }

    fn names_file(&self) -> bool {
        match &self.answer {
            Err(error) => error.to_string().contains(&*self.path.to_string_lossy()),
            Ok(verified) => {
                verified.disks.iter().flat_map(|disk| &disk.files).any(|file| file.path == self.path)
            }
        }
    }
}

fn flip(path: &Path, at: u64, bit: usize) -> io::Result<()> {
    // What is sealed is read-only; the mode is no part of what is verified.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    let file = File::options().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[byte[0] ^ 1 << bit], at)
}
