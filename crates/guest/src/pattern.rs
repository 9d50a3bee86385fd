//! Patterns of names and paths: `*` stands for any characters, `?` for one, `[a-z]` for one of a class.
//!
//! Matching takes no more steps than a pattern times a text has characters, whatever stands in them.

use crate::{Files, FilesError, files};

/// Paths that a pattern names at most.
const PATHS_MAX: usize = 1_000;

/// The files that a pattern names, in order of their bytes; wildcards stand for no dot at the beginning of a name.
pub(crate) fn found(files: &dyn Files, pattern: &str) -> Result<Vec<String>, FilesError> {
    let is_pattern = |name: &str| name.contains(['*', '?', '[']);
    let mut paths = vec![String::new()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for path in paths {
            if !is_pattern(part) {
                next.push(format!("{path}/{part}"));
                continue;
            }
            let folder = if path.is_empty() { "/" } else { &path };
            let names = files::sorted(files, folder)?;
            let fits = |name: &&String| {
                (part.starts_with('.') || !name.starts_with('.')) && matches_name(name, part)
            };
            next.extend(names.iter().filter(fits).map(|name| format!("{path}/{name}")));
        }
        paths = next;
        if paths.len() > PATHS_MAX {
            return Err(FilesError::new(pattern, format!("it names more than {PATHS_MAX} files")));
        }
    }
    let is_there = |path: &String| files.meta(path).map(|meta| meta.is_some_and(|meta| !meta.is_folder));
    let mut there = Vec::new();
    for path in paths {
        if is_there(&path)? {
            there.push(path);
        }
    }
    Ok(there)
}

/// Whether a text is that of a pattern.
pub(crate) fn matches_name(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where to go on if what follows the last star does not fit.
    let mut retry = None;
    while at < text.len() {
        let step = pattern.get(of).and_then(|wanted| match wanted {
            '*' => {
                retry = Some((at, of));
                Some((at, of + 1))
            }
            '?' => Some((at + 1, of + 1)),
            '[' => class(&pattern[of..], text[at]).map(|length| (at + 1, of + length)),
            wanted => (*wanted == text[at]).then_some((at + 1, of + 1)),
        });
        match (step, retry) {
            (Some(next), _) => (at, of) = next,
            (None, Some((from, star))) => {
                retry = Some((from + 1, star));
                (at, of) = (from + 1, star + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[of..].iter().all(|rest| *rest == '*')
}

/// The length of the class that a pattern begins with, if it has a character; a bracket that is not closed stands for itself.
fn class(pattern: &[char], character: char) -> Option<usize> {
    let Some(end) = pattern.iter().skip(2).position(|character| *character == ']').map(|end| end + 2) else {
        return (character == '[').then_some(1);
    };
    let (is_negated, mut inner) = match &pattern[1..end] {
        ['!' | '^', inner @ ..] => (true, inner),
        inner => (false, inner),
    };
    let mut is_in = false;
    while let [from, rest @ ..] = inner {
        (is_in, inner) = match rest {
            ['-', to, rest @ ..] => (is_in || (*from..=*to).contains(&character), rest),
            rest => (is_in || *from == character, rest),
        };
    }
    (is_in != is_negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (text, pattern, expect) in [
            ("abc", "a*c", true),
            ("abc", "a?c", true),
            ("ac", "a?c", false),
            ("abcabc", "*abc", true),
            ("abcabd", "*abc", false),
            ("10.conf", "[0-9][!a].conf", true),
            ("x", "[x", false),
            ("", "*", true),
        ] {
            assert_eq!(matches_name(text, pattern), expect, "{text} {pattern}");
        }
    }
}
