//! A revert that ends anywhere goes on, or is given up, and ends where it should.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, rc::Rc};

use palisade_guest::disk::{Disk, volumes};
use palisade_recovery::{
    evidence::EvidenceError,
    image::{Format, Image, Place},
    revert::{
        Cold, HandError, Hands, Moment, Nothing, Plan, Policy, Revert, RevertError, Step, seed::Seed,
        unfinished,
    },
    scan,
};
use serde_json::json;

use crate::fixture::{Fixture, NOW};

/// Writes down what it was asked for.
#[derive(Default)]
struct Paper(Vec<&'static str>);

impl Paper {
    fn write(&mut self, what: &'static str) -> Result<String, HandError> {
        self.0.push(what);
        Ok(what.to_owned())
    }
}

impl Policy for Paper {
    fn quarantine(&mut self, _: &Plan) -> Result<String, HandError> {
        self.write("quarantine")
    }

    fn record(&mut self, _: &Plan) -> Result<serde_json::Value, HandError> {
        self.write("record").map(|_| json!({"grants": []}))
    }

    fn revoke_grants(&mut self, _: &Plan) -> Result<String, HandError> {
        self.write("revoke")
    }

    fn note_custody(&mut self, _: &Plan, head: &str) -> Result<String, HandError> {
        assert_eq!(head.len(), 64);
        self.write("custody")
    }

    fn tighten(&mut self, _: &Plan) -> Result<String, HandError> {
        self.write("tighten")
    }

    fn watch(&mut self, _: &Plan) -> Result<String, HandError> {
        self.write("watch")
    }
}

fn plan(state: &str) -> Plan {
    Plan {
        id: "revert-1".into(),
        machine: "web".into(),
        state: state.into(),
        begun: NOW,
        by: "rosa".into(),
        why: "INC-7".into(),
        memory_max: 0,
        modes: Vec::new(),
        hands: json!(null),
    }
}

/// Runs until `heed` says no.
fn run(
    revert: Revert<'_>,
    paper: &mut Paper,
    heed: &mut dyn FnMut(Moment) -> bool,
) -> Result<(), RevertError> {
    let (mut cold, mut prepare, mut audit) = (Cold, Nothing, Nothing);
    let mut hands = Hands { machine: &mut cold, policy: paper, prepare: &mut prepare, audit: &mut audit };
    revert.run(&mut hands, &|_| {}, &|| NOW, heed).map(drop)
}

fn root(path: PathBuf) -> [u8; 32] {
    scan::content(&Image::open(&Place::new(path, Format::Qcow2)).unwrap(), &|_| {}).unwrap().root()
}

/// A machine that was sealed and then taken.
fn taken() -> Option<(Fixture, String, [u8; 32])> {
    let fixture = Fixture::new();
    let id = fixture.seal().id;
    let clean = root(fixture.overlay());
    fixture.write(70_000, 200_000)?;
    assert_ne!(root(fixture.overlay()), clean);
    Some((fixture, id, clean))
}

/// The machine is clean, and what it was is evidence.
fn check_reverted(fixture: &Fixture, state: &str, clean: [u8; 32], taken: [u8; 32]) {
    assert_eq!(root(fixture.overlay()), clean);
    let [evidence] = &fixture.store.evidence().unwrap()[..] else { panic!("one piece of evidence") };
    fixture.store.check_evidence(evidence).unwrap();
    assert_eq!(fixture.store.custody().unwrap().len(), 1);
    let top = Place::new(fixture.store.evidence_folder(&evidence.id).join("disk-0.qcow2"), Format::Qcow2);
    let base = fixture.store.state(state, &fixture.check()).unwrap().disks[0].layers[0].path.clone();
    let image = Image::open_on(&top, &Place::new(base, Format::Raw)).unwrap();
    assert_eq!(scan::content(&image, &|_| {}).unwrap().root(), taken);
    let disks = fixture.store.evidence_disks("revert-1", &fixture.check()).unwrap();
    let written = 65_536..327_680;
    assert_eq!(disks[0].ranges(&|_| {}).unwrap(), [written]);
    assert!(unfinished(&fixture.store).unwrap().is_empty());
}

#[test]
fn a_crash_at_any_moment_is_continued() {
    for step in Step::ALL {
        for moment in [Moment::Before(step), Moment::Undocumented(step)] {
            let Some((fixture, id, clean)) = taken() else { return };
            let was = root(fixture.overlay());
            let mut paper = Paper::default();
            let revert = Revert::begin(&fixture.store, plan(&id), &fixture.check()).unwrap();
            let stopped = run(revert, &mut paper, &mut |now| now != moment);
            assert!(matches!(stopped, Err(RevertError::Stopped { step: at }) if at == step), "{moment:?}");
            let revert = Revert::resume(&fixture.store, "web", &fixture.check()).unwrap();
            run(revert, &mut paper, &mut |_| true).unwrap_or_else(|error| panic!("{moment:?}: {error}"));
            check_reverted(&fixture, &id, clean, was);
            // In order; the one that was interrupted perhaps twice.
            paper.0.dedup();
            assert_eq!(
                paper.0,
                ["quarantine", "record", "revoke", "custody", "tighten", "watch"],
                "{moment:?}"
            );
        }
    }
}

#[test]
fn until_the_disks_are_new_it_can_be_abandoned() {
    for step in Step::ALL {
        let Some((fixture, id, clean)) = taken() else { return };
        let was = root(fixture.overlay());
        fs::set_permissions(fixture.overlay(), fs::Permissions::from_mode(0o640)).unwrap();
        let revert = Revert::begin(&fixture.store, plan(&id), &fixture.check()).unwrap();
        run(revert, &mut Paper::default(), &mut |now| now != Moment::Undocumented(step)).unwrap_err();
        let revert = Revert::resume(&fixture.store, "web", &fixture.check()).unwrap();
        let abandoned = revert.abandon("rosa", NOW);
        if step < Step::POINT_OF_NO_RETURN {
            abandoned.unwrap();
            assert_eq!(root(fixture.overlay()), was, "{step}");
            assert_eq!(
                fs::metadata(fixture.overlay()).unwrap().permissions().mode() & 0o777,
                0o640,
                "{step}"
            );
            assert!(fixture.store.evidence().unwrap().is_empty());
            assert!(unfinished(&fixture.store).unwrap().is_empty());
            fixture.write(0, 512).unwrap();
        } else {
            assert!(matches!(abandoned, Err(RevertError::TooLate { .. })), "{step}");
            let revert = Revert::resume(&fixture.store, "web", &fixture.check()).unwrap();
            run(revert, &mut Paper::default(), &mut |_| true).unwrap();
            check_reverted(&fixture, &id, clean, was);
        }
    }
}

#[test]
fn two_reverts_of_one_machine_cannot_run() {
    let fixture = Fixture::new();
    let id = fixture.seal().id;
    let first = Revert::begin(&fixture.store, plan(&id), &fixture.check()).unwrap();
    let held = Revert::resume(&fixture.store, "web", &fixture.check()).unwrap_err();
    assert!(held.to_string().contains("somebody else is changing web"), "{held}");
    drop(first);
    let unfinished = Revert::begin(&fixture.store, plan(&id), &fixture.check()).unwrap_err();
    assert!(matches!(unfinished, RevertError::Unfinished { .. }));
}

#[test]
fn a_damaged_base_is_never_booted() {
    let fixture = Fixture::new();
    let manifest = fixture.seal();
    let base = &manifest.disks[0].layers[0].path;
    let mut bytes = fs::read(base).unwrap();
    bytes[300_000] ^= 1;
    fs::remove_file(base).unwrap();
    fs::write(base, bytes).unwrap();
    let revert = Revert::begin(&fixture.store, plan(&manifest.id), &fixture.check()).unwrap();
    let error = run(revert, &mut Paper::default(), &mut |_| true).unwrap_err();
    let RevertError::Damaged { problems, .. } = &error else { panic!("{error}") };
    assert!(problems[0].ends_with("differs at bytes 262144-327679"), "{problems:?}");
}

#[test]
fn a_torn_journal_goes_on_and_a_changed_one_does_not() {
    let fixture = Fixture::new();
    let id = fixture.seal().id;
    let revert = Revert::begin(&fixture.store, plan(&id), &fixture.check()).unwrap();
    run(revert, &mut Paper::default(), &mut |now| now != Moment::Before(Step::Freeze)).unwrap_err();
    let path = fixture.store.root().join("reverts/web.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    for cut in 1..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let resumed = Revert::resume(&fixture.store, "web", &fixture.check());
        let lines = whole[..cut].matches('\n').count();
        match resumed {
            Ok(revert) => assert_eq!(revert.journal().records().len(), lines, "{cut}"),
            Err(error) => {
                assert!(lines == 0 && matches!(error, RevertError::NoRevert { .. }), "{cut}: {error}");
            }
        }
    }
    let mut lines: Vec<&str> = whole.lines().collect();
    lines.remove(2);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let dropped = Revert::resume(&fixture.store, "web", &fixture.check()).unwrap_err();
    assert!(matches!(dropped, RevertError::Journal { line: 3, .. }), "{dropped}");
}

#[test]
fn custody_shows_what_was_changed() {
    let Some((fixture, id, _)) = taken() else { return };
    let revert = Revert::begin(&fixture.store, plan(&id), &fixture.check()).unwrap();
    run(revert, &mut Paper::default(), &mut |_| true).unwrap();
    let held = fixture.store.delete(&id, &fixture.check()).unwrap_err();
    assert!(held.to_string().contains("stands on it"), "{held}");
    let to = fixture.folder.path().join("export");
    let written = fixture.store.export_evidence("revert-1", &to, "rosa", NOW).unwrap();
    assert_eq!(written.len(), 5, "{written:?}");
    assert_eq!(fixture.store.custody().unwrap().len(), 2);
    let log = fixture.store.root().join("custody.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("rosa", "karl", 1)).unwrap();
    assert!(matches!(fixture.store.custody(), Err(EvidenceError::Broken { line: 2, .. })));
    let disk = fixture.store.evidence_folder("revert-1").join("disk-0.qcow2");
    fs::remove_file(&disk).unwrap();
    fs::write(&disk, "another").unwrap();
    let evidence = fixture.store.evidence_named("revert-1").unwrap();
    assert!(matches!(fixture.store.check_evidence(&evidence), Err(EvidenceError::Changed { .. })));
}

#[test]
fn settings_are_on_the_drive_before_the_boot() {
    let fixture = Fixture::new();
    let id = fixture.seal().id;
    let at = |name: &str| fixture.folder.path().join(name);
    fs::write(at("user-data"), "#cloud-config\nssh_pwauth: false\n").unwrap();
    let mut seed = Seed { drive: at("seed.img"), user_data: at("user-data") };
    let (mut cold, mut paper, mut audit) = (Cold, Paper::default(), Nothing);
    let mut hands = Hands { machine: &mut cold, policy: &mut paper, prepare: &mut seed, audit: &mut audit };
    let revert = Revert::begin(&fixture.store, plan(&id), &fixture.check()).unwrap();
    revert.run(&mut hands, &|_| {}, &|| NOW, &mut |_| true).unwrap();
    let drive: Rc<dyn Disk> = Rc::new(fs::read(at("seed.img")).unwrap());
    let drive = volumes(&drive).remove(0);
    let files = drive.tree.unwrap().unwrap();
    let text = |name: &str| String::from_utf8(files.read(name, 100).unwrap().unwrap()).unwrap();
    assert_eq!(drive.kind, "FAT");
    assert_eq!(text("/meta-data"), "instance-id: \"revert-1\"\nlocal-hostname: \"web\"\n");
    assert_eq!(text("/user-data"), "#cloud-config\nssh_pwauth: false\n");
}
