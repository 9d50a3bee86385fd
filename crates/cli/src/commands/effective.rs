//! `palisade effective`: the rules that hold at an interface, in the shape of Azure's effectiveNetworkSecurityGroups.

mod document;
mod shares;

use palisade_agent::clock::window_s;
use palisade_control::time::rfc3339;
use palisade_model::{AddressField, Addresses, EffectivePolicy, EffectiveRule, Maybe, Mode, Ports};
use palisade_net::Direction;

use self::shares::Shares;
use super::target::{Target, TargetArgs};
use crate::{
    args::{self, EstateArgs, FormatArgs},
    commands::estate,
    exit::Exit,
    exit::Failure,
    output,
    output::Format,
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "JSON has the shape of Azure's effectiveNetworkSecurityGroups. What may not exist or is not fully known has \
                  \"unknown\", \"sourceAddressUnknown\" or \"destinationAddressUnknown\": true; expanded prefixes are those \
                  that surely belong. Windows and audit, which Azure does not have, are in \"palisade\"; \"explanation\", with --explain, counts \
                  the first packets that a rule matches and decides."
)]
pub struct Arguments {
    #[command(flatten)]
    estate: EstateArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// Say of each rule how much of what it matches it decides, and which rules before it take the rest
    #[arg(long)]
    explain: bool,
    /// With --explain: when, for rules with a window: a time in ISO 8601 such as 2026-01-31T08:00Z; by default now
    #[arg(long, value_name = "TIME", value_parser = args::time, requires = "explain")]
    at: Option<u32>,
    #[command(flatten)]
    format: FormatArgs,
}

/// Prints the effective rules of one interface or NSG.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let loaded = estate::load(&arguments.estate)?;
    let target = Target::named(&loaded.estate, &arguments.target)?;
    let policy = target.effective(&loaded.estate, &arguments.target);
    let now = arguments.at.unwrap_or_else(window_s);
    let shares = arguments.explain.then(|| Shares::of(&policy, now)).transpose().map_err(Failure::input)?;
    match arguments.format.format {
        Format::Json => output::json(&document::document(&policy, target, shares.as_ref()))?,
        Format::Table => table(&policy, shares.as_ref())?,
    }
    Ok(Exit::Clean)
}

fn table(policy: &EffectivePolicy, shares: Option<&Shares>) -> std::io::Result<()> {
    let mut rows = Vec::new();
    let mut explained = Vec::new();
    for direction in Direction::ALL {
        for (index, layer) in policy.layers(direction).iter().enumerate() {
            let list = layer.name.clone().unwrap_or_else(|| "(public address)".to_owned());
            for (number, rule) in layer.rules.iter().enumerate() {
                let row = [
                    direction.to_string(),
                    list.clone(),
                    text(rule.priority.known().map(palisade_model::Priority::get)),
                    rule.name.clone(),
                    text(rule.protocol.known()),
                    side_text(&rule.source_field, &rule.source, &rule.source_ports),
                    side_text(&rule.destination_field, &rule.destination, &rule.destination_ports),
                    access_text(rule),
                ];
                if let Some(shares) = shares {
                    let share = shares.rule(direction, index, number);
                    let [a, b, c, d, e, f, g, h] = row;
                    explained.push([a, b, c, d, e, f, g, h, share.decides(), share.hidden_by.join(", ")]);
                } else {
                    rows.push(row);
                }
            }
        }
    }
    let heading = ["DIRECTION", "NSG", "PRIORITY", "RULE", "PROTOCOL", "SOURCE", "DESTINATION", "ACCESS"];
    match shares {
        None => output::table(heading, &rows),
        Some(_) => {
            let [a, b, c, d, e, f, g, h] = heading;
            output::table([a, b, c, d, e, f, g, h, "DECIDES", "HIDDEN BY"], &explained)
        }
    }
}

/// What the rule does, when, and whether it is only counted.
fn access_text(rule: &EffectiveRule) -> String {
    let access = match rule.access {
        Maybe::Known(access) => access.to_string(),
        Maybe::Unknown => "?".to_owned(),
    };
    let time = |word: &str, second: u32| format!(" {word} {}", rfc3339(u64::from(second)));
    let from = rule.window.not_before().map(|second| time("from", second)).unwrap_or_default();
    let until = rule.window.expires_at().map(|second| time("until", second)).unwrap_or_default();
    let audited = if rule.mode == Mode::Audit { " (audit)" } else { "" };
    format!("{access}{from}{until}{audited}")
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| value.to_string())
}

/// A side in few words: what was written, how many prefixes it stands for, and the ports.
fn side_text(field: &AddressField, addresses: &Addresses, ports: &Ports) -> String {
    let mut words = match field {
        AddressField::Any => "*".to_owned(),
        AddressField::Unknown(reason) => format!("? ({reason})"),
        AddressField::Groups(groups) => {
            groups.iter().map(palisade_model::ResourceId::name).collect::<Vec<_>>().join(",")
        }
        other => document::written_prefixes(other).join(","),
    };
    if matches!(field, AddressField::Tag(_) | AddressField::Groups(_) | AddressField::Mixed(..)) {
        let count = addresses.must().prefixes().len();
        let more = if addresses.is_certain() { "" } else { "+?" };
        words.push_str(&format!(" [{count}{more}]"));
    }
    match ports {
        Ports::Known(set) if set.is_full() => words,
        Ports::Known(set) => {
            let ranges = set.ranges().iter().map(|&(first, last)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            });
            format!("{words}:{}", ranges.collect::<Vec<_>>().join(","))
        }
        Ports::Unknown => format!("{words}:?"),
    }
}
