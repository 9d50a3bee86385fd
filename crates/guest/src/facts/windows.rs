//! Facts of Windows, by its hives: accounts and groups (SAM), services and what listens (SYSTEM), what starts by itself (SOFTWARE and the hives of
//! people). Of an account only `F` is read, never `V`, which holds what its password was made into.

use super::Facts;
use crate::{
    Files, SETTINGS_MAX,
    files::find_ignoring_case,
    registry::{Hive, HiveError, Key, Value},
    windows::{HIVES, hive_at, sam},
};

/// Keys of SOFTWARE, and of the hive of a person, whose values start something.
const RUN: [&str; 5] = [
    r"Microsoft\Windows\CurrentVersion\Run",
    r"Microsoft\Windows\CurrentVersion\RunOnce",
    r"Microsoft\Windows\CurrentVersion\Policies\Explorer\Run",
    r"Wow6432Node\Microsoft\Windows\CurrentVersion\Run",
    r"Wow6432Node\Microsoft\Windows\CurrentVersion\RunOnce",
];
/// Single values of SOFTWARE that start something.
const STARTS: [(&str, &[&str]); 3] = [
    (r"Microsoft\Windows NT\CurrentVersion\Winlogon", &["Shell", "Userinit", "Taskman", "AppSetup"]),
    (r"Microsoft\Windows NT\CurrentVersion\Windows", &["AppInit_DLLs", "LoadAppInit_DLLs"]),
    (r"Wow6432Node\Microsoft\Windows NT\CurrentVersion\Windows", &["AppInit_DLLs", "LoadAppInit_DLLs"]),
];
const DEBUGGERS: &str = r"Microsoft\Windows NT\CurrentVersion\Image File Execution Options";
const TASKS: &str = r"Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tree";
/// Values of the control set that start something.
const SYSTEM_STARTS: [(&str, &[&str]); 3] = [
    (r"Control\Session Manager", &["BootExecute", "SetupExecute", "Execute"]),
    (r"Control\Lsa", &["Authentication Packages", "Security Packages", "Notification Packages"]),
    (r"Control\SecurityProviders", &["SecurityProviders"]),
];
/// Values of the control set that let in or listen.
const SYSTEM_LISTENS: [(&str, &[&str]); 3] = [
    (r"Control\Terminal Server", &["fDenyTSConnections"]),
    (r"Control\Terminal Server\WinStations\RDP-Tcp", &["PortNumber", "UserAuthentication", "SecurityLayer"]),
    (r"Services\SharedAccess\Parameters\FirewallPolicy\StandardProfile", &["EnableFirewall"]),
];
/// Keys of the control set of which every value lets in or listens.
const SYSTEM_LISTS: [(&str, &str); 3] = [
    ("firewall rule", r"Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules"),
    ("listening", r"Services\PortProxy\v4tov4\tcp"),
    ("listening", r"Services\PortProxy\v4tov6\tcp"),
];
/// Tasks in folders of tasks.
const DEPTH_MAX: usize = 16;
/// People whose hives are read.
const PEOPLE_MAX: usize = 1_000;

pub(super) fn read(files: &dyn Files, facts: &mut Facts) {
    let hives = ["SAM", "SYSTEM", "SOFTWARE"].map(|name| {
        let hive = hive_at(files, &format!("{HIVES}/{name}"));
        let hive = facts.known(&format!("the hive {name}"), hive).flatten();
        if hive.is_none() {
            facts.unknown(format!("the hive {name}"), "it was not read");
        }
        hive
    });
    let [sam, system, software] = &hives;
    type Reader = fn(&Hive, &mut Facts) -> Result<(), HiveError>;
    let readers: [(&Option<Hive>, &str, Reader); 5] = [
        (sam, "accounts (SAM)", accounts),
        (sam, "groups (SAM)", groups),
        (system, "services (SYSTEM)", services),
        (system, "settings (SYSTEM)", settings),
        (software, "what starts by itself (SOFTWARE)", starts),
    ];
    for (hive, what, reader) in readers {
        if let Some(hive) = hive {
            let done = reader(hive, facts);
            facts.known(what, done);
        }
    }
    people(files, facts);
    keys(files, facts, "/ProgramData/ssh/administrators_authorized_keys");
}

fn accounts(sam: &Hive, facts: &mut Facts) -> Result<(), HiveError> {
    for account in sam::listed(sam)? {
        let state = if account.is_disabled() { "disabled" } else { "enabled" };
        let told = format!("number {}, {state}, flags {:#x}", account.number, account.flags);
        facts.add("account", &account.name, &told);
        // When the password was set stands beside, and tells that it is another one.
        let told =
            account.password_set.map_or("never set".to_owned(), |set| format!("set at {set} (FILETIME)"));
        facts.add("password", &account.name, &told);
    }
    Ok(())
}

/// Members of all groups that Windows brings and that were made.
fn groups(sam: &Hive, facts: &mut Facts) -> Result<(), HiveError> {
    for domain in ["Builtin", "Account"] {
        let Some(groups) = sam.key(&format!(r"SAM\Domains\{domain}\Aliases"))? else { continue };
        for group in groups.subkeys()? {
            let group = group?;
            let name = group.name()?;
            let Some(value) = group.value("C")? else { continue };
            let name = match name.as_str() {
                "00000220" => "Administrators (00000220)".to_owned(),
                "0000022B" => "Remote Desktop Users (0000022B)".to_owned(),
                _ => format!("{domain} {name}"),
            };
            match sam::members(&value.data) {
                Some(members) => {
                    members
                        .iter()
                        .for_each(|sid| facts.add("member of group", &format!("{name}: {sid}"), "member"));
                }
                None => facts.unknown(format!("members of {name}"), "its value C is cut"),
            }
        }
    }
    Ok(())
}

/// The name of the control set that Windows starts with.
fn set(system: &Hive) -> Result<String, HiveError> {
    let current = system.value("Select", "Current")?.and_then(|value| value.number()).unwrap_or(1);
    Ok(format!("ControlSet{current:03}"))
}

fn services(system: &Hive, facts: &mut Facts) -> Result<(), HiveError> {
    let Some(services) = system.key(&format!(r"{}\Services", set(system)?))? else { return Ok(()) };
    for service in services.subkeys()? {
        let service = service?;
        let name = service.name()?;
        let mut parts = Vec::new();
        for value in ["Start", "Type", "ImagePath", "ObjectName", "FailureCommand"] {
            if let Some(value) = service.value(value)? {
                parts.push(format!("{} {}", value.name, told(&value)));
            }
        }
        if let Some(library) =
            service.subkey("Parameters")?.map(|key| key.value("ServiceDll")).transpose()?.flatten()
        {
            parts.push(format!("ServiceDll {}", told(&library)));
        }
        if !parts.is_empty() {
            facts.add("service", &name, &parts.join(", "));
        }
    }
    Ok(())
}

fn settings(system: &Hive, facts: &mut Facts) -> Result<(), HiveError> {
    let set = set(system)?;
    for (topic, keys) in [("start", SYSTEM_STARTS), ("listening", SYSTEM_LISTENS)] {
        for (key, names) in keys {
            values(system, topic, &format!(r"{set}\{key}"), Some(names), facts)?;
        }
    }
    for (topic, key) in SYSTEM_LISTS {
        values(system, topic, &format!(r"{set}\{key}"), None, facts)?;
    }
    Ok(())
}

fn starts(software: &Hive, facts: &mut Facts) -> Result<(), HiveError> {
    for key in RUN {
        values(software, "run key", key, None, facts)?;
    }
    for (key, names) in STARTS {
        values(software, "start", key, Some(names), facts)?;
    }
    if let Some(programs) = software.key(DEBUGGERS)? {
        for program in programs.subkeys()? {
            let program = program?;
            if let Some(debugger) = program.value("Debugger")? {
                facts.add("debugger", &program.name()?, &told(&debugger));
            }
        }
    }
    if let Some(tasks) = software.key(TASKS)? {
        scheduled(&tasks, "", 0, facts)?;
    }
    Ok(())
}

/// Scheduled tasks: what each does stands in a file of `Windows/System32/Tasks`.
fn scheduled(folder: &Key<'_>, path: &str, depth: usize, facts: &mut Facts) -> Result<(), HiveError> {
    if depth == DEPTH_MAX {
        facts.unknown(format!("tasks below {path}"), format!("folders are more than {DEPTH_MAX} deep"));
        return Ok(());
    }
    for key in folder.subkeys()? {
        let key = key?;
        let path = format!("{path}\\{}", key.name()?);
        if let Some(number) = key.value("Id")? {
            facts.add("task", &path, &told(&number));
        }
        scheduled(&key, &path, depth + 1, facts)?;
    }
    Ok(())
}

/// Values of a key: those of these names, or all.
fn values(
    hive: &Hive,
    topic: &'static str,
    path: &str,
    names: Option<&[&str]>,
    facts: &mut Facts,
) -> Result<(), HiveError> {
    let Some(key) = hive.key(path)? else { return Ok(()) };
    for value in key.values()? {
        let value = value?;
        if names.is_none_or(|names| names.iter().any(|name| name.eq_ignore_ascii_case(&value.name))) {
            facts.add_hidden(topic, &format!(r"{path}\{}", value.name), &told(&value), &value.data);
        }
    }
    Ok(())
}

/// What people start when they log on, and whose keys log in.
fn people(files: &dyn Files, facts: &mut Facts) {
    let folder = find_ignoring_case(files, "/Users");
    let Some(Some(folder)) = facts.known("people", folder) else { return };
    let names = files.names(&folder);
    for name in facts.known("people", names).unwrap_or_default().into_iter().take(PEOPLE_MAX) {
        let what = format!("what {name} starts");
        let hive = hive_at(files, &format!("{folder}/{name}/NTUSER.DAT"));
        if let Some(Some(hive)) = facts.known(&what, hive) {
            for key in [
                r"Software\Microsoft\Windows\CurrentVersion\Run",
                r"Software\Microsoft\Windows\CurrentVersion\RunOnce",
            ] {
                let done = person(&hive, &name, key, facts);
                facts.known(&what, done);
            }
        }
        keys(files, facts, &format!("{folder}/{name}/.ssh/authorized_keys"));
    }
}

fn person(hive: &Hive, name: &str, path: &str, facts: &mut Facts) -> Result<(), HiveError> {
    let Some(key) = hive.key(path)? else { return Ok(()) };
    for value in key.values()? {
        let value = value?;
        facts.add_hidden("run key", &format!(r"{name}: {path}\{}", value.name), &told(&value), &value.data);
    }
    Ok(())
}

/// Keys that log in by SSH.
fn keys(files: &dyn Files, facts: &mut Facts, path: &str) {
    let bytes = find_ignoring_case(files, path).and_then(|path| match path {
        Some(path) => files.read(&path, SETTINGS_MAX),
        None => Ok(None),
    });
    let Some(Some(bytes)) = facts.known(path, bytes) else { return };
    for line in String::from_utf8_lossy(&bytes).lines().map(str::trim).filter(|line| !line.is_empty()) {
        let told = line.get(line.len().saturating_sub(60)..).unwrap_or(line);
        facts.add_hidden("authorized key", &format!("{path}: ...{told}"), "set", line.as_bytes());
    }
}

/// A value in words: a number, a text, a list of texts, or how many bytes.
fn told(value: &Value) -> String {
    if let Some(text) = value.text() {
        return text;
    }
    if let Some(number) = value.number() {
        return number.to_string();
    }
    const LIST: u32 = 7;
    if value.kind == LIST {
        let units: Vec<u16> =
            value.data.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
        let texts = String::from_utf16_lossy(&units);
        return texts.split('\0').filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
    }
    format!("{} bytes", value.data.len())
}
