//! Strings with holes.
//!
//! A [`Text`] is a row of known characters and unknowns, as `{parameters('vm')}-nsg`. Most are fully known and
//! then behave as `&str`. Names and resource ids are texts, so that a template with an unset parameter still has
//! resources that refer to one another.
//!
//! Invariant: no two known pieces are neighbours and none is empty, except the one piece of the empty text.

use std::fmt;
use std::sync::Arc;

use super::unknown::{Reason, Unknown};

/// A string, some parts of which may be unknown.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Known(Arc<str>),
    Mixed(Arc<[Piece]>),
}

/// One part of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Characters.
    Known(Arc<str>),
    /// A hole, and what it stands for.
    Unknown(Arc<Unknown>),
}

impl Text {
    /// Joins pieces; known neighbours become one.
    pub fn from_pieces(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut joined: Vec<Piece> = Vec::new();
        let mut run = String::new();
        for piece in pieces {
            match piece {
                Piece::Known(text) => run.push_str(&text),
                Piece::Unknown(_) => {
                    flush(&mut run, &mut joined);
                    joined.push(piece);
                }
            }
        }
        if joined.is_empty() {
            return Self::from(run);
        }
        flush(&mut run, &mut joined);
        Self(Repr::Mixed(joined.into()))
    }

    /// The string, when all of it is known.
    pub fn known(&self) -> Option<&str> {
        match &self.0 {
            Repr::Known(text) => Some(text),
            Repr::Mixed(_) => None,
        }
    }

    /// Whether all of it is known.
    pub fn is_known(&self) -> bool {
        matches!(self.0, Repr::Known(_))
    }

    /// The parts, in order. A fully known text has one.
    pub fn pieces(&self) -> Vec<Piece> {
        match &self.0 {
            Repr::Known(text) => vec![Piece::Known(text.clone())],
            Repr::Mixed(pieces) => pieces.to_vec(),
        }
    }

    /// The holes, in order.
    pub fn unknowns(&self) -> impl Iterator<Item = &Arc<Unknown>> {
        let pieces: &[Piece] = match &self.0 {
            Repr::Known(_) => &[],
            Repr::Mixed(pieces) => pieces,
        };
        pieces.iter().filter_map(|piece| match piece {
            Piece::Unknown(unknown) => Some(unknown),
            Piece::Known(_) => None,
        })
    }

    /// The unknown that makes up the whole text, when one does.
    pub fn sole_unknown(&self) -> Option<&Arc<Unknown>> {
        match &self.0 {
            Repr::Mixed(pieces) => match pieces.as_ref() {
                [Piece::Unknown(unknown)] => Some(unknown),
                _ => None,
            },
            Repr::Known(_) => None,
        }
    }

    /// Why parts are unknown; empty when all is known.
    pub fn reasons(&self) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self.unknowns().flat_map(|u| u.reasons().iter().cloned()).collect();
        reasons.sort();
        reasons.dedup();
        reasons
    }

    /// The text to match names and resource ids by: lower case, holes as their expressions.
    pub fn key(&self) -> String {
        self.to_string().to_lowercase()
    }

    /// Known characters and the length of the holes' expressions; what it costs to copy.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Known(text) => text.len(),
            Repr::Mixed(pieces) => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Known(text) => text.len(),
                    Piece::Unknown(unknown) => unknown.expression().len(),
                })
                .sum(),
        }
    }

    /// Whether it is the empty string.
    pub fn is_empty(&self) -> bool {
        self.known() == Some("")
    }

    /// Splits at a character. Holes never split: what they hold cannot be seen.
    pub fn split(&self, separator: char) -> Vec<Self> {
        let mut parts: Vec<Vec<Piece>> = vec![Vec::new()];
        for piece in self.pieces() {
            match &piece {
                Piece::Unknown(_) => last(&mut parts).push(piece),
                Piece::Known(text) => {
                    for (index, part) in text.split(separator).enumerate() {
                        if index > 0 {
                            parts.push(Vec::new());
                        }
                        last(&mut parts).push(Piece::Known(part.into()));
                    }
                }
            }
        }
        parts.into_iter().map(Self::from_pieces).collect()
    }

    /// Joins texts with a separator.
    pub fn join<'t>(parts: impl IntoIterator<Item = &'t Self>, separator: &str) -> Self {
        let mut pieces = Vec::new();
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                pieces.push(Piece::Known(separator.into()));
            }
            pieces.extend(part.pieces());
        }
        Self::from_pieces(pieces)
    }
}

fn flush(run: &mut String, joined: &mut Vec<Piece>) {
    if !run.is_empty() {
        joined.push(Piece::Known(std::mem::take(run).into()));
    }
}

/// `split` keeps at least one part at all times.
fn last(parts: &mut [Vec<Piece>]) -> &mut Vec<Piece> {
    parts.last_mut().expect("a split has at least one part")
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Repr::Known(text.into()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Repr::Known(text.into()))
    }
}

impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Self {
        Self(Repr::Known(text))
    }
}

impl From<Arc<Unknown>> for Text {
    fn from(unknown: Arc<Unknown>) -> Self {
        Self(Repr::Mixed([Piece::Unknown(unknown)].into()))
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.known() == Some(other)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Known(text) => f.write_str(text),
            Repr::Mixed(pieces) => pieces.iter().try_for_each(|piece| match piece {
                Piece::Known(text) => f.write_str(text),
                Piece::Unknown(unknown) => write!(f, "{unknown}"),
            }),
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}
