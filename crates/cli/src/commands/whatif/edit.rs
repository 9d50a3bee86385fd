//! Edits of rules on the command line: add, remove, move.
//!
//! A rule is written as a sentence: `web-nsg/no-internet=4000 Outbound Deny * from * to Internet port 443`. Whether it is a good rule
//! is not decided here: the edited estate is checked like any other.

use palisade_model::{
    ResourceId,
    spec::{At, EstateSpec, Given, NsgSpec, RuleSpec, SideSpec, Text},
};

/// A rule of an NSG, by names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    nsg: String,
    rule: String,
}

/// A rule that is added.
#[derive(Debug, Clone)]
pub struct Addition {
    named: Named,
    rule: RuleSpec,
}

/// A rule that is removed.
#[derive(Debug, Clone)]
pub struct Removal(Named);

/// A rule that gets another priority.
#[derive(Debug, Clone)]
pub struct Move {
    named: Named,
    priority: String,
}

/// How to write a rule.
const FORM: &str =
    "write NSG/RULE=PRIORITY DIRECTION ACCESS PROTOCOL from SOURCE [port PORTS] to DESTINATION [port PORTS]";

impl Named {
    /// `NSG/RULE`; the NSG may be an id.
    fn parse(text: &str) -> Result<Self, String> {
        match text.rsplit_once('/') {
            Some((nsg, rule)) if !nsg.is_empty() && !rule.is_empty() => {
                Ok(Self { nsg: nsg.to_owned(), rule: rule.to_owned() })
            }
            _ => Err(format!("\"{text}\" names no rule (write NSG/RULE)")),
        }
    }

    fn nsg<'s>(&self, spec: &'s mut EstateSpec) -> Result<&'s mut NsgSpec, String> {
        let id = ResourceId::new(&self.nsg);
        let is_it = |nsg: &&mut NsgSpec| nsg.id == id || nsg.id.name().eq_ignore_ascii_case(&self.nsg);
        let mut found: Vec<&mut NsgSpec> = spec.nsgs.iter_mut().filter(is_it).collect();
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(format!("there is no NSG \"{}\" in the estate", self.nsg)),
            several => Err(format!("{several} NSGs are named \"{}\" (give the resource id)", self.nsg)),
        }
    }

    fn place(&self, nsg: &NsgSpec) -> Result<usize, String> {
        let is_it = |rule: &RuleSpec| {
            let name = rule.name.as_ref().and_then(|name| name.value.known());
            name.is_some_and(|name| name.eq_ignore_ascii_case(&self.rule))
        };
        let place = nsg.rules.iter().position(is_it);
        place.ok_or_else(|| format!("NSG \"{}\" has no rule \"{}\"", nsg.id.name(), self.rule))
    }
}

impl Addition {
    /// Reads `NSG/RULE=...`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (named, sentence) =
            text.split_once('=').ok_or_else(|| format!("\"{text}\" says no rule ({FORM})"))?;
        let named = Named::parse(named)?;
        let words: Vec<&str> = sentence.split_whitespace().collect();
        let [priority, direction, access, protocol, "from", source, rest @ ..] = words.as_slice() else {
            return Err(format!("\"{sentence}\" is no rule ({FORM})"));
        };
        let (source_ports, rest) = ports(rest);
        let ["to", destination, rest @ ..] = rest else {
            return Err(format!("\"{sentence}\" does not say to where ({FORM})"));
        };
        let (destination_ports, rest) = ports(rest);
        if let Some(word) = rest.first() {
            return Err(format!("\"{word}\" is one word too many ({FORM})"));
        }
        let known = |text: &str| Some(Text::known(text));
        let rule = RuleSpec {
            priority: known(priority),
            direction: known(direction),
            access: known(access),
            protocol: known(protocol),
            source: side(source, source_ports),
            destination: side(destination, destination_ports),
            ..RuleSpec::new(&named.rule)
        };
        Ok(Self { named, rule })
    }

    /// Adds it.
    pub fn apply(&self, spec: &mut EstateSpec) -> Result<(), String> {
        let nsg = self.named.nsg(spec)?;
        if self.named.place(nsg).is_ok() {
            return Err(format!("NSG \"{}\" has a rule \"{}\" already", nsg.id.name(), self.named.rule));
        }
        nsg.rules.push(self.rule.clone());
        Ok(())
    }
}

impl Removal {
    /// Reads `NSG/RULE`.
    pub fn parse(text: &str) -> Result<Self, String> {
        Named::parse(text).map(Self)
    }

    /// Removes it.
    pub fn apply(&self, spec: &mut EstateSpec) -> Result<(), String> {
        let nsg = self.0.nsg(spec)?;
        let place = self.0.place(nsg)?;
        nsg.rules.remove(place);
        Ok(())
    }
}

impl Move {
    /// Reads `NSG/RULE=PRIORITY`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (named, priority) = text
            .split_once('=')
            .ok_or_else(|| format!("\"{text}\" says no priority (write NSG/RULE=PRIORITY)"))?;
        Ok(Self { named: Named::parse(named)?, priority: priority.trim().to_owned() })
    }

    /// Moves it.
    pub fn apply(&self, spec: &mut EstateSpec) -> Result<(), String> {
        let nsg = self.named.nsg(spec)?;
        let place = self.named.place(nsg)?;
        nsg.rules[place].priority = Some(Text::known(&self.priority));
        Ok(())
    }
}

/// `port PORTS`, if it is next, and what follows.
fn ports<'w>(words: &'w [&'w str]) -> (&'w str, &'w [&'w str]) {
    match words {
        ["port", ports, rest @ ..] => (ports, rest),
        _ => ("*", words),
    }
}

/// One side of a rule. Several values have commas between them.
fn side(addresses: &str, ports: &str) -> SideSpec {
    let list = |text: &str| {
        let texts = text.split(',').map(|one| Text::known(one.trim())).collect();
        Some(At { value: Given::Known(texts), place: Default::default() })
    };
    let mut side = SideSpec::default();
    match addresses.contains(',') {
        true => side.address_prefixes = list(addresses),
        false => side.address_prefix = Some(Text::known(addresses)),
    }
    match ports.contains(',') {
        true => side.port_ranges = list(ports),
        false => side.port_range = Some(Text::known(ports)),
    }
    side
}
