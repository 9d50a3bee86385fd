//! Shapes, merging, unknowns and hostile inputs. Fixtures are small estates written for these tests.

mod dumps;
mod hostile;
mod settings;
mod templates;
mod terraform;

use super::walk::content;
use super::{Document, File, Options, ReadResult, read};
use crate::template::DeploymentContext;

macro_rules! fixture {
    ($name:literal) => {
        $crate::estate::Document::new($name, include_str!(concat!("../../../tests/fixtures/", $name)))
    };
}
pub(crate) use fixture;

const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";

/// Reads as if in the fixtures' resource group.
fn read_here(documents: &[Document]) -> ReadResult {
    let context = DeploymentContext {
        subscription_id: SUBSCRIPTION.to_owned(),
        resource_group: "shop".to_owned(),
        ..DeploymentContext::default()
    };
    read(documents, &Options { context, ..Options::default() })
}

/// Reads one text, called `input.json`.
fn read_text(text: &str) -> ReadResult {
    read_here(&[Document::new("input.json", text)])
}

/// Reads what must have no problem.
fn read_clean(documents: &[Document]) -> ReadResult {
    let result = read_here(documents);
    assert_eq!(result.problems, [], "problems");
    result
}

/// Problems as `place: code: message` with the pointer.
fn problems(result: &ReadResult) -> Vec<String> {
    let line = |problem: &super::ArmProblem| format!("{} {problem}", problem.place.pointer);
    result.problems.iter().map(line).collect()
}

/// The id of a resource in the fixtures' group.
fn id(path: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Network/{path}")
}

fn same(a: &ReadResult, b: &ReadResult) {
    let (a, b) = (content(&a.spec), content(&b.spec));
    if a != b {
        let at = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
        let part = |text: &str| {
            text.get(at.saturating_sub(200)..text.len().min(at + 200)).unwrap_or(text).to_owned()
        };
        panic!("the estates differ at {at}:\n  {}\n  {}", part(&a), part(&b));
    }
}
