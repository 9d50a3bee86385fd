//! Remote desktop, authentication, and who changes the administrator's password.

use palisade_analysis::findings::{Check, Severity};

use super::settings::{Setting, Settings};
use crate::{Report, checks, finding::Said, registry::HiveError};

const POLICY: &str = r"Policies\Microsoft\Windows NT\Terminal Services";
const SERVER: &str = r"Control\Terminal Server";
const STATION: &str = r"Control\Terminal Server\WinStations\RDP-Tcp";
const LSA: &str = r"Control\Lsa";
/// Where LAPS is set up, in the order in which Windows looks; the value is where the password is kept.
const LAPS: [&str; 3] = [
    r"Microsoft\Policies\LAPS",
    r"Microsoft\Windows\CurrentVersion\Policies\LAPS",
    r"Microsoft\Windows\CurrentVersion\LAPS\Config",
];
const OLD_LAPS: &str = r"Policies\Microsoft Services\AdmPwd";
const RDP_PORT: u64 = 3389;
/// Start type of a service that is disabled.
const DISABLED: u64 = 4;

pub(super) fn audit(settings: &Settings<'_>, report: &mut Report) -> Result<(), HiveError> {
    about(settings, report)?;
    remote_desktop(settings, report)?;
    authentication(settings, report)?;
    laps(settings, report)
}

fn about(settings: &Settings<'_>, report: &mut Report) -> Result<(), HiveError> {
    if let Some(name) = settings.text(r"Control\ComputerName\ComputerName", "ComputerName")? {
        report.about("computer", name);
    }
    if let Some(software) = settings.software {
        let version = |name: &str| software.value(r"Microsoft\Windows NT\CurrentVersion", name);
        for (name, value) in [("product", version("ProductName")?), ("build", version("CurrentBuild")?)] {
            if let Some(text) = value.and_then(|value| value.text()) {
                report.about(name, text);
            }
        }
    }
    if settings.text(r"Control\ProductOptions", "ProductType")?.as_deref() == Some("LanmanNT") {
        report.unknown("accounts of the domain", "it is a domain controller, and NTDS.dit is not read");
    }
    Ok(())
}

/// Whether remote desktop answers at all, and where.
pub(super) fn remote_desktop_port(settings: &Settings<'_>) -> Result<(bool, Setting, Setting), HiveError> {
    let denies = settings.effective(POLICY, SERVER, "fDenyTSConnections", 1)?;
    let start = settings.local(r"Services\TermService", "Start")?;
    let is_on = denies.number == 0 && start.is_none_or(|start| start.number != DISABLED);
    let path = format!("SYSTEM\\{}\\PortNumber (not set)", settings.in_set(STATION));
    let port = settings.local(STATION, "PortNumber")?.unwrap_or(Setting { number: RDP_PORT, path });
    Ok((is_on, denies, port))
}

fn remote_desktop(settings: &Settings<'_>, report: &mut Report) -> Result<(), HiveError> {
    let (is_on, denies, port) = remote_desktop_port(settings)?;
    report
        .about("remote desktop", if is_on { format!("on, port {}", port.number) } else { "off".to_owned() });
    if is_on {
        say(
            report,
            &checks::RDP_ON,
            None,
            "remote desktop is on".to_owned(),
            denies,
            "1, or open only when needed",
        );
        if port.number == RDP_PORT {
            let message = format!("remote desktop listens at port {RDP_PORT}");
            say(report, &checks::RDP_PORT, None, message, port, "another port, or none that is public");
        }
    }
    // What is set while it is off matters once it is turned on.
    let weight = |check: &Check| if is_on { check.severity } else { Severity::Note };
    let level = settings.effective(POLICY, STATION, "UserAuthentication", 0)?;
    let has_level = level.number != 0;
    if !has_level {
        let message = "network level authentication is not required".to_owned();
        let check = &checks::RDP_NLA;
        say(report, check, Some(weight(check)), message, level, "1");
    }
    // Network level authentication is spoken over TLS, so that these matter less with it.
    let below = |check: &Check| if has_level { Severity::Note } else { weight(check) };
    let layer = settings.effective(POLICY, STATION, "SecurityLayer", 1)?;
    if layer.number < 2 {
        let message = match layer.number {
            0 => "remote desktop is spoken without TLS",
            _ => "remote desktop is spoken without TLS if the client asks so",
        };
        let check = &checks::RDP_SECURITY;
        say(report, check, Some(below(check)), message.to_owned(), layer, "2");
    }
    let encryption = settings.effective(POLICY, STATION, "MinEncryptionLevel", 2)?;
    if encryption.number < 3 {
        let message = "remote desktop accepts weaker encryption than high".to_owned();
        let check = &checks::RDP_ENCRYPTION;
        say(report, check, Some(below(check)), message, encryption, "3 or 4");
    }
    Ok(())
}

fn authentication(settings: &Settings<'_>, report: &mut Report) -> Result<(), HiveError> {
    // Windows limits blank passwords unless told otherwise.
    if let Some(blank) = settings.local(LSA, "LimitBlankPasswordUse")?.filter(|limit| limit.number == 0) {
        let message = "accounts without a password may log on over the network".to_owned();
        say(report, &checks::BLANK, None, message, blank, "1");
    }
    let level = settings.local(LSA, "LmCompatibilityLevel")?;
    if let Some(level) = level.filter(|level| level.number < 5) {
        let severity = if level.number < 3 { Severity::Warning } else { Severity::Note };
        let message = format!("authentication of level {} sends or accepts NTLM or LM", level.number);
        say(report, &checks::LM, Some(severity), message, level, "5");
    }
    let protected = settings.local(LSA, "RunAsPPL")?;
    let path = format!("SYSTEM\\{}\\RunAsPPL (not set)", settings.in_set(LSA));
    let protected = protected.unwrap_or(Setting { number: 0, path });
    if protected.number == 0 {
        let message = "the process that holds credentials is not protected".to_owned();
        say(report, &checks::LSA, None, message, protected, "1 or 2");
    }
    Ok(())
}

fn laps(settings: &Settings<'_>, report: &mut Report) -> Result<(), HiveError> {
    if settings.software.is_none() {
        return Ok(());
    }
    for key in LAPS {
        if settings.policy(key, "BackupDirectory")?.is_some_and(|place| place.number != 0) {
            return Ok(());
        }
    }
    let old = settings.policy(OLD_LAPS, "AdmPwdEnabled")?;
    if old.is_some_and(|old| old.number != 0) {
        return Ok(());
    }
    let path = format!("SOFTWARE\\{}\\BackupDirectory (not set, or 0)", LAPS[1]);
    let message = "LAPS is not set up: the local administrator's password stays as it is".to_owned();
    say(
        report,
        &checks::LAPS,
        None,
        message,
        Setting { number: 0, path },
        "1 (Entra ID) or 2 (Active Directory)",
    );
    Ok(())
}

fn say(
    report: &mut Report,
    check: &'static Check,
    severity: Option<Severity>,
    message: String,
    setting: Setting,
    wanted: &str,
) {
    let value = setting.number.to_string();
    let said = Said { subject: None, message, path: setting.path, value, wanted: wanted.to_owned() };
    report.say_as(check, severity.unwrap_or(check.severity), said);
}
