//! One line a record: a JSON object with stable names, as `palisade flows tail` prints it and other programs read it.

use std::net::IpAddr;

use palisade_abi::verdict::{Layer, Reason};
use palisade_net::Protocol;
use serde::Serialize;

use super::{Cause, NameBook, Record};
use crate::compile::{ListNames, RuleNames};

/// A record with names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    kind: &'static str,
    time_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nic_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<&'a str>,
    slot: u32,
    direction: &'static str,
    protocol: String,
    source: IpAddr,
    source_port: u16,
    destination: IpAddr,
    destination_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    began_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ms: Option<u64>,
    rules: Vec<Rule<'a>>,
    audited: bool,
    midstream: bool,
    generation: u64,
    packets_to_destination: u64,
    packets_to_source: u64,
    bytes_to_destination: u64,
    bytes_to_source: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_flags_to_destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_flags_to_source: Option<String>,
}

/// The rule that a layer decided by.
#[derive(Debug, Serialize)]
pub(crate) struct Rule<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) layer: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) list: Option<&'a str>,
    /// `None` if the policy that judged is too long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<&'a str>,
    pub(crate) row: u16,
}

/// Lines were lost because the kernel's ring was full, or one NIC caused too many.
pub const KERNEL: &str = "kernel";
/// Lines were lost because the reader was too slow.
pub const READER: &str = "reader";

/// How many lines were lost.
#[derive(Debug, Serialize)]
struct Lost<'a> {
    kind: &'static str,
    count: u64,
    by: &'a str,
}

/// Why a reader was sent away: there are so many already.
#[derive(Debug, Serialize)]
struct Refused {
    kind: &'static str,
    readers: usize,
}

/// The line of a record.
pub fn of(record: &Record, book: &NameBook) -> String {
    let (nic, rules) = book.find(record.slot, record.generation).unzip();
    let ((source, source_port), (destination, destination_port)) = record.ends();
    text(&Line {
        kind: record.kind.word(),
        time_ms: record.time_ms,
        nic: nic.map(|nic| nic.name.as_str()),
        nic_id: nic.map(|nic| nic.id.to_string()),
        interface: nic.map(|nic| nic.interface.as_str()),
        slot: record.slot,
        direction: record.direction.name(),
        protocol: Protocol(record.protocol).to_string(),
        source,
        source_port,
        destination,
        destination_port,
        icmp_type: record.query,
        reason: record.reason,
        layer: record.layer.map(Layer::name),
        cause: record.cause.map(Cause::word),
        state: record.state.map(palisade_abi::flow::FlowState::name),
        began_ms: record.began_ms,
        last_ms: record.last_ms,
        rules: rules_of(record, rules.flatten()),
        audited: record.audited,
        midstream: record.midstream,
        generation: record.generation,
        packets_to_destination: record.packets[0],
        packets_to_source: record.packets[1],
        bytes_to_destination: record.bytes[0],
        bytes_to_source: record.bytes[1],
        tcp_flags_to_destination: record.tcp_flags.map(|[there, _]| there.to_string()),
        tcp_flags_to_source: record.tcp_flags.map(|[_, back]| back.to_string()),
    })
}

/// The line that tells of lines that were lost, and by whom: [`KERNEL`] or [`READER`].
pub fn lost(count: u64, by: &str) -> String {
    text(&Lost { kind: "lost", count, by })
}

/// The line for a reader that is one too many.
pub fn refused(readers: usize) -> String {
    text(&Refused { kind: "refused", readers })
}

/// The rules of a record with their names, as far as these are known.
pub(crate) fn rules_of<'a>(record: &Record, names: Option<&'a RuleNames>) -> Vec<Rule<'a>> {
    let lists = names.map(|names| names.lists(record.direction));
    let one = |(place, row): (usize, &Option<u16>)| {
        let row = (*row)?;
        let list: Option<&ListNames> = lists.and_then(|lists| lists[place].as_ref());
        Some(Rule {
            layer: list.map(|list| list.layer.name()),
            list: list.and_then(|list| list.list.as_deref()),
            rule: list.and_then(|list| list.rows.get(usize::from(row))).map(String::as_str),
            row,
        })
    };
    let throttle =
        names.and_then(RuleNames::throttle).filter(|_| record.reason == Some(Reason::Throttled.name()));
    // It stands where the other answers stand, and first: it decided.
    let throttle =
        throttle.map(|name| Rule { layer: Some(Layer::Admin.name()), list: None, rule: Some(name), row: 0 });
    throttle.into_iter().chain(record.rules.iter().enumerate().filter_map(one)).collect()
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the line has text keys only") + "\n"
}
