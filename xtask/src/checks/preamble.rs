//! Every crate opens by saying what it is and what it must not contain.
//!
//! A crate grows where nobody has written down its border; the sentence is what a reviewer points at.

use super::Input;
use crate::problem::Problem;
use crate::tree::File;
use crate::workspace::Member;

pub(super) fn check(input: &Input) -> Vec<Problem> {
    input.workspace.members.iter().flat_map(|member| judge(member, &input.files)).collect()
}

fn judge(member: &Member, files: &[File]) -> Vec<Problem> {
    let roots = ["lib.rs", "main.rs"].map(|name| format!("{}/src/{name}", member.folder));
    let found: Vec<&File> = files.iter().filter(|file| roots.contains(&file.path)).collect();
    if found.is_empty() {
        return vec![Problem::new(&member.name, "the crate has neither lib.rs nor main.rs", "add one")];
    }
    found.into_iter().filter_map(judge_root).collect()
}

fn judge_root(file: &File) -> Option<Problem> {
    let opening: Vec<&str> = file.text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let remedy =
        "open the file with a //! paragraph and a sentence \"It must not ...\" that draws its border";
    // A sentence may break over two lines.
    let prose = opening.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    if prose.is_empty() {
        return Some(Problem::new(&file.path, "the crate does not say what it is", remedy));
    }
    let draws_border = prose.to_lowercase().contains("must not");
    (!draws_border)
        .then(|| Problem::new(&file.path, "the crate does not say what it must not contain", remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, member, text};

    fn check(path: &str, source: &str) -> Vec<String> {
        text(&judge(&member("net", &[]), &[file(path, source)]))
    }

    #[test]
    fn a_border_in_the_opening_passes_also_across_lines() {
        let source = "//! Prefixes and ports.\n//!\n//! It must\n//! not open a socket.\n\nfn f() {}\n";
        assert_eq!(check("crates/net/src/lib.rs", source), [""; 0]);
    }

    #[test]
    fn a_crate_without_opening_border_or_root_fails() {
        let cases = [
            ("crates/net/src/lib.rs", "fn f() {}\n", "does not say what it is"),
            ("crates/net/src/main.rs", "//! Ports.\n\n//! It must not be here.\n", "must not contain"),
            ("crates/net/src/other.rs", "//! It must not count.\n", "neither lib.rs nor main.rs"),
        ];
        for (path, source, expect) in cases {
            let found = check(path, source);
            assert!(found.len() == 1 && found[0].contains(expect), "{path}: {found:?}");
        }
    }
}
