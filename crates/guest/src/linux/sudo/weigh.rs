//! Which of several grants holds: for a user, a machine, an account and a command the last that is about all of them.
//!
//! A grant that asks for no password is worth nothing where a later one is about the same and asks, or forbids it. That is believed only if the later one is
//! about all that the earlier one is about, by names that are the same, by `ALL`, by aliases, and by groups of `/etc/group`: lists with exceptions, sums of
//! commands and rules for a time hold nothing back. Reference: `plugins/sudoers/match.c` and `parse.c` of sudo 1.9.13.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::{Alias, As, Grant};
use crate::{Files, FilesError, files};

/// Comparisons of names that are made; what no comparison is left for is taken for what holds.
const COMPARISONS_MAX: usize = 1_000_000;

/// Groups of the machine, by account.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<String, BTreeSet<String>>);

impl Groups {
    pub(super) fn read(files: &dyn Files) -> Result<Self, FilesError> {
        let mut groups = Self::default();
        let mut names = BTreeMap::new();
        for line in files::text(files, "/etc/group")?.unwrap_or_default().lines() {
            let [name, _, number, members] = line.split(':').collect::<Vec<_>>()[..] else { continue };
            names.entry(number.to_owned()).or_insert_with(|| name.to_owned());
            for member in members.split(',') {
                groups.0.entry(member.to_owned()).or_default().insert(name.to_owned());
            }
        }
        for line in files::text(files, "/etc/passwd")?.unwrap_or_default().lines() {
            let [name, _, _, group, ..] = line.split(':').collect::<Vec<_>>()[..] else { continue };
            if let Some(group) = names.get(group) {
                groups.0.entry(name.to_owned()).or_default().insert(group.clone());
            }
        }
        Ok(groups)
    }
}

/// A grant and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Rule<'s> {
    pub(super) users: &'s [String],
    pub(super) grant: &'s Grant,
}

/// What one grant says of one account and one command, for one user.
#[derive(Clone, Copy)]
pub(super) struct Part<'s> {
    /// As it is written: its name, a group, or an alias.
    pub(super) user: &'s str,
    /// `None` is the user itself; `ALL` is all but root, of whom another part tells.
    pub(super) as_whom: Option<&'s str>,
    pub(super) command: &'s str,
}

/// All grants in their order, and what names in them mean.
pub(super) struct Scales<'s> {
    pub(super) rules: Vec<Rule<'s>>,
    pub(super) aliases: &'s BTreeMap<String, Alias>,
    pub(super) groups: &'s Groups,
    /// Whether a grant without a tag asks for a password.
    pub(super) asks_by_default: bool,
    left: usize,
}

impl<'s> Scales<'s> {
    pub(super) const fn new(
        rules: Vec<Rule<'s>>,
        aliases: &'s BTreeMap<String, Alias>,
        groups: &'s Groups,
        asks_by_default: bool,
    ) -> Self {
        Self { rules, aliases, groups, asks_by_default, left: COMPARISONS_MAX }
    }

    /// Holds nothing back from now on: it is not known who is meant by a rule that names nobody.
    pub(super) const fn spend(&mut self) {
        self.left = 0;
    }

    /// The parts of a grant without a password that no later grant holds back.
    pub(super) fn free(&mut self, at: usize) -> Vec<Part<'s>> {
        let Rule { users, grant } = self.rules[at];
        let users: Vec<(&str, &str)> = positive(users)
            .flat_map(|written| self.members(written).into_iter().map(move |user| (written, user)))
            .collect();
        let whom: Vec<Option<&str>> = match &grant.as_whom {
            None => vec![Some("root")],
            Some(As { users, .. }) if users.is_empty() => vec![None],
            Some(As { users, .. }) => positive(users).flat_map(|user| self.members(user)).map(Some).collect(),
        };
        // Everybody is root, and the others.
        let is_all = whom.contains(&Some("ALL"));
        let whom: Vec<Option<&str>> = whom.into_iter().chain(is_all.then_some(Some("root"))).collect();
        let commands = self.members(&grant.command);
        let count = users.len().saturating_mul(whom.len()).saturating_mul(commands.len());
        if count > self.left {
            let part = |user, as_whom| Part { user, as_whom, command: &grant.command };
            let each_user = users.iter().flat_map(|(user, _)| whom.first().map(|whom| part(user, *whom)));
            let each_whom = whom.iter().flat_map(|whom| users.first().map(|(user, _)| part(user, *whom)));
            return each_user.chain(each_whom).collect();
        }
        self.left -= count;
        let mut free = Vec::new();
        for (written, user) in users {
            for as_whom in &whom {
                let parts = commands.iter().map(|command| Part { user: written, as_whom: *as_whom, command });
                free.extend(parts.filter(|part| !self.is_held_back(at, Part { user, ..*part })));
            }
        }
        free
    }

    /// The members of an alias; of one with exceptions, or of no alias, the name.
    fn members(&mut self, name: &'s str) -> Vec<&'s str> {
        let alias = self.aliases.get(name).filter(|alias| alias.members.len() <= self.left);
        self.left -= alias.map_or(0, |alias| alias.members.len());
        match alias.filter(|alias| alias.is_plain()) {
            Some(alias) => alias.members.iter().map(String::as_str).collect(),
            None => vec![name],
        }
    }

    fn is_held_back(&mut self, at: usize, part: Part<'_>) -> bool {
        let earlier = self.rules[at].grant;
        for later in at + 1..self.rules.len() {
            if self.left == 0 {
                return false;
            }
            self.left -= 1;
            let Rule { users, grant } = self.rules[later];
            let (command, forbids) =
                grant.command.strip_prefix('!').map_or((&*grant.command, false), |it| (it, true));
            let asks = grant.asks.unwrap_or(self.asks_by_default);
            let holds = (asks || forbids)
                && grant.is_whole
                && self.is_command(part.command, command)
                && self.is_whom(part.as_whom, earlier, grant)
                && earlier.hosts.iter().all(|host| self.is_in(host, &grant.hosts))
                && self.is_user(part.user, users);
            if holds {
                return true;
            }
        }
        false
    }

    fn is_command(&mut self, command: &str, later: &str) -> bool {
        let list = [later.to_owned()];
        // A command without arguments is one with any.
        let bare = command.split(' ').next().unwrap_or(command);
        self.is_in(command, &list) || (bare != command && self.is_in(bare, &list))
    }

    fn is_whom(&mut self, whom: Option<&str>, earlier: &Grant, later: &Grant) -> bool {
        const NONE: &[String] = &[];
        let groups = |grant: &'_ Grant| grant.as_whom.as_ref().map_or(NONE, |whom| &whom.groups).to_vec();
        let root = ["root".to_owned()];
        let users: &[String] = later.as_whom.as_ref().map_or(&root, |whom| &whom.users);
        let is_user = match whom {
            None => users.is_empty(),
            Some(whom) => self.is_in(whom, users),
        };
        let later = groups(later);
        is_user && groups(earlier).iter().all(|group| self.is_in(group, &later))
    }

    fn is_user(&mut self, user: &str, list: &[String]) -> bool {
        let groups = self.groups.0.get(user);
        self.is_in(user, list)
            || groups.into_iter().flatten().any(|group| self.is_in(&format!("%{group}"), list))
    }

    /// Whether a list without exceptions has a name, also by its aliases.
    fn is_in(&mut self, name: &str, list: &[String]) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![list]);
        let mut is_found = false;
        while let Some(list) = open.pop() {
            for own in list {
                self.left = self.left.saturating_sub(1);
                if own.starts_with('!') || self.left == 0 {
                    return false;
                }
                is_found |= own == "ALL" || own == name || (is_root(own) && is_root(name));
                if let Some(alias) = self.aliases.get(own).filter(|_| seen.insert(own)) {
                    if !alias.is_whole {
                        return false;
                    }
                    open.push(&alias.members);
                }
            }
        }
        is_found
    }
}

/// The names of a list that are not excepted from it.
fn positive(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(String::as_str).filter(|name| !name.starts_with('!'))
}

fn is_root(name: &str) -> bool {
    matches!(name, "root" | "#0")
}
