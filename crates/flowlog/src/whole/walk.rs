//! One file of Azure's, record by record: its text is copied as it is read, tuples are put aside.

use std::{io::Read, path::Path, sync::Arc};

use palisade_model::FlowOrigin;

use super::{Logged, Reading, Told};
use crate::{
    FlowLogError, Limits,
    document::Stop,
    draft::Names,
    limits::DEPTH_MAX,
    scan::{ScanError, Scanner, Token},
    tuple::{self, Dialect},
};

/// A list of tuples, with the names around it.
struct List {
    names: Names,
    dialect: Dialect,
    tuples: Vec<(u64, Box<str>)>,
}

/// A walk through one file of Azure's.
pub(super) struct Walk<'a, R, F> {
    scan: Scanner<R>,
    path: &'a Path,
    limits: Limits,
    reading: &'a mut Reading,
    sink: &'a mut F,
    /// The record that is being read, and its lists.
    around: String,
    lists: Vec<List>,
}

impl<'a, R: Read, F: FnMut(Told<'_>) -> Result<(), String>> Walk<'a, R, F> {
    pub(super) fn new(
        reader: R,
        path: &'a Path,
        limits: Limits,
        reading: &'a mut Reading,
        sink: &'a mut F,
    ) -> Self {
        let (around, lists) = (String::new(), Vec::new());
        Self { scan: Scanner::new(reader), path, limits, reading, sink, around, lists }
    }

    pub(super) fn read(mut self) -> Result<(), FlowLogError> {
        match self.documents() {
            Ok(()) => Ok(()),
            Err(Stop::All(error)) => Err(error),
            Err(Stop::File(error)) => {
                let line = self.scan.line();
                self.reading.problem(self.path, line, format!("{error}; what follows is not read"));
                Ok(())
            }
        }
    }

    fn documents(&mut self) -> Result<(), Stop> {
        self.scan.skip_mark()?;
        while let Some(byte) = self.scan.peek()? {
            match byte {
                b'{' => self.record(0)?,
                b'[' => {
                    self.scan.bump();
                    self.records(0)?;
                }
                b',' => self.scan.bump(),
                found => return Err(ScanError::Unexpected { expected: "a record", found }.into()),
            }
        }
        Ok(())
    }

    fn records(&mut self, depth: usize) -> Result<(), Stop> {
        while self.scan.element()? {
            self.record(depth)?;
        }
        Ok(())
    }

    /// A record, or an object that holds records. What was read before it broke is given all the same.
    fn record(&mut self, depth: usize) -> Result<(), Stop> {
        self.around.clear();
        self.lists.clear();
        if !self.scan.enter(b'{')? {
            return Ok(());
        }
        let read = self.members(Dialect::Nsg, depth, true);
        self.give()?;
        read
    }

    fn give(&mut self) -> Result<(), Stop> {
        if self.lists.is_empty() {
            return Ok(());
        }
        self.reading.counts.records += 1;
        let around: Arc<str> = self.around.as_str().into();
        for (number, list) in (0..).zip(std::mem::take(&mut self.lists)) {
            let mut origin: Option<FlowOrigin> = None;
            for (place, (line, text)) in (0..).zip(&list.tuples) {
                let taken =
                    tuple::read(text, list.dialect).map_err(|error| error.to_string()).and_then(|tuple| {
                        if origin.as_ref().is_none_or(|origin| origin.format != tuple.format) {
                            origin = Some(list.names.origin(tuple.format));
                        }
                        let is_long = list.dialect == Dialect::VirtualNetwork;
                        (self.sink)(Told::Tuple(Logged {
                            time_ms: tuple.time_ms,
                            flow: tuple.flow,
                            phase: tuple.phase,
                            decision: tuple.decision,
                            traffic: tuple.traffic,
                            encryption: is_long
                                .then(|| text.split(',').nth(8))
                                .flatten()
                                .map(str::trim_ascii),
                            origin: origin.as_ref().expect("it was made"),
                            rule: list.names.rule.as_deref(),
                            text,
                            around: &around,
                            place: (number, place),
                        }))
                    });
                self.reading.took(self.path, *line, taken, self.limits)?;
            }
        }
        Ok(())
    }

    /// The members of an object that was entered, copied with their brackets.
    fn members(&mut self, dialect: Dialect, depth: usize, is_outermost: bool) -> Result<(), Stop> {
        if depth > DEPTH_MAX {
            return Err(ScanError::TooDeep.into());
        }
        let first = self.lists.len();
        let mut names = Names::default();
        self.around.push('{');
        let mut comma = "";
        while let Some(key) = self.scan.key(str::to_owned)? {
            if is_outermost && key == "records" {
                if self.scan.enter(b'[')? {
                    self.records(depth + 1)?;
                    self.lists.clear();
                }
                continue;
            }
            self.around.push_str(comma);
            comma = ",";
            quote(&key, &mut self.around);
            self.around.push(':');
            let dialect = if key == "flowRecords" { Dialect::VirtualNetwork } else { dialect };
            self.member(&key, dialect, depth, &mut names)?;
        }
        self.around.push('}');
        self.lists[first..].iter_mut().for_each(|list| list.names.fill_from(&names));
        Ok(())
    }

    fn member(&mut self, key: &str, dialect: Dialect, depth: usize, names: &mut Names) -> Result<(), Stop> {
        if key == "flowTuples" && self.scan.peek()? == Some(b'[') {
            self.scan.bump();
            return self.tuples(dialect);
        }
        let Some(text) = self.value(dialect, depth)? else { return Ok(()) };
        match key {
            "mac" | "macAddress" => names.mac = text.parse().ok(),
            "targetResourceID" | "targetResourceId" => names.target = Some(text),
            "resourceId" | "resourceID" => names.nsg = Some(text),
            "aclID" | "aclId" => names.list = Some(text),
            "rule" => names.rule = Some(text),
            _ => {}
        }
        Ok(())
    }

    fn tuples(&mut self, dialect: Dialect) -> Result<(), Stop> {
        self.around.push_str("[]");
        let mut tuples = Vec::new();
        while self.scan.element()? {
            let line = self.scan.line();
            match self.scan.scalar(|text| -> Box<str> { text.into() })? {
                Some(text) => tuples.push((line, text)),
                None => self.reading.took(self.path, line, Err("it is no text".to_owned()), self.limits)?,
            }
        }
        self.lists.push(List { names: Names::default(), dialect, tuples });
        Ok(())
    }

    /// Copies a value; what it says if it is a text.
    fn value(&mut self, dialect: Dialect, depth: usize) -> Result<Option<String>, Stop> {
        let around = &mut self.around;
        let (opened, text) = self.scan.token(|token| match token {
            Token::Open(bracket) => (Some(bracket), None),
            Token::Text(text) => {
                quote(text, around);
                (None, Some(text.to_owned()))
            }
            Token::Word(word) => {
                around.push_str(word);
                (None, None)
            }
        })?;
        match opened {
            Some(b'{') => self.members(dialect, depth + 1, false)?,
            Some(_) => {
                self.around.push('[');
                let mut comma = "";
                while self.scan.element()? {
                    if depth > DEPTH_MAX {
                        return Err(ScanError::TooDeep.into());
                    }
                    self.around.push_str(comma);
                    comma = ",";
                    self.value(dialect, depth + 1)?;
                }
                self.around.push(']');
            }
            None => {}
        }
        Ok(text)
    }
}

/// Writes a text as JSON, with no more escapes than that must have.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..' ' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
}
