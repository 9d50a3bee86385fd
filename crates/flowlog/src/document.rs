//! One file: records of any format, told apart by what is in them.
//!
//! A record of Azure's is a nest of objects whose keys say what they hold; a line of ours is a flat object with a `kind`. Both may
//! stand alone, one after the other, in an array, or under `records`. What cannot be read is told with its place, and the rest is
//! still read. It must not know where the bytes come from.

use std::{io::Read, path::Path};

use palisade_model::{FlowOrigin, FlowRecord};

use crate::{
    FlowLogError, Problem,
    draft::{Draft, Names},
    intake::Intake,
    line::{Line, Meaning},
    scan::{ScanError, Scanner},
    tuple::{self, Dialect},
};

/// Where reading stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The file is at fault; others can still be read.
    File(ScanError),
    /// Nothing more can be read.
    All(FlowLogError),
}

impl From<ScanError> for Stop {
    fn from(error: ScanError) -> Self {
        Self::File(error)
    }
}

impl From<FlowLogError> for Stop {
    fn from(error: FlowLogError) -> Self {
        Self::All(error)
    }
}

/// A step of the way to a value.
#[derive(Debug, Clone, Copy)]
enum Step {
    Key(&'static str),
    Element(u64),
}

/// A file that is being read.
pub(crate) struct Document<'a, R, F> {
    scan: Scanner<R>,
    file: &'a Path,
    intake: &'a mut Intake,
    sink: &'a mut F,
    way: Vec<Step>,
    draft: Draft,
    line: Line,
    has_flows: bool,
}

impl<'a, R: Read, F: FnMut(FlowRecord, &FlowOrigin)> Document<'a, R, F> {
    pub(crate) fn new(reader: R, file: &'a Path, intake: &'a mut Intake, sink: &'a mut F) -> Self {
        Self {
            scan: Scanner::new(reader),
            file,
            intake,
            sink,
            way: Vec::new(),
            draft: Draft::default(),
            line: Line::default(),
            has_flows: false,
        }
    }

    /// Reads the file to its end.
    pub(crate) fn read(mut self) -> Result<(), FlowLogError> {
        let told = self.intake.counts.problems;
        let ended = self.values();
        self.intake.counts.bytes += self.scan.taken();
        match ended {
            Ok(()) if self.has_flows || self.intake.counts.problems > told => Ok(()),
            Ok(()) => {
                self.problem("it holds no flow log".to_owned());
                Ok(())
            }
            Err(Stop::All(error)) => Err(error),
            Err(Stop::File(error)) => {
                self.problem(format!("{error}; what follows is not read"));
                Ok(())
            }
        }
    }

    fn values(&mut self) -> Result<(), Stop> {
        self.scan.skip_mark()?;
        while let Some(byte) = self.scan.peek()? {
            let line = self.scan.line();
            match self.value(byte) {
                // One bad line among lines does not take the others with it.
                Err(Stop::File(error)) if self.scan.line() == line && !matches!(error, ScanError::Io(_)) => {
                    self.way.clear();
                    self.problem(error.to_string());
                    self.scan.skip_line()?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn value(&mut self, byte: u8) -> Result<(), Stop> {
        match byte {
            b'{' => self.record(0),
            b'[' => {
                self.scan.bump();
                self.elements(|this| this.record(0))
            }
            b',' => {
                self.scan.bump();
                Ok(())
            }
            // The end of a file whose beginning is another one.
            b']' | b'}' => {
                self.scan.bump();
                self.problem("a bracket is closed that was not opened: its beginning is missing".to_owned());
                Ok(())
            }
            found => Err(ScanError::Unexpected { expected: "a record", found }.into()),
        }
    }

    /// The elements of an array that was entered.
    fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Result<(), Stop>) -> Result<(), Stop> {
        let mut place = 0;
        while self.scan.element()? {
            self.way.push(Step::Element(place));
            each(self)?;
            self.way.pop();
            place += 1;
        }
        Ok(())
    }

    /// An object that is a record, or holds records. What was read before it broke is given all the same.
    fn record(&mut self, depth: usize) -> Result<(), Stop> {
        self.line = Line::default();
        let ended = self.node(Dialect::Nsg, depth, true);
        self.finish()?;
        ended
    }

    fn finish(&mut self) -> Result<(), Stop> {
        let line = std::mem::take(&mut self.line);
        if line.is_one() {
            self.intake.counts.records += 1;
            self.has_flows = true;
            match line.meaning(&mut self.intake.running) {
                Ok(Meaning::Flow(told)) => self.intake.tell(*told, &mut *self.sink)?,
                Ok(Meaning::Lost(count)) => self.intake.counts.lost += count,
                Ok(Meaning::Other) => {}
                Err(message) => self.malformed(message),
            }
        }
        let (intake, sink) = (&mut *self.intake, &mut *self.sink);
        intake.counts.records += u64::from(self.draft.groups() > 0);
        self.draft.finish(|origin, tuples| intake.give(origin, tuples, sink))?;
        Ok(())
    }

    /// One object of the nest that a record is, from its opening bracket; anything else is skipped.
    fn node(&mut self, dialect: Dialect, depth: usize, is_outermost: bool) -> Result<(), Stop> {
        if depth > crate::limits::DEPTH_MAX {
            return Err(ScanError::TooDeep.into());
        }
        if !self.scan.enter(b'{')? {
            return Ok(());
        }
        let first = self.draft.groups();
        let mut names = Names::default();
        let ended = self.members(dialect, depth, is_outermost, &mut names);
        self.draft.name(first, &names);
        ended
    }

    fn members(
        &mut self,
        dialect: Dialect,
        depth: usize,
        is_outermost: bool,
        names: &mut Names,
    ) -> Result<(), Stop> {
        while let Some(key) = self.scan.key(Key::of)? {
            match key {
                Key::Records if is_outermost => self.array("records", |this| this.record(depth + 1))?,
                Key::Inner(name) => {
                    let dialect = if name == "flowRecords" { Dialect::VirtualNetwork } else { dialect };
                    self.way.push(Step::Key(name));
                    self.node(dialect, depth + 1, false)?;
                    self.way.pop();
                }
                Key::List(name) => self.array(name, |this| this.node(dialect, depth + 1, false))?,
                Key::Tuples => self.tuples(dialect)?,
                Key::Mac => self.mac(names)?,
                Key::Target => names.target = self.scan.scalar(str::to_owned)?,
                Key::Nsg => names.nsg = self.scan.scalar(str::to_owned)?,
                Key::Acl => names.list = self.scan.scalar(str::to_owned)?,
                Key::Rule => names.rule = self.scan.scalar(str::to_owned)?,
                Key::Records => self.scan.skip()?,
                Key::Other(key) => {
                    if !(is_outermost && self.line.take(&key, &mut self.scan)?) {
                        self.scan.skip()?;
                    }
                }
            }
        }
        Ok(())
    }

    fn array(
        &mut self,
        name: &'static str,
        each: impl FnMut(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if self.scan.enter(b'[')? {
            self.way.push(Step::Key(name));
            self.elements(each)?;
            self.way.pop();
        }
        Ok(())
    }

    fn tuples(&mut self, dialect: Dialect) -> Result<(), Stop> {
        self.has_flows = true;
        self.draft.begin();
        self.array("flowTuples", |this| {
            let read = this.scan.scalar(|text| tuple::read(text, dialect))?;
            match read {
                Some(Ok(tuple)) => {
                    this.intake.admit()?;
                    this.draft.add(tuple);
                }
                Some(Err(error)) => this.malformed(error.to_string()),
                None => this.malformed("it is no text".to_owned()),
            }
            Ok(())
        })
    }

    fn mac(&mut self, names: &mut Names) -> Result<(), Stop> {
        match self.scan.scalar(str::parse)? {
            Some(Ok(mac)) => names.mac = Some(mac),
            Some(Err(error)) => self.problem(error.to_string()),
            None => {}
        }
        Ok(())
    }

    fn malformed(&mut self, message: String) {
        self.intake.counts.malformed += 1;
        self.problem(message);
    }

    fn problem(&mut self, message: String) {
        let mut path = String::new();
        for step in &self.way {
            match step {
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => path = path + "." + key,
                Step::Element(place) => path = format!("{path}[{place}]"),
            }
        }
        self.intake.problem(Problem { file: self.file.to_owned(), line: self.scan.line(), path, message });
    }
}

/// What a key says of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Records,
    /// An object that holds what is of interest.
    Inner(&'static str),
    /// An array of them.
    List(&'static str),
    Tuples,
    Mac,
    Target,
    Nsg,
    Acl,
    Rule,
    /// A field of a line of ours, or nothing of interest.
    Other(String),
}

impl Key {
    fn of(text: &str) -> Self {
        match text {
            "records" => Self::Records,
            "properties" => Self::Inner("properties"),
            "flowRecords" => Self::Inner("flowRecords"),
            "flows" => Self::List("flows"),
            "flowGroups" => Self::List("flowGroups"),
            "flowTuples" => Self::Tuples,
            "mac" | "macAddress" => Self::Mac,
            "targetResourceID" | "targetResourceId" => Self::Target,
            "resourceId" | "resourceID" => Self::Nsg,
            "aclID" | "aclId" => Self::Acl,
            "rule" => Self::Rule,
            other => Self::Other(other.to_owned()),
        }
    }
}
