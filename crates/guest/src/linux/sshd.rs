//! sshd's settings, as sshd itself reads them: the first value holds, `Include` reads files in their order at that place, and `Match` holds
//! for some connections.
//!
//! Two passes, as sshd makes them: what stands outside of `Match` (or in `Match all`) holds for all, and then what stands in a `Match` of
//! the connection (again also `Match all`) takes its place, the first value of it. A file that is included inside of a `Match` is under it. Reference: OpenSSH 9.2,
//! `servconf.c` and sshd_config(5); the tests hold it against `sshd -T`.

mod line;
mod matching;
mod words;

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use matching::Condition;
pub use matching::Connection;
use words::{Many, Word};

use crate::{Files, FilesError, files, pattern::found};

/// Where the settings are.
pub const CONFIG: &str = "/etc/ssh/sshd_config";
/// What relative includes are relative to.
const FOLDER: &str = "/etc/ssh";
/// How deep files may include each other; sshd has the same limit.
const DEPTH_MAX: usize = 16;
/// Files of settings.
const FILES_MAX: usize = 1_000;
/// Lines with settings of all files together.
const LINES_MAX: usize = 100_000;

const METHODS: &str = "authenticationmethods";

/// Where a setting stands: a file, and its line from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    file: Rc<str>,
    line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Something for which sshd refuses its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where.
    pub place: Place,
    /// Why.
    pub why: String,
}

/// A line: a word, its values, and the conditions that it is under, all of which must match.
#[derive(Debug)]
struct Line {
    word: &'static Word,
    values: Vec<String>,
    place: Place,
    under: Vec<Rc<Condition>>,
}

impl Line {
    /// Whether all its conditions hold for a connection, or where none is known.
    fn is_under(&self, connection: Option<&Connection>) -> bool {
        self.under.iter().all(|condition| condition.matches(connection))
    }
}

/// All settings.
#[derive(Debug, Default)]
pub struct Config {
    lines: Vec<Line>,
    refusals: Vec<Refusal>,
    blocks: Vec<(Place, Vec<Rc<Condition>>)>,
    files: usize,
    /// Whether ways to log in are set for all.
    has_methods: bool,
}

/// What holds for all, or for one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    set: BTreeMap<&'static str, (Vec<String>, Place)>,
}

/// What a `Match` changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its conditions, as written.
    pub title: String,
    /// Where it begins.
    pub place: Place,
    /// What holds under it.
    pub settings: Settings,
    /// Words that it sets itself.
    pub changes: Vec<&'static str>,
}

impl Config {
    /// Reads the settings and all that they include. A missing file has none.
    ///
    /// # Errors
    /// [`FilesError`] if a file cannot be read, or if there are too many.
    pub fn read(files: &dyn Files, path: &str) -> Result<Self, FilesError> {
        let mut config = Self::default();
        config.file(files, path, &[], 0)?;
        Ok(config)
    }

    /// For what sshd refuses them.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// What holds where no `Match` but those for all does.
    pub fn global(&self) -> Settings {
        self.second_pass(|line| line.is_under(None))
    }

    /// What holds for a connection.
    pub fn of(&self, connection: &Connection) -> Settings {
        self.second_pass(|line| line.is_under(Some(connection)))
    }

    /// What each `Match` changes, in their order; those for all are not among them.
    pub fn blocks(&self) -> Vec<Block> {
        let (mut own, mut always) = (HashMap::<_, Vec<usize>>::new(), Vec::new());
        for (at, line) in self.lines.iter().enumerate() {
            match line.under.last() {
                Some(_) if line.is_under(None) => always.push(at),
                Some(last) => own.entry(Rc::as_ptr(last)).or_default().push(at),
                None => {}
            }
        }
        let all = self.outside();
        let is_some = |(_, under): &&(Place, Vec<Rc<Condition>>)| !under.iter().all(|one| one.is_all());
        let block = |(place, under): &(Place, Vec<Rc<Condition>>)| {
            // The last condition is that of the `Match`, and stands in no other.
            let own = under.last().and_then(|last| own.get(&Rc::as_ptr(last)));
            let own = own.map(Vec::as_slice).unwrap_or_default();
            let mut changes: Vec<&str> = own.iter().map(|at| self.lines[*at].word.name).collect();
            changes.sort_unstable();
            changes.dedup();
            let mut matched = [own, always.as_slice()].concat();
            matched.sort_unstable();
            Block {
                title: under.iter().map(|condition| condition.text()).collect::<Vec<_>>().join(" and "),
                place: place.clone(),
                settings: all.clone().under(matched.iter().map(|at| &self.lines[*at])),
                changes,
            }
        };
        self.blocks.iter().filter(is_some).map(block).collect()
    }

    /// What holds for all, with what stands in a `Match` and is wanted in its place.
    fn second_pass(&self, is_wanted: impl Fn(&Line) -> bool) -> Settings {
        let matched = self.lines.iter().filter(|line| !line.under.is_empty());
        self.outside().under(matched.filter(|line| is_wanted(line)))
    }

    /// What the first pass finds: what holds where no connection is known.
    fn outside(&self) -> Settings {
        let mut settings = Settings::default();
        self.lines.iter().filter(|line| line.is_under(None)).for_each(|line| settings.add(line));
        settings
    }

    fn file(
        &mut self,
        files: &dyn Files,
        path: &str,
        under: &[Rc<Condition>],
        depth: usize,
    ) -> Result<(), FilesError> {
        self.files += 1;
        if self.files > FILES_MAX {
            return Err(FilesError::new(path, format!("more than {FILES_MAX} files are included")));
        }
        let Some(text) = files::text(files, path)? else { return Ok(()) };
        let file: Rc<str> = path.into();
        let mut current = under.to_vec();
        for (number, text) in text.lines().enumerate() {
            let place = Place { file: Rc::clone(&file), line: number + 1 };
            if self.lines.len() + self.blocks.len() >= LINES_MAX {
                return Err(FilesError::new(path, format!("there are more than {LINES_MAX} settings")));
            }
            let (keyword, rest) = match line::keyword(text) {
                Ok(Some(split)) => split,
                Ok(None) => continue,
                Err(why) => {
                    self.refuse(&place, why);
                    continue;
                }
            };
            match keyword.as_str() {
                "match" => match Condition::read(&rest) {
                    Ok(condition) => {
                        current = under.iter().cloned().chain([Rc::new(condition)]).collect();
                        self.blocks.push((place, current.clone()));
                    }
                    Err(why) => self.refuse(&place, why),
                },
                "include" => self.include(files, &rest, &place, &current, depth)?,
                _ => self.line(&keyword, &rest, place, &current),
            }
        }
        Ok(())
    }

    fn include(
        &mut self,
        files: &dyn Files,
        rest: &str,
        place: &Place,
        under: &[Rc<Condition>],
        depth: usize,
    ) -> Result<(), FilesError> {
        let refused = match line::arguments(rest) {
            Ok(patterns) if !patterns.is_empty() && patterns.iter().all(|pattern| !pattern.is_empty()) => {
                Ok(patterns)
            }
            Ok(_) => Err("Include names no file".to_owned()),
            Err(why) => Err(why),
        };
        let patterns = match refused {
            Ok(patterns) => patterns,
            Err(why) => {
                self.refuse(place, why);
                return Ok(());
            }
        };
        for pattern in patterns {
            let pattern =
                if pattern.starts_with(['/', '~']) { pattern } else { format!("{FOLDER}/{pattern}") };
            for path in found(files, &pattern)? {
                if depth + 1 > DEPTH_MAX {
                    self.refuse(place, format!("files include each other more than {DEPTH_MAX} deep"));
                    return Ok(());
                }
                self.file(files, &path, under, depth + 1)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, keyword: &str, rest: &str, place: Place, under: &[Rc<Condition>]) {
        let Some(word) = words::find(keyword) else {
            if !words::is_known(keyword) {
                self.refuse(&place, format!("there is no setting \"{keyword}\""));
            }
            return;
        };
        if !word.may_match && !under.iter().all(|condition| condition.matches(None)) {
            return self.refuse(&place, format!("{keyword} may not stand in a Match"));
        }
        let is_for_all = under.iter().all(|condition| condition.matches(None));
        match line::arguments(rest).and_then(|arguments| word.values(&arguments, rest)) {
            Ok(values) if word.name == METHODS && self.is_any_among(&values, is_for_all) => {
                self.refuse(&place, format!("{keyword}: any stands alone"));
            }
            Ok(values) => {
                self.has_methods |= word.name == METHODS && is_for_all;
                self.lines.push(Line { word, values, place, under: under.to_vec() });
            }
            Err(why) => self.refuse(&place, format!("{keyword}: {why}")),
        }
    }

    /// Whether `any` is not the only way to log in: sshd refuses it behind a line for all that names ways, wherever it stands.
    fn is_any_among(&self, values: &[String], is_for_all: bool) -> bool {
        values.iter().any(|value| value == "any") && (self.has_methods || (is_for_all && values.len() > 1))
    }

    fn refuse(&mut self, place: &Place, why: String) {
        if self.refusals.len() < FILES_MAX {
            self.refusals.push(Refusal { place: place.clone(), why });
        }
    }
}

impl Settings {
    /// These, with what lines in a `Match` put in their place.
    fn under<'l>(mut self, matched: impl Iterator<Item = &'l Line>) -> Self {
        let mut over = Self::default();
        matched.filter(|line| line.word.may_match).for_each(|line| over.add(line));
        self.set.extend(over.set);
        self
    }

    fn add(&mut self, line: &Line) {
        let first = (line.values.clone(), line.place.clone());
        match self.set.entry(line.word.name) {
            std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(first)),
            std::collections::btree_map::Entry::Occupied(mut entry) if line.word.many == Many::All => {
                entry.get_mut().0.extend(first.0);
            }
            std::collections::btree_map::Entry::Occupied(_) => {}
        }
    }

    /// The values of a word in lower case that is known here, and where they stand; the defaults stand nowhere.
    pub fn get(&self, name: &str) -> (Vec<String>, Option<&Place>) {
        match self.set.get(name) {
            Some((values, place)) => (values.clone(), Some(place)),
            None => (words::defaults(name), None),
        }
    }

    /// The only value of a word, or the first.
    pub(crate) fn one(&self, name: &str) -> String {
        self.get(name).0.into_iter().next().unwrap_or_default()
    }

    /// All that is known, as lines of `sshd -T`.
    pub fn lines(&self) -> Vec<String> {
        let lines = words::all().flat_map(|word| {
            let values = self.get(word.name).0;
            let values = if word.many == Many::Joined { vec![values.join(" ")] } else { values };
            values.into_iter().map(|value| format!("{} {value}", word.name)).collect::<Vec<_>>()
        });
        lines.collect()
    }
}

#[cfg(test)]
mod tests;
