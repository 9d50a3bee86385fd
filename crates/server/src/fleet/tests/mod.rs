//! A server in this process, and hosts that speak the protocol by hand over real TLS on loopback.

mod flows;
mod following;
mod joining;
mod operations;
mod support;
