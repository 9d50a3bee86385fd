//! The datapath under measurement: the only file that knows how it is opened, given policy and cleared.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use palisade_agent::load::{self, EstateSources};
use palisade_classify::{
    Verdict,
    enforce::{self, PolicyBlobs},
    oracle,
};
use palisade_datapath::{Config, Datapath, NicKind, NicPolicy, Plane, Sizes};
use palisade_lab::netns::{Namespace, registry::write_whole};
use palisade_model::EffectivePolicy;
use palisade_net::Flow;

use crate::{
    error::Result,
    rules::{self, RuleSet},
};

/// Where all datapaths of this host are pinned.
const PIN_ROOT: &str = "/sys/fs/bpf/palisade";
/// How the names of the benchmark's own begin; the process's id follows.
const PREFIX: &str = "bench-";

/// A rule set as the machine's policy.
#[derive(Debug)]
pub struct Policy {
    effective: EffectivePolicy,
    blobs: PolicyBlobs,
}

impl Policy {
    /// Reads the rule set's template as the agent would. The folder is for the template.
    ///
    /// # Errors
    /// If the model refuses it.
    pub fn of(set: &RuleSet, folder: &Path) -> Result<Self> {
        let path = folder.join("template.json");
        write_whole(&path, &rules::template(set).to_string())?;
        let loaded = load::estate(&EstateSources { paths: vec![path], ..EstateSources::default() })?;
        let nics = loaded.estate.nics_named(rules::NIC);
        let effective = loaded.estate.effective(nics.first().expect("the template has this interface"));
        let blobs = enforce::compile(&effective)?;
        Ok(Self { effective, blobs })
    }

    /// What the oracle says of a new connection.
    pub fn allows(&self, flow: &Flow) -> bool {
        oracle::decide(&self.effective, flow).verdict == Verdict::Allow
    }
}

/// A datapath of the benchmark's own.
#[derive(Debug)]
pub struct Ours {
    datapath: Option<Datapath>,
    pin_dir: PathBuf,
}

impl Ours {
    /// Loads one with tables of these sizes; nothing is enforced.
    ///
    /// # Errors
    /// If the kernel refuses it.
    pub fn open(sizes: Sizes) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_abandoned();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let pin_dir = Path::new(PIN_ROOT).join(format!("{PREFIX}{}-{number}", std::process::id()));
        let datapath = Datapath::open(&Config { sizes, ..Config::new(&pin_dir) })?;
        Ok(Self { datapath: Some(datapath), pin_dir })
    }

    /// Loads one and enforces at an interface of a namespace.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn enforce(router: &Namespace, ifindex: u32, policy: &Policy) -> Result<Self> {
        router.enter(|| {
            let mut ours = Self::open(Sizes { slots: 16, ..Sizes::default() })?;
            ours.publish(ifindex, policy)?;
            ours.plane().attach(ifindex, NicKind::Direct)?;
            Ok(ours)
        })?
    }

    /// Puts a policy into force for one interface.
    ///
    /// # Errors
    /// If the datapath refuses it.
    pub fn publish(&mut self, ifindex: u32, policy: &Policy) -> Result<()> {
        let nic = NicPolicy {
            ifindex,
            slot: 1,
            kind: NicKind::Direct,
            inbound: policy.blobs.inbound.clone(),
            outbound: policy.blobs.outbound.clone(),
        };
        self.plane().publish(&[nic])?;
        Ok(())
    }

    /// Forgets every flow.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn clear(&mut self) -> Result<()> {
        self.plane().clear_flows()?;
        Ok(())
    }

    fn plane(&mut self) -> &mut Datapath {
        self.datapath.as_mut().expect("it is there until the value is dropped")
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        if let Some(datapath) = self.datapath.take()
            && let Err(error) = datapath.remove()
        {
            eprintln!("{} is not fully removed: {error}", self.pin_dir.display());
        }
    }
}

/// Removes what benchmarks left whose process died. Their namespaces are gone or will be with the next site, so that
/// pins are all that keeps their programs.
fn remove_abandoned() {
    let entries = fs::read_dir(PIN_ROOT).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists()) {
            // Another benchmark may be removing it too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
