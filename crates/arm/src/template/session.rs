//! One evaluation: what it may still cost, what it found wrong, and what it has read so far.
//!
//! Everything here is interior-mutable bookkeeping. Evaluation itself is in `eval` and its neighbours, as
//! methods of [`Evaluator`].

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::UnresolvedLink;
use super::ast::Expr;
use super::context::DeploymentContext;
use super::limits::{EVALUATION_DEPTH_MAX, PROBLEMS_MAX, STEPS_MAX, TEXT_CHARS_MAX};
use super::link::Links;
use super::live::{Live, Trace};
use super::parser::{SyntaxError, parse_template_string};
use super::problem::{Code, Fault, FaultKind, Problem};
use super::resource::Declared;
use super::scope::{Frame, Place};
use super::unknown::{Reason, Unknown};
use super::value::{Data, Location, SourceId, Value};
use crate::json::{Document, Node};

/// Steps left in one evaluation.
#[derive(Debug)]
pub(super) struct Budget {
    left: Cell<u64>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: Cell::new(STEPS_MAX) }
    }

    /// Pays for work in advance.
    pub(super) fn charge(&self, steps: usize) -> Result<(), Fault> {
        match self.left.get().checked_sub(steps as u64) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => {
                self.left.set(0);
                Err(Fault::limit(format!("evaluating the template takes more than {STEPS_MAX} steps")))
            }
        }
    }

    /// Pays for a string of `bytes` and checks its length. The price keeps all strings of an evaluation
    /// together within some tens of megabytes.
    pub(super) fn charge_text(&self, bytes: usize) -> Result<(), Fault> {
        if bytes > TEXT_CHARS_MAX {
            return Err(Fault::limit(format!(
                "The template language literal limit exceeded. Limit: '{TEXT_CHARS_MAX}' Actual: '{bytes}'"
            )));
        }
        self.charge(bytes / 16 + 1)
    }
}

/// The state of one evaluation.
pub(super) struct Evaluator<'a> {
    pub(super) context: &'a DeploymentContext,
    pub(super) links: &'a dyn Links<'a>,
    pub(super) budget: Budget,
    depth: Cell<usize>,
    problems: RefCell<Vec<Problem>>,
    /// Places and messages already reported: a template that is deployed twice is wrong once.
    reported: RefCell<HashSet<(Location, String)>>,
    dropped: Cell<usize>,
    exhausted: Cell<bool>,
    sources: RefCell<Vec<&'a Document>>,
    expressions: RefCell<HashMap<usize, Parsed>>,
    pub(super) unresolved: RefCell<Vec<UnresolvedLink>>,
    /// Declared resources of all deployments by id, in lower case.
    pub(super) registry: RefCell<HashMap<String, Rc<Declared<'a>>>>,
    /// Declared resources of all deployments in the order they were met.
    pub(super) declared: RefCell<Vec<Rc<Declared<'a>>>>,
    pub(super) deployments: Cell<usize>,
    /// What exists, when the template is being deployed.
    pub(super) live: Option<&'a dyn Live>,
    pub(super) trace: RefCell<Trace>,
}

/// An expression, or why it is none; either is worth keeping.
type Parsed = Result<Rc<Expr>, SyntaxError>;

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        context: &'a DeploymentContext,
        links: &'a dyn Links<'a>,
        live: Option<&'a dyn Live>,
    ) -> Self {
        Self {
            context,
            links,
            budget: Budget::new(),
            depth: Cell::new(0),
            problems: RefCell::default(),
            reported: RefCell::default(),
            dropped: Cell::new(0),
            exhausted: Cell::new(false),
            sources: RefCell::default(),
            expressions: RefCell::default(),
            unresolved: RefCell::default(),
            registry: RefCell::default(),
            declared: RefCell::default(),
            deployments: Cell::new(0),
            live,
            trace: RefCell::default(),
        }
    }

    /// Enters one level of evaluation; the level is left when the guard is dropped.
    pub(super) fn descend(&self) -> Result<Level<'_>, Fault> {
        self.budget.charge(1)?;
        let depth = self.depth.get();
        if depth >= EVALUATION_DEPTH_MAX {
            return Err(Fault::limit(format!("evaluation nests deeper than {EVALUATION_DEPTH_MAX} levels")));
        }
        self.depth.set(depth + 1);
        Ok(Level(&self.depth))
    }

    /// The number of a document, and its duplicate keys reported when it is new.
    pub(super) fn source(&self, document: &'a Document) -> SourceId {
        let known = self.sources.borrow().iter().position(|d| std::ptr::eq(*d, document));
        if let Some(index) = known {
            return SourceId(index as u32);
        }
        let source = SourceId(self.sources.borrow().len() as u32);
        self.sources.borrow_mut().push(document);
        for duplicate in &document.duplicates {
            let message = format!(
                "The request content was invalid and could not be deserialized: the property '{}' already \
                 exists at line {} (property names are compared without case).",
                duplicate.key, duplicate.first.line
            );
            self.report(Code::InvalidRequestContent, message, Location::new(source, duplicate.second));
        }
        source
    }

    /// The name of a document that was read.
    pub(super) fn source_name(&self, source: SourceId) -> String {
        self.sources.borrow().get(source.0 as usize).map(|d| d.name.clone()).unwrap_or_default()
    }

    /// Parses a template string once per place.
    pub(super) fn parsed(&self, node: &'a Node, text: &'a str) -> Parsed {
        // The node is borrowed for the whole evaluation, so its address is its name.
        let key = std::ptr::from_ref(node) as usize;
        if let Some(parsed) = self.expressions.borrow().get(&key) {
            return parsed.clone();
        }
        let parsed = parse_template_string(text).map(Rc::new);
        self.expressions.borrow_mut().insert(key, parsed.clone());
        parsed
    }

    /// Notes a problem.
    pub(super) fn report(&self, code: Code, message: String, at: Location) {
        if self.problems.borrow().len() < PROBLEMS_MAX
            && !self.reported.borrow_mut().insert((at, message.clone()))
        {
            return;
        }
        if self.problems.borrow().len() >= PROBLEMS_MAX {
            self.dropped.set(self.dropped.get() + 1);
            return;
        }
        let (source, pointer) = match self.sources.borrow().get(at.source.0 as usize) {
            Some(document) => (document.name.clone(), document.pointer_at(at.offset)),
            None => (String::new(), String::new()),
        };
        self.problems.borrow_mut().push(Problem { code, message, source, pointer, at });
    }

    /// Notes a fault in the words that fit the place, once for a passed limit.
    pub(super) fn report_fault(&self, fault: &Fault, frame: &Frame<'a>, at: Location) {
        if fault.kind == FaultKind::Limit {
            if self.budget.left.get() == 0 && self.exhausted.replace(true) {
                return;
            }
            return self.report(Code::TemplateLimitExceeded, fault.message.clone(), at);
        }
        let (code, message) = worded(&fault.message, &frame.place, at);
        self.report(code, message, at);
    }

    /// The value that stands for an expression that failed; its problem is already reported.
    pub(super) fn failed(&self, expression: &str, at: Location) -> Value {
        Value::new(Data::Unknown(Unknown::new(expression, None, Reason::Failed)), at)
    }

    /// Ends the evaluation: what was read, and what was wrong with it.
    pub(super) fn finish(self) -> (Vec<String>, Vec<Problem>, Vec<UnresolvedLink>) {
        // Resources know their scope and scopes their resources. Memory is free only once one side lets go.
        for declared in self.declared.borrow().iter() {
            declared.frame.scope.declared.borrow_mut().clear();
        }
        let mut problems = self.problems.into_inner();
        if self.dropped.get() > 0 {
            problems.push(Problem {
                code: Code::TemplateLimitExceeded,
                message: format!("{} more problems are not listed", self.dropped.get()),
                source: String::new(),
                pointer: String::new(),
                at: Location::default(),
            });
        }
        let sources = self.sources.into_inner().iter().map(|d| d.name.clone()).collect();
        (sources, problems, self.unresolved.into_inner())
    }

    /// Pays for a string and shares it.
    pub(super) fn text(&self, text: String) -> Result<Arc<str>, Fault> {
        self.budget.charge_text(text.len())?;
        Ok(text.into())
    }
}

/// One level of evaluation, left on drop.
pub(super) struct Level<'e>(&'e Cell<usize>);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A fault as Azure words it for the place it happens in.
fn worded(detail: &str, place: &Place, at: Location) -> (Code, String) {
    let detail = detail.trim_end_matches('.');
    let Location { line, column, .. } = at;
    match place {
        Place::Output(name) => (
            Code::DeploymentOutputEvaluationFailed,
            format!("The template output '{name}' is not valid: {detail}."),
        ),
        Place::Resource(id) => (
            Code::InvalidTemplate,
            format!(
                "Unable to process template language expressions for resource '{id}' at line '{line}' and \
                 column '{column}'. '{detail}'"
            ),
        ),
        Place::Variable(name) => {
            validation(&format!("The template variable '{name}' is not valid: {detail}."))
        }
        Place::Parameter(name) => validation(&format!(
            "The template parameter '{name}' at line '{line}' and column '{column}' is not valid: {detail}."
        )),
        Place::Function(name) => {
            validation(&format!("The template function '{name}' is not valid: {detail}."))
        }
        Place::Template => validation(&format!("{detail}.")),
    }
}

fn validation(detail: &str) -> (Code, String) {
    (Code::InvalidTemplate, format!("Deployment template validation failed: '{detail}'."))
}
