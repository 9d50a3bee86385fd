//! `palisade effective`: the rules that hold at an interface, in the shape of Azure's effectiveNetworkSecurityGroups.

mod document;
mod shares;

use palisade_agent::clock::window_s;
use palisade_control::time::rfc3339;
use palisade_model::{
    AddressField, Addresses, EffectiveLayer, EffectivePolicy, EffectiveRule, Maybe, Mode, Pace, Ports,
    Throttle, spec::OwnList,
};
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
                  that surely belong. Windows, audit, lists of the interface's own (quarantine, lock-outs, timed access) and its throttle, which Azure does not have, are in \"palisade\"; \"explanation\", with --explain, counts \
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
        Format::Table => table(&policy, target.throttle(), shares.as_ref())?,
    }
    Ok(Exit::Clean)
}

fn table(
    policy: &EffectivePolicy,
    throttle: Option<&Throttle>,
    shares: Option<&Shares>,
) -> std::io::Result<()> {
    let mut rows = Vec::new();
    let mut explained = Vec::new();
    for direction in Direction::ALL {
        for (index, layer) in policy.layers(direction).iter().enumerate() {
            for (number, rule) in layer.rules.iter().enumerate() {
                rows.push([
                    direction.to_string(),
                    list_text(layer, rule),
                    text(rule.priority.known().map(palisade_model::Priority::get)),
                    rule.name.clone(),
                    text(rule.protocol.known()),
                    side_text(&rule.source_field, &rule.source, &rule.source_ports),
                    side_text(&rule.destination_field, &rule.destination, &rule.destination_ports),
                    access_text(rule),
                ]);
                let share = shares.map(|shares| shares.rule(direction, index, number));
                explained.extend(share.map(|share| [share.decides(), share.hidden_by.join(", ")]));
            }
        }
    }
    rows.extend(throttle.map(throttle_row));
    let heading = ["DIRECTION", "NSG", "PRIORITY", "RULE", "PROTOCOL", "SOURCE", "DESTINATION", "ACCESS"];
    if shares.is_none() {
        return output::table(heading, &rows);
    }
    let explained = explained.into_iter().chain(std::iter::repeat_with(Default::default));
    let rows: Vec<_> = rows.into_iter().zip(explained).map(|(row, share)| joined(row, share)).collect();
    output::table(joined(heading, ["DECIDES", "HIDDEN BY"]), &rows)
}

fn joined<T>([a, b, c, d, e, f, g, h]: [T; 8], [i, j]: [T; 2]) -> [T; 10] {
    [a, b, c, d, e, f, g, h, i, j]
}

/// Where a rule stands: the NSG, the security admin collection, or which of the interface's own lists.
fn list_text(layer: &EffectiveLayer, rule: &EffectiveRule) -> String {
    match rule.own_list {
        Some(OwnList::Quarantine) => "(quarantine)".to_owned(),
        Some(OwnList::Lockout) => "(lock-outs)".to_owned(),
        Some(OwnList::Door) => "(timed access)".to_owned(),
        None => {
            let name = rule.collection.as_ref().or(layer.name.as_ref());
            name.cloned().unwrap_or_else(|| "(public address)".to_owned())
        }
    }
}

/// What is asked last, of what all lists allow.
fn throttle_row(throttle: &Throttle) -> [String; 8] {
    let Pace { per_second, working_set } = throttle.pace();
    let until = throttle.until().map(|end| format!(" until {}", rfc3339(u64::from(end)))).unwrap_or_default();
    [
        Direction::Outbound.to_string(),
        "(throttle)".to_owned(),
        String::new(),
        throttle.rule(),
        "*".to_owned(),
        "*".to_owned(),
        format!("new ones, beyond the last {working_set}"),
        format!("at most {per_second} a second{until}"),
    ]
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
