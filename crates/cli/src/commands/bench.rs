//! `palisade bench`: measurements of this machine, in one run.

use std::{net::IpAddr, sync::Arc};

use palisade_agent::Instance;
use palisade_classify::{
    Row, blob,
    generate::{self, Shape},
    table::Limits,
};
use palisade_datapath::{
    Config, Datapath, NicKind, NicPolicy, Sizes,
    bench::{Figures, Workload, measure},
};
use palisade_net::{AddressSet, Direction, Flow, Protocol, packet::Packet};
use serde_json::json;

use crate::{args::FormatArgs, exit::Exit, exit::Failure, output, output::Format};

/// The loopback interface: test runs need one that exists, and see no packet of its own.
const LOOPBACK: u32 = 1;
/// Sizes of the rule lists that are measured.
const RULES: [usize; 2] = [10, 1_000];
/// New flows in one measurement.
const FLOWS: u16 = 2_000;
/// The seed of the generated rules.
const SEED: u64 = 7;

/// Options of the command.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, clap::Subcommand)]
enum Subject {
    /// What the kernel program costs a packet: established, denied and new flows against two lists of rules
    Datapath(FormatArgs),
}

/// Measures and tells.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Subject::Datapath(format) = &arguments.subject;
    let mut datapath = open()?;
    let figures = all(&mut datapath);
    datapath.remove().map_err(Failure::caused_by)?;
    let figures = figures?;
    match format.format {
        Format::Json => output::json(&document(&figures))?,
        Format::Table => table(&figures)?,
    }
    Ok(Exit::Clean)
}

/// A datapath of the benchmark's own, attached nowhere.
fn open() -> Result<Datapath, Failure> {
    let instance = Instance::named(&format!("bench-{}", std::process::id())).map_err(Failure::input)?;
    let sizes = Sizes { flows_v4: 1 << 16, flows_v6: 1 << 16, slots: 16 };
    let config = Config { sizes, ..Config::new(instance.pin_dir) };
    Datapath::open(&config).map_err(Failure::caused_by)
}

/// One measurement and what it was of.
struct Case {
    family: &'static str,
    rules: usize,
    figures: Figures,
}

fn all(datapath: &mut Datapath) -> Result<Vec<Case>, Failure> {
    let mut cases = Vec::new();
    for rules in RULES {
        for (family, local, allowed, denied) in [
            ("IPv4", "10.0.0.4", "198.51.100.1", "198.51.100.2"),
            ("IPv6", "2001:db8::4", "2001:db8:1::1", "2001:db8:1::2"),
        ] {
            let [local, allowed, denied] =
                [local, allowed, denied].map(|text| text.parse().expect("addresses of this file are valid"));
            let figures = one(datapath, rules, local, allowed, denied)?;
            cases.push(Case { family, rules, figures });
        }
    }
    Ok(cases)
}

fn one(
    datapath: &mut Datapath,
    rules: usize,
    local: IpAddr,
    allowed: IpAddr,
    denied: IpAddr,
) -> Result<Figures, Failure> {
    let [allowed, denied] =
        [(allowed, FLOWS), (denied, 10)].map(|(remote, count)| flows(local, remote, count));
    let list = |denies: &[Flow]| compile(rules, &[&allowed, &denied], denies);
    let policy = NicPolicy {
        ifindex: LOOPBACK,
        slot: 1,
        kind: NicKind::Direct,
        inbound: [None, None, None],
        // The interface's list allows all of it, so that the subnet's is always asked too.
        outbound: [None, Some(list(&[])?), Some(list(&denied)?)],
    };
    let [allowed, denied] = [allowed, denied].map(|flows| frames(&flows));
    let workload = Workload { policy: &policy, allowed: &allowed, denied: &denied };
    measure(datapath, &workload).map_err(Failure::caused_by)
}

fn flows(local: IpAddr, remote: IpAddr, count: u16) -> Vec<Flow> {
    let flow = |port| Flow::between(Direction::Outbound, Protocol::TCP, (local, port), (remote, 443));
    (10_000..10_000 + count).filter_map(flow).collect()
}

fn frames(flows: &[Flow]) -> Vec<Vec<u8>> {
    flows.iter().map(|flow| Packet::first_of(flow).build().expect("a first packet can be written")).collect()
}

/// A list of `count` generated rules, none of which is about the benchmark's own flows; then one that denies `denies`, then
/// one that allows the rest. The whole list is thus searched for every packet.
fn compile(count: usize, flows: &[&[Flow]], denies: &[Flow]) -> Result<Arc<[u8]>, Failure> {
    let firsts: Vec<&Flow> = flows.iter().filter_map(|flows| flows.first()).collect();
    let mut rows = generate::policy(&Shape::nsg(count), SEED);
    rows.retain(|row| firsts.iter().all(|flow| !row.matches(flow, 0)));
    let last = |destinations, action| Row { destinations, ..Row::any(action) };
    let denied: AddressSet = denies.iter().map(Flow::destination).collect();
    rows.push(last(denied, palisade_abi::verdict::Action::Deny));
    rows.push(last(AddressSet::full(), palisade_abi::verdict::Action::Allow));
    Ok(blob::compile(&rows, &Limits::default()).map_err(Failure::other_side)?.into())
}

/// The measured quantities by name, without the cost of the measurement itself.
fn quantities(figures: &Figures) -> [(&'static str, f64); 3] {
    let net = |value: f64| value - figures.empty;
    [
        ("established flow", net(figures.established)),
        ("new flow, denied", net(figures.denied)),
        ("new flow, allowed", net(figures.created)),
    ]
}

fn document(cases: &[Case]) -> serde_json::Value {
    let cases: Vec<_> = cases
        .iter()
        .flat_map(|case| {
            quantities(&case.figures).map(|(name, value)| {
                json!({
                    "name": name,
                    "parameters": { "family": case.family, "rules": case.rules, "lists": 2 },
                    "ours": { "median": value, "unit": "ns" },
                    "peers": [{ "name": "empty program", "version": null, "median": case.figures.empty }],
                    "ratio": { "empty program": (value + case.figures.empty) / case.figures.empty },
                })
            })
        })
        .collect();
    json!({ "machine": machine(), "cases": cases })
}

fn machine() -> serde_json::Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    json!({
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "cpu": model.map(|(_, name)| name),
        "cpus": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    })
}

fn table(cases: &[Case]) -> std::io::Result<()> {
    output::line(
        "nanoseconds a packet, above an empty program; two lists of rules are asked for a new flow\n",
    )?;
    let rows: Vec<_> = cases
        .iter()
        .map(|case| {
            let [established, denied, created] =
                quantities(&case.figures).map(|(_, value)| format!("{value:.0}"));
            let empty = format!("{:.0}", case.figures.empty);
            [case.family.to_owned(), format!("2 x {}", case.rules), empty, established, denied, created]
        })
        .collect();
    output::table(["FAMILY", "RULES", "EMPTY", "ESTABLISHED", "NEW, DENIED", "NEW, ALLOWED"], &rows)
}
