//! What nftables loads from its settings: files that include others, names that are defined, and what becomes of a packet that no rule names.
//!
//! Files are one row of words, as they are for nft: what is included stands where the line that includes it ends. A relative name is looked for in `/etc`, one
//! with wildcards names files in order of their bytes, and is no fault if it names none. Settings that nft refuses load nothing at all, so of a fault that is seen here nothing
//! is denied; not all faults are. What a chain jumps to is not followed. Reference: nftables 1.0.6, held against `nft` in tests.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    names::Names,
    words::{Word, Words},
};
use crate::{Files, FilesError, files, pattern};

/// Where files are that are named without a slash in front.
const FOLDER: &str = "/etc";
/// How deep files may include each other; nft has the same limit, which a file that includes itself comes to.
const DEPTH_MAX: usize = 16;
/// Files of all includes.
const FILES_MAX: usize = 1_000;
/// Bytes of all of them.
const BYTES_MAX: usize = 1 << 26;

const FAMILIES: [&str; 6] = ["ip", "ip6", "inet", "arp", "bridge", "netdev"];
/// Those whose packets come to services of the machine. That IPv6 may be open beside a closed IPv4 is not looked at.
const GUARDING: [&str; 2] = ["inet", "ip"];
/// What stands before braces that hold statements and no elements.
const OBJECTS: [&str; 9] =
    ["set", "map", "flowtable", "counter", "quota", "limit", "secmark", "synproxy", "ct"];

/// Why settings are not read to their end.
pub(super) enum Stop {
    /// They cannot be.
    Files(FilesError),
    /// nft refuses them: where, and why.
    Refused { place: String, why: String },
}

impl From<FilesError> for Stop {
    fn from(error: FilesError) -> Self {
        Self::Files(error)
    }
}

/// Family, table and chain.
type Key = (String, String, String);

/// What happens to a packet for which no rule asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Drops,
    Accepts,
    /// What the policy says.
    Returns,
}

#[derive(Debug, Default)]
struct Chain {
    is_input: bool,
    drops_by_policy: bool,
    /// That of the first rule without conditions.
    verdict: Option<Verdict>,
}

/// What braces are around.
enum Block {
    Table(String, String),
    /// Whether a policy has stood in them.
    Chain(Key, bool),
    Object,
}

/// A file that is being read.
struct Source {
    path: String,
    words: Words,
    depth: usize,
}

/// Whether a packet that no rule names does not come in.
pub(super) fn denies(files: &dyn Files, path: &str) -> Result<bool, Stop> {
    let mut reading = Reading {
        files,
        sources: Vec::new(),
        read: 0,
        bytes: 0,
        place: path.to_owned(),
        blocks: Vec::new(),
        names: Names::default(),
        statement: Vec::new(),
        braces: 0,
        chains: BTreeMap::new(),
        dormant: BTreeSet::new(),
    };
    reading.open(path, 0)?;
    reading.read()?;
    let denies = |((family, table, _), chain): (&Key, &Chain)| {
        let drops = match chain.verdict {
            Some(Verdict::Drops) => true,
            Some(Verdict::Accepts) => false,
            Some(Verdict::Returns) | None => chain.drops_by_policy,
        };
        let is_awake = !reading.dormant.contains(&(family.clone(), table.clone()));
        chain.is_input && drops && is_awake && GUARDING.contains(&family.as_str())
    };
    Ok(reading.chains.iter().any(denies))
}

struct Reading<'f> {
    files: &'f dyn Files,
    /// The files whose words are still to come, the next one last.
    sources: Vec<Source>,
    read: usize,
    bytes: usize,
    /// Where the last word stands.
    place: String,
    blocks: Vec<Block>,
    names: Names,
    statement: Vec<Word>,
    /// Braces around elements that are open in the statement.
    braces: usize,
    chains: BTreeMap<Key, Chain>,
    dormant: BTreeSet<(String, String)>,
}

impl Reading<'_> {
    fn open(&mut self, path: &str, depth: usize) -> Result<(), Stop> {
        let Some(text) = files::text(self.files, path)? else {
            return Err(self.refused(format!("{path}, which is included, is not there")));
        };
        self.read += 1;
        self.bytes += text.len();
        if self.read > FILES_MAX || self.bytes > BYTES_MAX {
            let why = format!("more than {FILES_MAX} files or {BYTES_MAX} bytes are included");
            return Err(FilesError::new(path, why).into());
        }
        self.sources.push(Source { path: path.to_owned(), words: Words::of(text), depth });
        Ok(())
    }

    fn refused(&self, why: String) -> Stop {
        Stop::Refused { place: self.place.clone(), why }
    }

    /// The next word of all files.
    fn next(&mut self) -> Option<Word> {
        loop {
            let source = self.sources.last_mut()?;
            let line = source.words.line;
            if let Some(word) = source.words.next() {
                // An end of a line stands in the line that it ends.
                let line = if word.is(";") { line } else { source.words.line };
                self.place = format!("{}:{line}", source.path);
                return Some(word);
            }
            // The file in which its name stands goes on, if there is one.
            if self.sources.len() == 1 {
                return None;
            }
            self.sources.pop();
        }
    }

    fn read(&mut self) -> Result<(), Stop> {
        while let Some(word) = self.next() {
            let is_inside = self.braces > 0;
            match word.text.as_str() {
                _ if word.is_quoted => self.statement.push(word),
                ";" if is_inside => {}
                ";" => self.end()?,
                "{" => match self.block() {
                    Some(block) => {
                        self.names.open();
                        self.statement.clear();
                        self.blocks.push(block);
                    }
                    None => {
                        self.braces += 1;
                        self.statement.push(word);
                    }
                },
                "}" if is_inside => {
                    self.braces -= 1;
                    self.statement.push(word);
                }
                "}" => {
                    self.end()?;
                    if self.blocks.pop().is_none() {
                        return Err(self.refused("a brace is closed that is not open".to_owned()));
                    }
                    self.names.close();
                }
                _ => self.word(word)?,
            }
        }
        self.end()?;
        if self.blocks.is_empty() && self.braces == 0 {
            return Ok(());
        }
        Err(self.refused("a brace is not closed".to_owned()))
    }

    /// Takes a word that is no mark; a name stands for its value where a value is asked for that matters here.
    fn word(&mut self, word: Word) -> Result<(), Stop> {
        if let Some(name) = self.names.missing(&word.text) {
            return Err(self.refused(format!("${name} is not defined")));
        }
        let is_policy = self.statement.last().is_some_and(|last| last.is("policy"));
        let value = word.text.strip_prefix('$').filter(|_| is_policy).and_then(|name| self.names.value(name));
        let text = value.map_or(word.text, str::to_owned);
        self.statement.push(Word { text, is_quoted: false });
        Ok(())
    }

    /// What a brace opens behind the words of the statement; `None` of elements, which are part of it.
    fn block(&self) -> Option<Block> {
        if self.braces > 0 {
            return None;
        }
        let words = commanded(&self.statement);
        let (first, rest) = words.split_first()?;
        match (self.blocks.last(), *first, rest) {
            (None, "table", [name]) => Some(Block::Table("ip".to_owned(), (*name).to_owned())),
            (None, "table", [family, name]) => Some(Block::Table((*family).to_owned(), (*name).to_owned())),
            (None, "chain", rest) => key(rest).map(|(key, _)| Block::Chain(key, false)),
            (Some(Block::Table(family, table)), "chain", [name]) => {
                Some(Block::Chain((family.clone(), table.clone(), (*name).to_owned()), false))
            }
            (None | Some(Block::Table(..)), object, _) if OBJECTS.contains(&object) => Some(Block::Object),
            _ => None,
        }
    }

    /// The end of a statement.
    fn end(&mut self) -> Result<(), Stop> {
        let statement = std::mem::take(&mut self.statement);
        self.braces = 0;
        let Some(first) = statement.first().filter(|first| !first.is_quoted) else { return Ok(()) };
        match (first.text.as_str(), &statement[1..]) {
            ("include", [name]) if name.is_quoted => return self.include(&name.text),
            ("include", _) => return Err(self.refused("include takes one name in quotes".to_owned())),
            ("define", [name, equals, value @ ..]) if equals.is("=") => {
                if !self.names.define(&name.text, value) {
                    return Err(self.refused(format!("{} is defined twice", name.text)));
                }
            }
            ("redefine", [name, equals, value @ ..]) if equals.is("=") => {
                self.names.redefine(&name.text, value);
            }
            ("undefine", [name]) => self.names.undefine(&name.text),
            _ => return self.statement(&statement),
        }
        Ok(())
    }

    /// What a name means from which files are included.
    fn include(&mut self, name: &str) -> Result<(), Stop> {
        let depth = self.sources.last().map_or(0, |source| source.depth) + 1;
        if depth >= DEPTH_MAX {
            return Err(self.refused(format!("files include each other more than {DEPTH_MAX} deep")));
        }
        // What begins with a dot is looked for where nft runs, which for a service is the root.
        let path = match name.strip_prefix("./") {
            Some(name) => format!("/{name}"),
            None if name.starts_with(['/']) || name.starts_with("../") => name.to_owned(),
            None => format!("{FOLDER}/{name}"),
        };
        let found = pattern::found(self.files, &path)?;
        let is_pattern = path.contains(['*', '?', '[']);
        let is_folder = || self.files.meta(&path).map(|meta| meta.is_some_and(|meta| meta.is_folder));
        if found.is_empty() && !is_pattern && !is_folder()? {
            return Err(self.refused(format!("{name}, which is included, is not there")));
        }
        // The first is read first.
        found.iter().rev().try_for_each(|path| self.open(path, depth))
    }

    /// A statement about chains.
    fn statement(&mut self, statement: &[Word]) -> Result<(), Stop> {
        match self.blocks.last_mut() {
            Some(Block::Chain(key, has_policy)) => {
                let is_policy = statement[0].is("policy");
                if is_policy && std::mem::replace(has_policy, true) {
                    return Err(self.refused("a chain has two policies".to_owned()));
                }
                self.chains.entry(key.clone()).or_default().take(statement);
            }
            Some(Block::Table(family, name)) if statement[0].is("flags") => {
                if statement.iter().any(|word| word.is("dormant")) {
                    self.dormant.insert((family.clone(), name.clone()));
                }
            }
            Some(_) => {}
            None => self.command(statement),
        }
        Ok(())
    }

    /// A command outside of braces.
    fn command(&mut self, statement: &[Word]) {
        let words = commanded(statement);
        match words[..] {
            ["flush" | "delete" | "destroy", "ruleset", ref family @ ..] => {
                self.chains.retain(|(own, _, _), _| !family.is_empty() && !family.contains(&own.as_str()));
            }
            [verb @ ("flush" | "delete" | "destroy"), "table" | "chain", ref rest @ ..] => {
                let of: Vec<&str> = if FAMILIES.contains(rest.first().unwrap_or(&"")) {
                    rest.to_vec()
                } else {
                    [&["ip"], rest].concat()
                };
                let is_meant = |(family, table, chain): &Key| {
                    [family, table, chain].into_iter().zip(&of).all(|(own, meant)| own == meant)
                };
                // What is flushed has its policy still.
                self.chains
                    .iter_mut()
                    .filter(|(key, _)| is_meant(key))
                    .for_each(|(_, chain)| chain.verdict = None);
                self.chains.retain(|key, _| verb == "flush" || !is_meant(key));
            }
            ["rule", ref rest @ ..] => {
                let Some((key, length)) = key(rest) else { return };
                let rule = &statement[statement.len() - (rest.len() - length)..];
                let Some(chain) = self.chains.get_mut(&key) else { return };
                match statement[0].is("insert") {
                    true => chain.verdict = verdict(rule).or(chain.verdict),
                    false => chain.take(rule),
                }
            }
            _ => {}
        }
    }
}

impl Chain {
    fn take(&mut self, statement: &[Word]) {
        match statement {
            [first, rest @ ..] if first.is("type") => {
                self.is_input |= rest.windows(2).any(|pair| pair[0].is("hook") && pair[1].is("input"));
            }
            [first, policy] if first.is("policy") => self.drops_by_policy = policy.is("drop"),
            rule => self.verdict = self.verdict.or_else(|| verdict(rule)),
        }
    }
}

/// The words of a command without the verb that may stand before what it makes.
fn commanded(statement: &[Word]) -> Vec<&str> {
    let is_verb = |word: &&Word| ["add", "create", "insert"].iter().any(|verb| word.is(verb));
    let skipped = usize::from(statement.first().as_ref().is_some_and(is_verb));
    statement[skipped..].iter().map(|word| word.text.as_str()).collect()
}

/// The chain that words name, and how many they are.
fn key(words: &[&str]) -> Option<(Key, usize)> {
    let (family, rest) = match words {
        [family, rest @ ..] if FAMILIES.contains(family) => (*family, rest),
        _ => ("ip", words),
    };
    let [table, chain, ..] = rest else { return None };
    Some(((family.to_owned(), (*table).to_owned(), (*chain).to_owned()), words.len() - rest.len() + 2))
}

/// What a rule does without asking for anything; it may count and log before.
fn verdict(rule: &[Word]) -> Option<Verdict> {
    let mut words = rule.iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            _ if word.is_quoted => return None,
            "drop" | "reject" => return Some(Verdict::Drops),
            "accept" => return Some(Verdict::Accepts),
            "return" => return Some(Verdict::Returns),
            "counter" | "log" => {}
            "packets" | "bytes" | "prefix" | "level" | "flags" | "group" => drop(words.next()),
            _ => return None,
        }
    }
    None
}
