//! Engines of others: OxiDD's decision diagrams and Z3, given the same rule lists, and Checkov, given the same files.
//!
//! Each is a program of its own, so that none is part of the command: a variable of the environment names it with its
//! arguments, and `scripts/bench-analysis.sh` builds them and sets the variables. It is asked by name of a question, with the
//! lists, or the paths of files, as JSON on its standard input, and answers `{"version","milliseconds","found"}`. An engine that is
//! not there, or gives up, is listed without a figure.

use std::{
    env,
    io::Write,
    process::{Command, Stdio},
};

use palisade_model::{Access, Addresses, EffectivePolicy, EffectiveRule, Maybe, Ports};
use palisade_net::{Direction, ProtocolMatch};
use serde_json::{Value, json};

use super::Run;
use crate::report::Case;

/// An engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    OxiDd,
    Z3,
    Checkov,
}

impl Engine {
    const fn name(self) -> &'static str {
        match self {
            Self::OxiDd => "OxiDD",
            Self::Z3 => "Z3",
            Self::Checkov => "Checkov",
        }
    }

    /// What it can be asked about lists in minutes.
    const fn questions(self) -> &'static [&'static str] {
        match self {
            Self::OxiDd => &["volumes", "dead", "redundant", "diff"],
            Self::Z3 => &["dead"],
            Self::Checkov => &[],
        }
    }

    /// What names its program.
    const fn variable(self) -> &'static str {
        match self {
            Self::OxiDd => "PALISADE_PEER_OXIDD",
            Self::Z3 => "PALISADE_PEER_Z3",
            Self::Checkov => "PALISADE_PEER_CHECKOV",
        }
    }
}

/// What an engine answered.
struct Answer {
    version: String,
    milliseconds: f64,
    found: u64,
}

/// Puts the engines beside the cases that ask what they can be asked. `found` of a case is what they must find too.
pub(super) fn stand_beside(
    run: &mut Run<'_>,
    engines: &[Engine],
    (before, after): (&EffectivePolicy, &EffectivePolicy),
    cases: Vec<Case>,
) -> Vec<Case> {
    let lists = json!({ "before": rules(before), "after": rules(after) }).to_string();
    let stand = |case: Case| {
        engines.iter().fold(case, |case, engine| {
            let Some((_, question)) = case.name.split_once('/') else { return case };
            if !engine.questions().contains(&question) {
                return case;
            }
            let expected = case.parameters.get("found").and_then(Value::as_u64);
            let (case, found) = beside(run, case, *engine, question, &lists);
            let told = format!("finds as many as {}", engine.name());
            match expected.zip(found) {
                Some((expected, found)) => case.goal(told, expected == found),
                None => case,
            }
        })
    };
    cases.into_iter().map(stand).collect()
}

/// Puts one engine beside a case, asked one question about `input`; what it finds, if it answers.
pub(super) fn beside(
    run: &mut Run<'_>,
    case: Case,
    engine: Engine,
    question: &str,
    input: &str,
) -> (Case, Option<u64>) {
    (run.tell)(&format!("{}: {}", engine.name(), case.name));
    match ask(engine, question, input) {
        Ok(answer) => {
            let case = case.beside(engine.name(), Some(answer.version), Some(answer.milliseconds));
            (case, Some(answer.found))
        }
        Err(reason) => {
            (run.tell)(&format!("{} is not compared: {reason}", engine.name()));
            (case.beside(engine.name(), None, None), None)
        }
    }
}

fn ask(engine: Engine, question: &str, input: &str) -> Result<Answer, String> {
    let variable = engine.variable();
    let program = env::var(variable)
        .map_err(|_| format!("{variable} does not name it (scripts/bench-analysis.sh installs it)"))?;
    let mut words = program.split_whitespace();
    let mut child = Command::new(words.next().ok_or(format!("{variable} is empty"))?)
        .args(words)
        .arg(question)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let pipe = child.stdin.take().expect("the input is piped");
    // Dropped at once, so that the engine sees its end.
    let written = { pipe }.write_all(input.as_bytes());
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("it gave up ({})", output.status));
    }
    written.map_err(|error| error.to_string())?;
    read(&output.stdout).ok_or_else(|| "its answer cannot be read".to_owned())
}

fn read(answer: &[u8]) -> Option<Answer> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    Some(Answer {
        version: answer["version"].as_str()?.to_owned(),
        milliseconds: answer["milliseconds"].as_f64()?,
        found: answer["found"].as_u64()?,
    })
}

/// The rules of the one list of a policy: fields as texts `FIRST-LAST`, `null` for everything.
fn rules(policy: &EffectivePolicy) -> Vec<Value> {
    policy.layers(Direction::Inbound)[0].rules.iter().map(rule).collect()
}

fn rule(rule: &EffectiveRule) -> Value {
    json!({
        "allows": rule.access == Maybe::Known(Access::Allow),
        "protocol": match rule.protocol {
            Maybe::Known(ProtocolMatch::Any) | Maybe::Unknown => "*",
            Maybe::Known(ProtocolMatch::Icmp) => "Icmp",
            Maybe::Known(protocol) if protocol == ProtocolMatch::TCP => "Tcp",
            Maybe::Known(_) => "Udp",
        },
        "source": addresses(&rule.source),
        "sourcePorts": ports(&rule.source_ports),
        "destination": addresses(&rule.destination),
        "destinationPorts": ports(&rule.destination_ports),
    })
}

fn addresses(addresses: &Addresses) -> Option<Vec<String>> {
    let set = addresses.must();
    let v4 = set.v4().ranges().iter().map(|&(first, last)| {
        format!("{}-{}", std::net::Ipv4Addr::from(first), std::net::Ipv4Addr::from(last))
    });
    let v6 = set.v6().ranges().iter().map(|&(first, last)| {
        format!("{}-{}", std::net::Ipv6Addr::from(first), std::net::Ipv6Addr::from(last))
    });
    (!set.is_full()).then(|| v4.chain(v6).collect())
}

fn ports(ports: &Ports) -> Option<Vec<String>> {
    match ports {
        Ports::Known(set) if !set.is_full() => {
            Some(set.ranges().iter().map(|(first, last)| format!("{first}-{last}")).collect())
        }
        _ => None,
    }
}
