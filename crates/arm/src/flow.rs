//! A flow as JSON, seen from the virtual machine: the fields that `palisade verify --flows` reads.

use palisade_net::Flow;
use serde_json::{Value, json};

/// The document of a flow.
pub fn document(flow: &Flow) -> Value {
    json!({
        "direction": flow.direction().to_string(),
        "protocol": flow.protocol().to_string(),
        "localAddress": flow.local().to_string(),
        "localPort": flow.local_port(),
        "remoteAddress": flow.remote().to_string(),
        "remotePort": flow.remote_port(),
    })
}
