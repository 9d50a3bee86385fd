//! The audit of a guest, from its disk and from its hives, for each GiB that it touches.
//!
//! Disks are ext4 file systems with many accounts, keys and fragments of settings, so that reading counts and not starting. What is touched is
//! every block of which anything was read, each once: tables of inodes, folders, and the small files of settings. Hives are read whole.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fs::File,
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Command, Stdio},
    rc::Rc,
    time::Instant,
};

use palisade_guest::{Files, MemoryFiles, Profile, audit, disk, windows};

use super::{GIB, Run, guest};
use crate::{
    error::{Context as _, Error, Result},
    report::Case,
    stats,
};

/// Machines with ext4 by their accounts, each of which has a folder and a tenth of which have keys; the quick run has only the first.
const ACCOUNTS: [(&str, usize); 2] = [("audit/ext4", 2_000), ("audit/ext4-large", 20_000)];
/// Machines of the public collection: files, and which hive each is.
const MACHINES: [&[(&str, &str)]; 2] =
    [&[("SAM", "SAM"), ("SYSTEM", "SYSTEM")], &[("SYSTEM_WIN_10_1709", "SYSTEM")]];

pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Case>> {
    (run.tell)("audit");
    let rounds = run.choose([9, 3]);
    let mut cases = Vec::new();
    for (name, accounts) in &ACCOUNTS[..run.choose([2, 1])] {
        cases.extend(file_system(run, rounds, name, *accounts)?);
    }
    cases.extend(hives(run, rounds)?);
    Ok(cases)
}

/// Of so many bytes, each audit taking the median of these times.
fn case(name: &'static str, touched: u64, taken: &[f64]) -> Case {
    let seconds = stats::median(taken);
    Case::new(name, seconds * GIB as f64 / touched as f64, "s/GiB")
        .with("touched, KiB", touched >> 10)
        .with("milliseconds", (seconds * 1e5).round() / 1e2)
        .at_most(1.0)
}

fn file_system(
    run: &mut Run<'_>,
    rounds: usize,
    name: &'static str,
    accounts: usize,
) -> Result<Option<Case>> {
    let folder = run.folder(2 * guest::SIZE)?;
    let tree = folder.path().join("tree");
    guest::plant(&tree, accounts).context(|| format!("write {}", tree.display()))?;
    let image = folder.path().join("image.raw");
    if !guest::format(&tree, &image)? {
        (run.tell)(&format!("the audit of a disk is left out: {} is not installed", guest::MAKER));
        return Ok(None);
    }
    let open = || File::open(&image).context(|| format!("open {}", image.display()));
    let touched = Rc::new(Touched { disk: Disk(open()?), blocks: RefCell::default() });
    let findings = of_disk(&(Rc::clone(&touched) as Rc<dyn disk::Disk>))?;
    let taken = (0..rounds).map(|_| {
        let begun = Instant::now();
        of_disk(&(Rc::new(Disk(open()?)) as Rc<dyn disk::Disk>))?;
        Ok(begun.elapsed().as_secs_f64())
    });
    let bytes = touched.blocks.borrow().len() as u64 * guest::BLOCK;
    let case = case(name, bytes, &taken.collect::<Result<Vec<_>>>()?);
    Ok(Some(case.with("accounts", accounts).with("findings", findings)))
}

/// Audits a disk; how much it finds.
fn of_disk(disk: &Rc<dyn disk::Disk>) -> Result<usize> {
    let files = disk::open(disk).map_err(|error| Error::Recovery { what: error.to_string() })?;
    findings(files.as_ref())
}

/// An audit that reads nothing would be quick.
fn findings(files: &dyn Files) -> Result<usize> {
    match audit(files, &Profile::default()).findings.len() {
        0 => Err(Error::Recovery { what: "the audit finds nothing".to_owned() }),
        count => Ok(count),
    }
}

/// A file as a disk.
struct Disk(File);

impl disk::Disk for Disk {
    fn size(&self) -> u64 {
        self.0.metadata().map_or(0, |metadata| metadata.len())
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> Result<(), String> {
        self.0.read_exact_at(into, place).map_err(|error| error.to_string())
    }
}

/// A disk that remembers which of its blocks were read.
struct Touched {
    disk: Disk,
    blocks: RefCell<BTreeSet<u64>>,
}

impl disk::Disk for Touched {
    fn size(&self) -> u64 {
        disk::Disk::size(&self.disk)
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> Result<(), String> {
        self.blocks
            .borrow_mut()
            .extend(place / guest::BLOCK..(place + into.len() as u64).div_ceil(guest::BLOCK));
        disk::Disk::read_at(&self.disk, place, into)
    }
}

/// The hives of the public collection, one machine after the other.
fn hives(run: &mut Run<'_>, rounds: usize) -> Result<Option<Case>> {
    let Some(folder) = run.options.collection.as_ref().map(|folder| folder.join("hives")) else {
        (run.tell)("the audit of hives is left out: no collection is named (name one with --collection)");
        return Ok(None);
    };
    let mut machines = vec![MemoryFiles::default(); MACHINES.len()];
    let mut bytes = 0;
    for (machine, hives) in machines.iter_mut().zip(MACHINES) {
        for (file, name) in hives {
            let path = folder.join(file).with_extension("xz");
            let Some(hive) = unpacked(&path) else {
                (run.tell)(&format!("the audit of hives is left out: xz cannot unpack {}", path.display()));
                return Ok(None);
            };
            bytes += hive.len() as u64;
            machine.add(&format!("{}/{name}", windows::HIVES), hive);
        }
    }
    let taken = (0..rounds).map(|_| {
        let begun = Instant::now();
        machines.iter().try_for_each(|machine| findings(machine).map(drop))?;
        Ok(begun.elapsed().as_secs_f64())
    });
    Ok(Some(case("audit/hives", bytes, &taken.collect::<Result<Vec<_>>>()?).with("machines", MACHINES.len())))
}

fn unpacked(path: &Path) -> Option<Vec<u8>> {
    let output = Command::new("xz")
        .args(["--decompress", "--stdout"])
        .arg(path)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}
