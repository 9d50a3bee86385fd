//! A tuple of Azure's logs as a record.

use palisade_flowlog::Logged;
use palisade_model::{FlowLogFormat, FlowPhase, LoggedDecision, ResourceId};

use super::{names::Known, tuple};
use crate::record::{Kind, Labels, Record};

/// The record of a tuple. What it cannot say of the tuple's writing, it keeps as text.
pub(crate) fn record(logged: &Logged<'_>, known: &mut Known) -> Record {
    let text = |id: &Option<ResourceId>| id.as_ref().map(ToString::to_string);
    let origin = logged.origin;
    let labels = known.of(Labels {
        format: origin.format,
        mac: origin.mac.map(|mac| mac.to_string()),
        resource: text(&origin.target),
        nsg: text(&origin.nsg),
        rule: origin.rule.clone(),
        rules: logged.rule.map(str::to_owned),
        encryption: logged.encryption.map(str::to_owned),
        log: Some(logged.around.to_string()),
        ..Labels::default()
    });
    let flow = logged.flow;
    let mut record = Record {
        time_ms: logged.time_ms,
        kind: kind(logged),
        began_ms: None,
        last_ms: None,
        direction: flow.direction(),
        protocol: flow.protocol(),
        local: (flow.local(), flow.local_port()),
        remote: (flow.remote(), flow.remote_port()),
        icmp_type: None,
        icmp_code: None,
        since: logged.traffic,
        total: None,
        tcp_flags: [None, None],
        generation: None,
        audited: None,
        midstream: None,
        place: Some(logged.place),
        tuple: None,
        labels,
    };
    if tuple::of(&record, origin.format).as_deref() != Some(logged.text) {
        record.tuple = Some(logged.text.into());
    }
    record
}

fn kind(logged: &Logged<'_>) -> Kind {
    match (logged.decision, logged.phase) {
        (LoggedDecision::Denied, _) => Kind::Deny,
        (_, FlowPhase::Continue) => Kind::Continue,
        (_, FlowPhase::End) => Kind::End,
        (_, FlowPhase::Unstated) => Kind::Allow,
        (_, FlowPhase::Begin) if logged.origin.format == FlowLogFormat::Nsg1 => Kind::Allow,
        (_, FlowPhase::Begin) => Kind::Begin,
    }
}
