//! The figures of a report as SVG files, for people.
//!
//! A plot is made if the report has what it shows. Colours and type suit a light and a dark page; nothing is fetched from
//! elsewhere. It must not compute: what is shown is what the report says.

mod bars;
mod lines;
pub mod svg;
#[cfg(test)]
mod tests;

use crate::report::{Case, Report};
use bars::{Bar, Bars};
use lines::{Line, Lines};

/// As ours is called beside the peers.
const OURS: &str = "palisade";

/// A plot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// Name of its file.
    pub file: &'static str,
    /// The SVG document.
    pub text: String,
}

/// Every plot for which the report has figures.
pub fn plots(report: &Report) -> Vec<Plot> {
    let drawn = [
        ("datapath-hook.svg", hook(report)),
        ("datapath-new-flows.svg", new_flows(report)),
        ("datapath-established.svg", established(report)),
        ("datapath-connections.svg", connections(report)),
        ("datapath-flood.svg", flood(report)),
    ];
    drawn.into_iter().filter_map(|(file, text)| Some(Plot { file, text: text? })).collect()
}

/// The cases of this name in which the parameters have these values.
fn cases<'r>(report: &'r Report, name: &str, parameters: &[(&str, &str)]) -> Vec<&'r Case> {
    let fits = |case: &&Case| {
        case.name == name && parameters.iter().all(|(parameter, value)| case.parameter(parameter) == *value)
    };
    report.cases.iter().filter(fits).collect()
}

fn hook(report: &Report) -> Option<String> {
    let mut groups = Vec::new();
    for (name, title) in [
        ("hook/established", "Packet of an established flow"),
        ("hook/verdict", "Packet of no flow, denied by the last rule"),
        ("hook/denied again", "The same, denied a moment ago"),
        ("hook/new", "First packet of a flow, allowed and remembered"),
    ] {
        let bars = cases(report, name, &[]).into_iter().map(|case| {
            let parts = [case.parameter("family"), case.parameter("list"), flows(case)];
            let label = parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(", ");
            Bar { label, value: case.ours, is_ours: true }
        });
        let bars: Vec<Bar> = bars.collect();
        if !bars.is_empty() {
            groups.push((title.to_owned(), bars));
        }
    }
    let title = "Nanoseconds that a packet takes at the hook, above an empty program";
    (!groups.is_empty()).then(|| Bars { title, groups }.draw())
}

/// How many flows are in the table, where that matters.
fn flows(case: &Case) -> String {
    match case.parameter("flows").as_str() {
        "" => String::new(),
        flows => format!("scattered over {} flows", svg::number(flows.parse().unwrap_or_default())),
    }
}

fn new_flows(report: &Report) -> Option<String> {
    let mut cases = cases(report, "forwarding/new", &[("family", "IPv4"), ("place", "last")]);
    cases.sort_by_key(|case| case.parameters.get("lines").and_then(serde_json::Value::as_u64));
    let peers = cases.first()?.peers.iter().filter(|peer| peer.median.is_some());
    let mut lines =
        vec![Line { name: OURS.to_owned(), values: cases.iter().map(|case| case.ours).collect() }];
    for peer in peers {
        let of = |case: &&Case| case.peers.iter().find(|found| found.name == peer.name)?.median;
        lines.push(Line { name: peer.name.clone(), values: cases.iter().filter_map(of).collect() });
    }
    let title = "Nanoseconds added to plain forwarding by the first packet of a flow";
    let places = cases.iter().map(|case| format!("{} rules", case.parameter("lines"))).collect();
    Some(Lines { title, places, lines }.draw())
}

fn established(report: &Report) -> Option<String> {
    let groups = ["1", "1024"].into_iter().filter_map(|connections| {
        let parameters =
            [("family", "IPv4"), ("place", "last"), ("lines", "1000"), ("connections", connections)];
        let case = *cases(report, "forwarding/established", &parameters).first()?;
        let title = match connections {
            "1" => "One connection".to_owned(),
            many => format!("{many} connections in turn"),
        };
        Some((title, beside(case)))
    });
    let groups: Vec<_> = groups.collect();
    let title = "Nanoseconds added to plain forwarding by a packet of an established flow, 1000 rules";
    (!groups.is_empty()).then(|| Bars { title, groups }.draw())
}

fn connections(report: &Report) -> Option<String> {
    let case = *cases(report, "connections/rate", &[("lines", "1000")]).first()?;
    let groups = vec![("1000 rules".to_owned(), beside(case))];
    Some(Bars { title: "TCP connections with a request and a response, per second", groups }.draw())
}

fn flood(report: &Report) -> Option<String> {
    let case = *cases(report, "flood/steady connections", &[]).first()?;
    let quiet = |name: &str, parameter| {
        let value = case.parameters.get(parameter).and_then(serde_json::Value::as_f64);
        value.map(|value| Bar { label: name.to_owned(), value, is_ours: name == OURS })
    };
    let without = [quiet(OURS, "without flood"), quiet("no firewall", "without flood or firewall")];
    let groups = vec![
        ("Beside a flood of SYNs to another machine".to_owned(), beside(case)),
        ("Without a flood".to_owned(), without.into_iter().flatten().collect()),
    ];
    Some(Bars { title: "Exchanges per second of open connections", groups }.draw())
}

/// Ours, and every peer that is present.
fn beside(case: &Case) -> Vec<Bar> {
    let ours = Bar { label: OURS.to_owned(), value: case.ours, is_ours: true };
    let peers = case
        .peers
        .iter()
        .filter_map(|peer| Some(Bar { label: peer.name.clone(), value: peer.median?, is_ours: false }));
    std::iter::once(ours).chain(peers).collect()
}
