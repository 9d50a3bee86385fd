//! One line a record: a JSON object with stable names, as `palisade flows tail` prints it and other programs read it.

use std::net::IpAddr;

use palisade_abi::flow::Direction;
use palisade_net::Protocol;
use serde::Serialize;

use super::{NameBook, Record};
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
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    began_ms: Option<u64>,
    rules: Vec<Rule<'a>>,
    audited: bool,
    midstream: bool,
    generation: u64,
    packets_to_destination: u64,
    packets_to_source: u64,
    bytes_to_destination: u64,
    bytes_to_source: u64,
}

/// The rule that a layer decided by.
#[derive(Debug, Serialize)]
struct Rule<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<&'a str>,
    /// `None` if the policy that judged is too long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    row: u16,
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
    let ((source, source_port), (destination, destination_port)) = match record.direction {
        Direction::Outbound => (record.local, record.remote),
        Direction::Inbound => (record.remote, record.local),
    };
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
        state: record.state.map(palisade_abi::flow::FlowState::name),
        began_ms: record.began_ms,
        rules: rules_of(record, rules.flatten()),
        audited: record.audited,
        midstream: record.midstream,
        generation: record.generation,
        packets_to_destination: record.packets[0],
        packets_to_source: record.packets[1],
        bytes_to_destination: record.bytes[0],
        bytes_to_source: record.bytes[1],
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

fn rules_of<'a>(record: &Record, names: Option<&'a RuleNames>) -> Vec<Rule<'a>> {
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
    record.rules.iter().enumerate().filter_map(one).collect()
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the line has text keys only") + "\n"
}
