//! `palisade evidence diff` by files, and the audits of `clean-state create` and `revert`, on a Linux that somebody has taken.

use std::fs;

use serde_json::Value;

use crate::{clean_state::Case, images, palisade};

impl Case {
    pub fn json(&self, arguments: &[&str], code: i32) -> Value {
        let run = self.run(&[arguments, &["--format", "json"]].concat());
        assert_eq!(run.code, code, "{}", run.stderr);
        serde_json::from_str(&run.stdout).expect("JSON")
    }

    /// The machine's sealed disk.
    fn base(&self) -> String {
        let state = &self.json(&["clean-state", "list"], 0)[0];
        state["disks"][0]["layers"][0]["path"].as_str().expect("a path").to_owned()
    }
}

/// A machine that was sealed with these options; `None` where tools are missing.
pub fn sealed(options: &[&str]) -> Option<Case> {
    let case = Case(tempfile::tempdir().expect("a folder"));
    let put = |path: &str, text: &str| {
        let path = case.0.path().join("tree").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("it is written");
    };
    put("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    put("etc/shadow", "root:!:1\n");
    put("etc/ssh/sshd_config", "PermitRootLogin no\nPasswordAuthentication no\n");
    put("etc/cron.d/known", "# nothing\n");
    put("usr/bin/tool", "a program\n");
    put("var/log/syslog", "quiet\n");
    if !images::file_system(&case.0.path().join("tree"), &case.path("web.raw"))
        || !images::qcow2(&case.path("web.raw"), &case.path("web.qcow2"))
    {
        return None;
    }
    assert_eq!(palisade(&["clean-state", "key", &case.path("key")], b"").code, 0);
    let (disk, key) = (case.path("web.qcow2"), case.path("key"));
    let run =
        case.run(&[&["clean-state", "create", "web", "--disk", &disk, "--key", &key], options].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    Some(case)
}

/// Lets somebody in: an account that is root, a job, another program with root's rights, and a weaker sshd.
pub fn taken(case: &Case) -> bool {
    let put = |name: &str, text: &str, path: &str| {
        fs::write(case.path(name), text).expect("it is written");
        [format!("rm {path}"), format!("write {} {path}", case.path(name))]
    };
    let passwd = "root:x:0:0::/root:/bin/sh\nevil:x:0:0::/root:/bin/sh\n";
    let commands = [
        put("passwd", passwd, "/etc/passwd"),
        put("shadow", "root:!:1\nevil:$6$saltsalt$secretsecret:1\n", "/etc/shadow"),
        put("sshd", "PermitRootLogin yes\nPort 2222\n", "/etc/ssh/sshd_config"),
        put("job", "* * * * * root /tmp/x\n", "/etc/cron.d/x\u{1b}[2J"),
        ["set_inode_field /usr/bin/tool mode 0104755", "rm /var/log/syslog"].map(str::to_owned),
    ];
    images::change(&case.path("web.raw"), &commands.concat())
        && images::rewritten(&case.path("web.raw"), &case.base(), &case.path("web.qcow2"))
}

fn strings<'v>(list: &'v Value, key: &str) -> Vec<&'v str> {
    list.as_array().expect("a list").iter().map(|one| one[key].as_str().expect("text")).collect()
}

#[test]
fn what_an_intruder_changed_is_told_by_files_and_by_what_matters() {
    let Some(case) = sealed(&[]) else { return };
    if !taken(&case) {
        return;
    }
    let records = case.json(&["clean-state", "revert", "web", "--why", "INC-7"], 0);
    let audit = records.as_array().expect("a list").iter().find(|record| record["done"]["step"] == "audit");
    let note = audit.expect("the step")["done"]["note"].as_str().expect("words");
    assert!(note.ends_with("as audit.json; nothing is worse than in the sealed state"), "{note}");
    let list = case.json(&["evidence", "list"], 0);
    let id = list["evidence"][0]["id"].as_str().expect("a name");
    assert!(case.0.path().join("store/evidence").join(id).join("audit.json").exists());
    let told = case.json(&["evidence", "diff", id], 1);
    let changes = &told["system"]["changes"];
    let topics = strings(changes, "topic");
    for topic in ["account", "password", "cron", "listening", "sshd"] {
        assert!(topics.contains(&topic), "{topic}: {changes}");
    }
    assert!(strings(changes, "subject").contains(&"sshd port 2222"), "{changes}");
    let compared = &told["disks"][0]["volumes"][0]["compared"];
    assert_eq!(compared["unread"], Value::Array(vec![]));
    let files = &compared["files"];
    let change = |path: &str| {
        let file = files.as_array().expect("a list").iter().find(|file| file["path"] == path);
        let what =
            file.unwrap_or_else(|| panic!("{path}: {files}"))["what"].as_array().expect("a list").clone();
        what.iter().map(|word| word.as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    assert!(change("/etc/passwd").contains(&"contents".to_owned()));
    assert_eq!(change("/etc/cron.d/x\\x1b[2J"), ["added"]);
    assert_eq!(change("/var/log/syslog"), ["removed"]);
    assert!(change("/usr/bin/tool").contains(&"mode".to_owned()));
    assert!(!strings(files, "path").contains(&"/etc/cron.d/known"), "{files}");
    let table = case.run(&["evidence", "diff", id]);
    assert!(table.code == 1 && table.stdout.starts_with("WHAT MATTERS"), "{}", table.stdout);
    assert!(!table.stdout.contains('\u{1b}') && !table.stdout.contains("secretsecret"), "{}", table.stdout);
    assert!(!table.stdout.contains("bytes "), "all of it is in a file system: {}", table.stdout);
    let blocks = case.run(&["evidence", "diff", id, "--quick", "--blocks"]);
    assert!(blocks.code == 1 && blocks.stdout.contains("bytes "), "{}", blocks.stdout);
}

#[test]
fn a_state_is_sealed_with_the_audit_of_its_disks() {
    let Some(case) = sealed(&[]) else { return };
    let id = case.json(&["clean-state", "list"], 0)[0]["id"].as_str().expect("a name").to_owned();
    assert_eq!(case.json(&["clean-state", "list"], 0)[0]["auditSha256"].as_str().map(str::len), Some(64));
    let report = fs::read(case.0.path().join("store/states").join(id).join("audit.json")).expect("a report");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    let alone = palisade(&["guest", "audit", &case.base(), "--format", "json"], b"");
    assert_eq!(report, serde_json::from_str::<Value>(&alone.stdout).expect("JSON"));
    let Some(bare) = sealed(&["--no-audit"]) else { return };
    assert_eq!(bare.json(&["clean-state", "list"], 0)[0]["auditSha256"], Value::Null);
}
