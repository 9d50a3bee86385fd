//! `palisade guest audit`: what it takes, shapes and exit codes.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use serde_json::Value;

use crate::{images, palisade};

/// A machine whose root may log in with a password.
fn machine(folder: &Path) -> String {
    let put = |path: &str, text: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("it is written");
    };
    put("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    put("etc/shadow", "root:$1$saltsalt$secretsecret:1\n");
    fs::set_permissions(folder.join("etc/shadow"), Permissions::from_mode(0o640)).expect("it is ours");
    put("etc/ssh/sshd_config", "PermitRootLogin yes\nMaxAuthTries 6\nUsePAM yes\n");
    folder.display().to_string()
}

fn ids(run: &crate::Run) -> Vec<String> {
    let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let findings = told["findings"].as_array().expect("a list");
    findings.iter().map(|finding| finding["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn findings_have_evidence_and_make_the_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = machine(folder.path());
    let run = palisade(&["guest", "audit", &root, "--format", "json"], b"");
    assert_eq!(run.code, 1, "{}", run.stderr);
    let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let first = &told["findings"][0];
    assert_eq!(first["id"], "PAL-GUEST-SSH-ROOT");
    assert_eq!(first["evidence"]["path"], "/etc/ssh/sshd_config:1");
    assert_eq!(first["tags"][0], "CIS 5.1.20");
    assert!(!run.stdout.contains("secretsecret"));
    let table = palisade(&["guest", "audit", &root], b"");
    assert!(table.stdout.contains("error    PAL-GUEST-SSH-ROOT  CIS 5.1.20\n"), "{}", table.stdout);
}

#[test]
fn severities_selections_and_profiles() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = machine(folder.path());
    let audit =
        |more: &[&str]| palisade(&[&["guest", "audit", &root, "--format", "json"], more].concat(), b"");
    assert_eq!(ids(&audit(&["--min-severity", "error"])), ["PAL-GUEST-SSH-ROOT"]);
    assert_eq!(ids(&audit(&["--only", "CIS 5.1.16"])), ["PAL-GUEST-SSH-TRIES"]);
    let profile = folder.path().join("profile.json");
    fs::write(&profile, "{\"sshMaxAuthTriesMax\": 6}").expect("it is written");
    let profile = profile.display().to_string();
    let lenient = audit(&["--only", "PAL-GUEST-SSH-TRIES", "--profile", &profile]);
    assert_eq!((lenient.code, ids(&lenient)), (0, vec![]));
    fs::write(&profile, "{\"sshMaxTries\": 6}").expect("it is written");
    let wrong = audit(&["--profile", &profile]);
    assert!(wrong.code == 2 && wrong.stderr.contains("unknown field"), "{}", wrong.stderr);
    let unknown = audit(&["--skip", "PAL-NONE"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("docs/guest-audit.md"), "{}", unknown.stderr);
}

/// Audits with a profile that accepts findings.
fn accepting(form: &str, accepted: &str) -> crate::Run {
    let folder = tempfile::tempdir().expect("a folder");
    let root = machine(folder.path());
    let profile = folder.path().join("profile.json");
    fs::write(&profile, format!("{{\"accepted\": [{accepted}]}}")).expect("it is written");
    let profile = profile.display().to_string();
    palisade(
        &["guest", "audit", &root, "--profile", &profile, "--min-severity", "error", "--format", form],
        b"",
    )
}

#[test]
fn what_is_accepted_is_told_and_makes_no_exit_code() {
    let ours = r#"{"id": "PAL-GUEST-SSH-ROOT", "path": "/etc/ssh/*", "reason": "a lab", "until": "2100-01-31", "by": "ops"}"#;
    let run = accepting("json", ours);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let expected = serde_json::json!({ "reason": "a lab", "until": "2100-01-31", "by": "ops" });
    assert_eq!(told["findings"][0]["accepted"], expected);
    assert_eq!((&told["summary"]["errors"], &told["summary"]["accepted"]), (&0.into(), &1.into()));
    let table = accepting("table", ours).stdout;
    assert!(table.contains("PAL-GUEST-SSH-ROOT (accepted)  CIS"), "{table}");
    assert!(table.contains("  accepted until 2100-01-31 by ops: a lab\n"), "{table}");
    let log: Value = serde_json::from_str(&accepting("sarif", ours).stdout).expect("JSON");
    let suppression = &log["runs"][0]["results"][0]["suppressions"][0];
    let parts = ["kind", "status", "justification"].map(|part| suppression[part].as_str());
    assert_eq!(parts, [Some("external"), Some("accepted"), Some("a lab")]);
}

#[test]
fn an_acceptance_that_has_ended_counts_again_and_says_so() {
    let ended = r#"{"id": "PAL-GUEST-SSH-ROOT", "reason": "a lab", "until": "2020-01-31"}"#;
    let table = accepting("table", ended);
    assert_eq!(table.code, 1, "{}", table.stderr);
    assert!(
        table.stdout.contains("was accepted until 2020-01-31, which has passed: a lab"),
        "{}",
        table.stdout
    );
    let told: Value = serde_json::from_str(&accepting("json", ended).stdout).expect("JSON");
    let finding = &told["findings"][0];
    assert!(
        finding["accepted"].is_null() && finding["acceptanceEnded"]["until"] == "2020-01-31",
        "{finding}"
    );
    let log: Value = serde_json::from_str(&accepting("sarif", ended).stdout).expect("JSON");
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["suppressions"], serde_json::json!([]));
    assert!(result["message"]["text"].as_str().expect("text").contains("which has passed"), "{result}");
}

#[test]
fn an_acceptance_of_nothing_is_a_note_and_one_of_no_check_is_refused() {
    let unused = r#"{"id": "PAL-GUEST-SSH-ROOT", "path": "/srv/*", "reason": "a lab"}"#;
    let run = accepting("table", unused);
    let expected = "note     the acceptance of PAL-GUEST-SSH-ROOT at /srv/* fits no finding";
    assert!(run.code == 1 && run.stdout.contains(expected), "{}", run.stdout);
    // It is about a finding that is not told: the severity is too low.
    let quiet = accepting("table", r#"{"id": "PAL-GUEST-SSH-TRIES", "reason": "a lab"}"#);
    assert!(!quiet.stdout.contains("fits no finding"), "{}", quiet.stdout);
    for (accepted, expected) in [
        (r#"{"id": "PAL-GUEST-SSH-ROOTS", "reason": "x"}"#, "did you mean \"PAL-GUEST-SSH-ROOT\"?"),
        (r#"{"id": "PAL-GUEST-SSH", "reason": "x"}"#, "no finding \"PAL-GUEST-SSH\""),
        (r#"{"id": "PAL-GUEST-SSH-ROOT", "reason": " "}"#, "say why"),
        (r#"{"id": "PAL-GUEST-SSH-ROOT"}"#, "missing field `reason`"),
        (r#"{"id": "PAL-GUEST-SSH-ROOT", "reason": "x", "until": "2027-02-30"}"#, "write 2027-01-31"),
        (r#"{"id": "PAL-GUEST-SSH-ROOT", "reason": "x", "till": "2027-01-30"}"#, "unknown field `till`"),
    ] {
        let run = accepting("table", accepted);
        assert!(run.code == 2 && run.stdout.is_empty() && run.stderr.contains(expected), "{}", run.stderr);
    }
}

#[test]
fn sarif_names_the_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = palisade(&["guest", "audit", &machine(folder.path()), "--format", "sarif"], b"");
    let log: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let result = &log["runs"][0]["results"][0];
    assert_eq!((run.code, &result["ruleId"]), (1, &Value::from("PAL-GUEST-SSH-ROOT")));
    let place = &result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"];
    assert_eq!(place, "/etc/ssh/sshd_config:1");
    assert_eq!(
        log["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().expect("a number") as usize]["id"],
        result["ruleId"]
    );
}

#[test]
fn what_is_no_machine_is_bad_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("it is written");
        path.display().to_string()
    };
    fs::create_dir(folder.path().join("empty")).expect("a folder");
    let empty = folder.path().join("empty").display().to_string();
    let cases = [
        (empty.clone(), "holds no system"),
        (format!("{empty}/none"), "No such file"),
        (put("image.qcow2", b"QFI\xfb"), "image.qcow2: "),
        (put("image", b"QFI\xfb"), "write qcow2:PATH, or raw:PATH"),
        (put("image.img", b"QFI\xfb"), "write qcow2:PATH, or raw:PATH"),
        (put("image.vmdk", b"KDMV"), "it is a VMDK image"),
        (put("image.qed", b"QED\0"), "it is a QED image"),
        (put("image.vdi", &[[0; 64].as_slice(), b"\x7f\x10\xda\xbe"].concat()), "it is a VDI image"),
        (put("image.raw", &[0; 4_096]), "no file system of it is read"),
        (put("SAM", b"regf"), "not a registry hive"),
    ];
    for (path, expect) in cases {
        let run = palisade(&["guest", "audit", &path], b"");
        assert!(
            run.code == 2 && run.stdout.is_empty() && run.stderr.contains(expect),
            "{path}: {}",
            run.stderr
        );
    }
}

#[test]
fn an_image_tells_what_a_folder_tells() {
    let folder = tempfile::tempdir().expect("a folder");
    let tree = folder.path().join("tree");
    let root = machine(&tree);
    let at = |name: &str| folder.path().join(name).display().to_string();
    if !images::file_system(&tree, &at("disk.raw")) || !images::qcow2(&at("disk.raw"), &at("base.qcow2")) {
        return;
    }
    images::overlay("base.qcow2", &at("top.qcow2"));
    let told = |path: &str| palisade(&["guest", "audit", path, "--format", "json"], b"");
    let expect = told(&root);
    for path in [at("disk.raw"), at("base.qcow2"), at("top.qcow2"), format!("qcow2:{}", at("top.qcow2"))] {
        let run = told(&path);
        assert_eq!((run.code, run.stdout), (1, expect.stdout.clone()), "{path}: {}", run.stderr);
    }
    let none = palisade(&["guest", "timeline", &at("top.qcow2")], b"");
    assert!(none.code == 2 && none.stderr.contains("no event logs of Windows"), "{}", none.stderr);
}

#[test]
fn images_that_lead_elsewhere_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir(folder.path().join("inside")).expect("a folder");
    fs::write(at("secret.raw"), [0; 4_096]).expect("it is written");
    fs::write(at("inside/base.raw"), vec![0; 1 << 20]).expect("it is written");
    if !images::qcow2(&at("inside/base.raw"), &at("inside/base.qcow2")) {
        return;
    }
    images::overlay("../secret.raw", &at("inside/upward.qcow2"));
    images::overlay(&at("secret.raw"), &at("inside/absolute.qcow2"));
    images::overlay("base.qcow2", &at("inside/cut.qcow2"));
    let file = fs::File::options().write(true).open(at("inside/cut.qcow2")).expect("it is there");
    file.set_len(70_000).expect("it is cut");
    for (name, expect) in
        [("upward", "leaves the folder"), ("absolute", "is an absolute path"), ("cut", "inside/cut.qcow2: ")]
    {
        let run = palisade(&["guest", "audit", &at(&format!("inside/{name}.qcow2"))], b"");
        assert!(
            run.code == 2 && run.stdout.is_empty() && run.stderr.contains(expect),
            "{name}: {}",
            run.stderr
        );
    }
}
