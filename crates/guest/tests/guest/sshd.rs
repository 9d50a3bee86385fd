//! Generated settings of sshd, with includes and matches, as we read them and as `sshd -T` does.

use std::{fs, net::IpAddr, path::Path, process::Command};

use palisade_guest::{
    MemoryFiles,
    sshd::{Config, Connection},
};
use proptest::{
    prelude::*,
    test_runner::{Config as Cases, TestRunner},
};

const SSHD: &str = "/usr/sbin/sshd";
/// Words whose values are compared.
const SETTINGS: &[(&str, &[&str])] = &[
    (
        "PermitRootLogin",
        &["yes", "no", "prohibit-password", "without-password", "forced-commands-only", "maybe"],
    ),
    ("PasswordAuthentication", &["yes", "no", "YES", "\"no\""]),
    ("kbdinteractiveauthentication", &["yes", "no"]),
    ("ChallengeResponseAuthentication", &["yes", "no"]),
    ("PermitEmptyPasswords", &["yes", "no"]),
    ("MaxAuthTries", &["1", "3", "12", "x"]),
    ("MaxSessions", &["0", "4"]),
    ("LoginGraceTime", &["0", "30", "2m", "1h30m", "5x"]),
    ("X11Forwarding", &["yes", "no"]),
    ("AllowTcpForwarding", &["yes", "no", "local", "all"]),
    ("DisableForwarding", &["yes", "no"]),
    ("GatewayPorts", &["yes", "no", "clientspecified"]),
    ("UsePAM", &["yes", "no"]),
    ("LogLevel", &["INFO", "verbose", "QUIET", "DEBUG1"]),
    ("ClientAliveInterval", &["0", "5m"]),
    ("ClientAliveCountMax", &["0", "2"]),
    ("StrictModes", &["yes", "no"]),
    ("IgnoreRhosts", &["yes", "no", "shosts-only"]),
    ("HostbasedAuthentication", &["yes", "no"]),
    ("PermitUserEnvironment", &["yes", "no"]),
    ("PermitTunnel", &["yes", "no", "ethernet"]),
    ("AllowUsers", &["alice", "alice bob", "*@192.0.2.1", "a* # b"]),
    ("DenyUsers", &["mallory", "m* n*"]),
    ("AllowGroups", &["wheel", "wheel sudo"]),
    ("AcceptEnv", &["LANG LC_*", "X"]),
    ("AuthorizedKeysFile", &[".ssh/authorized_keys", "/etc/keys/%u .ssh/k", "none"]),
    ("AuthenticationMethods", &["publickey", "publickey,password publickey"]),
    ("ForceCommand", &["/bin/false", "echo \"a  b\" # c", "none"]),
    ("Banner", &["/etc/issue.net", "none"]),
    ("Port", &["22", "2222"]),
    ("Nonsense", &["yes"]),
];
const MATCHES: &[&str] = &[
    "User alice",
    "User alice,bob",
    "User *,!alice",
    "user=bob",
    "Host *.example.org",
    "Address 192.0.2.0/24",
    "Address 192.0.2.0/24,!192.0.2.7",
    "Address 2001:db8::/32 User alice",
    "Address 192.0.2.*",
    "LocalPort 2222",
    "LocalAddress 198.51.100.1",
    "all",
    "all # for everybody",
    "User",
    "User alice all",
    "Address 192.0.2.1/24",
];

/// A line, in text; includes name files by number.
fn a_line() -> impl Strategy<Value = String> {
    let setting =
        (0..SETTINGS.len(), any::<prop::sample::Index>(), 0..4_u8).prop_map(|(word, value, form)| {
            let (word, values) = SETTINGS[word];
            let value = values[value.index(values.len())];
            match form {
                0 => format!("{word}={value}"),
                1 => format!("  {}\t{value}  ", word.to_lowercase()),
                _ => format!("{word} {value}"),
            }
        });
    let matching = (0..MATCHES.len()).prop_map(|which| format!("Match {}", MATCHES[which]));
    let include = prop_oneof![
        Just("Include FOLDER/*.conf"),
        Just("Include FOLDER/b.conf FOLDER/none"),
        Just("include FOLDER/[ac].conf")
    ];
    let other = prop_oneof![Just("# a comment"), Just(""), Just("RekeyLimit 1G"), Just("IPQoS throughput")];
    prop_oneof![
        12 => setting,
        4 => matching,
        1 => include.prop_map(str::to_owned),
        1 => other.prop_map(str::to_owned),
    ]
}

fn a_file(lines: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(a_line(), 0..lines).prop_map(|lines| lines.join("\n") + "\n")
}

/// What `sshd -T` says, in lines; `None` if it refuses.
fn judged(config: &Path, key: &Path, connection: Option<&str>) -> Option<Vec<String>> {
    // It asks for an empty folder that only a running system has; it gets one that nobody else sees.
    let script = format!("mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec {SSHD} -T \"$@\"");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--map-root-user", "sh", "-c", &script, "sshd", "-f"])
        .arg(config)
        .arg("-h")
        .arg(key);
    if let Some(connection) = connection {
        command.args(["-C", connection]);
    }
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).expect("it prints text");
    output.status.success().then(|| text.lines().map(str::to_owned).collect())
}

/// Lines about the words that we know, sorted.
fn known(lines: Vec<String>) -> Vec<String> {
    let word = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let lists = ["acceptenv", "allowgroups", "allowusers", "denygroups", "denyusers"].map(str::to_owned);
    let words: Vec<String> =
        Config::default().global().lines().iter().map(|line| word(line)).chain(lists).collect();
    let mut lines: Vec<String> = lines.into_iter().filter(|line| words.contains(&word(line))).collect();
    lines.sort();
    lines
}

/// The lines in which two differ.
fn difference(theirs: Vec<String>, ours: Vec<String>) -> Option<(Vec<String>, Vec<String>)> {
    let (theirs, ours) = (known(theirs), known(ours));
    let beside =
        |one: &[String], other: &[String]| one.iter().filter(|line| !other.contains(line)).cloned().collect();
    (theirs != ours).then(|| (beside(&theirs, &ours), beside(&ours, &theirs)))
}

#[test]
fn settings_are_read_as_sshd_reads_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    if !Path::new(SSHD).exists() || !made.is_ok_and(|made| made.success()) {
        println!("skipped: sshd and ssh-keygen are not installed (apt install openssh-server)");
        return;
    }
    let main = folder.path().join("sshd_config");
    fs::write(&main, "").expect("it is written");
    if judged(&main, &key, None).is_none() {
        println!("skipped: sshd -T does not run here");
        return;
    }
    let included = folder.path().join("conf.d");
    fs::create_dir(&included).expect("a folder");
    let cases = std::env::var("PALISADE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150);
    let mut runner = TestRunner::new(Cases { cases, failure_persistence: None, ..Cases::default() });
    let reached = std::cell::Cell::new([0; 2]);
    let files = (a_file(14), prop::collection::vec(a_file(5), 3));
    let run = runner.run(&files, |(text, others)| {
        let mut memory = MemoryFiles::default();
        let mut put = |path: &Path, text: &str| {
            let text = text.replace("FOLDER", included.to_str().expect("text"));
            fs::write(path, &text).expect("it is written");
            memory.add(path.to_str().expect("text"), text);
        };
        put(&main, &text);
        for (name, text) in ["a.conf", "b.conf", "c.conf"].iter().zip(&others) {
            // One that includes others may be among them, which is refused in the end.
            put(
                &included.join(name),
                &text.replace("FOLDER/*.conf", "FOLDER/none").replace("FOLDER/", "FOLDER/x"),
            );
        }
        let ours = Config::read(&memory, main.to_str().expect("text")).expect("it is read");
        let connections = [("alice", "192.0.2.7"), ("bob", "192.0.2.8"), ("alice", "2001:db8::7")];
        let asked = connections.map(|(user, address)| {
            let asked =
                format!("user={user},host=h.example.org,addr={address},laddr=198.51.100.1,lport=2222");
            judged(&main, &key, Some(&asked))
        });
        prop_assert_eq!(asked[0].is_some(), ours.refusals().is_empty(), "{:?}", ours.refusals());
        let [refused, read] = reached.get();
        if asked[0].is_none() {
            reached.set([refused + 1, read]);
            return Ok(());
        }
        reached.set([refused, read + 1]);
        // Without a connection it refuses a match of what it is not told, which a running sshd does not.
        if let Some(theirs) = judged(&main, &key, None) {
            prop_assert_eq!(difference(theirs, ours.global().lines()), None);
        }
        for ((user, address), theirs) in connections.into_iter().zip(asked) {
            let connection = Connection {
                user: Some(user.to_owned()),
                host: Some("h.example.org".to_owned()),
                address: address.parse::<IpAddr>().ok(),
                local_address: "198.51.100.1".parse().ok(),
                local_port: Some(2222),
                groups: Vec::new(),
            };
            let theirs = theirs.expect("it was read before");
            prop_assert_eq!(difference(theirs, ours.of(&connection).lines()), None);
        }
        Ok(())
    });
    run.expect("they agree");
    let [refused, read] = reached.get();
    println!("{refused} settings were refused by both, {read} read alike");
    assert!(refused > 0 && read > 0);
}
