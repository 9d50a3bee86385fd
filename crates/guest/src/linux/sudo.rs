//! sudo: who becomes root without being asked for a password.
//!
//! Lines are read as sudo reads them ([`token`], [`statement`]); aliases are resolved, and a later rule may hold back an earlier one ([`weigh`]). What it must not do is
//! pass over what it does not understand: such a line is told as unknown.

mod statement;
mod token;
mod weigh;

use std::collections::{BTreeMap, BTreeSet};

use palisade_analysis::findings::Severity;

use crate::{Files, FilesError, Report, checks, files, finding::Said};
use statement::{Alias, Grant, Setting, Statement};
use weigh::{Groups, Part, Rule, Scales};

const SUDOERS: &str = "/etc/sudoers";
/// How deep files may include each other; sudo has the same limit.
const DEPTH_MAX: usize = 128;
const FILES_MAX: usize = 1_000;

pub(super) fn audit(files: &dyn Files, report: &mut Report) -> Result<(), FilesError> {
    let mut all = Sudoers::default();
    let done = all.file(files, SUDOERS, report, 0);
    let groups = Groups::read(files);
    let groups = report.known("groups", groups).unwrap_or_default();
    all.judge(&groups, report);
    done
}

/// Where something is said, and in which words.
#[derive(Clone)]
struct Place {
    path: String,
    text: String,
}

/// Names that stand for every command, and for root.
struct Means<'s> {
    all: BTreeSet<&'s str>,
    root: BTreeSet<&'s str>,
}

/// All that is said in files that include each other.
#[derive(Default)]
struct Sudoers {
    read: usize,
    aliases: BTreeMap<String, Alias>,
    grants: Vec<(Place, Vec<String>, Vec<Grant>)>,
    /// Of each scope what makes it ask for no password.
    unasked: BTreeMap<String, Place>,
    exempt: Option<(Place, String)>,
    /// Whether somebody other than root is whom one becomes without being named.
    has_other_default: bool,
}

impl Sudoers {
    fn file(
        &mut self,
        files: &dyn Files,
        path: &str,
        report: &mut Report,
        depth: usize,
    ) -> Result<(), FilesError> {
        self.read += 1;
        if depth > DEPTH_MAX || self.read > FILES_MAX {
            return Err(FilesError::new(path, "sudoers include each other too often"));
        }
        let Some(text) = files::text(files, path)? else { return Ok(()) };
        let mut is_told = false;
        for line in token::lines(&text) {
            if let Some((is_folder, name)) = included(line.text) {
                let name = beside(files, path, name)?;
                for path in if is_folder { in_folder(files, &name)? } else { vec![name] } {
                    self.file(files, &path, report, depth + 1)?;
                }
                continue;
            }
            let statement = line.tokens.as_deref().and_then(|tokens| {
                // What begins as an include and is none is a comment.
                if tokens.is_empty() { Some(None) } else { Statement::read(tokens).map(Some) }
            });
            let place = Place { path: format!("{path}:{}", line.number), text: line.text.to_owned() };
            match statement {
                Some(statement) => self.add(statement, place),
                None if !is_told => {
                    is_told = true;
                    report.unknown("sudo", format!("{} is not understood: {}", place.path, place.text));
                }
                None => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, statement: Option<Statement>, place: Place) {
        match statement {
            None => {}
            Some(Statement::Aliases(aliases)) => self.aliases.extend(aliases),
            Some(Statement::Grants { users, grants }) => self.grants.push((place, users, grants)),
            Some(Statement::Defaults { scope, settings }) => {
                settings.iter().for_each(|setting| self.set(&scope, setting, place.clone()));
            }
        }
    }

    /// Of a scope the last line holds.
    fn set(&mut self, scope: &str, setting: &Setting, place: Place) {
        match (setting.name.as_str(), setting.is_on) {
            ("authenticate", true) => drop(self.unasked.remove(scope)),
            ("authenticate", false) => drop(self.unasked.insert(scope.to_owned(), place)),
            ("runas_default", _) => self.has_other_default = true,
            ("exempt_group", false) => self.exempt = None,
            ("exempt_group", true) => self.exempt = Some((place, setting.value.clone())),
            _ => {}
        }
    }

    fn judge(&self, groups: &Groups, report: &mut Report) {
        for (scope, place) in &self.unasked {
            say(
                report,
                checks::SUDO_NOPASSWD.severity,
                place,
                scope,
                format!("sudo does not ask for a password ({scope})"),
            );
        }
        if let Some((place, group)) = &self.exempt {
            let message = format!("sudo does not ask members of {group} for a password");
            say(report, checks::SUDO_NOPASSWD.severity, place, "exempt_group", message);
        }
        let rules = self
            .grants
            .iter()
            .flat_map(|(_, users, grants)| grants.iter().map(|grant| Rule { users, grant }));
        let mut scales = Scales::new(rules.collect(), &self.aliases, groups, self.unasked.is_empty());
        if self.has_other_default {
            scales.spend();
        }
        let means =
            Means { all: self.standing_for(&["ALL"]), root: self.standing_for(&["ALL", "root", "#0"]) };
        let mut at = 0;
        for (place, users, grants) in &self.grants {
            let is_free = |grant: &Grant| grant.asks == Some(false) && !grant.command.starts_with('!');
            let free = grants.iter().enumerate().filter(|(_, grant)| is_free(grant));
            let free: Vec<Part<'_>> = free.flat_map(|(number, _)| scales.free(at + number)).collect();
            at += grants.len();
            Self::judge_one(report, place, users, &free, &means);
        }
    }

    /// The worst of what users may do without a password.
    fn judge_one(report: &mut Report, place: &Place, users: &[String], free: &[Part<'_>], means: &Means<'_>) {
        let named: BTreeSet<&str> = free.iter().map(|part| part.user).collect();
        // What root may do as root says nothing.
        if named.iter().all(|user| matches!(*user, "root" | "#0")) {
            return;
        }
        let is_free = |user: &&String| user.starts_with('!') || named.contains(user.as_str());
        let who = users.iter().filter(is_free).map(String::as_str).collect::<Vec<_>>().join(", ");
        let is_root =
            |part: &Part<'_>| part.as_whom.is_some_and(|whom| whom != "ALL" && means.root.contains(whom));
        if free.iter().any(|part| is_root(part) && means.all.contains(part.command)) {
            let message = format!("{who} becomes root without a password");
            say(report, checks::SUDO_NOPASSWD.severity, place, &who, message);
        } else {
            let whom = if free.iter().any(is_root) { "root" } else { "others" };
            let message = format!("{who} runs some commands as {whom} without a password");
            say(report, Severity::Note, place, &who, message);
        }
    }

    /// Names, and the aliases that have one of them, also by other aliases.
    fn standing_for<'s>(&'s self, wanted: &[&'s str]) -> BTreeSet<&'s str> {
        let mut by_member: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, alias) in &self.aliases {
            alias.members.iter().for_each(|member| by_member.entry(member).or_default().push(name));
        }
        let mut found: BTreeSet<&str> = wanted.iter().copied().collect();
        let mut open = wanted.to_vec();
        while let Some(name) = open.pop() {
            let aliases = by_member.get(name).into_iter().flatten().copied();
            open.extend(aliases.filter(|alias| found.insert(alias)));
        }
        found
    }
}

fn say(report: &mut Report, severity: Severity, place: &Place, who: &str, message: String) {
    let said = Said {
        subject: Some(who),
        message,
        path: place.path.clone(),
        value: place.text.clone(),
        wanted: "a password is asked for".to_owned(),
    };
    report.say_as(&checks::SUDO_NOPASSWD, severity, said);
}

/// What a line includes, and whether it is a folder.
fn included(line: &str) -> Option<(bool, &str)> {
    let behind = line.strip_prefix(['@', '#'])?.strip_prefix("include")?;
    let (is_folder, name) = behind.strip_prefix("dir").map_or((false, behind), |name| (true, name));
    name.starts_with([' ', '\t']).then(|| (is_folder, name.trim()))
}

/// The path of what a file includes, which may name the machine and is relative to the folder of that file.
fn beside(files: &dyn Files, path: &str, name: &str) -> Result<String, FilesError> {
    let quoted = name.strip_prefix('"').and_then(|name| name.split('"').next());
    let mut name = quoted.map_or_else(|| name.replace("\\ ", " "), str::to_owned);
    if name.contains("%h") {
        let host = files::text(files, "/etc/hostname")?.unwrap_or_default();
        name = name.replace("%h", host.trim().split('.').next().unwrap_or_default());
    }
    let name = name.trim_end_matches('/');
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Ok(if name.starts_with('/') { name.to_owned() } else { format!("{folder}/{name}") })
}

/// Files of a folder that sudo reads; it passes over what editors and packages leave there.
fn in_folder(files: &dyn Files, folder: &str) -> Result<Vec<String>, FilesError> {
    let mut names = files::sorted(files, folder)?;
    names.retain(|name| !name.ends_with('~') && !name.contains('.'));
    Ok(names.into_iter().map(|name| format!("{folder}/{name}")).collect())
}
