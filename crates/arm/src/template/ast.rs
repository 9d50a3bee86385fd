//! The shape of an expression.
//!
//! Nothing here knows what a function means. Depth is at most [`super::limits::EXPRESSION_DEPTH_MAX`].

use std::sync::Arc;

/// One expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// `'text'`, and every template string that is no expression.
    Text(Arc<str>),
    /// `42`
    Int(i64),
    /// `name(args)` or `namespace.name(args)`.
    Call(Call),
    /// `base.name`
    Property(Box<Expr>, Arc<str>),
    /// `base[index]`
    Index(Box<Expr>, Box<Expr>),
}

/// A function call as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The namespace of a user-defined function.
    pub namespace: Option<Arc<str>>,
    /// The name as written.
    pub name: Arc<str>,
    /// The name in lower case, to look it up by.
    pub key: Arc<str>,
    /// The arguments, not yet evaluated.
    pub args: Vec<Expr>,
}
