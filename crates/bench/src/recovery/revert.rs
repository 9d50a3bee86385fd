//! A revert, from its beginning until the clean machine boots.
//!
//! The machine has run on an overlay for a while, so there is evidence to hash. What an alarm and the policy take is not in it: no server is asked
//! (`control`, group `force`). The verification of the base is taken off, since it has a figure of its own.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use palisade_recovery::{
    image::Format,
    revert::{Cold, HandError, Hands, Machine, Moment, Nothing, Plan, Policy, Revert, Step, qmp::Qemu},
};
use serde_json::Value;

use super::{
    GIB, MIB, Run,
    disk::Shape,
    site::{MACHINE, SEALED, Site},
};
use crate::{
    error::{Context as _, Error, Result},
    report::Case,
    stats,
};

/// What is sealed: a small system.
const BASES: [Shape; 2] =
    [Shape { size: 8 * GIB, data: GIB, seed: 2 }, Shape { size: GIB, data: 64 * MIB, seed: 2 }];
/// What the machine has written since.
const WRITTEN: [u64; 2] = [128 * MIB, 16 * MIB];
/// Memory of the machine that QEMU runs, all of which is dumped.
const MEMORY_MIB: u64 = 64;
const QEMU: &str = "qemu-system-x86_64";

pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let (base, written, rounds) = (run.choose(BASES), run.choose(WRITTEN), run.choose([5, 2]));
    let overlay = Shape { data: written, seed: 3, ..base };
    let folder = run.folder(base.data + 2 * rounds * (written + MEMORY_MIB * MIB))?;
    (run.tell)("revert: writing and sealing the disk");
    let site = Site::make(folder.path(), base, None)?;
    let version = version();
    let mut kinds = vec![("revert/cold", None)];
    match &version {
        Some(_) => kinds.push(("revert/qemu", Some(emulated(folder.path(), &site.disk)))),
        None => (run.tell)(&format!("revert of a machine that runs is left out: {QEMU} is not installed")),
    }
    let mut cases = Vec::new();
    for (name, qemu) in kinds {
        let mut taken = Vec::new();
        for round in 1..=rounds {
            (run.tell)(&format!("{name}, round {round}"));
            taken.push(one(&site, overlay, qemu.clone(), &format!("{}-{round}", name.replace('/', "-")))?);
        }
        let median = |of: fn(&Taken) -> f64| stats::median(&taken.iter().map(of).collect::<Vec<_>>());
        let case = Case::new(name, median(|taken| taken.all - taken.verify), "s")
            .with("data, MiB", base.data / MIB)
            .with("written since, MiB", written / MIB)
            .with("verify beside it, s", (median(|taken| taken.verify) * 1e3).round() / 1e3);
        let case = if qemu.is_some() {
            case.with("memory dumped, MiB", MEMORY_MIB).with("qemu", version.clone().unwrap_or_default())
        } else {
            case
        };
        cases.push(case.at_most(3.0));
    }
    Ok(cases)
}

/// Seconds.
struct Taken {
    all: f64,
    verify: f64,
}

/// Lets the machine run on a used overlay, and brings it back once.
fn one(site: &Site, overlay: Shape, qemu: Option<Qemu>, id: &str) -> Result<Taken> {
    let base = site.base().file_name().unwrap_or_default().to_string_lossy();
    // The overlay of the round before stays as evidence: a new file takes its name.
    let used = site.disk.with_extension("used");
    overlay.write(&used, Some((&base, Format::Qcow2))).context(|| format!("write {}", used.display()))?;
    std::fs::rename(&used, &site.disk).context(|| format!("replace {}", site.disk.display()))?;
    let Some(qemu) = qemu else { return timed(site, &mut Cold, id) };
    let mut running = Running(qemu);
    running.0.boot().and_then(|_| running.0.set_link(true)).map_err(|error| failed(&error))?;
    timed(site, &mut running.0, id)
}

fn timed(site: &Site, machine: &mut dyn Machine, id: &str) -> Result<Taken> {
    let plan = Plan {
        id: id.to_owned(),
        machine: MACHINE.to_owned(),
        state: site.manifest.id.clone(),
        begun: SEALED,
        by: "palisade bench".to_owned(),
        why: "measured".to_owned(),
        memory_max: MEMORY_MIB * MIB,
        modes: Vec::new(),
        hands: Value::Null,
    };
    let mut hands = Hands { machine, policy: &mut Unasked, prepare: &mut Nothing, audit: &mut Nothing };
    let begun = Instant::now();
    let (mut verify_from, mut verify, mut all) = (0.0, 0.0, 0.0);
    let mut heed = |moment| {
        let now = begun.elapsed().as_secs_f64();
        match moment {
            Moment::Before(Step::VerifyBase) => verify_from = now,
            Moment::Undocumented(Step::VerifyBase) => verify = now - verify_from,
            Moment::Undocumented(Step::Boot) => all = now,
            _ => {}
        }
        true
    };
    let revert = Revert::begin(&site.store, plan, &site.key.check())?;
    revert.run(&mut hands, &|_| {}, &|| SEALED, &mut heed)?;
    Ok(Taken { all, verify })
}

/// Ends its machine with itself.
struct Running(Qemu);

impl Drop for Running {
    fn drop(&mut self) {
        // It may be off already.
        let _ = self.0.power_off();
    }
}

/// No server is asked.
struct Unasked;

impl Policy for Unasked {
    fn quarantine(&mut self, _: &Plan) -> Result<String, HandError> {
        Ok("no server".into())
    }

    fn record(&mut self, _: &Plan) -> Result<Value, HandError> {
        Ok(Value::Null)
    }

    fn revoke_grants(&mut self, _: &Plan) -> Result<String, HandError> {
        Ok("no server".into())
    }

    fn note_custody(&mut self, _: &Plan, _: &str) -> Result<String, HandError> {
        Ok("no server".into())
    }

    fn tighten(&mut self, _: &Plan) -> Result<String, HandError> {
        Ok("no server".into())
    }

    fn watch(&mut self, _: &Plan) -> Result<String, HandError> {
        Ok("no server".into())
    }
}

fn failed(error: &HandError) -> Error {
    Error::Recovery { what: error.to_string() }
}

fn version() -> Option<String> {
    let output = Command::new(QEMU).arg("--version").stderr(Stdio::null()).output().ok()?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

/// A machine whose firmware is all that runs, without hardware that helps.
fn emulated(folder: &Path, disk: &Path) -> Qemu {
    let socket: PathBuf = folder.join("qmp");
    let memory = format!("{MEMORY_MIB}M");
    let control = format!("unix:{},server=on,wait=off", socket.display());
    let drive = format!("id=disk,if=none,format=qcow2,file={}", disk.display());
    // Its network is its own, and leads nowhere.
    let start = [
        QEMU,
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-accel",
        "tcg",
        "-m",
        &memory,
        "-qmp",
        &control,
        "-drive",
        &drive,
        "-device",
        "virtio-blk-pci,drive=disk",
        "-netdev",
        "user,id=net,restrict=on",
        "-device",
        "e1000,netdev=net,id=card",
    ];
    let start = start.iter().map(|&word| word.to_owned()).collect();
    Qemu { socket, links: vec!["card".into()], start }
}
