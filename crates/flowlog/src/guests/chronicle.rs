//! What a Windows machine tells of who came in and what was changed: logons, lockouts, accounts, policies, the firewall, cleared logs.
//!
//! Told as what happened, in the order of time, for whoever looks back at a machine. It must not judge: [`super::windows`] reads what
//! detectors take.

use std::{net::IpAddr, path::Path};

use super::{
    binxml::Event,
    event_log::{self, Record},
    windows::address,
};

const SECURITY: &str = "Microsoft-Windows-Security-Auditing";
const LOG: &str = "Microsoft-Windows-Eventlog";
const FIREWALL: &str = "Microsoft-Windows-Windows Firewall With Advanced Security";
/// Events that one file may tell.
const HAPPENINGS_MAX: usize = 1_000_000;

/// Something that happened at a machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Happening {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// The machine's name for itself.
    pub machine: String,
    /// Number of the event.
    pub event: u32,
    /// What, in a word that does not change, such as `account-created`.
    pub what: &'static str,
    /// The account that it is about.
    pub account: Option<String>,
    /// Who did it.
    pub by: Option<String>,
    /// From where.
    pub source: Option<IpAddr>,
    /// What else is told: a reason, a group, a rule, a new name.
    pub more: Option<String>,
}

/// What a file tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chronicle {
    /// What happened, in the order of time.
    pub happenings: Vec<Happening>,
    /// Records that cannot be read, with why.
    pub problems: Vec<String>,
    /// Records about something else.
    pub passed_over: u64,
}

/// What is known of an event: provider, number, the word, and the fields of the account and of more.
type Kind = (&'static str, u32, &'static str, &'static str, &'static str);

const KINDS: [Kind; 24] = [
    (SECURITY, 4_624, "logon", "TargetUserName", "LogonType"),
    (SECURITY, 4_625, "logon-failed", "TargetUserName", "SubStatus"),
    (SECURITY, 4_648, "logon-as-other", "TargetUserName", "TargetServerName"),
    (SECURITY, 4_740, "account-locked", "TargetUserName", "TargetDomainName"),
    (SECURITY, 4_767, "account-unlocked", "TargetUserName", ""),
    (SECURITY, 4_720, "account-created", "TargetUserName", ""),
    (SECURITY, 4_722, "account-enabled", "TargetUserName", ""),
    (SECURITY, 4_723, "password-changed", "TargetUserName", ""),
    (SECURITY, 4_724, "password-set", "TargetUserName", ""),
    (SECURITY, 4_725, "account-disabled", "TargetUserName", ""),
    (SECURITY, 4_726, "account-deleted", "TargetUserName", ""),
    (SECURITY, 4_738, "account-changed", "TargetUserName", ""),
    (SECURITY, 4_781, "account-renamed", "OldTargetUserName", "NewTargetUserName"),
    (SECURITY, 4_732, "group-member-added", "MemberSid", "TargetUserName"),
    (SECURITY, 4_733, "group-member-removed", "MemberSid", "TargetUserName"),
    (SECURITY, 4_739, "policy-changed", "", "DomainPolicyChanged"),
    (SECURITY, 4_719, "audit-policy-changed", "", "AuditPolicyChanges"),
    (SECURITY, 4_950, "firewall-changed", "", "SettingType"),
    (LOG, 1_102, "log-cleared", "", ""),
    (LOG, 104, "log-cleared", "", "Channel"),
    (FIREWALL, 2_003, "firewall-changed", "", "SettingType"),
    (FIREWALL, 2_004, "firewall-rule-added", "", "RuleName"),
    (FIREWALL, 2_005, "firewall-rule-changed", "", "RuleName"),
    (FIREWALL, 2_006, "firewall-rule-deleted", "", "RuleName"),
];

/// What the records of an event log tell; `None` if a file is none.
pub fn chronicle(bytes: &[u8], name: &Path) -> Option<Chronicle> {
    if !event_log::is_one(bytes) {
        return None;
    }
    let mut chronicle = Chronicle::default();
    event_log::records(bytes, |Record { number, time_ms, event }| match event {
        Ok(_) if chronicle.happenings.len() >= HAPPENINGS_MAX => chronicle.passed_over += 1,
        Ok(event) => match told(&event, time_ms) {
            Some(happening) => chronicle.happenings.push(happening),
            None => chronicle.passed_over += 1,
        },
        Err(why) => {
            chronicle.problems.push(format!("{}: record {number} cannot be read: {why}", name.display()));
        }
    });
    chronicle.happenings.sort();
    Some(chronicle)
}

fn told(event: &Event, time_ms: u64) -> Option<Happening> {
    let provider = event.provider()?;
    let number = event.element("EventID")?.parse::<u32>().ok()?;
    let (_, _, what, account, more) =
        KINDS.iter().find(|(own, id, ..)| *own == provider && *id == number).copied()?;
    // A cleared log tells of it in elements, not in named data.
    let field = |name: &str| event.data(name).or_else(|| event.element(name)).map(str::trim);
    let known = |name: &str| field(name).filter(|text| !matches!(*text, "" | "-")).map(str::to_owned);
    let account = known(account);
    // Services and the machine itself log on all the time.
    let is_noise =
        number == 4_624 && !matches!(field("LogonType"), Some("2" | "3" | "7" | "8" | "9" | "10" | "11"));
    let is_machine = account.as_ref().is_some_and(|account| account.ends_with('$'));
    (!is_noise && (what != "logon" || !is_machine)).then(|| Happening {
        time_ms,
        machine: event.element("Computer").unwrap_or_default().to_owned(),
        event: number,
        what,
        account,
        by: known("SubjectUserName").or_else(|| known("ModifyingUser")),
        source: address(event, "IpAddress"),
        more: known(more),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::binxml::Field, *};

    fn event(provider: &str, id: &str, fields: &[(&str, &str)]) -> Event {
        let field = |name: &str, attribute: &str, texts: &[&str]| Field {
            name: name.to_owned(),
            attribute: attribute.to_owned(),
            texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        };
        let head =
            [field("Provider", provider, &[]), field("EventID", "", &[id]), field("Computer", "", &["web1"])];
        let data = fields.iter().map(|(name, value)| field("Data", name, &[value]));
        Event { fields: head.into_iter().chain(data).collect() }
    }

    /// What is told, in short.
    fn short(provider: &str, id: &str, fields: &[(&str, &str)]) -> Option<String> {
        let told = told(&event(provider, id, fields), 7)?;
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        Some(format!("{} {} by {} {}", told.what, text(&told.account), text(&told.by), text(&told.more)))
    }

    #[test]
    fn accounts_logs_and_rules() {
        let is = |text: &str| Some(text.to_owned());
        let renamed =
            [("OldTargetUserName", "bob"), ("NewTargetUserName", "admin"), ("SubjectUserName", "eve")];
        assert_eq!(short(SECURITY, "4781", &renamed), is("account-renamed bob by eve admin"));
        let locked = [("TargetUserName", "bob"), ("TargetDomainName", "PC7"), ("SubjectUserName", "WEB1$")];
        assert_eq!(short(SECURITY, "4740", &locked), is("account-locked bob by WEB1$ PC7"));
        assert_eq!(
            short(FIREWALL, "2004", &[("RuleName", "in"), ("ModifyingUser", "S-1-5-18")]),
            is("firewall-rule-added - by S-1-5-18 in")
        );
        assert_eq!(short(LOG, "1102", &[]), is("log-cleared - by - -"));
        assert_eq!(short("Else", "4781", &renamed), None);
    }

    #[test]
    fn logons_of_services_are_passed_over() {
        let logon = |kind: &str, name: &str| {
            short(SECURITY, "4624", &[("TargetUserName", name), ("LogonType", kind)])
        };
        assert_eq!(logon("10", "bob"), Some("logon bob by - 10".to_owned()));
        assert_eq!(logon("5", "SYSTEM"), None);
        assert_eq!(logon("3", "WEB1$"), None);
    }
}
