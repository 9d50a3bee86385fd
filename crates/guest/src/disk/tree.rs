//! A file system as it stands on the disk: names with what is known of them, links not followed, and what files hold, piece by piece.
//!
//! It is what a comparison walks. What a name stands for is told by the file system's own means ([`Handle`]), so that names that are no text, or
//! that others hide behind, are seen too. Names are told as [`escaped`] tells them: no two are told alike, and none has control characters.

use std::fmt::Write as _;

use crate::{Files, FilesError, Meta, NAMES_MAX};

/// What a name in a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A link to another path; what it holds is that path.
    Link,
    /// A device, a pipe or a socket.
    Other,
}

impl Kind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::Link => "link",
            Self::Other => "special",
        }
    }
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// What it is.
    pub kind: Kind,
    /// Bytes of it; 0 of a folder.
    pub size: u64,
    /// Permissions as Unix has them, the lower twelve bits; `None` where the file system has none.
    pub mode: Option<u32>,
    /// Numbers of its owner and group; `None` where the file system has none.
    pub owner: Option<(u32, u32)>,
    /// When it was last written, in nanoseconds since 1970 (before, if negative), as the machine's clock had it.
    pub modified: Option<i128>,
}

/// By what a file system finds a file; it means nothing to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(pub(crate) Vec<u8>);

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name, [`escaped`].
    pub name: String,
    /// By what it is found.
    pub handle: Handle,
    /// What is known of it, or why nothing is.
    pub status: Result<Status, String>,
}

/// A file system.
pub trait Tree: Files {
    /// Its first folder.
    fn root(&self) -> Handle;

    /// What is in a folder, at most [`NAMES_MAX`] names, in any order. Streams beside a file's own stand beside it as `file:stream`.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn list(&self, folder: &Handle) -> Result<Vec<Listed>, String>;

    /// What a file or a link holds, piece by piece, until `sink` answers `false`. Of a file that is compressed or encrypted it is what is stored.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn contents(&self, file: &Handle, sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), String>;
}

/// A name as it is told: what is no text, control characters, backslashes and slashes (in names that are encrypted) as `\x` with two digits, so
/// that no two are told alike.
pub(crate) fn escaped(name: &[u8]) -> String {
    let mut told = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if matches!(character, '\\' | '/') || character.is_control() || is_turning(character) {
                let mut bytes = [0; 4];
                hexed(&mut told, character.encode_utf8(&mut bytes).as_bytes());
            } else {
                told.push(character);
            }
        }
        hexed(&mut told, chunk.invalid());
    }
    told
}

/// Characters that turn the direction of text, or that nobody sees.
const fn is_turning(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn hexed(told: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(told, "\\x{byte:02x}").expect("a string takes it");
    }
}

/// Names of a folder in UTF-16 as bytes; a lone surrogate becomes bytes that are no text, and no two names become alike.
pub(super) fn wide(units: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(units.len());
    for unit in char::decode_utf16(units.iter().copied()) {
        match unit {
            Ok(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let lone = lone.unpaired_surrogate();
                let six = |shift: u16| 0x80 | u8::try_from(lone >> shift & 0x3f).expect("six bits fit");
                bytes.extend([0xe0 | u8::try_from(lone >> 12).expect("four bits fit"), six(6), six(0)]);
            }
        }
    }
    bytes
}

/// Files of a tree by their paths, for file systems that do not look at case and have no links that are followed.
pub(super) fn find(tree: &impl Tree, path: &str) -> Result<Option<Listed>, FilesError> {
    let status = Status { kind: Kind::Folder, size: 0, mode: None, owner: None, modified: None };
    let mut found = Listed { name: String::new(), handle: tree.root(), status: Ok(status) };
    for wanted in path.split('/').filter(|name| !name.is_empty()) {
        if !matches!(&found.status, Ok(status) if status.kind == Kind::Folder) {
            return Ok(None);
        }
        let names = tree.list(&found.handle).map_err(|why| FilesError::new(path, why))?;
        let is_alike = |listed: &&Listed| listed.name.eq_ignore_ascii_case(wanted);
        let exact = names.iter().find(|listed| listed.name == wanted);
        match exact.or_else(|| names.iter().find(is_alike)) {
            Some(listed) => found = listed.clone(),
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// [`Files::names`] of such a tree.
pub(super) fn names(tree: &impl Tree, path: &str) -> Result<Vec<String>, FilesError> {
    match find(tree, path)? {
        Some(Listed { handle, status: Ok(Status { kind: Kind::Folder, .. }), .. }) => {
            let listed = tree.list(&handle).map_err(|why| FilesError::new(path, why))?;
            Ok(listed.into_iter().map(|listed| listed.name).collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// [`Files::meta`] of such a tree.
pub(super) fn meta(tree: &impl Tree, path: &str) -> Result<Option<Meta>, FilesError> {
    let Some(found) = find(tree, path)? else { return Ok(None) };
    let status = found.status.map_err(|why| FilesError::new(path, why))?;
    Ok(Some(Meta { is_folder: status.kind == Kind::Folder, mode: None, owner: None }))
}

/// [`Files::read`] of such a tree.
pub(super) fn read(tree: &impl Tree, path: &str, max: usize) -> Result<Option<Vec<u8>>, FilesError> {
    let bad = |why: String| FilesError::new(path, why);
    let Some(found) = find(tree, path)? else { return Ok(None) };
    let status = found.status.map_err(bad)?;
    if status.kind != Kind::File {
        return Err(bad("it is no file".to_owned()));
    }
    if status.size > max as u64 {
        return Err(bad(format!("it has more than {max} bytes")));
    }
    let mut bytes = Vec::new();
    let mut take = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        bytes.len() <= max
    };
    tree.contents(&found.handle, &mut take).map_err(bad)?;
    Ok(Some(bytes))
}

/// Refuses a folder of too many names.
pub(super) fn bounded(names: usize) -> Result<(), String> {
    if names > NAMES_MAX { Err(format!("it has more than {NAMES_MAX} names")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_are_told_alike() {
        let cases: [(&[u8], &str); 7] = [
            (b"plain \xc3\xa4", "plain ä"),
            (b"a\x1b[2J", "a\\x1b[2J"),
            (b"a\\x1b", "a\\x5cx1b"),
            (b"\xff.sh", "\\xff.sh"),
            (b"a/\0", "a\\x2f\\x00"),
            ("a\u{202e}b".as_bytes(), "a\\xe2\\x80\\xaeb"),
            (&wide(&[0x61, 0xd800]), "a\\xed\\xa0\\x80"),
        ];
        for (name, expect) in cases {
            assert_eq!(escaped(name), expect);
        }
    }
}
