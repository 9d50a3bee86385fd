//! Documented answers as text, and the answers that Palisade decided where Azure documents none.
//!
//! Each `.txt` file beside this one describes estates line by line and says what happens to flows in them; `reader.rs`
//! tells the words. Both the oracle and the compiled engine must answer every line; all wrong lines are shown at once.

mod reader;

use std::{fmt::Write, fs, path::Path};

use palisade_classify::{Decision, Engine, Reason, Verdict, oracle};
use palisade_model::{EffectivePolicy, Estate};
use palisade_net::Flow;

use reader::{Question, Section};

/// The answer as the files write it: verdict, NSG, rule and layer; or verdict and reason if no rule decided.
fn shown(decision: Decision, policy: &EffectivePolicy, flow: &Flow) -> String {
    if decision.verdict == Verdict::Unknown {
        return "Unknown".to_owned();
    }
    let explanation = decision.explain(policy, flow.direction());
    match (explanation.nsg, explanation.rule, explanation.layer) {
        (Some(nsg), Some(rule), Some(layer)) => format!("{} {nsg} {} {layer}", decision.verdict, rule.path),
        _ => {
            let of_no_rule = [
                Reason::NoSecurityGroup,
                Reason::PlatformExempt,
                Reason::LinkControl,
                Reason::PublicAddressClosed,
            ];
            assert!(of_no_rule.contains(&decision.reason), "{decision:?}");
            format!("{} {}", decision.verdict, decision.reason)
        }
    }
}

/// Appends the wrong lines of a section; answers how many lines it asked.
fn check(file: &str, section: &Section, wrong: &mut String) -> usize {
    let (estate, problems) = Estate::validate(&section.spec, section.tags());
    let estate =
        estate.unwrap_or_else(|| panic!("{file}: estate {} is refused: {problems:#?}", section.name));
    for Question { line, text, nic, flow, expected } in &section.questions {
        let nics = estate.nics_named(nic);
        let [nic] = nics.as_slice() else { panic!("{file}:{line}: no interface {nic}") };
        let policy = estate.effective(nic);
        let answer = shown(oracle::decide(&policy, flow, 0), &policy, flow);
        if answer != *expected {
            let _ =
                writeln!(wrong, "{file}:{line} ({}): {text}\n    but the answer is: {answer}", section.name);
        }
        let engine = Engine::new(policy).expect("the estates of the files are small");
        let compiled = shown(engine.decide(flow, 0), engine.policy(), flow);
        assert_eq!(compiled, answer, "{file}:{line}: the engine differs from the oracle");
    }
    section.questions.len()
}

#[test]
fn every_line_is_answered_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder of this file can be read")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    let (mut wrong, mut asked) = (String::new(), 0);
    for path in &files {
        let file = path.file_name().expect("a file has a name").to_string_lossy();
        let text = fs::read_to_string(path).expect("a vector file can be read");
        for section in reader::read(&file, &text) {
            asked += check(&file, &section, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "wrong answers:\n{wrong}");
    assert!(files.len() >= 9 && asked >= 150, "{} files with {asked} lines", files.len());
}
