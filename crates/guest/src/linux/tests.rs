use crate::{MemoryFiles, Profile, audit};

/// A machine in order; each test changes something of it.
const GOOD: &[(&str, &str)] = &[
    (
        "/etc/passwd",
        "root:x:0:0:root:/srv/root:/bin/bash\nalice:x:1000:1000::/srv/alice:/bin/bash\nwww:x:33:33::/var/www:/usr/sbin/nologin\n",
    ),
    ("/etc/shadow", "root:!:1::::::\nalice:$y$j9T$s$h:1::::::\nwww:*:1::::::\n"),
    ("/etc/hostname", "web1\n"),
    (
        "/etc/ssh/sshd_config",
        "UsePAM yes\nPermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxAuthTries 4\nLoginGraceTime 60\nAllowUsers alice\nDisableForwarding yes\n",
    ),
    ("/etc/pam.d/sshd", "@include common-auth\naccount required pam_faillock.so\n"),
    (
        "/etc/pam.d/common-auth",
        "auth required pam_faillock.so preauth\nauth [success=1 default=ignore] pam_unix.so nullok\nauth [default=die] pam_faillock.so authfail\n",
    ),
    ("/etc/security/faillock.conf", "deny = 4\n# unlock_time = 1\nunlock_time = 900\n"),
    ("/etc/sudoers", "Defaults env_reset\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n"),
    (
        "/etc/nftables.conf",
        "table inet filter {\n chain input {\n  type filter hook input priority 0; policy drop;\n }\n}\n",
    ),
    ("/etc/systemd/system/sysinit.target.wants/nftables.service", ""),
    (
        "/etc/apt/apt.conf.d/20auto",
        "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n",
    ),
    ("/usr/bin/unattended-upgrade", ""),
];

/// Findings of that machine with these files in place of its own, or beside them.
fn found(changes: &[(&str, &str)]) -> Vec<String> {
    let files: MemoryFiles = GOOD.iter().chain(changes).copied().collect();
    let report = audit(&files, &Profile::default());
    assert_eq!(report.unknown, [], "{changes:?}");
    let tell = |finding: &crate::Finding| {
        let id = finding.check.id.trim_start_matches("PAL-GUEST-");
        format!(
            "{} {id} {} {}",
            finding.severity,
            finding.subject.as_deref().unwrap_or("-"),
            finding.evidence.path
        )
    };
    report.findings.iter().map(tell).collect()
}

#[test]
fn a_machine_in_order_has_no_findings() {
    assert_eq!(found(&[]), [""; 0]);
}

#[test]
fn accounts() {
    let passwd = "root:x:0:0:root:/srv/root:/bin/bash\ntoor:x:0:0::/srv/root:/bin/sh\nbob:x:1:1::/srv/bob:/bin/sh\n\
                  old:x:2:2::/:/bin/sh\nopen:$6$s$h:3:3::/:/bin/sh\ndaemon:x:4:4::/:/usr/sbin/nologin\n";
    let shadow = "root:!:\ntoor:$1$s$h:\nbob::\nold:abJnggxhB/yWI:\ndaemon::\n";
    assert_eq!(
        found(&[("/etc/passwd", passwd), ("/etc/shadow", shadow)]),
        [
            "error PASSWORD-EMPTY bob /etc/shadow:3",
            "error PASSWORD-WORLD open /etc/passwd:5",
            "error UID-0 toor /etc/passwd:2",
            "warning PASSWORD-SCHEME old /etc/shadow:4",
            "warning PASSWORD-SCHEME toor /etc/shadow:2",
        ]
    );
}

#[test]
fn of_a_name_that_is_there_twice_the_first_password_holds() {
    let shadow = "root:!:1::::::\nalice:$1$s$h:1::::::\nalice::1::::::\nwww:*:1::::::\n";
    assert_eq!(found(&[("/etc/shadow", shadow)]), ["warning PASSWORD-SCHEME alice /etc/shadow:2"]);
}

#[test]
fn keys_are_where_a_pattern_says() {
    let sshd = "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\nMaxAuthTries 4\nLoginGraceTime 60\n\
                AllowUsers alice\nDisableForwarding yes\nAuthorizedKeysFile /keys/%u-%U-%%-%x %h/own own\n";
    let key = "ssh-dss AAAA old\n";
    let paths = ["/keys/alice-1000-%-%x", "/srv/alice/own"];
    let files = [("/etc/ssh/sshd_config", sshd), (paths[0], key), (paths[1], key)];
    let weak = |path: &str| format!("warning KEY-WEAK alice {path}:1");
    assert_eq!(found(&files), [weak(paths[0]), weak(paths[1]), weak(paths[1])]);
}

#[test]
fn no_hash_is_told() {
    let files: MemoryFiles = GOOD
        .iter()
        .copied()
        .chain([
            ("/etc/passwd", "root:$1$saltsalt$secretsecret:0:0::/srv/root:/bin/sh\nbob:x:0:0::/b:/bin/sh\n"),
            ("/etc/shadow", "bob:$1$saltsalt$secretsecret:1\n"),
        ])
        .collect();
    let report = audit(&files, &Profile::default());
    assert!(report.findings.len() >= 3);
    assert!(!format!("{report:?}").contains("secretsecret"));
}

#[test]
fn sshd_for_everybody_and_under_a_match() {
    let path = "/etc/ssh/sshd_config";
    let good = GOOD.iter().find(|(own, _)| *own == path).unwrap().1;
    let bad = format!("PermitRootLogin yes\nPasswordAuthentication yes\nMaxAuthTries 9\n{good}");
    assert_eq!(
        found(&[(path, &bad)]),
        [
            format!("error SSH-ROOT - {path}:1"),
            format!("warning SSH-PASSWORD - {path}:2"),
            format!("warning SSH-TRIES - {path}:3"),
        ]
    );
    let block = format!("{good}Match Address 192.0.2.0/24\nPasswordAuthentication yes\n");
    assert_eq!(
        found(&[(path, &block)]),
        [format!("warning SSH-PASSWORD Match Address 192.0.2.0/24 {path}:10")]
    );
    let both = format!("AuthenticationMethods publickey,password\nPasswordAuthentication yes\n{good}");
    assert_eq!(found(&[(path, &both)]), [""; 0], "a key is needed too");
    assert_eq!(found(&[(path, &format!("{good}Nonsense\n"))]), [format!("warning SSH-BROKEN - {path}:9")]);
}

#[test]
fn lockout() {
    let auth = "/etc/pam.d/common-auth";
    let unix = "auth required pam_unix.so\n";
    assert_eq!(found(&[(auth, unix)]), ["warning LOCKOUT - /etc/pam.d/sshd"]);
    let late = format!(
        "{unix}auth required pam_faillock.so preauth\nauth required pam_faillock.so authfail deny=9\n"
    );
    assert_eq!(
        found(&[(auth, &late), ("/etc/pam.d/sshd", "auth substack common-auth\n")]),
        ["warning LOCKOUT-ORDER - /etc/pam.d/common-auth:2"; 2],
        "too late, and never forgotten"
    );
    // As pam-auth-update of Debian 12 writes it with the profiles that the page names.
    let (auth_text, account) = (
        "auth\trequisite\tpam_faillock.so preauth\nauth\t[success=2 default=ignore]\tpam_unix.so nullok try_first_pass\n\
         auth\t[default=die]\tpam_faillock.so authfail\nauth\trequisite\t\t\tpam_deny.so\nauth\trequired\t\t\tpam_permit.so\n",
        "account\trequired\tpam_faillock.so \naccount\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so \n",
    );
    let sshd = ("/etc/pam.d/sshd", "@include common-auth\n@include common-account\n");
    assert_eq!(found(&[sshd, (auth, auth_text), ("/etc/pam.d/common-account", account)]), [""; 0]);
    let settings = "/etc/security/faillock.conf";
    assert_eq!(
        found(&[(settings, "deny=0\nunlock_time = 60\n")]),
        [format!("warning LOCKOUT - {settings}:1"), format!("note LOCKOUT-TIME - {settings}:2")]
    );
}

#[test]
fn sudo() {
    assert_eq!(
        found(&[
            ("/etc/sudoers.d/90-cloud", "# who\nalice ALL=(ALL) \\\n  NOPASSWD:ALL\n"),
            ("/etc/sudoers.d/bob", "bob ALL=NOPASSWD: /usr/bin/apt\nDefaults:carol !authenticate\n"),
            ("/etc/sudoers.d/old~", "dave ALL=(ALL) NOPASSWD:ALL\n"),
            ("/etc/sudoers.d/x.bak", "dave ALL=(ALL) NOPASSWD:ALL\n"),
        ]),
        [
            "warning SUDO-NOPASSWD Defaults:carol /etc/sudoers.d/bob:2",
            "warning SUDO-NOPASSWD alice /etc/sudoers.d/90-cloud:2",
            "note SUDO-NOPASSWD bob /etc/sudoers.d/bob:1",
        ]
    );
}

#[test]
fn sudo_as_sudo_reads_it() {
    let path = "/etc/sudoers";
    let cases: [(&str, &[&str]); 28] = [
        ("alice ALL=(ALL) NOPASSWD : ALL", &["warning SUDO-NOPASSWD alice /etc/sudoers:1"]),
        ("#1000 ALL = (root) SETENV: NOPASSWD: EXEC: ALL", &["warning SUDO-NOPASSWD #1000 /etc/sudoers:1"]),
        ("a, %b ALL=NOPASSWD: ALL, !/bin/su", &["warning SUDO-NOPASSWD a, %b /etc/sudoers:1"]),
        (
            "a ALL=NOPASSWD: X\nCmnd_Alias Y = ALL : X = /bin/ls, Y",
            &["warning SUDO-NOPASSWD a /etc/sudoers:1"],
        ),
        ("a ALL=(www) NOPASSWD: ALL", &["note SUDO-NOPASSWD a /etc/sudoers:1"]),
        ("a ALL=NOPASSWD: /bin/ls, PASSWD: ALL", &[]),
        ("a ALL=NOPASSWD: /bin/ls, PASSWD: /bin/su", &["note SUDO-NOPASSWD a /etc/sudoers:1"]),
        ("a ALL=(ALL) NOPASSWD: ALL\na ALL=(ALL) ALL", &[]),
        ("a ALL=(ALL) NOPASSWD: ALL\n%adm ALL=(ALL) ALL", &[]),
        ("a ALL=(ALL) NOPASSWD: ALL\n%ops ALL=(ALL) ALL", &[]),
        ("a, b ALL=NOPASSWD: ALL\na ALL=PASSWD: ALL", &["warning SUDO-NOPASSWD b /etc/sudoers:1"]),
        ("a ALL=NOPASSWD: /bin/ls -l\na ALL=!/bin/ls", &[]),
        ("a ALL=NOPASSWD: /bin/ls\na ALL=PASSWD: /bin/ls -l", &["note SUDO-NOPASSWD a /etc/sudoers:1"]),
        ("a ALL=(ALL) NOPASSWD: ALL\na ALL=(www) ALL", &["warning SUDO-NOPASSWD a /etc/sudoers:1"]),
        ("a ALL=(ALL:ALL) NOPASSWD: ALL\na ALL=(ALL) ALL", &["warning SUDO-NOPASSWD a /etc/sudoers:1"]),
        ("a ALL=NOPASSWD: ALL\na h=ALL", &["warning SUDO-NOPASSWD a /etc/sudoers:1"]),
        ("a ALL=NOPASSWD: ALL\na, !b ALL=ALL", &["warning SUDO-NOPASSWD a /etc/sudoers:1"]),
        ("a ALL=NOPASSWD: ALL\na ALL=NOTAFTER=20300101 ALL", &["warning SUDO-NOPASSWD a /etc/sudoers:1"]),
        ("a ALL=NOPASSWD: ALL\na ALL=sha224:0a= ALL", &["warning SUDO-NOPASSWD a /etc/sudoers:1"]),
        ("a ALL=NOPASSWD: X\nCmnd_Alias X = /bin/a, /bin/b\na ALL=/bin/a\na ALL=/bin/b", &[]),
        ("a ALL=NOPASSWD: ALL\na ALL=ALL\na ALL=NOPASSWD: ALL", &["warning SUDO-NOPASSWD a /etc/sudoers:3"]),
        ("root, a ALL=NOPASSWD: ALL\na ALL=ALL", &[]),
        (
            "Defaults runas_default=www\na ALL=NOPASSWD: ALL\na ALL=(root) ALL",
            &["warning SUDO-NOPASSWD a /etc/sudoers:2"],
        ),
        ("root ALL=(ALL) NOPASSWD: ALL", &[]),
        (
            "a ALL=(ALL) ALL # why \\\nb h = NOPASSWD: sha224:0a=, /bin/x",
            &["note SUDO-NOPASSWD b /etc/sudoers:2"],
        ),
        ("Defaults env_reset, ! authenticate\nDefaults authenticate", &[]),
        ("Defaults exempt_group = wheel", &["warning SUDO-NOPASSWD exempt_group /etc/sudoers:1"]),
        ("a x=ALL : y=NOPASSWD: ALL", &["warning SUDO-NOPASSWD a /etc/sudoers:1"]),
    ];
    for (text, expect) in cases {
        let group = ("/etc/group", "ops:x:7:\nadm:x:4:b,a\n");
        let passwd = ("/etc/passwd", "root:x:0:0::/root:/bin/sh\na:x:9:7::/:/bin/sh\n");
        assert_eq!(found(&[(path, text), group, passwd]), expect, "{text}");
    }
    let files = [
        (path, "#include sudoers.d/own\n#includes\n"),
        ("/etc/sudoers.d/own", "@include \"x\""),
        ("/etc/sudoers.d/x", "a ALL=NOPASSWD:ALL"),
    ];
    assert_eq!(found(&files).len(), 1);
}

#[test]
fn many_rules_about_many_are_weighed_in_bounded_time() {
    let list = |start: &str| (0..20_000).map(|n| format!("{start}{n}")).collect::<Vec<_>>().join(", ");
    let rules = "U ALL=(ALL) NOPASSWD: X\n".repeat(20_000) + &"a ALL=(ALL) ALL\n".repeat(20_000);
    let text = format!("User_Alias U = {}\nCmnd_Alias X = {}\n{rules}", list("u"), list("/bin/"));
    assert_eq!(found(&[("/etc/sudoers", &text)]).len(), 20_000);
}

#[test]
fn firewalls() {
    let open = "table inet filter { chain input { type filter hook input priority 0; policy accept; } }";
    assert_eq!(found(&[("/etc/nftables.conf", open)]), ["warning FIREWALL - /etc/nftables.conf"]);
    let ufw = [
        ("/etc/nftables.conf", open),
        ("/etc/ufw/ufw.conf", "ENABLED=yes\n"),
        ("/etc/default/ufw", "DEFAULT_INPUT_POLICY=\"DROP\"\n"),
    ];
    assert_eq!(found(&ufw), [""; 0]);
    let off = [("/etc/nftables.conf", open), ("/etc/ufw/ufw.conf", "ENABLED=no\n")];
    assert_eq!(found(&off), ["warning FIREWALL - /etc/nftables.conf"]);
}

#[test]
fn a_chain_denies_by_its_policy_or_its_last_rule() {
    let path = "/etc/nftables.conf";
    let chain = |rules: &str| {
        format!(
            "table inet f {{ set s {{ type inet_service; }} chain i {{ type filter hook input priority 0;{rules} }} }}"
        )
    };
    let cases = [
        ("policy drop;", true),
        ("policy accept; tcp dport { 22, 80 } accept\ncounter drop\n", true),
        (" ct state {\n established } accept; log prefix \"a; b\" reject with icmpx admin-prohibited", true),
        ("tcp dport 22 drop\naccept\n", false),
        ("# policy drop;\nip saddr 192.0.2.1 reject\n", false),
        ("counter ip saddr 192.0.2.1 drop\n", false),
        ("limit rate 1/second log\nlog limit rate 1/second drop\n", false),
        ("log prefix \"policy drop;\" accept", false),
    ];
    for (rules, denies) in cases {
        assert_eq!(found(&[(path, &chain(rules))]).is_empty(), denies, "{rules}");
    }
    let other = "table inet f { chain i { type filter hook input priority 0; } chain o { drop; } }";
    assert!(!found(&[(path, other)]).is_empty());
    let rules = |end: &str| {
        format!(
            "*mangle\n:INPUT DROP [0:0]\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\n{end}COMMIT\n"
        )
    };
    for (end, denies) in [
        ("-A INPUT -j REJECT --reject-with icmp-host-prohibited\n", true),
        ("-A INPUT -s 192.0.2.1 -j DROP\n", false),
        ("", false),
    ] {
        assert_eq!(
            found(&[(path, other), ("/etc/iptables/rules.v4", &rules(end))]).is_empty(),
            denies,
            "{end}"
        );
    }
}

#[test]
fn keys() {
    // A modulus of 1024 bits: type, exponent 65537, modulus.
    let blob =
        [&[0, 0, 0, 7][..], b"ssh-rsa", &[0, 0, 0, 3, 1, 0, 1], &[0, 0, 0, 129, 0], &[0xff; 128]].concat();
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let six = |bits: u32, shift: u32| char::from(digits[(bits >> shift & 63) as usize]);
    let text: String = blob
        .chunks(3)
        .flat_map(|part| {
            let bits = part.iter().chain(&[0, 0]).take(3).fold(0, |bits, byte| bits << 8 | u32::from(*byte));
            [six(bits, 18), six(bits, 12), six(bits, 6), six(bits, 0)]
        })
        .collect();
    let alice = format!(
        "# mine\nfrom=\"192.0.2.1\",command=\"a b\" ssh-rsa {text} alice@old\nnonsense\nssh-ed25519 AAAA x\n"
    );
    assert_eq!(
        found(&[
            ("/srv/alice/.ssh/authorized_keys", &alice),
            ("/srv/root/.ssh/authorized_keys2", "ssh-ed25519 AAAA x\n")
        ]),
        [
            "warning KEY-WEAK alice /srv/alice/.ssh/authorized_keys:2",
            "note KEY-ROOT root /srv/root/.ssh/authorized_keys2:1"
        ]
    );
}

#[test]
fn updates() {
    let auto = "/etc/apt/apt.conf.d/20auto";
    assert_eq!(found(&[(auto, "// nothing\n")]).len(), 2);
    let later = ("/etc/apt/apt.conf.d/99off", "apt::periodic::unattended-upgrade \"0\";\n");
    assert_eq!(found(&[later]), ["warning UPGRADES - /etc/apt/apt.conf.d/99off:1"]);
}
