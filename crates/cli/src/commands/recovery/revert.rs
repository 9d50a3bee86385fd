//! `palisade clean-state revert`: from a machine that was taken to one that is known to be clean.

use std::{
    fs,
    path::{Path, PathBuf},
};

use palisade_recovery::{
    revert::{
        Cold, HandError, Hands, Journal, Machine, Moment, Nothing, Plan, Policy, Prepare, Record, Revert,
        inside::{Changes, Inside},
        libvirt::Libvirt,
        qmp::Qemu,
        seed::Seed,
    },
    state::Store,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    StoreArgs,
    audit::{FailsOn, GuestAudit},
    meter::Meter,
    now, size, whoever,
};
use crate::{
    commands::remote::{
        jit::door,
        recovery::{ByHand, Server, Watch},
        writing::WriteArgs,
    },
    exit::{Exit, Failure},
    output::{self, Format},
};

/// Options of `revert`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A revert that was interrupted goes on with --continue; until the disks are new it can be given up with --abandon.\n\n\
                  Examples:\n  palisade clean-state revert web-01 --why INC-7 --vm web-01 --qmp /run/web-01.qmp --link net0 --start web-01.json\n  \
                  palisade clean-state revert web-01 --continue"
)]
pub struct Arguments {
    /// Name of the machine, as it was sealed
    #[arg(value_name = "MACHINE")]
    machine: String,
    /// State to go back to; without it, the newest of the machine
    #[arg(long = "to", value_name = "STATE")]
    state: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["resume", "abandon"])]
    why: Option<String>,
    /// Go on with a revert that was interrupted
    #[arg(long = "continue", conflicts_with_all = ["abandon", "state"])]
    resume: bool,
    /// Give a revert up whose disks are not new yet; the quarantine stays
    #[arg(long, conflicts_with = "state")]
    abandon: bool,
    /// Who wants it; without it, who runs this
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    world: WorldArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    write: WriteArgs,
}

/// What is around the machine.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Machine")]
struct WorldArgs {
    /// Virtual machine at the server, by name or id; without it, policies are left to you
    #[arg(long = "vm", value_name = "VM")]
    vm: Option<String>,
    /// Resources to put in force before the link is up, as JSON bodies with their ids: fewer open ports, fewer ways out
    #[arg(long, value_name = "FILE", requires = "vm")]
    tightened: Option<PathBuf>,
    /// Answer policy for this machine alone, as for `palisade answers policy set`, from the end of the revert on
    #[arg(long, value_name = "FILE", requires = "vm")]
    watch: Option<PathBuf>,
    /// For how long it is watched so, such as 24h
    #[arg(long, value_name = "TIME", requires = "watch", default_value = "24h", value_parser = door::time)]
    watch_for: door::Time,
    /// Control socket of QEMU
    #[arg(long, value_name = "SOCKET", requires_all = ["links", "start"])]
    qmp: Option<PathBuf>,
    /// Machine of libvirt, by name; without it and without --qmp, the machine is taken to be off
    #[arg(long, value_name = "DOMAIN", requires = "links", conflicts_with = "qmp")]
    libvirt: Option<String>,
    /// Where libvirt listens
    #[arg(long, value_name = "URI", requires = "libvirt", default_value = "qemu:///system")]
    connect: String,
    /// Network device or back end of the machine; of libvirt, the interface on the host or its MAC address
    #[arg(long = "link", value_name = "NAME")]
    links: Vec<String>,
    /// JSON file with the command that starts the machine, a list of strings
    #[arg(long, value_name = "FILE")]
    start: Option<PathBuf>,
    /// Dump memory into the evidence if it has no more bytes, such as 4GiB
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "0")]
    memory_max: u64,
    /// What to change in the file system of the new disk, as JSON: passwords, keys, sshd, files (Linux on ext4)
    #[arg(long, value_name = "FILE")]
    changes: Option<PathBuf>,
    /// Drive of settings to write for the new guest (cloud-init, cloudbase-init); the machine must have it attached
    #[arg(long, value_name = "FILE", requires = "user_data")]
    seed: Option<PathBuf>,
    /// Settings on that drive: cloud-config or a script
    #[arg(long, value_name = "FILE", requires = "seed")]
    user_data: Option<PathBuf>,
    /// Findings of the guest audit that refuse to boot, if the sealed state has not the same; error unless said
    #[arg(long, value_enum, value_name = "SEVERITY")]
    audit_fails_on: Option<FailsOn>,
}

/// What the journal remembers of the machine's surroundings.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct World {
    vm: Option<String>,
    tightened: Option<PathBuf>,
    qemu: Option<Qemu>,
    libvirt: Option<Libvirt>,
    seed: Option<(PathBuf, PathBuf)>,
    audit_fails_on: FailsOn,
    changes: Option<Changes>,
    watch: Option<Watch>,
}

impl WorldArgs {
    fn read(&self) -> Result<World, Failure> {
        let qemu = match (&self.qmp, &self.start) {
            (Some(socket), Some(start)) => {
                let text = fs::read(start)
                    .map_err(|error| Failure::input(format!("{}: {error}", start.display())))?;
                let start = serde_json::from_slice(&text).map_err(|error| {
                    Failure::input(format!("{} is no list of strings: {error}", start.display()))
                })?;
                Some(Qemu { socket: socket.clone(), links: self.links.clone(), start })
            }
            _ => None,
        };
        let changes = self.changes.as_deref().map(Changes::read).transpose();
        let changes = changes.map_err(|problem| Failure::input(problem.to_string()))?;
        Ok(World {
            vm: self.vm.clone(),
            tightened: self.tightened.clone(),
            qemu,
            libvirt: self.libvirt.clone().map(|domain| Libvirt {
                connect: self.connect.clone(),
                domain,
                links: self.links.clone(),
            }),
            seed: self.seed.clone().zip(self.user_data.clone()),
            audit_fails_on: self.audit_fails_on.unwrap_or_default(),
            changes,
            watch: self.watch.as_deref().map(|path| self.watch(path)).transpose()?,
        })
    }

    fn watch(&self, path: &Path) -> Result<Watch, Failure> {
        let bad = |error: String| Failure::input(format!("{}: {error}", path.display()));
        let text = fs::read(path).map_err(|error| bad(error.to_string()))?;
        let body: Value = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        let policy = body.get("properties").cloned().unwrap_or(body);
        if !policy.is_object() {
            return Err(bad("it is no answer policy (docs/answers.md)".to_owned()));
        }
        Ok(Watch { policy, seconds: self.watch_for.seconds().into() })
    }
}

/// Begins, continues or abandons.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    if !arguments.write.waits() {
        return Err(Failure::input("a revert waits until the quarantine is in force (leave --no-wait out)"));
    }
    let (store, check) = (arguments.store.open()?, arguments.store.check()?);
    let by = arguments.by.clone().unwrap_or_else(whoever);
    if arguments.abandon {
        let journal = Revert::resume(&store, &arguments.machine, &check)?.abandon(&by, now())?;
        eprintln!("given up; the quarantine of {} stays until it is released", arguments.machine);
        return tell(&journal, arguments.write.form());
    }
    let revert = if arguments.resume {
        Revert::resume(&store, &arguments.machine, &check)?
    } else {
        let world = arguments.world.read()?;
        let state = match &arguments.state {
            Some(state) => state.clone(),
            None => newest(&store, &check, &arguments.machine)?,
        };
        let begun = now();
        let plan = Plan {
            id: format!("{}-revert-{begun}", arguments.machine),
            machine: arguments.machine.clone(),
            state,
            begun,
            by,
            why: arguments.why.clone().unwrap_or_default(),
            memory_max: arguments.world.memory_max,
            modes: Vec::new(),
            hands: serde_json::to_value(world)?,
        };
        Revert::begin(&store, plan, &check)?
    };
    let mut world: World = serde_json::from_value(revert.journal().plan().hands.clone())?;
    // Whoever goes on with a revert that the audit has refused says so here.
    world.audit_fails_on = arguments.world.audit_fails_on.unwrap_or(world.audit_fails_on);
    let meter = Meter::new();
    let journal = with_hands(&world, &store, &arguments.write, |hands| {
        let mut heed = |moment| {
            if let Moment::Before(step) = moment {
                eprintln!("{step}");
            }
            true
        };
        Ok(revert.run(hands, &|bytes| meter.add(bytes), &now, &mut heed)?)
    })?;
    meter.end();
    tell(&journal, arguments.write.form())
}

/// The hands that a world has.
fn with_hands(
    world: &World,
    store: &Store,
    write: &WriteArgs,
    act: impl FnOnce(&mut Hands<'_>) -> Result<Journal, Failure>,
) -> Result<Journal, Failure> {
    let mut machine: Box<dyn Machine> = match (&world.qemu, &world.libvirt) {
        (Some(qemu), _) => Box::new(qemu.clone()),
        (None, Some(libvirt)) => Box::new(libvirt.clone()),
        (None, None) => Box::new(Cold),
    };
    let mut policy: Box<dyn Policy> = match &world.vm {
        Some(vm) => Box::new(Server::new(write, vm, world.tightened.as_deref(), world.watch.clone())?),
        None => {
            eprintln!(
                "warning: no --vm: isolate the machine yourself, and give it a tighter policy before its link is up"
            );
            Box::new(ByHand)
        }
    };
    let mut prepare = Preparing::of(world);
    act(&mut Hands {
        machine: machine.as_mut(),
        policy: policy.as_mut(),
        prepare: &mut prepare,
        audit: &mut GuestAudit { store, fails_on: world.audit_fails_on },
    })
}

/// All that changes new disks, one after the other.
struct Preparing(Vec<Box<dyn Prepare>>);

impl Preparing {
    fn of(world: &World) -> Self {
        let mut hands: Vec<Box<dyn Prepare>> = Vec::new();
        if let Some(changes) = &world.changes {
            hands.push(Box::new(Inside { changes: changes.clone() }));
        }
        if let Some((drive, user_data)) = &world.seed {
            hands.push(Box::new(Seed { drive: drive.clone(), user_data: user_data.clone() }));
        }
        if hands.is_empty() {
            eprintln!(
                "warning: neither --changes nor --seed: the guest comes back with the passwords and settings that it was taken with"
            );
            hands.push(Box::new(Nothing));
        }
        Self(hands)
    }
}

impl Prepare for Preparing {
    fn prepare(&mut self, plan: &Plan, disks: &[PathBuf]) -> Result<String, HandError> {
        let told: Result<Vec<_>, _> = self.0.iter_mut().map(|hand| hand.prepare(plan, disks)).collect();
        Ok(told?.join("; "))
    }
}

/// The newest state of a machine.
fn newest(
    store: &Store,
    check: &palisade_recovery::key::SealCheck,
    machine: &str,
) -> Result<String, Failure> {
    let mut newest = None;
    for id in store.ids()? {
        let state = store.state(&id, check)?;
        if state.machine == machine {
            newest = newest.max(Some((state.created, id)));
        }
    }
    let missing = || {
        Failure::input(format!("{machine} has no clean state (make one with palisade clean-state create)"))
    };
    newest.map(|(_, id)| id).ok_or_else(missing)
}

fn tell(journal: &Journal, format: Format) -> Result<Exit, Failure> {
    match format {
        Format::Json => output::json(&journal.records())?,
        Format::Table => {
            let rows = journal.records().iter().filter_map(|record| match record {
                Record::Done { step, note, .. } => Some([step.to_string(), note.clone()]),
                Record::Planned(_) | Record::Abandoned { .. } => None,
            });
            output::table(["STEP", "WHAT CAME OF IT"], &rows.collect::<Vec<_>>())?;
        }
    }
    Ok(Exit::Clean)
}
