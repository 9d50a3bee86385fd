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
    // What is included is not followed: a policy in another file is taken for one that is there.
    let words = words(&text);
    let is_included = words.iter().any(|word| word == "include");
    Ok(match (chains(&words).into_iter().any(denies) || is_included, starts(files, "nftables.service")?) {
        (true, true) => State::Denies("nftables"),
        (true, false) => State::Open { path: NFTABLES, why: "nftables.service does not start by itself" },
        (false, _) => State::Open { path: NFTABLES, why: "no chain at the input drops what no rule names" },
    })
}

/// Words of nftables without comments; ends of statements and braces are words, what is in quotes is one.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut rest = text.chars();
    let mut is_quoted = false;
    while let Some(next) = rest.next() {
        match next {
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => words.last_mut().expect("there is one").push(next),
            '\\' if rest.as_str().starts_with('\n') => drop(rest.next()),
            '#' | '\n' | ';' | '{' | '}' => {
                if next == '#' {
                    rest.by_ref().find(|behind| *behind == '\n');
                }
                let end = if matches!(next, '{' | '}') { next } else { ';' };
                words.extend([end.to_string(), String::new()]);
            }
            _ if next.is_whitespace() => words.push(String::new()),
            _ => words.last_mut().expect("there is one").push(next),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What stands between the braces of each chain at the input of this machine.
fn chains(words: &[String]) -> Vec<&[String]> {
    let mut chains = Vec::new();
    let mut rest = words;
    while let Some(at) = rest.windows(3).position(|three| three[0] == "chain" && three[2] == "{") {
        rest = &rest[at + 3..];
        let mut depth = 1_u32;
        let end = rest.iter().position(|word| {
            depth = depth + u32::from(word == "{") - u32::from(word == "}");
            depth == 0
        });
        let (chain, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        if chain.windows(2).any(|pair| pair[0] == "hook" && pair[1] == "input") {
            chains.push(chain);
        }
    }
    chains
}

/// Whether a chain drops what no rule of it names: by its policy, or by its last rule.
fn denies(chain: &[String]) -> bool {
    let mut rules = chain.split(|word| word == ";").filter(|rule| !rule.is_empty());
    let is_last = rules.clone().next_back().is_some_and(drops_all);
    is_last || rules.any(|rule| rule.iter().eq(["policy", "drop"]))
}

/// Whether a rule drops or rejects without asking for anything; it may count and log before.
fn drops_all(rule: &[String]) -> bool {
    let mut words = rule.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "drop" | "reject" => return true,
            "counter" | "log" => {}
            "packets" | "bytes" | "prefix" | "level" | "flags" | "group" => drop(words.next()),
            _ => return false,
        }
    }
    false
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
    let table = text.split("*filter").nth(1).unwrap_or_default();
    let mut rules = table.lines().take_while(|line| line.trim() != "COMMIT").map(str::trim);
    let last = rules.clone().filter(|line| line.starts_with("-A INPUT ")).last();
    // The last rule asks for nothing.
    let is_last = last.is_some_and(|rule| {
        ["-A INPUT -j DROP", "-A INPUT -j REJECT"].iter().any(|end| rule.starts_with(end))
    });
    let denies = rules.any(|line| line.starts_with(":INPUT DROP")) || is_last;
    Ok(if denies {
        State::Denies("iptables")
    } else {
        State::Open { path: IPTABLES, why: "iptables accepts by default" }
    })
}
