//! Small workspaces for the tests of the checks.

use crate::checks::Input;
use crate::tree::File;
use crate::workspace::{Dependency, Member, Section, Workspace};

/// A text file.
pub(crate) fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

/// A tree without a workspace.
pub(crate) fn files(files: &[(&str, &str)]) -> Input {
    let files = files.iter().map(|(path, text)| file(path, text)).collect();
    Input { workspace: Workspace::default(), files }
}

/// A member in `crates/NAME`. `dependencies` are names; `^name` is a member of the workspace, and a leading `t:`
/// puts it under the tests.
pub(crate) fn member(name: &str, dependencies: &[&str]) -> Member {
    Member {
        name: name.to_owned(),
        folder: format!("crates/{name}"),
        dependencies: dependencies.iter().map(|text| dependency(text)).collect(),
    }
}

fn dependency(text: &str) -> Dependency {
    let (section, text) =
        text.strip_prefix("t:").map_or((Section::Code, text), |rest| (Section::Tests, rest));
    let name = text.trim_start_matches('^').to_owned();
    let identifier = name.replace('-', "_");
    Dependency { identifier, name, section, internal: text.starts_with('^') }
}

/// One line per problem.
pub(crate) fn text(problems: &[crate::problem::Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}
