//! What names mean at one point of a template.
//!
//! A [`Scope`] belongs to one deployment and holds its parameters, variables, functions and declared resources,
//! each evaluated once, when first asked for. A [`Frame`] is a scope seen from one place: inside which copy
//! loops, lambdas or user functions. A nested deployment with outer evaluation shares the frame of its parent.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::context::Target;
use super::resource::Declared;
use super::unknown::Unknown;
use super::value::{SourceId, Value};
use crate::json::Node;

/// The state of something evaluated at most once.
#[derive(Debug, Clone, Default)]
pub(super) enum Slot<T> {
    #[default]
    Empty,
    /// Being evaluated now; meeting it again is a cycle.
    Busy,
    Done(T),
}

/// A parameter of a deployment.
pub(super) struct Parameter<'a> {
    pub(super) name: Arc<str>,
    /// Its declaration.
    pub(super) node: &'a Node,
    /// What the caller gave.
    pub(super) given: Option<Value>,
    pub(super) slot: RefCell<Slot<Value>>,
}

/// A variable of a deployment.
pub(super) struct Variable<'a> {
    pub(super) name: Arc<str>,
    pub(super) source: VariableSource<'a>,
    pub(super) slot: RefCell<Slot<Value>>,
}

/// How a variable is written.
pub(super) enum VariableSource<'a> {
    Plain(&'a Node),
    /// An entry of `variables.copy`.
    Copy(&'a Node),
}

/// A user-defined function.
pub(super) struct UserFunction<'a> {
    /// The qualified name, as `contoso.uniqueName`.
    pub(super) name: String,
    pub(super) parameters: Vec<&'a str>,
    pub(super) output: &'a Node,
}

/// The names of one deployment. Keys of the maps are in lower case.
pub(super) struct Scope<'a> {
    pub(super) source: SourceId,
    /// The template object.
    pub(super) template: &'a Node,
    pub(super) target: Target,
    /// Names of the deployments from the root to this one.
    pub(super) path: Vec<String>,
    /// Where the template came from, to resolve relative links and `deployment()` with.
    pub(super) uri: Option<Value>,
    pub(super) parameters: HashMap<String, Parameter<'a>>,
    pub(super) variables: HashMap<String, Variable<'a>>,
    pub(super) functions: HashMap<String, Rc<UserFunction<'a>>>,
    /// Resources by full name, by `type/name` and by symbolic name.
    pub(super) declared: RefCell<HashMap<String, Vec<Rc<Declared<'a>>>>>,
}

impl Scope<'_> {
    /// The deployment's name.
    pub(super) fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// Prefix that sets the unknown parameters of nested deployments apart from those of the root.
    pub(super) fn qualifier(&self) -> String {
        match self.path.len() {
            0 | 1 => String::new(),
            _ => format!("deployment('{}').", self.path[1..].join("/")),
        }
    }
}

/// One copy loop around a place.
pub(super) struct Loop {
    pub(super) name: String,
    pub(super) index: Index,
    /// Whether `copyIndex()` without a name means this loop.
    pub(super) default: bool,
    pub(super) outer: Option<Rc<Loop>>,
}

/// Where a loop stands.
#[derive(Clone)]
pub(super) enum Index {
    At(i64),
    /// The count is unknown; the body is evaluated once for all iterations.
    Any(Arc<Unknown>),
}

/// One lambda variable around a place.
pub(super) struct Local {
    pub(super) name: Arc<str>,
    pub(super) value: Value,
    pub(super) outer: Option<Rc<Local>>,
}

/// What the place is in, which decides which functions are allowed and how a problem is worded.
#[derive(Clone)]
pub(super) enum Place {
    Resource(String),
    Variable(String),
    Parameter(String),
    Output(String),
    Function(String),
    Template,
}

/// A scope seen from one place.
#[derive(Clone)]
pub(super) struct Frame<'a> {
    pub(super) scope: Rc<Scope<'a>>,
    pub(super) loops: Option<Rc<Loop>>,
    pub(super) locals: Option<Rc<Local>>,
    /// The arguments, inside a user-defined function.
    pub(super) arguments: Option<Rc<HashMap<String, Value>>>,
    pub(super) place: Rc<Place>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(scope: Rc<Scope<'a>>) -> Self {
        Self { scope, loops: None, locals: None, arguments: None, place: Rc::new(Place::Template) }
    }

    /// The same scope, at another place.
    pub(super) fn at(&self, place: Place) -> Self {
        Self { place: Rc::new(place), ..self.clone() }
    }

    /// The scope without loops and lambdas: where parameters, variables and outputs are evaluated.
    pub(super) fn bare(&self, place: Place) -> Self {
        Self { place: Rc::new(place), ..Self::new(self.scope.clone()) }
    }

    /// Inside one more loop.
    pub(super) fn looped(&self, name: &str, index: Index, default: bool) -> Self {
        let entry = Loop { name: name.to_owned(), index, default, outer: self.loops.clone() };
        Self { loops: Some(Rc::new(entry)), ..self.clone() }
    }

    /// With one more lambda variable.
    pub(super) fn with_local(&self, name: Arc<str>, value: Value) -> Self {
        let local = Local { name, value, outer: self.locals.clone() };
        Self { locals: Some(Rc::new(local)), ..self.clone() }
    }

    /// The loop `copyIndex` means: the named one, or the innermost that needs no name.
    pub(super) fn find_loop(&self, name: Option<&str>) -> Option<&Loop> {
        std::iter::successors(self.loops.as_deref(), |entry| entry.outer.as_deref()).find(
            |entry| match name {
                Some(name) => entry.name.eq_ignore_ascii_case(name),
                None => entry.default,
            },
        )
    }

    /// Names of the resource loops around, innermost first.
    pub(super) fn loop_names(&self) -> Vec<String> {
        let loops = std::iter::successors(self.loops.as_deref(), |entry| entry.outer.as_deref());
        loops.filter(|entry| entry.default).map(|entry| entry.name.clone()).collect()
    }

    /// Whether a loop around already counts by this unknown index.
    pub(super) fn loops_over(&self, expression: &str) -> bool {
        std::iter::successors(self.loops.as_deref(), |entry| entry.outer.as_deref())
            .any(|entry| matches!(&entry.index, Index::Any(index) if index.expression() == expression))
    }

    /// The value of a lambda variable.
    pub(super) fn find_local(&self, name: &str) -> Option<&Value> {
        std::iter::successors(self.locals.as_deref(), |local| local.outer.as_deref())
            .find(|local| local.name.eq_ignore_ascii_case(name))
            .map(|local| &local.value)
    }
}
