//! What of a machine matters after somebody else had it: accounts, who may become root, what starts by itself, what lets in, what listens.
//!
//! [`Facts`] of two states of a machine are compared by what they are about. A password, or what it was made into, is compared and never told: it is in
//! no text, and not in `Debug`. What cannot be read is `unknown` on the side where it is so.

mod linux;
mod windows;

use std::{collections::BTreeMap, fmt};

use crate::{Files, Unknown, disk, finding::plain};

/// Facts of one machine; what is beyond is told as unknown.
const FACTS_MAX: usize = 200_000;

/// What a fact is about: a topic, and the one thing of it.
type About = (&'static str, String);

/// What is known of one thing.
#[derive(Clone, PartialEq, Eq)]
struct Fact {
    told: String,
    hidden: Vec<u8>,
}

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fact").field("told", &self.told).finish_non_exhaustive()
    }
}

/// All that is known of a machine.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    all: BTreeMap<About, Fact>,
    unknown: Vec<Unknown>,
}

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// What it is about, such as `account` or `service`.
    pub topic: &'static str,
    /// Which one.
    pub subject: String,
    /// How it was; `None` if it was not there.
    pub before: Option<String>,
    /// How it is; `None` if it is gone.
    pub after: Option<String>,
}

impl Facts {
    /// Reads the facts of a machine.
    pub fn of(files: &dyn Files) -> Self {
        let mut facts = Self::default();
        if crate::windows::is_one(files) {
            windows::read(files, &mut facts);
        } else if crate::linux::is_one(files) {
            linux::read(files, &mut facts);
        }
        facts.unknown.sort();
        facts.unknown.dedup();
        facts
    }

    /// What could not be read.
    pub fn unread(&self) -> &[Unknown] {
        &self.unknown
    }

    /// What differs from how it was, by topic and subject.
    pub fn since(&self, before: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (about, old) in &before.all {
            let new = self.all.get(about);
            if new != Some(old) {
                changes.push(change(about, Some(old), new));
            }
        }
        for (about, new) in &self.all {
            if !before.all.contains_key(about) {
                changes.push(change(about, None, Some(new)));
            }
        }
        changes.sort();
        changes
    }

    fn add(&mut self, topic: &'static str, subject: &str, told: &str) {
        self.add_hidden(topic, subject, told, &[]);
    }

    /// A fact with something that is compared and not told.
    fn add_hidden(&mut self, topic: &'static str, subject: &str, told: &str, hidden: &[u8]) {
        if self.all.len() >= FACTS_MAX {
            return self.unknown("what follows", format!("there are more than {FACTS_MAX} facts"));
        }
        let fact = Fact { told: plain(told), hidden: hidden.to_vec() };
        // One thing told twice is one thing that is both, such as a name with two lines in a file of accounts.
        match self.all.entry((topic, plain(subject))) {
            std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(fact)),
            std::collections::btree_map::Entry::Occupied(mut entry) if *entry.get() != fact => {
                let both = entry.get_mut();
                both.told = plain(&format!("{}; and {}", both.told, fact.told));
                both.hidden.push(0);
                both.hidden.extend(fact.hidden);
            }
            std::collections::btree_map::Entry::Occupied(_) => {}
        }
    }

    fn unknown(&mut self, what: impl Into<String>, reason: impl Into<String>) {
        if self.unknown.len() < FACTS_MAX {
            let unknown = Unknown { what: plain(&what.into()), reason: plain(&reason.into()) };
            self.unknown.push(unknown);
        }
    }

    /// What a reading gave, or nothing and a note of why.
    fn known<T, E: ToString>(&mut self, what: &str, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.unknown(what, error.to_string())).ok()
    }
}

fn change(about: &About, before: Option<&Fact>, after: Option<&Fact>) -> Change {
    let is_hidden = matches!((before, after), (Some(before), Some(after)) if before.told == after.told);
    let told = |fact: &Fact| fact.told.clone();
    let after = after.map(|fact| if is_hidden { format!("{} (changed)", fact.told) } else { told(fact) });
    Change { topic: about.0, subject: about.1.clone(), before: before.map(told), after }
}

/// The facts of the system on the first of several disks that has one; `None` if none has.
pub fn of_disks(disks: &[std::rc::Rc<dyn disk::Disk>]) -> Option<Facts> {
    disks.iter().find_map(|one| disk::open(one).ok()).map(|files| Facts::of(files.as_ref()))
}

#[cfg(test)]
mod tests;
