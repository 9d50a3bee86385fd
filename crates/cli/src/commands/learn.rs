//! `palisade learn`: the least rules of an NSG that the flows of a log need.

use std::path::PathBuf;

use palisade_agent::clock::window_s;
use palisade_analysis::{LearnOptions, Learned, Seen, learn};
use palisade_model::{Estate, ResourceId, spec::Given};
use serde_json::{Value, json};

use super::{
    least::{self, ChoiceArgs, Contents, Flows, Machines, ResultArgs},
    log::{self, Log, Untyped},
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
    after_help = "All rules of the NSG give way to rules that the log shows are used, in both directions, and to two that deny \
                  the rest. That every allowed flow of the log stays allowed and nothing new is, is proven.\n\nA log shows \
                  what was, not what will be. Exit code 1 means that a flow breaks, since its peer is forbidden; 2 that \
                  something could not be read."
)]
pub struct Arguments {
    #[command(flatten)]
    estate: EstateArgs,
    /// Flow logs: files or folders
    #[arg(long, value_name = "LOG", required = true, num_args = 1..)]
    flows: Vec<PathBuf>,
    #[command(flatten)]
    target: TargetArgs,
    /// How narrowly rules name the machines that they are for
    #[arg(long, value_enum, default_value_t = Machines::Exact, help_heading = "Choice")]
    sources: Machines,
    #[command(flatten)]
    choice: ChoiceArgs,
    #[command(flatten)]
    result: ResultArgs,
    /// When, for rules with a window: a time in ISO 8601 such as 2026-01-31T08:00Z; by default now
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    at: Option<u32>,
    #[command(flatten)]
    format: FormatArgs,
}

/// Whose rules are learned.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
#[command(next_help_heading = "Target")]
struct TargetArgs {
    /// The NSG, by name or id
    #[arg(long, value_name = "NAME")]
    nsg: Option<String>,
    /// The NSG of this interface
    #[arg(long, value_name = "NAME")]
    nic: Option<String>,
    /// The NSG of this subnet: SUBNET, NETWORK/SUBNET or an id
    #[arg(long, value_name = "NAME")]
    subnet: Option<String>,
}

impl TargetArgs {
    /// The NSG that is meant.
    fn find(&self, estate: &Estate) -> Result<ResourceId, Failure> {
        let failed = |error: super::target::TargetError| Failure::input(error.message);
        if let Some(name) = &self.subnet {
            return of_subnet(estate, name);
        }
        let found = match (&self.nsg, &self.nic) {
            (Some(name), _) => Target::nsg(estate, name).map_err(failed)?,
            (_, name) => Target::nic(estate, name.as_deref().unwrap_or_default()).map_err(failed)?,
        };
        match found {
            Target::Nsg(nsg) => Ok(nsg.id().clone()),
            Target::Nic(nic) => attached(nic.nsg(), nic.name()),
        }
    }
}

fn of_subnet(estate: &Estate, name: &str) -> Result<ResourceId, Failure> {
    let all = estate.virtual_networks().flat_map(|network| {
        network.subnets().iter().map(move |subnet| (format!("{}/{}", network.name(), subnet.name()), subnet))
    });
    let is_named = |full: &str, id: &ResourceId| {
        [full, id.name(), id.as_str()].iter().any(|known| known.eq_ignore_ascii_case(name))
    };
    let found: Vec<_> = all.filter(|(full, subnet)| is_named(full, subnet.id())).collect();
    match found.as_slice() {
        [(full, subnet)] => attached(subnet.nsg(), full),
        [] => Err(Failure::input(format!("there is no subnet \"{name}\""))),
        _ => Err(Failure::input(format!("several subnets are named \"{name}\" (write NETWORK/SUBNET)"))),
    }
}

fn attached(nsg: Option<&Given<ResourceId>>, name: &str) -> Result<ResourceId, Failure> {
    match nsg {
        Some(Given::Known(nsg)) => Ok(nsg.clone()),
        Some(Given::Unknown(reason)) => {
            Err(Failure::input(format!("the NSG of {name} is not known: {reason}")))
        }
        None => Err(Failure::input(format!("{name} has no NSG (attach one, or name an NSG with --nsg)"))),
    }
}

/// Makes the rules and tells of them.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let loaded = estate::load(&arguments.estate)?;
    let nsg = arguments.target.find(&loaded.estate)?;
    let options = LearnOptions {
        tags: arguments.choice.tags(),
        forbidden: arguments.choice.forbidden(),
        widest: arguments.choice.widest(),
        sources: arguments.sources.into(),
        port_gap: arguments.choice.port_gap(),
        now: arguments.at.unwrap_or_else(window_s),
        ..LearnOptions::default()
    };
    let log = log::read(&arguments.flows, &loaded.estate)?;
    let seen = Seen::all(&log.observed);
    let found = learn(&loaded.spec, loaded.estate.tags(), &nsg, &seen, &options, &mut least::progress)
        .map_err(Failure::input)?;
    let contents = Contents::Groups(vec![&nsg]);
    let template = least::template("learn", &contents, &found.spec, (&log, &arguments.estate.reading))?;
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
    Ok(if told.flows.is_something_broken() || !found.proof.holds { Exit::Found } else { Exit::Clean })
}

/// What is printed.
struct Told<'a> {
    log: &'a Log,
    found: &'a Learned,
    flows: Flows<'a>,
}

impl Told<'_> {
    fn document(&self, template: &Value) -> Value {
        let Learned { nsg, rules, replaced, silent, opened, proof, .. } = self.found;
        json!({
            "log": self.log.document(),
            "nsg": nsg.to_string(),
            "rules": least::rules(rules),
            "replaced": replaced,
            "silent": silent.iter().map(ResourceId::name).collect::<Vec<_>>(),
            "flows": least::document(&self.flows),
            "opened": least::opened(opened),
            "proof": least::proof(proof),
            "caveats": self.caveats(),
            "template": template,
        })
    }

    fn print(&self) -> Result<(), Failure> {
        let Learned { nsg, rules, replaced, opened, proof, .. } = self.found;
        output::line(self.log.sentence())?;
        let heading = ["NSG", "PRIORITY", "RULE", "ACCESS", "PROTOCOL", "FROM", "TO"];
        output::table(heading, &least::rule_rows(nsg, rules))?;
        output::line("")?;
        output::line(format!("replaces  {} rules", replaced.len()))?;
        least::print_flows(&self.flows)?;
        least::print_opened(opened)?;
        let opens = if proof.holds {
            "nothing is allowed that was not"
        } else {
            "SOMETHING IS ALLOWED that was not: see palisade diff"
        };
        let (closed, before) = (proof.closed.total(), proof.allowed_before.total());
        output::line(format!("proof  {opens}; {closed} of {before} first packets are closed"))?;
        self.caveats().into_iter().try_for_each(|caveat| output::line(format!("note: {caveat}")))?;
        Ok(())
    }

    fn caveats(&self) -> Vec<String> {
        let mut caveats = self.log.caveats(Untyped::EchoRequest);
        if !self.found.silent.is_empty() {
            let names: Vec<&str> = self.found.silent.iter().map(ResourceId::name).collect();
            caveats.push(format!(
                "the log shows no allowed flow of {}: the rules leave them none",
                names.join(", ")
            ));
        }
        caveats.push("a log shows what was: a job that runs once a quarter may not be in it".to_owned());
        caveats
    }
}
