//! What a reader of the tree should never meet: pages without end, promises instead of code, tests that do not
//! run, paths of somebody's machine, trailing blanks.

use super::Input;
use crate::problem::Problem;
use crate::tree::File;

/// A file longer than this is two files.
const LINES_MAX: usize = 600;

/// Files that may be longer, because splitting them would hurt the reader.
const LONG_FILES: &[&str] = &[];

/// Kinds of file that people write here as code.
const CODE: &[&str] = &["rs", "c", "h", "sh", "toml", "Makefile", "run"];

/// Words that promise work. Spelled in two parts, or this file would find itself.
const PROMISES: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!"), concat!("unimple", "mented!")];

/// A test that does not run is not a test.
const IGNORED: &str = concat!("#[ig", "nore");

/// Folders that exist on the machine of whoever wrote the line.
const MACHINE_PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];

pub(super) fn check(input: &Input) -> Vec<Problem> {
    input.files.iter().filter(|file| !is_foreign(file)).flat_map(judge).collect()
}

/// Texts that are not ours to form: licences, and inputs of the fuzzers, where every byte counts.
fn is_foreign(file: &File) -> bool {
    file.path.starts_with("LICENSE") || file.path.starts_with("fuzz/seeds/")
}

fn judge(file: &File) -> Vec<Problem> {
    let code = CODE.contains(&file.extension());
    let mut problems = Vec::new();
    let length = file.text.lines().count();
    if code && length > LINES_MAX && !LONG_FILES.contains(&file.path.as_str()) {
        let what = format!("the file has {length} lines, more than {LINES_MAX}");
        problems.push(Problem::new(&file.path, what, "split it by concern"));
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        problems.push(Problem::new(&file.path, "the last line does not end", "end it with a newline"));
    }
    for (number, line) in file.lines() {
        problems.extend(judge_line(file, number, line, code));
    }
    problems
}

fn judge_line(file: &File, number: usize, line: &str, code: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut found = |what: String, remedy: &str| problems.push(Problem::at(&file.path, number, what, remedy));
    if line.ends_with([' ', '\t']) {
        found("blanks at the end of the line".to_owned(), "remove them");
    }
    if code {
        if let Some(promise) = PROMISES.iter().find(|promise| starts_a_word(line, promise)) {
            found(format!("{promise} promises work"), "do it, or open an issue and leave the code whole");
        }
        if line.contains(IGNORED) {
            found("an ignored test".to_owned(), "let it run, or let it print why it cannot run here");
        }
    }
    // Templates in JSON name folders of guests; these are data.
    if file.extension() != "json"
        && let Some(path) = MACHINE_PATHS.iter().find(|path| starts_a_word(line, path))
    {
        found(
            format!("a path under {path} exists on one machine"),
            "take it from an argument or the environment",
        );
    }
    problems
}

/// Whether `line` contains `text` where no word or path runs into it from the left. A quote that ends a word, as in
/// `"$folder"/name`, belongs to it.
fn starts_a_word(line: &str, text: &str) -> bool {
    let before = |at: usize| line[..at].trim_end_matches('"');
    let follows_a_word =
        |at: usize| before(at).ends_with(|c: char| c.is_alphanumeric() || "_.}-*".contains(c));
    line.match_indices(text).any(|(at, _)| !follows_a_word(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, text};

    fn check(path: &str, source: &str) -> Vec<String> {
        text(&judge(&file(path, source)))
    }

    #[test]
    fn plain_files_pass() {
        assert_eq!(check("a.rs", "fn main() {}\n"), [""; 0]);
        assert_eq!(
            check("a.sh", concat!("cd \"$f/wo", "rk/\" && ls a/ho", "me/b \"$f\"/ro", "ot/c\n")),
            [""; 0]
        );
        assert_eq!(check("vm.json", concat!("{\"path\": \"/ho", "me/azureuser/.ssh\"}\n")), [""; 0]);
        assert_eq!(check("notes.md", concat!("The word TO", "DO is explained here.\n")), [""; 0]);
    }

    #[test]
    fn each_fault_is_found_where_it_stands() {
        let cases = [
            (concat!("\n// TO", "DO later\n"), "a.rs:2: "),
            (concat!("fn f() { to", "do!() }\n"), "a.rs:1: "),
            (concat!("#[ig", "nore = \"slow\"]\n"), "a.rs:1: an ignored test"),
            (concat!("const D: &str = \"/ro", "ot/data\";\n"), "a.rs:1: a path under"),
            ("fn f() {} \n", "a.rs:1: blanks"),
            ("fn f() {}", "a.rs: the last line"),
        ];
        for (source, expect) in cases {
            let found = check("a.rs", source);
            assert!(found.len() == 1 && found[0].starts_with(expect), "{source:?}: {found:?}");
        }
    }

    #[test]
    fn a_file_may_have_600_lines_and_not_one_more() {
        assert_eq!(check("a.rs", &"\n".repeat(LINES_MAX)), [""; 0]);
        let found = check("a.rs", &"\n".repeat(LINES_MAX + 1));
        assert_eq!(found, ["a.rs: the file has 601 lines, more than 600 (split it by concern)"]);
        assert_eq!(check("a.md", &"\n".repeat(LINES_MAX + 1)), [""; 0]);
    }
}
