//! What is looked for in a machine: every check with its id, title, severity, remedy, and the rules of CIS and STIG about the same.
//!
//! CIS numbers of Linux are those of the benchmark for Debian 12, of Windows those of the benchmark for Server 2022; STIG ids are those of
//! Server 2022. Only numbers that a source confirms are given. An id never changes its meaning. The list for people: `docs/guest-audit.md`.

use palisade_analysis::findings::{Check, Severity};

macro_rules! checks {
    ($list:ident: $( $name:ident = $id:literal, $severity:ident, $title:literal, $remedy:literal, [$($alias:literal),* $(,)?]; )+) => {
        $(
            #[doc = $title]
            pub static $name: Check = Check {
                id: $id, title: $title, severity: Severity::$severity, remedy: $remedy, aliases: &[$($alias),*],
            };
        )+
        static $list: &[&Check] = &[$(&$name),+];
    };
}

/// Every check of a machine.
pub fn all() -> impl Iterator<Item = &'static Check> {
    WINDOWS.iter().chain(LINUX).copied()
}

checks! { WINDOWS:
    ADMIN_NAME = "PAL-GUEST-WIN-ADMIN-NAME", Warning,
        "The built-in administrator has the name that everybody tries",
        "Rename-LocalUser -Name Administrator -NewName NAME, or the policy \"Accounts: Rename administrator account\".",
        [];
    ADMIN_ENABLED = "PAL-GUEST-WIN-ADMIN-ENABLED", Warning,
        "The built-in administrator may log on",
        "Make another administrator, and Disable-LocalUser -SID (Get-LocalUser | ? SID -like '*-500').SID.",
        [];
    GUEST_ENABLED = "PAL-GUEST-WIN-GUEST-ENABLED", Error,
        "The guest account may log on",
        "Disable-LocalUser -Name Guest.",
        [];
    ADMINS = "PAL-GUEST-WIN-ADMINS", Note,
        "More accounts are administrators than are needed",
        "Remove-LocalGroupMember -SID S-1-5-32-544 -Member NAME for those that need not be.",
        [];
    NEVER_EXPIRES = "PAL-GUEST-WIN-PASSWORD-NEVER-EXPIRES", Note,
        "The password of an account never expires",
        "Set-LocalUser -Name NAME -PasswordNeverExpires $false, or let LAPS change it.",
        [];
    NOT_REQUIRED = "PAL-GUEST-WIN-PASSWORD-NOT-REQUIRED", Error,
        "An account may have no password",
        "net user NAME /passwordreq:yes, and set a password.",
        [];
    LOCKOUT_THRESHOLD = "PAL-GUEST-WIN-LOCKOUT-THRESHOLD", Error,
        "Accounts do not lock, or only after many failed logons",
        "net accounts /lockoutthreshold:5.",
        [];
    LOCKOUT_DURATION = "PAL-GUEST-WIN-LOCKOUT-DURATION", Warning,
        "A locked account opens again too soon",
        "net accounts /lockoutduration:15.",
        ["CIS 1.2.1", "STIG WN22-AC-000010"];
    LOCKOUT_WINDOW = "PAL-GUEST-WIN-LOCKOUT-WINDOW", Warning,
        "Failed logons are forgotten too soon",
        "net accounts /lockoutwindow:15.",
        ["STIG WN22-AC-000030"];
    LOCKOUT_ADMIN = "PAL-GUEST-WIN-LOCKOUT-ADMIN", Warning,
        "The built-in administrator never locks",
        "Enable the policy \"Allow Administrator account lockout\" (KB5020282), or disable the account.",
        ["CIS 1.2.3"];
    LENGTH = "PAL-GUEST-WIN-PASSWORD-LENGTH", Warning,
        "Short passwords are accepted",
        "net accounts /minpwlen:14.",
        ["CIS 1.1.4", "STIG WN22-AC-000070"];
    COMPLEXITY = "PAL-GUEST-WIN-PASSWORD-COMPLEXITY", Warning,
        "Passwords need not be complex",
        "Enable the policy \"Password must meet complexity requirements\".",
        ["CIS 1.1.5"];
    REVERSIBLE = "PAL-GUEST-WIN-PASSWORD-REVERSIBLE", Error,
        "Passwords are stored so that they can be read again",
        "Disable the policy \"Store passwords using reversible encryption\", and change all passwords.",
        [];
    BLANK = "PAL-GUEST-WIN-BLANK-PASSWORD", Error,
        "Accounts without a password may log on over the network",
        "Enable the policy \"Accounts: Limit local account use of blank passwords to console logon only\".",
        [];
    LM = "PAL-GUEST-WIN-LM", Warning,
        "Old forms of authentication are accepted or sent (LM, NTLM)",
        "Set the policy \"Network security: LAN Manager authentication level\" to 5.",
        [];
    LSA = "PAL-GUEST-WIN-LSA-UNPROTECTED", Note,
        "Any administrator's program may read the memory that holds credentials",
        "Set RunAsPPL to 1 below Control\\Lsa.",
        [];
    RDP_ON = "PAL-GUEST-WIN-RDP-ON", Note,
        "Remote desktop is on",
        "Turn it off, or keep its port closed but for minutes (palisade jit) or for a tunnel (palisade connect).",
        [];
    RDP_PORT = "PAL-GUEST-WIN-RDP-PORT", Note,
        "Remote desktop listens where everybody looks for it",
        "Set PortNumber of RDP-Tcp, or publish it at another port (palisade endpoint).",
        [];
    RDP_NLA = "PAL-GUEST-WIN-RDP-NLA", Error,
        "Remote desktop shows a logon screen to whoever connects: no network level authentication",
        "Enable the policy \"Require user authentication for remote connections by using Network Level Authentication\".",
        [];
    RDP_SECURITY = "PAL-GUEST-WIN-RDP-SECURITY", Warning,
        "Remote desktop may be spoken without TLS",
        "Set the policy \"Require use of specific security layer\" to SSL.",
        [];
    RDP_ENCRYPTION = "PAL-GUEST-WIN-RDP-ENCRYPTION", Warning,
        "Remote desktop accepts weak encryption",
        "Set the policy \"Set client connection encryption level\" to High.",
        [];
    FIREWALL_OFF = "PAL-GUEST-WIN-FIREWALL-OFF", Error,
        "The machine's own firewall is off",
        "Set-NetFirewallProfile -Profile Domain,Private,Public -Enabled True.",
        ["CIS 9.1.1", "CIS 9.2.1"];
    FIREWALL_INBOUND = "PAL-GUEST-WIN-FIREWALL-INBOUND", Error,
        "The machine's own firewall lets in what no rule names",
        "Set-NetFirewallProfile -Profile Domain,Private,Public -DefaultInboundAction Block.",
        [];
    FIREWALL_OPEN = "PAL-GUEST-WIN-FIREWALL-OPEN", Warning,
        "A rule of the machine's own firewall opens a management port to every address",
        "Set-NetFirewallRule -Name NAME -RemoteAddress ADDRESSES, or load what palisade export prints.",
        [];
    LAPS = "PAL-GUEST-WIN-LAPS", Note,
        "Nothing changes the local administrator's password by itself",
        "Enable Windows LAPS (BackupDirectory 1 or 2).",
        ["STIG WN22-00-000020"];
}

checks! { LINUX:
    SSH_ROOT = "PAL-GUEST-SSH-ROOT", Error,
        "root may log in over SSH with a password",
        "PermitRootLogin no (or prohibit-password where keys of root are needed).",
        ["CIS 5.1.20"];
    SSH_ROOT_KEY = "PAL-GUEST-SSH-ROOT-KEY", Note,
        "root may log in over SSH with a key",
        "PermitRootLogin no, and sudo from accounts of persons.",
        ["CIS 5.1.20"];
    SSH_PASSWORD = "PAL-GUEST-SSH-PASSWORD", Warning,
        "SSH accepts passwords, which can be guessed",
        "PasswordAuthentication no and KbdInteractiveAuthentication no, once keys are in place.",
        [];
    SSH_EMPTY = "PAL-GUEST-SSH-EMPTY-PASSWORD", Error,
        "SSH accepts empty passwords",
        "PermitEmptyPasswords no.",
        ["CIS 5.1.19"];
    SSH_TRIES = "PAL-GUEST-SSH-TRIES", Warning,
        "One SSH connection may try many passwords",
        "MaxAuthTries 4.",
        ["CIS 5.1.16"];
    SSH_GRACE = "PAL-GUEST-SSH-GRACE", Note,
        "An SSH connection may stay long without logging in",
        "LoginGraceTime 60.",
        ["CIS 5.1.13"];
    SSH_USERS = "PAL-GUEST-SSH-ANY-USER", Note,
        "Every account may log in over SSH",
        "AllowGroups or AllowUsers with those who need it.",
        ["CIS 5.1.4"];
    SSH_FORWARDING = "PAL-GUEST-SSH-FORWARDING", Note,
        "SSH may carry connections to other machines",
        "DisableForwarding yes, or AllowTcpForwarding no where tunnels are not needed.",
        ["CIS 5.1.8"];
    SSH_HOST_TRUST = "PAL-GUEST-SSH-HOST-TRUST", Error,
        "SSH trusts other machines in place of users",
        "HostbasedAuthentication no and IgnoreRhosts yes.",
        ["CIS 5.1.10", "CIS 5.1.11"];
    SSH_ENVIRONMENT = "PAL-GUEST-SSH-ENVIRONMENT", Warning,
        "Users set the environment of their SSH sessions, which gets around restrictions",
        "PermitUserEnvironment no.",
        ["CIS 5.1.21"];
    SSH_STRICT = "PAL-GUEST-SSH-STRICT-MODES", Warning,
        "SSH accepts keys from files that others may write",
        "StrictModes yes.",
        [];
    SSH_PAM = "PAL-GUEST-SSH-NO-PAM", Warning,
        "SSH does not ask PAM, so that lockout does not hold for it",
        "UsePAM yes.",
        ["CIS 5.1.22"];
    SSH_LOG = "PAL-GUEST-SSH-LOG", Warning,
        "SSH does not log who logs in",
        "LogLevel VERBOSE or INFO.",
        ["CIS 5.1.14"];
    SSH_BROKEN = "PAL-GUEST-SSH-BROKEN", Warning,
        "sshd refuses its own settings: it does not start again",
        "Correct the line; sshd -t tells whether it is well.",
        [];
    PASSWORD_EMPTY = "PAL-GUEST-PASSWORD-EMPTY", Error,
        "An account has no password and may log in",
        "passwd --lock NAME, or set a password.",
        [];
    PASSWORD_SCHEME = "PAL-GUEST-PASSWORD-SCHEME", Warning,
        "A password is kept in an old form that is fast to guess",
        "Set the password again with ENCRYPT_METHOD YESCRYPT in /etc/login.defs.",
        ["CIS 5.4.1.4"];
    PASSWORD_OPEN = "PAL-GUEST-PASSWORD-WORLD", Error,
        "What passwords were made into can be read by everybody",
        "pwconv, and chmod 0640 /etc/shadow.",
        [];
    UID_ZERO = "PAL-GUEST-UID-0", Error,
        "An account other than root is root",
        "Remove the account, or give it a number of its own.",
        ["CIS 5.4.2.1"];
    LOCKOUT = "PAL-GUEST-LOCKOUT", Warning,
        "Accounts do not lock after failed logons",
        "Debian, Ubuntu: write the profiles faillock and faillock_notify, which no package has (docs/guest-audit.md, Lockout), and pam-auth-update --enable faillock faillock_notify. RHEL: authselect enable-feature with-faillock. Then deny = 5 in /etc/security/faillock.conf.",
        ["CIS 5.3.2.2", "CIS 5.3.3.1.1"];
    LOCKOUT_ORDER = "PAL-GUEST-LOCKOUT-ORDER", Warning,
        "pam_faillock stands where it does not lock, or where it does not open again",
        "preauth before pam_unix, authfail after it, and authsucc or the account line.",
        ["CIS 5.3.2.2"];
    LOCKOUT_TIME = "PAL-GUEST-LOCKOUT-TIME", Note,
        "A locked account opens again too soon",
        "unlock_time = 900 in /etc/security/faillock.conf.",
        ["CIS 5.3.3.1.2"];
    SUDO_NOPASSWD = "PAL-GUEST-SUDO-NOPASSWD", Warning,
        "sudo does not ask for a password",
        "Remove NOPASSWD or !authenticate, or name the few commands that need it.",
        ["CIS 5.2.4", "CIS 5.2.5"];
    FIREWALL = "PAL-GUEST-FIREWALL", Warning,
        "The machine has no firewall of its own that denies by default",
        "Load what palisade export --format nftables prints, and enable nftables.service.",
        ["CIS 4.3.8", "CIS 4.3.9"];
    ROOT_KEYS = "PAL-GUEST-KEY-ROOT", Note,
        "A key logs in as root",
        "Remove it, or bind it with from= and command=.",
        [];
    KEY_WEAK = "PAL-GUEST-KEY-WEAK", Warning,
        "A key that logs in is weak",
        "Replace it by an ed25519 key.",
        [];
    KEY_WRITABLE = "PAL-GUEST-KEY-WRITABLE", Error,
        "Others may write to the keys that log in as an account",
        "chmod go-w on the file and its folders.",
        [];
    UPGRADES = "PAL-GUEST-UPGRADES", Warning,
        "Security updates are not installed by themselves",
        "apt install unattended-upgrades, and APT::Periodic::Unattended-Upgrade \"1\".",
        [];
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guest-audit.md"));

    #[test]
    fn the_page_says_of_every_check_what_the_code_says() {
        for check in all() {
            let rules = if check.aliases.is_empty() { "-".to_owned() } else { check.aliases.join(", ") };
            let row = format!("| `{}` | {} | {} | {rules} |", check.id, check.severity, check.title);
            assert!(PAGE.lines().any(|line| line == row), "docs/guest-audit.md has no row\n{row}");
        }
        let rows = PAGE.lines().filter(|line| line.starts_with("| `PAL-GUEST-")).count();
        assert_eq!(rows, all().count());
    }
}
