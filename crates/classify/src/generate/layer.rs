//! Rows as the rules of a security admin layer, so that generated rows can be given to all that reads effective rules.
//!
//! Lowering such a layer gives the rows again: admin rules know all actions but `Closed`, and no platform service.

use palisade_abi::verdict::Action;
use palisade_model::{
    Access, AddressField, Addresses, EffectiveLayer, EffectiveRule, Layer, Maybe, Mode, Ports,
};

use crate::Row;

/// A layer of these rows. `Closed`, which no such rule can say, becomes `Deny`.
pub fn layer(rows: &[Row]) -> EffectiveLayer {
    EffectiveLayer {
        layer: Layer::Admin,
        source: None,
        name: Some("generated".to_owned()),
        rules: rows.iter().enumerate().map(|(number, row)| rule(number, row)).collect(),
        mode: Mode::Enforce,
        flush: true,
        certain: true,
    }
}

fn rule(number: usize, row: &Row) -> EffectiveRule {
    EffectiveRule {
        name: format!("r{number}"),
        path: format!("r{number}"),
        priority: Maybe::Unknown,
        access: Maybe::Known(match row.action {
            Action::Allow => Access::Allow,
            Action::AlwaysAllow => Access::AlwaysAllow,
            Action::Deny | Action::Closed => Access::Deny,
        }),
        protocol: Maybe::Known(row.protocol),
        source: Addresses::exactly(row.sources.clone()),
        source_field: AddressField::Any,
        source_ports: Ports::Known(row.source_ports.clone()),
        destination: Addresses::exactly(row.destinations.clone()),
        destination_field: AddressField::Any,
        destination_ports: Ports::Known(row.destination_ports.clone()),
        window: row.window,
        mode: if row.audit { Mode::Audit } else { Mode::Enforce },
        certain: true,
        collection: None,
        own_list: None,
        services: Vec::new(),
    }
}
