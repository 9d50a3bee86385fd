//! Accounts of the machine, and the policy that all of them are under. Layout of the values `F` and `C`: `docs/guest-audit.md`.

use palisade_analysis::findings::Severity;

use crate::{
    Profile, Report, checks,
    finding::Said,
    registry::{Hive, HiveError},
};

const ACCOUNT: &str = r"SAM\Domains\Account";
const ADMINISTRATORS: &str = r"SAM\Domains\Builtin\Aliases\00000220";
/// Number of the built-in administrator, and of the guest.
const ADMINISTRATOR: u32 = 500;
const GUEST: u32 = 501;
/// Account flags.
const DISABLED: u16 = 0x1;
const NOT_REQUIRED: u16 = 0x4;
const NEVER_EXPIRES: u16 = 0x200;
/// Properties of passwords.
const COMPLEX: u32 = 0x1;
const LOCKOUT_ADMINS: u32 = 0x8;
const CLEARTEXT: u32 = 0x10;
/// 100 ns in a minute, and in a day.
const MINUTE: u64 = 600_000_000;
const DAY: u64 = 24 * 60 * MINUTE;
/// What the administrator is called by the languages of Windows.
const USUAL_NAMES: [&str; 9] = [
    "administrator",
    "administrateur",
    "administrador",
    "amministratore",
    "administratör",
    "järjestelmänvalvoja",
    "rendszergazda",
    "administrátor",
    "администратор",
];

/// An account.
pub(crate) struct Account {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) flags: u16,
    /// When its password was set, in steps of 100 ns since 1601.
    pub(crate) password_set: Option<u64>,
}

impl Account {
    const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(crate) const fn is_disabled(&self) -> bool {
        self.has(DISABLED)
    }

    fn path(&self) -> String {
        format!("SAM\\{ACCOUNT}\\Users\\{:08X}\\F", self.number)
    }
}

pub(super) fn audit(sam: &Hive, profile: &Profile, report: &mut Report) -> Result<(), HiveError> {
    let accounts = accounts(sam, report)?;
    for account in &accounts {
        judge_account(account, report);
    }
    administrators(sam, &accounts, profile, report)?;
    match sam.value(ACCOUNT, "F")? {
        Some(value) => policy(&value.data, &accounts, profile, report),
        None => {
            report.unknown("the policy of passwords and lockout", format!("SAM\\{ACCOUNT} has no value F"));
        }
    }
    Ok(())
}

/// All accounts: the type of a name's value is the number of its account.
fn accounts(sam: &Hive, report: &mut Report) -> Result<Vec<Account>, HiveError> {
    let Some(names) = sam.key(&format!("{ACCOUNT}\\Users\\Names"))? else { return Ok(Vec::new()) };
    let mut accounts = Vec::new();
    for key in names.subkeys()? {
        let key = key?;
        let name = key.name()?;
        let Some(number) = key.value("")?.map(|value| value.kind) else {
            report.unknown(format!("the account {name}"), "its name has no number");
            continue;
        };
        let user = sam.value(&format!("{ACCOUNT}\\Users\\{number:08X}"), "F")?.map(|value| value.data);
        match user.as_ref().and_then(|data| half(data, 0x38)) {
            Some(flags) => {
                let set = user.and_then(|data| Some(u64::from_le_bytes(*data.get(0x18..)?.first_chunk()?)));
                accounts.push(Account { number, name, flags, password_set: set.filter(|set| *set != 0) });
            }
            None => report.unknown(format!("the account {name}"), "its value F is missing or cut"),
        }
    }
    accounts.sort_by_key(|account| account.number);
    Ok(accounts)
}

/// All accounts that can be read.
pub(crate) fn listed(sam: &Hive) -> Result<Vec<Account>, HiveError> {
    accounts(sam, &mut Report::default())
}

fn judge_account(account: &Account, report: &mut Report) {
    let name = &account.name;
    let mut say = |check, message: String, value: String, wanted: &str| {
        let said =
            Said { subject: Some(name), message, path: account.path(), value, wanted: wanted.to_owned() };
        report.say(check, said);
    };
    let is_on = !account.has(DISABLED);
    let flags = format!("flags {:#x}", account.flags);
    if account.number == ADMINISTRATOR {
        if USUAL_NAMES.contains(&name.to_lowercase().as_str()) {
            let message = format!("the built-in administrator (RID 500) is called \"{name}\"");
            say(&checks::ADMIN_NAME, message, name.clone(), "another name");
        }
        if is_on {
            let message = format!("the built-in administrator \"{name}\" (RID 500) is enabled");
            say(&checks::ADMIN_ENABLED, message, flags.clone(), "disabled");
        }
    }
    if account.number == GUEST && is_on {
        say(
            &checks::GUEST_ENABLED,
            format!("the guest account \"{name}\" is enabled"),
            flags.clone(),
            "disabled",
        );
    }
    if is_on && account.has(NOT_REQUIRED) {
        let message = format!("the account \"{name}\" needs no password");
        say(&checks::NOT_REQUIRED, message, flags.clone(), "a password is required");
    }
    if is_on && account.has(NEVER_EXPIRES) {
        let message = format!("the password of \"{name}\" never expires");
        say(&checks::NEVER_EXPIRES, message, flags, "it expires, or LAPS changes it");
    }
}

/// Members of the group of administrators.
fn administrators(
    sam: &Hive,
    accounts: &[Account],
    profile: &Profile,
    report: &mut Report,
) -> Result<(), HiveError> {
    let what = "who is an administrator";
    let Some(group) = sam.value(ADMINISTRATORS, "C")? else {
        report.unknown(what, format!("SAM\\{ADMINISTRATORS} has no value C"));
        return Ok(());
    };
    let Some(members) = members(&group.data) else {
        report.unknown(what, format!("SAM\\{ADMINISTRATORS}\\C is cut"));
        return Ok(());
    };
    let own = sam
        .value(ACCOUNT, "V")?
        .and_then(|value| Some(value.data.get(value.data.len().checked_sub(12)?..)?.to_vec()));
    let name_of = |sid: &Sid<'_>| {
        let is_own = own.as_ref().is_some_and(|own| sid.is_of(own));
        let account =
            is_own.then(|| accounts.iter().find(|account| Some(account.number) == sid.number())).flatten();
        match account {
            Some(account) if account.has(DISABLED) => None,
            Some(account) if account.number == ADMINISTRATOR => None,
            Some(account) => Some(account.name.clone()),
            None => Some(sid.to_string()),
        }
    };
    let others: Vec<String> = members.iter().filter_map(name_of).collect();
    let most = profile.administrators_max;
    if others.len() > most {
        let message = format!(
            "{} accounts beside the built-in one are administrators: {}",
            others.len(),
            others.join(", ")
        );
        report.say(
            &checks::ADMINS,
            Said {
                subject: None,
                message,
                path: format!("SAM\\{ADMINISTRATORS}\\C"),
                value: others.join(", "),
                wanted: format!("at most {most}"),
            },
        );
    }
    Ok(())
}

fn policy(value: &[u8], accounts: &[Account], profile: &Profile, report: &mut Report) {
    let Some(policy) = Policy::read(value) else {
        return report.unknown("the policy of passwords and lockout", format!("SAM\\{ACCOUNT}\\F is cut"));
    };
    let mut say = |check, severity: Option<Severity>, message: &str, value: String, wanted: String| {
        let path = format!("SAM\\{ACCOUNT}\\F");
        let said = Said { subject: None, message: message.to_owned(), path, value, wanted };
        match severity {
            Some(severity) => report.say_as(check, severity, said),
            None => report.say(check, said),
        }
    };
    let most = u64::from(profile.lockout_threshold_max);
    let locks = policy.threshold != 0;
    if !locks {
        let message = "accounts never lock, however many passwords are tried";
        say(&checks::LOCKOUT_THRESHOLD, None, message, "0".to_owned(), format!("1 to {most}"));
    } else if policy.threshold > most {
        let message = format!("accounts lock only after {} failed logons", policy.threshold);
        let value = policy.threshold.to_string();
        say(&checks::LOCKOUT_THRESHOLD, Some(Severity::Warning), &message, value, format!("1 to {most}"));
    }
    let minutes = |time: u64| format!("{} minutes", time / MINUTE);
    let least = u64::from(profile.lockout_minutes_min);
    // A duration of nothing means: until somebody unlocks it.
    if policy.duration != 0 && policy.duration < least * MINUTE {
        let message = format!("a locked account opens again after {}", minutes(policy.duration));
        let wanted = format!("at least {least} minutes, or 0");
        say(&checks::LOCKOUT_DURATION, None, &message, minutes(policy.duration), wanted);
    }
    let least = u64::from(profile.lockout_window_minutes_min);
    if policy.window < least * MINUTE {
        let message = format!("failed logons are forgotten after {}", minutes(policy.window));
        say(
            &checks::LOCKOUT_WINDOW,
            None,
            &message,
            minutes(policy.window),
            format!("at least {least} minutes"),
        );
    }
    let properties = format!("properties {:#x}", policy.properties);
    let is_exempt = policy.properties & LOCKOUT_ADMINS == 0;
    if is_exempt && accounts.iter().any(|account| account.number == ADMINISTRATOR && !account.has(DISABLED)) {
        let message = "the built-in administrator is enabled and never locks";
        say(&checks::LOCKOUT_ADMIN, None, message, properties.clone(), "it locks as others do".to_owned());
    }
    let least = u64::from(profile.password_length_min);
    if policy.length < least {
        let message = format!("passwords of {} characters are accepted", policy.length);
        say(&checks::LENGTH, None, &message, policy.length.to_string(), format!("at least {least}"));
    }
    if policy.properties & COMPLEX == 0 {
        let message = "passwords need not be complex";
        say(&checks::COMPLEXITY, None, message, properties.clone(), "required".to_owned());
    }
    if policy.properties & CLEARTEXT != 0 {
        let message = "passwords are stored with reversible encryption";
        say(&checks::REVERSIBLE, None, message, properties, "disabled".to_owned());
    }
    report.about(
        "password age",
        match policy.age {
            0 => "passwords need never be changed".to_owned(),
            age => format!("passwords are changed after {} days", age / DAY),
        },
    );
}

/// The policy of all accounts; times are of 100 ns.
struct Policy {
    age: u64,
    duration: u64,
    window: u64,
    properties: u32,
    length: u64,
    threshold: u64,
}

impl Policy {
    fn read(value: &[u8]) -> Option<Self> {
        Some(Self {
            age: span(value, 0x18)?,
            duration: span(value, 0x30)?,
            window: span(value, 0x38)?,
            properties: u32::from_le_bytes(value.get(0x4c..0x50)?.try_into().ok()?),
            length: half(value, 0x50)?.into(),
            threshold: half(value, 0x54)?.into(),
        })
    }
}

/// A span of time, which is negative; the least number there is stands for never.
fn span(value: &[u8], at: usize) -> Option<u64> {
    let number = i64::from_le_bytes(value.get(at..at + 8)?.try_into().ok()?);
    Some(if number == i64::MIN { 0 } else { number.unsigned_abs() })
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// A security identifier: revision, authority and numbers, as they stand in the file.
pub(crate) struct Sid<'b>(&'b [u8]);

impl Sid<'_> {
    /// Whether it is one of a machine, whose numbers are these twelve bytes.
    fn is_of(&self, machine: &[u8]) -> bool {
        self.0.len() == 28 && self.0.get(12..24) == Some(machine)
    }

    /// Its last number.
    fn number(&self) -> Option<u32> {
        Some(u32::from_le_bytes(self.0.last_chunk::<4>().copied()?))
    }
}

impl std::fmt::Display for Sid<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let authority = self.0[2..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        write!(f, "S-{}-{authority}", self.0[0])?;
        self.0[8..]
            .chunks_exact(4)
            .try_for_each(|part| write!(f, "-{}", u32::from_le_bytes([part[0], part[1], part[2], part[3]])))
    }
}

/// The members in a group's value `C`: their place and number stand in its head, of 52 bytes.
pub(crate) fn members(value: &[u8]) -> Option<Vec<Sid<'_>>> {
    const HEAD: usize = 0x34;
    let word = |at: usize| Some(u32::from_le_bytes(value.get(at..at + 4)?.try_into().ok()?) as usize);
    let (place, count) = (HEAD.checked_add(word(0x28)?)?, word(0x30)?);
    let mut rest = value.get(place..)?;
    let mut members = Vec::new();
    for _ in 0..count {
        let length = 8 + 4 * usize::from(*rest.get(1)?);
        let (sid, behind) = rest.split_at_checked(length)?;
        members.push(Sid(sid));
        rest = behind;
    }
    Some(members)
}
