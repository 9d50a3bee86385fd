//! What a server and its agents say to each other: the protocol, generated from `proto/fleet.proto`.
//!
//! It knows neither side. Documents are resources in ARM's JSON under their id in lower case.

#[allow(missing_docs, clippy::all, clippy::pedantic)]
mod generated {
    tonic::include_proto!("palisade.fleet.v1");
}

pub use generated::*;
