//! Keys: their name, the keys below, their values.

use super::{
    HiveError, SUBKEYS_MAX, VALUES_MAX, Value,
    cells::{Cells, NONE, damaged, half, text, word},
    value,
};

const MAGIC: &[u8] = b"nk";
/// A name of one byte a character.
const NARROW: u16 = 0x20;
const NAME_AT: usize = 76;

/// A key.
#[derive(Debug, Clone, Copy)]
pub struct Key<'h> {
    cells: &'h Cells,
    offset: u32,
    node: &'h [u8],
}

impl<'h> Key<'h> {
    pub(super) fn at(cells: &'h Cells, offset: u32) -> Result<Self, HiveError> {
        let node = cells.cell(offset, "key")?;
        if node.len() < NAME_AT || !node.starts_with(MAGIC) {
            return Err(damaged(offset, "key"));
        }
        Ok(Self { cells, offset, node })
    }

    fn bad(&self, what: &'static str) -> HiveError {
        damaged(self.offset, what)
    }

    /// Its name.
    ///
    /// # Errors
    /// [`HiveError::Damaged`].
    pub fn name(&self) -> Result<String, HiveError> {
        let length = usize::from(half(self.node, 72).ok_or_else(|| self.bad("name of a key"))?);
        let bytes = self.node.get(NAME_AT..NAME_AT + length).ok_or_else(|| self.bad("name of a key"))?;
        Ok(text(bytes, half(self.node, 2).is_some_and(|flags| flags & NARROW != 0)))
    }

    /// When it was last written, in units of 100 ns since 1601.
    pub fn written(&self) -> u64 {
        let half = |at| u64::from(word(self.node, at).unwrap_or(0));
        half(4) | half(8) << 32
    }

    /// The key below of this name, without regard to case.
    ///
    /// # Errors
    /// [`HiveError`].
    pub fn subkey(&self, name: &str) -> Result<Option<Self>, HiveError> {
        for offset in self.subkey_offsets()? {
            let key = Self::at(self.cells, offset)?;
            if is_same(&key.name()?, name) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// The keys below. One that is damaged is an error of its own, and the others are given.
    ///
    /// # Errors
    /// [`HiveError`] if their list is damaged.
    pub fn subkeys(&self) -> Result<impl Iterator<Item = Result<Self, HiveError>> + use<'h>, HiveError> {
        let cells = self.cells;
        Ok(self.subkey_offsets()?.into_iter().map(move |offset| Self::at(cells, offset)))
    }

    /// Where the keys below are.
    fn subkey_offsets(&self) -> Result<Vec<u32>, HiveError> {
        let count = word(self.node, 20).unwrap_or(0);
        let list = word(self.node, 28).unwrap_or(NONE);
        let mut offsets = Vec::new();
        if count == 0 || list == NONE {
            return Ok(offsets);
        }
        let node = self.cells.cell(list, "list of keys")?;
        if node.starts_with(b"ri") {
            // Lists of lists are one level deep.
            for part in elements(node, 4).ok_or_else(|| damaged(list, "list of keys"))? {
                self.add_list(part, &mut offsets)?;
            }
        } else {
            self.add_list(list, &mut offsets)?;
        }
        Ok(offsets)
    }

    fn add_list(&self, list: u32, offsets: &mut Vec<u32>) -> Result<(), HiveError> {
        let node = self.cells.cell(list, "list of keys")?;
        let stride = match node.get(..2) {
            Some(b"lf" | b"lh") => 8,
            Some(b"li") => 4,
            _ => return Err(damaged(list, "list of keys")),
        };
        offsets.extend(elements(node, stride).ok_or_else(|| damaged(list, "list of keys"))?);
        if offsets.len() > SUBKEYS_MAX {
            return Err(HiveError::TooMuch { what: "keys below one key", max: SUBKEYS_MAX });
        }
        Ok(())
    }

    /// The value of this name, without regard to case; the default value has an empty one.
    ///
    /// # Errors
    /// [`HiveError`].
    pub fn value(&self, name: &str) -> Result<Option<Value>, HiveError> {
        for offset in self.value_offsets()? {
            let header = value::Header::at(self.cells, offset)?;
            if is_same(&header.name, name) {
                return header.value(self.cells).map(Some);
            }
        }
        Ok(None)
    }

    /// Its values. One that is damaged is an error of its own, and the others are given.
    ///
    /// # Errors
    /// [`HiveError`] if their list is damaged.
    pub fn values(&self) -> Result<impl Iterator<Item = Result<Value, HiveError>> + use<'h>, HiveError> {
        let cells = self.cells;
        let of = move |offset| value::Header::at(cells, offset)?.value(cells);
        Ok(self.value_offsets()?.into_iter().map(of))
    }

    fn value_offsets(&self) -> Result<Vec<u32>, HiveError> {
        let count = word(self.node, 36).unwrap_or(0) as usize;
        let list = word(self.node, 40).unwrap_or(NONE);
        if count == 0 || list == NONE {
            return Ok(Vec::new());
        }
        if count > VALUES_MAX {
            return Err(HiveError::TooMuch { what: "values of one key", max: VALUES_MAX });
        }
        let cell = self.cells.cell(list, "list of values")?;
        let whole = cell.get(..4 * count).ok_or_else(|| damaged(list, "list of values"))?;
        Ok(whole.chunks_exact(4).filter_map(|chunk| word(chunk, 0)).collect())
    }
}

/// The offsets in a list whose elements are `stride` bytes long, an offset first.
fn elements(node: &[u8], stride: usize) -> Option<impl Iterator<Item = u32> + '_> {
    let count = usize::from(half(node, 2)?);
    let body = node.get(4..4 + stride * count)?;
    Some(body.chunks_exact(stride).filter_map(|element| word(element, 0)))
}

/// Names are compared as Windows does, in upper case.
fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || (!one.is_ascii() && one.to_uppercase() == other.to_uppercase())
}
