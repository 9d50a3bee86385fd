//! A whole server in this process, spoken to over TLS.

mod api;
mod authorization;
mod client;
mod limits;
mod lists;
mod outside;
mod questions;
mod refusals;
mod resources;
mod shared_store;
mod site;
mod tokens;
