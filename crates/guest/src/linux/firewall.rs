//! The machine's own firewall: nftables, ufw, firewalld or iptables, that starts with it and denies by default.

use super::lines;
use crate::{Files, FilesError, Report, checks, files, finding::Said};

const NFTABLES: &str = "/etc/nftables.conf";
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
        path: &'static str,
        why: &'static str,
    },
    Absent,
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
        .iter()
        .find_map(|state| if let State::Open { path, why } = state { Some((*path, *why)) } else { None });
    let (path, why) = open.unwrap_or((NFTABLES, "there is no nftables, ufw, firewalld or iptables"));
    report.say(
        &checks::FIREWALL,
        Said {
            subject: None,
            message: format!("the machine's own firewall does not deny by default: {why}"),
            path: path.to_owned(),
            value: why.to_owned(),
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
    let Some(text) = files::text(files, NFTABLES)? else { return Ok(State::Absent) };
    let text: String = lines(&text).into_iter().map(|(_, line)| line + "\n").collect();
    // What is included is not followed: a policy in another file is taken for one that is there.
    let chain = text.split("hook input").nth(1).and_then(|rest| rest.split('}').next());
    let denies = chain.is_some_and(|chain| {
        chain.contains("policy drop") || chain.contains("drop\n") || chain.contains("reject")
    });
    Ok(match (denies || text.contains("include "), starts(files, "nftables.service")?) {
        (true, true) => State::Denies("nftables"),
        (true, false) => State::Open { path: NFTABLES, why: "nftables.service does not start by itself" },
        (false, _) => State::Open { path: NFTABLES, why: "no chain at the input drops what no rule names" },
    })
}

fn ufw(files: &dyn Files) -> Result<State, FilesError> {
    let Some(text) = files::text(files, UFW)? else { return Ok(State::Absent) };
    let has = |text: &str, wanted: &[&str]| {
        lines(text)
            .iter()
            .any(|(_, line)| wanted.contains(&line.replace('"', "").to_ascii_lowercase().trim()))
    };
    if !has(&text, &["enabled=yes"]) {
        return Ok(State::Open { path: UFW, why: "ufw is not enabled" });
    }
    let defaults = files::text(files, UFW_DEFAULTS)?.unwrap_or_default();
    let denies = has(&defaults, &["default_input_policy=drop", "default_input_policy=reject"]);
    Ok(if denies {
        State::Denies("ufw")
    } else {
        State::Open { path: UFW_DEFAULTS, why: "ufw accepts by default" }
    })
}

/// firewalld rejects what its zones do not allow; that its default zone trusts everybody is looked at.
fn firewalld(files: &dyn Files) -> Result<State, FilesError> {
    const SETTINGS: &str = "/etc/firewalld/firewalld.conf";
    let Some(text) = files::text(files, SETTINGS)? else { return Ok(State::Absent) };
    let is_trusting = lines(&text).iter().any(|(_, line)| line.trim() == "DefaultZone=trusted");
    Ok(match (is_trusting, starts(files, "firewalld.service")?) {
        (true, _) => State::Open { path: SETTINGS, why: "firewalld trusts everybody by default" },
        (false, true) => State::Denies("firewalld"),
        (false, false) => State::Open { path: SETTINGS, why: "firewalld.service does not start by itself" },
    })
}

fn iptables(files: &dyn Files) -> Result<State, FilesError> {
    let Some(text) = files::text(files, IPTABLES)? else { return Ok(State::Absent) };
    let denies = text.lines().any(|line| line.starts_with(":INPUT DROP"));
    Ok(if denies {
        State::Denies("iptables")
    } else {
        State::Open { path: IPTABLES, why: "iptables accepts by default" }
    })
}
