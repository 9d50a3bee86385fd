//! A matrix as JSON.
//!
//! A pair of ends that no cell names is denied everything. `witness` is a flow as `verify` takes it, seen from the sender or,
//! if that is a peer outside, from the receiver.

use palisade_analysis::{
    Terms,
    matrix::{Member, Outcome, Route},
};
use palisade_arm::flow;
use palisade_model::Estate;
use palisade_net::{Direction, Flow};
use serde_json::{Map, Value, json};

use super::{
    table,
    view::{End, Shown, View},
};

/// All families as one document.
pub fn document(estate: &Estate, views: &[View], unplaced: &[String]) -> Value {
    json!({
        "families": views.iter().map(|view| family(estate, view)).collect::<Vec<_>>(),
        "unknown": unplaced.iter().map(|tag| json!({ "tag": tag, "reason": "its addresses are not known" })).collect::<Vec<_>>(),
    })
}

fn family(estate: &Estate, view: &View) -> Value {
    let ends = |ends: &[End]| ends.iter().map(|found| end(estate, found)).collect::<Vec<_>>();
    json!({
        "family": view.family.to_string(),
        "from": ends(&view.from),
        "to": ends(&view.to),
        "cells": view.cells.iter().map(|shown| cell(view, shown)).collect::<Vec<_>>(),
    })
}

fn end(estate: &Estate, end: &End) -> Value {
    if end.members.is_empty() {
        return json!({ "name": end.label, "outside": true });
    }
    let member = |member: &Member| {
        json!({
            "networkInterface": member.nic.as_str(),
            "ipConfiguration": member.configuration,
            "address": member.address.map(|address| address.to_string()),
        })
    };
    let [behind, groups] = table::surroundings(estate, end);
    json!({
        "name": end.label,
        "outside": false,
        "members": end.members.iter().map(member).collect::<Vec<_>>(),
        "behind": behind,
        "applicationSecurityGroups": groups,
    })
}

fn cell(view: &View, shown: &Shown) -> Value {
    let (from, to) = (&view.from[shown.from], &view.to[shown.to]);
    let mut object = Map::new();
    object.insert("from".into(), json!(from.label));
    object.insert("to".into(), json!(to.label));
    for (outcome, services, example) in &shown.said {
        let name = match outcome {
            Outcome::Allowed => "allowed",
            Outcome::Partly => "someAddresses",
            Outcome::Unknown => "unknown",
            Outcome::Denied => "denied",
        };
        let witness = flow::document(&seen(from, example));
        object.insert(name.into(), json!({ "services": services_json(services), "witness": witness }));
    }
    let route = match shown.route {
        Route::Yes => "Yes",
        Route::No(_) => "No",
        Route::Open(_) => "Unknown",
    };
    object.insert("route".into(), json!(route));
    if shown.route != Route::Yes {
        object.insert("routeReason".into(), json!(shown.route.to_string()));
    }
    Value::Object(object)
}

/// A list of services, or of those that are left out.
fn services_json(services: &Terms) -> Value {
    match services {
        Terms::All => json!({ "all": true, "but": [] }),
        Terms::Of(terms) => json!({ "all": false, "of": terms }),
        Terms::AllBut(terms) => json!({ "all": true, "but": terms }),
        Terms::But(name, terms) => json!({ "all": false, "of": [name], "but": terms }),
    }
}

/// A packet as an interface sees it: its sender, unless that is outside.
fn seen(from: &End, flow: &Flow) -> Flow {
    let direction = if from.members.is_empty() { Direction::Inbound } else { Direction::Outbound };
    let (source, destination) =
        ((flow.source(), flow.source_port()), (flow.destination(), flow.destination_port()));
    Flow::new(direction, flow.protocol(), source, destination).expect("a flow's addresses are of one family")
}
