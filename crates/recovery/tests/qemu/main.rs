//! A revert of a machine that QEMU runs, emulated, over its control socket.
//!
//! The machine has no system: its firmware boots from the network again and again, and so sends frames whenever its link is up. What an intruder would
//! write, the test writes through the running QEMU's own block layer.

mod libvirt;
mod machine;

use std::{fs, thread, time::Duration};

use palisade_recovery::{
    evidence::EvidenceError,
    image::{Format, Image, Place},
    revert::{HandError, Hands, Machine, Moment, Nothing, Plan, Policy, Revert, RevertError, Step},
    scan,
};
use serde_json::{Value, json};

use libvirt::Daemon;
use machine::{Lab, NOW, STATE};

/// Nobody judges packets here; the link alone isolates.
struct Open;

impl Policy for Open {
    fn quarantine(&mut self, _: &Plan) -> Result<String, HandError> {
        Ok(String::new())
    }

    fn record(&mut self, _: &Plan) -> Result<Value, HandError> {
        Ok(Value::Null)
    }

    fn revoke_grants(&mut self, _: &Plan) -> Result<String, HandError> {
        Ok(String::new())
    }

    fn note_custody(&mut self, _: &Plan, _: &str) -> Result<String, HandError> {
        Ok(String::new())
    }

    fn tighten(&mut self, _: &Plan) -> Result<String, HandError> {
        Ok(String::new())
    }

    fn watch(&mut self, _: &Plan) -> Result<String, HandError> {
        Ok(String::new())
    }
}

fn plan() -> Plan {
    Plan {
        id: "revert-1".into(),
        machine: "web".into(),
        state: STATE.into(),
        begun: NOW,
        by: "rosa".into(),
        why: "INC-7".into(),
        memory_max: 256 << 20,
        modes: Vec::new(),
        hands: json!(null),
    }
}

fn run(lab: &Lab, heed: &mut dyn FnMut(Moment) -> bool) -> Result<(), RevertError> {
    run_with(lab, &mut lab.qemu.clone(), heed)
}

fn run_with(
    lab: &Lab,
    machine: &mut dyn Machine,
    heed: &mut dyn FnMut(Moment) -> bool,
) -> Result<(), RevertError> {
    let check = lab.key.check();
    let revert =
        Revert::resume(&lab.store, "web", &check).or_else(|_| Revert::begin(&lab.store, plan(), &check))?;
    let mut hands = Hands { machine, policy: &mut Open, prepare: &mut Nothing, audit: &mut Nothing };
    revert.run(&mut hands, &|_| {}, &|| NOW, heed).map(drop)
}

fn root(lab: &Lab) -> [u8; 32] {
    let image = Image::open(&Place::new(&lab.disk, Format::Qcow2)).unwrap();
    scan::content(&image, &|_| {}).unwrap().root()
}

#[test]
fn a_machine_comes_back_clean_and_alone() {
    let Some(mut lab) = Lab::new() else { return };
    let clean = root(&lab);
    lab.qemu.boot().unwrap();
    lab.qemu.set_link(true).unwrap();
    lab.wait_for_frames();
    lab.intrude();
    let mut frames_before_link = None;
    run(&lab, &mut |moment| {
        if moment == Moment::Undocumented(Step::Boot) {
            // Long enough for its firmware to send, if it could.
            thread::sleep(Duration::from_secs(3));
        }
        if moment == Moment::Before(Step::LinkUp) {
            frames_before_link = Some(lab.frame_bytes());
        }
        true
    })
    .unwrap();
    assert_eq!(frames_before_link, Some(0), "it sent before its link was up");
    lab.wait_for_frames();
    lab.qemu.power_off().unwrap();
    assert_eq!(root(&lab), clean);
    let evidence = lab.store.evidence_named("revert-1").unwrap();
    let names: Vec<&str> = evidence.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["disk-0.qcow2", "memory.elf", "record.json"]);
    lab.store.check_evidence(&evidence).unwrap();
    let disks = lab.store.evidence_disks("revert-1", &lab.key.check()).unwrap();
    let written = 0x10_0000..0x11_0000;
    assert_eq!(disks[0].ranges(&|_| {}).unwrap(), [written]);
    let memory = lab.store.evidence_folder("revert-1").join("memory.elf");
    assert!(fs::metadata(memory).unwrap().len() > 32 << 20);
}

/// The machine must end as it should wherever the run before it ended, also between what QEMU did and the journal.
#[test]
fn a_crash_at_any_moment_is_continued() {
    for step in Step::ALL {
        let Some(mut lab) = Lab::new() else { return };
        let clean = root(&lab);
        lab.qemu.boot().unwrap();
        lab.intrude();
        let stopped = run(&lab, &mut |moment| moment != Moment::Undocumented(step));
        assert!(matches!(stopped, Err(RevertError::Stopped { .. })), "{step}: {stopped:?}");
        run(&lab, &mut |_| true).unwrap_or_else(|error| panic!("{step}: {error}"));
        lab.qemu.power_off().unwrap();
        assert_eq!(root(&lab), clean, "{step}");
        let evidence = lab.store.evidence_named("revert-1").unwrap();
        lab.store.check_evidence(&evidence).unwrap_or_else(|error: EvidenceError| panic!("{step}: {error}"));
    }
}

#[test]
fn a_running_machine_is_not_sealed() {
    let Some(mut lab) = Lab::new() else { return };
    lab.qemu.boot().unwrap();
    let error = lab.seal(NOW + 1).unwrap_err();
    assert!(error.to_string().ends_with("is in use (stop the machine first)"), "{error}");
    lab.qemu.power_off().unwrap();
    lab.seal(NOW + 1).unwrap();
}

/// The same way back through libvirt, interrupted after every step that it takes part in.
#[test]
fn a_machine_of_libvirt_comes_back() {
    let Some(lab) = Lab::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(daemon) = Daemon::start(folder.path(), &lab.disk) else { return };
    let clean = root(&lab);
    let mut machine = daemon.machine();
    machine.boot().unwrap();
    assert_eq!(daemon.virsh(&["domif-getlink", "web", "vm-web"]).trim(), "vm-web down");
    daemon.virsh(&[
        "qemu-monitor-command",
        "--hmp",
        "web",
        "qemu-io libvirt-1-format \"write -P 0x66 1M 512\"",
    ]);
    for step in [Step::Quarantine, Step::Freeze, Step::PowerOff, Step::Boot, Step::LinkUp] {
        let stopped = run_with(&lab, &mut machine, &mut |moment| moment != Moment::Undocumented(step));
        assert!(matches!(stopped, Err(RevertError::Stopped { .. })), "{step}: {stopped:?}");
    }
    run_with(&lab, &mut machine, &mut |_| true).unwrap();
    assert_eq!(daemon.virsh(&["domstate", "web"]).trim(), "running");
    assert_eq!(daemon.virsh(&["domif-getlink", "web", "vm-web"]).trim(), "vm-web up");
    machine.power_off().unwrap();
    assert_eq!(root(&lab), clean);
    let evidence = lab.store.evidence_named("revert-1").unwrap();
    let names: Vec<&str> = evidence.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["disk-0.qcow2", "memory.elf", "record.json"]);
    daemon.virsh(&["undefine", "web"]);
    let error = machine.set_link(false).unwrap_err().to_string();
    assert!(error.starts_with("virsh dominfo:") && error.contains("web"), "{error}");
}
