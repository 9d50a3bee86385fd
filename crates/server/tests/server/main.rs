//! A whole server in this process, spoken to over TLS.

mod api;
mod client;
mod limits;
mod lists;
mod operations;
mod refusals;
mod resources;
mod shared_store;
mod site;
