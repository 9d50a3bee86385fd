//! Everything that is linked or run in a build is under a licence we can ship with MIT OR Apache-2.0.
//!
//! The list is of what is permitted: an unknown licence fails until somebody has read it.

use super::Input;
use super::spdx;
use crate::problem::Problem;
use crate::workspace::Package;

/// SPDX identifiers that ask for no more than their notice.
const PERMITTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

pub(super) fn check(input: &Input) -> Vec<Problem> {
    input.workspace.packages.iter().filter_map(judge).collect()
}

fn judge(package: &Package) -> Option<Problem> {
    let what = match &package.licence {
        None => "its manifest names no SPDX licence".to_owned(),
        Some(text) => match spdx::parse(text) {
            None => format!("its licence {text:?} is not an SPDX expression"),
            Some(terms) if terms.permitted(&|name| PERMITTED.contains(&name)) => return None,
            Some(_) => format!("its licence {text:?} cannot be met with the permitted ones"),
        },
    };
    let place = format!("{} {}", package.name, package.version);
    let remedy = "find which crate brings it with `cargo tree --invert`, and replace that one";
    Some(Problem::new(place, what, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(licence: Option<&str>) -> Package {
        let licence = licence.map(str::to_owned);
        Package { name: "left-pad".to_owned(), version: "1.0.0".to_owned(), licence }
    }

    #[test]
    fn permissive_terms_pass() {
        for licence in ["MIT", "MIT OR GPL-3.0-only", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
            assert_eq!(judge(&package(Some(licence))), None, "{licence}");
        }
    }

    #[test]
    fn other_missing_and_broken_terms_fail() {
        for licence in [Some("GPL-3.0-only"), Some("MIT AND AGPL-3.0-only"), Some("see file"), None] {
            let problem = judge(&package(licence)).map(|problem| problem.to_string()).unwrap_or_default();
            assert!(problem.starts_with("left-pad 1.0.0: its "), "{licence:?}: {problem}");
            assert!(problem.contains("cargo tree --invert"), "{problem}");
        }
    }
}
