//! What each step does. Every one of them may have been done before, wholly or in part, by a run that ended in the middle of it.

use std::{fs, io, path::Path};

use super::{HandError, Hands, Revert, RevertError, Step};
use crate::{
    evidence::{Evidence, EvidenceError, EvidenceFile},
    files::{self, FileError},
    image::{Format, Image, Place},
    scan::Progress,
    state::lay,
};

const RECORD: &str = "record.json";
const MEMORY: &str = "memory.elf";

impl Revert<'_> {
    /// Does one step; what came of it, in words.
    pub(super) fn act(
        &self,
        step: Step,
        hands: &mut Hands<'_>,
        progress: Progress<'_>,
    ) -> Result<String, RevertError> {
        let plan = self.journal.plan();
        let failed = |error: HandError| RevertError::Hand { step, problem: error.to_string() };
        let disks = || self.manifest.disks.iter().map(|disk| disk.overlay.clone()).collect::<Vec<_>>();
        match step {
            Step::Quarantine => {
                let policy = hands.policy.quarantine(plan).map_err(failed)?;
                let link = hands.machine.set_link(false).map_err(failed)?;
                Ok(format!("{policy}; {link}"))
            }
            Step::Record => {
                let record = hands.policy.record(plan).map_err(failed)?;
                self.folder()?;
                let text = serde_json::to_vec_pretty(&record).expect("a value is plain data");
                files::replace(&self.evidence_folder().join(RECORD), &text)?;
                Ok(format!("written to {RECORD}"))
            }
            Step::Grants => hands.policy.revoke_grants(plan).map_err(failed),
            Step::Freeze => self.freeze(hands),
            Step::PowerOff => hands.machine.power_off().map_err(failed),
            Step::Evidence => {
                let taken = self.take()?;
                let noted = hands.policy.note_custody(plan, &self.store.custody_head()?).map_err(failed)?;
                Ok(format!("{taken}; {noted}"))
            }
            Step::VerifyBase => self.verify(progress),
            Step::Overlay => self.replace(),
            Step::Changes => hands.prepare.prepare(plan, &disks()).map_err(failed),
            Step::Audit => hands.audit.audit(plan, &disks()).map_err(failed),
            Step::Boot => hands.machine.boot().map_err(failed),
            Step::Tighten => hands.policy.tighten(plan).map_err(failed),
            Step::LinkUp => hands.machine.set_link(true).map_err(failed),
            Step::Watch => hands.policy.watch(plan).map_err(failed),
        }
    }

    fn folder(&self) -> Result<(), FileError> {
        let folder = self.evidence_folder();
        fs::create_dir_all(&folder).map_err(FileError::at("make", &folder))
    }

    fn freeze(&self, hands: &mut Hands<'_>) -> Result<String, RevertError> {
        self.folder()?;
        let path = self.evidence_folder().join(MEMORY);
        let max = self.journal.plan().memory_max;
        // A dump that was begun is begun anew.
        let memory = (max > 0).then_some((path.as_path(), max));
        let failed = |error: HandError| RevertError::Hand { step: Step::Freeze, problem: error.to_string() };
        hands.machine.freeze(memory).map_err(failed)
    }

    /// Makes the disks evidence. They are hashed only now, when nothing has them open: what QEMU still held is written.
    fn take(&self) -> Result<String, RevertError> {
        self.folder()?;
        let (plan, folder) = (self.journal.plan(), self.evidence_folder());
        let mut taken = Vec::new();
        for (number, disk) in self.manifest.disks.iter().enumerate() {
            let path = &disk.overlay;
            if files::is_in_use(path)? {
                return Err(RevertError::Running { path: path.clone() });
            }
            let name = disk_name(number);
            keep(path, &folder.join(&name))?;
            taken.push(name);
        }
        let memory = folder.join(MEMORY);
        if memory.exists() {
            files::set_mode(&memory, 0o444)?;
            taken.push(MEMORY.to_owned());
        }
        taken.push(RECORD.to_owned());
        let hashed = taken.into_iter().map(|name| {
            let (sha256, length) = files::sha256(&folder.join(&name))?;
            Ok(EvidenceFile { name, length, sha256 })
        });
        let evidence = Evidence {
            id: plan.id.clone(),
            machine: plan.machine.clone(),
            state: plan.state.clone(),
            taken: plan.begun,
            by: plan.by.clone(),
            files: hashed.collect::<Result<_, EvidenceError>>()?,
        };
        self.store.take_evidence(&evidence)?;
        Ok(format!("{} files in custody, head {}", evidence.files.len(), self.store.custody_head()?))
    }

    fn verify(&self, progress: Progress<'_>) -> Result<String, RevertError> {
        let verified = self.store.verify(&self.manifest, progress)?;
        if verified.is_clean {
            return Ok("every byte is what was sealed".into());
        }
        Err(RevertError::Damaged { state: self.manifest.id.clone(), problems: verified.problems() })
    }

    /// New overlays under the names of the disks. The evidence is safe: it has a name of its own.
    fn replace(&self) -> Result<String, RevertError> {
        for disk in &self.manifest.disks {
            lay(disk)?;
            let place = Place::new(&disk.overlay, Format::Qcow2);
            let image = Image::open(&place).map_err(crate::state::StateError::from)?;
            let stands =
                image.layers.get(1).is_some_and(|layer| files::is_same(&layer.path, &disk.base().path));
            if !stands {
                let path = disk.overlay.clone();
                return Err(FileError::at("find the sealed base of", &path)(io::Error::other(
                    "it is another file",
                ))
                .into());
            }
        }
        Ok(format!("{} disks are new", self.manifest.disks.len()))
    }
}

/// Name of a disk among evidence.
pub(super) fn disk_name(number: usize) -> String {
    format!("disk-{number}.qcow2")
}

/// Gives a disk a second name in the store, or copies it where the store is on another file system; read-only.
fn keep(disk: &Path, to: &Path) -> Result<(), FileError> {
    if !files::is_same(disk, to) {
        let _ = fs::remove_file(to);
        match fs::hard_link(disk, to) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let copied = fs::copy(disk, to).and_then(|_| fs::File::open(to)?.sync_all());
                copied.map_err(FileError::at("copy", disk))?;
            }
            linked => linked.map_err(FileError::at("keep", disk))?,
        }
        files::sync_folder(to).map_err(FileError::at("keep", disk))?;
    }
    files::set_mode(to, 0o444)
}
