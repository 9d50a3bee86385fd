//! What one client may cost: how many connections, requests and bytes, how deep, how slow, how often.
//!
//! Every limit has a name here, an answer in Azure's envelope, and a test at its edge.

pub(crate) mod body;
mod connections;
mod guard;
mod rate;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use body::JSON_DEPTH_MAX;
pub use connections::Gate;
pub(crate) use guard::{Guard, guard, rate};
pub use rate::{Bucket, Rate, Rates};

/// Longest body of a request, in bytes. Azure's own limit is the same.
pub const BODY_LENGTH_MAX: usize = 4 * 1024 * 1024;
/// How long the headers of a request may take to arrive, also on a connection kept alive.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a body may take to arrive.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a TLS handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of headers of one request.
pub const HEADERS_LENGTH_MAX: u32 = 64 * 1024;
/// Most connections at once.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Most requests that are worked on at once.
pub const REQUESTS_MAX: usize = 1_024;
/// Most requests at once on one HTTP/2 connection.
pub const STREAMS_MAX: u32 = 256;
/// Most streams of changes at once.
pub const WATCHES_MAX: usize = 256;
/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
pub const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long requests under way may take to end when the server stops.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// What one address may ask, unless the operator says otherwise.
pub const RATE_PER_ADDRESS: Rate = Rate { per_second: 20_000, burst: 40_000 };
/// What one principal may ask, unless the operator says otherwise.
pub const RATE_PER_PRINCIPAL: Rate = Rate { per_second: 10_000, burst: 20_000 };
