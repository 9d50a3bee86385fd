//! What a manifest names, some source of that crate names too.
//!
//! Text is searched, not types: a false "used" is possible, a false "unused" is not, because every use of a
//! crate writes its identifier.

use super::Input;
use crate::problem::Problem;
use crate::tree::File;
use crate::workspace::{Dependency, Member};

pub(super) fn check(input: &Input) -> Vec<Problem> {
    input.workspace.members.iter().flat_map(|member| unused_by(member, &input.files)).collect()
}

fn unused_by(member: &Member, files: &[File]) -> Vec<Problem> {
    let prefix = format!("{}/", member.folder);
    let sources: Vec<&File> =
        files.iter().filter(|file| file.path.starts_with(&prefix) && file.extension() == "rs").collect();
    let unused =
        |dependency: &&Dependency| !sources.iter().any(|file| has_word(file, &dependency.identifier));
    member
        .dependencies
        .iter()
        .filter(unused)
        .map(|dependency| {
            Problem::new(
                &member.name,
                format!("the dependency {} is in the manifest and in no source file", dependency.name),
                format!("remove it from {prefix}Cargo.toml and from the table"),
            )
        })
        .collect()
}

/// Whether code of the file contains the identifier; comments and longer identifiers do not count.
fn has_word(file: &File, word: &str) -> bool {
    let code = file.text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_')).any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, member, text};

    fn check(source: &str) -> Vec<String> {
        let files = [file("crates/a/src/lib.rs", source), file("crates/b/src/lib.rs", "use big_int::Big;")];
        text(&unused_by(&member("a", &["big-int"]), &files))
    }

    #[test]
    fn a_path_or_an_import_is_a_use() {
        assert_eq!(check("use big_int::Big;"), [""; 0]);
        assert_eq!(check("fn f() -> ::big_int::Big {}"), [""; 0]);
    }

    #[test]
    fn nothing_a_comment_or_a_longer_name_is_none() {
        for source in ["", "// big_int would do", "use big_int_extra::Big;"] {
            let found = check(source);
            assert_eq!(found.len(), 1, "{source}");
            assert!(found[0].starts_with("a: the dependency big-int is in the manifest"), "{found:?}");
        }
    }
}
