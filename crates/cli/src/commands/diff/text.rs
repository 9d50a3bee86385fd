//! Differences as text for people: a paragraph each.

use std::io;

use palisade_analysis::{Change, Class, Names, PerFamily, Terms, Volume, Words};
use palisade_net::Direction;

use super::{Compared, members, said};
use crate::{commands::said, output};

/// Terms of a set that are printed before the rest is only counted.
const TERMS_SHOWN: usize = 6;
/// Members of a class that are printed before the rest is only counted.
const MEMBERS_SHOWN: usize = 6;

/// Prints all that differs.
pub(super) fn print(compared: &Compared<'_>) -> io::Result<()> {
    for (what, ids) in [("only before", &compared.found.removed), ("only after", &compared.found.added)] {
        ids.iter().try_for_each(|id| output::line(format!("{what}: {id}")))?;
    }
    for (class, direction, change, names) in compared.changes() {
        paragraph(class, direction, change, &names).into_iter().try_for_each(output::line)?;
    }
    for (class, direction) in compared.open() {
        let places = few(&members(class), MEMBERS_SHOWN);
        output::line(format!("{places}  {direction}: some traffic is unknown before and after"))?;
    }
    if compared.found.is_identical() {
        output::line("no traffic is judged differently")?;
    }
    Ok(())
}

fn paragraph(class: &Class, direction: Direction, change: &Change, names: &Names) -> Vec<String> {
    let before = said(&class.before, direction, change.before);
    let after = said(&class.after, direction, change.after);
    let places = few(&members(class), MEMBERS_SHOWN);
    let mut lines = vec![
        format!("{places}  {direction}: {} -> {}", before.access, after.access),
        format!("  before   {}", before.by()),
        format!("  after    {}", after.by()),
    ];
    lines.extend(names.words(&change.region).iter().map(|words| format!("  traffic  {}", block(words))));
    if !change.region.rest.is_zero() {
        lines.push(format!("  traffic  and {} first packets more", change.region.rest));
    }
    lines.push(format!("  example  {}", said::flow(&change.example)));
    lines.push(format!("  volume   {}", volume(&change.volume)));
    lines
}

/// A block as one line.
pub fn block(words: &Words) -> String {
    let families = words.families.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let is_icmp =
        matches!(&words.protocols, Terms::Of(names) if names.iter().all(|name| name.starts_with("Icmp")));
    let kind = if is_icmp { "type" } else { "port" };
    let end = |addresses: &Terms, ports: &Terms| match ports {
        Terms::All => terms(addresses),
        ports => format!("{} {kind} {}", terms(addresses), terms(ports)),
    };
    format!(
        "{families}: {} from {} to {}",
        terms(&words.protocols),
        end(&words.sources, &words.source_ports),
        end(&words.destinations, &words.destination_ports),
    )
}

fn terms(terms: &Terms) -> String {
    let list = |terms: &[String]| few(&terms.iter().map(String::as_str).collect::<Vec<_>>(), TERMS_SHOWN);
    match terms {
        Terms::All => "*".to_owned(),
        Terms::Of(terms) => list(terms),
        Terms::AllBut(terms) => format!("all but {}", list(terms)),
        Terms::But(name, terms) => format!("{name} but {}", list(terms)),
    }
}

/// How many packets, by family.
pub fn volume(volume: &PerFamily<Volume>) -> String {
    let families = [("IPv4", volume.v4), ("IPv6", volume.v6)];
    let said = families.iter().filter(|(_, volume)| !volume.is_zero());
    let said: Vec<String> =
        said.map(|(family, volume)| format!("{volume} first packets of {family}")).collect();
    said.join(", ")
}

/// Words as one text, the first of them if there are many.
pub fn few(words: &[&str], shown: usize) -> String {
    match words.len() {
        many if many > shown => format!("{} and {} more", words[..shown].join(", "), many - shown),
        _ => words.join(", "),
    }
}
