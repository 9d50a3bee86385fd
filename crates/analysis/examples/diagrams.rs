//! What OxiDD's decision diagrams take for the questions that the analysis is measured by.
//!
//! `diagrams volumes|dead|redundant|diff`: two rule lists come as JSON on standard input, in the form of `palisade bench analysis`; the answer is
//! `{"version","milliseconds","found"}`. Reading is not counted, building the diagrams is.

#[path = "../tests/analysis/diagrams.rs"]
mod diagrams;

use std::{collections::BTreeSet, env, io, net::IpAddr, process::ExitCode, str::FromStr, time::Instant};

use oxidd::BooleanFunction;
use palisade_classify::generate::{self, Shape};
use palisade_model::{Access, Addresses, EffectiveRule, Maybe, Ports};
use palisade_net::{AddressSet, Family, PortSet, ProtocolMatch};
use serde_json::{Value, json};

use diagrams::{Diagrams, Set, Walked, and, not};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let question = env::args().nth(1).unwrap_or_default();
    match answer(&question) {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("diagrams: {error}");
            ExitCode::from(2)
        }
    }
}

fn answer(question: &str) -> Result<Value> {
    let lists: Value = serde_json::from_reader(io::stdin().lock())?;
    let [before, after] = ["before", "after"].map(|name| rules(&lists[name]));
    let (before, after) = (before?, after?);
    let engines = Family::ALL.map(Diagrams::new);
    let begun = Instant::now();
    let walk = |rules: &[EffectiveRule]| engines.each_ref().map(|engine| Walked::of(engine, rules));
    let walked = walk(&before);
    let in_both = |[v4, v6]: [Vec<usize>; 2]| v4.into_iter().filter(move |rule| v6.contains(rule));
    let found = match question {
        "volumes" => {
            let count = |family: usize, rule: usize| engines[family].volume(&walked[family].decided[rule]);
            (0..before.len())
                .filter(|rule| [count(0, *rule), count(1, *rule)].iter().any(|volume| volume != "0"))
                .count()
        }
        "dead" => {
            let idle = in_both(walked.each_ref().map(Walked::idle));
            idle.filter(|rule| walked.iter().any(|walked| walked.is_matched(*rule))).count()
        }
        "redundant" => {
            let ask = |family: usize| walked[family].redundant(&engines[family], &before);
            in_both([ask(0), ask(1)]).count()
        }
        "diff" => pairs(&walked, &walk(&after)),
        _ => return Err(format!("{question:?} is no question (ask volumes, dead, redundant or diff)").into()),
    };
    let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
    Ok(json!({ "version": "0.13", "milliseconds": milliseconds, "found": found }))
}

/// How many pairs of rules there are between which a packet moves from one verdict to the other.
fn pairs(before: &[Walked; 2], after: &[Walked; 2]) -> usize {
    let mut found = BTreeSet::new();
    for (before, after) in before.iter().zip(after) {
        let closed = and(&before.allowed, &not(&after.allowed));
        let opened = and(&after.allowed, &not(&before.allowed));
        for differs in [closed, opened] {
            let news = parts(after, &differs);
            for (old, set) in parts(before, &differs) {
                let moved = news.iter().filter(|(_, new)| and(&set, new).satisfiable());
                found.extend(moved.map(|(new, _)| (old, *new)));
            }
        }
    }
    found.len()
}

/// The rules that decide some of these packets, and which.
fn parts(walked: &Walked, of: &Set) -> Vec<(usize, Set)> {
    let parts = walked.decided.iter().map(|decided| and(decided, of)).enumerate();
    parts.filter(|(_, part)| part.satisfiable()).collect()
}

fn rules(listed: &Value) -> Result<Vec<EffectiveRule>> {
    // A rule has more fields than are told; what they are does not matter here.
    let some = generate::layer(&generate::policy(&Shape::nsg(1), 0)).rules.remove(0);
    let listed = listed.as_array().ok_or("a list of rules is missing")?;
    listed.iter().map(|told| rule(told, &some)).collect()
}

fn rule(told: &Value, some: &EffectiveRule) -> Result<EffectiveRule> {
    let access = if told["allows"] == json!(true) { Access::Allow } else { Access::Deny };
    let protocol = match told["protocol"].as_str() {
        Some("Tcp") => ProtocolMatch::TCP,
        Some("Udp") => ProtocolMatch::UDP,
        Some("Icmp") => ProtocolMatch::Icmp,
        _ => ProtocolMatch::Any,
    };
    Ok(EffectiveRule {
        access: Maybe::Known(access),
        protocol: Maybe::Known(protocol),
        source: Addresses::exactly(addresses(&told["source"])?),
        source_ports: Ports::Known(ports(&told["sourcePorts"])?),
        destination: Addresses::exactly(addresses(&told["destination"])?),
        destination_ports: Ports::Known(ports(&told["destinationPorts"])?),
        ..some.clone()
    })
}

fn addresses(told: &Value) -> Result<AddressSet> {
    let (mut v4, mut v6) = (Vec::<(u32, u32)>::new(), Vec::<(u128, u128)>::new());
    let Some(told) = told.as_array() else { return Ok(AddressSet::full()) };
    for text in told {
        match ends::<IpAddr>(text)? {
            (IpAddr::V4(first), IpAddr::V4(last)) => v4.push((first.into(), last.into())),
            (IpAddr::V6(first), IpAddr::V6(last)) => v6.push((first.into(), last.into())),
            _ => return Err(format!("{text} has addresses of two families").into()),
        }
    }
    Ok(AddressSet::from_ranges(v4.into_iter().collect(), v6.into_iter().collect()))
}

fn ports(told: &Value) -> Result<PortSet> {
    let Some(told) = told.as_array() else { return Ok(PortSet::full()) };
    Ok(told.iter().map(ends).collect::<Result<Vec<_>>>()?.into_iter().collect())
}

/// Both ends of `FIRST-LAST`.
fn ends<T: FromStr<Err: std::error::Error + 'static>>(told: &Value) -> Result<(T, T)> {
    let ends = told.as_str().and_then(|text| text.split_once('-')).ok_or("a range is FIRST-LAST")?;
    Ok((ends.0.parse()?, ends.1.parse()?))
}
