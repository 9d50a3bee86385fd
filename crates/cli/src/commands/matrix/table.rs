//! A matrix as text: its classes, then who reaches whom on what, a line for each.

use palisade_analysis::{
    Terms,
    matrix::{Outcome, Route},
};
use palisade_model::{Estate, IpConfiguration, Nic, ResourceId, spec::Given};

use super::view::{End, Shown, View};
use crate::{commands::diff::text::few, output};

/// Words of a list that are printed before the rest is only counted.
const SHOWN: usize = 8;

/// All families, one after the other.
pub fn text(estate: &Estate, views: &[View]) -> String {
    let mut text = String::new();
    for view in views {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&family(estate, view));
    }
    if views.is_empty() {
        text.push_str("there is no interface with an address\n");
    }
    text
}

fn family(estate: &Estate, view: &View) -> String {
    let mut text = format!("{}\n\n", view.family);
    let mut ends: Vec<&End> = view.from.iter().chain(&view.to).collect();
    ends.sort_by_key(|end| end.node);
    ends.dedup_by_key(|end| (end.node, end.label.clone()));
    let rows: Vec<[String; 4]> =
        ends.iter().filter(|end| !end.members.is_empty()).map(|end| class(estate, end)).collect();
    text.push_str(&output::columns(["CLASS", "ADDRESSES", "SUBNETS AND NSGS", "GROUPS"], &rows));
    text.push('\n');
    let mut rows: Vec<[String; 4]> = Vec::new();
    for cell in &view.cells {
        for (outcome, services, _) in &cell.said {
            let from = view.from[cell.from].label.clone();
            let said = said(*outcome, services);
            let note = note(cell);
            let to = &view.to[cell.to].label;
            // Receivers that one sender reaches on the same are told together.
            match rows.iter_mut().find(|row| row[0] == from && row[2] == said && row[3] == note) {
                Some(row) => row[1] = format!("{}, {to}", row[1]),
                None => rows.push([from, to.clone(), said, note]),
            }
        }
    }
    text.push_str(&output::columns(["FROM", "TO", "SERVICES", "ROUTE"], &rows));
    text.push_str("everything else is denied\n");
    text
}

/// A class in a line.
fn class(estate: &Estate, end: &End) -> [String; 4] {
    let address = |member: &palisade_analysis::matrix::Member| match member.address {
        Some(prefix) if prefix.address() == prefix.last() => {
            format!("{} {}", member.nic.name(), prefix.address())
        }
        Some(prefix) => format!("{} {prefix}", member.nic.name()),
        None => format!("{} (assigned)", member.nic.name()),
    };
    let addresses: Vec<String> = end.members.iter().map(address).collect();
    let [behind, groups] = surroundings(estate, end);
    let joined = |words: &[String]| few(&words.iter().map(String::as_str).collect::<Vec<_>>(), SHOWN);
    [end.label.clone(), joined(&addresses), joined(&behind), joined(&groups)]
}

/// Subnets with their NSGs and the NSGs of interfaces; then application security groups.
pub fn surroundings(estate: &Estate, end: &End) -> [Vec<String>; 2] {
    let (mut behind, mut groups): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut add = |list: usize, word: String| {
        let list = if list == 0 { &mut behind } else { &mut groups };
        if !list.contains(&word) {
            list.push(word);
        }
    };
    let name =
        |nsg: &Given<ResourceId>| nsg.known().map_or_else(|| "?".to_owned(), |id| id.name().to_owned());
    for nic in end.members.iter().filter_map(|member| nic(estate, &member.nic)) {
        let own = nic.ip_configurations();
        for subnet in own.iter().filter_map(IpConfiguration::subnet).filter_map(Given::known) {
            let nsg = estate.subnet(subnet).and_then(|(_, subnet)| subnet.nsg());
            add(
                0,
                nsg.map_or_else(
                    || subnet.name().to_owned(),
                    |nsg| format!("{} [{}]", subnet.name(), name(nsg)),
                ),
            );
        }
        if let Some(nsg) = nic.nsg() {
            add(0, format!("[{}]", name(nsg)));
        }
        own.iter().flat_map(IpConfiguration::groups).for_each(|group| add(1, group.name().to_owned()));
    }
    [behind, groups]
}

fn nic<'e>(estate: &'e Estate, id: &ResourceId) -> Option<&'e Nic> {
    estate.nics().find(|nic| nic.id() == id)
}

/// What passes, in words.
pub fn said(outcome: Outcome, services: &Terms) -> String {
    let words = words(services);
    match outcome {
        Outcome::Allowed => words,
        Outcome::Partly => format!("{words}, some addresses"),
        Outcome::Unknown => format!("perhaps {words}"),
        Outcome::Denied => format!("not {words}"),
    }
}

/// Services in words.
pub fn words(services: &Terms) -> String {
    let list = |terms: &[String]| few(&terms.iter().map(String::as_str).collect::<Vec<_>>(), SHOWN);
    match services {
        Terms::All => "everything".to_owned(),
        Terms::Of(terms) => list(terms),
        Terms::AllBut(terms) => format!("all but {}", list(terms)),
        Terms::But(name, terms) => format!("{name} but {}", list(terms)),
    }
}

/// What there is to say of the route.
pub fn note(cell: &Shown) -> String {
    match cell.route {
        Route::Yes => String::new(),
        Route::No(_) => format!("no route: {}", cell.route),
        Route::Open(_) => format!("? {}", cell.route),
    }
}
