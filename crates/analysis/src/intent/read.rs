//! A file of intents, read with the place of everything that is wrong.
//!
//! The file is JSON, with comments and trailing commas as templates have them. Its form is in `docs/prove.md`. Invariant: a file
//! is taken whole or not at all.

use std::collections::{BTreeMap, HashSet};

use palisade_arm::json::{self, JsonError, Node};

use super::{
    EXCEPTIONS_MAX, Effect, Exception, INTENTS_MAX, Intent, IntentProblem, Intents, Service, Severity, Shape,
    THINGS_MAX, Thing, fields::Reader, library,
};

/// Longest name of an intent, as of a resource.
const NAME_LENGTH_MAX: usize = 80;
/// Most sets of one file.
const SETS_MAX: usize = 1_000;

/// Reads a file of intents; `name` stands before its problems.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(name: &str, text: &str) -> Result<Intents, Vec<IntentProblem>> {
    let document = json::parse_str(name, text).map_err(|error| vec![unreadable(name, &error)])?;
    let mut file = File { reader: Reader::new(&document), sets: BTreeMap::new(), intents: Vec::new() };
    file.read(&document.root);
    let File { reader, intents, .. } = file;
    if reader.problems.is_empty() { Ok(Intents { intents }) } else { Err(reader.problems) }
}

fn unreadable(name: &str, error: &JsonError) -> IntentProblem {
    let (line, column, message) = match error {
        JsonError::Syntax { line, column, detail } => (*line, *column, detail.clone()),
        JsonError::TooDeep { line, column } => {
            (*line, *column, "nesting is too deep (flatten the file)".into())
        }
        other => (0, 0, other.to_string()),
    };
    IntentProblem { file: name.to_owned(), line, column, pointer: String::new(), message }
}

/// A file, while it is read.
pub(super) struct File<'d> {
    pub(super) reader: Reader<'d>,
    sets: BTreeMap<String, Vec<Thing>>,
    intents: Vec<Intent>,
}

/// The packets that an intent is about.
struct Packets {
    from: Vec<Thing>,
    to: Vec<Thing>,
    services: Vec<Service>,
    except: Vec<Exception>,
}

impl File<'_> {
    fn read(&mut self, root: &Node) {
        if !self.reader.is_object(root, &["$schema", "description", "sets", "intents"]) {
            return;
        }
        if let Some(sets) = root.get("sets") {
            self.read_sets(sets);
        }
        let Some(intents) = root.get("intents") else {
            self.reader.problem(root.at, "there is no \"intents\" (write { \"intents\": [ ... ] })");
            return;
        };
        for node in self.reader.items(intents, INTENTS_MAX) {
            self.read_intent(node);
        }
    }

    fn read_sets(&mut self, node: &Node) {
        let Some(sets) = node.as_object() else {
            self.reader
                .problem(node.at, "sets are an object of names and lists (write { \"web\": [ ... ] })");
            return;
        };
        if sets.len() > SETS_MAX {
            self.reader.problem(node.at, format!("there are {} sets, more than {SETS_MAX}", sets.len()));
            return;
        }
        // A set is read before it is known, so that no set can hold itself.
        let mut read = BTreeMap::new();
        for member in sets.members() {
            read.insert(member.key.clone(), self.things(&member.value));
        }
        self.sets = read;
    }

    fn read_intent(&mut self, node: &Node) {
        if node.get("use").is_some() {
            library::read_use(self, node);
            return;
        }
        let shapes = [Shape::Allowed, Shape::Forbidden, Shape::Only];
        let known = ["name", "description", "allowed", "forbidden", "only", "effect", "severity"];
        if !self.reader.is_object(node, &known) {
            return;
        }
        let said: Vec<(Shape, &Node)> =
            shapes.into_iter().filter_map(|shape| Some((shape, node.get(shape.name())?))).collect();
        let name = self.name(node);
        let description = self.description(node);
        let (effect, severity) = self.effect(node);
        let [(shape, packets)] = said[..] else {
            let count = said.len();
            self.reader.problem(
                node.at,
                format!(
                    "the intent has {count} of \"allowed\", \"forbidden\" and \"only\" (write one of them)"
                ),
            );
            return;
        };
        let Some(Packets { from, to, services, except }) = self.packets(packets) else { return };
        let Some(name) = name else { return };
        self.add(node, Intent { name, description, shape, from, to, services, except, effect, severity });
    }

    /// Adds an intent whose name no other has.
    pub(super) fn add(&mut self, node: &Node, intent: Intent) {
        if self.intents.iter().any(|known| known.name.eq_ignore_ascii_case(&intent.name)) {
            let message = format!("two intents are named \"{}\" (give one another name)", intent.name);
            self.reader.problem(node.get("name").unwrap_or(node).at, message);
        } else if self.intents.len() == INTENTS_MAX {
            self.reader.problem(node.at, format!("there are more than {INTENTS_MAX} intents"));
        } else {
            self.intents.push(intent);
        }
    }

    fn name(&mut self, node: &Node) -> Option<String> {
        let Some(name) = node.get("name") else {
            self.reader.problem(node.at, "the intent has no name (write \"name\": \"...\")");
            return None;
        };
        self.check_name(name)
    }

    pub(super) fn check_name(&mut self, node: &Node) -> Option<String> {
        let text = self.reader.text(node)?;
        let is_sound = !text.trim().is_empty() && text.chars().count() <= NAME_LENGTH_MAX;
        if !is_sound {
            self.reader.problem(node.at, format!("a name has 1 to {NAME_LENGTH_MAX} characters"));
        }
        is_sound.then(|| text.to_owned())
    }

    pub(super) fn description(&mut self, node: &Node) -> String {
        let text = node.get("description").and_then(|node| self.reader.text(node));
        text.unwrap_or_default().to_owned()
    }

    /// Effect and severity; a violation that is only warned of is a warning, unless the file says otherwise.
    pub(super) fn effect(&mut self, node: &Node) -> (Effect, Severity) {
        let effects = [Effect::Deny, Effect::Warn].map(|effect| (effect.name(), effect));
        let severities = [Severity::Note, Severity::Warning, Severity::Error].map(|it| (it.name(), it));
        let effect = node.get("effect").and_then(|node| self.reader.word(node, &effects)).unwrap_or_default();
        let severity = node.get("severity").and_then(|node| self.reader.word(node, &severities));
        let usual = if effect == Effect::Deny { Severity::Error } else { Severity::Warning };
        (effect, severity.unwrap_or(usual))
    }

    fn packets(&mut self, node: &Node) -> Option<Packets> {
        if !self.reader.is_object(node, &["from", "to", "services", "except"]) {
            return None;
        }
        let mut side = |key: &str| match node.get(key) {
            Some(things) => self.things(things),
            None => {
                let message = format!("there is no \"{key}\" (write \"{key}\": \"*\" for anybody)");
                self.reader.problem(node.at, message);
                Vec::new()
            }
        };
        let (from, to) = (side("from"), side("to"));
        let services = node.get("services").map_or_else(Vec::new, |node| self.services(node));
        let except = match node.get("except") {
            Some(list) => {
                let items = self.reader.items(list, EXCEPTIONS_MAX);
                items.iter().filter_map(|node| self.exception(node)).collect()
            }
            None => Vec::new(),
        };
        Some(Packets { from, to, services, except })
    }

    fn exception(&mut self, node: &Node) -> Option<Exception> {
        let keys = ["from", "to", "services"];
        if !self.reader.is_object(node, &keys) {
            return None;
        }
        if keys.iter().all(|key| node.get(key).is_none()) {
            self.reader.problem(node.at, "the exception is about everything (write from, to or services)");
            return None;
        }
        let mut side = |key: &str| node.get(key).map_or_else(Vec::new, |node| self.things(node));
        let (from, to) = (side("from"), side("to"));
        let services = node.get("services").map_or_else(Vec::new, |node| self.services(node));
        Some(Exception { from, to, services })
    }

    /// Who talks: one word or a list of words, with sets taken apart.
    pub(super) fn things(&mut self, node: &Node) -> Vec<Thing> {
        let items = self.reader.items(node, THINGS_MAX);
        if items.is_empty() {
            self.reader.problem(node.at, "the list is empty (write \"*\" for anybody)");
        }
        let mut things = Vec::new();
        for item in items {
            let Some(text) = self.reader.text(item) else { continue };
            match text.strip_prefix("set:") {
                Some(name) => match self.sets.get(name) {
                    Some(set) => things.extend(set.iter().cloned()),
                    None => {
                        let known: Vec<&str> = self.sets.keys().map(String::as_str).collect();
                        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                        let message = format!("there is no set \"{name}\" (known here: {known})");
                        self.reader.problem(item.at, message);
                    }
                },
                None => match text.parse() {
                    Ok(thing) => things.push(thing),
                    Err(error) => self.reader.problem(item.at, format!("{error}")),
                },
            }
        }
        if things.len() > THINGS_MAX {
            let message =
                format!("{} words are meant, more than {THINGS_MAX} (make two intents)", things.len());
            self.reader.problem(node.at, message);
        }
        let mut seen = HashSet::new();
        things.retain(|thing| seen.insert(thing.clone()));
        things
    }

    /// What is said: one word or a list of words.
    pub(super) fn services(&mut self, node: &Node) -> Vec<Service> {
        let items = self.reader.items(node, THINGS_MAX);
        if items.is_empty() {
            self.reader.problem(node.at, "the list is empty (write \"*\" for everything)");
        }
        let mut services = Vec::new();
        for item in items {
            // A port may stand without quotes.
            let number = item.as_i64().map(|number| number.to_string());
            let Some(text) = number.or_else(|| self.reader.text(item).map(str::to_owned)) else { continue };
            match Service::parse(&text) {
                Ok(found) => services.extend(found),
                Err(error) => self.reader.problem(item.at, error.to_string()),
            }
        }
        Service::joined(services)
    }
}
