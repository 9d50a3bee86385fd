//! The machine's own firewall: nftables, ufw, firewalld or iptables, that starts with it and denies by default.

mod names;
mod nftables;
mod words;

use self::nftables::Stop;
use super::lines;
use crate::{Files, FilesError, Report, checks, files, finding::Said};

/// What nftables.service loads, on Debian and on RHEL.
const NFTABLES: [&str; 2] = ["/etc/nftables.conf", "/etc/sysconfig/nftables.conf"];
const UFW: &str = "/etc/ufw/ufw.conf";
const UFW_DEFAULTS: &str = "/etc/default/ufw";
const IPTABLES: &str = "/etc/iptables/rules.v4";
/// Folders in which systemd finds what starts by itself.
const WANTS: [&str; 2] =
    ["/etc/systemd/system/sysinit.target.wants", "/etc/systemd/system/multi-user.target.wants"];

/// What was found of one firewall.
enum State {
    /// It starts and denies by default.
    Denies(&'static str),
    /// It is there, but something is missing.
    Open {
        path: String,
        why: String,
    },
    Absent,
}

impl State {
    fn open(path: &str, why: &str) -> Self {
        Self::Open { path: path.to_owned(), why: why.to_owned() }
    }
}

pub(super) fn audit(files: &dyn Files, report: &mut Report) -> Result<(), FilesError> {
    let states = [nftables(files)?, ufw(files)?, firewalld(files)?, iptables(files)?];
    if let Some(name) =
        states.iter().find_map(|state| if let State::Denies(name) = state { Some(*name) } else { None })
    {
        report.about("firewall", name);
        return Ok(());
    }
    let open = states
        .into_iter()
        .find_map(|state| if let State::Open { path, why } = state { Some((path, why)) } else { None });
    let (path, why) = open.unwrap_or_else(|| {
        (NFTABLES[0].to_owned(), "there is no nftables, ufw, firewalld or iptables".to_owned())
    });
    report.say(
        &checks::FIREWALL,
        Said {
            subject: None,
            message: format!("the machine's own firewall does not deny by default: {why}"),
            path,
            value: why,
            wanted: "inbound is dropped by default, and it starts with the machine".to_owned(),
        },
    );
    Ok(())
}

fn starts(files: &dyn Files, unit: &str) -> Result<bool, FilesError> {
    for folder in WANTS {
        if files.names(folder)?.iter().any(|name| name == unit) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn nftables(files: &dyn Files) -> Result<State, FilesError> {
    let Some(path) = first(files, &NFTABLES)? else { return Ok(State::Absent) };
    let denies = match nftables::denies(files, path) {
        Ok(denies) => denies,
        Err(Stop::Files(error)) => return Err(error),
        Err(Stop::Refused { place, why }) => {
            return Ok(State::Open { path: place, why: format!("nft refuses all of its settings: {why}") });
        }
    };
    Ok(match (denies, starts(files, "nftables.service")?) {
        (true, true) => State::Denies("nftables"),
        (true, false) => State::open(path, "nftables.service does not start by itself"),
        (false, _) => State::open(path, "no chain at the input drops what no rule names"),
    })
}

/// The first of several files that is there.
fn first(files: &dyn Files, paths: &[&'static str]) -> Result<Option<&'static str>, FilesError> {
    for path in paths {
        if files.meta(path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn ufw(files: &dyn Files) -> Result<State, FilesError> {
    let Some(text) = files::text(files, UFW)? else { return Ok(State::Absent) };
    let has = |text: &str, wanted: &[&str]| {
        lines(text)
            .iter()
            .any(|(_, line)| wanted.contains(&line.replace('"', "").to_ascii_lowercase().trim()))
    };
    if !has(&text, &["enabled=yes"]) {
        return Ok(State::open(UFW, "ufw is not enabled"));
    }
    let defaults = files::text(files, UFW_DEFAULTS)?.unwrap_or_default();
    let denies = has(&defaults, &["default_input_policy=drop", "default_input_policy=reject"]);
    Ok(if denies { State::Denies("ufw") } else { State::open(UFW_DEFAULTS, "ufw accepts by default") })
}

/// firewalld rejects what its zones do not allow; that its default zone trusts everybody is looked at.
fn firewalld(files: &dyn Files) -> Result<State, FilesError> {
    const SETTINGS: &str = "/etc/firewalld/firewalld.conf";
    let Some(text) = files::text(files, SETTINGS)? else { return Ok(State::Absent) };
    let is_trusting = lines(&text).iter().any(|(_, line)| line.trim() == "DefaultZone=trusted");
    Ok(match (is_trusting, starts(files, "firewalld.service")?) {
        (true, _) => State::open(SETTINGS, "firewalld trusts everybody by default"),
        (false, true) => State::Denies("firewalld"),
        (false, false) => State::open(SETTINGS, "firewalld.service does not start by itself"),
    })
}

fn iptables(files: &dyn Files) -> Result<State, FilesError> {
    let Some(text) = files::text(files, IPTABLES)? else { return Ok(State::Absent) };
    let table = text.split("*filter").nth(1).unwrap_or_default();
    let mut rules = table.lines().take_while(|line| line.trim() != "COMMIT").map(str::trim);
    let last = rules.clone().filter(|line| line.starts_with("-A INPUT ")).last();
    // The last rule asks for nothing.
    let is_last = last.is_some_and(|rule| {
        ["-A INPUT -j DROP", "-A INPUT -j REJECT"].iter().any(|end| rule.starts_with(end))
    });
    let denies = rules.any(|line| line.starts_with(":INPUT DROP")) || is_last;
    Ok(if denies { State::Denies("iptables") } else { State::open(IPTABLES, "iptables accepts by default") })
}
