//! What intents cost a write: one rule edited in a large estate, with intents and without.

use std::time::Instant;

use palisade_client::Client;
use serde_json::json;

use super::estate::{self, Ids};
use crate::{error::Result, report::Case, stats};

/// The slot of the rule that is edited; other rules have the first ones.
const EDITED: usize = 900;
/// What nobody is to reach from the Internet; no rule of the estate allows it.
const SERVICES: [&str; 4] = ["tcp/3389", "udp/3389", "tcp/5985-5986", "tcp/1433"];

/// Edits rules of NSGs here and there, before there are intents and after; milliseconds that the proof adds.
pub(super) fn measure(owner: &Client, ids: &Ids, nsgs: usize, rounds: usize) -> Result<Case> {
    let before = edits(owner, ids, nsgs, rounds, 0)?;
    let set = format!("{}/providers/Palisade.Network/intents/bench", ids.group());
    let forbidden = json!({ "from": "Internet", "to": "*", "services": SERVICES });
    let intents = json!([{ "name": "management", "forbidden": forbidden }]);
    let begun = Instant::now();
    estate::put(owner, &set, &json!({ "properties": { "intents": intents } }))?;
    let whole = begun.elapsed().as_secs_f64();
    let after = edits(owner, ids, nsgs, rounds, rounds)?;
    owner.delete(&set, palisade_client::Precondition::Always)?;
    let [without, with] = [&before, &after].map(|all| stats::quantile(all, 0.5));
    let round = super::force::round;
    Ok(Case::new("gate/one rule edited", round(with - without), "ms")
        .with("without intents", round(without))
        .with("with, p99", round(stats::quantile(&after, 0.99)))
        .with("all proven at once, s", round(whole))
        .at_most(50.0))
}

/// Milliseconds that each edit takes.
fn edits(owner: &Client, ids: &Ids, nsgs: usize, rounds: usize, from: usize) -> Result<Vec<f64>> {
    let one = |round: usize| {
        let mut rule = estate::rule(EDITED);
        // One that says what is there already would not be written.
        rule["properties"]["destinationPortRange"] = (10_000 + round).to_string().into();
        let begun = Instant::now();
        estate::put(owner, &ids.rule(1 + round * 7 % (nsgs - 1), "edited"), &rule)?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    };
    (from..from + rounds).map(one).collect()
}
