//! `palisade verify`: would a flow pass, and which rule decides.

mod answer;
mod explanation;
mod lines;
mod question;

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use palisade_agent::clock::window_s;
use palisade_classify::{Decision, Engine, Verdict};
use palisade_model::{Estate, Throttle};
use palisade_net::{Direction, Flow, PortRange};

use self::{
    answer::Answer,
    explanation::Explanation,
    lines::Lines,
    question::{LineError, Question},
};
use super::target::{Target, TargetArgs};
use crate::{
    args::{self, EstateArgs, FormatArgs},
    commands::estate,
    exit::Exit,
    exit::Failure,
    output::Format,
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A flow file has one JSON object a line: {\"nic\" or \"nsg\", \"direction\", \"protocol\", \
                        \"localAddress\", \"localPort\", \"remoteAddress\", \"remotePort\"}. An ICMP flow has its type in \
                        localPort (Inbound) or remotePort (Outbound).\n\n\"audit\" in an answer is what it would be if \
                        nothing were in audit, where that differs. \"throttle\" is what a new destination of an allowed flow must wait for. \"explanation\", with --explain, has the hops of the flow with every \
                        rule that was asked, the route, and changes that would turn the answer round.\n\nExit code 1 means that a flow is denied or \
                        unknown, 2 that a line could not be read."
)]
pub struct Arguments {
    #[command(flatten)]
    estate: EstateArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    flow: question::FlowArgs,
    /// When the flows begin, for rules with a window: a time in ISO 8601 such as 2026-01-31T08:00Z; by default now
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    at: Option<u32>,
    /// Many flows: a file of JSON lines, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["direction", "protocol", "local_address", "local_port", "remote_address", "remote_port"])]
    flows: Option<PathBuf>,
    /// Say why, hop by hop and rule by rule, and what would have to change
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    format: FormatArgs,
}

/// Answers one flow or many.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let loaded = estate::load(&arguments.estate)?;
    let mut verifier = Verifier::new(&loaded.estate, arguments);
    match &arguments.flows {
        Some(path) => many(&mut verifier, path, arguments.format.format),
        None => one(&mut verifier, arguments),
    }
}

fn one(verifier: &mut Verifier<'_>, arguments: &Arguments) -> Result<Exit, Failure> {
    let question = arguments.flow.question().map_err(Failure::input)?;
    let answered = verifier.answer(&question).map_err(|error| Failure::input(error.message))?;
    print(&mut io::stdout().lock(), Ok(answered), arguments.format.format)
}

fn many(verifier: &mut Verifier<'_>, path: &Path, format: Format) -> Result<Exit, Failure> {
    let mut lines = Lines::new(open(path)?);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut exit = Exit::Clean;
    let unreadable = |error| Failure::input(format!("{}: {error}", path.display()));
    while let Some(line) = lines.next().map_err(unreadable)? {
        let answered = line.and_then(Question::parse).and_then(|question| verifier.answer(&question));
        exit = worse(exit, print(&mut out, answered, format)?);
    }
    out.flush()?;
    Ok(exit)
}

fn print(
    out: &mut impl Write,
    answered: Result<Answered<'_>, LineError>,
    format: Format,
) -> Result<Exit, Failure> {
    match answered {
        Ok(Answered { engine, flow, decision, throttle, explanation }) => {
            let answer = Answer::new(engine, &flow, &decision, throttle, explanation.as_ref());
            match format {
                Format::Json => serde_json::to_writer(&mut *out, &answer)?,
                Format::Table => write!(out, "{}", answer.sentence(&flow))?,
            }
            writeln!(out)?;
            if let (Format::Table, Some(explanation)) = (format, &explanation) {
                explanation.lines().iter().try_for_each(|line| writeln!(out, "{line}"))?;
            }
            Ok(if decision.verdict == Verdict::Allow { Exit::Clean } else { Exit::Found })
        }
        Err(error) => {
            match format {
                Format::Json => serde_json::to_writer(&mut *out, &serde_json::json!({ "error": error }))?,
                Format::Table => write!(out, "error: {}: {}", error.code, error.message)?,
            }
            writeln!(out)?;
            Ok(Exit::Input)
        }
    }
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
    Ok(Box::new(BufReader::with_capacity(1 << 20, file)))
}

const fn worse(a: Exit, b: Exit) -> Exit {
    if a as u8 >= b as u8 { a } else { b }
}

/// The answer to one question.
struct Answered<'v> {
    engine: &'v Engine,
    flow: Flow,
    decision: Decision,
    /// What a new destination must wait for, too.
    throttle: Option<&'v Throttle>,
    explanation: Option<Explanation>,
}

/// Answers questions; compiles each interface's policy once.
struct Verifier<'a> {
    estate: &'a Estate,
    target: &'a TargetArgs,
    at: u32,
    explain: bool,
    nics: HashMap<String, (Target<'a>, Engine)>,
    nsgs: HashMap<String, (Target<'a>, Engine)>,
}

impl<'a> Verifier<'a> {
    fn new(estate: &'a Estate, arguments: &'a Arguments) -> Self {
        let at = arguments.at.unwrap_or_else(window_s);
        let (target, explain) = (&arguments.target, arguments.explain);
        Self { estate, target, at, explain, nics: HashMap::new(), nsgs: HashMap::new() }
    }

    fn answer(&mut self, question: &Question) -> Result<Answered<'_>, LineError> {
        let (is_nic, name) = question.target(self.target)?;
        // A name is copied once an interface, not once a flow.
        if !self.engines(is_nic).contains_key(name) {
            let compiled = self.compile(is_nic, name)?;
            self.engines_mut(is_nic).insert(name.to_owned(), compiled);
        }
        let (target, engine) = &self.engines(is_nic)[name];
        let local = |family| self.target.address.or_else(|| target.address(family));
        let flow = question.flow(local)?;
        let explanation =
            self.explain.then(|| Explanation::of(self.estate, *target, engine.policy(), &flow, self.at));
        let decision = engine.decide(&flow, self.at);
        let is_asked = flow.direction() == Direction::Outbound && decision.verdict == Verdict::Allow;
        let throttle = target.throttle().filter(|throttle| is_asked && throttle.holds_at(self.at));
        Ok(Answered { engine, flow, decision, throttle, explanation })
    }

    const fn engines(&self, is_nic: bool) -> &HashMap<String, (Target<'a>, Engine)> {
        if is_nic { &self.nics } else { &self.nsgs }
    }

    const fn engines_mut(&mut self, is_nic: bool) -> &mut HashMap<String, (Target<'a>, Engine)> {
        if is_nic { &mut self.nics } else { &mut self.nsgs }
    }

    fn compile(&self, is_nic: bool, name: &str) -> Result<(Target<'a>, Engine), LineError> {
        let found = if is_nic { Target::nic(self.estate, name) } else { Target::nsg(self.estate, name) };
        let target = found.map_err(|error| LineError { code: error.code, message: error.message })?;
        let engine = Engine::new(target.effective(self.estate, self.target))
            .map_err(|error| LineError { code: "PolicyTooLarge", message: error.to_string() })?;
        Ok((target, engine))
    }
}

/// The port that a flow comes from when the question does not say: the first dynamic port (RFC 6335).
const DYNAMIC_PORT: u16 = 49_152;

/// A port as a person types it: a number, or `*` for any source port.
fn port(text: &str) -> Option<Option<u16>> {
    if text == "*" {
        return Some(None);
    }
    let range: PortRange = text.parse().ok()?;
    (range.first() == range.last()).then_some(Some(range.first()))
}
