//! What a dry run tells beside the changes: the traffic that would be judged differently, the flows of logs that would break, and
//! what intents say.
//!
//! The server tells what judges the interfaces before and after, as it would tell their hosts, and what becomes of its intents.
//! What that means for traffic is found here, by what `palisade diff` and `palisade whatif` find it with.

use std::{path::PathBuf, sync::Arc};

use palisade_agent::{
    clock::window_s,
    load::{self, Input},
};
use palisade_analysis::{EstateDiff, Limits, diff_estates};
use palisade_client::Client;
use palisade_model::{Estate, ResourceId};
use palisade_sync::{Documents, Entry};
use serde_json::{Value, json};

use super::{Change, Effect};
use crate::{
    commands::{
        diff::Compared,
        log::{self, Log},
        remote::rows::text,
        whatif::{self, Told},
    },
    exit::Failure,
    output,
};

/// Said of flows that are left out because the server does not tell what judges them.
const ELSEWHERE: &str =
    "note: flows at interfaces that the writes do not concern stay as they are, and are left out";

/// What the writes would mean.
#[derive(Debug)]
pub struct Consequences {
    before: Estate,
    after: Estate,
    found: EstateDiff,
    /// Flows at these interfaces, if logs were named.
    log: Option<Log>,
    intents: Vec<Value>,
    refused: Vec<Value>,
    /// Changes whose resources are known only once others are made.
    unknown: Vec<String>,
}

impl Consequences {
    /// Asks the server; nothing if it does not tell this caller, which is said on stderr.
    pub fn of(
        client: &Client,
        groups: &[Value],
        changes: &[Change],
        flows: &[PathBuf],
    ) -> Result<Option<Self>, Failure> {
        let changed = || changes.iter().filter(|change| change.effect != Effect::Nothing);
        let wanted = changed().filter_map(|change| change.wanted.clone());
        let resources: Vec<Value> = groups.iter().cloned().chain(wanted).collect();
        let mut answer = match client.preview(&resources) {
            Ok(answer) => answer,
            // Without a permission for it, or from an older server, the changes alone are told.
            Err(error) if error.refusal().is_some() => {
                eprintln!("note: the server does not tell what this means for traffic: {error}");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let (before, after) = (estate(&answer["before"])?, estate(&answer["after"])?);
        let found = diff_estates(&before, &after, window_s(), Limits::default()).map_err(Failure::input)?;
        let found = concerning(found, &answer["interfaces"]);
        let log = if flows.is_empty() { None } else { Some(log::read(flows, &before)?) };
        let mut list = |key: &str| match answer[key].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        let (intents, refused) = (list("intents"), list("refused"));
        let unknown = changed().filter(|change| change.wanted.is_none()).map(|change| change.id.clone());
        Ok(Some(Self { before, after, found, log, intents, refused, unknown: unknown.collect() }))
    }

    fn compared(&self) -> Compared<'_> {
        Compared { estates: [&self.before, &self.after], found: &self.found }
    }

    /// Lets be told what the writes would do to the flows of logs, if any were named.
    fn weigh<T>(&self, tell: impl FnOnce(&Told<'_>) -> Result<T, Failure>) -> Result<Option<T>, Failure> {
        let estates = (&self.before, Some(&self.after));
        self.log.as_ref().map(|log| whatif::weigh(log, estates, window_s(), tell)).transpose()
    }

    /// Prints everything.
    pub fn print(&self) -> Result<(), Failure> {
        for refused in &self.refused {
            output::line(format!(
                "\nrefused  {}\n  {}",
                text(refused, "/id"),
                text(refused, "/error/message")
            ))?;
        }
        for id in &self.unknown {
            output::line(format!("\nunknown  {id}: it is known only once others are made"))?;
        }
        output::line("")?;
        self.compared().print()?;
        if self.log.is_some() {
            output::line("")?;
            self.weigh(|told| Ok(told.print_changes()?))?;
            output::line(ELSEWHERE)?;
        }
        if self.intents.is_empty() {
            return Ok(());
        }
        let row = |one: &Value| {
            let columns = ["/outcome", "/effect", "/intent", "/interfaces", "/intents"];
            columns.map(|column| text(one, column))
        };
        output::line("")?;
        let rows: Vec<_> = self.intents.iter().map(row).collect();
        output::table(["OUTCOME", "EFFECT", "INTENT", "INTERFACES", "OF"], &rows)?;
        let broken = self.intents.iter().filter(|one| one["error"].is_object());
        let messages = broken.map(|one| text(one, "/error/message"));
        Ok(messages.map(|message| format!("  {message}")).try_for_each(output::line)?)
    }

    /// Puts everything into a document.
    pub fn tell(&self, document: &mut Value) -> Result<(), Failure> {
        document["traffic"] = self.compared().document();
        document["intents"] = json!(self.intents);
        document["refused"] = json!(self.refused);
        document["unknown"] = json!(self.unknown);
        if let Some(flows) = self.weigh(|told| Ok(told.changes()))? {
            document["flows"] = flows;
        }
        Ok(())
    }
}

/// The estate of documents as hosts are sent them.
fn estate(documents: &Value) -> Result<Estate, Failure> {
    let mut all = Documents::default();
    for document in documents.as_array().into_iter().flatten() {
        let key: Arc<str> = document["key"].as_str().unwrap_or_default().into();
        let entry = Entry::new(&key, document["body"].to_string().into());
        all.put(key, entry).map_err(Failure::other_side)?;
    }
    let input = Input::Documents { documents: Arc::new(all), service_tags: Vec::new() };
    Ok(load::read(&input).map_err(Failure::other_side)?.estate)
}

/// Without interfaces that are there only because they are members of groups.
fn concerning(found: EstateDiff, interfaces: &Value) -> EstateDiff {
    let concerned: Vec<ResourceId> =
        interfaces.as_array().into_iter().flatten().filter_map(Value::as_str).map(ResourceId::new).collect();
    let is_ours = |id: &ResourceId| id.segment("networkInterfaces").is_none() || concerned.contains(id);
    let EstateDiff { mut classes, removed, added } = found;
    classes.iter_mut().for_each(|class| class.members.retain(is_ours));
    classes.retain(|class| !class.members.is_empty());
    let ours = |ids: Vec<ResourceId>| ids.into_iter().filter(is_ours).collect();
    EstateDiff { classes, removed: ours(removed), added: ours(added) }
}
