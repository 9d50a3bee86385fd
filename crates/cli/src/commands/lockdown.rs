//! `palisade lockdown`: the outbound deny for the Internet, with the exceptions that a log shows are needed.

use std::path::PathBuf;

use palisade_agent::clock::window_s;
use palisade_analysis::{Lockdown, LockdownOptions, PRIORITY_USUAL, Remaining, Seen, is_priority, lockdown};
use palisade_arm::flow;
use palisade_model::{Estate, ResourceId};
use serde_json::{Value, json};

use super::{
    least::{self, ChoiceArgs, Contents, Flows, Machines, ResultArgs},
    log::{self, Log, Untyped},
    said,
    target::Target,
};
use crate::{
    args::{self, EstateArgs, FormatArgs},
    commands::estate,
    exit::{Exit, Failure},
    output::{self, Format},
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exceptions are service tags before addresses, regional tags before whole ones, and stand right before the \
                  deny rule. Nothing is opened that is denied today; that is proven, and every wanted flow of the log is \
                  asked about. Rules of an earlier run are replaced and keep their numbers.\n\nA log shows what was, not \
                  what will be: --shadow writes rules that are counted and not enforced, to look before they \
                  bite.\n\nExit code 1 means that a wanted flow breaks, 2 that something could not be read or there is no \
                  room."
)]
pub struct Arguments {
    #[command(flatten)]
    estate: EstateArgs,
    /// Flow logs: files or folders
    #[arg(long, value_name = "LOG", required = true, num_args = 1..)]
    flows: Vec<PathBuf>,
    /// NSG to lock down, by name or id; all of them if none is named
    #[arg(long, value_name = "NAME")]
    nsg: Vec<String>,
    /// Priority of the deny rule
    #[arg(long, value_name = "NUMBER", default_value_t = PRIORITY_USUAL)]
    priority: u16,
    /// Regional tags of one service before the whole service is named
    #[arg(long, value_name = "COUNT", default_value_t = 4, help_heading = "Choice")]
    regions: u8,
    /// Except tags only, and no addresses: what is in no tag breaks, and is told
    #[arg(long, help_heading = "Choice")]
    only_tags: bool,
    /// Attempts that were denied when they were logged are not wanted
    #[arg(long, help_heading = "Choice")]
    ignore_denied: bool,
    /// How narrowly exceptions name the machines that they are for
    #[arg(long, value_enum, default_value_t = Machines::Named, help_heading = "Choice")]
    sources: Machines,
    #[command(flatten)]
    choice: ChoiceArgs,
    /// Write out what tags stand for; run again when the tag file changes
    #[arg(long, help_heading = "Result")]
    expand_tags: bool,
    /// Rules that are counted and not enforced (of Palisade only; Azure does not know them)
    #[arg(long, help_heading = "Result")]
    shadow: bool,
    /// Write the new rules alone, and not whole NSGs; rules of an earlier run then have to be deleted by hand
    #[arg(long, help_heading = "Result")]
    rules_only: bool,
    #[command(flatten)]
    result: ResultArgs,
    /// When, for rules with a window: a time in ISO 8601 such as 2026-01-31T08:00Z; by default now
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    at: Option<u32>,
    #[command(flatten)]
    format: FormatArgs,
}

impl Arguments {
    fn options(&self, estate: &Estate) -> Result<LockdownOptions, Failure> {
        if !is_priority(self.priority) {
            let priority = self.priority;
            return Err(Failure::input(format!("priority {priority} is not one of a rule (100 to 4096)")));
        }
        let nsgs = self.nsg.iter().map(|name| nsg(estate, name)).collect::<Result<_, _>>()?;
        Ok(LockdownOptions {
            nsgs,
            priority: self.priority,
            tags: self.choice.tags(),
            regions_max: self.regions,
            forbidden: self.choice.forbidden(),
            only_tags: self.only_tags,
            widest: self.choice.widest(),
            ignore_denied: self.ignore_denied,
            sources: self.sources.into(),
            port_gap: self.choice.port_gap(),
            expand_tags: self.expand_tags,
            shadow: self.shadow,
            now: self.at.unwrap_or_else(window_s),
            ..LockdownOptions::default()
        })
    }
}

fn nsg(estate: &Estate, name: &str) -> Result<ResourceId, Failure> {
    match Target::nsg(estate, name).map_err(|error| Failure::input(error.message))? {
        Target::Nsg(nsg) => Ok(nsg.id().clone()),
        Target::Nic(nic) => Ok(nic.id().clone()),
    }
}

/// Makes the rules and tells of them.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let loaded = estate::load(&arguments.estate)?;
    let options = arguments.options(&loaded.estate)?;
    let log = log::read(&arguments.flows, &loaded.estate)?;
    let seen = Seen::all(&log.observed);
    let found = lockdown(&loaded.spec, loaded.estate.tags(), &seen, &options, &mut least::progress)
        .map_err(Failure::input)?;
    let contents = if arguments.rules_only {
        Contents::Rules(found.groups.iter().map(|group| (&group.nsg, group.rules.as_slice())).collect())
    } else {
        Contents::Groups(found.groups.iter().map(|group| &group.nsg).collect())
    };
    let reading = &arguments.estate.reading;
    let template = least::template("lockdown", &contents, &found.spec, (&log, reading))?;
    let told = Told {
        log: &log,
        found: &found,
        flows: Flows { seen: &seen, fates: &found.fates, left: &found.left },
    };
    match arguments.format.format {
        Format::Json => output::json(&told.document(&template))?,
        Format::Table => told.print()?,
    }
    if let Some(path) = &arguments.result.output {
        least::save(path, &template)?;
    }
    Ok(if told.is_sound() { Exit::Clean } else { Exit::Found })
}

/// What is printed.
struct Told<'a> {
    log: &'a Log,
    found: &'a Lockdown,
    flows: Flows<'a>,
}

impl Told<'_> {
    fn is_sound(&self) -> bool {
        !self.flows.is_something_broken()
            && self.found.proof.holds
            && self.found.shadow_is_silent != Some(false)
    }

    fn document(&self, template: &Value) -> Value {
        let groups = self.found.groups.iter().map(|group| {
            json!({
                "nsg": group.nsg.to_string(),
                "rules": least::rules(&group.rules),
                "dropped": group.dropped,
                "keptTags": group.kept_tags.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "silent": group.silent.iter().map(ResourceId::name).collect::<Vec<_>>(),
            })
        });
        let remaining = self.found.remaining.iter().map(|one| {
            json!({
                "places": one.places.iter().map(ResourceId::name).collect::<Vec<_>>(),
                "rule": one.rule,
                "nsg": one.nsg,
                "access": if one.is_unknown { "Unknown" } else { "Allow" },
                "volume": one.volume.total().to_string(),
                "witness": flow::document(&one.example),
            })
        });
        let mut proof = least::proof(&self.found.proof);
        proof["shadowChangesNothing"] = json!(self.found.shadow_is_silent);
        json!({
            "log": self.log.document(),
            "groups": groups.collect::<Vec<_>>(),
            "flows": least::document(&self.flows),
            "opened": least::opened(&self.found.opened),
            "remaining": remaining.collect::<Vec<_>>(),
            "proof": proof,
            "caveats": self.caveats(),
            "template": template,
        })
    }

    fn print(&self) -> Result<(), Failure> {
        output::line(self.log.sentence())?;
        let rows = self.found.groups.iter().flat_map(|group| least::rule_rows(&group.nsg, &group.rules));
        let heading = ["NSG", "PRIORITY", "RULE", "ACCESS", "PROTOCOL", "FROM", "TO"];
        output::table(heading, &rows.collect::<Vec<_>>())?;
        output::line("")?;
        least::print_flows(&self.flows)?;
        least::print_opened(&self.found.opened)?;
        self.found.remaining.iter().map(remaining).try_for_each(output::line)?;
        let proof = &self.found.proof;
        let opens = if proof.holds {
            "nothing is opened that is denied today"
        } else {
            "SOMETHING IS OPENED that is denied today: see palisade diff"
        };
        output::line(format!("proof  {opens}; {} first packets are closed", proof.closed.total()))?;
        if let Some(silent) = self.found.shadow_is_silent {
            let said = if silent {
                "as written, the rules change no verdict"
            } else {
                "AS WRITTEN, THE RULES CHANGE VERDICTS"
            };
            output::line(format!("shadow  {said}"))?;
        }
        self.caveats().into_iter().try_for_each(|caveat| output::line(format!("note: {caveat}")))?;
        Ok(())
    }

    fn caveats(&self) -> Vec<String> {
        let mut caveats = self.log.caveats(Untyped::EchoRequest);
        for group in &self.found.groups {
            let nsg = group.nsg.name();
            if !group.dropped.is_empty() {
                caveats.push(format!("{nsg}: not needed any more: {}", group.dropped.join(", ")));
            }
            if !group.kept_tags.is_empty() {
                let tags: Vec<String> = group.kept_tags.iter().map(ToString::to_string).collect();
                caveats.push(format!(
                    "{nsg}: too many prefixes to be written out, so they stay tags: {}",
                    tags.join(", ")
                ));
            }
            if !group.silent.is_empty() {
                let names: Vec<&str> = group.silent.iter().map(ResourceId::name).collect();
                caveats.push(format!("{nsg}: the log shows no wanted flow of {}", names.join(", ")));
            }
        }
        caveats.push("a log shows what was: a job that runs once a quarter may not be in it".to_owned());
        caveats
    }
}

/// What other rules leave open, in words.
fn remaining(one: &Remaining) -> String {
    let places: Vec<&str> = one.places.iter().map(ResourceId::name).collect();
    let by = match (&one.rule, &one.nsg) {
        (Some(rule), Some(nsg)) => format!("{rule} of {nsg}"),
        (Some(rule), None) => rule.clone(),
        _ if one.is_unknown => "what the estate does not tell".to_owned(),
        _ => "the platform, or no rule at all".to_owned(),
    };
    format!("still open  {}: {by}, such as {}", places.join(", "), said::flow(&one.example))
}
