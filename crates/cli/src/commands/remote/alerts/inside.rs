//! What a machine's own event logs tell, in between what the server tells of it.

use std::path::PathBuf;

use palisade_flowlog::Happening;
use serde_json::Value;

use crate::{commands::guest::timeline, exit::Failure};

/// Adds what happened in the machine in the span that the server has answered for. Times of both are alike written, so that text sorts as time does.
pub fn join(told: &mut Value, logs: &[PathBuf]) -> Result<(), Failure> {
    if logs.is_empty() {
        return Ok(());
    }
    let happenings = timeline::happenings(logs)?;
    let (since, until) = (time(&told["since"]), time(&told["until"]));
    let items = happenings.iter().map(item).filter(|item| (since..until).contains(&time(&item["time"])));
    let items: Vec<Value> = items.collect();
    if let Some(all) = told["value"].as_array_mut() {
        all.extend(items);
        all.sort_by(|one, other| time(&one["time"]).cmp(time(&other["time"])));
    }
    Ok(())
}

fn time(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A happening as the server would tell it.
fn item(happening: &Happening) -> Value {
    let mut item = timeline::line(happening);
    let of = |name: &str, text: Option<&str>| text.map(|text| format!(" {name} {text}")).unwrap_or_default();
    let source = happening.source.map(|source| source.to_string());
    let summary = format!(
        "{}{}{}{}",
        happening.what,
        of("of", happening.account.as_deref()),
        of("by", happening.by.as_deref()),
        of("from", source.as_deref()),
    );
    let plain = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    item["happening"] = item["what"].take();
    item["what"] = "inside".into();
    item["summary"] = summary.chars().map(plain).collect::<String>().into();
    item
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_happened_inside_stands_in_its_place() {
        let happening = Happening {
            time_ms: 1_700_000_000_500,
            machine: "web".into(),
            event: 4_625,
            what: "logon-failed",
            account: Some("ann\u{1b}".into()),
            by: None,
            source: Some([192, 0, 2, 7].into()),
            more: None,
        };
        let item = item(&happening);
        assert_eq!(item["time"], "2023-11-14T22:13:20.500Z");
        assert_eq!(item["what"], "inside");
        assert_eq!(item["happening"], "logon-failed");
        assert_eq!(item["summary"], "logon-failed of ann\u{fffd} from 192.0.2.7");
        let mut told = json!({ "since": "a", "until": "b", "value": [] });
        let before = told.clone();
        join(&mut told, &[]).unwrap_or_else(|_| panic!("there is nothing to read"));
        assert_eq!(told, before);
    }
}
