//! Crates of the low layers touch no file, socket, clock, thread, process or environment.
//!
//! Rust's own lexer is used (`proc-macro2`), so comments and texts cannot deceive the scan, and an import
//! written as a tree (`use std::{fs, net::IpAddr}`) is read as the paths it means. Code under `#[cfg(test)]`
//! and files of tests may do what they like.

use std::str::FromStr;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::Input;
use crate::architecture::{CRATES, PURE_LAYER_MAX};
use crate::problem::Problem;
use crate::tree::File;

/// Paths of the standard library that reach outside the process or ask for the time.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
];

/// Macros that write to a stream.
const IMPURE_MACROS: &[&str] = &["dbg", "eprint", "eprintln", "print", "println"];

pub(super) fn check(input: &Input) -> Vec<Problem> {
    let pure = |name: &str| CRATES.iter().any(|row| row.name == name && row.layer <= PURE_LAYER_MAX);
    let members = input.workspace.members.iter().filter(|member| pure(&member.name));
    members
        .flat_map(|member| {
            let prefix = format!("{}/src/", member.folder);
            input.files.iter().filter(move |file| file.path.starts_with(&prefix))
        })
        .filter(|file| file.extension() == "rs" && !file.is_test())
        .flat_map(impurities)
        .collect()
}

fn impurities(file: &File) -> Vec<Problem> {
    let Ok(tokens) = TokenStream::from_str(&file.text) else {
        return vec![Problem::new(&file.path, "the file is not Rust", "see what `cargo check` says")];
    };
    let mut uses = Vec::new();
    scan(&tokens.into_iter().collect::<Vec<_>>(), &mut uses);
    let remedy = "pass the value in as an argument, or move the code to layer 3 or above";
    uses.into_iter()
        .filter(|used| is_impure(&used.path))
        .map(|used| Problem::at(&file.path, used.line, format!("a pure crate names {}", used.path), remedy))
        .collect()
}

/// A path itself, anything in it, or an import of a module that contains it (after which the path need not be
/// written in full).
fn is_impure(path: &str) -> bool {
    let module = path.trim_end_matches("::*").trim_end_matches("::self");
    let contains =
        |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with("::"));
    path.ends_with('!')
        || IMPURE.iter().any(|bad| module == *bad || contains(bad, module) || contains(module, bad))
}

/// A place where code names something of the standard library.
struct Use {
    path: String,
    line: usize,
}

/// Collects what a sequence of tokens names, leaving out items that exist in tests only.
fn scan(tokens: &[TokenTree], uses: &mut Vec<Use>) {
    let mut at = 0;
    while at < tokens.len() {
        at = match &tokens[at] {
            TokenTree::Punct(punct) if punct.as_char() == '#' => after_attribute(tokens, at),
            TokenTree::Ident(ident) if ident == "std" && is_path(tokens, at + 1) => {
                tree(tokens, at + 3, "std", uses)
            }
            TokenTree::Ident(ident) if is_punct(tokens, at + 1, '!') => {
                let name = ident.to_string();
                if IMPURE_MACROS.contains(&name.as_str()) {
                    uses.push(Use { path: format!("{name}!"), line: ident.span().start().line });
                }
                at + 1
            }
            TokenTree::Group(group) => {
                scan(&inside(group), uses);
                at + 1
            }
            _ => at + 1,
        };
    }
}

/// Steps over the attribute at `at`, and over the item behind it if that is for tests.
fn after_attribute(tokens: &[TokenTree], at: usize) -> usize {
    let inner = is_punct(tokens, at + 1, '!');
    let body = at + if inner { 2 } else { 1 };
    let Some(TokenTree::Group(group)) = tokens.get(body) else { return at + 1 };
    match (is_for_tests(group), inner) {
        (false, _) => body + 1,
        (true, true) => tokens.len(),
        (true, false) => {
            let ends = |token: &TokenTree| match token {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                TokenTree::Punct(punct) => punct.as_char() == ';',
                _ => false,
            };
            let item = tokens[body + 1..].iter().position(ends);
            item.map_or(tokens.len(), |length| body + 1 + length + 1)
        }
    }
}

/// `cfg(test)`, also inside `all` or `any`; `cfg(not(test))` is not.
fn is_for_tests(attribute: &Group) -> bool {
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    text.starts_with("cfg(") && text.contains("test") && !text.contains("not(test)")
}

/// Reads one tree of a path from `at`, writes the paths it means, and returns where it ends.
fn tree(tokens: &[TokenTree], at: usize, prefix: &str, uses: &mut Vec<Use>) -> usize {
    match tokens.get(at) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inner = inside(group);
            let mut next = 0;
            while next < inner.len() {
                next = tree(&inner, next, prefix, uses);
                // Step over `as name` and the comma.
                while next < inner.len() && !is_punct(&inner, next, ',') {
                    next += 1;
                }
                next += 1;
            }
            at + 1
        }
        Some(token @ (TokenTree::Ident(_) | TokenTree::Punct(_))) => {
            let path = format!("{prefix}::{token}");
            if matches!(token, TokenTree::Ident(_)) && is_path(tokens, at + 1) {
                return tree(tokens, at + 3, &path, uses);
            }
            uses.push(Use { path, line: token.span().start().line });
            at + 1
        }
        _ => at + 1,
    }
}

fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

fn is_path(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens, at, ':') && is_punct(tokens, at + 1, ':') && !is_punct(tokens, at + 2, '<')
}

fn is_punct(tokens: &[TokenTree], at: usize, wanted: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, text};

    fn check(source: &str, expect: &[&str]) {
        let found = text(&impurities(&file("crates/net/src/lib.rs", source)));
        let names =
            |(problem, path): (&String, &&str)| problem.contains(&format!("a pure crate names {path} "));
        assert_eq!(found.len(), expect.len(), "{source}: {found:?}");
        assert!(found.iter().zip(expect).all(names), "{source}: {found:?}");
    }

    #[test]
    fn values_and_arithmetic_are_pure() {
        check(
            "use std::net::{IpAddr, Ipv4Addr}; use std::time::Duration; fn f() { vec![std::mem::size_of::<u8>()]; }",
            &[],
        );
        check("// std::fs\n/* std::env */ fn f() { let _ = \"std::thread::spawn\"; }", &[]);
    }

    #[test]
    fn every_way_to_name_the_outside_is_found() {
        check("use std::fs;", &["std::fs"]);
        check("fn f() { std::thread::spawn(|| ()); }", &["std::thread::spawn"]);
        check("use std::{fmt, time::{Duration, Instant as Now}, env};", &["std::time::Instant", "std::env"]);
        check("use std::time; fn f() { time::Instant::now(); }", &["std::time"]);
        check("use std::net::*;", &["std::net::*"]);
        check("use std::io::{self, Write};", &["std::io::self", "std::io::Write"]);
        check(
            "fn f() { assert!(std::env::var(\"X\").is_ok()); println!(); }",
            &["std::env::var", "println!"],
        );
    }

    #[test]
    fn tests_may_do_what_they_like() {
        check("#[cfg(test)] mod tests { use std::fs; }", &[]);
        check("#[cfg(test)] use std::fs; use std::env;", &["std::env"]);
        check(
            "#[cfg(test)] #[allow(dead_code)] fn f() { std::fs::read(\"a\"); } fn g() { std::env::args(); }",
            &["std::env::args"],
        );
        check("#![cfg(test)] use std::fs;", &[]);
        check("#[cfg(not(test))] mod real { use std::fs; }", &["std::fs"]);
    }

    #[test]
    fn the_line_is_told() {
        let found = text(&impurities(&file("a.rs", "\n\nuse std::fs;")));
        assert!(found[0].starts_with("a.rs:3: "), "{found:?}");
    }
}
