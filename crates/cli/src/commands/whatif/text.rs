//! The answer as text for people: a paragraph a change, then what the log itself says otherwise.

use std::io;

use palisade_analysis::what_if::{Change, Count, Effect, Said as Disagreement, Service};
use palisade_model::LoggedDecision;
use palisade_net::Protocol;

use super::Told;
use crate::{
    commands::{diff::text::few, log::moment, said, said::Said},
    output,
};

/// Services of a change that are printed before the rest is only counted.
const SERVICES_SHOWN: usize = 8;
/// Peers of a service that are printed before the rest is only counted.
const PEERS_SHOWN: usize = 6;
/// Places that are named before the rest is only counted.
const PLACES_SHOWN: usize = 6;
/// Disagreements that are printed before the rest is only counted.
const DISAGREEMENTS_SHOWN: usize = 20;

/// Prints the answer.
pub fn print(told: &Told<'_>) -> io::Result<()> {
    output::line(told.log.sentence())?;
    if told.has_change {
        changes(told)?;
        output::line("")?;
    }
    drift(told)?;
    caveats(told)
}

/// Prints what a change would do, and not what the log says of the rules before.
pub fn print_changes(told: &Told<'_>) -> io::Result<()> {
    output::line(told.log.sentence())?;
    changes(told)?;
    caveats(told)
}

fn changes(told: &Told<'_>) -> io::Result<()> {
    summary(told)?;
    for change in &told.answer.changes {
        output::line("")?;
        paragraph(told, change).into_iter().try_for_each(output::line)?;
    }
    Ok(())
}

fn caveats(told: &Told<'_>) -> io::Result<()> {
    told.caveats().into_iter().try_for_each(|caveat| output::line(format!("note: {caveat}")))
}

fn summary(told: &Told<'_>) -> io::Result<()> {
    let answer = told.answer;
    let effects = [
        Effect::Breaks,
        Effect::Opens,
        Effect::MayBreak,
        Effect::MayOpen,
        Effect::MayHaveBroken,
        Effect::MayHaveOpened,
    ];
    let said = effects.map(|effect| (word(effect), answer.sum(effect)));
    for (word, count) in said.into_iter().filter(|(_, count)| count.flows > 0) {
        output::line(format!("{word}  {}", counted(&count)))?;
    }
    if answer.gone.flows > 0 {
        output::line(format!("at an interface that is gone  {}", counted(&answer.gone)))?;
    }
    if answer.unknown.flows > 0 {
        output::line(format!("unknown before and after  {}", counted(&answer.unknown)))?;
    }
    output::line(format!("unchanged  {}", counted(&answer.unchanged)))
}

/// An effect as a word.
pub const fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Breaks => "breaks",
        Effect::Opens => "opens",
        Effect::MayBreak => "may break",
        Effect::MayOpen => "may open",
        Effect::MayHaveBroken => "unknown before, denied after",
        Effect::MayHaveOpened => "unknown before, allowed after",
    }
}

fn paragraph(told: &Told<'_>, change: &Change) -> Vec<String> {
    let (before, after) = (Said::of(&change.before), Said::of(&change.after));
    let places = few(&told.log.places(&change.places), PLACES_SHOWN);
    let mut lines = vec![
        format!(
            "{}  {places}  {}: {} -> {}",
            word(change.effect),
            change.direction,
            before.access,
            after.access
        ),
        format!("  before   {}", before.by()),
        format!("  after    {}", after.by()),
        format!("  flows    {}", counted(&change.count)),
    ];
    if change.count.established > 0 && matches!(change.effect, Effect::Breaks | Effect::MayBreak) {
        let existing = change.count.established;
        lines.push(match change.flushes {
            true => format!("  existing {existing} connections that existed are cut (flushConnection)"),
            false => {
                format!("  existing {existing} connections that existed live on (flushConnection is false)")
            }
        });
    }
    lines.push(format!("  example  {}", said::flow(&told.what_if.witness(&change.count).flow)));
    for service in change.services.iter().take(SERVICES_SHOWN) {
        lines.extend(of_service(service));
    }
    if change.services.len() > SERVICES_SHOWN {
        lines.push(format!("  and {} more services", change.services.len() - SERVICES_SHOWN));
    }
    lines
}

fn of_service(service: &Service) -> Vec<String> {
    let mut lines =
        vec![format!("  {:<8} {}", self::service(service.protocol, service.port), counted(&service.count))];
    for peer in service.peers.iter().take(PEERS_SHOWN) {
        let addresses = match peer.addresses {
            1 => String::new(),
            many => format!(" ({many} addresses)"),
        };
        lines.push(format!("    {}{addresses}: {}", peer.name, counted(&peer.count)));
    }
    if service.peers.len() > PEERS_SHOWN {
        lines.push(format!("    and {} more", service.peers.len() - PEERS_SHOWN));
    }
    lines
}

fn service(protocol: Protocol, port: u16) -> String {
    if protocol.has_ports() { format!("{protocol} {port}") } else { protocol.to_string() }
}

fn drift(told: &Told<'_>) -> io::Result<()> {
    let drift = &told.answer.drift;
    let unknown = match drift.open.flows {
        0 => String::new(),
        flows => format!(", {flows} cannot be compared because the rules' verdict is unknown"),
    };
    let differing: u64 = drift.disagreements.iter().map(|said| said.count.flows).sum();
    output::line(format!(
        "the log and the rules agree on {} flows and differ on {differing}{unknown}",
        drift.agreeing.flows
    ))?;
    for said in drift.disagreements.iter().take(DISAGREEMENTS_SHOWN) {
        disagreement(told, said).into_iter().try_for_each(output::line)?;
    }
    match drift.disagreements.len().saturating_sub(DISAGREEMENTS_SHOWN) {
        0 => Ok(()),
        more => output::line(format!("and {more} more")),
    }
}

fn disagreement(told: &Told<'_>, said: &Disagreement) -> Vec<String> {
    let places = few(&told.log.places(&said.places), PLACES_SHOWN);
    let what = if said.is_verdict { "differs" } else { "same verdict, other rule" };
    let present = Said::of(&said.present);
    let rule = said.logged_rule.as_deref().unwrap_or("no rule that the log names");
    let nsg = said.logged_nsg.as_deref().map_or_else(String::new, |nsg| format!(" of {nsg}"));
    vec![
        format!("{what}  {places}  {}", said.direction),
        format!("  logged   {} by {rule}{nsg}", logged(said.logged)),
        format!("  rules    {} by {}", present.access, present.by()),
        format!("  flows    {}", counted(&said.count)),
        format!("  example  {}", said::flow(&told.what_if.witness(&said.count).flow)),
    ]
}

/// What a log decided, in the words of verdicts.
pub const fn logged(decision: LoggedDecision) -> &'static str {
    match decision {
        LoggedDecision::Allowed => "Allow",
        LoggedDecision::Denied => "Deny",
        LoggedDecision::Elsewhere => "None",
    }
}

/// Counts in one line.
fn counted(count: &Count) -> String {
    let mut text = match count.flows {
        1 => "1 flow".to_owned(),
        flows => format!("{flows} flows"),
    };
    if count.attempts > 0 {
        text += &format!(" ({} denied attempts)", count.attempts);
    }
    let tally = &count.tally;
    if tally.packets > 0 || tally.bytes > 0 {
        text += &format!(", {} packets, {} bytes", tally.packets, tally.bytes);
    }
    if count.flows > 0 {
        text += &format!(", {} to {}", moment(tally.first_ms), moment(tally.last_ms));
    }
    text
}
