//! Paths: links are followed as Linux follows them, with the first folder of the file system as the root, above which there is nothing.

use std::{borrow::Cow, rc::Rc};

use super::{Ext4, Folder, Inode, ROOT};
use crate::disk::Kind;

/// Links that are followed for one path, and bytes of what is left of it; Linux has the same limits.
const LINKS_MAX: usize = 40;
const PATH_MAX: usize = 4_096;

/// The folders below the first, to the one where a path has come to.
struct Way {
    folders: Vec<u32>,
    /// The last of them, if it has been read.
    last: Option<Rc<Folder>>,
}

impl Way {
    fn number(&self) -> u32 {
        self.folders.last().copied().unwrap_or(ROOT)
    }

    fn down(&mut self, number: u32, folder: Option<Rc<Folder>>) {
        self.folders.push(number);
        self.last = folder;
    }

    /// Above the first folder is the first folder.
    fn up(&mut self) {
        self.folders.pop();
        self.last = None;
    }
}

impl Ext4 {
    /// What a path leads to; `None` if there is nothing.
    pub(super) fn resolve(&self, path: &[u8]) -> Result<Option<Inode>, String> {
        if !path.starts_with(b"/") {
            return Err("its path does not begin with a slash".to_owned());
        }
        let mut left = Cow::Borrowed(path);
        let mut at = 0;
        let mut way = Way { folders: Vec::new(), last: None };
        let mut links = 0;
        loop {
            if left.len() > PATH_MAX {
                return Err(format!("its path has more than {PATH_MAX} bytes"));
            }
            let Some(name) = next(&left, at) else { break };
            at = name.end;
            let number = match &left[name] {
                b"." => continue,
                b".." => {
                    way.up();
                    continue;
                }
                name => match self.named(&mut way, name)? {
                    Some(number) => number,
                    None => return Ok(None),
                },
            };
            // What was read as a folder before is one.
            let kept = self.folders.borrow_mut().get(number);
            if kept.is_some() {
                way.down(number, kept);
                continue;
            }
            let inode = self.inode(number)?;
            match inode.kind {
                Kind::Folder => {
                    way.down(number, None);
                    continue;
                }
                Kind::Link => {}
                _ => return Ok((at == left.len()).then_some(inode)),
            }
            links += 1;
            if links > LINKS_MAX {
                return Err(format!("its path has more than {LINKS_MAX} links"));
            }
            let mut target = self.target(&inode)?;
            if target.starts_with(b"/") {
                way = Way { folders: Vec::new(), last: None };
            }
            target.extend_from_slice(&left[at..]);
            (left, at) = (Cow::Owned(target), 0);
        }
        self.inode(way.number()).map(Some)
    }

    /// The inode of a name in a folder. What stands under an encrypted name is not known, so that nothing is told of it.
    fn named(&self, way: &mut Way, name: &[u8]) -> Result<Option<u32>, String> {
        let folder = match way.last.take() {
            Some(folder) => folder,
            None => self.folder(way.number())?,
        };
        match folder.find(name) {
            None if folder.is_encrypted => Err("a folder on its path is encrypted".to_owned()),
            found => {
                way.last = Some(folder);
                Ok(found)
            }
        }
    }

    /// Where a link leads.
    fn target(&self, link: &Inode) -> Result<Vec<u8>, String> {
        if link.is_encrypted() {
            return Err("a link on its path is encrypted".to_owned());
        }
        let target = self.bytes(link, PATH_MAX as u64)?;
        if target.is_empty() { Err("a link on its path leads nowhere".to_owned()) } else { Ok(target) }
    }
}

/// Where the next name of a path is, from a place on.
fn next(path: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
    let start = at + path[at..].iter().position(|byte| *byte != b'/')?;
    let length = path[start..].iter().position(|byte| *byte == b'/').unwrap_or(path.len() - start);
    Some(start..start + length)
}
