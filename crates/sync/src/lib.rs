//! What a server and its agents say to each other: the protocol, generated from `proto/fleet.proto`, and what both sides
//! must understand alike: [`Documents`] and their hash, [flow records](flows), [`JoinToken`]s, names of hosts, limits, and whom to trust.
//!
//! It must not know either side, nor open a connection. Documents are resources in ARM's JSON under their id in lower case, and the
//! service tags that these name; what they mean is not asked here.

pub mod documents;
pub mod flows;
pub mod host;
pub mod limits;
pub mod token;
pub mod trust;

#[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]
mod generated {
    // What the generated code uses by full paths.
    use {prost as _, tonic_prost as _};

    tonic::include_proto!("palisade.fleet.v1");
}

pub use documents::{Documents, Entry, Hash};
pub use generated::*;
pub use token::JoinToken;
