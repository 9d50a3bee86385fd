//! Links to other templates, resolved by whoever can see files.
//!
//! This module reads no file: the caller hands in documents that are already parsed. [`Folder`] is the resolver
//! for the usual case, a folder tree of templates that link to one another by address.

use std::collections::BTreeMap;

use super::text::{Piece, Text};
use crate::json::Document;

/// A link as a template writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// `templateLink.uri` or `parametersLink.uri`; it may have holes.
    pub uri: Option<Text>,
    /// `templateLink.relativePath`.
    pub relative_path: Option<Text>,
    /// The name of the document the link stands in.
    pub from: String,
}

/// Finds the documents that links point to.
pub trait Links<'a> {
    /// The document, when the caller has it.
    fn find(&self, link: &Link) -> Option<&'a Document>;
}

/// No links can be followed.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLinks;

impl Links<'_> for NoLinks {
    fn find(&self, _link: &Link) -> Option<&'static Document> {
        None
    }
}

/// Documents by their path relative to one folder, with `/` between the parts.
///
/// An address leads to a file when it starts with [`Folder::base_uri`], when it holds `/<folder name>/` followed
/// by the path, or when it begins with a hole (an unset artifacts location) and ends in the path.
#[derive(Debug, Clone, Default)]
pub struct Folder<'a> {
    /// The last part of the folder's path, as in `…/master/301-dmz-nsg/nested/x.json`.
    pub name: String,
    /// The address the folder stands for, ending in `/`.
    pub base_uri: String,
    documents: BTreeMap<String, &'a Document>,
}

impl<'a> Folder<'a> {
    /// An empty folder.
    pub fn new(name: impl Into<String>, base_uri: impl Into<String>) -> Self {
        Self { name: name.into(), base_uri: base_uri.into(), documents: BTreeMap::new() }
    }

    /// Offers a document under a path relative to the folder.
    pub fn insert(&mut self, path: &str, document: &'a Document) {
        self.documents.insert(normalize(path), document);
    }

    fn get(&self, path: &str) -> Option<&'a Document> {
        self.documents.get(&normalize(path)).copied()
    }

    /// The folder of the document called `from`, as a path relative to this folder.
    fn directory_of(&self, from: &str) -> String {
        let path = self.documents.iter().find(|(_, d)| d.name == from).map_or("", |(path, _)| path.as_str());
        path.rsplit_once('/').map_or(String::new(), |(directory, _)| format!("{directory}/"))
    }

    fn by_uri(&self, uri: &Text, from: &str) -> Option<&'a Document> {
        let pieces = uri.pieces();
        let starts_with_hole = matches!(pieces.first(), Some(Piece::Unknown(_)));
        // Only the first run of known characters can hold the path: what follows is a query or a token.
        let known = pieces.iter().find_map(|piece| match piece {
            Piece::Known(text) => Some(text.as_ref()),
            Piece::Unknown(_) => None,
        })?;
        let path = known.split(['?', '#']).next().unwrap_or_default();
        if starts_with_hole {
            let path = path.trim_start_matches('/');
            return self.get(path).or_else(|| self.get(&format!("{}{path}", self.directory_of(from))));
        }
        if !self.base_uri.is_empty()
            && let Some(path) = path.strip_prefix(&self.base_uri)
        {
            return self.get(path);
        }
        let marker = format!("/{}/", self.name.to_lowercase());
        let start = path.to_lowercase().find(&marker)?;
        self.get(path.get(start + marker.len()..)?)
    }
}

impl<'a> Links<'a> for Folder<'a> {
    fn find(&self, link: &Link) -> Option<&'a Document> {
        if let Some(path) = link.relative_path.as_ref().and_then(Text::known) {
            return self.get(&format!("{}{path}", self.directory_of(&link.from)));
        }
        self.by_uri(link.uri.as_ref()?, &link.from)
    }
}

/// Lower case, single slashes, `.` and `..` resolved.
fn normalize(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/").to_lowercase()
}
