//! Links lead somewhere: in Markdown every relative link and its heading, in any file every page under `docs/`
//! that it names by its path from the root.
//!
//! Links to other sites are not followed; tidy uses no network.

use super::Input;
use crate::problem::Problem;
use crate::tree::File;

/// Its tests name pages that do not exist.
const OWN: &str = "xtask/src/checks/links.rs";

pub(super) fn check(input: &Input) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in input.files.iter().filter(|file| file.path != OWN) {
        let mut targets: Vec<(usize, String)> = mentions(file).collect();
        if file.extension() == "md" {
            let links = markdown_links(file);
            targets.extend(links.into_iter().map(|(line, link)| (line, resolve(&file.path, &link))));
        }
        // A link whose text is the path of its target is both.
        targets.sort_unstable();
        targets.dedup();
        problems.extend(targets.into_iter().filter_map(|(line, target)| {
            let what = dead(&target, &input.files)?;
            Some(Problem::at(&file.path, line, what, "correct the link, or write the page"))
        }));
    }
    problems
}

/// Why a target (`path` or `path#heading`, from the root) cannot be followed.
fn dead(target: &str, files: &[File]) -> Option<String> {
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let folder = format!("{}/", path.trim_end_matches('/'));
    let Some(file) = files.iter().find(|file| file.path == path) else {
        let is_folder = path.is_empty() || files.iter().any(|file| file.path.starts_with(&folder));
        return (!is_folder).then(|| format!("{path} does not exist"));
    };
    let found = heading.is_empty() || headings(file).any(|known| known == heading);
    (!found).then(|| format!("{path} has no heading #{heading}"))
}

/// Relative links of a Markdown file, outside of code.
fn markdown_links(file: &File) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(file) {
        // Every second piece between backquotes is code.
        let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !elsewhere {
                links.push((number, target.to_owned()));
            }
        }
    }
    links
}

/// Pages that a file speaks of by their path from the root, as comments do.
fn mentions(file: &File) -> impl Iterator<Item = (usize, String)> {
    let is_end = |c: char| !(c.is_alphanumeric() || "-_./".contains(c));
    file.lines().flat_map(move |(number, line)| {
        line.match_indices("docs/").filter_map(move |(at, _)| {
            let starts = !line[..at].ends_with(|c: char| c.is_alphanumeric() || "-_./".contains(c));
            let path = line[at..].split(is_end).next().unwrap_or_default().trim_end_matches('.');
            (starts && path.ends_with(".md")).then(|| (number, path.to_owned()))
        })
    })
}

/// Lines of a Markdown file that are not in a fenced block.
fn prose(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    file.lines().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The anchors that headings get: lower case, blanks as `-`, other signs dropped.
fn headings(file: &File) -> impl Iterator<Item = String> {
    prose(file).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    })
}

/// A link as a path from the root.
fn resolve(from: &str, link: &str) -> String {
    let (path, heading) =
        link.split_once('#').map_or((link, String::new()), |(path, rest)| (path, format!("#{rest}")));
    if path.is_empty() {
        return format!("{from}{heading}");
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/") + &heading
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{files, text};

    fn check_page(page: &str) -> Vec<String> {
        text(&check(&files(&[
            ("docs/a.md", page),
            ("docs/adr/0001-x.md", "# The `one` store\n"),
            ("README.md", "# Hi\n"),
        ])))
    }

    #[test]
    fn living_links_pass() {
        for page in [
            "# Top\n[x](adr/0001-x.md) [y](../README.md#hi) [z](#top) [f](adr/) [r](..)\n",
            "[w](https://example.org/a.md) [x](adr/0001-x.md#the-one-store \"title\")\n",
            "`[x](gone.md)`\n```\n[x](gone.md)\n```\n",
            "see docs/adr/0001-x.md.\n",
        ] {
            assert_eq!(check_page(page), [""; 0], "{page}");
        }
    }

    #[test]
    fn dead_links_fail() {
        let cases = [
            ("\n[x](gone.md)\n", "docs/a.md:2: docs/gone.md does not exist"),
            ("[x](#nothing)\n", "docs/a.md:1: docs/a.md has no heading #nothing"),
            ("[docs/gone.md](gone.md)\n", "docs/a.md:1: docs/gone.md does not exist"),
            ("see docs/semantics.md, section 2\n", "docs/a.md:1: docs/semantics.md does not exist"),
        ];
        for (page, expect) in cases {
            let found = check_page(page);
            assert!(found.len() == 1 && found[0].starts_with(expect), "{page:?}: {found:?}");
        }
    }

    #[test]
    fn a_comment_in_code_is_read_too() {
        let found = text(&check(&files(&[("a.rs", "//! Why: docs/adr/0009-gone.md\n//! ../docs/x.md\n")])));
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
