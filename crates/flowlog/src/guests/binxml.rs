//! Binary XML of Windows events, as far as an event's fields are concerned.
//!
//! A record is an instance of a template that stands anywhere in its chunk, with values to put in; a value may be such a document
//! again. Names lie in the chunk too. Every place is checked, and depth and length of a record are bounded: a chunk may be damaged, or made
//! to be read forever. Layout: libyal/libevtx, "Windows XML Event Log (EVTX)". It must not know what an event means.

mod value;

use value::Value;

/// How deep documents may be nested in each other.
const DEPTH_MAX: usize = 8;
/// Tokens that a record may become.
const TOKENS_MAX: usize = 20_000;
/// Value of a field, and of a name, in characters.
const TEXT_MAX: usize = 4_096;

/// What went wrong, for people.
type Bad = &'static str;
const CUT: Bad = "it ends in the middle of something, or points outside of its chunk";

/// An element that holds a text: its name, and its attribute `Name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) attribute: String,
    pub(super) texts: Vec<String>,
}

/// All fields of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) fields: Vec<Field>,
}

/// A chunk, in which all places are counted from its beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk<'a> {
    bytes: &'a [u8],
}

impl<'a> Chunk<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The event between two places.
    pub(super) fn event(self, at: usize, end: usize) -> Result<Event, Bad> {
        let mut reading = Reading { chunk: self, event: Event::default(), open: Vec::new(), tokens: 0 };
        reading.document(at, end, &[], 0)?;
        Ok(reading.event)
    }

    pub(super) fn u32(self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes.get(at..at + 4)?.try_into().ok()?))
    }

    pub(super) fn u64(self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes.get(at..at + 8)?.try_into().ok()?))
    }

    fn u16(self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.bytes.get(at..at + 2)?.try_into().ok()?))
    }

    fn place(self, at: usize) -> Result<usize, Bad> {
        self.u32(at).map(|place| place as usize).filter(|place| *place < self.bytes.len()).ok_or(CUT)
    }

    /// The name that is pointed to at a place, and where to go on: behind it, if it stands right there.
    fn name(self, at: usize) -> Result<(String, usize), Bad> {
        let place = self.place(at)?;
        let length = usize::from(self.u16(place + 6).ok_or(CUT)?);
        let end = place + 8 + 2 * length;
        let text = self.bytes.get(place + 8..end).filter(|_| length <= TEXT_MAX).ok_or(CUT)?;
        let next = if place == at + 4 { end + 2 } else { at + 4 };
        Ok((value::wide(text), next))
    }
}

/// An element that is not closed.
#[derive(Debug, Default)]
struct Open {
    field: Field,
    /// The attribute whose value comes, until the start of the element is closed.
    attribute: Option<String>,
}

/// The state of reading a record.
struct Reading<'a> {
    chunk: Chunk<'a>,
    event: Event,
    open: Vec<Open>,
    tokens: usize,
}

impl Reading<'_> {
    /// Reads tokens up to a place; substitutions take from `values`.
    fn document(&mut self, mut at: usize, end: usize, values: &[Value], depth: usize) -> Result<(), Bad> {
        if depth > DEPTH_MAX {
            return Err("documents are nested too deep in it");
        }
        let bottom = self.open.len();
        while at < end {
            self.tokens += 1;
            if self.tokens > TOKENS_MAX {
                return Err("it is too long");
            }
            // Whether more of the same follows is told by a bit of the token.
            let token = *self.chunk.bytes.get(at).ok_or(CUT)?;
            at = match token & !0x40 {
                0x00 => break,
                0x01 => self.element(at, token & 0x40 != 0)?,
                0x02 => self.started(at),
                0x03 | 0x04 => self.close(at),
                0x05 => self.counted(at, 2)?,
                0x06 => self.attribute(at)?,
                0x07 | 0x0b => self.counted(at, 1)?,
                0x08 => at + 3,
                0x09 | 0x0a => self.chunk.name(at + 1)?.1,
                0x0c => self.template(at, depth)?,
                0x0d | 0x0e => self.substitute(at, values, depth)?,
                0x0f => at + 4,
                _ => return Err("it has a token that is not known"),
            };
        }
        while self.open.len() > bottom {
            self.close(at);
        }
        Ok(())
    }

    /// The beginning of an element. A number of what it depends on stands before its size in most documents.
    fn element(&mut self, at: usize, has_attributes: bool) -> Result<usize, Bad> {
        let is_size = |size: Option<u32>| size.is_some_and(|size| (size as usize) < self.chunk.bytes.len());
        let size = if is_size(self.chunk.u32(at + 3)) { at + 3 } else { at + 1 };
        let (name, next) = self.chunk.name(size + 4)?;
        self.open.push(Open { field: Field { name, ..Field::default() }, attribute: None });
        Ok(if has_attributes { next + 4 } else { next })
    }

    /// The start of an element is whole: attributes are over.
    fn started(&mut self, at: usize) -> usize {
        if let Some(open) = self.open.last_mut() {
            open.attribute = None;
        }
        at + 1
    }

    fn close(&mut self, at: usize) -> usize {
        if let Some(open) = self.open.pop()
            && (!open.field.texts.is_empty() || !open.field.attribute.is_empty())
        {
            self.event.fields.push(open.field);
        }
        at + 1
    }

    fn attribute(&mut self, at: usize) -> Result<usize, Bad> {
        let (name, next) = self.chunk.name(at + 1)?;
        if let Some(open) = self.open.last_mut() {
            open.attribute = Some(name);
        }
        Ok(next)
    }

    /// Characters with their number before them, `skip` bytes behind a token.
    fn counted(&mut self, at: usize, skip: usize) -> Result<usize, Bad> {
        let length = usize::from(self.chunk.u16(at + skip).ok_or(CUT)?);
        let begin = at + skip + 2;
        let text = self.chunk.bytes.get(begin..begin + 2 * length).ok_or(CUT)?;
        self.put(Value::Texts(vec![value::wide(text)]));
        Ok(begin + 2 * length)
    }

    /// An instance of a template: its document, and the values behind it.
    fn template(&mut self, at: usize, depth: usize) -> Result<usize, Bad> {
        let definition = self.chunk.place(at + 6)?;
        let length = self.chunk.u32(definition + 20).ok_or(CUT)? as usize;
        let begin = definition + 24;
        let is_here = definition == at + 10;
        let counted_at = if is_here { begin + length } else { at + 10 };
        let (values, next) = value::read(self.chunk, counted_at)?;
        let end = begin.checked_add(length).filter(|end| *end <= self.chunk.bytes.len()).ok_or(CUT)?;
        self.document(begin, end, &values, depth + 1)?;
        Ok(next)
    }

    fn substitute(&mut self, at: usize, values: &[Value], depth: usize) -> Result<usize, Bad> {
        let number = usize::from(self.chunk.u16(at + 1).ok_or(CUT)?);
        match values.get(number) {
            Some(Value::Document { begin, end }) => self.document(*begin, *end, &[], depth + 1)?,
            Some(value) => self.put(value.clone()),
            None => {}
        }
        Ok(at + 4)
    }

    /// A value belongs to the attribute that was begun, else to the element.
    fn put(&mut self, value: Value) {
        let (Some(open), Value::Texts(texts)) = (self.open.last_mut(), value) else { return };
        match &open.attribute {
            Some(name) if name == "Name" => open.field.attribute.extend(texts),
            Some(_) => {}
            None => open.field.texts.extend(texts),
        }
    }
}
