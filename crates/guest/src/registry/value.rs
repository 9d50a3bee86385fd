//! Values: a type and bytes, which stand in the value itself, in a cell, or in several.

use super::{
    HiveError, VALUE_MAX,
    cells::{Cells, damaged, half, text, wide, word},
};

const MAGIC: &[u8] = b"vk";
const NARROW: u16 = 1;
const NAME_AT: usize = 20;
/// Set in the size of data that stands where its offset would.
const RESIDENT: u32 = 1 << 31;
/// Bytes in a cell of a split value.
const SEGMENT: usize = 16_344;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Its name; that of the default value is empty.
    pub name: String,
    /// Its type (`REG_SZ` is 1); of some values the type itself is the information.
    pub kind: u32,
    /// What it holds.
    pub data: Vec<u8>,
}

impl Value {
    /// The number that it holds: of 4 bytes (`REG_DWORD`), of 8, or as text.
    pub fn number(&self) -> Option<u64> {
        match self.kind {
            4 => word(&self.data, 0).map(u64::from),
            11 => Some(u64::from(word(&self.data, 0)?) | u64::from(word(&self.data, 4)?) << 32),
            1 | 2 => self.text()?.trim().parse().ok(),
            _ => None,
        }
    }

    /// The text that it holds, up to its end mark (`REG_SZ`, `REG_EXPAND_SZ`).
    pub fn text(&self) -> Option<String> {
        let is_text = matches!(self.kind, 1 | 2);
        let whole = is_text.then(|| wide(&self.data))?;
        Some(whole.split('\0').next().unwrap_or_default().to_owned())
    }
}

/// A value without what it holds.
#[derive(Debug)]
pub(super) struct Header {
    offset: u32,
    pub(super) name: String,
    kind: u32,
    size: u32,
    data: u32,
}

impl Header {
    pub(super) fn at(cells: &Cells, offset: u32) -> Result<Self, HiveError> {
        let node = cells.cell(offset, "value")?;
        Self::of(node, offset).ok_or_else(|| damaged(offset, "value"))
    }

    fn of(node: &[u8], offset: u32) -> Option<Self> {
        let length = usize::from(half(node, 2)?);
        let is_narrow = half(node, 16)? & NARROW != 0;
        let name = text(node.get(NAME_AT..NAME_AT + length)?, is_narrow);
        let header = Self { offset, name, kind: word(node, 12)?, size: word(node, 4)?, data: word(node, 8)? };
        node.starts_with(MAGIC).then_some(header)
    }

    pub(super) fn value(self, cells: &Cells) -> Result<Value, HiveError> {
        let size = (self.size & !RESIDENT) as usize;
        if size > VALUE_MAX {
            return Err(HiveError::TooMuch { what: "bytes in one value", max: VALUE_MAX });
        }
        let data = if self.size & RESIDENT != 0 {
            let bytes = self.data.to_le_bytes();
            bytes.get(..size).ok_or_else(|| damaged(self.offset, "value"))?.to_vec()
        } else if size == 0 {
            Vec::new()
        } else if size > SEGMENT && cells.splits_values() {
            self.split(cells, size)?
        } else {
            let cell = cells.cell(self.data, "data of a value")?;
            cell.get(..size).ok_or_else(|| damaged(self.data, "data of a value"))?.to_vec()
        };
        Ok(Value { name: self.name, kind: self.kind, data })
    }

    /// Data in several cells, which a list names.
    fn split(&self, cells: &Cells, size: usize) -> Result<Vec<u8>, HiveError> {
        const WHAT: &str = "data of a long value";
        let bad = || damaged(self.data, WHAT);
        let node = cells.cell(self.data, WHAT)?;
        if !node.starts_with(b"db") {
            return Err(bad());
        }
        let (count, list) = half(node, 2).zip(word(node, 4)).ok_or_else(bad)?;
        let list = cells.cell(list, WHAT)?;
        let mut data = Vec::with_capacity(size);
        for number in 0..usize::from(count) {
            let segment = cells.cell(word(list, 4 * number).ok_or_else(bad)?, WHAT)?;
            let wanted = (size - data.len()).min(SEGMENT);
            data.extend_from_slice(segment.get(..wanted).ok_or_else(bad)?);
        }
        if data.len() == size { Ok(data) } else { Err(bad()) }
    }
}
