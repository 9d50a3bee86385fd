//! A whole server in this process, spoken to over TLS.

mod access;
mod alerts;
mod api;
mod authorization;
mod beacons;
mod client;
mod flow_upkeep;
mod gate;
mod housekeeping;
mod limits;
mod lists;
#[path = "../../../store/tests/suite/support.rs"]
#[expect(dead_code, reason = "these tests do not kill it")]
mod member;
mod outside;
mod questions;
mod records;
mod refusals;
mod resources;
mod shared_store;
mod site;
mod tokens;
