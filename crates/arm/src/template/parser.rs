//! Template strings to [`Expr`].
//!
//! A string that opens with `[` and closes with `]` is an expression; `[[` at the front stands for a literal
//! bracket; anything else is itself. Recursion is bounded by [`EXPRESSION_DEPTH_MAX`], which also bounds the
//! drop of the tree.

use std::sync::Arc;

use super::ast::{Call, Expr};
use super::lexer::{LexError, Token, TokenKind, tokens};
use super::limits::{EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX};

/// Why a string that looks like an expression is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// The characters do not make tokens.
    #[error("The template language expression is not valid: {0}")]
    Lex(String),
    /// A token stands where it may not.
    #[error("Unable to parse language expression '{expression}': expected {expected} at position {offset}")]
    Unexpected {
        /// The expression, shortened.
        expression: String,
        /// What could stand there.
        expected: &'static str,
        /// Byte offset in the expression.
        offset: usize,
    },
    /// Too many characters.
    #[error("The expression has {0} characters, more than the limit of {EXPRESSION_CHARS_MAX}")]
    TooLong(usize),
    /// Too many levels.
    #[error("The expression nests deeper than {EXPRESSION_DEPTH_MAX} levels")]
    TooDeep,
}

/// Whether a template string is an expression.
pub fn is_expression(text: &str) -> bool {
    text.len() >= 2 && text.starts_with('[') && text.ends_with(']') && !text.starts_with("[[")
}

/// Reads a template string: a literal or an expression.
pub fn parse_template_string(text: &str) -> Result<Expr, SyntaxError> {
    if is_expression(text) {
        return parse_expression(&text[1..text.len() - 1]);
    }
    let literal = if text.starts_with("[[") { &text[1..] } else { text };
    Ok(Expr::Text(literal.into()))
}

/// Reads what stands between the brackets.
pub fn parse_expression(text: &str) -> Result<Expr, SyntaxError> {
    let length = text.chars().count();
    if length > EXPRESSION_CHARS_MAX {
        return Err(SyntaxError::TooLong(length));
    }
    let tokens = tokens(text).map_err(|error: LexError| SyntaxError::Lex(error.to_string()))?;
    let mut parser = Parser { text, tokens: &tokens, next: 0, depth: 0 };
    let expr = parser.expression()?;
    match parser.peek() {
        None => Ok(expr),
        Some(_) => Err(parser.unexpected("the end of the expression")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&TokenKind> {
        self.tokens.get(self.next).map(|token| &token.kind)
    }

    fn accept(&mut self, kind: &TokenKind) -> bool {
        let found = self.peek() == Some(kind);
        if found {
            self.next += 1;
        }
        found
    }

    fn expect(&mut self, kind: &TokenKind, expected: &'static str) -> Result<(), SyntaxError> {
        if self.accept(kind) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    fn unexpected(&self, expected: &'static str) -> SyntaxError {
        let offset = self.tokens.get(self.next).map_or(self.text.len(), |token| token.offset);
        SyntaxError::Unexpected { expression: self.text.chars().take(120).collect(), expected, offset }
    }

    /// A primary with its accessors. Accessors count as levels too: each one wraps the tree once more.
    fn expression(&mut self) -> Result<Expr, SyntaxError> {
        let outer = self.depth;
        self.descend()?;
        let mut expr = self.primary()?;
        loop {
            if self.accept(&TokenKind::Dot) {
                let name = self.name("a property name")?;
                self.descend()?;
                expr = Expr::Property(Box::new(expr), name);
            } else if self.accept(&TokenKind::OpenIndex) {
                let index = self.expression()?;
                self.expect(&TokenKind::CloseIndex, "']'")?;
                self.descend()?;
                expr = Expr::Index(Box::new(expr), Box::new(index));
            } else {
                self.depth = outer;
                return Ok(expr);
            }
        }
    }

    fn descend(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > EXPRESSION_DEPTH_MAX { Err(SyntaxError::TooDeep) } else { Ok(()) }
    }

    fn primary(&mut self) -> Result<Expr, SyntaxError> {
        let Some(token) = self.peek() else { return Err(self.unexpected("an expression")) };
        match token.clone() {
            TokenKind::Text(text) => {
                self.next += 1;
                Ok(Expr::Text(text.into()))
            }
            TokenKind::Int(value) => {
                self.next += 1;
                Ok(Expr::Int(value))
            }
            TokenKind::Name(_) => self.call(),
            _ => Err(self.unexpected("a function, a string or a number")),
        }
    }

    fn call(&mut self) -> Result<Expr, SyntaxError> {
        let mut name = self.name("a function name")?;
        let mut namespace = None;
        if self.accept(&TokenKind::Dot) {
            namespace = Some(name);
            name = self.name("a function name")?;
        }
        self.expect(&TokenKind::Open, "'('")?;
        let args = self.arguments()?;
        let key = name.to_lowercase().into();
        Ok(Expr::Call(Call { namespace, name, key, args }))
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, SyntaxError> {
        let mut args = Vec::new();
        if self.accept(&TokenKind::Close) {
            return Ok(args);
        }
        loop {
            args.push(self.expression()?);
            if self.accept(&TokenKind::Close) {
                return Ok(args);
            }
            self.expect(&TokenKind::Comma, "',' or ')'")?;
        }
    }

    fn name(&mut self, expected: &'static str) -> Result<Arc<str>, SyntaxError> {
        let Some(TokenKind::Name(name)) = self.peek() else { return Err(self.unexpected(expected)) };
        let name = name.as_str().into();
        self.next += 1;
        Ok(name)
    }
}
