//! Every answer about the lists of two estates, as JSON, so that another program can judge them.
//!
//! `answers TAGS BEFORE AFTER`: a file of service tags and two templates with the same interfaces. It claims and does not
//! explain: rules are named by path, packets are told as numbers. Used by `tests/judges/solver.py`.

use std::{env, fs, process::ExitCode};

use palisade_analysis::{Contrast, Fate, Hidden, Limits, Need, RuleList, Side, diff};
use palisade_arm::{
    estate::{Document, Options, read},
    service_tags,
};
use palisade_classify::Hit;
use palisade_model::{EffectivePolicy, Estate, Severity, TagCatalog};
use palisade_net::{Direction, Flow};
use serde_json::{Value, json};

/// Nothing of the estates depends on the time.
const NOW: u32 = 1_800_000_000;

fn main() -> ExitCode {
    let paths: Vec<String> = env::args().skip(1).collect();
    let [tags, before, after] = paths.as_slice() else {
        eprintln!("usage: answers TAGS BEFORE AFTER");
        return ExitCode::from(2);
    };
    match answers(tags, before, after) {
        Ok(answers) => {
            println!("{answers}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("answers: {error}");
            ExitCode::from(2)
        }
    }
}

fn answers(tags: &str, before: &str, after: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let (before, after) = (estate(before, tags)?, estate(after, tags)?);
    let mut found = Vec::new();
    for nic in before.nics() {
        let other = after
            .nics()
            .find(|other| other.id() == nic.id())
            .ok_or("the estates have the same interfaces")?;
        let policies = [before.effective(nic), after.effective(other)];
        let lists = policies.iter().map(lists).collect::<Result<Vec<_>, _>>()?;
        found.push(json!({
            "nic": nic.name(),
            "before": lists[0],
            "after": lists[1],
            "changes": changes(&policies)?,
        }));
    }
    Ok(json!(found))
}

fn estate(path: &str, tags: &str) -> Result<Estate, Box<dyn std::error::Error>> {
    let file = service_tags::read(&fs::read_to_string(tags)?).map_err(|error| format!("{tags}: {error}"))?;
    let named = file.tags.into_iter().map(|tag| Ok((tag.name.parse()?, tag.prefixes)));
    let tags = TagCatalog::new(named.collect::<Result<Vec<_>, Box<dyn std::error::Error>>>()?);
    let result = read(&[Document::new(path, fs::read_to_string(path)?)], &Options::default());
    let (estate, problems) = Estate::validate(&result.spec, tags);
    let first = || problems.iter().find(|problem| problem.severity == Severity::Error);
    Ok(estate.ok_or_else(|| format!("{path}: {:?}", first()))?)
}

/// What becomes of each rule of each list.
fn lists(policy: &EffectivePolicy) -> Result<Vec<Value>, palisade_analysis::AnalysisError> {
    let mut found = Vec::new();
    for direction in Direction::ALL {
        for (index, layer) in policy.layers(direction).iter().enumerate() {
            let list = RuleList::new(policy, direction, index, NOW, Limits::default());
            let shares = list.shares()?;
            let mut rules = Vec::new();
            for (number, rule) in list.rules().iter().enumerate() {
                let decided = shares.rules[number].decided;
                rules.push(json!({
                    "path": rule.path,
                    "fate": fate(&list, &list.fate(number)?),
                    "need": need(&list.need(number)?),
                    "decided": [decided.v4.least.to_string(), decided.v6.least.to_string()],
                }));
            }
            found.push(json!({ "direction": direction.to_string(), "nsg": layer.name, "rules": rules }));
        }
    }
    Ok(found)
}

fn fate(list: &RuleList<'_>, fate: &Fate) -> Value {
    match fate {
        Fate::NotAsked => json!({ "is": "not asked" }),
        Fate::Empty => json!({ "is": "empty" }),
        Fate::Perhaps => json!({ "is": "perhaps" }),
        Fate::Decides(example) => json!({ "is": "decides", "witness": flow(example) }),
        Fate::Never(Hidden { covers, by, contrast }) => {
            let path = |rule: &Option<usize>| rule.map(|rule| list.rules()[rule].path.clone());
            let covers = covers.iter().map(|cover| json!([path(&cover.rule), flow(&cover.example)]));
            json!({
                "is": "never",
                "by": by.iter().map(path).collect::<Vec<_>>(),
                "covers": covers.collect::<Vec<_>>(),
                "contrast": match contrast {
                    Contrast::Same => "same",
                    Contrast::Other => "other",
                    Contrast::Mixed => "mixed",
                    Contrast::Unknown => "unknown",
                },
            })
        }
    }
}

fn need(need: &Need) -> Value {
    match need {
        Need::Redundant => json!({ "is": "redundant" }),
        Need::Perhaps => json!({ "is": "perhaps" }),
        Need::Needed(example) => json!({ "is": "needed", "witness": flow(&example.flow) }),
    }
}

/// Every pair of deciders whose verdicts differ.
fn changes(policies: &[EffectivePolicy; 2]) -> Result<Vec<Value>, palisade_analysis::AnalysisError> {
    let [before, after] = policies;
    let mut found = Vec::new();
    for direction in Direction::ALL {
        for change in diff(before, after, direction, NOW, &[], Limits::default())?.changes {
            found.push(json!({
                "direction": direction.to_string(),
                "before": side(before, direction, change.before),
                "after": side(after, direction, change.after),
                "witness": flow(&change.example),
                "volume": [change.volume.v4.to_string(), change.volume.v6.to_string()],
            }));
        }
    }
    Ok(found)
}

/// Verdict, list and rule; no rule stands for the platform's exemption.
fn side(policy: &EffectivePolicy, direction: Direction, side: Side) -> Value {
    let layers = policy.layers(direction);
    let (layer, rule) = match side.hit {
        Hit::Nothing => (None, None),
        Hit::Exempt { layer } => (Some(&layers[layer]), None),
        Hit::Rule { layer, rule } => (Some(&layers[layer]), Some(&layers[layer].rules[rule].path)),
    };
    json!([side.verdict.to_string(), layer.map(|layer| &layer.name), rule])
}

fn flow(flow: &Flow) -> Value {
    json!([
        flow.protocol().0,
        flow.source().to_string(),
        flow.source_port(),
        flow.destination().to_string(),
        flow.destination_port(),
    ])
}
