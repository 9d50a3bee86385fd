//! A tuple of Azure's logs as a record.

use std::sync::Arc;

use palisade_flowlog::Logged;
use palisade_model::{FlowLogFormat, FlowPhase, LoggedDecision, ResourceId};

use super::{names::Known, tuple};
use crate::record::{Kind, Labels, Record};

/// Labels of the tuples that were met last: those of one list share all but the encryption.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    known: Known,
    last: Option<(Arc<str>, u32, Arc<Labels>)>,
}

impl Lists {
    fn labels(&mut self, logged: &Logged<'_>) -> Arc<Labels> {
        if let Some((around, list, labels)) = &self.last
            && (Arc::ptr_eq(around, logged.around), *list) == (true, logged.place.0)
            && labels.encryption.as_deref() == logged.encryption
            && labels.format == logged.origin.format
        {
            return labels.clone();
        }
        let text = |id: &Option<ResourceId>| id.as_ref().map(ToString::to_string);
        let origin = logged.origin;
        let labels = self.known.of(Labels {
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
        self.last = Some((logged.around.clone(), logged.place.0, labels.clone()));
        labels
    }
}

/// The record of a tuple. What it cannot say of the tuple's writing, it keeps as text.
pub(crate) fn record(logged: &Logged<'_>, lists: &mut Lists) -> Record {
    let labels = lists.labels(logged);
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
    if tuple::of(&record, logged.origin.format).as_deref() != Some(logged.text) {
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
