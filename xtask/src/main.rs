//! `cargo xtask tidy`: the workspace checks its own shape.
//!
//! The architecture says which crate may know which, what a low layer may touch and which licences may be
//! linked. Prose is forgotten; this program reads `cargo metadata` and the tree, and fails with the place, what
//! is wrong and what to do. It uses no network: `make setup` has fetched the packages before.
//!
//! It must not depend on any crate it judges, and it must not repair anything: a changed table is a decision
//! for a reviewer.

mod architecture;
mod checks;
mod externals;
mod problem;
#[cfg(test)]
mod testing;
mod tree;
mod workspace;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::checks::Input;

const USAGE: &str = "usage: cargo xtask tidy    check layers, dependencies, licences, manifests and style";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => report(tidy()),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Runs every check over the workspace this program was built from, and returns how many problems it printed.
fn tidy() -> Result<usize> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let input = Input { workspace: workspace::read(root)?, files: tree::read(root)? };
    let mut found = 0;
    for (name, check) in checks::ALL {
        let problems = check(&input);
        println!("{:12} {}", name, if problems.is_empty() { "ok" } else { "FAILED" });
        for problem in &problems {
            println!("  {problem}");
        }
        found += problems.len();
    }
    Ok(found)
}

/// 0 nothing found, 1 something found, 3 the workspace could not be read: the codes of the `palisade` command.
fn report(outcome: Result<usize>) -> ExitCode {
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(found) => {
            eprintln!("tidy: {found} problems");
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("tidy: {error:#}");
            ExitCode::from(3)
        }
    }
}
