//! Names that settings of nftables define: `define`, `redefine`, `undefine` and `$name`. A name holds in the braces in which it was defined.

use std::collections::BTreeMap;

use super::words::Word;

/// Names by the braces that they hold in, the innermost last. The value is known if it is one word.
#[derive(Debug)]
pub(super) struct Names(Vec<BTreeMap<String, Option<String>>>);

impl Default for Names {
    fn default() -> Self {
        Self(vec![BTreeMap::new()])
    }
}

impl Names {
    pub(super) fn open(&mut self) {
        self.0.push(BTreeMap::new());
    }

    pub(super) fn close(&mut self) {
        self.0.pop();
    }

    /// Whether it could be defined: it is not yet, also not outside.
    pub(super) fn define(&mut self, name: &str, value: &[Word]) -> bool {
        let is_new = self.get(name).is_none();
        if is_new {
            self.redefine(name, value);
        }
        is_new
    }

    pub(super) fn redefine(&mut self, name: &str, value: &[Word]) {
        let value = match value {
            [word] if word.is_quoted => Some(word.text.clone()),
            [word] => match word.text.strip_prefix('$') {
                Some(other) => self.value(other).map(str::to_owned),
                None => Some(word.text.clone()),
            },
            _ => None,
        };
        if let Some(innermost) = self.0.last_mut() {
            innermost.insert(name.to_owned(), value);
        }
    }

    pub(super) fn undefine(&mut self, name: &str) {
        if let Some(names) = self.0.iter_mut().rev().find(|names| names.contains_key(name)) {
            names.remove(name);
        }
    }

    /// The value of a name, if it is one word.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_deref()
    }

    /// The first name in a word that is not defined: letters first, then also digits, slashes, `_` and `.`.
    pub(super) fn missing<'w>(&self, word: &'w str) -> Option<&'w str> {
        let is_of_name = |character: char| character.is_ascii_alphanumeric() || "/\\_.".contains(character);
        let named = word.split('$').skip(1).map(|rest| {
            let end = rest.find(|character| !is_of_name(character)).unwrap_or(rest.len());
            &rest[..end]
        });
        named.into_iter().find(|name| self.get(name).is_none())
    }

    fn get(&self, name: &str) -> Option<&Option<String>> {
        self.0.iter().rev().find_map(|names| names.get(name))
    }
}
